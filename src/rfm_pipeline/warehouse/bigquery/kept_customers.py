"""Kept customers of BigQuery: those of all orders of partitions that were complete when they were read.

Later runs add the orders of later partitions to them, and read no others. The rows lie in two partitions of
the table of kept orders, and change in its transaction:

    0001-01-02     one row per customer, and per customer of lines that lack only a positive amount
    0001-01-03     one row per exclusion reason and date
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING

from msgspec import Struct

from rfm_pipeline.common.source_parts import CustomersRequest, TakeOver
from rfm_pipeline.errors import WarehouseError
from rfm_pipeline.sql.query_spec import select
from rfm_pipeline.warehouse.bigquery import statements
from rfm_pipeline.warehouse.bigquery.kept_manifest import (
    CUSTOMERS_DAY,
    EXCLUDED_DAY,
    ORDER_HASH,
    PREFIX,
    KeptCustomers,
    types_of,
)
from rfm_pipeline.warehouse.bigquery.tables import find_table

if TYPE_CHECKING:
    from rfm_pipeline.warehouse.bigquery.jobs import JobRunner
    from rfm_pipeline.warehouse.bigquery.warehouse import BigQueryWarehouse

_COMPLETE_AFTER, _RESTATED_FOR = timedelta(days=3), timedelta(days=92)
"""Shortest and longest time from the end of a partition until the partition counts as complete.

