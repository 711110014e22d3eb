"""The command `rfm report`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from rfm_pipeline.cli.options import REPORT_FLAGS, SOURCE_PARAMETERS, Config, Json, Quiet, takes_settings
from rfm_pipeline.cli.render.json import print_json
from rfm_pipeline.errors import UsageError

_CHART = "One chart"


@takes_settings(*SOURCE_PARAMETERS, also=REPORT_FLAGS)
def report(
    *,
    flags: dict[str, Any],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="File of the page (default: report.html, or none with --chart).",
            show_default=False,
        ),
    ] = None,
    chart: Annotated[
        str | None,
        typer.Option(
            "--chart",
            help="Chart to draw: segments, grid, movements, trend, recency, frequency, monetary or"
            " concentration.",
            rich_help_panel=_CHART,
            show_default=False,
        ),
    ] = None,
    svg: Annotated[
        Path | None,
        typer.Option(
            "--svg", help="Write the chart to an .svg file.", rich_help_panel=_CHART, show_default=False
        ),
    ] = None,
    png: Annotated[
        Path | None,
        typer.Option(
            "--png", help="Write the chart to a .png file.", rich_help_panel=_CHART, show_default=False
        ),
    ] = None,
    segment: Annotated[
        str | None,
        typer.Option(
            "--segment",
            "-s",
            help="Draw the chart for one segment only.",
            rich_help_panel=_CHART,
            show_default=False,
        ),
    ] = None,
    config: Config = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Write the current result to one HTML page, or one of its charts to an image file.

    The page needs no network. It lists the best customers of each segment by id, so only the owner can read
    the file; with --top-customers 0 it lists none.

    Examples:
      rfm report

      rfm report --to duckdb:shop.duckdb -o segments.html --currency GBP --locale en-GB

      rfm report --chart movements --png movements.png
    """
    from rfm_pipeline.config.loader import load_configuration
    from rfm_pipeline.pipeline.output_paths import refuse_overwriting
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

    configuration = load_configuration(flags, config=config)
    settings = configuration.settings
    _check_chart(chart, [path for path in (svg, png) if path], segment)
    page = output or (None if chart else Path("report.html"))
    for path, suffixes in ((page, (".html", ".htm")), (svg, (".svg",)), (png, (".png",))):
        if path:
            check_report_path(path, suffixes)
    outputs = (("report", page), ("chart", svg), ("chart", png))
    refuse_overwriting([(what, path) for what, path in outputs if path], configuration)
    with open_destination(settings) as destination:
        state = read_state(destination)
        with destination.open_for_reading():
            source = report_source(destination, state)
            if page:
                data = write_report(source, settings.report, page)
            else:
                data = collect_report_data(source, top_customers=0)
    if chart:
        from rfm_pipeline.audiences.request import resolve_segments

        names = [entry.name for entry in data.segments]
        (charted,) = resolve_segments((segment,), names) if segment else (None,)
        image = render_chart(data, settings.report, chart, charted)
        if svg:
            write_atomically(svg, image.encode(), is_private=False)
        if png:
            write_atomically(png, svg_to_png(image), is_private=False)
    written = [str(path) for path in (page, svg, png) if path]
    if as_json:
        print_json(
            {
                "written": written,
                "result": data.label,
                "as_of": data.as_of.isoformat(),
                "run_id": data.run.run_id,
                "named_customers": len(data.top_customers),
            }
        )
    elif not quiet:
        from rfm_pipeline.cli.render.report import print_written

        print_written(data, written)


def _check_chart(chart: str | None, images: list[Path], segment: str | None) -> None:
    from rfm_pipeline.report.write import CHARTS

    if chart is not None and chart not in CHARTS:
        raise UsageError(f"There is no chart '{chart}'.", f"choose one of {', '.join(CHARTS)}.")
    if chart is not None and not images:
        raise UsageError(f"The chart {chart} has no file to be written to.", "give --svg FILE or --png FILE.")
    if chart is None and (images or segment):
        raise UsageError("No chart was named.", f"give --chart, one of {', '.join(CHARTS)}.")
