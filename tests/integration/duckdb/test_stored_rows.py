"""The rows of each date are stored once: the views over them, and destinations that stored them twice."""

from __future__ import annotations

from contextlib import closing
from datetime import date
from decimal import ROUND_HALF_UP, Decimal, localcontext
from pathlib import Path

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rfm_pipeline.config.destination_location import DuckDBDestinationLocation
from rfm_pipeline.config.engines import DuckDBSettings
from rfm_pipeline.errors import WarehouseError
from rfm_pipeline.results.run_history import tables_of
from rfm_pipeline.results.tables import RESULT_COLUMNS
from rfm_pipeline.sql.dialects.registry import dialect_of
from rfm_pipeline.sql.publication import Publication
from rfm_pipeline.sql.stored_rows import publish_rows_sql, view_sql
from rfm_pipeline.warehouse.duckdb.schema import COLUMN_TYPES
from rfm_pipeline.warehouse.local_destination import open_local_destination
from support.cli import Rfm
from support.orders import refused
from support.shops import (
    check_consistency,
    current,
    day,
    history,
    rows_of,
    runs,
    store_in_tables,
    write_orders,
)

DATES = (10, 20, 30)


@pytest.fixture(scope="module")
def content() -> list[bytes]:
    """Return the content of the destination of `published`, which the first test makes."""
    return []


@pytest.fixture
def published(content: list[bytes], tmp_path: Path, rfm: Rfm) -> Path:
    """A destination with results as of three days, of which the second is current again."""
    write_orders(tmp_path)
    file = tmp_path / "rfm.duckdb"
    if not content:
        for number in DATES:
            assert rfm("run", "orders.csv", "--as-of", day(number)).code == 0
        assert rfm("rollback").code == 0
        content.append(file.read_bytes())
    file.write_bytes(content[0])
    return file


def seen(file: Path) -> dict[str, object]:
    """Return all that readers see."""
    return {"current": current(file), "history": history(file, with_run_id=True), "runs": runs(file)}


def is_stored_once(file: Path) -> bool:
    tables = rows_of(file, "SELECT table_name AS name FROM duckdb_tables() ORDER BY 1")
    return [table["name"] for table in tables] == [
        "rfm_segments_dates",
        "rfm_segments_rows",
        "rfm_segments_runs",
    ]


def test_the_views_have_the_columns_types_and_comments_of_the_published_tables(published: Path) -> None:
    for view in ("rfm_segments", "rfm_segments_history"):
        columns = rows_of(
            published,
            "SELECT column_name AS name, data_type AS type, comment FROM duckdb_columns()"
            f" WHERE table_name = '{view}' ORDER BY column_index",
        )
        assert [(column["name"], column["type"], column["comment"]) for column in columns] == [
            (name, COLUMN_TYPES[about.holds], about.description) for name, about in RESULT_COLUMNS.items()
        ]


def test_a_row_is_stored_once_and_a_rollback_moves_no_row(published: Path, rfm: Rfm) -> None:
    stored = rows_of(published, "SELECT rowid, * FROM rfm_segments_rows")
    assert len(stored) == sum(len(rows) for rows in history(published).values())
    assert rows_of(
        published, "SELECT as_of_date::VARCHAR AS day FROM rfm_segments_dates WHERE is_current"
    ) == [{"day": day(20)}]
    assert rfm("rollback").code == 0
    assert rows_of(published, "SELECT rowid, * FROM rfm_segments_rows") == stored
    assert {row["as_of_date"].isoformat() for row in current(published)} == {day(10)}
    check_consistency(published)


@pytest.mark.slow
@pytest.mark.parametrize("bins", [4, 10])
def test_the_view_derives_what_the_run_computed(bins: int, tmp_path: Path, rfm: Rfm) -> None:
    write_orders(tmp_path)
    (tmp_path / "rfm.toml").write_text(
        f'[scoring]\nbins = {bins}\n[segments]\nfallback = "Others"\n'
        '[[segments.rules]]\nsegment = "Best"\nr = ">=2"\n',
        encoding="utf-8",
    )
    ended = rfm("run", "orders.csv", "--output", "segments.parquet")
    assert ended.code == 0, ended.stderr
    written = rows_of(tmp_path / "rfm.duckdb", f"FROM '{tmp_path / 'segments.parquet'}' ORDER BY customer_id")
    assert rows_of(tmp_path / "rfm.duckdb", "FROM rfm_segments ORDER BY customer_id") == written
    assert ("-" in written[0]["rfm_score"]) == (bins == 10)


