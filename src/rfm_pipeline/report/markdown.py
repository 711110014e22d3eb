"""The report in short as Markdown: sentences, what to do this week, and segments; it names no customer."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from rfm_pipeline.common.customer_mask import mask_addresses
from rfm_pipeline.common.untrusted_text import replace_unprintable
from rfm_pipeline.report.data import ReportData
from rfm_pipeline.report.first_screen import dates_line
from rfm_pipeline.report.number_format import FormattedNumber, NumberFormatter
from rfm_pipeline.report.segment_view import SegmentView
from rfm_pipeline.report.summary import summary_sentences
from rfm_pipeline.report.weekly_moves import weekly_moves

_SPECIAL = re.compile(r"([\\`*_\[\]<>#|~&])")
_LEADING = re.compile(r"^([+\-=]|\d+[.)])")


def render_markdown(data: ReportData, formatter: NumberFormatter) -> str:
    """Return the report as Markdown with tables, as GitHub and most chats show it.

    Args:
        data: Data of the report.
        formatter: Formatter of its numbers; the locale has no effect.
    """
    return "\n\n".join(_blocks(data, formatter)) + "\n"


def escape_markdown(text: str) -> str:
    r"""Return text on one line that Markdown shows as it is.

    >>> escape_markdown("Top *10* | <b>")
    'Top \\*10\\* \\| \\<b\\>'
    """
    line = " ".join(replace_unprintable(mask_addresses(text), "\u00a0").split(" "))
    return _LEADING.sub(r"\\\1", _SPECIAL.sub(r"\\\1", line))


def _blocks(data: ReportData, formatter: NumberFormatter) -> Iterator[str]:
    settings, view = formatter.settings, SegmentView(data)
    shop = f"{settings.shop}: " if settings.shop else ""
    yield f"# {escape_markdown(f'{shop}{settings.title}')}"
    yield escape_markdown(dates_line(view) + ".")
    yield "\n".join(f"- {escape_markdown(sentence.text)}" for sentence in summary_sentences(data, formatter))
    yield "## What to do this week"
    moves = weekly_moves(data)
    if not moves:
        yield "No customer is due."
    for number, move in enumerate(moves, start=1):
        worth = f"{formatter.whole(move.revenue).text}, {formatter.count(move.customers).text} customers"
        advice = escape_markdown(move.advice(data, formatter).text)
        yield f"**{number}. {escape_markdown(f'{move.title}: {worth}')}.** {advice}"
        if data.to is not None:
            # Four blanks begin code, in which no character has a meaning.
            yield f"    {replace_unprintable(move.command(data.to))}"
    yield "## Segments"
    yield _segments_table(view, formatter)


def _segments_table(view: SegmentView, formatter: NumberFormatter) -> str:
    data = view.data
    rows: list[Sequence[str]] = [
        ("Segment", "Customers", "of all", "Revenue", "of all", "At risk"),
        ("---", *["---:"] * 5),
    ]
    totals = [view.totals_by_segment[segment.name] for segment in view.segments]
    revenues = formatter.column([group.revenue for group in totals])
    at_risk = formatter.column([group.revenue_at_risk for group in totals])
    for segment, group, revenue, risk in zip(view.segments, totals, revenues, at_risk, strict=True):
        numbers: tuple[FormattedNumber, ...] = (
            formatter.count(group.customers),
            formatter.share(group.customers, data.customers),
            revenue,
            formatter.share(group.revenue, data.revenue),
            risk,
        )
        rows.append((escape_markdown(segment.name), *(number.text for number in numbers)))
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)
