"""The report as one self-contained HTML file that loads nothing from the network.

The filter does not draw anything: the page contains a ready-made view of each segment, and the script shows
one of them (`charts/segments.py` explains why). The content security policy allows only the page's own script
and style, by their hashes, so that nothing from the data could run even if it were not escaped. If the
views of all segments exceed the size limit, the smallest segments can't be selected; `rfm report --segment`
draws their charts.
"""

from __future__ import annotations

import base64
import hashlib
from importlib.resources import files
from string import Template

from rfm_pipeline.common import formatting
from rfm_pipeline.report.charts.svg import DARK, LIGHT, chart_css
from rfm_pipeline.report.cohorts import cohorts_card
from rfm_pipeline.report.data import ReportData
from rfm_pipeline.report.evaluation import EvaluationFile, evaluation_section
from rfm_pipeline.report.first_screen import dates_line, edited_dates_line
from rfm_pipeline.report.number_format import NumberFormatter, escape_html
from rfm_pipeline.report.run_facts import run_facts
from rfm_pipeline.report.sections import sections
from rfm_pipeline.report.segment_view import SegmentView

# Keeps the whole page below two megabytes, so that it can be sent.
_VIEWS_BYTE_LIMIT = 1_920_000


def render_page(
    data: ReportData, formatter: NumberFormatter, evaluation: EvaluationFile | None = None
) -> str:
    """Return the report as an HTML document.

    Args:
        data: Data of the report.
        formatter: Formatter of its numbers.
        evaluation: The evaluation to show; None for no such section.
    """
    whole, settings = SegmentView(data), formatter.settings
    shop = f"{settings.shop}: " if settings.shop else ""
    style, script = _style(), _file("page.js")
    whole_html = "".join(sections(whole, formatter))
    views = _segment_views(data, formatter, _VIEWS_BYTE_LIMIT - len(whole_html.encode()))
    names = [segment.name for segment in data.segments]
    options = "".join(_option(index, name, is_drawn=name in views) for index, name in enumerate(names))
    templates = "".join(
        f'<template data-view="{index}" data-name="{escape_html(name)}"'
        f' data-summary="{_customer_count(SegmentView(data, name))}">{views[name]}</template>'
        for index, name in enumerate(names)
        if name in views
    )
    return Template(_file("page.html")).substitute(
        title=escape_html(f"{shop}{settings.title} as of {data.as_of}"),
        shop=escape_html(settings.shop or "Recency, frequency, monetary"),
        heading=escape_html(settings.title),
        dates=dates_line(whole),
        edited=edited_dates_line(whole),
        policy=f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)};"
        " base-uri 'none'; form-action 'none'",
        style=style,
        script=script,
        source=escape_html(data.run.source or data.label),
        summary=_customer_count(whole),
        locale=escape_html(settings.locale or ""),
        currency=escape_html(settings.currency or ""),
        options=options,
        view=whole_html,
        templates=templates,
        evaluation=evaluation_section(evaluation, formatter),
        cohorts=cohorts_card(data.periods, formatter),
        run=run_facts(whole, formatter),
        run_id=escape_html(data.run.run_id),
    )


def _customer_count(view: SegmentView) -> str:
    return escape_html(formatting.format_count(view.totals.customers, "customer"))


def _segment_views(data: ReportData, formatter: NumberFormatter, byte_limit: int) -> dict[str, str]:
    """Return the HTML of segment views by name, the largest segments first, up to `byte_limit` in total."""
    views: dict[str, str] = {}
    by_size = sorted(
        (segment.name for segment in data.segments),
        key=lambda name: SegmentView(data, name).totals.customers,
        reverse=True,
    )
    for name in by_size:
        view = "".join(sections(SegmentView(data, name), formatter))
        byte_limit -= len(view.encode())
        if byte_limit < 0:
            break
        views[name] = view
    return views


def _option(index: int, name: str, *, is_drawn: bool) -> str:
    if is_drawn:
        return f'<option value="{index}">{escape_html(name)}</option>'
    return f'<option value="{index}" disabled>{escape_html(name)} (left out of this page)</option>'


def _style() -> str:
    light = "".join(f"--{name}:{colour};" for name, colour in LIGHT.items())
    dark = "".join(f"--{name}:{colour};" for name, colour in DARK.items())
    return Template(_file("page.css")).substitute(light=light, dark=dark, charts=chart_css("var(--{})"))


def _file(name: str) -> str:
    return files("rfm_pipeline.report").joinpath(name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
