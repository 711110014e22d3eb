"""Hints about failed audits: what the user can do, and rows that show the problem."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rfm_pipeline.common.untrusted_text import replace_unprintable
from rfm_pipeline.config.audits import Audits
from rfm_pipeline.config.base import field_types
from rfm_pipeline.pipeline.audits.unreadable import (
    advice_on_dates,
    advice_on_number,
    is_iso_date,
    quoted_list,
)
from rfm_pipeline.results.json_values import plain
from rfm_pipeline.results.statistics import Audit, Excluded, RunStatistics

# Characters for sample rows in a hint, so that the hint fits on a few lines of a terminal.
_MAX_ROWS_LENGTH = 100


def audit_hint(failed: Sequence[Audit], statistics: RunStatistics, *, masked: bool = False) -> str:
    """Return the hint about failed audits: advice about the first one, its rows, and the names of all.

    Args:
        failed: The failed audits.
        statistics: The statistics of the run.
        masked: Whether values of customers in the rows are masked.
    """
    names = ", ".join(audit.name for audit in failed)
    rows = failed[0].masked_rows if masked else failed[0].rows
    return f"{_advice_on_audit(failed[0], statistics)}{_sample_rows(rows)} (Failed: {names}.)"


def _advice_on_audit(failed: Audit, statistics: RunStatistics) -> str:
    name = failed.name
    if name == "source_not_empty":
        return _advice_on_empty_result(statistics)
    advice = _advice_on_exclusions(failed, statistics) if name == "mostly_excluded" else _BY_AUDIT.get(name)
    if advice:
        return f"{advice}; if this is intended, RFM_AUDITS__{name.upper()}=warn lets a run pass."
    if name in field_types(Audits):
        return "`rfm --debug` shows more; this should not happen, so please report it."
    return f'look at what `audits.queries.{name}` found, or give it level = "warn".'


def _sample_rows(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return as many of the rows as fit into the hint; empty if there are none."""
    listed = ""
    for row in rows:
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
        return _advice_on_reason(max(statistics.exclusions, key=lambda excluded: excluded.lines))
    return "look at how it was exported: there is nothing below the names of its columns."


def _advice_on_exclusions(failed: Audit, statistics: RunStatistics) -> str:
    """Return advice about a result that leaves most sales out: the largest reason, and values it is about."""
    # The names in [skip] are reasons too; the audit's sentence ends with the largest of those that count.
    exclusions = statistics.exclusions
    named = [excluded for excluded in exclusions if failed.detail.endswith(f" as {excluded.reason}.")]
    first = max(named or exclusions, key=lambda excluded: excluded.lines)
    examples = first.examples
    such_as = f", such as {quoted_list(examples)}" if examples else ""
    advice = _advice_on_reason(first).rstrip(".")
    return f"most are {first.reason}{such_as}: {advice}"


def _advice_on_reason(excluded: Excluded) -> str:
    """Return advice about the reason for which most lines were excluded; it ends with a full stop."""
    example = next(iter(excluded.examples), "").strip()
    if excluded.reason == "invalid_amount" and (advice := advice_on_number(example)):
        return advice
    if excluded.reason == "invalid_date" and is_iso_date(example):
        return (
            f"'{example}' is in ISO form, and other formats were given: give several, with iso"
            " among them, as in --date-format iso --date-format '%d/%m/%Y'."
        )
    if excluded.reason == "invalid_date" and (advice := advice_on_dates(example)):
        return advice
    return _ADVICE.get(excluded.reason, f"look at the exclusion `{excluded.reason}`.")


_SIGN_OF_AMOUNTS = (
    "look at the sign of amounts, and at which column they are in; if sales are negative, turn the sign in a"
    " query, and give its file as the source: SOURCE may be a .sql file with"
    " SELECT * REPLACE (-CAST(AMOUNT AS DECIMAL(18, 2)) AS AMOUNT) FROM 'FILE', where AMOUNT is the column."
)

_ADVICE: Mapping[str, str] = {
    "missing_customer": "look at which column is the customer; `rfm check` shows how they are read.",
    "missing_order": "look at which column is the order, or give --order-id none.",
    "invalid_date": "say how dates are written with --date-format, in codes such as %d, %m, %b and %Y,"
    " or which column they are in with --ordered-at.",
    "invalid_amount": "say how numbers are written, as in --decimal ',', or which column they are in.",
    "future_dated": "look at --as-of: lines after it, or after today, don't count.",
    "outside_window": "look at --window and --since: lines before them don't count.",
    "non_positive_quantity": "look at the sign of quantities: `rfm check` shows how columns are read.",
    "non_positive_price": "look at which column is the price; `rfm check` shows how they are read.",
    "non_positive_amount": _SIGN_OF_AMOUNTS,
    "no_positive_order": _SIGN_OF_AMOUNTS,
}

_BY_AUDIT: Mapping[str, str] = {
    "bins_collapsed": "ask for fewer bins with --bins",
    "dates_read": "correct the dates in the source, or say how they are written with --date-format",
    "amounts_read": "say how numbers are written, with --thousands ',' or --decimal ','",
    "duplicate_orders": "leave out files whose orders are all in another file, such as older full exports",
    "excluded_share": "look at the exclusions, and at what they show of how the source is read",
    "largest_customer": "look at whether that customer is one: a guest, a till, or a placeholder that is not"
    " known; name its id in `placeholders` of rfm.toml",
    "max_age": "look at why no newer orders arrive",
    "rows_dropped": "look at whether the source is complete",
    "customers_dropped": "look at whether the source is complete",
    "duplicate_load": "look for files or days that were loaded twice",
    "segment_shares": "look at what changed in the source",
}