@pytest.mark.slow
@given(
    monetary=st.decimals("-1e18", "1e18", places=9, allow_nan=False),
    frequency=st.integers(1, 10_000_000),
)
def test_an_average_is_derived_as_a_run_computes_it(monetary: Decimal, frequency: int) -> None:
    with duckdb.connect() as connection:
        connection.execute(
            "CREATE TABLE t_dates AS SELECT DATE '2024-01-01' AS as_of_date, 'a' AS run_id,"
            " '' AS score_separator, TRUE AS is_current"
        )
        connection.execute(
            "CREATE TABLE t_rows AS SELECT DATE '2024-01-01' AS as_of_date, 'c' AS customer_id,"
            f" {frequency}::BIGINT AS frequency, {monetary:f}::DECIMAL(38, 9) AS monetary,"
            " DATE '2024-01-01' AS first_order_date, DATE '2024-01-01' AS last_order_date, 1 AS r_score,"
            " 1 AS f_score, 1 AS m_score, 'x' AS segment, 'x' AS previous_segment,"
            " DATE '2024-01-01' AS segment_since"
        )
        view = view_sql("current", "t_rows", "t_dates", dialect_of("duckdb"))
        (row,) = connection.execute(f"SELECT avg_order_value FROM ({view})").fetchall()
    with localcontext(prec=60):
        assert row == ((monetary / frequency).quantize(Decimal("1e-9"), ROUND_HALF_UP),)


@pytest.mark.slow
def test_retention_removes_the_rows_and_the_dates_that_are_older(published: Path, rfm: Rfm) -> None:
    published.with_name("rfm.toml").write_text('[history]\nkeep = "15 days"\n', encoding="utf-8")
    assert rfm("run", "orders.csv", "--as-of", day(30)).code == 0
    for table in ("rows", "dates"):
        dates = rows_of(published, f"SELECT DISTINCT as_of_date::VARCHAR AS day FROM rfm_segments_{table}")
        assert sorted(row["day"] for row in dates) == [day(20), day(30)]
    check_consistency(published)


@pytest.mark.slow
def test_retention_never_removes_the_current_date(published: Path) -> None:
    with open_local_destination(DuckDBDestinationLocation(published), DuckDBSettings()) as destination:
        tables, later = tables_of(destination), date.fromisoformat(day(90))
        staged = f"(FROM {tables.history} WHERE FALSE) AS staged"
        publication = Publication(staged, later, replaces_current=False, history_from=later)
        destination.apply(publish_rows_sql(tables, publication, dialect_of("duckdb")), "publish")
    assert list(history(published)) == [day(20)]
    assert {row["as_of_date"].isoformat() for row in current(published)} == {day(20)}


@pytest.mark.slow
@pytest.mark.parametrize(
    "command",
    [
        ("run", "orders.csv", "--as-of", day(40)),
        ("backfill", "orders.csv", "--from", day(5), "--until", day(5)),
        ("calibrate", "orders.csv", "--as-of", day(40)),
        ("rollback",),
        ("forget", "c001"),
    ],
    ids=lambda command: command[0],
)
def test_a_destination_with_two_tables_is_converted_by_the_next_change(
    command: tuple[str, ...], published: Path, rfm: Rfm
) -> None:
    expected = published.with_name("expected.duckdb")
    expected.write_bytes(published.read_bytes())
    store_in_tables(published)
    assert seen(published) == seen(expected)
    assert rfm(*command, "--to", "duckdb:expected.duckdb").code == 0
    content = published.read_bytes()
    assert rfm("transitions").code == rfm("report").code == rfm("runs").code == 0
    assert published.read_bytes() == content
    ended = rfm(*command)
    assert ended.code == 0, ended.stderr
    assert is_stored_once(published)
    without_ids = "SELECT * EXCLUDE (run_id) FROM {} ORDER BY ALL"
    for view in ("rfm_segments", "rfm_segments_history"):
        assert rows_of(published, without_ids.format(view)) == rows_of(expected, without_ids.format(view))
    # The checksums on record are those of the rows. After the rollback there is no date to compare with.
    codes = [rfm("transitions", *to).code for to in ((), ("--to", "duckdb:expected.duckdb"))]
    assert codes == ([2, 2] if command[0] == "rollback" else [0, 0])


