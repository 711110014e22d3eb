"""CDNOW's public orders give the published figures, from every kind of file."""

from __future__ import annotations

import subprocess
import sys
from collections import defaultdict
from collections.abc import Mapping
from contextlib import closing
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
import xlsxwriter

from support import cdnow
from support.cli import Rfm
from support.orders import published

COLUMNS = "customer_id, frequency, monetary, recency_days, first_order_date, last_order_date"


def totals(file: Path) -> tuple[Any, ...]:
    (row,) = published(file, "SELECT COUNT(*), SUM(frequency), SUM(monetary) FROM rfm_segments")
    return row


# All 23,570 customers


@pytest.mark.slow
@pytest.mark.guarantee("every-line")
def test_every_published_transaction_is_kept_or_excluded(
    cdnow_orders: Path, rfm: Rfm, tmp_path: Path
) -> None:
    transactions = cdnow.master()
    assert len(transactions) == cdnow.MASTER_TRANSACTIONS
    assert len({one.customer_id for one in transactions}) == cdnow.MASTER_CUSTOMERS
    result = rfm("run", cdnow_orders, "--json").json
    free = [one for one in transactions if one.amount == 0]
    paid = [one for one in transactions if one.amount > 0]
    assert result["as_of"] == str(cdnow.LAST_DATE)
    assert result["rows"] == {
        "read": cdnow.MASTER_TRANSACTIONS,
        "kept": len(paid),
        "excluded": {"non_positive_amount": len(free)},
    }
    # 68 of the published customers were given all they had.
    assert result["customers"] == cdnow.MASTER_CUSTOMERS - 68
    assert result["orders"] == len({(one.customer_id, one.ordered_on) for one in paid})
    assert Decimal(result["revenue"]) == sum(one.amount for one in transactions) == Decimal("2500315.63")
    assert totals(tmp_path / "rfm.duckdb") == (result["customers"], result["orders"], Decimal("2500315.63"))


@pytest.mark.slow
def test_without_an_order_id_each_transaction_is_an_order(cdnow_orders: Path, rfm: Rfm) -> None:
    result = rfm("run", cdnow_orders, "--order-id", "none", "--json").json
    assert result["orders"] == result["rows"]["kept"] == cdnow.MASTER_TRANSACTIONS - 80


@pytest.mark.slow
def test_segments_add_up_to_the_totals_in_table_and_json(
    cdnow_orders: Path, rfm: Rfm, tmp_path: Path
) -> None:
    result = rfm("run", cdnow_orders, "--json").json
    in_table = {
        segment: (customers, orders, revenue)
        for segment, customers, orders, revenue in published(
            tmp_path / "rfm.duckdb",
            "SELECT segment, COUNT(*), SUM(frequency), SUM(monetary) FROM rfm_segments GROUP BY 1",
        )
    }
    in_json = {
        entry["segment"]: (entry["customers"], entry["orders"], Decimal(entry["revenue"]))
        for entry in result["segments"]
        if entry["customers"]
    }
    assert in_json == in_table
    assert sum(revenue for _, _, revenue in in_json.values()) == Decimal("2500315.63")


# The published summary of 2,357 customers


@pytest.fixture(scope="module")
def sample_csv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return cdnow.write_csv(cdnow.sample(), tmp_path_factory.mktemp("cdnow") / "lines.csv")


