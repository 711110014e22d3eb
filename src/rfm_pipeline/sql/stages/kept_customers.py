"""Kept customers: customers of an earlier run who are taken over, as no part that was read since has them.

An earlier run's customers stay as they are unless they have an order in a part that was read since, or an
order that was too late for the earlier run. The others are computed again, from all their orders.
"""

from __future__ import annotations

from rfm_pipeline.sql.query_spec import Cte, QuerySpec, select
from rfm_pipeline.sql.stages.part_orders import DATED_ORDERS, PART_ORDERS

CHANGED_ORDERS = "changed_orders"
"""Name of the CTE of the orders that are aggregated to customers."""
KEPT_CUSTOMERS = "kept_customers"
"""Relation of the customers of the earlier run, with the columns of the staging table `customers`."""
_TOUCHED = "touched"


def can_take_over(spec: QuerySpec) -> bool:
    """Return whether the rows of a customer depend on nothing but the customer's own orders, up to a date.

    This does not hold if a time window leaves old orders behind, if refunds or copies of an order are looked
    for among the orders of others, or if customers are forgotten, whose rows have no customer.
    """
    is_own = not (spec.has_refund_lines or spec.compares_files or spec.forgotten.hashes)
    return spec.keeps_orders and spec.settings.window is None and spec.origin is None and is_own


def changed_orders_ctes(spec: QuerySpec) -> tuple[Cte, ...]:
    """Return the CTEs between `dated_orders` and `changed_orders`; none unless customers are taken over."""
    if spec.takes_over is None:
        return ()
    later = spec.dialect.literal(spec.takes_over.last_day)
    touched = f"part > {spec.takes_over.last_part} OR order_date > {later}"
    return (
        Cte(
            _TOUCHED,
            "One row per customer with an order that the kept customers do not have.",
            f"SELECT DISTINCT customer_id\nFROM {PART_ORDERS}\nWHERE customer_id IS NOT NULL AND ({touched})",
            reads=(PART_ORDERS,),
        ),
        Cte(
            CHANGED_ORDERS,
            "One row per row of dated_orders that is excluded, or of a customer to compute again.",
            f"SELECT *\nFROM {DATED_ORDERS}\n"
            f"WHERE reason IS NOT NULL OR customer_id IN (SELECT customer_id FROM {_TOUCHED})",
            reads=(DATED_ORDERS, _TOUCHED),
        ),
    )


def with_kept_customers(spec: QuerySpec, customers: Cte) -> tuple[Cte, ...]:
    """Return the CTEs of the customers: those of a CTE, and of the kept ones those that are not among them.

    Args:
        spec: What the query computes.
        customers: The CTE `customers` over `changed_orders`.
    """
    if spec.takes_over is None:
        return (customers,)
    computed = Cte(f"changed_{customers.name}", customers.description, customers.sql, customers.reads)
    ids = spec.dialect.id_text("customer_id", spec.kind_of("customer_id"))
    others = (
        f"SELECT *\nFROM {KEPT_CUSTOMERS}\n"
        f"WHERE customer_id NOT IN (\n{select([f'{ids} AS customer_id'], _TOUCHED)}\n)"
    )
    return (
        computed,
        Cte(
            customers.name,
            f"The rows of {computed.name}, and the kept customers who were not computed again.",
            f"SELECT *\nFROM {computed.name}\nUNION ALL\n{others}",
            reads=(computed.name, _TOUCHED),
        ),
    )
