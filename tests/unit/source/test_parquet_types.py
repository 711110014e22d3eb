"""Each type that pandas, Polars, Arrow, Spark and BigQuery write to Parquet is read right, or refused."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import rfm_pipeline as rfm
from rfm_pipeline.errors import ColumnError
from support.source_reader import open_test_source

DAYS = [date(2024, 1, 1), date(2024, 2, 2), date(2024, 3, 3)]
TIMES = [datetime(2024, 1, 1, 23, 30), datetime(2024, 2, 2, 23, 30), datetime(2024, 3, 3, 23, 30)]  # noqa: DTZ001
INSTANTS = [moment.replace(tzinfo=UTC) for moment in TIMES]
NEXT_DAYS = [day + timedelta(days=1) for day in DAYS]
"""The dates of `INSTANTS` in Berlin, where it is already the next day."""
ORDERS = {
    "customer_id": pa.array(["a", "b", "c"]),
    "order_id": pa.array(["1", "2", "3"]),
    "ordered_at": pa.array(DAYS),
    "amount": pa.array([1, 2, 3]),
}


def segmented(folder: Path, columns: dict[str, Any], **options: Any) -> list[dict[str, Any]]:
    """Return the customers of orders of which some columns are replaced, the oldest order first."""
    path = folder / "orders.parquet"
    pq.write_table(pa.table({**ORDERS, **columns}), path, **options)
    rows: list[dict[str, Any]] = rfm.segment(path, timezone="Europe/Berlin").to_arrow().to_pylist()
    return sorted(rows, key=lambda row: row["last_order_date"])


def refusal(folder: Path, columns: dict[str, Any]) -> str:
    with pytest.raises(ColumnError) as caught:
        segmented(folder, columns)
    assert caught.value.hint
    return caught.value.message


instants = pa.array(INSTANTS, pa.timestamp("us", "UTC"))
zones = ("UTC", "Europe/Berlin", "+02:00")


@pytest.mark.matrix
@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_timestamps_of_each_unit_are_read(tmp_path: Path, unit: str) -> None:
    naive = pa.array(TIMES, pa.timestamp("us")).cast(pa.timestamp(unit))
    assert [row["last_order_date"] for row in segmented(tmp_path, {"ordered_at": naive})] == DAYS
    for zone in zones:
        aware = instants.cast(pa.timestamp(unit, zone))
        assert [row["last_order_date"] for row in segmented(tmp_path, {"ordered_at": aware})] == NEXT_DAYS


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        pytest.param(pa.array(DAYS).cast(pa.date64()), DAYS, id="date64"),
        pytest.param(pa.array(DAYS).dictionary_encode(), DAYS, id="dictionary of dates"),
        pytest.param(pa.array(map(str, DAYS), pa.large_string()), DAYS, id="large_string"),
        pytest.param(pa.array(map(str, DAYS), pa.string_view()), DAYS, id="string_view"),
        pytest.param(pa.array(map(str, DAYS)).dictionary_encode(), DAYS, id="categorical"),
        pytest.param(pa.array([20240101, 20240202, 20240303], pa.int32()), DAYS, id="20240101"),
        pytest.param(instants.cast(pa.int64()), NEXT_DAYS, id="microseconds since 1970"),
        pytest.param(pa.array([int(x.timestamp()) for x in INSTANTS], pa.uint64()), NEXT_DAYS, id="uint64"),
    ],
)
def test_other_dates_are_read(tmp_path: Path, values: pa.Array, wanted: list[date]) -> None:
    assert [row["last_order_date"] for row in segmented(tmp_path, {"ordered_at": values})] == wanted


def test_timestamps_of_spark_in_96_bits_are_read(tmp_path: Path) -> None:
    """They have no zone, but hold instants in UTC by Spark's convention; DuckDB takes them as they are."""
    rows = segmented(tmp_path, {"ordered_at": pa.array(TIMES)}, use_deprecated_int96_timestamps=True)
    assert [row["last_order_date"] for row in rows] == DAYS


