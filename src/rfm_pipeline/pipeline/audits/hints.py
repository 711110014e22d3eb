"""Hints about failed audits: what the user can do, and rows that show the problem."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from datetime import datetime

from rfm_pipeline.common.formatting import replace_unprintable
from rfm_pipeline.config.audits import Audits
from rfm_pipeline.config.base import field_types
from rfm_pipeline.results.json_values import plain
from rfm_pipeline.results.statistics import Audit, RunStatistics

# Characters for sample rows in a hint, so that the hint fits on a few lines of a terminal.
_MAX_ROWS_LENGTH = 100


def audit_hint(failed: Sequence[Audit], statistics: RunStatistics) -> str:
    """Return the hint about failed audits: advice and sample rows of the first one, and the names of all."""
    names = ", ".join(audit.name for audit in failed)
    return f"{_advice_on_audit(failed[0], statistics)}{_sample_rows(failed[0])} (Failed: {names}.)"


def _advice_on_audit(failed: Audit, statistics: RunStatistics) -> str:
    name = failed.name
    if name == "source_not_empty":
        return _advice_on_empty_result(statistics)
    if name in field_types(Audits) and name not in _BY_AUDIT:
        return "`rfm --debug` shows more; this should not happen, so please report it."
    if name in _BY_AUDIT:
        return f"{_BY_AUDIT[name]}; if this is intended, RFM_AUDITS__{name.upper()}=warn lets a run pass."
    return f'look at what `audits.queries.{name}` found, or give it level = "warn".'


def _sample_rows(failed: Audit) -> str:
    """Return as many of an audit's rows as fit into the hint; empty if it has none."""
    listed = ""
    for row in failed.rows:
        shown = replace_unprintable(", ".join(f"{name} {_shown(value)}" for name, value in row.items()))
        longer = f"{listed}; {shown}" if listed else shown
        if len(longer) > _MAX_ROWS_LENGTH:
            break
        listed = longer
    return f" Such as: {listed}." if listed else ""


def _shown(value: object) -> str:
    return "NULL" if value is None else str(plain(value))


def _advice_on_empty_result(statistics: RunStatistics) -> str:
    if statistics.rows_read:
        first = max(statistics.exclusions, key=lambda excluded: excluded.lines)
        if first.reason == "invalid_amount" and (known := _advice_on_number((first.example or "").strip())):
            return known
        if first.reason == "invalid_date" and _is_iso_date((first.example or "").strip()):
            return (
                f"'{first.example}' is in ISO form, and other formats were given: give several, with iso"
                " among them, as in --date-format iso --date-format '%d/%m/%Y'."
            )
        return _ADVICE.get(first.reason, f"look at the exclusion `{first.reason}`.")
    return "look at how it was exported: there is nothing below the names of its columns."


def _is_iso_date(written: str) -> bool:
    try:
        return bool(datetime.fromisoformat(written)) and written[4:5] == "-"
    except ValueError:
        return False


TWO_READINGS = re.compile(r"\s*[+-]?[0-9]{1,3},[0-9]{3}\s*")
_WITH_POINT = re.compile(r"[+-]?([0-9]+|[0-9]{1,3}(,[0-9]{3})+)\.[0-9]+|[+-]?[0-9]{1,3}(,[0-9]{3}){2,}")
_WITH_COMMA = re.compile(r"[+-]?([0-9]+|[0-9]{1,3}(\.[0-9]{3})+),[0-9]*|[+-]?[0-9]{1,3}(\.[0-9]{3}){2,}")


def _advice_on_number(written: str) -> str | None:
    """Return advice if no amount could be read, given one of the amounts; None if its form is not known."""
    if TWO_READINGS.fullmatch(written):
        return f"{two_readings(written)}."
    # Numbers of the default form are unreadable only if another form is configured.
    if _WITH_POINT.fullmatch(written):
        return f"'{written}' is not written with a decimal comma: leave --decimal out."
    if _WITH_COMMA.fullmatch(written):
        return f"'{written}' is written with a decimal comma: give --decimal ','."
    signs = "".join(dict.fromkeys(sign for sign in written if unicodedata.category(sign) == "Sc"))
    if signs and any(character.isdigit() for character in written):
        return (
            f"the column has '{signs[0]}' in it, and a number is read without: take it out, as in"
            f" sed 's/[{signs}]//g' FILE | rfm run -, or name a column without it with --amount."
        )
    return None


def two_readings(written: str | None) -> str:
    """Return a clause with both readings of a number like 1,234, each with its option."""
    number = (written or "").strip()
    return (
        f"'{number}' can be read in two ways: --thousands ',' reads {number.replace(',', '')},"
        f" and --decimal ',' reads {number.replace(',', '.')}"
    )


_ADVICE: Mapping[str, str] = {
    "missing_customer": "look at which column is the customer; `rfm check` shows how they are read.",
    "missing_order": "look at which column is the order, or give --order-id none.",
    "invalid_date": "say how dates are written, as in --date-format '%d/%m/%Y' (several formats may be"
    " given), or which column they are in.",
    "invalid_amount": "say how numbers are written, as in --decimal ',', or which column they are in.",
    "future_dated": "look at --as-of: lines after it, or after today, don't count.",
    "outside_window": "look at --window and --since: lines before them don't count.",
    "non_positive_quantity": "look at the sign of quantities: `rfm check` shows how columns are read.",
    "non_positive_price": "look at which column is the price; `rfm check` shows how they are read.",
    "non_positive_amount": "look at the sign of amounts, and at which column they are in.",
    "no_positive_order": "look at the sign of amounts, and at which column they are in.",
}

_BY_AUDIT: Mapping[str, str] = {
    "bins_collapsed": "ask for fewer bins with --bins",
    "amounts_read": "say how numbers are written, with --thousands ',' or --decimal ','",
    "excluded_share": "look at the exclusions, and at what they show of how the source is read",
    "max_age": "look at why no newer orders arrive",
    "rows_dropped": "look at whether the source is complete",
    "customers_dropped": "look at whether the source is complete",
    "duplicate_load": "look for files or days that were loaded twice",
    "segment_shares": "look at what changed in the source",
}
