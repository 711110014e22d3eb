"""Checks of the staged result. A failed one publishes nothing; a warning is told and published."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from rfm_pipeline.result import Audit, DimensionScores, Drift, Excluded, money
from rfm_pipeline.words import count


@dataclass(frozen=True, slots=True)
class Staged:
    """What was counted, along two ways wherever there are two.

    Attributes:
        rows_declared: Rows by the source's own metadata; None where it doesn't say.
        rows_read, rows_kept, amount_kept: Counted where lines are cleaned.
        customers_kept: Customers among the kept lines.
        rows, customers, monetary: Counted in the staged segments.
        without_segment, out_of_range: Staged customers with no segment, or a score outside its bins.
        source: What a person calls it.
        drift: Where customers are scored by frozen edges, how far these are from those of today.
    """

    rows_declared: int | None
    rows_read: int
    rows_kept: int
    amount_kept: Decimal
    excluded: tuple[Excluded, ...]
    customers_kept: int
    rows: int
    customers: int
    monetary: Decimal
    without_segment: int
    out_of_range: int
    dimensions: tuple[DimensionScores, ...]
    source: str = "The source"
    drift: Drift | None = None


def audit(staged: Staged) -> tuple[Audit, ...]:
    """Runs every audit, in order; the later ones say nothing where the source was empty."""
    return tuple(check(staged) for check in AUDITS)


def source_not_empty(staged: Staged) -> Audit:
    """There is a line, and at least one was kept."""
    name = "source_not_empty"
    if staged.rows_read == 0:
        return Audit(name, "failed", f"{staged.source} has no lines.")
    if staged.rows_kept == 0:
        first = max(staged.excluded, key=lambda excluded: excluded.lines)
        lines = "The one line was" if staged.rows_read == 1 else f"All {staged.rows_read:,} lines were"
        example = f", such as '{first.example}'" if first.example else ""
        return Audit(name, "failed", f"{lines} excluded, {first.lines:,} as {first.reason}{example}.")
    return Audit(name, "passed", f"{staged.rows_kept:,} of {staged.rows_read:,} lines were kept.")


def reconciliation(staged: Staged) -> Audit:
    """Every row read is kept or excluded, and the customers' money is the kept lines' money."""
    name = "reconciliation"
    excluded = sum(reason.lines for reason in staged.excluded)
    if staged.rows_declared is not None and staged.rows_declared != staged.rows_read:
        detail = f"The source has {staged.rows_declared:,} rows and {staged.rows_read:,} were read."
        return Audit(name, "failed", detail)
    if staged.rows_read != staged.rows_kept + excluded:
        detail = f"{staged.rows_read:,} rows were read, {staged.rows_kept:,} kept and {excluded:,} excluded."
        return Audit(name, "failed", detail)
    if staged.amount_kept != staged.monetary:
        detail = f"Kept lines amount to {money(staged.amount_kept)}, customers to {money(staged.monetary)}."
        return Audit(name, "failed", detail)
    return Audit(
        name, "passed", f"{staged.rows_read:,} rows = {staged.rows_kept:,} kept + {excluded:,} excluded."
    )


def customers_unique(staged: Staged) -> Audit:
    """One row a customer, and none lost on the way."""
    name = "customers_unique"
    if staged.rows == staged.customers == staged.customers_kept:
        return Audit(name, "passed", f"{staged.customers:,} customers, one row each.")
    customers = f"{staged.customers:,} customers, of {staged.customers_kept:,} with kept lines"
    detail = f"{staged.rows:,} rows for {customers}."
    return Audit(name, "failed", detail)


def scores_in_range(staged: Staged) -> Audit:
    """Each score lies from 1 to its bins."""
    if staged.out_of_range:
        detail = f"{staged.out_of_range:,} customers have a score outside the bins."
        return Audit("scores_in_range", "failed", detail)
    return Audit("scores_in_range", "passed", "Every score is from 1 to its number of bins.")


def segments_total(staged: Staged) -> Audit:
    """Each customer is in a segment."""
    if staged.without_segment:
        return Audit("segments_total", "failed", f"{staged.without_segment:,} customers have no segment.")
    return Audit("segments_total", "passed", "Every customer is in exactly one segment.")


def bins_collapsed(staged: Staged) -> Audit:
    """Heavy ties leave a score without customers: true to the data, and worth knowing."""
    collapsed = [scores for scores in staged.dimensions if scores.collapsed]
    if not collapsed or not staged.customers:
        return Audit("bins_collapsed", "passed", "Every score of every dimension has customers.")
    told = "; ".join(
        f"no customer has a {scores.name} score of {' or '.join(map(str, scores.collapsed))}"
        for scores in collapsed
    )
    frozen = all(scores.edges_from for scores in collapsed)
    why = "edges are those of an earlier run" if frozen else "equal values get equal scores"
    return Audit("bins_collapsed", "warning", f"{told[0].upper()}{told[1:]}: {why}.")


def amounts_read(staged: Staged) -> Audit:
    """Lines with a number like 1,234 are left out: it may be a thousand and more, or one and a fraction."""
    name = "amounts_read"
    for excluded in staged.excluded:
        if excluded.reason == "invalid_amount" and _TWO_READINGS.fullmatch(excluded.example or ""):
            left_out = f"{count(excluded.lines, 'line')} left out as {excluded.reason}"
            return Audit(name, "warning", f"{left_out}: {_two_readings(excluded.example)}.")
    return Audit(name, "passed", "No number was left out because it can be read in two ways.")


def advice(staged: Staged) -> str:
    """What to do where an audit failed."""
    if staged.rows_read and not staged.rows_kept:
        first = max(staged.excluded, key=lambda excluded: excluded.lines)
        if first.reason == "invalid_amount" and (known := _advice_on_number((first.example or "").strip())):
            return known
        if first.reason == "invalid_date" and _is_iso_date((first.example or "").strip()):
            return (
                f"'{first.example}' is in ISO form, and other formats were given: give several, with iso"
                " among them, as in --date-format iso --date-format '%d/%m/%Y'."
            )
        return _ADVICE.get(first.reason, f"look at the exclusion `{first.reason}`.")
    if not staged.rows_read:
        return "look at how it was exported: there is nothing below the names of its columns."
    return "`rfm --debug` shows more; this should not happen, so please report it."


def _is_iso_date(written: str) -> bool:
    try:
        return bool(datetime.fromisoformat(written)) and written[4:5] == "-"
    except ValueError:
        return False


_TWO_READINGS = re.compile(r"\s*[+-]?[0-9]{1,3},[0-9]{3}\s*")
_WITH_POINT = re.compile(r"[+-]?([0-9]+|[0-9]{1,3}(,[0-9]{3})+)\.[0-9]+|[+-]?[0-9]{1,3}(,[0-9]{3}){2,}")
_WITH_COMMA = re.compile(r"[+-]?([0-9]+|[0-9]{1,3}(\.[0-9]{3})+),[0-9]*|[+-]?[0-9]{1,3}(\.[0-9]{3}){2,}")


def _advice_on_number(written: str) -> str | None:
    """What to do where no amount could be read, by one of them; None where it says nothing."""
    if _TWO_READINGS.fullmatch(written):
        return f"{_two_readings(written)}."
    # What is read by default is unread where something else was said.
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


def _two_readings(written: str | None) -> str:
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


AUDITS: tuple[Callable[[Staged], Audit], ...] = (
    source_not_empty,
    reconciliation,
    customers_unique,
    scores_in_range,
    segments_total,
    bins_collapsed,
    amounts_read,
)
