"""Runs on real data sets reproduce the published figures, for every kind of source file."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
import xlsxwriter

from support.cli import Rfm
from support.databases import database, empty_database
from support.orders import TABLE
from support.real_data import real_data

# One xdist worker runs all tests of this module, so that the copies are written only once.
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("published_figures")]


@dataclass(frozen=True)
class Published:
    """The destination of a run, and its JSON output.

    Attributes:
        file: DuckDB file of the destination.
        output: JSON object that the run printed.
    """

    file: Path
    output: dict[str, Any]

    def rows(self, select: str = f"SELECT {', '.join(list(TABLE)[:-1])} FROM rfm_segments ORDER BY 1") -> Any:
        with database(self.file) as connection:
            return connection.execute(select).fetchall()


def run(folder: Path, source: object, *flags: str, stdin: Path | None = None) -> Published:
    """Execute `rfm run` in a process of its own, with `folder` as its working directory."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RFM_")}
    with (stdin or Path(os.devnull)).open("rb") as stream:
        done = subprocess.run(
            [sys.executable, "-m", "rfm_pipeline", "run", str(source), *flags, "--json"],
            cwd=folder,
            env=environment,
            stdin=stream,
            capture_output=True,
            check=False,
        )
    assert done.returncode == 0, done.stderr.decode()
    return Published(folder / "rfm.duckdb", json.loads(done.stdout))


# UCI Online Retail


@pytest.fixture(scope="session")
def retail(tmp_path_factory: pytest.TempPathFactory) -> Published:
    """Return the result of the Parquet file, without any configuration."""
    return run(tmp_path_factory.mktemp("retail"), real_data("online_retail.parquet"))


def test_the_table_has_the_published_totals(retail: Published) -> None:
    ((customers, orders, revenue, newest, one_order),) = retail.rows(
        "SELECT COUNT(*), SUM(frequency), SUM(monetary), MAX(last_order_date),"
        " COUNT(*) FILTER (frequency = 1) FROM rfm_segments"
    )
    assert (customers, orders, revenue) == (4_338, 18_532, Decimal("8911407.904"))
    assert newest == date(2011, 12, 9)
    assert one_order == 1_493
    assert round(orders / customers, 2) == 4.27


def test_the_table_has_the_published_customers(retail: Published) -> None:
    assert retail.rows(
        "SELECT customer_id, frequency, monetary, last_order_date FROM rfm_segments"
        " WHERE customer_id IN ('12346', '12347') ORDER BY 1"
    ) == [
        ("12346", 1, Decimal("77183.60"), date(2011, 1, 18)),
        ("12347", 7, Decimal("4310.00"), date(2011, 12, 7)),
    ]


def test_json_has_the_published_totals(retail: Published) -> None:
    output = retail.output
    assert output["as_of"] == "2011-12-09"
    assert (output["customers"], output["orders"], output["revenue"]) == (4_338, 18_532, "8911407.904")
    assert output["rows"] == {
        "read": 541_909,
        "kept": 397_884,
        "excluded": {"missing_customer": 135_080, "non_positive_quantity": 8_905, "non_positive_price": 40},
    }
    assert output["amount"]["kept"] == "8911407.904"


def test_the_amount_of_every_line_is_either_kept_or_excluded(retail: Published) -> None:
    # The expected sums come from the raw file; its prices are doubles with at most six decimals.
    with empty_database() as connection:
        connection.execute(
            "CREATE VIEW raw AS SELECT CAST(UnitPrice AS DECIMAL(18, 6)) * Quantity AS amount, *"
            f" FROM read_parquet('{real_data('online_retail.parquet')}')"
        )
        (row,) = connection.execute(
            "SELECT SUM(amount), SUM(amount) FILTER (CustomerID IS NULL),"
            " SUM(amount) FILTER (CustomerID IS NOT NULL AND Quantity <= 0) FROM raw"
        ).fetchall()
    total, without_customer, returned = row
    excluded = {reason: Decimal(money) for reason, money in retail.output["amount"]["excluded"].items()}
    assert excluded == {
        "missing_customer": without_customer,
        "non_positive_quantity": returned,
        "non_positive_price": 0,
    }
    assert Decimal(retail.output["amount"]["kept"]) + sum(excluded.values()) == total