def first_amounts(transactions: list[cdnow.Transaction]) -> Mapping[str, Decimal]:
    """Return what each customer paid on the day of the first purchase."""
    by_day: dict[str, dict[date, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
    for one in transactions:
        by_day[one.customer_id][one.ordered_on] += one.amount
    return {customer: days[min(days)] for customer, days in by_day.items()}


def test_each_customer_has_the_published_recency_frequency_and_monetary_value(
    sample_csv: Path, rfm: Rfm, tmp_path: Path
) -> None:
    transactions = cdnow.sample()
    assert len(transactions) == cdnow.SAMPLE_TRANSACTIONS
    assert rfm("run", sample_csv, "--as-of", cdnow.CALIBRATION_END, "--quiet").code == 0
    # The summary counts orders of discs that were free, which a run excludes.
    free = {
        one.customer_id for one in transactions if one.amount == 0 and one.ordered_on <= cdnow.CALIBRATION_END
    }
    first, summaries = first_amounts(transactions), cdnow.summaries()
    compared = 0
    for customer, frequency, monetary, recency_days, first_date, last_date in published(
        tmp_path / "rfm.duckdb", f"SELECT {COLUMNS} FROM rfm_segments"
    ):
        if customer in free:
            continue
        summary = summaries[customer]
        assert frequency == summary.repeat_orders + 1
        assert first_date == cdnow.CALIBRATION_END - days(summary.weeks_observed)
        assert last_date == first_date + days(summary.weeks_to_last)
        assert recency_days == (cdnow.CALIBRATION_END - last_date).days
        repeated = monetary - first[customer]
        average = repeated / summary.repeat_orders if summary.repeat_orders else Decimal(0)
        assert average.quantize(Decimal("0.01"), ROUND_HALF_UP) == summary.repeat_average
        compared += 1
    assert len(summaries) == cdnow.SAMPLE_CUSTOMERS
    assert compared == cdnow.SAMPLE_CUSTOMERS - len(free) == 2_349


def days(weeks: Decimal) -> timedelta:
    return timedelta(days=round(weeks * 7))


@pytest.mark.parametrize(
    "flags", [(), ("--returns", "net"), ("--preset", "lifecycle", "--window", "900d"), ("--incremental",)]
)
def test_customers_who_paid_for_nothing_are_told(flags: tuple[str, ...], sample_csv: Path, rfm: Rfm) -> None:
    transactions = cdnow.sample()
    paid = {one.customer_id for one in transactions if one.amount > 0}
    free = {one.customer_id for one in transactions} - paid
    result = rfm("run", sample_csv, *flags, "--json").json
    assert (result["customers"], result["unscored_customers"]) == (len(paid), len(free)) == (2_349, 8)
    told = "8 customers have no order with a positive amount, and so no scores and no segment"
    assert told in result["notes"]


# The same lines from other kinds of files


@pytest.fixture(scope="module")
def copies(sample_csv: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the lines in every kind of file, as other programs write them."""
    folder = tmp_path_factory.mktemp("copies")
    (folder / "parts").mkdir()
    with closing(duckdb.connect(str(folder / "shop.duckdb"))) as connection:
        types = "{'customer_id': 'VARCHAR', 'amount': 'DECIMAL(12, 2)'}"
        connection.execute(f"CREATE TABLE lines AS FROM read_csv('{sample_csv}', types = {types})")
        connection.execute("CREATE SCHEMA raw")
        connection.execute("CREATE VIEW raw.lines AS FROM main.lines")
        connection.execute(f"COPY lines TO '{folder}/lines.csv.gz' (HEADER, COMPRESSION gzip)")
        connection.execute(f"COPY lines TO '{folder}/lines.ndjson' (FORMAT json)")
        for part in range(3):
            connection.execute(
                f"COPY (FROM lines WHERE hash(order_id) % 3 = {part})"
                f" TO '{folder}/parts/part{part}.parquet' (FORMAT parquet)"
            )
        rows = connection.execute("FROM lines").fetchall()
    with xlsxwriter.Workbook(str(folder / "lines.xlsx")) as workbook:
        dated = workbook.add_format({"num_format": "yyyy-mm-dd"})
        sheet = workbook.add_worksheet()
        sheet.write_row(0, 0, ["customer_id", "order_id", "ordered_at", "discs", "amount"])
        for number, (customer_id, order_id, ordered_at, discs, amount) in enumerate(rows, start=1):
            sheet.write_row(number, 0, [int(customer_id), order_id])
            sheet.write_datetime(number, 2, ordered_at, dated)
            sheet.write_row(number, 3, [discs, float(amount)])
    return folder


@pytest.fixture
def rows_from_csv(sample_csv: Path, rfm: Rfm, tmp_path: Path) -> list[tuple[Any, ...]]:
    assert rfm("run", sample_csv, "--to", "duckdb:csv.duckdb", "--quiet").code == 0
    return published(tmp_path / "csv.duckdb", f"SELECT {COLUMNS}, rfm_score FROM rfm_segments ORDER BY 1")


@pytest.mark.slow
@pytest.mark.parametrize(
    "source",
    [
        pytest.param("lines.csv.gz", id="gzip"),
        pytest.param("lines.ndjson", id="ndjson"),
        pytest.param("lines.xlsx", id="workbook"),
        pytest.param("parts", id="folder"),
        pytest.param("parts/*.parquet", id="glob"),
        pytest.param("duckdb:{}/shop.duckdb#lines", id="table"),
        pytest.param("duckdb:{}/shop.duckdb#raw.lines", id="view"),
    ],
)
def test_the_same_lines_give_the_same_rows_from_any_kind_of_file(
    source: str, copies: Path, rows_from_csv: list[tuple[Any, ...]], rfm: Rfm, tmp_path: Path
) -> None:
    ended = rfm("run", source.format(copies) if "{}" in source else copies / source, "--quiet")
    assert (ended.code, ended.stderr) == (0, "")
    rows = published(tmp_path / "rfm.duckdb", f"SELECT {COLUMNS}, rfm_score FROM rfm_segments ORDER BY 1")
    assert rows == rows_from_csv


@pytest.mark.slow
def test_the_same_lines_give_the_same_rows_from_stdin(
    sample_csv: Path, rows_from_csv: list[tuple[Any, ...]], tmp_path: Path
) -> None:
    with sample_csv.open("rb") as stream:
        command = [sys.executable, "-m", "rfm_pipeline", "run", "-", "--quiet"]
        subprocess.run(command, cwd=tmp_path, stdin=stream, check=True)
    rows = published(tmp_path / "rfm.duckdb", f"SELECT {COLUMNS}, rfm_score FROM rfm_segments ORDER BY 1")
    assert rows == rows_from_csv
