"""`rfm sql --for`: the computation as a model of dbt, of Dataform, or as a scheduled query of BigQuery."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from rfm_pipeline.common.atomic_file import replace_file
from rfm_pipeline.common.untrusted_text import replace_unprintable
from rfm_pipeline.config.base import is_address
from rfm_pipeline.config.destination_location import DEFAULT_TABLE, BigQueryDestinationLocation
from rfm_pipeline.config.loader import Configuration
from rfm_pipeline.config.source_location import BigQueryTable
from rfm_pipeline.errors import UsageError
from rfm_pipeline.pipeline.plan import Plan, open_plan
from rfm_pipeline.pipeline.printed_query import PLACEHOLDER_TABLE, described_rules, refuse_other_dialect
from rfm_pipeline.pipeline.shared_orders import comparing_files
from rfm_pipeline.sql.dialects.bigquery import BigQuery
from rfm_pipeline.sql.models import check_tool, render
from rfm_pipeline.sql.models.model import (
    LABELS,
    MODEL_COLUMNS,
    NOT_IN_MODELS,
    Model,
    ModelFile,
    SourceName,
    new_placeholder,
)
from rfm_pipeline.sql.partition_pruning import prune_partitions
from rfm_pipeline.sql.pipeline import QueryPipeline, with_ctes
from rfm_pipeline.sql.query_spec import QuerySpec, RunDates, select

_MARK = "printed by rfm sql"


class ModelRequest(Struct, frozen=True):
    """What the model is for.

    Attributes:
        tool: One of `sql.models.TOOLS`.
        table: Table that the model reads: `project.dataset.table`, `dataset.table`, or a name that dbt or
            Dataform knows. None for the source itself, or for a placeholder if the source is a file.
        name: Name of the table that the model fills; None for `rfm_segments`.
        keeps_history: Whether the table keeps the rows of each as-of date.
    """

    tool: str
    table: str | None = None
    name: str | None = None
    keeps_history: bool = False


def model_files(configuration: Configuration, request: ModelRequest) -> tuple[ModelFile, ...]:
    """Return the files of a model that has the rows of a run; the first one has the query.

    Args:
        configuration: All layers of settings. The as-of date is today if no layer sets it.
        request: What the model is for.

    Raises:
        RfmError: If any check of a plan fails, or the tool can't express the model.
    """
    check_tool(request.tool)
    as_of = configuration.merged.get("as_of", "today")
    configuration = replace(configuration, flags={**configuration.flags, "as_of": as_of})
    with open_plan(configuration, publishes=False) as opened:
        plan = comparing_files(opened)
        refuse_other_dialect(plan, "bigquery")
        name, is_named = _source_name(plan, request)
        dates = _run_dates(as_of, plan.settings.timezone, request.tool)
        placeholder = new_placeholder()
        spec = _spec(plan, placeholder if name else None, dates, is_other=request.table is not None)
        comment = _comment(plan, spec, as_of, is_named=is_named)
        model = Model(
            name=_model_name(configuration, request, name),
            description=f"RFM segments, {_rows(request)}, {_as_of_phrase(as_of, plan)}.",
            comment=comment,
            query=_query(spec),
            source=name,
            segments=tuple(segment.name for segment in spec.segment_map.segments),
            bins=dict(zip("rfm", plan.settings.scoring.bins_by_dimension, strict=True)),
            as_of=spec.as_of_sql,
            keeps_history=request.keeps_history,
            labels={**plan.settings.bigquery.labels, **LABELS},
            placeholder=placeholder,
        )
        return render(model, request.tool)


def write_files(files: tuple[ModelFile, ...], folder: Path) -> list[Path]:
    """Write the files into a folder, and return their paths.

    Raises:
        UsageError: If a file of the same name is none of `rfm sql`, or the folder can't be written to.
    """
    if is_address(folder):
        raise UsageError(f"{folder} is an address, not a folder.", "name a folder with --output.")
    paths = [folder / file.name for file in files]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path, file in zip(paths, files, strict=True):
            _refuse_foreign(path, file)
        for path, file in zip(paths, files, strict=True):
            replace_file(path, file.text.encode("utf-8"))
    except OSError as error:
        raise UsageError(
            f"{folder} can't be written to: {error.strerror}.", "choose another folder with --output."
        ) from None
    return paths


def _refuse_foreign(path: Path, file: ModelFile) -> None:
    """Raise if a file of the user's would be replaced.

    Raises:
        UsageError: If the file exists, differs, and was not printed by `rfm sql`.
    """
    if not path.exists():
        return
    text = path.read_text(encoding="utf-8", errors="replace")
    if text != file.text and _MARK not in text:
        raise UsageError(
            f"{path} exists, and is no file of rfm sql.",
            "choose another folder, or another name with --name.",
        )


def _source_name(plan: Plan, request: ModelRequest) -> tuple[SourceName | None, bool]:
    """Return the table to read, None for a query that names its own, and whether the user has named it."""
    if request.table is not None:
        parts = tuple(part.strip("`") for part in request.table.split("."))
        if not all(parts) or len(parts) > 3:
            raise UsageError(f"'{request.table}' is no table.", "give --table project.dataset.table.")
        return SourceName(parts), True
    location = plan.settings.source
    if isinstance(location, BigQueryTable) and not location.is_in_catalog:
        return SourceName(location.parts), True
    if plan.warehouse.engine == "bigquery" and not plan.source.is_temporary:
        return None, True
    return SourceName(tuple(PLACEHOLDER_TABLE.split("."))), False


def _run_dates(as_of: object, timezone: str, tool: str) -> RunDates:
    """Return the dates of the model's runs as SQL of BigQuery."""
    zone = BigQuery().quoted_text(timezone)
    # The time that a query was scheduled for, also if it runs later, or for a day in the past.
    today = f"DATE(@run_time, {zone})" if tool == "scheduled-query" else f"CURRENT_DATE({zone})"
    if as_of == "yesterday":
        return RunDates(today, f"DATE_SUB({today}, INTERVAL 1 DAY)")
    return RunDates(today, today if as_of == "today" else None)


