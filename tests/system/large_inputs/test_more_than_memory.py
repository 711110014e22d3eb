"""Sources whose groups exceed the memory limit are partitioned; smaller sources are not sampled."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import pytest

from rfm_pipeline.common.partitioned_query import PartitionedQuery
from rfm_pipeline.source.base import OpenedSource
from rfm_pipeline.warehouse.duckdb.partitioned import (
    estimate_line_count,
    materialize_partitioned,
    required_partition_count,
)
from support.cli import Rfm

LINES = 3_000_000


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a file of one-line orders, some without a customer, some returned; grouping takes 360 MB."""
    file = tmp_path_factory.mktemp("shop") / "lines.parquet"
    with duckdb.connect() as connection:
        connection.execute(f"""
            COPY (
              SELECT
                'order number ' || line AS order_id,
                CASE WHEN hash(line) % 50 > 0 THEN 'C' || hash(line, 1) % 40_000 END AS customer_id,
                DATE '2024-01-01' + (line // {LINES // 365})::INTEGER AS ordered_at,
                (hash(line, 2) % 20)::INTEGER - 1 AS quantity,
                (hash(line, 3) % 10_000 / 100)::DECIMAL(9, 2) AS unit_price
              FROM range({LINES}) AS lines(line)
            ) TO '{file}' (FORMAT parquet)
        """)
    return file


def test_the_result_does_not_depend_on_the_memory_limit(
    shop: Path, rfm: Rfm, monkeypatch: pytest.MonkeyPatch
) -> None:
    partition_counts: list[int] = []

    def materialize(*arguments: Any, count: int, **options: Any) -> None:
        partition_counts.append(count)
        materialize_partitioned(*arguments, count=count, **options)

    monkeypatch.setattr("rfm_pipeline.warehouse.duckdb.warehouse.materialize_partitioned", materialize)
    arguments = ("run", shop, "--json")
    much = rfm(*arguments, "--memory-limit", "4GB", "--to", "duckdb:much.duckdb")
    assert partition_counts == []
    little = rfm(*arguments, "--memory-limit", "140MB", "--to", "duckdb:little.duckdb")
    assert much.code == little.code == 0, little.stderr
    assert len(partition_counts) == 1
    assert partition_counts[0] > 3
    run_specific = dict.fromkeys(("run_id", "duration_s", "destination"))
    assert {**little.json, **run_specific} == {**much.json, **run_specific}
    with duckdb.connect() as connection:
        connection.execute(
            "ATTACH 'much.duckdb' AS much (READ_ONLY); ATTACH 'little.duckdb' AS little (READ_ONLY)"
        )
        differences = connection.execute("""
            SELECT COUNT(*) FROM (
              FROM much.rfm_segments SELECT * EXCLUDE (run_id)
              EXCEPT ALL
              FROM little.rfm_segments SELECT * EXCLUDE (run_id)
            )
        """).fetchall()
    assert differences == [(0,)]


def connect_with_memory_limit(memory: str) -> duckdb.DuckDBPyConnection:
    return duckdb.connect(config={"memory_limit": memory})


def partitioned_query(lines: str, customer: str = "'C' || line") -> PartitionedQuery:
    """Return a step over `lines` lines, with ten lines per order."""
    return PartitionedQuery(
        input_sql=f"SELECT {customer} AS customer_id, line // 10 AS order_id FROM range({lines}) AS r(line)",
        partition_key="customer_id",
        group_count_sql=(
            "SELECT COUNT(DISTINCT order_id) AS groups FROM part_of_lines WHERE customer_id IS NOT NULL"
        ),
        partition_sql="SELECT COUNT(*) FROM part_of_lines",
    )


def test_small_sources_are_not_sampled() -> None:
    invalid = PartitionedQuery(input_sql="no SQL", partition_key="", group_count_sql="", partition_sql="")
    with connect_with_memory_limit("100MB") as connection:
        assert required_partition_count(connection, invalid, 1_000_000) == 1


def test_lines_per_order_are_estimated_from_the_first_lines() -> None:
    with connect_with_memory_limit("100MB") as connection:
        # The groups would take 12 GB if each line were an order; ten lines are one order.
        count = required_partition_count(connection, partitioned_query("200_000"), 100_000_000)
        assert 30 <= count <= 40
        assert required_partition_count(connection, partitioned_query("200_000"), 15_000_000) == 1
        assert connection.execute("SELECT COUNT(*) FROM duckdb_tables()").fetchone() == (0,)


