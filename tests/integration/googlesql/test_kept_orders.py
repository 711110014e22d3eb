"""GoogleSQL's analyser accepts every statement of incremental runs on BigQuery."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, cast

import pytest
from google.cloud.bigquery import SchemaField, Table
from msgspec.structs import replace

from rfm_pipeline.common.source_parts import PartsRequest
from rfm_pipeline.results.recognition import table_comment
from rfm_pipeline.results.tables import LAYOUTS
from rfm_pipeline.warehouse.bigquery import kept_orders
from rfm_pipeline.warehouse.bigquery.jobs import JobRunner
from rfm_pipeline.warehouse.bigquery.kept_orders import BigQueryKeptOrders
from rfm_pipeline.warehouse.bigquery.source_partitions import list_partitions_sql
from rfm_pipeline.warehouse.bigquery.warehouse import BigQueryWarehouse
from support.googlesql import Columns, GoogleSql

pytestmark = pytest.mark.xdist_group("googlesql")

ORDERS: Columns = {
    "part": "DATE",
    "customer_id": "STRING",
    "order_id": "STRING",
    "order_date": "DATE",
    "reason": "STRING",
    "late_reason": "STRING",
    "lines": "INT64",
    "amount": "NUMERIC",
}
KEPT = "shop.sales.rfm_segments_orders"
STAGED = "shop.sales.staged_part_orders"
TABLES: dict[str, Columns] = {
    KEPT: {**ORDERS, "manifest": "STRING", "kept_order_hash": "INT64"},
    STAGED: ORDERS,
    "shop.sales.lines": {"customer": "STRING", "day": "TIMESTAMP", "_PARTITIONTIME": "TIMESTAMP"},
    "shop.sales.INFORMATION_SCHEMA.PARTITIONS": {
        "table_name": "STRING",
        "partition_id": "STRING",
        "total_rows": "INT64",
        "total_logical_bytes": "INT64",
        "last_modified_time": "TIMESTAMP",
    },
}
US = 1_000_000
NOW = 1_700_000_000 * US


class Jobs:
    """Accepts each statement that GoogleSQL's analyser accepts, and answers as BigQuery would.

    Attributes:
        statements: The statements so far.
        partitions: Rows of each partition of the source, by its id.
        manifest: The row with the manifest; None if there is none.
        moved: Lines that each partition has more than it was listed with.
    """

    def __init__(self) -> None:
        self.statements: list[str] = []
        self.partitions: dict[str | None, int] = {}
        self.manifest: str | None = None
        self.moved = 0

    def query(self, step: str, sql: str) -> tuple[str, str]:
        GoogleSql.load().analyse(sql, TABLES)
        self.statements.append(sql)
        if step == "keep-orders":
            self.manifest = sql.split("SELECT DATE '0001-01-01', '")[1].split("', (SELECT", maxsplit=1)[0]
        return step, sql

    def rows(self, job: tuple[str, str]) -> Sequence[Mapping[str, object]]:
        step, _ = job
        if step == "list-partitions":
            common = {"listed_us": NOW, "visible_rows": sum(self.partitions.values()), "total_bytes": 8}
            return [
                {**common, "partition_id": name, "total_rows": count, "modified_us": 1}
                for name, count in self.partitions.items()
            ]
        if step.startswith("load-orders"):
            return [{"manifest": self.manifest, "described": 7, "found": 8}] if self.manifest else []
        if step.startswith("count-orders"):
            return [
                {"part": date.fromisoformat(name or "19700101"), "lines_read": count + self.moved}
                for name, count in self.partitions.items()
                if name is None or self._is_staged(date.fromisoformat(name).isoformat())
            ]
        return [{"different": 0}]

    def _is_staged(self, day: str) -> bool:
        """Return whether the last staged SELECT reads a partition."""
        staged = next(sql for sql in reversed(self.statements) if "rfm_part" in sql)
        ranges = re.findall(r"'([\d-]{10})[^']*' AND \S+ < \w+ '([\d-]{10})", staged)
        bounds = re.findall(r">= \w+ '([\d-]{10})[^']*' OR", staged)
        if not ranges:
            return all(day >= bound for bound in bounds)
        return any(first <= day < end for first, end in ranges)


class Warehouse:
    """Stages what the analyser accepts."""

    labels_of_published: Mapping[str, str] = {"created_by": "rfm-pipeline"}

    def __init__(self, jobs: Jobs) -> None:
        self._jobs = jobs

    def materialize(self, name: str, select: str, progress: object) -> None:
        self._jobs.query("stage", select)

    def staged_name(self, name: str) -> str:
        assert f"shop.sales.staged_{name}" == STAGED
        return STAGED

    def copy_from_destination(self, name: str, select: str) -> None:
        self._jobs.query("view", select)


def table(name: str, columns: Columns, description: str = "", **resource: Any) -> Table:
    project, dataset, table_id = name.split(".")
    reference = {"projectId": project, "datasetId": dataset, "tableId": table_id}
    found = Table.from_api_repr({"tableReference": reference, "type": "TABLE", **resource})
    found.schema = [SchemaField(column, kind) for column, kind in columns.items()]
    found.description = description
    return found


@pytest.mark.parametrize(
    "layout",
    [
        {"timePartitioning": {"type": "DAY", "field": "day"}},
        {"timePartitioning": {"type": "MONTH"}},
        {"timePartitioning": None},
    ],
)
def test_each_statement_of_a_full_and_of_an_incremental_run(
    monkeypatch: pytest.MonkeyPatch, layout: Mapping[str, Any]
) -> None:
    jobs = Jobs()
    source = table("shop.sales.lines", {"customer": "STRING", "day": "TIMESTAMP"}, **layout)
    found = {STAGED: table(STAGED, ORDERS)}
    monkeypatch.setattr(kept_orders, "find_table", lambda _, name: found.get(name))

    def run(**request: Any) -> tuple[int, int, str | None]:
        kept = BigQueryKeptOrders(
            cast("BigQueryWarehouse", Warehouse(jobs)),
            cast("JobRunner", jobs),
            source,
            "shop.sales.rfm_segments",
        )
        assert kept.why_no_parts() is None
        asked = replace(PartsRequest({}, {}, "key", None, 10), **request)
        select = "SELECT customer, rfm_part AS part FROM"
        read = kept.update(asked, lambda relation: f"{select} {relation}", "rfm_part")
        kept.save()
        return read.read, read.kept, read.why_all

    by_day = layout["timePartitioning"] is not None
    jobs.partitions = {"20240131": 3, "20240201": 4, "20240203": 1} if by_day else {None: 8}
    every = 3 if by_day else 1
    assert run() == (every, 0, "no orders are kept yet")
    comment = table_comment("orders", "rfm_segments", LAYOUTS["bigquery"])
    found[KEPT] = table(KEPT, TABLES[KEPT], comment, **layout)
    assert run() == (0, every, None)
    assert run(full="--full asks for it") == (every, 0, "--full asks for it")
    assert any("EXCEPT DISTINCT" in sql for sql in jobs.statements)
    if by_day:
        jobs.partitions |= {"20240201": 5, "20240204": 2}
        del jobs.partitions["20240203"]
        assert run() == (2, 1, None)
        assert run(first_day=date(2024, 2, 1)) == (0, 2, None)
        assert run(key="another")[2] is not None
        assert run(key="another", check_every=None) == (0, 3, None)
        jobs.partitions["20240205"], jobs.moved = 1, 1
        why = "partitions have other lines than they were listed with"
        assert run(key="another") == (4, 0, why)
        assert jobs.manifest is not None
        assert '"parts":[]' in jobs.manifest, "none is kept"
        jobs.moved = 0
        assert run(key="another") == (4, 0, "no partition is as it was")
        assert run(key="another", check_every=1)[2] == "every 1 runs the kept orders are checked"
    GoogleSql.load().analyse(list_partitions_sql(source), TABLES)
