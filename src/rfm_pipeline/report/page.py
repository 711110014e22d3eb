"""The page: one file of HTML with all in it, which asks nobody for anything.

The filter does not draw. The page carries what each segment's view looks like, drawn where all charts are
drawn (`charts.py` says why), and its script shows one of them. The script and the style are allowed by their
hashes alone, so that nothing that came with the data could run, even if it were not escaped. Where there are
more segments than there is room for, the smallest can't be chosen: `rfm report --segment` draws their charts.
"""

from __future__ import annotations

import base64
import hashlib
from importlib.resources import files
from string import Template

from rfm_pipeline.common import formatting
from rfm_pipeline.report.charts.svg import DARK, LIGHT, chart_css
from rfm_pipeline.report.data import ReportData
from rfm_pipeline.report.number_format import NumberFormatter, escaped
from rfm_pipeline.report.sections import run_facts, sections
from rfm_pipeline.report.segment_view import SegmentView

# A page that can be sent: below two megabytes with what stands around the views.
_MOST_BYTES = 1_800_000


def page(figures: ReportData, says: NumberFormatter) -> str:
    """The report as HTML.

    Args:
        figures: What it tells.
        says: How figures are written.
    """
    whole = SegmentView(figures)
    style, script = _style(), _file("page.js")
    shown = "".join(sections(whole, says))
    views = _views(figures, says, _MOST_BYTES - len(shown.encode()))
    names = [segment.name for segment in figures.segments]
    options = "".join(_option(at, name, is_drawn=name in views) for at, name in enumerate(names))
    templates = "".join(
        f'<template data-view="{at}" data-name="{escaped(name)}"'
        f' data-told="{escaped(formatting.format_count(SegmentView(figures, name).sum.customers, "customer"))}">'
        f"{views[name]}</template>"
        for at, name in enumerate(names)
        if name in views
    )
    return Template(_file("page.html")).substitute(
        title=f"Customer segments as of {figures.as_of}",
        policy=f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)};"
        " base-uri 'none'; form-action 'none'",
        style=style,
        script=script,
        as_of=str(figures.as_of),
        customers=says.count(whole.sum.customers).html,
        revenue=says.money(whole.sum.revenue).html,
        source=escaped(figures.run.source or figures.label),
        told=escaped(formatting.format_count(whole.sum.customers, "customer")),
        locale=escaped(says.settings.locale or ""),
        currency=escaped(says.settings.currency or ""),
        options=options,
        view=shown,
        templates=templates,
        run=run_facts(whole, says),
        run_id=escaped(figures.run.run_id),
    )


def _views(figures: ReportData, says: NumberFormatter, room: int) -> dict[str, str]:
    """What the page shows for each segment; of many, for those with most customers that there is room for."""
    drawn: dict[str, str] = {}
    largest = sorted(
        (segment.name for segment in figures.segments),
        key=lambda name: SegmentView(figures, name).sum.customers,
        reverse=True,
    )
    for name in largest:
        view = "".join(sections(SegmentView(figures, name), says))
        room -= len(view.encode())
        if room < 0:
            break
        drawn[name] = view
    return drawn


def _option(place: int, name: str, *, is_drawn: bool) -> str:
    if is_drawn:
        return f'<option value="{place}">{escaped(name)}</option>'
    return f'<option value="{place}" disabled>{escaped(name)} (left out of this page)</option>'


def _style() -> str:
    light = "".join(f"--{name}:{colour};" for name, colour in LIGHT.items())
    dark = "".join(f"--{name}:{colour};" for name, colour in DARK.items())
    return Template(_file("page.css")).substitute(light=light, dark=dark, charts=chart_css("var(--{})"))


def _file(name: str) -> str:
    return files("rfm_pipeline.report").joinpath(name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
