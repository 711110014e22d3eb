"""A view over the current result that has its columns under the names of an older pipeline's table."""

from __future__ import annotations

from rfm_pipeline.config.destination_location import (
    BigQueryDestinationLocation,
    DestinationLocation,
    DuckDBDestinationLocation,
    ParquetDestinationLocation,
)
from rfm_pipeline.errors import UsageError
from rfm_pipeline.results.tables import RESULT_COLUMNS
from rfm_pipeline.sql.dialects.registry import dialect_of
from rfm_pipeline.sql.query_spec import select

_SUFFIX = "_compatible"
_EXAMPLE = "recency=recency_days,rfm_segment=segment"


def compatible_view_sql(destination: DestinationLocation, names: str, view: str | None) -> str:
    """Return the statement that creates the view; it also replaces an older one.

    Columns that have no older name keep theirs.

    Args:
        destination: The destination of the runs.
        names: Pairs OLD=COLUMN, separated by commas.
        view: Name of the view, in the destination's dataset unless it names another; None for the name of
            the result with a suffix.

    Raises:
        UsageError: If a pair is not valid, two columns would have one name, the view has the result's
            name, or the destination has no views.
    """
    old_names = _old_names(names)
    listed = [(column, old) for column in RESULT_COLUMNS for old in old_names.get(column, (column,))]
    seen: set[str] = set()
    for column, old in listed:
        if old.casefold() in seen:
            raise UsageError(
                f"The view would have two columns '{old}'.",
                f"give the column {old} another name too, as in {old}_new={old}."
                if old in RESULT_COLUMNS
                else f"give {column} another name.",
            )
        seen.add(old.casefold())
    table, name, dialect = _tables(destination, view)
    quoted = dialect_of(dialect)
    columns = [
        column if old == column else f"{column} AS {quoted.quoted_name(old)}" for column, old in listed
    ]
    return f"CREATE OR REPLACE VIEW {quoted.table(name)} AS\n{select(columns, quoted.table(table))};\n"


def _old_names(text: str) -> dict[str, tuple[str, ...]]:
    """Return the older names of each column that has any."""
    names: dict[str, tuple[str, ...]] = {}
    for pair in text.split(","):
        old, equals, column = (part.strip() for part in pair.partition("="))
        if not (old and equals and column):
            raise UsageError(
                f"--compatible-view takes OLD=COLUMN, not '{pair.strip()}'.", f"for example {_EXAMPLE}."
            )
        if column not in RESULT_COLUMNS:
            raise UsageError(
                f"The result has no column '{column}'.", f"choose of {', '.join(RESULT_COLUMNS)}."
            )
        names[column] = (*names.get(column, ()), old)
    return names


def _tables(destination: DestinationLocation, view: str | None) -> tuple[str, str, str]:
    """Return the names of the table and of the view, and the dialect."""
    if isinstance(destination, ParquetDestinationLocation):
        raise UsageError(
            f"{destination} is a destination of Parquet files, which has no views.",
            "give --to duckdb:FILE, or --to bigquery://project.dataset.",
        )
    name = (view or f"{destination.table}{_SUFFIX}").replace("`", "")
    if isinstance(destination, DuckDBDestinationLocation):
        table, dialect = destination.table, "duckdb"
    else:
        assert isinstance(destination, BigQueryDestinationLocation)
        dataset, dialect = f"{destination.project}.{destination.dataset}", "bigquery"
        table = f"{dataset}.{destination.table}"
        name = {1: f"{dataset}.{name}", 2: f"{destination.project}.{name}"}.get(name.count(".") + 1, name)
    if name.casefold() == table.casefold() or not all(name.split(".")):
        raise UsageError(
            f"'{name}' can't be the name of a view over {table}.", "give another one with --name."
        )
    return table, name, dialect