@pytest.mark.slow
@pytest.mark.parametrize("table", ["rfm_segments", "rfm_segments_history"])
def test_one_of_two_tables_is_enough_for_a_conversion(table: str, published: Path, rfm: Rfm) -> None:
    before, dates = current(published), history(published)
    store_in_tables(published)
    with closing(duckdb.connect(str(published))) as connection:
        connection.execute(f"DROP TABLE {table}")
    assert rfm("calibrate", "orders.csv").code == 0
    assert is_stored_once(published)
    if table == "rfm_segments":
        assert current(published) == []
        assert history(published) == dates
    else:
        assert current(published) == before
        assert list(history(published)) == [day(20)]


@pytest.mark.slow
def test_a_table_of_another_program_is_refused_by_the_conversion_only(published: Path, rfm: Rfm) -> None:
    store_in_tables(published)
    with closing(duckdb.connect(str(published))) as connection:
        connection.execute("CREATE TABLE rfm_segments_dates AS SELECT 1 AS a")
    before = seen(published)
    assert rfm("transitions").code == rfm("runs").code == rfm("report").code == 0
    sentence, hint = refused(rfm("run", "orders.csv", "--as-of", day(40)))
    assert sentence == (
        "rfm_segments_dates in rfm.duckdb is not a table of rfm, which needs its name for the stored dates of"
        " rfm_segments."
    )
    assert hint.startswith("rename it with ALTER TABLE, or choose another table")
    assert seen(published) == before


@pytest.mark.slow
def test_a_destination_of_format_1_may_have_the_name_of_another_ones_rows(tmp_path: Path, rfm: Rfm) -> None:
    write_orders(tmp_path)
    for table in ("shop", "shop_rows"):
        assert rfm("run", "orders.csv", "--to", f"duckdb:{table}.duckdb#{table}").code == 0
        store_in_tables(tmp_path / f"{table}.duckdb", table)
    with closing(duckdb.connect(str(tmp_path / "shop.duckdb"))) as connection:
        connection.execute(f"ATTACH '{tmp_path / 'shop_rows.duckdb'}' AS other")
        connection.execute("COPY FROM DATABASE other TO shop")
    for table in ("shop", "shop_rows"):
        assert rfm("runs", "--to", f"duckdb:shop.duckdb#{table}").code == 0
    assert rfm("run", "orders.csv", "--to", "duckdb:shop.duckdb#shop_rows").code == 0
    sentence, _ = refused(rfm("run", "orders.csv", "--to", "duckdb:shop.duckdb#shop"))
    assert "is not a table of rfm, which needs its name for the stored rows of shop." in sentence


@pytest.mark.slow
def test_a_view_that_was_replaced_is_made_again_by_the_next_publish(published: Path, rfm: Rfm) -> None:
    with closing(duckdb.connect(str(published))) as connection:
        connection.execute("CREATE OR REPLACE VIEW rfm_segments AS FROM rfm_segments_history")
    assert rfm("run", "orders.csv", "--as-of", day(40)).code == 0
    assert {row["as_of_date"].isoformat() for row in current(published)} == {day(40)}
    check_consistency(published)


@pytest.mark.slow
def test_a_database_that_was_exported_and_imported_is_the_same_destination(published: Path, rfm: Rfm) -> None:
    before, exported = seen(published), published.with_name("exported")
    with closing(duckdb.connect(str(published))) as connection:
        connection.execute(f"EXPORT DATABASE '{exported}'")
    published.unlink()
    with closing(duckdb.connect(str(published))) as connection:
        connection.execute(f"IMPORT DATABASE '{exported}'")
    assert rfm("runs").code == 0
    assert seen(published) == before
    assert rfm("run", "orders.csv", "--as-of", day(40)).code == 0
    check_consistency(published)


@pytest.mark.slow
def test_a_failed_change_leaves_two_tables_as_they_were(published: Path) -> None:
    store_in_tables(published)
    before = seen(published)
    with open_local_destination(DuckDBDestinationLocation(published), DuckDBSettings()) as destination:
        tables = tables_of(destination)
        with pytest.raises(WarehouseError):
            destination.apply([f"DELETE FROM {tables.rows}", "DELETE FROM nowhere"], "publish")
    assert seen(published) == before
    assert not is_stored_once(published)


@pytest.mark.slow
def test_tables_of_the_reader_do_not_come_before_those_of_the_file(published: Path) -> None:
    with duckdb.connect() as connection:
        connection.execute("CREATE TABLE rfm_segments_rows AS SELECT 1 AS a")
        connection.execute(f"ATTACH '{published}' AS shop (READ_ONLY)")
        counted = connection.execute("SELECT COUNT(*) FROM shop.rfm_segments").fetchone()
    assert counted == (len(current(published)),)
