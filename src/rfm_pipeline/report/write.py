"""Writing a report or a chart: checked early, whole or not at all, private where it names anybody."""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from rfm_pipeline.common.atomic_file import AtomicFile
from rfm_pipeline.common.formatting import lower_first
from rfm_pipeline.config.report import ReportSettings
from rfm_pipeline.errors import ConfigurationError, UsageError, WarehouseError
from rfm_pipeline.report.charts import segments as charts
from rfm_pipeline.report.charts.distribution import distribution
from rfm_pipeline.report.charts.movements import movements
from rfm_pipeline.report.charts.svg import SvgChart
from rfm_pipeline.report.data import ReportData, ReportSource, collect_report_data
from rfm_pipeline.report.number_format import NumberFormatter
from rfm_pipeline.report.page import page
from rfm_pipeline.report.segment_view import SegmentView

CHARTS: dict[str, Callable[[SegmentView, NumberFormatter], SvgChart]] = {
    "segments": charts.segments,
    "grid": charts.grid,
    "movements": movements,
    "trend": charts.trend,
    "recency": lambda view, says: distribution(view, "recency", says),
    "frequency": lambda view, says: distribution(view, "frequency", says),
    "monetary": lambda view, says: distribution(view, "monetary", says),
    "concentration": charts.concentration,
}
"""The charts of a report by their names."""
PAGES = (".html", ".htm")


def check_place(path: Path, suffixes: tuple[str, ...] = PAGES) -> None:
    """Says early what would fail late.

    Raises:
        ConfigurationError: The name ends in another suffix, or there is no such folder.
        UsageError: A PNG is asked for, and what draws it is not installed.
        WarehouseError: Nothing can be written there.
    """
    if path.suffix.casefold() not in suffixes:
        raise ConfigurationError(
            f"{path} does not end in {suffixes[0]}.", f"name it like report{suffixes[0]}."
        )
    folder = path.absolute().parent
    if path.is_dir() or not folder.is_dir():
        what = "is a folder" if path.is_dir() else "is in a folder that does not exist"
        raise ConfigurationError(f"The report {path} {what}.", "name a file in a folder that is there.")
    if not os.access(folder, os.W_OK):
        raise WarehouseError(
            f"There is no permission to write into {folder}.", "look at its owner and its mode."
        )
    if path.suffix.casefold() == ".png":
        _vl_convert()


def write_report(about: ReportSource, settings: ReportSettings, path: Path) -> ReportData:
    """Writes the page of a result.

    Args:
        about: The result.
        settings: How the page looks, and how many customers it names.
        path: Where it is to be; an earlier one is replaced.

    Returns:
        What it tells.

    Raises:
        RfmError: The result can't be read, or the file can't be written; an earlier one is as it was.
    """
    figures = collect_report_data(about, settings.top_customers)
    text = page(figures, NumberFormatter(settings))
    replace(path, text.encode(), is_private=bool(figures.named))
    return figures


def picture(figures: ReportData, settings: ReportSettings, chart: str, segment: str | None) -> str:
    """A chart by itself, as SVG.

    Args:
        figures: What the report tells.
        settings: How figures are written.
        chart: One of CHARTS.
        segment: A segment of the result; None shows all customers.
    """
    view = SegmentView(figures, segment)
    subtitle = f"{view.title}, as of {figures.as_of}"
    return CHARTS[chart](view, NumberFormatter(settings)).alone(subtitle)


def png(svg: str) -> bytes:
    """A picture as PNG.

    Raises:
        UsageError: What draws it is not installed.
    """
    drawn = _vl_convert().svg_to_png(svg, scale=1.5)
    assert isinstance(drawn, bytes)
    return drawn


def replace(path: Path, content: bytes, *, is_private: bool) -> None:
    """Puts a file in its place at once, so that nobody ever sees half of one.

    Args:
        path: The place.
        content: All of it.
        is_private: Whether nobody but its owner may read it, as it names customers.

    Raises:
        WarehouseError: It can't be written.
    """
    draft = None
    try:
        draft = AtomicFile(path)
        # The draft's folder is its owner's alone, so that nobody reads it before.
        draft.path.touch(mode=0o600 if is_private else 0o666)
        draft.path.write_bytes(content)
        draft.move()
    except OSError as error:
        raise WarehouseError(
            f"The report {path} can't be written: {lower_first(error.strerror or str(error))}.",
            "look at the disk's room and the folder's permissions.",
        ) from error
    finally:
        if draft is not None:
            draft.cleanup()


def _vl_convert() -> Any:
    try:
        return import_module("vl_convert")
    except ImportError:
        raise UsageError(
            "Drawing a PNG needs the report extra.", "pip install 'rfm-pipeline[report]'"
        ) from None
