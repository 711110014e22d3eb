"""Sources whose orders outgrow the memory are cut into parts; others are not even looked at for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import pytest

from rfm_pipeline.common.partitioned_query import PartitionedQuery
from rfm_pipeline.source.base import OpenedSource
from rfm_pipeline.warehouse.duckdb import partitioned as duckdb_parts
from rfm_pipeline.warehouse.duckdb.partitioned import create_in_parts, estimated_lines, parts_needed
from support.cli import Rfm

LINES = 3_000_000


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Orders of one line each, some with no customer and some returned: 360 MB while they are added up."""
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


def test_a_run_within_little_memory_gives_what_one_within_much_gives(
    shop: Path, rfm: Rfm, monkeypatch: pytest.MonkeyPatch
) -> None:
    cuts: list[int] = []

    def told_of(*given: Any, count: int, **more: Any) -> None:
        cuts.append(count)
        duckdb_parts.create_in_parts(*given, count=count, **more)

    monkeypatch.setattr("rfm_pipeline.warehouse.duckdb.warehouse.create_in_parts", told_of)
    asked = ("run", shop, "--json")
    much = rfm(*asked, "--memory-limit", "4GB", "--to", "duckdb:much.duckdb")
    assert cuts == []
    little = rfm(*asked, "--memory-limit", "140MB", "--to", "duckdb:little.duckdb")
    assert much.code == little.code == 0, little.stderr
    assert len(cuts) == 1
    assert cuts[0] > 3
    own = dict.fromkeys(("run_id", "duration_s", "destination"))
    assert {**little.json, **own} == {**much.json, **own}
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


def limited(memory: str) -> duckdb.DuckDBPyConnection:
    return duckdb.connect(config={"memory_limit": memory})


def cut(lines: str, customer: str = "'C' || line") -> PartitionedQuery:
    """A step that adds up `line // 10` by customer, over so many lines."""
    return PartitionedQuery(
        input_sql=f"SELECT {customer} AS customer_id, line // 10 AS order_id FROM range({lines}) AS r(line)",
        partition_key="customer_id",
        group_count_sql="SELECT COUNT(DISTINCT order_id) AS groups FROM part_of_lines WHERE customer_id IS NOT NULL",
        partition_sql="SELECT COUNT(*) FROM part_of_lines",
    )


def test_what_fits_is_not_looked_at() -> None:
    nonsense = PartitionedQuery(input_sql="no SQL", partition_key="", group_count_sql="", partition_sql="")
    with limited("100MB") as connection:
        assert parts_needed(connection, nonsense, 1_000_000) == 1


def test_orders_are_counted_at_the_head_of_the_source() -> None:
    with limited("100MB") as connection:
        # 12 GB if each were an order; ten of them are one.
        found = parts_needed(connection, cut("200_000"), 100_000_000)
        assert 30 <= found <= 40
        assert parts_needed(connection, cut("200_000"), 15_000_000) == 1
        assert connection.execute("SELECT COUNT(*) FROM duckdb_tables()").fetchone() == (0,)


def test_what_a_file_would_change_is_not_cut() -> None:
    with limited("100MB") as connection:
        huge = cut("200_000", "line::HUGEINT")
        assert parts_needed(connection, huge, 100_000_000) == 1


def test_lines_that_are_excluded_do_not_tell_how_many_an_order_has() -> None:
    with limited("100MB") as connection:
        late = cut("200_000", "CASE WHEN line >= 199_990 THEN 'C' END")
        assert parts_needed(connection, late, 100_000_000) > 300


def test_a_text_that_is_compared_in_another_way_than_it_is_hashed_is_not_cut() -> None:
    with limited("100MB") as connection:
        assert parts_needed(connection, cut("200_000"), 100_000_000) > 1
        connection.execute("CREATE TABLE lines(customer VARCHAR COLLATE nocase)")
        assert parts_needed(connection, cut("200_000"), 100_000_000) == 1


@pytest.mark.parametrize("name", ["a[b]c", "it's", "a*?"])
def test_the_folder_of_the_parts_may_have_any_name(name: str, tmp_path: Path) -> None:
    step = PartitionedQuery(
        input_sql="SELECT line % 9 AS customer_id FROM range(1_000) AS r(line)",
        partition_key="customer_id",
        group_count_sql="",
        partition_sql="SELECT customer_id, COUNT(*) AS lines FROM part_of_lines GROUP BY 1",
    )
    (tmp_path / name).mkdir()
    with limited("100MB") as connection:
        create_in_parts(connection, "made", step, count=3, folder=tmp_path / name / "parts")
        assert connection.execute("SELECT COUNT(*), SUM(lines) FROM made").fetchall() == [(9, 1_000)]
    assert not list((tmp_path / name).iterdir())


def test_where_a_part_can_not_be_added_up_nothing_is_left(tmp_path: Path) -> None:
    lines = "SELECT line % 9 AS customer_id FROM range(1_000) AS r(line)"
    wrong = "SELECT error('stopped at ' || customer_id) AS customer_id FROM part_of_lines"
    step = PartitionedQuery(
        input_sql=lines, partition_key="customer_id", group_count_sql="", partition_sql=wrong
    )
    with limited("100MB") as connection, pytest.raises(duckdb.Error, match="stopped"):
        create_in_parts(connection, "made", step, count=3, folder=tmp_path / "parts")
    assert not list(tmp_path.iterdir())


def test_a_later_step_is_sized_by_the_rows_of_the_step_before_it(
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
    sized: list[int | None] = []

    def told(*given: Any) -> int:
        sized.append(given[2])
        return parts_needed(*given)

    monkeypatch.setattr("rfm_pipeline.warehouse.duckdb.warehouse.parts_needed", told)
    assert rfm("run", file, "--window", "12 months").code == 0
    assert sized == [200_000, 2_000]


@pytest.mark.parametrize(
    ("name", "rows", "size", "expected"),
    [
        ("lines.parquet", 5, 999, 5),
        ("lines.csv", None, 3_000, 100),
        ("lines.csv.gz", None, 3_000, 500),
        ("view", None, None, None),
    ],
)
def test_a_source_has_as_many_lines_as_it_says_or_about_as_many_as_its_size_holds(
    name: str, rows: int | None, size: int | None, expected: int | None
) -> None:
    opened = OpenedSource(name, name, (), "CSV", (Path(name),), size, rows, ())
    assert estimated_lines(opened) == expected
