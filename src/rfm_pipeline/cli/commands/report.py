"""`rfm report`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from rfm_pipeline.cli.options import OF_DESTINATION, REPORT_FLAGS, Config, Json, Quiet, takes_settings
from rfm_pipeline.errors import UsageError

_CHART = "One chart"


@takes_settings(*OF_DESTINATION, also=REPORT_FLAGS)
def report(
    *,
    flags: dict[str, Any],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="The page; report.html unless given, or a chart is.", show_default=False
        ),
    ] = None,
    chart: Annotated[
        str | None,
        typer.Option(
            "--chart",
            help="segments, grid, movements, trend, recency, frequency, monetary or concentration.",
            rich_help_panel=_CHART,
            show_default=False,
        ),
    ] = None,
    svg: Annotated[
        Path | None,
        typer.Option("--svg", help="Write it to an .svg file.", rich_help_panel=_CHART, show_default=False),
    ] = None,
    png: Annotated[
        Path | None,
        typer.Option("--png", help="Write it to a .png file.", rich_help_panel=_CHART, show_default=False),
    ] = None,
    segment: Annotated[
        str | None,
        typer.Option(
            "--segment", "-s", help="Draw it of one segment.", rich_help_panel=_CHART, show_default=False
        ),
    ] = None,
    config: Config = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Write what stands at the destination to one page of HTML, or one chart of it to a picture.

    The page needs no network. It names the best customers of each segment, so that only its owner can read
    it; with --top-customers 0 it names nobody.

    Examples:
      rfm report

      rfm report --to duckdb:shop.duckdb -o segments.html --currency GBP --locale en-GB

      rfm report --chart movements --png movements.png
    """
    from rfm_pipeline.config.loader import load
    from rfm_pipeline.report.data import collect_report_data, report_source
    from rfm_pipeline.report.write import (
        check_report_path,
        render_chart,
        svg_to_png,
        write_atomically,
        write_report,
    )
    from rfm_pipeline.results.run_history import read_state
    from rfm_pipeline.warehouse.factory import open_destination

    settings = load(flags, config=config).settings
    _check_chart(chart, [path for path in (svg, png) if path], output, segment)
    place = output or (None if chart else Path("report.html"))
    for path, suffixes in ((place, (".html", ".htm")), (svg, (".svg",)), (png, (".png",))):
        if path:
            check_report_path(path, suffixes)
    with open_destination(settings) as destination:
        standing = read_state(destination)
        with destination.open_for_reading():
            about = report_source(destination, standing)
            if place:
                figures = write_report(about, settings.report, place)
            else:
                figures = collect_report_data(about, top_customers=0)
    if chart:
        from rfm_pipeline.audiences.request import resolve_segments

        known = [segment.name for segment in figures.segments]
        (only,) = resolve_segments((segment,), known) if segment else (None,)
        text = render_chart(figures, settings.report, chart, only)
        if svg:
            write_atomically(svg, text.encode(), is_private=False)
        if png:
            write_atomically(png, svg_to_png(text), is_private=False)
    written = [str(path) for path in (place, svg, png) if path]
    if as_json:
        from rfm_pipeline.cli.render.json import print_json

        print_json(
            {
                "written": written,
                "result": figures.label,
                "as_of": figures.as_of.isoformat(),
                "run_id": figures.run.run_id,
                "named_customers": len(figures.top_customers),
            }
        )
    elif not quiet:
        from rfm_pipeline.cli.render.report import print_written

        print_written(figures, written)


def _check_chart(chart: str | None, pictures: list[Path], page: Path | None, segment: str | None) -> None:
    from rfm_pipeline.report.write import CHARTS

    if chart is not None and chart not in CHARTS:
        raise UsageError(f"There is no chart '{chart}'.", f"choose one of {', '.join(CHARTS)}.")
    if chart is not None and not pictures:
        raise UsageError(f"There is no file for the chart {chart}.", "give --svg FILE or --png FILE.")
    if chart is None and (pictures or segment):
        raise UsageError("It isn't said which chart is drawn.", f"give --chart, one of {', '.join(CHARTS)}.")
    if page is not None and page in pictures:
        raise UsageError(f"{page} can't be both the page and a chart.", "name two files.")
