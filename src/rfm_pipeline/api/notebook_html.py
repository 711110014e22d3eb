"""HTML of a result for notebooks: one table that inherits the notebook's colours."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from rfm_pipeline.api.segment_summary import SegmentSummary
from rfm_pipeline.common import formatting
from rfm_pipeline.results.json_values import share
from rfm_pipeline.results.run_result import RunResult

_CELL = "padding:.25em .75em;border-bottom:1px solid rgba(127,127,127,.25)"
_NUMBER = f"{_CELL};text-align:right;font-variant-numeric:tabular-nums"
_BAR = "display:inline-block;height:.6em;border-radius:2px;background:#3b7ea1;vertical-align:middle"


def result_html(result: RunResult, segments: Sequence[SegmentSummary], headline: str) -> str:
    """Return a table of the segments with their customers, orders and revenue, as HTML without scripts.

    Args:
        result: The result.
        segments: One summary per segment, in the order of the table.
        headline: Totals of all customers, as text.
    """
    excluded = result.statistics.rows_read - result.statistics.rows_kept
    lines = f"{result.statistics.rows_read:,} lines read, {excluded:,} of them excluded"
    rows = "".join(_row(segment, result) for segment in segments)
    header_cells = "".join(
        f'<th scope="col" style="{_NUMBER if number else f"{_CELL};text-align:left"}">{name}</th>'
        for name, number in (
            ("Segment", 0),
            ("Customers", 1),
            ("", 0),
            ("Orders", 1),
            ("Revenue", 1),
            ("", 1),
        )
    )
    return (
        '<div style="font-family:system-ui,sans-serif;line-height:1.4">'
        f"<p><strong>{escape(headline)}</strong><br>as of {result.as_of}; {escape(result.source)},"
        f" {lines}</p>"
        '<table style="border-collapse:collapse;background:none">'
        f"<thead><tr>{header_cells}</tr></thead><tbody>{rows}</tbody></table>{_warnings(result)}</div>"
    )


def _row(segment: SegmentSummary, result: RunResult) -> str:
    width = 8 * (share(segment.customers, result.statistics.customers) or 0)
    of_customers = formatting.format_percent(segment.customers, result.statistics.customers)
    of_revenue = (
        formatting.format_percent(segment.revenue, result.statistics.revenue)
        if result.statistics.revenue > 0
        else ""
    )
    title = escape(" ".join(filter(None, (segment.description, segment.action))))
    return (
        f'<tr title="{title}"><th scope="row" style="{_CELL};text-align:left">{escape(segment.segment)}</th>'
        f'<td style="{_NUMBER}">{segment.customers:,}</td>'
        f'<td style="{_CELL};text-align:left"><span style="{_BAR};width:{width:.2f}em"></span>'
        f" {of_customers}</td>"
        f'<td style="{_NUMBER}">{segment.orders:,}</td>'
        f'<td style="{_NUMBER}">{formatting.format_amount(segment.revenue)}</td>'
        f'<td style="{_NUMBER}">{of_revenue}</td></tr>'
    )


def _warnings(result: RunResult) -> str:
    warnings = [audit.detail for audit in result.audits if audit.status == "warning"]
    return "".join(f"<p>⚠ {escape(detail)}</p>" for detail in warnings)