def test_recency_is_the_days_from_the_last_order_to_the_newest_one(retail: Published) -> None:
    with empty_database() as connection:
        expected = connection.execute(
            "SELECT CAST(CAST(CustomerID AS BIGINT) AS VARCHAR), DATE '2011-12-09' - MAX(InvoiceDate)::DATE"
            f" FROM read_parquet('{real_data('online_retail.parquet')}')"
            " WHERE CustomerID IS NOT NULL AND Quantity > 0 AND UnitPrice > 0 GROUP BY 1 ORDER BY 1"
        ).fetchall()
    assert retail.rows("SELECT customer_id, recency_days FROM rfm_segments ORDER BY 1") == expected


def test_segments_add_up_to_the_totals_in_table_and_json(retail: Published) -> None:
    counted = {
        segment: (customers, orders, revenue)
        for segment, customers, orders, revenue in retail.rows(
            "SELECT segment, COUNT(*), SUM(frequency), SUM(monetary) FROM rfm_segments GROUP BY 1"
        )
    }
    reported = {
        entry["segment"]: (entry["customers"], entry["orders"], Decimal(entry["revenue"]))
        for entry in retail.output["segments"]
    }
    assert reported == counted
    assert len(reported) == 10
    assert sum(revenue for _, _, revenue in reported.values()) == Decimal("8911407.904")


def test_the_number_of_cancelled_invoices_is_the_published_one(online_retail: Path, tmp_path: Path) -> None:
    config = tmp_path / "rfm.toml"
    config.write_text("[skip]\ncancellation = \"InvoiceNo LIKE 'C%'\"\n", encoding="utf-8")
    output = run(tmp_path, online_retail).output
    assert output["rows"]["excluded"]["cancellation"] == 9_288
    # Other rules exclude all cancelled lines anyway, so the kept lines are the same.
    assert output["rows"]["kept"] == 397_884
    assert (output["customers"], output["orders"], output["revenue"]) == (4_338, 18_532, "8911407.904")


# The same lines in other kinds of files


