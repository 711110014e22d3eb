"""Opening of two tables of segmented customers, and the engine that compares them.

Two tables in one location of BigQuery are compared there. Otherwise both are copied, with the columns that
are compared, into an in-memory DuckDB.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import Struct
from msgspec.structs import replace

from rfm_pipeline.common.formatting import format_count, lower_first
from rfm_pipeline.common.schema import Column, Kind, Schema
from rfm_pipeline.comparison.columns import find_columns
from rfm_pipeline.comparison.sides import Engine, Side
from rfm_pipeline.config.column_mapping import find_column
from rfm_pipeline.config.destination_location import parse_destination
from rfm_pipeline.config.settings import Settings
from rfm_pipeline.config.source_location import BigQueryTable, SqlFile
from rfm_pipeline.errors import UsageError, WarehouseError
from rfm_pipeline.pipeline.progress import RunObserver
from rfm_pipeline.pipeline.run_records import new_run_id
from rfm_pipeline.pipeline.source_query import source_query
from rfm_pipeline.sql import comparison_queries as queries
from rfm_pipeline.sql.dialects.registry import dialect_of
from rfm_pipeline.warehouse.factory import open_warehouse

if TYPE_CHECKING:
    from rfm_pipeline.common.duckdb_engine import duckdb
    from rfm_pipeline.source.base import SourceOpener
    from rfm_pipeline.warehouse.bigquery.warehouse import BigQueryWarehouse

_MAX_SEGMENTS = 200
_FEW_SEGMENTS = 20
"""Up to so many segments, most customers may have a segment of their own."""


class OpenedSide(Struct, frozen=True):
    """A side that can be queried.

    Attributes:
        select: SELECT of the side's rows.
        columns: Names of its columns, in order: `customer_id`, `segment`, and those that can be compared.
        named: Roles whose column the user has named, and the table has.
        notes: Facts about the table, one phrase each.
    """

    select: str
    columns: tuple[str, ...]
    named: frozenset[str]
    notes: tuple[str, ...]


class Options(Struct, frozen=True):
    """How both tables are read.

    Attributes:
        columns: Names of columns by role, which apply to each table that has them.
        settings: Settings of the engines and of the sources.
    """

    columns: Mapping[str, str]
    settings: Settings


class _Table(Struct, frozen=True):
    """A table on its engine.

    Attributes:
        relation: SQL that can follow FROM.
        schema: The columns.
        rows: Function that runs a SELECT.
        engine: Name of the engine.
    """

    relation: str
    schema: Schema
    rows: Callable[[str], Sequence[Mapping[str, Any]]]
    engine: str


@contextmanager
def open_tables(
    sides: tuple[Side, Side], options: Options, observer: RunObserver
) -> Iterator[tuple[Engine, tuple[OpenedSide, OpenedSide]]]:
    """Open both sides.

    Args:
        sides: Side A and side B.
        options: How the tables are read.
        observer: Receives the progress.

    Raises:
        UsageError: If a table has several rows of a customer, or no customer.
        RfmError: If a table can't be read.
    """
    with ExitStack() as stack:
        observer.step("Looking at both sides")
        remote = [_open_bigquery(side, options.settings, stack) for side in sides]
        first, second = remote
        if first and second and first.warehouse.jobs.location == second.warehouse.jobs.location:
            # One query reads both tables.
            yield (
                first.warehouse,
                (
                    _prepare(sides[0], first.table, options),
                    _prepare(sides[1], replace(second.table, rows=first.warehouse.rows), options),
                ),
            )
            return
        local = stack.enter_context(_open_local(options))
        copies = []
        for name, side, in_bigquery in zip(("rows_a", "rows_b"), sides, remote, strict=True):
            observer.step(f"Reading {side.name}")
            copies.append(
                local.copy_pages(name, side, in_bigquery) if in_bigquery else local.copy(name, side)
            )
        observer.step("Comparing")
        yield local, (copies[0], copies[1])


class _InBigQuery(Struct, frozen=True):
    """A table of BigQuery, with the warehouse that reads it."""

    warehouse: BigQueryWarehouse
    table: _Table


def _open_bigquery(side: Side, settings: Settings, stack: ExitStack) -> _InBigQuery | None:
    """Open a table of BigQuery; None for another table."""
    location = side.location
    if not isinstance(location, BigQueryTable):
        return None
    from rfm_pipeline.warehouse.bigquery.warehouse import BigQueryWarehouse

    warehouse = open_warehouse(replace(settings, source=location), new_run_id(), publishes=False)
    assert isinstance(warehouse, BigQueryWarehouse)  # a table of BigQuery is read there
    stack.callback(warehouse.close)
    source = warehouse.open_source()
    return _InBigQuery(warehouse, _Table(source.relation, source.schema, warehouse.rows, warehouse.engine))


def _prepare(side: Side, table: _Table, options: Options) -> OpenedSide:
    """Choose the columns of a table, and check its rows.

    Raises:
        UsageError: If the table has several rows of a customer, no customer, or too many segments.
    """
    settings, dialect = options.settings, dialect_of(table.engine)
    columns = find_columns(table.schema, options.columns, side.name)
    values = {
        name: queries.value_sql(name, column, dialect, settings.date_format, settings.decimal or ".")
        for name, column in columns.items()
    }
    condition = f"as_of_date = {dialect.literal(side.as_of)}" if side.in_history and side.as_of else ""
    written = {
        name: column
        for name, column in columns.items()
        if column.kind is Kind.TEXT and name != "customer_id" and queries.kind_of(name) != "text"
    }
    (row,) = table.rows(queries.checks_sql(table.relation, values, written, condition, dialect))
    _refuse_rows(side, columns, row)
    for name in written:
        if row[f"unreadable_{name}"]:
            del values[name]
    return OpenedSide(
        queries.side_sql(table.relation, values, condition, dialect),
        tuple(values),
        frozenset(
            role
            for role, named in options.columns.items()
            if (column := columns.get(role)) and column is find_column(table.schema, named)
        ),
        (*_notes(side, columns, row),),
    )


def _notes(side: Side, columns: Mapping[str, Column], row: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is worth knowing of a table, one phrase each."""
    for name, column in columns.items():
        if column.name.casefold() != name:
            yield f"{name} is `{column.name}` in {side.name}"
        if unreadable := row.get(f"unreadable_{name}"):
            what = "date" if queries.kind_of(name) == "date" else "number"
            found = format_count(unreadable, f"value that is no {what}", f"values that are no {what}")
            yield f"`{column.name}` of {side.name} is not compared: it has {found}"
    if without := row["table_rows"] - row["ids"]:
        yield f"{format_count(without, 'row')} of {side.name} without a customer id"


