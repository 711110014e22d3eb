"""Dates that are text or numbers, in DuckDB: each format reads what it should, and nothing else."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import duckdb
import pytest

from rfm_pipeline.common.duckdb_types import schema_of
from rfm_pipeline.common.schema import Column, Kind
from rfm_pipeline.sql.dialects.registry import dialect_of
from support.databases import empty_database
from support.dates import DATES

DIALECT = dialect_of("duckdb")


def read(connection: duckdb.DuckDBPyConnection, value: str, kind: Kind, zone: str, *formats: str) -> object:
    connection.execute("SET TimeZone = 'UTC'")
    text = DIALECT.date_text("v", kind)
    moment = DIALECT.local_date("v", Kind.TEXT, zone, formats)
    query = f"SELECT {moment} FROM (SELECT {text} AS v FROM (SELECT {value} AS v))"
    ((day,),) = connection.execute(query).fetchall()
    return day


@pytest.mark.parametrize(("date_format", "text", "zone", "expected"), DATES)
def test_a_format_reads_its_dates_only(date_format: str, text: str, zone: str, expected: str | None) -> None:
    with empty_database() as connection:
        day = read(connection, DIALECT.literal(text), Kind.TEXT, zone, date_format)
    assert day == (date.fromisoformat(expected) if expected else None)


@pytest.mark.parametrize(
    ("value", "kind", "date_format", "expected"),
    [
        ("1704067200::BIGINT", Kind.INTEGER, "epoch_s", "2024-01-01"),
        ("1704067200000::BIGINT", Kind.INTEGER, "epoch_ms", "2024-01-01"),
        ("20240131::INTEGER", Kind.INTEGER, "%Y%m%d", "2024-01-31"),
        ("20240131::DOUBLE", Kind.FLOAT, "%Y%m%d", "2024-01-31"),
        ("1704067200000000::DOUBLE", Kind.FLOAT, "epoch_us", "2024-01-01"),
        ("45323.5::DOUBLE", Kind.FLOAT, "excel_serial", "2024-02-01"),
        ("45323.5::DECIMAL(18, 3)", Kind.DECIMAL, "excel_serial", "2024-02-01"),
        ("'nan'::DOUBLE", Kind.FLOAT, "excel_serial", None),
        ("'inf'::DOUBLE", Kind.FLOAT, "excel_serial", None),
        ("NULL::BIGINT", Kind.INTEGER, "epoch_s", None),
    ],
)
def test_a_column_of_numbers_is_read(value: str, kind: Kind, date_format: str, expected: str | None) -> None:
    with empty_database() as connection:
        day = read(connection, value, kind, "UTC", date_format)
    assert day == (date.fromisoformat(expected) if expected else None)


def test_formats_are_tried_in_order() -> None:
    with empty_database() as connection:
        formats = ("iso", "%d/%m/%Y", "%m/%d/%Y")
        days = [
            read(connection, DIALECT.literal(text), Kind.TEXT, "UTC", *formats)
            for text in ("2024-01-05", "03/04/2024", "02/13/2024")
        ]
    assert days == [date(2024, 1, 5), date(2024, 4, 3), date(2024, 2, 13)]


@pytest.mark.parametrize(
    ("declared", "text", "expected"),
    [
        ("TIMESTAMPTZ_NS", "2024-01-05 23:30:00+00", date(2024, 1, 6)),
        ("TIMESTAMP_NS", "2024-01-05 23:30:00", date(2024, 1, 5)),
        ("TIMESTAMPTZ", "2024-01-05 23:30:00+00", date(2024, 1, 6)),
    ],
)
def test_nanoseconds_with_a_zone_are_read(declared: str, text: str, expected: date, tmp_path: Path) -> None:
    with empty_database() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        path = tmp_path / "a.parquet"
        connection.execute(f"COPY (SELECT CAST('{text}' AS {declared}) AS at) TO '{path}'")
        (column,) = schema_of(connection, f"'{path}'")
        assert isinstance(column, Column)
        moment = DIALECT.local_date("v", column.kind, "Asia/Kolkata", ["iso"])
        query = f"SELECT {moment} FROM (SELECT {DIALECT.column(column)} AS v FROM '{path}')"
        assert connection.execute(query).fetchall() == [(expected,)]
