"""The guide to moving from another pipeline: its commands and snippets run, on tables of old pipelines."""

from __future__ import annotations

import re
import shlex
import tomllib
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import pytest

from rfm_pipeline.config.loader import Configuration
from rfm_pipeline.results.tables import RESULT_COLUMNS
from support.cli import Rfm
from support.googlesql_engine import googlesql
from support.markdown import blocks
from support.orders import published
from support.paths import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("googlesql")]

PAGE = (ROOT / "docs" / "guides" / "migrating.md").read_text(encoding="utf-8")
(OLD_QUERY,) = blocks("sql", PAGE)
(SETTINGS,) = blocks("toml", PAGE)
LOCAL = {
    "bigquery://shop.sales.raw_transactions": "raw_transactions.parquet",
    "bigquery://shop.crm": "duckdb:crm.duckdb",
    "bigquery://shop.marketing.customer_rfm": "duckdb:marketing.duckdb#customer_rfm",
    "shop.marketing.customer_rfm": "customer_rfm",
}
"""Files by the names of BigQuery that the page has: the same commands take them."""
TABLE = {
    "CustomerID": "INT64", "InvoiceNo": "STRING", "InvoiceDate": "DATE", "Quantity": "INT64",
    "UnitPrice": "NUMERIC",
}  # fmt: skip
ORDERS = "Customer,Order,Date,Amount\n" + "".join(
    f"{number % 7},{number},2006-{1 + number % 12:02}-{1 + number % 28:02},{10 + number}\n"
    for number in range(40)
)
CUSTOMERS = "Customer,Last order,Orders,Spent\n" + "".join(
    f"{number},2006-11-{1 + number:02},{1 + number},{10.5 * number + 1}\n" for number in range(20)
)


def sections() -> Iterator[tuple[str, list[str]]]:
    """Yield the heading of each section with commands, and the commands."""
    for section in re.split(r"^## ", PAGE, flags=re.MULTILINE)[1:]:
        lines = [line for block in blocks("sh", section) for line in block.splitlines()]
        yield section.partition("\n")[0], lines


SECTIONS = dict(sections())


@cache
def transactions() -> list[dict[str, Any]]:
    """Return the lines of twelve customers without ties, and lines that the old query leaves out."""
    today = date.today()  # noqa: DTZ011 - the old query takes the date of the machine
    rows: list[dict[str, Any]] = [
        {
            "CustomerID": 12346 + customer,
            "InvoiceNo": f"{customer}-{order}",
            "InvoiceDate": today - timedelta(days=10 * customer + 30 * order + 2),
            "Quantity": 2,
            "UnitPrice": Decimal(3 + customer) + Decimal("0.25"),
        }
        for customer in range(12)
        for order in range(1 + customer * 5 % 12)
    ]
    returned = {**rows[0], "InvoiceNo": "C1", "Quantity": -1}
    return [*rows, returned, {**rows[1], "CustomerID": None}]


@cache
def old_rows() -> list[dict[str, Any]]:
    """Return the rows of the old query."""
    query = OLD_QUERY.partition(" AS\n")[2].rstrip().removesuffix(";")
    tables, lines = {"sales.raw_transactions": TABLE}, {"sales.raw_transactions": transactions()}
    return googlesql().execute(query, tables, lines)


@pytest.fixture
def old_pipelines(rfm: Rfm, tmp_path: Path) -> Path:
    """A folder with the lines, and the results of the old pipelines."""
    lines = transactions()
    with duckdb.connect() as connection:
        connection.execute(
            "CREATE TABLE t (CustomerID BIGINT, InvoiceNo VARCHAR, InvoiceDate DATE, Quantity BIGINT,"
            " UnitPrice DECIMAL(10, 2))"
        )
        connection.executemany(
            "INSERT INTO t VALUES (?, ?, ?, ?, ?)", [list(line.values()) for line in lines]
        )
        connection.execute(f"COPY t TO '{tmp_path}/raw_transactions.parquet'")
    assert len(old_rows()) == 12
    with duckdb.connect(str(tmp_path / "marketing.duckdb")) as connection:
        connection.execute(
            "CREATE TABLE customer_rfm (customer_id VARCHAR, recency INTEGER, frequency BIGINT,"
            " monetary DECIMAL(38, 9), r_score INTEGER, f_score INTEGER, m_score INTEGER,"
            " rfm_segment VARCHAR)"
        )
        values = [[str(row["customer_id"]), *list(row.values())[1:]] for row in old_rows()]
        connection.executemany("INSERT INTO customer_rfm VALUES (?, ?, ?, ?, ?, ?, ?, ?)", values)
    (tmp_path / "orders.csv").write_text(ORDERS, encoding="utf-8")
    (tmp_path / "customers.csv").write_text(CUSTOMERS, encoding="utf-8")
    for name, column in {"r": "segment", "spss": "cell", "pymc": "segment"}.items():
        old = f"customer_id,{column}\n" + "".join(f"{number},Champions\n" for number in range(7))
        (tmp_path / f"segments_from_{name}.csv").write_text(old, encoding="utf-8")
    return tmp_path