def test_it_is_said_that_timestamps_in_96_bits_are_taken_as_local(tmp_path: Path) -> None:
    table = pa.table({"ordered_at": pa.array(TIMES), "at": pa.array(TIMES).cast(pa.timestamp("us"))})
    for name, is_old in (("old.parquet", True), ("new.parquet", False)):
        pq.write_table(table, tmp_path / name, use_deprecated_int96_timestamps=is_old)
    note = "the times of `{}` are taken as local ones, but Spark and Hive write this type (INT96) in UTC"
    with open_test_source(tmp_path / "old.parquet", tmp_path) as (source, _):
        for name in ("ordered_at", "at"):
            assert any(found.startswith(note.format(name)) for found in source.notes)
    with open_test_source(tmp_path / "new.parquet", tmp_path) as (source, _):
        assert source.notes == ()


@pytest.mark.parametrize(
    "values",
    [
        pa.array([time(1), time(2), time(3)]),
        pa.array([[day] for day in DAYS]),
        pa.array([str(day).encode() for day in DAYS]),
        pa.array([True, False, True]),
    ],
    ids=str,
)
def test_what_is_no_date_is_refused(tmp_path: Path, values: pa.Array) -> None:
    assert refusal(tmp_path, {"ordered_at": values}).startswith(
        "The role ordered_at takes a date, a timestamp or text, but the column `ordered_at` is "
    )


UUIDS = [UUID(int=2**100 + n) for n in range(3)]


@pytest.mark.matrix
@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        *(
            pytest.param(pa.array([1, 2, 3], type_), ["1", "2", "3"], id=str(type_))
            for type_ in (
                *(pa.int8(), pa.int16(), pa.int32(), pa.int64()),
                *(pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64()),
                *(
                    pa.float32(),
                    pa.float64(),
                    pa.decimal128(5, 0),
                    pa.decimal128(38, 9),
                    pa.decimal256(20, 2),
                ),
            )
        ),
        pytest.param(
            pa.array([2**64 - 1, 2**64 - 2, 2**64 - 3], pa.uint64()),
            ["18446744073709551615", "18446744073709551614", "18446744073709551613"],
            id="uint64 beyond int64",
        ),
        pytest.param(pa.array(["x", "y", "z"], pa.large_string()), ["x", "y", "z"], id="large_string"),
        pytest.param(pa.array(["x", "y", "z"], pa.string_view()), ["x", "y", "z"], id="string_view"),
        pytest.param(pa.array(["x", "y", "z"]).dictionary_encode(), ["x", "y", "z"], id="categorical"),
        pytest.param(pa.array([7, 8, 9]).dictionary_encode(), ["7", "8", "9"], id="dictionary of numbers"),
        pytest.param(pa.array([each.bytes for each in UUIDS], pa.uuid()), list(map(str, UUIDS)), id="uuid"),
    ],
)
def test_ids_are_read(tmp_path: Path, values: pa.Array, wanted: list[str]) -> None:
    rows = segmented(tmp_path, {"customer_id": values, "order_id": values})
    assert [(row["customer_id"], row["frequency"]) for row in rows] == [(each, 1) for each in wanted]


@pytest.mark.parametrize("role", ["customer_id", "order_id"])
@pytest.mark.parametrize(
    ("values", "type_"),
    [
        (pa.array([b"x", b"y", b"z"]), "BLOB"),
        (pa.array([b"x", b"y", b"z"], pa.binary(1)), "BLOB"),
        (pa.array([["x"], ["y"], ["z"]]), "VARCHAR[]"),
        (pa.array([time(1), time(2), time(3)]), "TIME"),
    ],
    ids=str,
)
def test_what_is_no_id_is_refused(tmp_path: Path, role: str, values: pa.Array, type_: str) -> None:
    assert refusal(tmp_path, {role: values}) == (
        f"The role {role} takes text or a number, but the column `{role}` is {type_}."
    )


CENTS = [Decimal("78845510.90"), Decimal("6522315.81"), Decimal("0.10")]


@pytest.mark.parametrize(
    "type_",
    [
        *(pa.decimal32(9, 2), pa.decimal64(18, 2), pa.decimal128(10, 2), pa.decimal128(38, 9)),
        *(pa.decimal128(38, 20), pa.decimal256(20, 2), pa.decimal256(38, 9), pa.float64(), pa.string()),
    ],
    ids=str,
)
def test_money_of_each_type_is_exact(tmp_path: Path, type_: pa.DataType) -> None:
    values = CENTS
    if type_ == pa.decimal32(9, 2):
        values = [amount % 1_000_000 for amount in CENTS]
    written: Any = list(map(str, values)) if type_ == pa.string() else values
    written = list(map(float, values)) if type_ == pa.float64() else written
    rows = segmented(tmp_path, {"amount": pa.array(written, type_)})
    assert [row["monetary"] for row in rows] == values


