"""Counts of keys in the staged tables: nearly equal customers, order ids that were used again, customer 0.

Only the whole source can tell these, so they are counted in the staged tables, in the queries that count
lines and customers anyway.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from msgspec import Struct

from rfm_pipeline.common.formatting import format_amount, format_count
from rfm_pipeline.common.schema import Kind
from rfm_pipeline.common.staging_tables import StagingTable
from rfm_pipeline.config.questions import question
from rfm_pipeline.config.reading import Reading
from rfm_pipeline.results.statistics import Excluded
from rfm_pipeline.sql.dialects.base import Dialect
from rfm_pipeline.sql.query_spec import QuerySpec
from rfm_pipeline.sql.stages.clean import SCIENTIFIC_IDS
from rfm_pipeline.sql.stages.metrics import MONTH, NO_POSITIVE_ORDER, counted_in_customers
from rfm_pipeline.sql.stages.unscored import no_amount_reasons, unscored_sql
from rfm_pipeline.warehouse.base import Warehouse

_ZERO_IDS = ("0", "-1")


class KeyCounts(Struct, frozen=True):
    """Counts of the keys of kept lines.

    Attributes:
        shared_orders: At least so many customers have an order id that another customer has, too.
        long_orders: Orders whose lines are more than a month apart.
        near_customers: Customers whose id is that of another but for leading zeros, case or blanks.
        refunds: Orders of a negative amount, where a window cuts off the orders that they may refund; else 0.
        negative_customers: Customers with a negative monetary value.
        repeated_total: Money of repeated totals that was not counted again; None if each line counts.
        unscored: Customers none of whose orders has a positive amount; None if they are not counted, because
            refunds are lines of their own.
    """

    shared_orders: int = 0
    long_orders: int = 0
    near_customers: int = 0
    refunds: int = 0
    negative_customers: int = 0
    repeated_total: Decimal | None = None
    unscored: int | None = 0

    def notes(self, reading: Reading) -> tuple[str, ...]:
        """Return what the user should know, one phrase each; without values of customers."""
        customer, order, amount = (
            reading.mapping.customer_id,
            reading.mapping.order_id,
            reading.mapping.amount,
        )
        notes = []
        if self.near_customers:
            notes.append(
                f"{self.near_customers:,} customers in `{customer.name}` have the id of another customer but"
                " for leading zeros, case or blanks; they count as different customers"
            )
        if order and self.shared_orders:
            owners = format_count(self.shared_orders, "customer has", "customers have")
            notes.append(
                f"one id of `{order.name}` under several customers: at least {owners} an order id of"
                " another customer; they count as different orders"
            )
        if order and self.long_orders:
            notes.append(
                f"{format_count(self.long_orders, 'order')} in `{order.name}` with dates months apart (over"
                f" {MONTH} days): if ids start anew, such orders count as one"
            )
        if self.refunds:
            negative = format_count(self.negative_customers, "customer has", "customers have")
            refunds = format_count(self.refunds, "order is negative", "orders are negative")
            notes.append(
                f"{refunds}, as returns are netted: refunds of orders from before the window come off, too;"
                f" {negative} a negative monetary value"
            )
        if self.unscored:
            unscored = format_count(self.unscored, "customer has", "customers have")
            notes.append(f"{unscored} no order with a positive amount, and so no scores and no segment")
        if amount and self.repeated_total:
            money = format_amount(self.repeated_total)
            notes.append(f"repeats of `{amount.name}` on the lines of an order not counted again: {money}")
        return tuple(notes)


def key_columns(spec: QuerySpec) -> dict[str, str]:
    """Return the aggregates over the staged table `customers` that `key_counts` needs, by name."""
    counted = counted_in_customers(spec)
    columns = {name: f"SUM({name})" for name in counted if name != "first_order"}
    if "first_order" in counted:
        columns["order_ids"] = "COUNT(DISTINCT first_order)"
        columns["owners"] = "COUNT(first_order)"
    columns["negative_customers"] = "COUNT(CASE WHEN monetary < 0 THEN 1 END)"
    if spec.kind_of("customer_id") is Kind.TEXT:
        columns |= {
            name: f"COUNT(CASE WHEN {condition} THEN 1 END)"
            for name, condition in _variants(spec.dialect).items()
        }
    return columns


def _variants(dialect: Dialect) -> Mapping[str, str]:
    """Return the conditions that ids have leading zeros, blanks, capitals or small letters."""
    return {
        "with_zeros": "customer_id BETWEEN '0' AND '1'",
        "with_blanks": dialect.contains("customer_id", " "),
        "with_capitals": "customer_id <> LOWER(customer_id)",
        "with_small": "customer_id <> UPPER(customer_id)",
    }


def key_counts(warehouse: Warehouse, spec: QuerySpec, rows: Sequence[Mapping[str, Any]]) -> KeyCounts:
    """Return the counts of keys.

    Args:
        warehouse: The engine.
        spec: What the query computed.
        rows: The rows of the count of lines: the columns of `key_columns` by `reason`.
    """
    kept = next((row for row in rows if row["reason"] is None), None)
    repeated = [row["repeated"] for row in rows if row.get("repeated") is not None]
    if kept is None:
        return KeyCounts(unscored=_unscored(warehouse, spec, rows))
    return KeyCounts(
        shared_orders=kept["owners"] - kept["order_ids"] if "owners" in kept else 0,
        long_orders=int(kept.get("long_orders") or 0),
        near_customers=_near_customers(warehouse, spec) if _may_be_near(kept) else 0,
        refunds=int(kept.get("refunds") or 0),
        negative_customers=kept["negative_customers"],
        repeated_total=sum(map(Decimal, repeated), Decimal(0)) if spec.counts_totals else None,
        unscored=_unscored(warehouse, spec, rows),
    )


def _unscored(warehouse: Warehouse, spec: QuerySpec, rows: Sequence[Mapping[str, Any]]) -> int | None:
    """Return how many customers are not scored, as none of their orders has a positive amount."""
    reasons = no_amount_reasons(spec)
    if not reasons:
        netted = (row["customers"] for row in rows if row["reason"] == NO_POSITIVE_ORDER)
        return None if spec.has_refund_lines else next(netted, 0)
    if all(row["reason"] not in reasons for row in rows):
        return 0
    (row,) = warehouse.rows(unscored_sql(spec, warehouse.table))
    return int(row["customers"])


def _may_be_near(kept: Mapping[str, Any]) -> bool:
    """Return whether some ids, but not all, have zeros or blanks, or capitals as well as small letters."""
    customers = kept["customers"]
    if "with_zeros" not in kept or customers < 2:
        return False
    is_mixed = any(0 < kept[name] < customers for name in ("with_zeros", "with_blanks"))
    return is_mixed or bool(kept["with_capitals"] and kept["with_small"])


def _near_customers(warehouse: Warehouse, spec: QuerySpec) -> int:
    """Return how many customers have the id of another but for leading zeros, case or blanks."""
    form = spec.dialect.lower("LTRIM(REPLACE(customer_id, ' ', ''), '0')")
    groups = (
        f"SELECT {form} AS form, COUNT(*) AS customers FROM {warehouse.table(StagingTable.CUSTOMERS)}"
        " WHERE reason IS NULL GROUP BY 1 HAVING COUNT(*) > 1"
    )
    (row,) = warehouse.rows(f"SELECT COALESCE(SUM(customers), 0) AS customers FROM ({groups}) AS near_ids")
    return int(row["customers"])


def refuse_scientific_ids(excluded: Sequence[Excluded], reading: Reading) -> None:
    """Raise if a line was excluded because its id is in scientific notation.

    Raises:
        ColumnError: If there is such a line.
    """
    from rfm_pipeline.source.profile.customers import scientific_ids

    columns = reading.mapping.roles()
    for role, reason in SCIENTIFIC_IDS.items():
        for found in excluded:
            if found.reason == reason:
                raise scientific_ids(role, columns[role], format_count(found.lines, "line"), None)


def zero_columns(spec: QuerySpec) -> dict[str, str]:
    """Return the aggregates over the staged result that `refuse_unlikely_zero` needs, by name."""
    if not spec.reading.checks_zero:
        return {}
    zero = f"customer_id IN ({', '.join(map(spec.dialect.literal, _ZERO_IDS))})"
    return {
        "orders_of_zero": f"MAX(CASE WHEN {zero} THEN frequency END)",
        "orders_of_others": f"MAX(CASE WHEN NOT ({zero}) THEN frequency END)",
    }


def refuse_unlikely_zero(row: Mapping[str, Any], reading: Reading) -> None:
    """Raise if customer 0 has more orders than any other: it is the mark of orders without a customer.

    Raises:
        ColumnError: If it has.
    """
    zero, others = row.get("orders_of_zero"), row.get("orders_of_others")
    if zero is None or others is None or zero <= others:
        return
    raise question(
        "customer_zero",
        column=reading.mapping.customer_id.name,
        orders=format_count(zero, "order"),
        others=f"{others:,}",
    )