def run_all(rfm: Rfm, lines: list[str], names: Mapping[str, str]) -> list[str]:
    """Run the commands, and return what each one printed."""
    printed = []
    for line in lines:
        assert line.startswith("rfm ")
        ended = rfm(*(names.get(word, word) for word in shlex.split(line, comments=True)[1:]))
        assert ended.code == 0, f"{line}\n{ended.stderr}"
        printed.append(ended.stdout)
    return printed


def test_every_command_of_the_guide_is_run_below() -> None:
    assert {heading for heading, lines in SECTIONS.items() if lines} == {
        "From a query or a script in BigQuery", "From the R package rfm", "From SPSS Statistics",
        "From pymc-marketing", "From a spreadsheet",
    }  # fmt: skip
    for line in (line for lines in SECTIONS.values() for line in lines):
        named = [word for word in shlex.split(line) if word.startswith("bigquery:")]
        assert set(named) <= set(LOCAL), line


def test_the_commands_for_a_query_in_bigquery_run(old_pipelines: Path, rfm: Rfm) -> None:
    (old_pipelines / "rfm.toml").write_text(SETTINGS.replace("Europe/London", "UTC"), encoding="utf-8")
    for printed in run_all(rfm, SECTIONS["From a query or a script in BigQuery"], LOCAL):
        assert printed.strip()


def test_the_old_query_and_the_settings_of_the_guide_agree(old_pipelines: Path, rfm: Rfm) -> None:
    """Where no customers are equal, quantile scores are NTILE's."""
    day = old_day(old_pipelines)
    (old_pipelines / "rfm.toml").write_text(SETTINGS.replace('"today"', f"{day}"), encoding="utf-8")
    result = rfm("run", "raw_transactions.parquet", "--to", "duckdb:crm.duckdb", "--json").json
    assert result["rows"]["excluded"] == {"missing_customer": 1, "non_positive_quantity": 1}
    compared = rfm("compare", "duckdb:crm.duckdb", "duckdb:marketing.duckdb#customer_rfm", "--json").json
    assert compared["customers"] == {"both": 12, "only_a": 0, "only_b": 0}
    assert compared["equal"] is True
    assert {"monetary", "frequency", "r_score", "f_score", "m_score"} <= set(compared["columns"])
    assert len(compared["segments"]) >= 3


def old_day(folder: Path) -> date:
    """Return the date on which the old query ran."""
    with duckdb.connect(str(folder / "marketing.duckdb"), read_only=True) as connection:
        row = connection.execute("SELECT recency FROM customer_rfm WHERE customer_id = '12346'").fetchone()
    assert row is not None
    newest = max(line["InvoiceDate"] for line in transactions() if line["CustomerID"] == 12346)
    day: date = newest + timedelta(days=row[0])
    return day


def test_the_segments_of_the_guide_are_valid() -> None:
    settings = Configuration(file=tomllib.loads(SETTINGS)).settings
    assert (settings.segments.name, settings.scoring.bins, settings.timezone) == (
        "customer_rfm",
        4,
        "Europe/London",
    )


@pytest.mark.parametrize("heading", [name for name in SECTIONS if "BigQuery" not in name])
def test_the_commands_for_another_tool_run(heading: str, old_pipelines: Path, rfm: Rfm) -> None:
    for printed in run_all(rfm, SECTIONS[heading], {}):
        assert printed.strip()


# The view


def test_a_view_has_the_rows_under_the_old_names(old_pipelines: Path, rfm: Rfm) -> None:
    rfm("run", "orders.csv", "--quiet")
    (command,) = [line for line in SECTIONS["From a query or a script in BigQuery"] if "rfm.duckdb" in line]
    (statement,) = run_all(rfm, [command], {})
    file = old_pipelines / "rfm.duckdb"
    with duckdb.connect(str(file)) as connection:
        connection.execute(statement)
    old = published(file, "SELECT customer_id, recency, rfm_segment, monetary FROM customer_rfm ORDER BY 1")
    assert old == published(
        file, "SELECT customer_id, recency_days, segment, monetary FROM rfm_segments ORDER BY 1"
    )
    # The next run replaces the rows, and the view has the new ones.
    assert rfm("run", "orders.csv", "--as-of", "2007-01-31").code == 0
    assert published(file, "SELECT DISTINCT CAST(as_of_date AS VARCHAR) FROM customer_rfm") == [
        ("2007-01-31",)
    ]


def test_googles_analyser_accepts_the_statements_of_the_view(rfm: Rfm) -> None:
    (command,) = [line for line in SECTIONS["From a query or a script in BigQuery"] if "--name shop." in line]
    (statement,) = run_all(rfm, [command], {})
    (rename,) = re.findall(r"`(ALTER TABLE .+?)`", PAGE)
    kinds = {"text": "STRING", "money": "NUMERIC", "date": "DATE"}
    columns = {name: kinds.get(column.holds, "INT64") for name, column in RESULT_COLUMNS.items()}
    tables = {"shop.crm.rfm_segments": columns, "marketing.customer_rfm": columns}
    googlesql().analyse(rename + ";" + statement, tables)
