"""Questions for DuckDB, GoogleSQL's evaluator and `reference.py`, and their answers.

A question is a table, the settings of a run in the shape of `rfm.toml`, and the day of the run. Types have
BigQuery's names: `STRING`, `INT64`, `FLOAT64`, `NUMERIC`, `BIGNUMERIC`, `BOOL`, `DATE`, `DATETIME`,
`TIMESTAMP` and `STRUCT<...>` of them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

import duckdb

from rfm_pipeline.common.schema import Column, Kind, Schema
from rfm_pipeline.common.source_files import SourceFiles
from rfm_pipeline.config.loader import Configuration
from rfm_pipeline.config.segment_map import SegmentMap
from rfm_pipeline.source.profile.profile import profile_source
from rfm_pipeline.source.profile.sample import Sample
from rfm_pipeline.sql.dialects.registry import dialect_of
from rfm_pipeline.sql.pipeline import QueryPipeline, QueryStep
from rfm_pipeline.sql.query_spec import QuerySpec
from rfm_pipeline.sql.stages.metrics import NO_POSITIVE_ORDER
from rfm_pipeline.sql.stages.unscored import no_amount_reasons, unscored_sql
from support.databases import empty_database
from support.googlesql_engine import googlesql

Row = dict[str, Any]

KINDS: Mapping[str, tuple[Kind, str]] = {
    "STRING": (Kind.TEXT, "VARCHAR"),
    "INT64": (Kind.INTEGER, "BIGINT"),
    "FLOAT64": (Kind.FLOAT, "DOUBLE"),
    "NUMERIC": (Kind.DECIMAL, "DECIMAL(38, 9)"),
    "BIGNUMERIC": (Kind.DECIMAL, "DECIMAL(38, 18)"),
    "BOOL": (Kind.BOOLEAN, "BOOLEAN"),
    "DATE": (Kind.DATE, "DATE"),
    "DATETIME": (Kind.TIMESTAMP, "TIMESTAMP"),
    "TIMESTAMP": (Kind.TIMESTAMPTZ, "TIMESTAMPTZ"),
}
"""By type of BigQuery: its kind, and the corresponding type of DuckDB."""

TABLES: Mapping[str, Mapping[str, str]] = {
    "order_days": {
        **dict.fromkeys(["reason", "late_reason", "customer_id", "order_id", "written"], "STRING"),
        "order_date": "DATE",
        **dict.fromkeys(["purchases", "lines", "first_file", "last_file"], "INT64"),
        **dict.fromkeys(["amount", "repeated"], "NUMERIC"),
    },
    "customers": {
        **dict.fromkeys(["reason", "customer_id", "written"], "STRING"),
        **dict.fromkeys(["first_order_date", "last_order_date"], "DATE"),
        **dict.fromkeys(["frequency", "lines", "shared_orders", "long_orders", "refunds"], "INT64"),
        "twice_median_gap": "INT64",
        **dict.fromkeys(["monetary", "repeated"], "NUMERIC"),
    },
    "segments": {
        **dict.fromkeys(["customer_id", "rfm_score", "segment"], "STRING"),
        **dict.fromkeys(["first_order_date", "last_order_date", "as_of_date"], "DATE"),
        **dict.fromkeys(["recency_days", "frequency", "r_score", "f_score", "m_score"], "INT64"),
        **dict.fromkeys(["first_order_days", "twice_median_gap"], "INT64"),
        **dict.fromkeys(["monetary", "avg_order_value"], "NUMERIC"),
    },
}
"""Columns and types of the staging tables, which GoogleSQL's evaluator needs."""


