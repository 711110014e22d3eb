"""The synthetic shop has the exact number of lines, is reproducible, and counts its faults correctly."""

from __future__ import annotations

import hashlib
from datetime import date
from pathlib import Path

import duckdb
import pytest

from rfm_pipeline.demo import Shop, write_shop
from rfm_pipeline.errors import UsageError

END = date(2025, 12, 31)

# The first reason to exclude a line, derived from the semantics and not from the generator.
REASONS_SQL = """
CREATE VIEW judged AS
SELECT
  *,
  TRY_CAST(ordered_at AS TIMESTAMP)::DATE AS day,
  TRY_CAST(unit_price AS DECIMAL(18, 4)) AS price,
  CASE
    WHEN customer_id IS NULL OR TRIM(customer_id) = '' THEN 'missing_customer'
    WHEN order_id IS NULL OR TRIM(order_id) = '' THEN 'missing_order'
    WHEN day IS NULL THEN 'invalid_date'
    WHEN price IS NULL THEN 'invalid_amount'
    WHEN day > getvariable('last_day') THEN 'future_dated'
    WHEN quantity <= 0 THEN 'non_positive_quantity'
    WHEN price <= 0 THEN 'non_positive_price'
    ELSE 'kept'
  END AS reason
FROM shop
"""


def judged(path: Path, end: date = END) -> duckdb.DuckDBPyConnection:
    """Return a connection with the views `shop` (the file) and `judged` (with each line's first reason)."""
    connection = duckdb.connect()
    connection.execute("SET VARIABLE last_day = ?::DATE", [end])
    if path.suffix == ".csv":
        connection.read_csv(
            str(path),
            header=True,
            all_varchar=True,
        ).project("* REPLACE (quantity::INTEGER AS quantity)").create_view("shop")
    else:
        connection.read_parquet(str(path)).create_view("shop")
    connection.execute(REASONS_SQL)
    return connection


def one(connection: duckdb.DuckDBPyConnection, query: str) -> object:
    row = connection.execute(query).fetchone()
    assert row is not None
    return row[0]


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def default_shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    return write_shop(tmp_path_factory.mktemp("demo") / "shop.parquet")


@pytest.fixture(scope="module")
def default_lines(default_shop: Shop) -> duckdb.DuckDBPyConnection:
    return judged(default_shop.path)


# Size and repeatability


@pytest.mark.matrix
@pytest.mark.parametrize(
    ("name", "lines", "seed"),
    [
        ("shop.parquet", 1, 7),
        ("shop.csv", 2, 7),
        ("shop.parquet", 7, 7),
        ("shop.csv", 999, 7),
        ("shop.parquet", 50_000, 7),
        ("shop.csv", 50_001, 11),
    ],
)
def test_a_shop_has_the_requested_number_of_lines_and_the_counted_faults(
    tmp_path: Path, name: str, lines: int, seed: int
) -> None:
    shop = write_shop(tmp_path / name, lines=lines, seed=seed)
    counts = judged(shop.path).execute("SELECT reason, COUNT(*) FROM judged GROUP BY reason").fetchall()
    by_reason = dict(counts)
    assert sum(by_reason.values()) == shop.lines == lines
    assert by_reason.pop("kept") == shop.kept
    assert by_reason == {reason: count for reason, count in shop.excluded.items() if count}


@pytest.mark.slow
def test_the_same_seed_writes_the_same_bytes_on_any_number_of_threads(tmp_path: Path) -> None:
    lines = 300_000  # several row groups of a file
    alone = write_shop(tmp_path / "alone.csv", lines=lines, threads=1)
    shared = write_shop(tmp_path / "shared.csv", lines=lines, threads=2)
    assert digest(alone.path) == digest(shared.path)
    assert alone.excluded == shared.excluded


def test_the_shop_is_the_same_on_every_platform_and_version_of_duckdb(tmp_path: Path) -> None:
    shop = write_shop(tmp_path / "shop.csv", lines=999)
    assert digest(shop.path) == "664342f5c186e6e3c2e64250d31ac3f330070b266f5af881e51cc24261cb85f1"