def _refuse_rows(side: Side, columns: Mapping[str, Column], row: Mapping[str, Any]) -> None:
    """Raise if the rows are not one row of each customer, with a segment.

    Raises:
        UsageError: If so.
    """
    column, customers = columns["customer_id"].name, format_count(row["customers"], "customer")
    if not row["ids"]:
        raise UsageError(
            f"No row of {side.name} has a customer id, in `{column}`.",
            "choose another column with --customer-id.",
        )
    if row["customers"] != row["ids"]:
        raise UsageError(
            f"{side.name} has {format_count(row['ids'], 'row')} of {customers}, by `{column}`, and a"
            " comparison takes one row of each customer.",
            "select one row of each customer in a .sql file, and give that file; --as-of chooses a date of a"
            " destination of rfm.",
        )
    segments = row["segments"]
    if segments > _MAX_SEGMENTS or (segments > _FEW_SEGMENTS and 2 * segments > row["customers"]):
        raise UsageError(
            f"`{columns['segment'].name}` of {side.name} has {segments:,} different values for {customers},"
            " so that it is no segment.",
            "choose another column with --segment.",
        )


class _LocalEngine:
    """An in-memory DuckDB with copies of the sides.

    Args:
        connection: The database.
        scratch: Folder for temporary files.
        options: How the tables are read.
    """

    engine = "duckdb"

    def __init__(self, connection: duckdb.DuckDBPyConnection, scratch: Path, options: Options) -> None:
        self._connection = connection
        self._scratch = scratch
        self._options = options

    def rows(self, select: str) -> Sequence[dict[str, Any]]:
        from rfm_pipeline.common.duckdb_engine import fetch_dicts
        from rfm_pipeline.warehouse.duckdb.errors import translate_duckdb_errors

        with translate_duckdb_errors("compare the tables"):
            return fetch_dicts(self._connection.execute(select))

    def pages(self, select: str) -> Iterator[Sequence[dict[str, Any]]]:
        from rfm_pipeline.common.duckdb_engine import fetch_pages
        from rfm_pipeline.warehouse.duckdb.errors import translate_duckdb_errors

        with translate_duckdb_errors("compare the tables"):
            yield from fetch_pages(self._connection.execute(select))

    def copy(self, name: str, side: Side) -> OpenedSide:
        """Copy a table that DuckDB reads; return the copy."""
        from rfm_pipeline.common.duckdb_engine import execute_interruptibly, fetch_dicts
        from rfm_pipeline.warehouse.duckdb.errors import translate_duckdb_errors

        opened = self._opener(side)(self._connection, self._scratch)
        with translate_duckdb_errors(f"read {opened.label}", opened):

            def rows(select: str) -> Sequence[dict[str, Any]]:
                return fetch_dicts(self._connection.execute(select))

            table = _Table(opened.relation, opened.schema, rows, self.engine)
            prepared = _prepare(side, table, self._options)
            execute_interruptibly(self._connection, f"CREATE TABLE {name} AS\n{prepared.select}")
        if side.opens is not None:
            from rfm_pipeline.source.dataframe import release_dataframe

            release_dataframe(opened, self._connection)
        return _copied(name, prepared)

    def copy_pages(self, name: str, side: Side, source: _InBigQuery) -> OpenedSide:
        """Copy a table of BigQuery; return the copy."""
        from rfm_pipeline.warehouse.duckdb.errors import translate_duckdb_errors
        from rfm_pipeline.warehouse.duckdb.load import create_table_from_pages

        prepared = _prepare(side, source.table, self._options)
        columns = tuple(dict.fromkeys([*prepared.columns, "monetary"]))
        types = {column: dialect_of(self.engine).types[queries.kind_of(column)] for column in columns}
        try:
            with translate_duckdb_errors("copy a table from BigQuery"):
                pages = source.warehouse.pages(prepared.select)
                create_table_from_pages(self._connection, name, columns, pages, self._scratch, types=types)
        except OSError as error:
            raise WarehouseError(
                f"{side.name} can't be copied to this machine: {lower_first(error.strerror or str(error))}.",
                "set duckdb.temp_directory to a folder with more free space.",
            ) from error
        return _copied(name, prepared)

    def _opener(self, side: Side) -> SourceOpener:
        if side.opens is not None:
            return side.opens
        location = side.location
        assert location is not None  # a side has one of both
        if isinstance(location, SqlFile):
            from rfm_pipeline.source.duckdb_query import open_sql_query

            here = replace(self._options.settings, source=location, to=parse_destination("duckdb:rfm.duckdb"))
            query = source_query(here)
            assert query is not None  # the source is a query
            return partial(open_sql_query, query)
        from rfm_pipeline.source.open import open_source

        return partial(open_source, location, self._options.settings.read)


def _copied(name: str, side: OpenedSide) -> OpenedSide:
    return replace(side, select=f"SELECT *\nFROM {name}")


@contextmanager
def _open_local(options: Options) -> Iterator[_LocalEngine]:
    from rfm_pipeline.warehouse.duckdb.connection import SpillDirectory, connect

    limits = options.settings.duckdb
    with (
        SpillDirectory(limits.temp_directory) as scratch,
        closing(connect(limits, scratch)) as connection,
    ):
        yield _LocalEngine(connection, scratch, options)