def test_columns_whose_type_parquet_would_change_are_not_partitioned() -> None:
    with connect_with_memory_limit("100MB") as connection:
        huge = partitioned_query("200_000", "line::HUGEINT")
        assert required_partition_count(connection, huge, 100_000_000) == 1


def test_excluded_lines_do_not_affect_the_estimate_of_lines_per_order() -> None:
    with connect_with_memory_limit("100MB") as connection:
        late = partitioned_query("200_000", "CASE WHEN line >= 199_990 THEN 'C' END")
        assert required_partition_count(connection, late, 100_000_000) > 300


def test_text_columns_with_a_collation_are_not_partitioned() -> None:
    with connect_with_memory_limit("100MB") as connection:
        assert required_partition_count(connection, partitioned_query("200_000"), 100_000_000) > 1
        connection.execute("CREATE TABLE lines(customer VARCHAR COLLATE nocase)")
        assert required_partition_count(connection, partitioned_query("200_000"), 100_000_000) == 1


@pytest.mark.parametrize("name", ["a[b]c", "it's", "a*?"])
def test_the_partition_folder_may_have_special_characters(name: str, tmp_path: Path) -> None:
    step = PartitionedQuery(
        input_sql="SELECT line % 9 AS customer_id FROM range(1_000) AS r(line)",
        partition_key="customer_id",
        group_count_sql="",
        partition_sql="SELECT customer_id, COUNT(*) AS lines FROM part_of_lines GROUP BY 1",
    )
    (tmp_path / name).mkdir()
    with connect_with_memory_limit("100MB") as connection:
        materialize_partitioned(connection, "made", step, count=3, folder=tmp_path / name / "parts")
        assert connection.execute("SELECT COUNT(*), SUM(lines) FROM made").fetchall() == [(9, 1_000)]
    assert not list((tmp_path / name).iterdir())


def test_no_files_are_left_after_a_failure(tmp_path: Path) -> None:
    lines = "SELECT line % 9 AS customer_id FROM range(1_000) AS r(line)"
    wrong = "SELECT error('stopped at ' || customer_id) AS customer_id FROM part_of_lines"
    step = PartitionedQuery(
        input_sql=lines, partition_key="customer_id", group_count_sql="", partition_sql=wrong
    )
    with connect_with_memory_limit("100MB") as connection, pytest.raises(duckdb.Error, match="stopped"):
        materialize_partitioned(connection, "made", step, count=3, folder=tmp_path / "parts")
    assert not list(tmp_path.iterdir())


def test_a_later_step_is_sized_by_the_row_count_of_the_previous_step(
    rfm: Rfm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "lines.parquet"
    with duckdb.connect() as connection:
        connection.execute(f"""
            COPY (
              SELECT
                'C' || line // 1_000 AS customer_id,
                'O' || line // 100 AS order_id,
                DATE '2024-01-01' AS ordered_at,
                1.5::DECIMAL(9, 2) AS amount
              FROM range(200_000) AS lines(line)
            ) TO '{file}' (FORMAT parquet)
        """)
    line_counts: list[int | None] = []

    def count_partitions(*arguments: Any) -> int:
        line_counts.append(arguments[2])
        return required_partition_count(*arguments)

    monkeypatch.setattr("rfm_pipeline.warehouse.duckdb.warehouse.required_partition_count", count_partitions)
    assert rfm("run", file, "--window", "12 months").code == 0
    assert line_counts == [200_000, 2_000]


@pytest.mark.parametrize(
    ("name", "rows", "size", "expected"),
    [
        ("lines.parquet", 5, 999, 5),
        ("lines.csv", None, 3_000, 100),
        ("lines.csv.gz", None, 3_000, 500),
        ("view", None, None, None),
    ],
)
def test_the_line_count_is_taken_from_the_source_or_estimated_from_its_size(
    name: str, rows: int | None, size: int | None, expected: int | None
) -> None:
    opened = OpenedSource(name, name, (), "CSV", (Path(name),), size, rows, ())
    assert estimate_line_count(opened) == expected
