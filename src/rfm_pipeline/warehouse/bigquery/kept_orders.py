"""Kept orders of BigQuery: a table beside the result, with the orders of each partition of the source.

    rfm_segments_orders     orders    one row per partition, customer, order, date and exclusion reason

The table is partitioned by the first day of the source's partition, so that orders of one partition are
replaced without reading those of others. One more row, in a partition of its own, has the manifest: which
partitions the orders are of, how these were when they were read, and what the orders depend on. Two further
partitions have customers (`kept_customers`). A run changes the table in one transaction. If it makes the
table anew, there is no manifest until the orders are complete. So at each moment the table holds what was
read from partitions as the manifest describes them, or nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from functools import cached_property
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from rfm_pipeline.common.source_parts import CustomersRequest, PartsRequest, TakeOver
from rfm_pipeline.common.staging_tables import StagingTable
from rfm_pipeline.errors import WarehouseError
from rfm_pipeline.results.recognition import KEPT_ORDERS, table_comment
from rfm_pipeline.results.statistics import PartsRead
from rfm_pipeline.results.tables import LAYOUTS
from rfm_pipeline.sql.query_spec import select
from rfm_pipeline.warehouse.base import Preview, Progress
from rfm_pipeline.warehouse.bigquery import statements
from rfm_pipeline.warehouse.bigquery.kept_customers import (
    StagedCustomers,
    complete_before,
    hash_of_orders,
    is_later,
    shares_orders,
    stage_customers,
    take_over,
)
from rfm_pipeline.warehouse.bigquery.kept_manifest import (
    CUSTOMERS_DAY,
    EXCLUDED_DAY,
    FORMAT,
    MANIFEST_DAY,
    KeptCustomers,
    KeptManifest,
    hash_of,
    is_kept_table,
    kept_name,
    manifest_sql,
    order_types_of,
    types_of,
)
from rfm_pipeline.warehouse.bigquery.partitions import partition_of
from rfm_pipeline.warehouse.bigquery.source_partitions import (
    PartitionList,
    PartitionVersion,
    list_partitions,
    why_not_listed,
)
from rfm_pipeline.warehouse.bigquery.tables import drop_table, find_table

if TYPE_CHECKING:
    from google.cloud.bigquery import Table

    from rfm_pipeline.warehouse.bigquery.jobs import JobRunner
    from rfm_pipeline.warehouse.bigquery.warehouse import BigQueryWarehouse

_NOT_CLUSTERED = {"FLOAT64", "STRUCT", "JSON", "BYTES"}


class _Decision(Struct, frozen=True):
    """What a run reads.

    Attributes:
        parts: The partitions that count.
        before: The manifest; None if the kept orders depend on something else, or there are none.
        why_all: Why all partitions are read, as a clause; None if those that changed are enough.
        kept: Days of the partitions whose kept orders are used.
        request: What the run asked for.
    """

    parts: tuple[PartitionVersion, ...]
    before: KeptManifest | None
    why_all: str | None
    kept: frozenset[date]
    request: PartsRequest

    @property
    def read(self) -> tuple[PartitionVersion, ...]:
        """The partitions that are read."""
        return tuple(part for part in self.parts if part.day not in self.kept)

    @property
    def changed(self) -> list[date]:
        """Days of the partitions that were written to since an earlier run has read them."""
        before = self.before.versions if self.before is not None else {}
        return [part.day for part in self.parts if before.get(part.day, part.version) != part.version]

    @property
    def customers(self) -> KeptCustomers | None:
        """The kept customers; None if there are none, or a partition whose orders they have has changed."""
        kept = self.before.customers if self.before is not None else None
        read = [part.day for part in self.read]
        return kept if kept is not None and kept.are_current(self.kept, read) else None


class BigQueryKeptOrders:
    """The table with the orders of a destination; see `warehouse.base.KeptOrders`.

    Args:
        warehouse: The warehouse with the opened source.
        jobs: Job runner.
        source: Metadata of the source; None if it is no single table.
        name: Full name `project.dataset.table` of the table of the current result.
    """

    def __init__(
        self, warehouse: BigQueryWarehouse, jobs: JobRunner, source: Table | None, name: str
    ) -> None:
        self._warehouse = warehouse
        self._jobs = jobs
        self._source = source
        self._name = kept_name(name)
        self._destination = name.rsplit(".", 1)[-1]
        self._partitions: PartitionList | None = None
        self._decision: _Decision | None = None
        self._columns: dict[str, str] = {}
        self._staged: str | None = None
        self._is_misread = False
        self._customers: StagedCustomers | None = None
        self._times_staged = 0

    @property
    def _table(self) -> str:
        return statements.qualified_name(*self._name.rsplit(".", 2))

    @cached_property
    def _existing(self) -> Table | None:
        return find_table(self._jobs, self._name)

    def why_no_parts(self) -> str | None:
        """Return why the partitions do not tell what has changed, as a clause; None if they do."""
        partition = partition_of(self._source) if self._source else None
        if reason := why_not_listed(self._source, partition):
            return reason
        if self._existing is not None and not is_kept_table(self._existing, self._destination):
            return f"{self._name}, the name of the table for its orders, is another program's"
        assert self._source is not None  # else there is a reason
        listed = list_partitions(self._jobs, self._source, partition)
        if isinstance(listed, str):
            return listed
        self._partitions = listed
        return None

    def why_not_kept(self, select: str) -> None:  # noqa: ARG002 - as the protocol has it
        """Return None: a table holds rows of all types."""
        return

    def preview(self, request: PartsRequest, select_of: Callable[[str], str], column: str) -> Preview:
        """Return what `update` would read."""
        decision = self._decide(request)
        kept = self._existing.num_bytes if self._existing and decision.why_all is None else 0
        select = select_of(self._lines_of(decision, column)) if self._reads(decision) else None
        return Preview(len(decision.read), len(decision.kept), decision.why_all, select, kept or 0)

    def update(
        self,
        request: PartsRequest,
        select_of: Callable[[str], str],
        column: str,
        progress: Progress | None = None,
    ) -> PartsRead:
        """Read the partitions that are new or have changed; stage the orders of all as `part_orders`."""
        decision = self._decide(request)
        read = self._stage(decision, select_of, column, progress)
        if self._is_misread and decision.why_all is None:
            why = "partitions have other lines than they were listed with"
            everything = replace(decision, why_all=why, kept=frozenset())
            read = self._stage(everything, select_of, column, progress)
        return read

    def _stage(
        self,
        decision: _Decision,
        select_of: Callable[[str], str],
        column: str,
        progress: Progress | None,
    ) -> PartsRead:
        """Stage the orders of all partitions, of which those that the decision names are read."""
        name = StagingTable.PART_ORDERS
        staged = None
        self._times_staged += 1
        if self._reads(decision):
            self._warehouse.materialize(name, select_of(self._lines_of(decision, column)), progress)
            staged = self._warehouse.staged_name(name)
        self._staged = statements.qualified_name(*staged.rsplit(".", 2)) if staged else None
        self._columns = self._staged_columns(staged)
        self._is_misread = staged is not None and self._differs_from_list(decision)
        different = self._count_differences(decision) if decision.why_all else None
        if decision.why_all is None:
            self._warehouse.copy_from_destination(name, self._all_orders(decision))
        self._decision = decision
        return PartsRead(len(decision.read), len(decision.kept), decision.why_all, different)

    def kept_customers(self, request: CustomersRequest) -> TakeOver | None:
        """Stage the later orders in place of all; None if there are no customers to whom to add them."""
        decision, partitions = self._decision, self._partitions
        assert decision is not None  # the protocol: `update` comes first
        assert partitions is not None  # and `why_no_parts` before it
        if not request.are_sums or self._is_misread:
            return None
        kept, orders = decision.customers, self._table
        if decision.why_all is not None:
            orders, end = str(self._staged), complete_before(request.last_day, decision.changed)
            complete = [part.day for part in decision.parts if partitions.ends_before(part.day, end)]
            self._customers = stage_customers(self._warehouse, self._jobs, request, orders, complete)
            kept = self._customers.kept if self._customers else None
        if kept is None or kept.key != request.key or kept.last_day > request.last_day:
            return None
        later = self._all_orders(decision, after=kept.last_part)
        has_ids = request.has_order_ids and (partitions.has_null or decision.parts[-1].day > kept.last_part)
        is_hashed = decision.why_all is None and bool(hash_of_orders(self._columns))
        if has_ids and shares_orders(
            self._warehouse, self._jobs, orders, later, kept.last_part, is_hashed=is_hashed
        ):
            return None
        self._warehouse.copy_from_destination(StagingTable.PART_ORDERS, later)
        return take_over(request, self._customers or (kept, self._table))

    def keep_customers(self, key: str, last_day: date, customers: str, excluded: str) -> None:
        """Do nothing: a run that reads all partitions has kept customers before it takes them over."""

    def save(self) -> None:
        """Replace the orders of partitions that were read, and the manifest, in one transaction."""
        decision = self._decision
        assert decision is not None  # the protocol: `update` comes first
        changes = statements.transaction_sql(self._changes(decision))
        if decision.why_all is None:
            self._jobs.query("keep-orders", changes)
            return
        # An earlier table can have other columns. Until the transaction, the new one has no manifest.
        columns = {**self._columns, "manifest": "STRING"}
        columns |= dict.fromkeys(hash_of_orders(self._columns), "INT64")
        if self._customers is not None:
            columns |= self._customers.added_columns
        is_clustered = columns["customer_id"] not in _NOT_CLUSTERED
        labels = self._warehouse.labels_of_published
        comment = table_comment(KEPT_ORDERS, self._destination, LAYOUTS["bigquery"])
        create = statements.create_kept_orders_sql(
            self._table, columns, comment, labels, "customer_id" if is_clustered else None
        )
        self._jobs.query("keep-orders", f"{create};\n{changes}")

    def _decide(self, request: PartsRequest) -> _Decision:
        assert self._partitions is not None  # the protocol: `why_no_parts` comes first
        first = request.first_day
        parts = tuple(part for part in self._partitions.parts if first is None or part.day >= first)
        before = self._before
        why = request.full or _why_all(before, request, parts)
        versions = before.versions if before is not None and why is None else {}
        kept = frozenset(part.day for part in parts if versions.get(part.day) == part.version)
        is_comparable = before is not None and before.key == request.key
        return _Decision(parts, before if is_comparable else None, why, kept, request)

    @cached_property
    def _before(self) -> KeptManifest | None:
        """The manifest at the start of the run; None if there is none, or it does not describe the table."""
        if self._existing is None:
            return None
        found = types_of(self._existing)
        if found.get("part") != "DATE" or not found.keys() >= {"manifest", "lines"}:
            return None
        rows = self._jobs.rows(self._jobs.query("load-orders", manifest_sql(self._table)))
        try:
            (row,) = rows
            manifest = msgspec.json.decode(row["manifest"], type=KeptManifest)
        except (ValueError, msgspec.MsgspecError):
            return None
        columns = hash_of(order_types_of(self._existing))
        is_whole = row["described"] + 1 == row["found"] and manifest.columns == columns
        return manifest if manifest.format == FORMAT and is_whole else None

    def _step(self, name: str) -> str:
        """Return the name of a job, which a job of orders that were staged before does not have."""
        return name if self._times_staged == 1 else f"{name}-{self._times_staged}"

    def _reads(self, decision: _Decision) -> bool:
        assert self._partitions is not None  # the protocol: `why_no_parts` comes first
        return bool(decision.read) or self._partitions.has_null

    def _lines_of(self, decision: _Decision, column: str) -> str:
        assert self._partitions is not None  # the protocol: `why_no_parts` comes first
        if decision.why_all is not None:
            return self._partitions.all_lines(column, decision.request.first_day)
        return self._partitions.lines_of([part.day for part in decision.read], column)

    def _staged_columns(self, staged: str | None) -> dict[str, str]:
        """Return the columns of the orders with their types."""
        if staged is None:
            assert self._existing is not None  # else a partition would have been read
            return order_types_of(self._existing)
        table = find_table(self._jobs, staged)
        if table is None:
            raise WarehouseError(f"{staged} was dropped during the run.", "run again.")
        return types_of(table)

    def _all_orders(self, decision: _Decision, after: date | None = None) -> str:
        """Return the SELECT of the orders of all partitions; with `after`, of those after that day."""
        names = [name for name in self._columns if name != "part"]
        is_after = [is_later(after)] if after else []
        read = select(names, str(self._staged))
        if decision.why_all is not None:
            return f"{read}\nWHERE {' AND '.join(is_after) or 'TRUE'}"
        conditions = ["manifest IS NULL", *is_after]
        if dropped := self._dropped(decision):
            conditions.append(f"part NOT IN ({statements.date_list(dropped)})")
        kept = f"{select(names, self._table)}\nWHERE {' AND '.join(conditions)}"
        return f"{kept}\nUNION ALL\n{read}" if self._staged else kept

    def _dropped(self, decision: _Decision) -> list[date]:
        """Return the days whose kept orders are not used."""
        before = decision.before.versions if decision.before else {}
        return sorted(before.keys() - decision.kept)

    def _differs_from_list(self, decision: _Decision) -> bool:
        """Return whether partitions that were read have other numbers of lines than they were listed with."""
        dated = f"{self._staged}\nWHERE part IS NOT NULL"
        lines = select(["part", "SUM(lines) AS lines_read"], dated, group=1)
        rows = self._jobs.rows(self._jobs.query(self._step("count-orders"), lines))
        listed = {part.day: part.rows for part in decision.read if part.rows}
        return {row["part"]: row["lines_read"] for row in rows} != listed

    def _count_differences(self, decision: _Decision) -> int | None:
        """Count the partitions that have not changed, but whose kept orders differ from those read now.

        None if all partitions have changed.
        """
        before = decision.before.versions if decision.before else {}
        days = [part.day for part in decision.read if before.get(part.day) == part.version]
        if not days or self._staged is None:
            return None
        sides = [
            f"{select(list(self._columns), table)}\nWHERE part IN ({statements.date_list(days)})"
            for table in (self._table, self._staged)
        ]
        compared = " UNION ALL ".join(
            f"(\n{first}\nEXCEPT DISTINCT\n{second}\n)" for first, second in (sides, sides[::-1])
        )
        count = f"SELECT COUNT(DISTINCT part) AS different\nFROM ({compared})"
        (row,) = self._jobs.rows(self._jobs.query(self._step("compare-orders"), count))
        return int(row["different"])

    def _changes(self, decision: _Decision) -> list[str]:
        """Return the statements of the transaction after which the table has this run's orders."""
        changes = []
        if decision.why_all is None:
            outdated = [] if decision.customers else [CUSTOMERS_DAY, EXCLUDED_DAY]
            dropped = [MANIFEST_DAY, *outdated, *self._dropped(decision)]
            changes.append(f"DELETE FROM {self._table}\nWHERE part IN ({statements.date_list(dropped)})")
        # If one is not as it was listed, it is unknown which others are not.
        stored = [part for part in decision.read if part.is_settled and not self._is_misread]
        if stored:
            hashes = hash_of_orders(self._columns)
            names, read = [*self._columns, *hashes], [*self._columns, *hashes.values()]
            left_out = sorted({part.day for part in decision.read} - {part.day for part in stored})
            is_stored = "part IS NOT NULL"
            if left_out:
                is_stored += f" AND part NOT IN ({statements.date_list(left_out)})"
            rows = f"{select(read, str(self._staged))}\nWHERE {is_stored}"
            changes.append(f"INSERT INTO {self._table} ({', '.join(names)})\n{rows}")
        staged = self._customers if not self._is_misread else None
        changes += staged.insert_sql(self._table) if staged else []
        runs = 0
        if decision.why_all is None:
            assert decision.before is not None  # else all partitions are read
            runs = decision.before.runs_since_check + (decision.request.check_every is not None)
        kept = [part for part in decision.parts if part.day in decision.kept]
        manifest = KeptManifest(
            FORMAT,
            decision.request.key,
            hash_of(self._columns),
            runs,
            tuple((part.day, part.version) for part in (*kept, *stored)),
            staged.kept if staged else decision.customers,
        )
        text = statements.string_literal(msgspec.json.encode(manifest).decode())
        changes.append(
            f"INSERT INTO {self._table} (part, manifest, lines)\n"
            f"SELECT {statements.date_literal(MANIFEST_DAY)}, {text}, (SELECT COUNT(*) FROM {self._table})"
        )
        return changes


def drop_kept_orders(jobs: JobRunner, name: str) -> None:
    """Drop the kept orders of a destination, if there are any, given the name of the current result.

    Raises:
        RfmError: If the table can't be dropped.
    """
    table = find_table(jobs, kept_name(name))
    if table is not None and is_kept_table(table, name.rsplit(".", 1)[-1]):
        drop_table(jobs, kept_name(name))


def _why_all(
    before: KeptManifest | None, request: PartsRequest, parts: Sequence[PartitionVersion]
) -> str | None:
    """Return why all partitions are read, as a clause; None if those that changed are enough."""
    if before is None:
        return "no orders are kept yet"
    if before.key != request.key:
        return "the table, the settings, the columns, their formats, or the version of rfm are others"
    if request.check_every is not None and before.runs_since_check + 1 >= request.check_every:
        return f"every {request.check_every} runs the kept orders are checked"
    if not any(before.versions.get(part.day) == part.version for part in parts):
        return "no partition is as it was"
    return None