@pytest.fixture(scope="session")
def copies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the same lines in every kind of source file."""
    folder = tmp_path_factory.mktemp("copies")
    parquet = real_data("online_retail.parquet")
    # The files of one folder share orders, those of the other have whole orders.
    for name in ("parts", "orders"):
        (folder / name).mkdir()
    with closing(duckdb.connect(str(folder / "shop.duckdb"))) as connection:
        connection.execute(f"CREATE TABLE lines AS FROM read_parquet('{parquet}')")
        connection.execute("CREATE SCHEMA raw")
        connection.execute("CREATE VIEW raw.lines AS FROM main.lines")
        connection.execute(f"COPY lines TO '{folder}/lines.csv' (HEADER)")
        connection.execute(f"COPY lines TO '{folder}/lines.csv.gz' (HEADER, COMPRESSION gzip)")
        connection.execute(f"COPY lines TO '{folder}/lines.ndjson' (FORMAT json)")
        for part in range(3):
            connection.execute(
                f"COPY (FROM lines WHERE hash(InvoiceNo, StockCode) % 3 = {part})"
                f" TO '{folder}/parts/part{part}.parquet' (FORMAT parquet)"
            )
            connection.execute(
                f"COPY (FROM lines WHERE hash(InvoiceNo) % 3 = {part})"
                f" TO '{folder}/orders/part{part}.parquet' (FORMAT parquet)"
            )
        write_workbook(connection, folder / "lines.xlsx")
    return folder


def write_workbook(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    """Write one sheet like UCI's own workbook: numeric texts as numbers, and dates as dates."""
    # Spreadsheets count days from 1900-01-01 as day 1, and wrongly include 29 February 1900.
    cursor = connection.execute(
        "SELECT InvoiceNo, TRY_CAST(InvoiceNo AS BIGINT), Quantity,"
        " epoch(InvoiceDate - TIMESTAMP '1899-12-30') / 86400.0, UnitPrice, CustomerID FROM lines"
    )
    with xlsxwriter.Workbook(str(path), {"constant_memory": True}) as workbook:
        dated = workbook.add_format({"num_format": "yyyy-mm-dd hh:mm"})
        sheet = workbook.add_worksheet()
        sheet.write_row(0, 0, ["InvoiceNo", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID"])
        number, text, row = sheet.write_number, sheet.write_string, 0
        while batch := cursor.fetchmany(50_000):
            for invoice, invoice_number, quantity, day, price, customer in batch:
                row += 1
                if invoice_number is None:
                    text(row, 0, invoice)
                else:
                    number(row, 0, invoice_number)
                number(row, 1, quantity)
                number(row, 2, day, dated)
                number(row, 3, price)
                if customer is not None:
                    number(row, 4, customer)


@pytest.mark.parametrize(
    "source",
    [
        pytest.param("lines.csv", id="csv"),
        pytest.param("lines.csv.gz", id="gzip"),
        pytest.param("lines.ndjson", id="ndjson"),
        pytest.param("lines.xlsx", id="workbook"),
        pytest.param("orders", id="folder"),
        pytest.param("orders/*.parquet", id="glob"),
        pytest.param("duckdb:{}/shop.duckdb#lines", id="table"),
        pytest.param("duckdb:{}/shop.duckdb#raw.lines", id="view"),
    ],
)
def test_the_same_lines_give_the_same_rows_from_any_kind_of_file(
    source: str, copies: Path, retail: Published, tmp_path: Path
) -> None:
    argument = source.format(copies) if "{}" in source else copies / source
    copy = run(tmp_path, argument)
    assert copy.output["rows"] == retail.output["rows"]
    assert copy.output["amount"] == retail.output["amount"]
    assert copy.output["edges"] == retail.output["edges"]
    assert copy.rows() == retail.rows()


def test_files_that_share_orders_give_the_same_rows_if_all_their_lines_count(
    copies: Path, retail: Published, tmp_path: Path
) -> None:
    copy = run(tmp_path, copies / "parts", "--same-order", "both")
    assert copy.output["rows"] == retail.output["rows"]
    assert copy.output["amount"] == retail.output["amount"]
    assert copy.rows() == retail.rows()


def test_the_same_lines_give_the_same_rows_from_stdin(
    copies: Path, retail: Published, tmp_path: Path
) -> None:
    assert run(tmp_path, "-", stdin=copies / "lines.csv").rows() == retail.rows()


# The sample orders of the R package rfm

R_EDGES = """
[scoring]
method = "fixed"
recency.edges = [114, 180, 297, 481]
frequency.edges = [3, 4, 5, 7]
monetary.edges = [255, 381, 506, 665]
"""

R_SEGMENTS = {
    "About To Sleep": (102, 283, "23449.00"),
    "At Risk": (28, 216, "22227.00"),
    "Can't Lose Them": (47, 274, "32446.00"),
    "Champions": (35, 316, "31646.00"),
    "Lost": (148, 393, "35324.00"),
    "Loyal Customers": (170, 799, "76562.00"),
    "Need Attention": (10, 57, "4562.00"),
    "New Customers": (104, 329, "28837.00"),
    "Potential Loyalist": (342, 2_211, "204856.00"),
    "Promising": (9, 28, "4249.00"),
    "Others": (0, 0, "0.00"),
}


@pytest.fixture
def r_run(rfm: Rfm, rfm_data_orders: Path, tmp_path: Path) -> Callable[..., Any]:
    """Return a function that runs the sample orders as of the date used in the documentation of R's rfm."""
    (tmp_path / "rfm.toml").write_text(R_EDGES, encoding="utf-8")

    def execute(*arguments: object) -> Any:
        outcome = rfm("run", rfm_data_orders, "--as-of", "2006-12-31", "--json", *arguments)
        assert outcome.code == 0, outcome.stderr
        return outcome.json

    return execute


def test_the_segments_of_the_r_preset_have_the_sizes_published_by_the_r_package(
    r_run: Callable[..., Any], tmp_path: Path
) -> None:
    output = r_run("--preset", "r-rfm")
    assert {
        entry["segment"]: (entry["customers"], entry["orders"], entry["revenue"])
        for entry in output["segments"]
    } == R_SEGMENTS
    assert (output["customers"], output["orders"], output["revenue"]) == (995, 4_906, "464158.00")
    table = Published(tmp_path / "rfm.duckdb", output).rows(
        "SELECT segment, COUNT(*), SUM(frequency), CAST(SUM(monetary) AS DECIMAL(18, 2))::VARCHAR"
        " FROM rfm_segments GROUP BY 1"
    )
    assert {segment: tuple(counts) for segment, *counts in table} == {
        segment: counts for segment, counts in R_SEGMENTS.items() if counts[0]
    }


R_THRESHOLDS = """
[scoring]
method = "fixed"
bound = "exclusive"
recency.edges = [115, 181, 297.4, 482]
frequency.edges = [4, 5, 6, 8]
monetary.edges = [255.8, 382, 506.4, 666]
"""
"""Upper thresholds of the R package: quantiles of type 7 at 20 to 80 %, plus one."""


def test_rs_own_thresholds_as_exclusive_edges_give_rs_scores(
    r_run: Callable[..., Any], tmp_path: Path
) -> None:
    def scores() -> dict[str, str]:
        output = r_run("--preset", "r-rfm")
        rows = Published(tmp_path / "rfm.duckdb", output).rows(
            "SELECT customer_id, rfm_score FROM rfm_segments"
        )
        return dict(rows)

    published = scores()
    (tmp_path / "rfm.toml").write_text(R_THRESHOLDS, encoding="utf-8")
    output = r_run("--preset", "r-rfm")
    assert output["edges"] == {
        "recency_days": [114, 180, 297, 481],
        "frequency": [3, 4, 5, 7],
        "monetary": ["255.799999999", "381.999999999", "506.399999999", "665.999999999"],
    }
    assert {
        entry["segment"]: (entry["customers"], entry["orders"], entry["revenue"])
        for entry in output["segments"]
    } == R_SEGMENTS
    assert scores() == published
    # The rounded thresholds of the example of `rfm_table_order`: inclusive edges of days are whole numbers.
    inclusive = R_THRESHOLDS.replace("exclusive", "inclusive")
    for exact, rounded in (("297.4", "297"), ("255.8", "256"), ("506.4", "506")):
        inclusive = inclusive.replace(exact, rounded)
    (tmp_path / "rfm.toml").write_text(inclusive, encoding="utf-8")
    pasted = scores()
    assert sum(pasted[customer] != score for customer, score in published.items()) == 566


def test_fixed_edges_are_reported_as_configured(r_run: Callable[..., Any]) -> None:
    assert r_run("--preset", "r-rfm")["edges"] == {
        "recency_days": [114, 180, 297, 481],
        "frequency": [3, 4, 5, 7],
        "monetary": ["255.00", "381.00", "506.00", "665.00"],
    }


@pytest.mark.parametrize(
    ("dimension", "limits", "best_is_least"),
    [
        ("recency_days", {5: 114, 4: 180, 3: 297, 2: 481}, True),
        ("frequency", {1: 3, 2: 4, 3: 5, 4: 7}, False),
        ("monetary", {1: 255, 2: 381, 3: 506, 4: 665}, False),
    ],
)
def test_a_customer_on_a_fixed_edge_has_the_published_score(
    r_run: Callable[..., Any], tmp_path: Path, dimension: str, limits: dict[int, int], best_is_least: bool
) -> None:
    output = r_run("--preset", "r-rfm")
    rows = Published(tmp_path / "rfm.duckdb", output).rows(
        f"SELECT {dimension}, {dimension[0]}_score FROM rfm_segments"
    )
    beyond = 1 if best_is_least else 5
    for value, score in rows:
        assert score == next((score for score, limit in limits.items() if value <= limit), beyond)
    assert {value for value, _ in rows} & set(limits.values()), "no customer has a value equal to an edge"
    assert {score for _, score in rows} == {1, 2, 3, 4, 5}
