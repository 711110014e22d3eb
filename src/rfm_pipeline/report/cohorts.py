"""HTML of the cohort view: customers by the period of their first order, and what they bought since."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from itertools import groupby

from rfm_pipeline.report.charts.svg import LOW_TINTS, TINTS
from rfm_pipeline.report.number_format import NumberFormatter, escape_html
from rfm_pipeline.report.periods import CohortPeriod, Periods

_FULL_TINT = 0.6
"""A share from which cells have the strongest colour."""


def cohorts_card(periods: Periods, formatter: NumberFormatter) -> str:
    """Return the card of the cohorts: share that bought again, and revenue, by period."""
    if not periods.cohorts:
        backfill = "<code>rfm backfill SOURCE --from DATE --until DATE --every month</code>"
        reason = f"Cohorts need several results: {backfill} fills the history."
        if periods.has_window:
            reason = (
                "With a time window, the date of a customer's first order is unknown: there are no cohorts. "
                f"A destination of its own without a window has them: {backfill} with <code>--to</code>."
            )
        return f'<section class="card"><h3>Cohorts</h3><p>{reason}</p></section>'
    unit = "month" if periods.is_monthly else "period"
    dates = [period.as_of for period in periods.periods]
    columns = "".join(f'<th scope="col" class="n">{age}</th>' for age in range(1, len(dates)))
    rows = "".join(
        _row(cohort, list(cells), dates, formatter)
        for cohort, cells in groupby(periods.cohorts, key=lambda cell: cell.cohort)
    )
    caption = f"Share of each cohort that bought again, and its revenue, by {unit} after the first order"
    note = (
        f"A row is the customers whose first order is in the {unit} that ends on the date; the first row has"
        f" all before. A {unit} ends on the date of the last result in it."
    )
    heads = f'<th scope="col">First order until</th><th scope="col" class="n">Customers</th>{columns}'
    return (
        f'<section class="card wide"><h3>Cohorts</h3><p class="summary">{note}'
        ' <span class="swipe">The table scrolls sideways.</span></p>'
        f'<div class="scroll" tabindex="0" role="region" aria-label="{caption}"><table class="cohorts fixed">'
        f"<caption>{caption}</caption><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div></section>"
    )


def _row(
    cohort: date, cells: Sequence[CohortPeriod], dates: Sequence[date], formatter: NumberFormatter
) -> str:
    ages = {dates.index(cell.as_of) - dates.index(cohort): cell for cell in cells}
    size = max(cells, key=lambda cell: cell.as_of).customers
    shown = "".join(
        _cell(ages[age], formatter) if age in ages else "<td></td>" for age in range(1, len(dates))
    )
    return (
        f'<tr><th scope="row">{escape_html(str(cohort))}</th>'
        f'<td class="n">{formatter.count(size).html}</td>{shown}</tr>'
    )


def _cell(cell: CohortPeriod, formatter: NumberFormatter) -> str:
    share = cell.bought / cell.known if cell.known else 0.0
    tint = min(TINTS - 1, int(share / _FULL_TINT * TINTS))
    ink = "low" if tint < LOW_TINTS else "high"
    return (
        f'<td class="n c{tint} on-{ink}"><b>{formatter.share(cell.bought, cell.known).html}</b>'
        f"<br>{formatter.short(cell.revenue).html}</td>"
    )
