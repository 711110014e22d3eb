"""Incremental runs whose statements Google's evaluator executes, on tables that are lists in Python.

It is the code of the runs that decides, and writes the statements; only the jobs and the staging of tables
are replaced. A script of several statements is taken apart: the evaluator executes queries alone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from types import SimpleNamespace
from typing import Any, cast

import pytest
from google.cloud.bigquery import SchemaField, Table
from msgspec import Struct
from msgspec.structs import replace

from rfm_pipeline.common.staging_tables import StagingTable
from rfm_pipeline.pipeline.incremental import keep_staged, stage_part_orders, taking_over
from rfm_pipeline.pipeline.plan import Plan
from rfm_pipeline.pipeline.progress import NullObserver
from rfm_pipeline.results.recognition import table_comment
from rfm_pipeline.results.statistics import PartsRead
from rfm_pipeline.results.tables import LAYOUTS
from rfm_pipeline.sql.partition_pruning import prune_partitions
from rfm_pipeline.sql.pipeline import QueryPipeline
from rfm_pipeline.sql.query_spec import QuerySpec
from rfm_pipeline.sql.stages.metrics import NO_POSITIVE_ORDER
from rfm_pipeline.sql.stages.unscored import no_amount_reasons, unscored_sql
from rfm_pipeline.warehouse.bigquery import kept_customers, kept_orders
from rfm_pipeline.warehouse.bigquery.jobs import JobRunner
from rfm_pipeline.warehouse.bigquery.kept_orders import BigQueryKeptOrders
from rfm_pipeline.warehouse.bigquery.partitions import partition_of
from rfm_pipeline.warehouse.bigquery.warehouse import BigQueryWarehouse
from support.engines import Answer, Question, Row
from support.googlesql import GoogleSql

SOURCE, KEPT = "shop.sales.lines", "shop.sales.rfm_segments_orders"
_NOW = 1_900_000_000_000_000


@dataclass
class PartsOnGoogle:
    """A table partitioned by its column `day`, and what incremental runs keep of it.

    Attributes:
        columns: Types of the table's columns.
        settings: Settings of all runs.
        parts: The lines of each partition; None for those without a date.
        is_analysed: Whether Google's analyser checks each script as a whole.
        statements: The statements of the last run.
    """

    columns: Mapping[str, str]
    settings: Mapping[str, Any]
    monkeypatch: pytest.MonkeyPatch
    parts: dict[date | None, list[Row]] = field(default_factory=dict)
    is_analysed: bool = False
    statements: list[str] = field(default_factory=list)
    _versions: dict[date | None, int] = field(default_factory=dict)
    _types: dict[str, dict[str, str]] = field(default_factory=dict)
    _rows: dict[str, list[Row]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for module in (kept_orders, kept_customers):
            self.monkeypatch.setattr(module, "find_table", lambda _, name: self._find(name))

    def change(self, changes: Mapping[date | None, Sequence[Row]]) -> None:
        """Replace the lines of partitions."""
        for day, lines in changes.items():
            self.parts[day] = list(lines)
            self._versions[day] = self._versions.get(day, 0) + 1

    def full(self, today: date) -> Answer:
        """Return the customers of a run that reads all lines."""
        question = self._question(today)
        spec, warehouse = question.spec("bigquery", f"`{SOURCE}`"), _Warehouse(self)
        partition = partition_of(self._table(SOURCE))
        read = prune_partitions(spec.relation, partition, spec.mapping, spec.settings, spec.dialect)
        spec = replace(spec, relation=read)
        return self._answer(spec, QueryPipeline.of(spec), warehouse)

    def _question(self, today: date) -> Question:
        return Question(self.columns, (), self.settings, today)

    def run(self, today: date, *, full: str | None = None) -> tuple[PartsRead, bool, Answer]:
        """Return what an incremental run reads, whether it takes customers over, and its customers."""
        self.statements.clear()
        for name in [name for name in self._rows if name != KEPT]:
            del self._rows[name], self._types[name]
        self._types[SOURCE] = dict(self.columns)
        self._rows[SOURCE] = [line for part in self.parts.values() for line in part]
        question = self._question(today)
        spec = replace(question.spec("bigquery", f"`{SOURCE}`"), keeps_orders=True)
        source = self._table(SOURCE)
        warehouse = _Warehouse(self)
        warehouse.kept_orders = BigQueryKeptOrders(
            cast("BigQueryWarehouse", warehouse), cast("JobRunner", self), source, "shop.sales.rfm_segments"
        )
        assert warehouse.kept_orders.why_no_parts() is None
        plan = _Plan(
            spec, QueryPipeline.of(spec), warehouse, SimpleNamespace(
                parts=(), files=None, label=SOURCE, partition=partition_of(source)
            ), full,
        )  # fmt: skip
        parts = stage_part_orders(cast("Plan", plan), NullObserver())
        plan = cast("_Plan", taking_over(cast("Plan", plan)))
        answer = self._answer(plan.spec, plan.pipeline, warehouse)
        keep_staged(cast("Plan", plan))
        return parts, plan.spec.takes_over is not None, answer

    def _answer(self, spec: QuerySpec, pipeline: QueryPipeline, warehouse: _Warehouse) -> Answer:
        steps = pipeline.steps(warehouse.table)
        (step,) = (step for step in steps if step.name == StagingTable.CUSTOMERS)
        warehouse.materialize(step.name, step.select)
        customers = self._rows[warehouse.staged_name(StagingTable.CUSTOMERS)]
        unscored = sum(row["reason"] == NO_POSITIVE_ORDER for row in customers)
        if no_amount_reasons(spec):
            (row,) = self._execute(unscored_sql(spec, warehouse.table))
            unscored = row["customers"]
        return Answer({"customers": customers}, unscored)

    # The job runner of the run

    def query(self, step: str, sql: str) -> list[Row]:
        """Execute a statement, or a script of several; return the rows of a query."""
        self.statements.append(sql)
        if step == "list-partitions":
            return self._list_partitions()
        if "BEGIN TRANSACTION" not in sql:
            return self._execute(sql)
        name = f"`{KEPT.replace('.', '`.`')}`"
        for statement in sql.replace(name, f"`{KEPT}`").split(";\n"):
            self._change(statement.strip().rstrip(";"))
        if self.is_analysed:
            GoogleSql.load().analyse(sql, self._types)
        return []

    def rows(self, job: list[Row]) -> list[Row]:
        """Return the rows of a query."""
        return job

    def _change(self, statement: str) -> None:
        if match := re.match(rf"CREATE TABLE `{KEPT}` \((.+?)\n\)", statement, re.DOTALL):
            pairs = [line.strip().rstrip(",").split(" ", 1) for line in match[1].strip().splitlines()]
            self._types[KEPT], self._rows[KEPT] = dict(pairs), []
        elif match := re.match(rf"DELETE FROM `{KEPT}`\nWHERE (.+)", statement, re.DOTALL):
            self._rows[KEPT] = self._execute(f"SELECT * FROM `{KEPT}` WHERE ({match[1]}) IS NOT TRUE")
        elif match := re.match(rf"INSERT INTO `{KEPT}` \((.+?)\)\n(.+)", statement, re.DOTALL):
            names = match[1].split(", ")
            found = self._execute(match[2])
            self._rows[KEPT] += [dict(zip(names, row.values(), strict=True)) for row in found]
        else:
            assert statement.startswith(("DROP", "ALTER", "BEGIN", "COMMIT")), statement

    def _execute(self, sql: str) -> list[Row]:
        return GoogleSql.load().execute(_without_time(sql), self._types, self._rows)

    def _list_partitions(self) -> list[Row]:
        total = sum(map(len, self.parts.values()))
        return [
            {
                "listed_us": _NOW,
                "visible_rows": total,
                "partition_id": f"{day:%Y%m%d}" if day else "__NULL__",
                "total_rows": len(lines),
                "total_bytes": 40 * len(lines),
                "modified_us": self._versions[day],
            }
            for day, lines in self.parts.items()
            if lines
        ]

    # The tables

    def stage(self, name: str, select: str) -> None:
        """Make a table of the rows of a SELECT."""
        self.statements.append(select)
        plain = _without_time(select)
        rows, self._types[name] = GoogleSql.load().execute_typed(plain, self._types, self._rows)
        self._rows[name] = rows

    def _find(self, name: str) -> Table | None:
        return self._table(name) if name in self._types else None

    def _table(self, name: str) -> Table:
        project, dataset, table_id = name.split(".")
        reference = {"projectId": project, "datasetId": dataset, "tableId": table_id}
        resource: dict[str, Any] = {"tableReference": reference, "type": "TABLE"}
        if name == SOURCE:
            resource["timePartitioning"] = {"type": "DAY", "field": "day"}
        table = Table.from_api_repr(resource)
        table.schema = [SchemaField(column, kind) for column, kind in self._types[name].items()]
        table.description = table_comment("orders", "rfm_segments", LAYOUTS["bigquery"])
        return table


class _Plan(Struct, frozen=True):
    """The part of a plan that keeping orders needs."""

    spec: QuerySpec
    pipeline: QueryPipeline
    warehouse: Any
    source: Any
    reads_all: str | None = None
    checks_kept_orders: bool = True
    source_state: Any = SimpleNamespace(files={})

    @property
    def settings(self) -> Any:
        return self.spec.settings

    @property
    def mapping(self) -> Any:
        return self.spec.mapping


class _Warehouse:
    """Stages tables in the lists of `PartsOnGoogle`."""

    engine = "bigquery"
    labels_of_published: Mapping[str, str] = {"created_by": "rfm-pipeline"}
    kept_orders: BigQueryKeptOrders

    def __init__(self, parts: PartsOnGoogle) -> None:
        self._parts = parts
        self._views: dict[str, str] = {}

    def materialize(self, name: str, select: str, progress: object = None) -> None:
        self._parts.stage(self.staged_name(name), select)

    def staged_name(self, name: str) -> str:
        return f"shop.sales.staged_{name}"

    def copy_from_destination(self, name: str, select: str) -> None:
        self._views[name] = f"(\n{select}\n)"

    def table(self, name: str) -> str:
        return self._views.get(name) or f"`{self.staged_name(name)}`"


def _without_time(sql: str) -> str:
    """Return a statement over tables as they are now, the only ones that the evaluator has."""
    return re.sub(r" FOR SYSTEM_TIME AS OF TIMESTAMP '[^']+'", "", sql)
