"""Incremental runs on a table of BigQuery: which partitions are read, and that the result is a full run's."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from rfm_pipeline.results.tables import PUBLISHED_COLUMNS, SUFFIXES
from support.bigquery_parts import Line, PartitionedOrders, assert_is_full
from support.bigquery_proxy import Proxy, Request
from support.bigquery_shop import Shop
from support.billed_bytes import billed_widths, created_columns
from support.cli import Outcome, Rfm
from support.paths import ROOT

pytestmark = pytest.mark.xdist_group("bigquery")

FIRST = date(2024, 1, 1)
TERABYTE = 1e12
LINE_BYTES, PARTITIONS, CUSTOMERS = 48, 1_000, 50_000_000
LATER = 13
"""Partitions whose orders the kept customers do not have: those of four days, and of the nine runs since."""
PIN = re.compile(r" FOR SYSTEM_TIME AS OF (TIMESTAMP '[^']+')")
KEPT_CUSTOMERS = re.compile(r"(rfm_segments_orders)(?=`\s+WHERE part = DATE '0001-01-0[23]')")
"""The partitions of customers in the table of kept orders, which are counted as tables of their own."""


def day(number: int) -> date:
    return FIRST + timedelta(days=number)


def lines_of(number: int) -> list[Line]:
    """The lines of a day: four orders, one of them of two lines, and one without a customer."""
    when = day(number)
    return [
        (f"c{number % 5}", f"{number}-a", when, "10.50"),
        (f"c{number % 5}", f"{number}-a", when, "2.25"),
        (f"c{number % 3}", f"{number}-b", when, f"{number + 1}.00"),
        (f"d{number % 7}", f"{number}-c", when, "-7.00" if number % 4 == 3 else "7.00"),
        (None, f"{number}-d", when, "5.00"),
    ]


@pytest.fixture
def orders(bigquery_shop: Shop, proxy: Proxy) -> PartitionedOrders:
    table = PartitionedOrders(bigquery_shop, proxy)
    table.replace({day(number): lines_of(number) for number in range(5)})
    return table


def run(rfm: Rfm, orders: PartitionedOrders, *flags: object) -> Outcome:
    ended = rfm("run", orders.source, "--to", orders.shop.destination, "--incremental", "--json", *flags)
    assert ended.code == 0, ended.stderr
    return ended


def parts(ended: Outcome) -> tuple[int, int, str | None]:
    read = ended.json["parts"]
    return read["read"], read["kept"], read["why_all"]


def added_orders(proxy: Proxy) -> list[str]:
    """Return the statements that add orders to customers of an earlier run."""
    return [sql for sql in proxy.statements if "changed_customers" in sql]


def assert_adds_later_orders(orders: PartitionedOrders, proxy: Proxy) -> None:
    """Check that a run adds the orders of later partitions to kept customers, and reads no others."""
    (added,) = added_orders(proxy)
    kept = re.escape(orders.shop.name("rfm_segments_orders"))
    later, *customers = sorted(re.findall(rf"FROM {kept}\s+WHERE (.+)", added))
    assert later == "manifest IS NULL AND (part > DATE '2024-01-05' OR part IS NULL)"
    assert customers
    assert all(re.fullmatch(r"part = DATE '0001-01-0[23]'", each) for each in customers)


def reads(orders: PartitionedOrders, proxy: Proxy) -> list[str]:
    """Return the statements that read lines of the source; check that they read it as of one moment."""
    return reads_in(orders, proxy.statements)


def reads_in(orders: PartitionedOrders, statements: Sequence[str]) -> list[str]:
    source = orders.shop.name(orders.table)
    # The list of partitions counts the rows that are visible at its moment, which reads no line.
    found = [sql for sql in statements if source in sql and "listed_us" not in sql]
    pins = [pin for sql in found for pin in PIN.findall(sql)]
    assert len(pins) == sum(sql.count(source) for sql in found), "each read is of the moment of the list"
    assert len(set(pins)) <= 1
    return found


def rows_of_a_terabyte(lines_per_order: int, table: str, sql: str) -> float:
    """Return the rows of a table that a statement reads."""
    lines = TERABYTE / LINE_BYTES
    if table == "orders":
        return lines / PARTITIONS if "FOR SYSTEM_TIME AS OF" in sql else lines
    if table.endswith("__part_orders"):
        return lines / lines_per_order / PARTITIONS
    if table == "rfm_segments_orders":
        # The statements on the manifest read or replace its partition alone.
        share = LATER / PARTITIONS if "part > DATE" in sql else 1
        return 1 if "0001-01-01" in sql else lines / lines_per_order * share
    if table.endswith("__new_order_ids"):
        return lines / lines_per_order / PARTITIONS * LATER
    if table.endswith("__edges"):
        return 1
    return 1_000 if table.endswith("_runs") else CUSTOMERS


@pytest.mark.guarantee("incremental")
def test_only_new_and_changed_partitions_are_read(orders: PartitionedOrders, rfm: Rfm, proxy: Proxy) -> None:
    assert parts(run(rfm, orders)) == (5, 0, "no orders are kept yet")
    reads(orders, proxy)
    kept = f"CREATE TABLE {orders.shop.name('rfm_segments_orders')}"
    (created,) = (sql for sql in proxy.statements if kept in sql)
    assert "PARTITION BY part\nCLUSTER BY customer_id\n" in created
    late: list[Line] = [("c0", "0-a", day(5), "1.75"), ("c9", "x", day(5), "3")]
    orders.replace({day(5): [*lines_of(5), *late], None: [("c1", "y", None, "4")]})
    # A deletion that changes the number of rows alone, and one that leaves none.
    orders.replace({day(1): lines_of(1)[1:], day(2): []}, shows=False)
    proxy.requests.clear()
    ended = run(rfm, orders)
    assert parts(ended) == (2, 3, None)
    assert not added_orders(proxy), "an order of complete partitions may have changed"
    (read,) = reads(orders, proxy)
    assert "`day` >= DATE '2024-01-02' AND `day` < DATE '2024-01-03'" in read
    assert "`day` >= DATE '2024-01-06' AND `day` < DATE '2024-01-07'" in read
    assert_is_full(rfm, orders, ended)
    orders.replace({None: []})
    proxy.requests.clear()
    ended = run(rfm, orders)
    assert parts(ended) == (0, 5, None)
    assert not reads(orders, proxy), "an unchanged table is not read"
    assert_is_full(rfm, orders, ended)


def test_a_window_drops_partitions_and_reads_them_again(
    orders: PartitionedOrders, rfm: Rfm, proxy: Proxy
) -> None:
    orders.replace({day(number): lines_of(number) for number in range(5, 20)})
    flags = ("--window", "3 days")
    run(rfm, orders)
    ended = run(rfm, orders, *flags)
    assert parts(ended) == (0, 12, None), "a window's partitions begin a week before it"
    published = ended.json["customers"], ended.json["revenue"]
    ended = run(rfm, orders)
    assert parts(ended) == (8, 12, None)
    assert_is_full(rfm, orders, ended)
    Path("all.duckdb").unlink()
    full = rfm("run", "all.csv", "--to", "duckdb:all.duckdb", "--json", *flags).json
    assert published == (full["customers"], full["revenue"])


def test_kept_orders_are_checked_and_healed(orders: PartitionedOrders, rfm: Rfm) -> None:
    run(rfm, orders)
    kept = orders.shop.name("rfm_segments_orders")
    orders.shop.execute(f"UPDATE {kept} SET amount = amount + 1 WHERE part = DATE '2024-01-02'")
    run(rfm, orders)
    ended = run(rfm, orders, "--full")
    assert parts(ended) == (5, 0, "--full asks for it")
    assert ended.json["parts"]["different"] == 1
    (audit,) = (audit for audit in ended.json["audits"] if audit["name"] == "kept_orders")
    assert audit["status"] == "warning"
    assert audit["detail"].startswith("Of 1 partition that seemed unchanged, the kept orders were not those")
    assert_is_full(rfm, orders, ended)
    assert parts(run(rfm, orders)) == (0, 5, None)
    orders.shop.execute(f"DELETE FROM {kept} WHERE part = DATE '2024-01-02'")
    ended = run(rfm, orders)
    assert parts(ended) == (5, 0, "no orders are kept yet"), "lost rows are noticed"
    assert_is_full(rfm, orders, ended)


@pytest.mark.parametrize(
    ("type_", "unit", "all_parts"),
    [
        ("TIMESTAMP", "MONTH", 3),
        pytest.param("DATETIME", "HOUR", 4, marks=pytest.mark.long),
        pytest.param("TIMESTAMP", "YEAR", 1, marks=pytest.mark.long),
        pytest.param("DATE", None, 1, marks=pytest.mark.long),
    ],
)
def test_other_layouts(  # noqa: PLR0917 - fixtures
    bigquery_shop: Shop, proxy: Proxy, rfm: Rfm, type_: str, unit: str | None, all_parts: int
) -> None:
    table = PartitionedOrders(bigquery_shop, proxy, type_=type_, unit=unit)
    table.replace({day(number): lines_of(number) for number in (0, 1, 31, 61)})
    assert parts(run(rfm, table)) == (all_parts, 0, "no orders are kept yet")
    assert parts(run(rfm, table)) == (0, all_parts, None)
    table.replace({day(61): [*lines_of(61), ("c9", "0-a", day(61), "3")]})
    ended = run(rfm, table)
    assert parts(ended)[:2] == (1, all_parts - 1)
    assert_is_full(rfm, table, ended)


def test_a_partition_that_has_just_changed_is_read_again(orders: PartitionedOrders, rfm: Rfm) -> None:
    orders.touch(day(4), datetime.now(UTC))
    run(rfm, orders)
    assert parts(run(rfm, orders)) == (1, 4, None)
    assert parts(run(rfm, orders, "--returns", "net"))[2] == (
        "the table, the settings, the columns, their formats, or the version of rfm are others"
    )


def test_what_is_in_doubt_is_a_full_run_that_says_why(
    orders: PartitionedOrders, rfm: Rfm, proxy: Proxy
) -> None:
    orders.hidden = 1
    orders.list_partitions()
    ended = run(rfm, orders)
    assert ended.json["parts"] is None
    assert any(
        note.startswith("incremental: all lines are read, as its rows are not those of its partitions")
        for note in ended.json["notes"]
    )
    assert "rfm_segments_orders" not in orders.shop.tables()
    orders.hidden = 0
    orders.list_partitions()
    orders.shop.execute(f"CREATE TABLE {orders.shop.name('rfm_segments_orders')} AS SELECT 1 AS mine")
    ended = run(rfm, orders)
    assert any("is another program's" in note for note in ended.json["notes"])
    assert orders.shop.execute(f"SELECT * FROM {orders.shop.name('rfm_segments_orders')}") == [{"mine": 1}]


def test_a_backfill_reads_the_source_once(orders: PartitionedOrders, rfm: Rfm, proxy: Proxy) -> None:
    flags = ("--incremental", "--from", day(2), "--until", day(4), "--json")
    ended = rfm("backfill", orders.source, "--to", orders.shop.destination, *flags)
    assert ended.code == 0, ended.stderr
    assert len(reads(orders, proxy)) == 1
    assert [each["as_of"] for each in ended.json["published"]] == [str(day(number)) for number in (2, 3, 4)]
    rows = orders.shop.execute(
        f"SELECT as_of_date, SUM(frequency) AS orders FROM {orders.shop.name('rfm_segments_history')}"
        " GROUP BY 1 ORDER BY 1"
    )
    assert [row["orders"] for row in rows] == [9, 11, 14]


def test_forgetting_a_customer_drops_the_kept_orders(orders: PartitionedOrders, rfm: Rfm) -> None:
    run(rfm, orders)
    assert "rfm_segments_orders" in orders.shop.tables()
    assert rfm("forget", "c0", "--to", orders.shop.destination).code == 0
    assert "rfm_segments_orders" not in orders.shop.tables()
    assert run(rfm, orders).json["parts"] is None
    assert "rfm_segments_orders" not in orders.shop.tables()


def test_a_check_shows_the_cost_of_a_day_beside_a_full_read(
    orders: PartitionedOrders, rfm: Rfm, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(rfm, orders)
    orders.replace({day(5): lines_of(5)})
    monkeypatch.setenv("RFM_INCREMENTAL", "true")
    proxy.requests.clear()
    proxy.bytes_processed = 2**40
    command = ("check", orders.source, "--to", orders.shop.destination)
    checked = rfm(*command, "--json")
    assert checked.code == 0, checked.stderr
    assert {name: checked.json["incremental"][name] for name in ("read", "kept", "why_all")} == {
        "read": 1,
        "kept": 5,
        "why_all": None,
    }
    assert checked.json["incremental"]["full_read"]["dollars"] == "6.2500"
    assert not reads(orders, proxy), "a check reads no line"
    assert "in place of 1 TiB in a full read, for $6.25" in rfm(*command).stdout.replace("\n", " ")


@pytest.mark.parametrize(
    "step",
    [
        pytest.param("part_orders", marks=pytest.mark.long),
        pytest.param("count-orders", marks=pytest.mark.long),
        "keep-orders",
        "publish",
    ],
)
def test_a_run_that_fails_leaves_result_and_kept_orders_consistent(
    orders: PartitionedOrders, rfm: Rfm, proxy: Proxy, step: str
) -> None:
    run(rfm, orders)
    before = orders.shop.published_rows()
    orders.replace({day(5): lines_of(5), day(0): lines_of(0)[:3]})

    def fail(request: Request) -> str | None:
        return "job invalidQuery" if request.kind == "insert" and f"-{step}-a" in request.job_id else None

    proxy.fault_for = fail
    failed: Any = rfm("run", orders.source, "--to", orders.shop.destination, "--incremental")
    assert failed.code == 4
    assert orders.shop.published_rows() == before
    proxy.fault_for = lambda _: None
    ended = run(rfm, orders)
    assert parts(ended)[:2] == ((0, 6) if step == "publish" else (2, 4))
    assert_is_full(rfm, orders, ended)


def test_the_bytes_of_a_day_are_those_of_the_performance_page(
    orders: PartitionedOrders, rfm: Rfm, proxy: Proxy
) -> None:
    """A terabyte in a thousand daily partitions, one of them new; 50 million customers."""
    run(rfm, orders)
    orders.replace({day(5): lines_of(5)})
    proxy.requests.clear()
    ended = run(rfm, orders)
    assert_adds_later_orders(orders, proxy)
    assert_is_full(rfm, orders, ended)
    incremental = [KEPT_CUSTOMERS.sub(r"\1_of_customers", sql) for sql in proxy.statements]
    proxy.requests.clear()
    assert rfm("run", orders.source, "--to", orders.shop.destination).code == 0
    full = list(proxy.statements)
    kept_columns = tuple(
        row["column_name"]
        for row in orders.shop.execute(
            f"SELECT column_name FROM `{orders.shop.dataset}`.INFORMATION_SCHEMA.COLUMNS"
            " WHERE table_name = 'rfm_segments_orders'"
        )
    )
    columns = {
        "orders": ("customer", "order_no", "day", "amount"),
        "rfm_segments_orders": kept_columns,
        "rfm_segments_orders_of_customers": kept_columns,
        **{f"rfm_segments{suffix}": tuple(PUBLISHED_COLUMNS[name]) for name, suffix in SUFFIXES.items()},
    }
    for statement in (*incremental, *full):
        columns |= created_columns(statement)
    widths = {sql: billed_widths(sql, columns) for sql in (*incremental, *full)}
    shares, lines = {}, []
    for lines_per_order in (21, 10, 5, 2):
        rows = partial(rows_of_a_terabyte, lines_per_order)
        day_bytes, full_bytes, source = (
            sum(width * rows(table, sql) for sql in sent for table, width in widths[sql])
            for sent in (incremental, full, reads_in(orders, incremental))
        )
        assert source / TERABYTE <= 0.01
        shares[lines_per_order] = day_bytes / full_bytes
        lines.append(f"| {lines_per_order} | {source / TERABYTE:.1%} | {day_bytes / full_bytes:.1%} |")
    page = (ROOT / "docs/contributing/performance.md").read_text(encoding="utf-8").replace(" %", "%")
    assert [line for line in lines if line not in page] == []
    assert [lines_per_order for lines_per_order, share in shares.items() if share > 0.15] == [2]
    assert f"with two lines it is {shares[2]:.1%}, more than 15%" in " ".join(page.split())
