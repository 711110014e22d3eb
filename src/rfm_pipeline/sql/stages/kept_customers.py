"""Kept customers: the customers of an earlier run, to which a later run adds the orders that are new.

Orders are new if they are in a part that was read since, or were too late to count in the earlier run. What a
customer has is a sum, a minimum or a maximum over orders, so that new orders are added to it. Customers are
computed again from all their orders if a new order may be one that they have already, of which lines are in
several parts, or if a rule needs the median gap between their orders.
"""

from __future__ import annotations

from collections.abc import Sequence

from rfm_pipeline.sql.query_spec import Cte, QuerySpec, select
from rfm_pipeline.sql.stages.clean import has_example
from rfm_pipeline.sql.stages.part_orders import PART_ORDERS, dated_orders

CHANGED_ORDERS = "changed_orders"
"""Name of the stage's last CTE: the orders that are aggregated to customers, as `dated_orders` has them."""
_NEW, _RECOMPUTED, _COUNTED = "new_orders", "recomputed", "counted_orders"
_SMALLEST = {"first_order_date", "first_order", "written"}
"""Columns of `customers` that are a minimum; `last_order_date` is a maximum, and others are sums."""


def can_take_over(spec: QuerySpec) -> bool:
    """Return whether the rows of a customer depend on nothing but the customer's own orders, up to a date.

    This does not hold if a time window leaves old orders behind, if refunds or copies of an order are looked
    for among the orders of others, or if customers are forgotten, whose rows have no customer. Nor does it
    hold for the excluded lines if one of two files of equal content is excluded as a whole.
    """
    has_copies = spec.compares_files or (spec.files is not None and bool(spec.files.duplicates))
    is_own = not (spec.has_refund_lines or has_copies or spec.forgotten.hashes)
    return spec.keeps_orders and spec.settings.window is None and spec.origin is None and is_own


def excluded_sql(spec: QuerySpec) -> str:
    """Return the SELECT of the excluded lines of all parts, by reason and date."""
    columns = [
        "reason",
        "late_reason",
        "CASE WHEN reason IS NULL THEN order_date END AS order_date",
        f"{spec.dialect.cast('SUM(lines)', 'integer')} AS lines",
        f"{spec.dialect.cast('SUM(purchases)', 'integer')} AS purchases",
        "SUM(amount) AS amount",
        *(["MIN(written) AS written"] if has_example(spec) else []),
    ]
    return select(columns, f"{PART_ORDERS}\nWHERE {_is_excluded(spec)}", group=3)


def changed_orders_ctes(spec: QuerySpec) -> tuple[Cte, ...]:
    """Return the CTEs between `part_orders` and `changed_orders`; none unless customers are taken over."""
    if spec.takes_over is None:
        return ()
    if _has_new_orders_only(spec):
        counted = Cte(
            _COUNTED,
            "The orders that the kept customers do not have, and the excluded lines of the others.",
            _counted_orders(spec),
            reads=(PART_ORDERS,),
        )
        return (counted, _changed_orders(spec))
    return (
        Cte(
            _NEW,
            "One row per row of part_orders that the kept customers do not have.",
            _new_orders(spec),
            reads=(PART_ORDERS,),
        ),
        Cte(
            _RECOMPUTED,
            "One row per customer who is computed again from all orders.",
            _recomputed(spec),
            reads=(_NEW, PART_ORDERS),
        ),
        Cte(
            _COUNTED,
            "New orders, all orders of the customers who are computed again, and the excluded lines.",
            _counted_orders(spec),
            reads=(_NEW, _RECOMPUTED, PART_ORDERS),
        ),
        _changed_orders(spec),
    )


def with_kept_customers(spec: QuerySpec, customers: Cte, names: Sequence[str]) -> tuple[Cte, ...]:
    """Return the CTEs of customers, to whom the orders of the kept customers are added.

    Args:
        spec: What the query computes.
        customers: A CTE of customers over `changed_orders`.
        names: Names of its columns.
    """
    if spec.takes_over is None:
        return (customers,)
    changed = Cte(f"changed_{customers.name}", customers.description, customers.sql, customers.reads)
    # Whether a customer has a positive order is decided later, with the new orders.
    columns = ["NULL AS reason" if name == "reason" else name for name in names]
    kept = select(columns, spec.takes_over.customers)
    has_new = f"SELECT customer_id\n  FROM {changed.name}\n  WHERE customer_id IS NOT NULL"
    keys = ["customer_id", "reason"]
    sums = [_added(spec, name) for name in names if name not in keys]
    is_added, is_changed = f"customer_id IN (\n  {has_new}\n)", has_new
    reads = [changed.name]
    if not _has_new_orders_only(spec):
        ids = spec.dialect.id_text("customer_id", spec.kind_of("customer_id"))
        again = f"SELECT {ids}\n  FROM {_RECOMPUTED}"
        is_added += f" AND customer_id NOT IN (\n  {again}\n)"
        is_changed += f"\n  UNION ALL\n  {again}"
        reads.append(_RECOMPUTED)
    added = f"(\n{select(names, changed.name)}\nUNION ALL\n{kept}\nWHERE {is_added}\n) AS summands"
    others = f"{kept}\nWHERE customer_id NOT IN (\n  {is_changed}\n)"
    return (
        changed,
        Cte(
            customers.name,
            f"One row per row of {changed.name}, with the orders of the kept customers, and of the others.",
            f"{select([*keys, *sums], added, group=2)}\nUNION ALL\n{others}",
            reads=tuple(reads),
        ),
    )