def test_a_float_of_32_bits_is_its_shortest_decimal(tmp_path: Path) -> None:
    rows = segmented(tmp_path, {"amount": pa.array([9.99, 1.1, 2.25], pa.float32())})
    assert [row["monetary"] for row in rows] == [Decimal("9.99"), Decimal("1.1"), Decimal("2.25")]


@pytest.mark.parametrize(
    ("type_", "name"),
    [
        (pa.decimal256(76, 38), "DECIMAL(76,38)"),
        (pa.decimal256(39, 2), "DECIMAL(39,2)"),
        (pa.float16(), "FLOAT16"),
    ],
)
def test_numbers_that_duckdb_does_not_read_exactly_are_refused(
    tmp_path: Path, type_: pa.DataType, name: str
) -> None:
    """DuckDB reads 78845510.90 of a BIGNUMERIC as 78845510.89999999, and 1.1 in 16 bits as 1.0996094."""
    written: list[Any] = [1.5, 2.5, 3.5] if type_ == pa.float16() else CENTS
    values = (
        pa.array(written, pa.float32()).cast(type_) if type_ == pa.float16() else pa.array(written, type_)
    )
    message = "The role amount takes an exact number, but the column `amount` is"
    assert refusal(tmp_path, {"amount": values}) == f"{message} {name}."
    # A column that plays no role, also inside another one, is no obstacle.
    beside = pa.StructArray.from_arrays([values], ["inner"])
    assert len(segmented(tmp_path, {"note": values, "more": beside})) == 3


@pytest.mark.parametrize(
    "values",
    [
        pa.array([[1, 2], None, []]),
        pa.array([{"a": {"b": [1]}}, None, {"a": None}]),
        pa.array([[("a", 1)], None, []], pa.map_(pa.string(), pa.int64())),
        pa.array([b"\xff", None, b""]),
        pa.nulls(3),
        pa.array([timedelta(1), None, timedelta(2)]),
        pa.array([time(1), None, time(3)], pa.time64("ns")),
        instants.cast(pa.timestamp("ns", "UTC")),
        pa.array(["{}", None, "[]"], pa.json_()),
    ],
    ids=lambda values: str(values.type),
)
def test_columns_of_any_type_beside_the_orders_are_no_obstacle(tmp_path: Path, values: pa.Array) -> None:
    assert len(segmented(tmp_path, {"extra": values})) == 3


FRAME = {
    "customer_id": ["a", "b", "c"],
    "order_id": [1, 2, 3],
    "ordered_at": INSTANTS,
    "amount": [1.1, 2.2, 3.3],
}


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("backend", ["numpy", "pyarrow"])
def test_a_file_of_pandas_is_read(tmp_path: Path, unit: str, backend: str) -> None:
    frame = pd.DataFrame(FRAME)
    frame["ordered_at"] = frame["ordered_at"].dt.as_unit(unit)
    frame["customer_id"] = frame["customer_id"].astype("category")
    frame = frame.convert_dtypes(dtype_backend="pyarrow") if backend == "pyarrow" else frame
    frame.to_parquet(tmp_path / "orders.parquet")
    check_frame(tmp_path)


@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
def test_a_file_of_polars_is_read(tmp_path: Path, unit: Any) -> None:
    frame = pl.DataFrame(FRAME).with_columns(
        pl.col("ordered_at").dt.cast_time_unit(unit), pl.col("customer_id").cast(pl.Categorical)
    )
    frame.write_parquet(tmp_path / "orders.parquet")
    check_frame(tmp_path)


def check_frame(folder: Path) -> None:
    rows = rfm.segment(folder / "orders.parquet", timezone="Europe/Berlin").to_arrow().to_pylist()
    found = sorted((row["customer_id"], row["last_order_date"], row["monetary"]) for row in rows)
    amounts = [Decimal("1.1"), Decimal("2.2"), Decimal("3.3")]
    assert found == list(zip("abc", NEXT_DAYS, amounts, strict=True))