@dataclass(frozen=True)
class Question:
    """A table, settings, and the day of the run."""

    columns: Mapping[str, str]
    rows: Sequence[Mapping[str, Any]] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    today: date = date(2025, 1, 1)
    frozen: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    """Frozen edges by dimension, in the order of `[scoring]`."""
    files: SourceFiles | None = None
    """The files of the rows, whose column is not among `columns`."""
    compares_files: bool = False

    @property
    def table_columns(self) -> Mapping[str, str]:
        """The columns of the table: those of the source, and the number of each row's file."""
        return {**self.columns, self.files.column: "INT64"} if self.files else self.columns

    def spec(self, dialect: str, relation: str | None = None) -> QuerySpec:
        settings = Configuration(flags=dict(self.settings)).settings
        schema = schema_of(self.columns)
        spoken = dialect_of(dialect)
        return QuerySpec(
            settings=settings,
            schema=schema,
            reading=profile_source(schema, Sample(), settings),
            relation=relation or spoken.table("source"),
            segment_map=SegmentMap.from_config(settings.segments, settings.scoring.bins_by_dimension),
            today=self.today,
            dialect=spoken,
            frozen={name: tuple(map(Decimal, edges)) for name, edges in self.frozen.items()},
            files=self.files,
            compares_files=self.compares_files,
        )

    def pipeline(self, dialect: str, relation: str | None = None) -> QueryPipeline:
        return QueryPipeline.of(self.spec(dialect, relation))


@dataclass(frozen=True)
class Answer:
    """An engine's answer.

    Attributes:
        tables: The rows of staging tables by name; always those of `segments` and `customers`.
        unscored: Number of customers without an order of a positive amount.
    """

    tables: Mapping[str, list[Row]]
    unscored: int

    @property
    def segments(self) -> list[Row]:
        return self.tables["segments"]

    @property
    def excluded(self) -> dict[str, tuple[int, Any]]:
        """By reason: the number of lines and their amount, which is None if no amount is readable."""
        totals: dict[str, tuple[int, Any]] = {}
        for row in self.tables["customers"]:
            if row["reason"] is not None:
                lines, amount = totals.get(row["reason"], (0, None))
                here = row["monetary"]
                amounts = [money for money in (amount, here) if money is not None]
                totals[row["reason"]] = lines + row["lines"], sum(amounts) if amounts else None
        return totals


def schema_of(columns: Mapping[str, str]) -> Schema:
    """Return the schema that a warehouse reads: the fields of a struct follow the struct."""
    return tuple(column for name, text in columns.items() for column in _flattened((name,), text))


def staged_types(question: Question, name: str) -> dict[str, str]:
    """Return the columns and types of a staging table; those of `edges` for any method.

    Some of the columns are not used by every question.
    """
    spec = question.spec("bigquery")
    if name == "edges":
        return {
            "no_edges": "INT64",
            **{
                f"{dimension.name[0]}_{kind}_{k}": "NUMERIC" if dimension.name == "monetary" else "INT64"
                for dimension in spec.settings.scoring.dimensions
                for kind in ("edge", "recomputed")
                for k in range(1, dimension.bins)
            },
        }
    types = dict(TABLES[name])
    if name == "customers" and spec.mapping.order_id:
        types["first_order"] = spec.mapping.order_id.declared
    if name == "order_days":
        # Ids keep their type until the step `customers` casts them to text.
        types["customer_id"] = spec.mapping.customer_id.declared
        types["order_id"] = spec.mapping.order_id.declared if spec.mapping.order_id else "STRING"
    return types


def ask_duckdb(question: Question, *, steps: bool = False) -> Answer:
    """Return the answer of DuckDB, from the whole query or from each step over the tables of earlier ones."""
    with connected(question) as connection:
        return _answer(question, "duckdb", steps, lambda step: _create(connection, step), connection.execute)


def ask_google(question: Question, *, steps: bool = False) -> Answer:
    """Return the answer of GoogleSQL's evaluator, from the whole query or from each step."""
    engine = googlesql()
    types: dict[str, Mapping[str, str]] = {"source": question.table_columns}
    rows: dict[str, Sequence[Mapping[str, Any]]] = {"source": question.rows}

    def create(step: QueryStep) -> list[Row]:
        name = f"stage_{step.name}"
        made = engine.execute(step.select, types, rows)
        types[name], rows[name] = staged_types(question, step.name), made
        return made

    return _answer(question, "bigquery", steps, create, lambda sql: engine.execute(sql, types, rows))