@pytest.mark.slow
def test_another_seed_makes_another_shop_of_the_same_size(tmp_path: Path) -> None:
    seven = write_shop(tmp_path / "seven.parquet", lines=2_000, seed=7)
    eight = write_shop(tmp_path / "eight.parquet", lines=2_000, seed=-8)
    one_shop = set(judged(seven.path).execute("FROM shop").fetchall())
    other_shop = set(judged(eight.path).execute("FROM shop").fetchall())
    assert len(one_shop & other_shop) < 20


@pytest.mark.slow
def test_parquet_and_csv_hold_the_same_rows_in_the_same_order(tmp_path: Path) -> None:
    as_parquet = write_shop(tmp_path / "shop.parquet", lines=5_000)
    as_csv = write_shop(tmp_path / "shop.CSV", lines=5_000)
    as_csv.path.rename(tmp_path / "shop.csv")
    rows = judged(as_parquet.path).execute("FROM shop").fetchall()
    assert judged(tmp_path / "shop.csv").execute("FROM shop").fetchall() == rows
    assert len(rows) == 5_000


@pytest.mark.slow
def test_dates_and_prices_are_text_in_parquet_too(default_lines: duckdb.DuckDBPyConnection) -> None:
    columns = default_lines.execute("DESCRIBE shop").fetchall()
    assert [(name, kind) for name, kind, *_ in columns] == [
        ("customer_id", "VARCHAR"),
        ("order_id", "VARCHAR"),
        ("ordered_at", "VARCHAR"),
        ("product", "VARCHAR"),
        ("quantity", "INTEGER"),
        ("unit_price", "VARCHAR"),
        ("country", "VARCHAR"),
    ]


# Faults


@pytest.mark.slow
def test_a_shop_of_the_default_size_has_every_fault_and_is_mostly_clean(
    default_shop: Shop,
) -> None:
    assert min(default_shop.excluded.values()) > 0
    assert default_shop.returns == default_shop.non_positive_quantity
    assert 0.90 < default_shop.kept / default_shop.lines < 0.98


def test_each_dirty_line_has_exactly_one_fault(default_lines: duckdb.DuckDBPyConnection) -> None:
    most_faults = one(
        default_lines,
        """
        SELECT MAX(
          (customer_id IS NULL)::INTEGER + (order_id IS NULL)::INTEGER + (day IS NULL)::INTEGER
          + (price IS NULL)::INTEGER + COALESCE(day > getvariable('last_day'), false)::INTEGER
          + (quantity <= 0)::INTEGER + COALESCE(price <= 0, false)::INTEGER
        )
        FROM judged
        """,
    )
    assert most_faults == 1


def test_returns_and_only_returns_are_invoices_that_begin_with_c(
    default_lines: duckdb.DuckDBPyConnection,
) -> None:
    mismatches = one(
        default_lines,
        "SELECT COUNT(*) FROM shop WHERE (quantity < 0) <> COALESCE(order_id LIKE 'C%', false)",
    )
    assert mismatches == 0


def test_an_order_has_one_customer_and_one_timestamp(default_lines: duckdb.DuckDBPyConnection) -> None:
    inconsistent = one(
        default_lines,
        """
        SELECT COUNT(*)
        FROM (
          SELECT order_id
          FROM judged
          WHERE reason = 'kept'
          GROUP BY order_id
          HAVING COUNT(DISTINCT customer_id) > 1 OR COUNT(DISTINCT ordered_at) > 1
        )
        """,
    )
    assert inconsistent == 0


