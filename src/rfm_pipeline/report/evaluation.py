"""The section of the report with an evaluation: what customers scored in the past bought afterwards.

An evaluation reads the source, and a report does not: the section is made of the file that
`rfm evaluate SOURCE --json` printed. Its text is not trusted.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path

import msgspec
from msgspec import Struct

from rfm_pipeline.common.formatting import lower_first
from rfm_pipeline.errors import UsageError
from rfm_pipeline.report.number_format import FormattedNumber, NumberFormatter, escape_html
from rfm_pipeline.report.tables import DASH, TableCell, html_table

_Interval = tuple[float, float]
_HINT = "`rfm evaluate SOURCE --json > evaluation.json` writes one."
_AUC = (
    "AUC: the share of pairs of a customer who bought again and one who did not, in which the first has the"
    " higher score; 0.5 is chance. ± is a 95\u00a0% interval."
)
_SCORES = {
    "map": "Segments",
    "rfm_sum": "r + f + m",
    "recency": "r",
    "frequency": "f",
    "monetary": "m",
    "bg_nbd": "BG/NBD",
}


class EvaluatedSegment(Struct, frozen=True):
    """What the customers of a segment bought; the names are those of the file."""

    segment: str
    customers: int
    bought_again_share: float | None
    bought_again_interval: _Interval | None
    lift: float | None
    orders_per_customer: float | None
    revenue: Decimal
    revenue_per_customer: float | None
    revenue_per_customer_interval: _Interval | None
    revenue_share: float | None


class ScoreArea(Struct, frozen=True):
    """How well a score separates those who bought again; the names are those of the file."""

    auc: float
    auc_interval: _Interval | None


class ScoreStatistics(Struct, frozen=True):
    """The AUC of each score."""

    auc: dict[str, ScoreArea | None]


class EvaluatedDate(Struct, frozen=True):
    """The evaluation of a configuration on a date; the names are those of the file."""

    as_of: date
    until: date
    horizon_days: int
    configuration: str
    customers: int
    bought_again: int
    segments: tuple[EvaluatedSegment, ...]
    statistics: ScoreStatistics


class StableSegment(Struct, frozen=True):
    """The shares of a segment's customers who keep it; the names are those of the file."""

    segment: str
    stay_resampled: float | None
    stay_day_earlier: float | None
    stay_day_later: float | None


class StableDate(Struct, frozen=True):
    """The stability of a configuration; the names are those of the file."""

    as_of: date
    configuration: str
    segments: tuple[StableSegment, ...]


class EvaluationFile(Struct, frozen=True):
    """What the report shows of an evaluation; the names are those of the file."""

    source: str
    evaluations: tuple[EvaluatedDate, ...]
    conclusions: tuple[str, ...]
    notes: tuple[str, ...]
    stability: tuple[StableDate, ...] = ()