@contextmanager
def connected(question: Question) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a database in memory, with a run's settings and the question's table `source`."""
    with empty_database() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        fill(connection, "source", question.table_columns, question.rows)
        yield connection


def fill(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    columns: Mapping[str, str],
    rows: Sequence[Mapping[str, Any]],
) -> None:
    """Create a table with rows."""
    types = {name: duckdb_type(text) for name, text in columns.items()}
    listed = ", ".join(f"{quoted(name)} {kind}" for name, kind in types.items())
    connection.execute(f"CREATE TABLE {table} ({listed})")
    if rows:
        casts = ", ".join(f"CAST(? AS {kind})" for kind in types.values())
        values = [row.get(name) for row in rows for name in columns]
        connection.execute(f"INSERT INTO {table} VALUES {', '.join([f'({casts})'] * len(rows))}", values)


def duckdb_type(text: str) -> str:
    """Return the type of DuckDB for a type of BigQuery.

    >>> duckdb_type("STRUCT<id STRING, paid STRUCT<total NUMERIC>>")
    'STRUCT("id" VARCHAR, "paid" STRUCT("total" DECIMAL(38, 9)))'
    """
    fields = struct_fields(text)
    if fields is None:
        return KINDS[text][1]
    return f"STRUCT({', '.join(f'{quoted(name)} {duckdb_type(inner)}' for name, inner in fields.items())})"


def struct_fields(text: str) -> dict[str, str] | None:
    """Return the fields of a struct type; None for any other type."""
    match = re.fullmatch(r"STRUCT<(.*)>", text)
    if match is None:
        return None
    parts = re.findall(r"(\w+) ((?:[^,<]|<.*>)+)(?:, |$)", match[1])
    return {name: inner.strip() for name, inner in parts}


def quoted(name: str) -> str:
    """Return a name quoted for DuckDB."""
    return '"' + name.replace('"', '""') + '"'


def in_order(rows: Sequence[Mapping[str, Any]]) -> list[Row]:
    """Return rows sorted by their values, so that the rows of two engines can be compared."""
    return sorted((dict(row) for row in rows), key=lambda row: [(v is None, str(v)) for v in row.values()])


def _answer(
    question: Question,
    dialect: str,
    steps: bool,
    create: Callable[[QueryStep], list[Row]],
    execute: Callable[[str], Any],
) -> Answer:
    pipeline = question.pipeline(dialect)
    table = dialect_of(dialect).table
    wanted = pipeline.staging_tables if steps else pipeline.staging_tables[:-2]
    made: dict[str, list[Row]] = {
        step.name: in_order(create(step))
        for step in pipeline.steps(lambda name: table(f"stage_{name}"))
        if step.name in wanted
    }
    if not steps:
        made["segments"] = in_order(rows_of(execute(pipeline.query())))
    return Answer(made, _unscored(question.spec(dialect), made["customers"], table, execute))


def _unscored(
    spec: QuerySpec, customers: Sequence[Row], table: Callable[[str], str], execute: Callable[[str], Any]
) -> int:
    if not no_amount_reasons(spec):
        return sum(row["reason"] == NO_POSITIVE_ORDER for row in customers)
    (row,) = rows_of(execute(unscored_sql(spec, lambda name: table(f"stage_{name}"))))
    return int(row["customers"])


def rows_of(result: Any) -> list[Row]:
    """Return the rows of either engine as dictionaries."""
    if isinstance(result, list):
        return result
    names = [column[0] for column in result.description]
    return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


def _create(connection: duckdb.DuckDBPyConnection, step: QueryStep) -> list[Row]:
    connection.execute(f"CREATE TABLE stage_{step.name} AS\n{step.select}")
    return rows_of(connection.execute(f"SELECT * FROM stage_{step.name}"))


def _flattened(path: tuple[str, ...], text: str) -> Sequence[Column]:
    fields = struct_fields(text)
    if fields is None:
        return (Column(path, KINDS[text][0], text),)
    inner = [column for name, field in fields.items() for column in _flattened((*path, name), field)]
    return (Column(path, Kind.OTHER, text), *inner)
