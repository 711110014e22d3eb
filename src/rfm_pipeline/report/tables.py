"""HTML of tables and of the cards that contain a chart."""

from __future__ import annotations

from collections.abc import Sequence

from rfm_pipeline.report.charts.svg import SvgChart
from rfm_pipeline.report.number_format import FormattedNumber, Phrase, escape_html

TableCell = str | FormattedNumber | Phrase
"""Content of a table cell: text, which is escaped, or a number, which is aligned right."""
_NARROW, _PRINTED_ROWS = 3, 12
DASH = FormattedNumber("–")


def html_table(
    caption: str, headings: Sequence[str], rows: Sequence[Sequence[TableCell]], css_class: str = ""
) -> str:
    """Return a table in a box that scrolls; the first cell of each row is its row heading.

    Args:
        caption: Caption, also read by screen readers without the section's heading.
        headings: Column headings.
        rows: Cells by row; the first row decides which columns are numbers.
        css_class: Class of the table.
    """
    first = rows[0] if rows else ()
    if len(headings) > _NARROW:
        # On a phone, each cell is a line of its own.
        css_class = f"{css_class} many".strip()
    if len(rows) > _PRINTED_ROWS:
        css_class = f"{css_class} long".strip()
    number_columns = {index for index, cell in enumerate(first) if isinstance(cell, FormattedNumber)}
    columns = "".join(
        f'<th scope="col"{" class=n" if index in number_columns else ""}>{escape_html(heading)}</th>'
        for index, heading in enumerate(headings)
    )
    body = "".join(f"<tr>{''.join(_cell(i, cell) for i, cell in enumerate(row))}</tr>" for row in rows)
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{escape_html(caption)}">'
        f'<table class="{css_class}"><caption>{escape_html(caption)}</caption>'
        f"<thead><tr>{columns}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _cell(column: int, cell: TableCell) -> str:
    inner = escape_html(cell) if isinstance(cell, str) else cell.html
    if column == 0:
        return f'<th scope="row">{inner}</th>'
    if isinstance(cell, FormattedNumber):
        return f'<td class="n"{cell.attributes}>{escape_html(cell.text)}</td>'
    return f"<td>{inner}</td>"


def chart_card(chart: SvgChart, table: str, *, layout: str = "", beside: str = "") -> str:
    """Return a card with a chart, its summary, and its data as a table.

    Args:
        chart: The chart.
        table: HTML of a table that is collapsed at first; empty if `beside` contains it.
        layout: Class of the card: `wide`, `tall`, or empty.
        beside: HTML beside the chart.
    """
    title = escape_html(chart.title)
    summary = f'Data table<span class="unseen"> of: {title}</span>'
    details = f"<details><summary>{summary}</summary>{table}</details>" if table else ""
    inner = f"{chart.inline()}<div>{beside}</div>" if beside else chart.inline()
    return (
        f'<section class="card {layout}" data-part="{chart.name}"><h3>{title}</h3>'
        f'<p class="summary">{chart.summary.html}</p>'
        f'<div class="parts">{inner}</div>{details}</section>'
    )