# With these seeds, the random numbers would make the only order a guest's (1), a return (22) or faulty (74).
@pytest.mark.matrix
@pytest.mark.parametrize(
    ("lines", "seed", "end"),
    [
        (1, 1, END),
        (1, 22, date(2031, 7, 6)),
        (1, 74, END),
        (999, 7, END),
        (999, 7, date(2024, 2, 29)),
    ],
)
def test_the_newest_clean_order_is_on_the_last_day(tmp_path: Path, lines: int, seed: int, end: date) -> None:
    shop = write_shop(tmp_path / "shop.parquet", lines=lines, seed=seed, end=end)
    assert one(judged(shop.path, end), "SELECT MAX(day) FROM judged WHERE reason = 'kept'") == end


# Distributions


def test_the_default_shop_has_a_customer_in_each_of_the_ten_classic_segments(
    default_lines: duckdb.DuckDBPyConnection,
) -> None:
    segments = default_lines.execute(
        """
        WITH customers AS (
          SELECT
            customer_id,
            -(getvariable('last_day') - MAX(day)) AS r,
            COUNT(DISTINCT order_id) AS f,
            SUM(quantity * price) AS m
          FROM judged
          WHERE reason = 'kept'
          GROUP BY customer_id
        ),
        edges AS (
          SELECT
            QUANTILE_DISC(r, [0.25, 0.5, 0.75]) AS r_edges,
            QUANTILE_DISC(f, [0.25, 0.5, 0.75]) AS f_edges,
            QUANTILE_DISC(m, [0.25, 0.5, 0.75]) AS m_edges
          FROM customers
        ),
        scores AS (
          SELECT
            1 + LEN(LIST_FILTER(r_edges, LAMBDA edge: edge < c.r)) AS r,
            1 + LEN(LIST_FILTER(f_edges, LAMBDA edge: edge < c.f)) AS f,
            1 + LEN(LIST_FILTER(m_edges, LAMBDA edge: edge < c.m)) AS m
          FROM customers AS c CROSS JOIN edges
        )
        SELECT
          CASE
            WHEN r = 4 AND f = 4 AND m = 4 THEN 'Champions'
            WHEN r = 4 AND f = 4 THEN 'Loyal Customers'
            WHEN r >= 3 AND f >= 3 THEN 'Potential Loyalists'
            WHEN r = 4 THEN 'New Customers'
            WHEN r = 3 THEN 'Promising'
            WHEN r = 2 AND f >= 3 THEN 'Needs Attention'
            WHEN r = 2 THEN 'About to Sleep'
            WHEN f >= 3 THEN 'At-Risk'
            WHEN f = 2 THEN 'Hibernating'
            ELSE 'Lost'
          END AS segment,
          COUNT(*)
        FROM scores
        GROUP BY segment
        """
    )
    sizes = dict(segments.fetchall())
    assert len(sizes) == 10
    assert min(sizes.values()) >= 20


def test_there_are_many_one_time_buyers_few_loyal_customers_and_ties(
    default_lines: duckdb.DuckDBPyConnection,
) -> None:
    row = default_lines.execute(
        """
            WITH customers AS (
              SELECT
                COUNT(DISTINCT order_id) AS f,
                SUM(quantity * price) AS m
              FROM judged
              WHERE reason = 'kept'
              GROUP BY customer_id
            )
            SELECT
              COUNT(*) FILTER (WHERE f = 1) / COUNT(*),
              MAX(f),
              COUNT(*) - COUNT(DISTINCT m)
            FROM customers
            """
    ).fetchone()
    assert row is not None
    once, most_orders, tied = row
    assert 0.3 < once < 0.5
    assert most_orders > 100
    assert tied > 100


def test_december_and_saturdays_are_busy_and_sundays_quiet(default_lines: duckdb.DuckDBPyConnection) -> None:
    connection = default_lines
    by_month = dict(
        connection.execute(
            "SELECT MONTH(day), COUNT(*) FROM judged WHERE reason = 'kept' GROUP BY 1"
        ).fetchall()
    )
    by_weekday = dict(
        connection.execute(
            "SELECT ISODOW(day), COUNT(*) FROM judged WHERE reason = 'kept' GROUP BY 1"
        ).fetchall()
    )
    assert max(by_month, key=by_month.__getitem__) == 12
    assert by_month[12] > 2 * by_month[7]
    assert max(by_weekday, key=by_weekday.__getitem__) == 6
    assert min(by_weekday, key=by_weekday.__getitem__) == 7