def _spec(plan: Plan, relation: str | None, dates: RunDates, *, is_other: bool) -> QuerySpec:
    """Return what the model computes.

    Args:
        plan: The plan of a run.
        relation: What the query has in place of the source's name; None for the relation of the plan.
        dates: The dates of the model's runs.
        is_other: Whether the user names another table than the source, whose partitions are unknown.
    """
    spec = replace(plan.spec, dialect=BigQuery(), run_dates=dates)
    if relation is None:
        return spec
    pruned = prune_partitions(
        relation,
        None if is_other else plan.source.partition,
        spec.mapping,
        spec.settings,
        spec.dialect,
        as_of=dates.as_of,
    )
    # The rows of a table have no files.
    return replace(spec, relation=pruned, files=None, compares_files=False)


def _query(spec: QuerySpec) -> str:
    """Return the query of the columns of a model, unordered, as its rows fill a table."""
    return with_ctes(QueryPipeline.of(spec).ctes, select(list(MODEL_COLUMNS), "segments"), spec.dialect.name)


def _model_name(configuration: Configuration, request: ModelRequest, source: SourceName | None) -> str:
    default = f"{DEFAULT_TABLE}_history" if request.keeps_history else DEFAULT_TABLE
    name = (request.name or default).replace("`", "")
    if request.tool != "scheduled-query":
        return name
    if "." not in name and source:
        name = ".".join((*source.parts[:-1], name))
    published = configuration.settings.to
    if isinstance(published, BigQueryDestinationLocation):
        current = f"{published.project}.{published.dataset}.{published.table}"
        if name in {current, f"{current}_history"}:
            raise UsageError(
                f"The scheduled query would replace {name}, which rfm run publishes.",
                f"name another table with --name {name}_scheduled.",
            )
    return name


def _comment(plan: Plan, spec: QuerySpec, as_of: object, *, is_named: bool) -> str:
    rules = described_rules(plan, spec)
    rules["as of"] = _as_of_phrase(as_of, plan).removeprefix("as of ")
    if as_of == "latest":
        rules["future"] = f"after the day of the run in {plan.settings.timezone}"
    label = replace_unprintable(plan.source.label)
    lines = [f"RFM segments from {label}, one row per customer; {_MARK}."]
    lines += [f"  {name}: {value}" for name, value in rules.items()]
    lines.append(f"Columns of rfm run that are not here: {', '.join(NOT_IN_MODELS)}.")
    lines.append("Customers that rfm forget removed are not excluded.")
    if not is_named:
        lines.append(f"Load {label} into {PLACEHOLDER_TABLE}, or give your table with --table.")
    if plan.spec.numbers_files and spec.relation != plan.spec.relation:
        lines.append("Lines count as often as the table has them: load no file or order twice.")
    return "\n".join(f"-- {line}" for line in lines)


def _as_of_phrase(as_of: object, plan: Plan) -> str:
    if as_of == "latest":
        return "as of the newest order"
    if isinstance(as_of, str) and as_of in {"today", "yesterday"}:
        return f"as of {as_of} in {plan.settings.timezone}"
    assert isinstance(plan.settings.as_of, date)  # because the settings are valid
    return f"as of {plan.settings.as_of}"


def _rows(request: ModelRequest) -> str:
    return f"one row per customer{' and as-of date' if request.keeps_history else ''}"
