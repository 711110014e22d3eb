"""Writing the report or a chart to a file: checked early, atomic, and private if it lists customers."""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from rfm_pipeline.common.atomic_file import AtomicFile
from rfm_pipeline.common.formatting import lower_first
from rfm_pipeline.common.installation import extra_hint
from rfm_pipeline.config.base import refuse_address
from rfm_pipeline.config.report import ReportSettings
from rfm_pipeline.errors import ConfigurationError, UsageError, WarehouseError
from rfm_pipeline.report.charts import segments as charts
from rfm_pipeline.report.charts.distribution import distribution_chart
from rfm_pipeline.report.charts.movements import movements_chart
from rfm_pipeline.report.charts.svg import SvgChart
from rfm_pipeline.report.charts.treemap import treemap_chart
from rfm_pipeline.report.charts.trend import trend_chart
from rfm_pipeline.report.data import ReportData, ReportSource, collect_report_data
from rfm_pipeline.report.evaluation import EvaluationFile
from rfm_pipeline.report.markdown import render_markdown
from rfm_pipeline.report.number_format import NumberFormatter
from rfm_pipeline.report.page import render_page
from rfm_pipeline.report.segment_view import SegmentView

CHARTS: dict[str, Callable[[SegmentView, NumberFormatter], SvgChart]] = {
    "segments": charts.segments_chart,
    "treemap": treemap_chart,
    "grid": charts.grid_chart,
    "movements": movements_chart,
    "trend": trend_chart,
    "recency": lambda view, formatter: distribution_chart(view, "recency", formatter),
    "frequency": lambda view, formatter: distribution_chart(view, "frequency", formatter),
    "monetary": lambda view, formatter: distribution_chart(view, "monetary", formatter),
    "concentration": charts.concentration_chart,
}
"""Functions that draw the charts of a report, by the charts' names."""
PAGE_SUFFIXES = (".html", ".htm")
MARKDOWN_SUFFIXES = (".md",)


def check_report_path(path: Path, suffixes: tuple[str, ...] = PAGE_SUFFIXES) -> None:
    """Raise early if a report or chart can't be written to `path`.

    Raises:
        ConfigurationError: If it is an address, ends in another suffix, or there is no such folder.
        UsageError: If the file is a PNG and vl-convert is not installed.
        WarehouseError: If there is no permission to write into the folder.
    """
    refuse_address("report", path)
    if path.suffix.casefold() not in suffixes:
        raise ConfigurationError(
            f"{path} does not end in {suffixes[0]}.", f"name it like report{suffixes[0]}."
        )
    folder = path.absolute().parent
    if path.is_dir() or not folder.is_dir():
        problem = "is a folder" if path.is_dir() else "is in a folder that does not exist"
        raise ConfigurationError(f"The report {path} {problem}.", "name a file in an existing folder.")
    if not os.access(folder, os.W_OK):
        raise WarehouseError(
            f"There is no permission to write into the folder {folder.resolve()}.",
            "check the folder's owner and mode.",
        )
    if path.suffix.casefold() == ".png":
        _import_vl_convert()


def write_markdown(source: ReportSource, settings: ReportSettings, path: Path) -> ReportData:
    """Write the report of a result in short, as Markdown, which lists no customer.

    Args:
        source: The result.
        settings: Shop, title and currency.
        path: File to write; an existing one is replaced.

    Returns:
        The data of the report.

    Raises:
        RfmError: If the result can't be read or the file can't be written; an existing file is unchanged.
    """
    data = collect_report_data(source, top_customers=0)
    write_atomically(path, render_markdown(data, NumberFormatter(settings)).encode(), is_private=False)
    return data


def write_report(
    source: ReportSource, settings: ReportSettings, path: Path, evaluation: EvaluationFile | None = None
) -> ReportData:
    """Write the report of a result as an HTML page.

    Args:
        source: The result.
        settings: Currency, locale, and the number of customers to list by id.
        path: File to write; an existing one is replaced.
        evaluation: The evaluation to show; None for no such section.

    Returns:
        The data of the page.

    Raises:
        RfmError: If the result can't be read or the file can't be written; an existing file is unchanged.
    """
    data = collect_report_data(source, settings.top_customers)
    html = render_page(data, NumberFormatter(settings), evaluation)
    write_atomically(path, html.encode(), is_private=bool(data.top_customers))
    return data


def render_chart(data: ReportData, settings: ReportSettings, chart: str, segment: str | None) -> str:
    """Return a chart as the text of an SVG file.

    Args:
        data: Data of the report.
        settings: Currency of the amounts.
        chart: Name of the chart, one of `CHARTS`.
        segment: Name of the segment to draw; None for all customers.
    """
    view = SegmentView(data, segment)
    subtitle = f"{view.title}, as of {data.as_of}"
    return CHARTS[chart](view, NumberFormatter(settings)).standalone(subtitle)


def svg_to_png(svg: str) -> bytes:
    """Convert the text of an SVG file to a PNG file.

    Raises:
        UsageError: If vl-convert is not installed.
    """
    content = _import_vl_convert().svg_to_png(svg, scale=1.5)
    assert isinstance(content, bytes)
    return content


def write_atomically(path: Path, content: bytes, *, is_private: bool) -> None:
    """Write a file in one step: readers see the old file or the whole new one.

    Args:
        path: File to write.
        content: Its content.
        is_private: Whether only the owner may read the file, because it lists customers.

    Raises:
        WarehouseError: If the file can't be written.
    """
    draft = None
    try:
        draft = AtomicFile(path)
        # Only the owner can enter the temporary folder, so the file is private before its mode is set.
        draft.path.touch(mode=0o600 if is_private else 0o666)
        draft.path.write_bytes(content)
        draft.move()
    except OSError as error:
        raise WarehouseError(
            f"The report {path} can't be written: {lower_first(error.strerror or str(error))}.",
            "check the free disk space and the folder's permissions.",
        ) from error
    finally:
        if draft is not None:
            draft.cleanup()


def _import_vl_convert() -> Any:
    try:
        return import_module("vl_convert")
    except ImportError:
        raise UsageError("Drawing a PNG needs the report extra.", extra_hint("report")) from None
