"""A week of a shop on two independent emulators: after each command every row and column equals DuckDB's."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from support import bigquery_emulator
from support.bigquery_emulator import BQEMULATOR, LOCAL_BIGQUERY
from support.bigquery_parts import Line, PartitionedOrders, assert_is_full
from support.bigquery_proxy import InstantClock, Proxy, run_proxy
from support.bigquery_shop import Shop
from support.cli import Rfm

# Each sequence takes a minute of processor time, most of it the emulator's.
pytestmark = [pytest.mark.xdist_group("bigquery"), pytest.mark.long]

COLUMNS = "customer_id,recency_days,frequency,monetary,avg_order_value,rfm_score,segment,segment_since"
TABLES = ("rfm_segments", "rfm_segments_history")


def order_lines() -> str:
    """Return a CSV of 40 customers with returns, lines without a customer, free lines and repeated orders."""
    lines = ["customer_id,order_id,order_date,quantity,unit_price"]
    for number in range(260):
        customer = "" if number % 31 == 0 else f"c{number * number % 41:02}"
        day = f"2024-{number % 4 + 1:02}-{number * 7 % 28 + 1:02}"
        quantity = -1 if number % 23 == 0 else number % 3 + 1
        price = "0" if number % 37 == 0 else f"{number % 19}.{number % 100:02}"
        lines.append(f"{customer},o{number // 2},{day},{quantity},{price}")
    return "\n".join(lines) + "\n"


@pytest.fixture(params=[LOCAL_BIGQUERY, BQEMULATOR], ids=lambda each: str(each.name))
def server(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Shop, Proxy]]:
    """A dataset in each emulator in turn, and the proxy that the commands connect to."""
    try:
        with bigquery_emulator.run_emulator(request.param) as address, run_proxy(address) as proxy:
            monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", proxy.address)
            monkeypatch.setattr("rfm_pipeline.warehouse.bigquery.jobs.Clock", InstantClock)
            shop = Shop(address)
            yield shop, proxy
            shop.close()
    except bigquery_emulator.UnavailableError as error:
        pytest.skip(f"no BigQuery server here: {error}")


@pytest.fixture
def shop(server: tuple[Shop, Proxy]) -> Shop:
    return server[0]


def rows(found: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Return rows in order, with decimals of one scale."""
    return sorted(
        tuple(value.normalize() if isinstance(value, Decimal) else value for value in row) for row in found
    )


def test_a_sequence_of_commands_leaves_what_it_leaves_on_duckdb(shop: Shop, rfm: Rfm, tmp_path: Path) -> None:
    (tmp_path / "orders.csv").write_text(order_lines(), encoding="utf-8")
    file = tmp_path / "shop.duckdb"
    sides = ((shop.source(), shop.destination), ("orders.csv", f"duckdb:{file}"))

    def on_both(*words: str, source: bool = True) -> list[Any]:
        """Run a command on BigQuery and on DuckDB; compare the tables, and return what both printed."""
        printed = []
        for lines, to in sides:
            command, *flags = words
            done = rfm(command, *([lines] if source else []), "--to", to, *flags, "--json")
            assert done.code == 0, (words, to, done.stderr)
            printed.append(done.json)
        if words[0] == "check":
            return printed
        with duckdb.connect(str(file), read_only=True) as connection:
            for table in TABLES:
                columns = [name for name, *_ in connection.execute(f"DESCRIBE {table}").fetchall()]
                columns.remove("run_id")
                select = ", ".join(columns)
                here = connection.execute(f"SELECT {select} FROM {table}").fetchall()
                there = shop.execute(f"SELECT {select} FROM {shop.name(table)}")
                assert rows([tuple(row.values()) for row in there]) == rows(here), (words, table)
        return printed

    assert rfm("load", "orders.csv", shop.source()).code == 0
    on_both("check", "--as-of", "2024-03-31")
    first, again = on_both("run", "--as-of", "2024-03-31"), on_both("run", "--as-of", "2024-03-31")
    for there, here in (first, again):
        for key in ("rows", "customers", "orders", "revenue", "edges", "segments"):
            assert there[key] == here[key], key
    on_both("backfill", "--from", "2024-03-31", "--until", "2024-04-30", "--every", "month")
    on_both("rollback", source=False)
    for to, name in ((shop.destination, "there"), (f"duckdb:{file}", "here")):
        for words in (
            ("report", "-o", f"{name}.html"),
            ("export", "-o", f"{name}.csv", "--columns", COLUMNS),
        ):
            done = rfm(words[0], "--to", to, *words[1:])
            assert done.code == 0, (words, done.stderr)
    assert (tmp_path / "there.csv").read_text("utf-8") == (tmp_path / "here.csv").read_text("utf-8")
    assert len((tmp_path / "here.csv").read_text("utf-8").splitlines()) > 20
    assert (tmp_path / "there.html").stat().st_size > 10_000


def test_incremental_runs_have_the_result_of_a_full_run_on_duckdb(
    server: tuple[Shop, Proxy], rfm: Rfm
) -> None:
    """Partitions come, one is corrected, an order has lines in two partitions, and one partition goes."""
    orders = PartitionedOrders(*server)

    def lines_of(number: int) -> list[Line]:
        day = date(2024, 1, 1) + timedelta(days=number)
        amounts = ("10.50", "2.25", "0.00", "-3.00")
        return [(f"c{number % 3}", f"{number}-{k // 2}", day, amount) for k, amount in enumerate(amounts)]

    days = [date(2024, 1, 1) + timedelta(days=number) for number in range(7)]
    orders.replace({day: lines_of(number) for number, day in enumerate(days[:4])})
    changes: list[dict[date | None, list[Line]]] = [
        {},
        {days[4]: lines_of(4), None: [("c1", "y", None, "4")]},
        {days[5]: [*lines_of(5), ("c0", "0-0", days[5], "1.75")]},
        {days[1]: lines_of(1)[1:], days[2]: []},
    ]
    for change, expected in zip(changes, ((4, 0), (1, 4), (1, 5), (1, 4)), strict=True):
        orders.replace(change)
        ended = rfm("run", orders.source, "--to", orders.shop.destination, "--incremental", "--json")
        assert ended.code == 0, ended.stderr
        assert (ended.json["parts"]["read"], ended.json["parts"]["kept"]) == expected
        assert_is_full(rfm, orders, ended)