def test_lines_are_in_chronological_order_of_days(default_lines: duckdb.DuckDBPyConnection) -> None:
    days = default_lines.execute(
        "SELECT day FROM judged WHERE reason NOT IN ('invalid_date', 'future_dated')"
    ).fetchall()
    assert days == sorted(days)


def test_the_customer_base_grows_with_the_lines(
    tmp_path: Path, default_lines: duckdb.DuckDBPyConnection
) -> None:
    small = write_shop(tmp_path / "small.parquet", lines=5_000)
    count = "SELECT COUNT(DISTINCT customer_id) FROM shop"
    fewer, more = one(judged(small.path), count), one(default_lines, count)
    assert isinstance(fewer, int)
    assert isinstance(more, int)
    assert more > 5 * fewer


# Errors


@pytest.mark.parametrize("lines", [0, -1, 2_000_000_001])
def test_a_number_of_lines_out_of_range_is_a_usage_error(tmp_path: Path, lines: int) -> None:
    with pytest.raises(UsageError, match=f"{lines:,}") as caught:
        write_shop(tmp_path / "shop.csv", lines=lines)
    assert caught.value.hint
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["shop.xlsx", "shop", "shop.csv.gz"])
def test_an_unknown_suffix_is_a_usage_error(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match=r"Parquet or CSV") as caught:
        write_shop(tmp_path / name, lines=5)
    assert ".parquet or .csv" in str(caught.value.hint)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("end", [date(1999, 12, 31), date(2200, 1, 1)])
def test_a_last_day_out_of_range_is_a_usage_error(tmp_path: Path, end: date) -> None:
    with pytest.raises(UsageError, match=str(end)) as caught:
        write_shop(tmp_path / "shop.csv", lines=5, end=end)
    assert caught.value.hint


def test_zero_threads_are_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="at least 1 thread"):
        write_shop(tmp_path / "shop.csv", lines=5, threads=0)


@pytest.mark.parametrize("where", ["missing folder", "below a file", "a folder"])
def test_a_path_that_cannot_be_written_is_a_usage_error(tmp_path: Path, where: str) -> None:
    (tmp_path / "file").write_text("mine")
    (tmp_path / "folder.csv").mkdir()
    path = {
        "missing folder": tmp_path / "nowhere" / "shop.csv",
        "below a file": tmp_path / "file" / "shop.csv",
        "a folder": tmp_path / "folder.csv",
    }[where]
    with pytest.raises(UsageError, match="can't be written") as caught:
        write_shop(path, lines=5)
    assert caught.value.hint
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["file", "folder.csv"]


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_full_disk_leaves_the_earlier_file_unchanged(tmp_path: Path, suffix: str) -> None:
    resource = pytest.importorskip("resource")
    earlier = write_shop(tmp_path / f"shop{suffix}", lines=100)
    before = earlier.path.read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        with pytest.raises(UsageError, match="can't be written"):
            write_shop(earlier.path, lines=50_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert earlier.path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [earlier.path]


@pytest.mark.slow
def test_a_stop_signal_during_the_write_leaves_the_earlier_file_unchanged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    earlier = write_shop(tmp_path / "shop.csv", lines=100)
    before = earlier.path.read_bytes()

    def stop(source: Path, target: Path) -> None:
        assert source.stat().st_size > len(before)
        raise KeyboardInterrupt

    monkeypatch.setattr("os.replace", stop)
    with pytest.raises(KeyboardInterrupt):
        write_shop(earlier.path, lines=500)
    assert earlier.path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [earlier.path]


def test_a_folder_name_may_have_quotes_and_glob_characters(tmp_path: Path) -> None:
    folder = tmp_path / "it's 100% [mine] *"
    folder.mkdir()
    shop = write_shop(folder / "shop.csv", lines=3)
    assert len(shop.path.read_text().splitlines()) == 4
