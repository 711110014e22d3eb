"""The command `rfm report`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from rfm_pipeline.cli.options import REPORT_FLAGS, SOURCE_PARAMETERS, Config, Json, Quiet, takes_settings
from rfm_pipeline.cli.render.json import print_json
from rfm_pipeline.errors import UsageError

if TYPE_CHECKING:
    from rfm_pipeline.config.loader import Configuration
    from rfm_pipeline.report.data import ReportData
    from rfm_pipeline.report.evaluation import EvaluationFile


def _chart_option(text: str, *names: str) -> Any:
    return typer.Option(*names, help=text, rich_help_panel="One chart", show_default=False)


Output = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        help="File of the report (default: report.html or report.md, or none with --chart).",
        show_default=False,
    ),
]
Format = Annotated[
    str | None,
    typer.Option(
        "--format",
        "-f",
        help="html, or md: Markdown in short, without customers (default: by the file's suffix).",
        show_default=False,
    ),
]
Chart = Annotated[
    str | None,
    _chart_option(
        "Chart to draw: segments, treemap, grid, movements, trend, recency, frequency, monetary or"
        " concentration.",
        "--chart",
    ),
]
Svg = Annotated[Path | None, _chart_option("Write the chart to an .svg file.", "--svg")]
Png = Annotated[Path | None, _chart_option("Write the chart to a .png file.", "--png")]
OneSegment = Annotated[str | None, _chart_option("Draw the chart for one segment only.", "--segment", "-s")]


class _Files(NamedTuple):
    """The files to write; None for those that were not requested."""

    page: Path | None
    svg: Path | None
    png: Path | None
    is_markdown: bool = False

    @classmethod
    def choose(
        cls, output: Path | None, svg: Path | None, png: Path | None, *, format_: str | None, has_chart: bool
    ) -> _Files:
        """Return the files of the command's options.

        Raises:
            UsageError: If there is no such format.
        """
        if format_ not in {None, "html", "md"}:
            raise UsageError(f"There is no format '{format_}' of a report.", "give html or md.")
        is_markdown = format_ == "md" or (
            format_ is None and output is not None and output.suffix.casefold() == ".md"
        )
        page = output or (
            None if has_chart and not format_ else Path("report.md" if is_markdown else "report.html")
        )
        return cls(page, svg, png, is_markdown)

    def check(self, configuration: Configuration) -> None:
        """Raise if a path has another suffix than its format, or leads to a file that rfm needs.

        Raises:
            RfmError: If there is such a path.
        """
        from rfm_pipeline.pipeline.output_paths import refuse_overwriting
        from rfm_pipeline.report.write import MARKDOWN_SUFFIXES, PAGE_SUFFIXES, check_report_path

        formats: tuple[tuple[str, Path | None, tuple[str, ...]], ...] = (
            ("report", self.page, MARKDOWN_SUFFIXES if self.is_markdown else PAGE_SUFFIXES),
            ("chart", self.svg, (".svg",)),
            ("chart", self.png, (".png",)),
        )
        for _, path, suffixes in formats:
            if path:
                check_report_path(path, suffixes)
        refuse_overwriting(self.outputs(), configuration)

    def outputs(self) -> list[tuple[str, Path]]:
        """Return the files that were requested, each with what it is."""
        files = (("report", self.page), ("chart", self.svg), ("chart", self.png))
        return [(what, path) for what, path in files if path]

    def names(self) -> list[str]:
        """Return the paths that were requested."""
        return [str(path) for path in (self.page, self.svg, self.png) if path]


@takes_settings(*SOURCE_PARAMETERS, also=REPORT_FLAGS)
def report(
    *,
    flags: dict[str, Any],
    output: Output = None,
    format_: Format = None,
    chart: Chart = None,
    svg: Svg = None,
    png: Png = None,
    segment: OneSegment = None,
    evaluation: Annotated[
        Path | None,
        typer.Option(
            "--evaluation",
            help="File that `rfm evaluate --json` printed, for a section of the HTML page.",
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

      rfm report --format md -o week.md

      rfm report --chart movements --png movements.png

      rfm report --evaluation evaluation.json
    """
    from rfm_pipeline.config.loader import load_configuration

    configuration = load_configuration(flags, config=config)
    files = _Files.choose(output, svg, png, format_=format_, has_chart=chart is not None)
    _check_chart(chart, files, segment)
    files.check(configuration)
    data = _write_page(configuration, files, _read_evaluation(evaluation, files))
    if chart:
        _write_chart(data, configuration, files, chart, segment)
    if as_json:
        print_json(
            {
                "written": files.names(),
                "result": data.label,
                "as_of": data.as_of.isoformat(),
                "run_id": data.run.run_id,
                "named_customers": len(data.top_customers),
            }
        )
    elif not quiet:
        from rfm_pipeline.cli.render.report import print_written

        print_written(data, files.names())


def _read_evaluation(path: Path | None, files: _Files) -> EvaluationFile | None:
    """Return the evaluation to show.

    Raises:
        UsageError: If there is no page to show it on, or the file is no evaluation.
    """
    from rfm_pipeline.report.evaluation import read_evaluation

    if path is None:
        return None
    if files.page is None or files.is_markdown:
        raise UsageError(
            "--evaluation is for a section of the HTML page, which is not written.",
            "name the page, as in --output report.html.",
        )
    return read_evaluation(path)


def _write_page(configuration: Configuration, files: _Files, evaluation: EvaluationFile | None) -> ReportData:
    """Read the data of the current result, and write the page if one was requested."""
    from rfm_pipeline.pipeline.checksums import refuse_edited_results
    from rfm_pipeline.pipeline.output_paths import refuse_recorded_sources
    from rfm_pipeline.report.data import collect_report_data, dates_read, report_source
    from rfm_pipeline.report.write import write_markdown, write_report
    from rfm_pipeline.results.run_history import read_state
    from rfm_pipeline.warehouse.factory import open_destination

    settings = configuration.settings
    with open_destination(settings) as destination:
        state = read_state(destination)
        with destination.open_for_reading():
            refuse_recorded_sources(files.outputs(), (record.source for record in state.records))
            source = report_source(destination, state)
            refuse_edited_results(destination, state, dates_read(source, state.as_of))
            if files.page:
                if files.is_markdown:
                    return write_markdown(source, settings.report, files.page)
                return write_report(source, settings.report, files.page, evaluation)
            return collect_report_data(source, top_customers=0)


def _write_chart(
    data: ReportData, configuration: Configuration, files: _Files, chart: str, segment: str | None
) -> None:
    from rfm_pipeline.pipeline.segment_names import resolve_segments
    from rfm_pipeline.report.write import render_chart, svg_to_png, write_atomically

    names = [entry.name for entry in data.segments]
    (charted,) = resolve_segments((segment,), names) if segment else (None,)
    image = render_chart(data, configuration.settings.report, chart, charted)
    if files.svg:
        write_atomically(files.svg, image.encode(), is_private=False)
    if files.png:
        write_atomically(files.png, svg_to_png(image), is_private=False)


def _check_chart(chart: str | None, files: _Files, segment: str | None) -> None:
    from rfm_pipeline.report.write import CHARTS

    images = [path for path in (files.svg, files.png) if path]
    if chart is not None and chart not in CHARTS:
        raise UsageError(f"There is no chart '{chart}'.", f"choose one of {', '.join(CHARTS)}.")
    if chart is not None and not images:
        raise UsageError(f"The chart {chart} has no file to be written to.", "give --svg FILE or --png FILE.")
    if chart is None and (images or segment):
        raise UsageError("No chart was named.", f"give --chart, one of {', '.join(CHARTS)}.")
