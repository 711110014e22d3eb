"""Google's analyser accepts each statement, and each dry run, that a sequence of commands sent."""

from __future__ import annotations

import re
from datetime import date, timedelta

import pytest

from rfm_pipeline.warehouse.bigquery.kept_manifest import types_of
from support.bigquery_parts import Line, PartitionedOrders
from support.bigquery_proxy import Proxy
from support.bigquery_shop import PROJECT, Shop
from support.cli import Rfm
from support.googlesql import Columns, GoogleSql

# The sequence takes about a minute, most of it the emulator's.
pytestmark = [pytest.mark.xdist_group("bigquery"), pytest.mark.long]

PARTITIONS: Columns = {
    "table_name": "STRING",
    "partition_id": "STRING",
    "total_rows": "INT64",
    "total_logical_bytes": "INT64",
    "last_modified_time": "TIMESTAMP",
}
STAGED = re.compile(r"CREATE OR REPLACE TABLE (\S+)\n.*?\n\) AS\n(.+)", re.DOTALL)
PINNED = re.compile(r" FOR SYSTEM_TIME AS OF TIMESTAMP '[^']+'")
"""The moment of a read, which the evaluator does not know; the analyser does."""
SENT = {
    "the newest partition": r"SELECT MAX\(partition_id\)",
    "the list of partitions": "AS listed_us",
    "a read of the listed moment": "FOR SYSTEM_TIME AS OF",
    "orders added to kept customers": "changed_customers",
    "a publish": "BEGIN TRANSACTION",
    "access to jobs": r"SELECT 1 AS one$",
    "access to the lines": r"SELECT 1 AS one\nFROM",
    "access to the dataset": "CREATE TABLE IF NOT EXISTS .*__access",
    "access to change rows": r"DELETE FROM .*\nWHERE FALSE$",
    "forgotten customers": r"DELETE FROM .*`rfm_segments_history`\nWHERE .*customer_id",
}
"""Statements that are among those sent, as patterns."""


def lines_of(number: int) -> list[Line]:
    day = date(2024, 1, 1) + timedelta(days=number)
    return [(f"c{(number + k) % 5}", f"{number}-{k}", day, f"{k + 1}.50") for k in range(3)]


def test_googles_analyser_accepts_what_a_sequence_of_commands_sent(
    bigquery_shop: Shop, proxy: Proxy, rfm: Rfm, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop, orders = bigquery_shop, PartitionedOrders(bigquery_shop, proxy)
    orders.replace({date(2024, 1, 1) + timedelta(days=number): lines_of(number) for number in range(20)})
    catalog = {f"{PROJECT}.{shop.dataset}.INFORMATION_SCHEMA.PARTITIONS": PARTITIONS}
    accepted: list[str] = []

    def execute(*words: str) -> None:
        """Run a command, and have the analyser check what it sent, in order, with the tables of that time."""
        proxy.requests.clear()
        ended = rfm(*words, "--to", shop.destination)
        assert ended.code == 0, (words, ended.stderr)
        for name in shop.tables():
            full_name = f"{PROJECT}.{shop.dataset}.{name}"
            catalog[full_name] = types_of(shop.client.get_table(full_name))
        for sql in [request.sql for request in proxy.requests if request.sql]:
            GoogleSql.load().analyse(sql, catalog)
            if staged := STAGED.match(sql):
                select = PINNED.sub("", staged[2])
                _, catalog[staged[1].replace("`", "")] = GoogleSql.load().execute_typed(select, catalog, {})
            accepted.append(sql)

    execute("check", orders.source)
    execute("run", orders.source, "--window", "5 days")
    execute("run", orders.source, "--incremental")
    orders.replace({date(2024, 1, 21): lines_of(20)})
    with monkeypatch.context() as patched:
        patched.setenv("RFM_INCREMENTAL", "true")
        execute("check", orders.source)
    execute("run", orders.source, "--incremental")
    execute("rollback")
    execute("forget", "c1")
    missing = [what for what, form in SENT.items() if not any(re.search(form, sql) for sql in accepted)]
    assert missing == []