def read_evaluation(path: Path) -> EvaluationFile:
    """Read the file that `rfm evaluate --json` printed.

    Raises:
        UsageError: If it can't be read, or is something else.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        reason = lower_first(error.strerror or str(error))
        raise UsageError(f"The evaluation {path} can't be read: {reason}.", _HINT) from None
    try:
        evaluation = msgspec.json.decode(content, type=EvaluationFile)
    except msgspec.MsgspecError:
        raise UsageError(f"{path} is not an evaluation.", _HINT) from None
    if not evaluation.evaluations:
        raise UsageError(f"{path} is an evaluation without a date.", _HINT)
    return evaluation


def evaluation_section(evaluation: EvaluationFile | None, formatter: NumberFormatter) -> str:
    """Return the section; empty without an evaluation."""
    if evaluation is None:
        return ""
    first = [
        one for one in evaluation.evaluations if one.configuration == evaluation.evaluations[0].configuration
    ]
    newest = first[-1]
    stable = [
        one
        for one in evaluation.stability
        if (one.as_of, one.configuration) == (newest.as_of, newest.configuration)
    ]
    sentences = "".join(f"<p>{escape_html(one)}</p>" for one in evaluation.conclusions)
    notes = "".join(f"<li>{escape_html(one)}</li>" for one in evaluation.notes)
    return (
        '<h2 id="evaluation">What segments are worth</h2>'
        f'<p class="summary">{_summary(evaluation, newest, formatter)}</p><div class="cards">'
        f'<section class="card wide"><h3>Bought again</h3>{_segments(newest, formatter)}</section>'
        f'<section class="card wide"><h3>How well scores separate</h3>{_areas(first)}'
        f'<p class="summary">{_AUC}</p>{sentences}'
        f"<details><summary>Notes</summary><ul>{notes}</ul></details></section>"
        f"{''.join(map(_stability, stable))}</div>"
    )


def _summary(evaluation: EvaluationFile, newest: EvaluatedDate, formatter: NumberFormatter) -> str:
    """Return what was evaluated, as HTML."""
    customers, bought = formatter.count(newest.customers).html, formatter.count(newest.bought_again).html
    return (
        f"{escape_html(newest.configuration)}: of {customers} customers scored as of {newest.as_of}, {bought}"
        f" bought again in the {newest.horizon_days} days up to {newest.until}. From"
        f" {escape_html(evaluation.source)}, by <code>rfm evaluate</code>; the filter does not apply."
    )


def _segments(one: EvaluatedDate, formatter: NumberFormatter) -> str:
    headings = (
        "Segment", "Customers", "Bought again", "95\u00a0%", "Lift", "Orders each", "Revenue each",
        "95\u00a0%", "of revenue",
    )  # fmt: skip
    rows: list[list[TableCell]] = [
        [
            segment.segment,
            formatter.count(segment.customers),
            _percent(segment.bought_again_share),
            _percents(segment.bought_again_interval),
            _number(segment.lift),
            _number(segment.orders_per_customer),
            _number(segment.revenue_per_customer),
            DASH
            if segment.revenue_per_customer_interval is None
            else FormattedNumber("{:,.2f}–{:,.2f}".format(*segment.revenue_per_customer_interval)),
            _percent(segment.revenue_share),
        ]
        for segment in one.segments
    ]
    return html_table(f"Bought again by segment, as of {one.as_of}", headings, rows)


def _areas(dates: Sequence[EvaluatedDate]) -> str:
    rows: list[list[TableCell]] = [
        [label, *(_area(one.statistics.auc.get(score)) for one in dates)]
        for score, label in _SCORES.items()
        if any(one.statistics.auc.get(score) for one in dates)
    ]
    return html_table("AUC by date", ["Score", *(str(one.as_of) for one in dates)], rows)


def _area(area: ScoreArea | None) -> FormattedNumber:
    if area is None:
        return DASH
    interval = area.auc_interval
    half = "" if interval is None else f" ±{(interval[1] - interval[0]) / 2:.3f}"
    return FormattedNumber(f"{area.auc:.3f}{half}")


def _stability(one: StableDate) -> str:
    rows: list[list[TableCell]] = [
        [
            segment.segment,
            _percent(segment.stay_resampled),
            _percent(segment.stay_day_earlier),
            _percent(segment.stay_day_later),
        ]
        for segment in one.segments
    ]
    caption = f"Share of customers who keep their segment, as of {one.as_of}"
    table = html_table(caption, ("Segment", "Resampled", "Day earlier", "Day later"), rows)
    return f'<section class="card wide"><h3>Keep their segment</h3>{table}</section>'


def _number(value: float | None) -> FormattedNumber:
    return DASH if value is None else FormattedNumber(f"{value:,.2f}")


def _percent(share: float | None) -> FormattedNumber:
    return DASH if share is None else FormattedNumber(f"{100 * share:.1f}\u00a0%")


def _percents(interval: _Interval | None) -> FormattedNumber:
    return DASH if interval is None else FormattedNumber("{:.1f}–{:.1f}".format(*(100 * x for x in interval)))