def _has_new_orders_only(spec: QuerySpec) -> bool:
    """Return whether `part_orders` has nothing but orders that the kept customers do not have."""
    return spec.takes_over is not None and spec.takes_over.last_part is None


def _changed_orders(spec: QuerySpec) -> Cte:
    return Cte(
        CHANGED_ORDERS,
        "One row per row of counted_orders; those outside the dates that count are excluded.",
        dated_orders(spec, _COUNTED),
        reads=(_COUNTED,),
    )


def _added(spec: QuerySpec, name: str) -> str:
    if name in _SMALLEST:
        return f"MIN({name}) AS {name}"
    if name == "last_order_date":
        return f"MAX({name}) AS {name}"
    total = f"SUM({name})"
    return f"{total if name == 'monetary' else spec.dialect.cast(total, 'integer')} AS {name}"


def _is_excluded(spec: QuerySpec) -> str:
    """Return the condition that a row of `part_orders` is excluded on each date."""
    excluded = "reason IS NOT NULL OR late_reason IS NOT NULL"
    since = spec.settings.since
    return f"({excluded} OR order_date < {spec.dialect.literal(since)})" if since else f"({excluded})"


def _conditions(spec: QuerySpec) -> tuple[str, str]:
    """Return the conditions that kept customers have an order, and that it was too late for them."""
    assert spec.takes_over is not None  # callers have looked
    day = spec.dialect.literal(spec.takes_over.last_day)
    counts = f"part <= {spec.takes_over.last_part} AND NOT {_is_excluded(spec)}"
    return f"{counts} AND order_date <= {day}", f"{counts} AND order_date > {day}"


def _new_orders(spec: QuerySpec) -> str:
    assert spec.takes_over is not None  # callers have looked
    conditions = (f"part > {spec.takes_over.last_part}", _conditions(spec)[1])
    return "\nUNION ALL\n".join(f"SELECT *\nFROM {PART_ORDERS}\nWHERE {each}" for each in conditions)


def _recomputed(spec: QuerySpec) -> str:
    new = f"{_NEW}\nWHERE NOT {_is_excluded(spec)}"
    if not spec.segment_map.uses_gap:
        if not spec.mapping.order_id:
            return f"SELECT DISTINCT customer_id\nFROM {new} AND FALSE"
        known = f"{_conditions(spec)[0]} AND order_id IN (SELECT order_id FROM {_NEW})"
        if spec.takes_over and spec.takes_over.new_ids:
            # With these, an engine reads only the files that may have such an order.
            first, last = map(spec.dialect.literal, spec.takes_over.new_ids)
            known = f"order_id BETWEEN {first} AND {last} AND {known}"
        known_ids = select(["order_id"], f"{PART_ORDERS}\nWHERE {known}")
        new += f" AND order_id IN (\n{known_ids}\n)"
    return f"SELECT DISTINCT customer_id\nFROM {new}"


def _counted_orders(spec: QuerySpec) -> str:
    names = ["customer_id", *(["order_id"] if spec.mapping.order_id else [])]
    names += ["order_date", "reason", "late_reason", "lines", "purchases", "amount"]
    names += ["smallest", "largest"] if spec.keeps_extremes else []
    names += ["written"] if has_example(spec) else []
    names += ["source_file"] if spec.numbers_files else []
    absent = {"customer_id", "order_id", "smallest", "largest", "source_file"}
    excluded = [f"NULL AS {name}" if name in absent else name for name in names]
    assert spec.takes_over is not None  # callers have looked
    kept_excluded = select(excluded, spec.takes_over.excluded)
    if _has_new_orders_only(spec):
        return f"{select(names, PART_ORDERS)}\nUNION ALL\n{kept_excluded}"
    is_again = f"{_conditions(spec)[0]} AND customer_id IN (SELECT customer_id FROM {_RECOMPUTED})"
    again = f"{PART_ORDERS}\nWHERE {is_again}"
    return "\nUNION ALL\n".join((select(names, _NEW), select(names, again), kept_excluded))