Some pipelines write the partitions of the last weeks anew every day. So a partition between the two limits
counts as complete only if it is older than all partitions that were written since the previous run. If a
complete partition changes, runs compute all customers until a run has read all partitions.
"""
IS_COUNTED = "reason IS NULL AND late_reason IS NULL"
"""Condition that a row of kept orders is not excluded."""
_CUSTOMERS, _EXCLUDED, _NEW_IDS = "complete_customers", "complete_excluded", "new_order_ids"
_MARK = "'not an order'"
"""Value of the column `manifest` in these rows, which tells them from orders."""


class StagedCustomers(Struct, frozen=True):
    """Customers that a run has computed and will keep.

    Attributes:
        kept: The partitions whose orders the customers have, as the manifest records them.
        types: Type of each column of the customers, by its name.
        customers: Quoted name of the staged table of the customers.
        excluded: Quoted name of the staged table of the excluded lines.
    """

    kept: KeptCustomers
    types: Mapping[str, str]
    customers: str
    excluded: str

    @property
    def added_columns(self) -> dict[str, str]:
        """The columns that they need in the table of kept orders, with their types."""
        return {f"{PREFIX}{name}": type_ for name, type_ in self.types.items()}

    def insert_sql(self, table: str) -> list[str]:
        """Return the statements that write them to the table of kept orders, given its quoted name."""
        names = [f"{PREFIX}{name}" for name in self.kept.columns]
        return [
            _insert_sql(table, CUSTOMERS_DAY, names, self.kept.columns, self.customers),
            _insert_sql(table, EXCLUDED_DAY, self.kept.excluded, self.kept.excluded, self.excluded),
        ]


def complete_before(last_day: date, changed: Iterable[date]) -> date:
    """Return the day until which a partition must have ended to be complete.

    Args:
        last_day: The last date on which an order counts.
        changed: Days of the partitions that were written to since the run before.

    >>> str(complete_before(date(2024, 3, 31), [date(2024, 3, 1), date(2023, 1, 1)]))
    '2024-03-01'
    """
    ends = [day for day in changed if day >= last_day - _RESTATED_FOR]
    return min([last_day - _COMPLETE_AFTER, *ends])


def stage_customers(
    warehouse: BigQueryWarehouse,
    jobs: JobRunner,
    request: CustomersRequest,
    orders: str,
    complete: Sequence[date],
) -> StagedCustomers | None:
    """Compute the customers of complete partitions.

    None if there is no order in them, or one that does not count yet.

    Args:
        warehouse: The warehouse that stages tables.
        jobs: Job runner.
        request: How the run computes customers.
        orders: Quoted name of the table of the orders of all partitions.
        complete: Days of the complete partitions, ascending; no other partition is before the last one.
    """
    if not complete:
        return None
    last_part = complete[-1]
    is_complete = f"part <= {statements.date_literal(last_part)}"
    newest = f"SELECT MAX(order_date) AS newest\nFROM {orders}\nWHERE {is_complete} AND {IS_COUNTED}"
    (row,) = jobs.rows(jobs.query("newest-order", newest))
    if row["newest"] is None or row["newest"] > request.last_day:
        return None
    relation = f"(\nSELECT *\nFROM {orders}\nWHERE {is_complete}\n)"
    types = []
    for name, query in ((_CUSTOMERS, request.customers_of), (_EXCLUDED, request.excluded_of)):
        warehouse.materialize(name, query(relation))
        table = find_table(jobs, warehouse.staged_name(name))
        if table is None:
            raise WarehouseError(f"{warehouse.staged_name(name)} was dropped during the run.", "run again.")
        types.append(types_of(table))
    kept = KeptCustomers(
        request.key, last_part, len(complete), row["newest"], tuple(types[0]), tuple(types[1])
    )
    customers, excluded = (
        statements.qualified_name(*warehouse.staged_name(name).rsplit(".", 2))
        for name in (_CUSTOMERS, _EXCLUDED)
    )
    return StagedCustomers(kept, types[0], customers, excluded)


def take_over(request: CustomersRequest, source: StagedCustomers | tuple[KeptCustomers, str]) -> TakeOver:
    """Return the relations from which a run takes customers over.

    Args:
        request: How the run computes customers.
        source: The customers that the run has computed itself; or kept ones, and the quoted name of the table
            of kept orders.
    """
    if isinstance(source, StagedCustomers):
        kept, rows, excluded = source.kept, source.customers, source.excluded
    else:
        kept, table = source
        renamed = [f"{PREFIX}{name} AS {name}" for name in kept.columns]
        rows, excluded = (
            f"(\n{select(columns, table)}\nWHERE part = {statements.date_literal(day)}\n)"
            for columns, day in ((renamed, CUSTOMERS_DAY), (list(kept.excluded), EXCLUDED_DAY))
        )
    return TakeOver(
        None,
        kept.last_day,
        customers=f"(\nSELECT *\nFROM {rows}\nWHERE {request.is_kept}\n)",
        excluded=excluded,
        unsold=f"(\nSELECT customer_id\nFROM {rows}\nWHERE NOT ({request.is_kept})\n)",
    )


def is_later(last_part: date) -> str:
    """Return the condition that an order is of a partition after `last_part`, or of a line without a date."""
    return f"(part > {statements.date_literal(last_part)} OR part IS NULL)"


def hash_of_orders(columns: Mapping[str, str]) -> dict[str, str]:
    """Return the expression of the column `ORDER_HASH`; nothing if the ids of orders are no text.

    Args:
        columns: Type of each column of the orders, by its name.
    """
    if columns.get("order_id") != "STRING":
        return {}
    return {ORDER_HASH: f"CASE WHEN {IS_COUNTED} THEN FARM_FINGERPRINT(order_id) END"}


def shares_orders(
    warehouse: BigQueryWarehouse,
    jobs: JobRunner,
    table: str,
    later_orders: str,
    last_part: date,
    *,
    is_hashed: bool,
) -> bool:
    """Return whether an order of later partitions also has lines in those up to `last_part`.

    Two orders with one hash are taken for one. The ids of the orders of all partitions are read without their
    partitions, which would cost as much; and those of later ones again, which are few.

    Args:
        warehouse: The warehouse that stages tables.
        jobs: Job runner.
        table: Quoted name of the table of kept orders, or of the staged orders of all partitions.
        later_orders: SELECT of the orders of later partitions.
        last_part: First day of the last of the earlier partitions.
        is_hashed: Whether the table has the column `ORDER_HASH`.
    """
    column = ORDER_HASH if is_hashed else "order_id"
    new_id = "FARM_FINGERPRINT(order_id)" if is_hashed else "order_id"
    ids = select([f"DISTINCT {new_id} AS new_id"], f"(\n{later_orders}\n)\nWHERE {IS_COUNTED}")
    warehouse.materialize(_NEW_IDS, ids)
    found = f"{column} IN (SELECT new_id FROM {warehouse.table(_NEW_IDS)}) AND {IS_COUNTED}"
    counts = []
    for step, condition in (
        ("find-orders", found),
        ("find-later-orders", f"{is_later(last_part)} AND {found}"),
    ):
        (row,) = jobs.rows(jobs.query(step, f"SELECT COUNT(*) AS found\nFROM {table}\nWHERE {condition}"))
        counts.append(row["found"])
    return bool(counts[0] > counts[1])


def _insert_sql(table: str, day: date, columns: Sequence[str], read: Sequence[str], staged: str) -> str:
    rows = select([statements.date_literal(day), _MARK, *read], staged)
    return f"INSERT INTO {table} (part, manifest, {', '.join(columns)})\n{rows}"
