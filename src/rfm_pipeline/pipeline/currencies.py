"""Currencies that the scan finds beyond the sample: a run that would add them up fails."""

from __future__ import annotations

from decimal import Decimal

from rfm_pipeline.common.formatting import format_amount, format_count
from rfm_pipeline.config.reading import Reading
from rfm_pipeline.config.sale_rules import UNEXPECTED_CURRENCY
from rfm_pipeline.pipeline.run_statistics import LineCounts
from rfm_pipeline.source.profile.currency import missing_rates, several_currencies

_SHOWN = 6


def refuse_unexpected_currencies(counts: LineCounts, reading: Reading) -> None:
    """Raise if lines were found in a currency that the first lines of the source do not have.

    Args:
        counts: Counts of the lines that were read.
        reading: How the source is read.

    Raises:
        ColumnError: If there are such lines; the error shows the total of each currency.
    """
    found = {
        reason.reason.removeprefix(UNEXPECTED_CURRENCY): reason
        for reason in counts.excluded
        if reason.reason.startswith(UNEXPECTED_CURRENCY)
    }
    rule = reading.sales.currency
    if not found or rule is None:
        return
    shown = ", ".join(
        f"{code} {format_amount(reason.amount or Decimal(0))} ({format_count(reason.lines, 'line')})"
        for code, reason in list(found.items())[:_SHOWN]
    )
    if any(currency.rate is not None for currency in rule.currencies):
        raise missing_rates(rule.column, list(found), shown)
    expected = [currency.code for currency in rule.currencies[:1]]
    name = expected[0] if expected else "no currency"
    counted = f"{name} {format_amount(counts.amount)} ({format_count(counts.kept, 'line')})"
    raise several_currencies(rule.column, [*expected, *found], f"{counted}, {shown}")
