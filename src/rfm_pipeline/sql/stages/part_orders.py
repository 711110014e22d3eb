"""Part orders: cleaned lines aggregated per part of the source, which incremental runs keep and read again.

A part is a file of the source. Nothing is decided here that another part, the date of the run or its time
window could change, so that the rows of a part are the same in each run. The dates of the run, and files of
equal content, exclude rows where all parts are put together.
"""

from __future__ import annotations

from rfm_pipeline.sql.dialects.base import case_expression
from rfm_pipeline.sql.query_spec import Cte, QuerySpec, select
from rfm_pipeline.sql.stages.clean import CLEAN, DUPLICATE_FILE, date_rules, has_example

PART_ORDERS = "part_orders"
"""Name of the stage's first CTE: one row per part, customer, order, date and exclusion reason."""
DATED_ORDERS = "dated_orders"
"""Name of the stage's last CTE: the rows of all parts, with the rules on dates applied."""


def part_orders_ctes(spec: QuerySpec) -> tuple[Cte, ...]:
    """Return the CTEs between `clean` and `dated_orders`; none unless `spec.keeps_orders`.

    The rows of `dated_orders` have the columns of `clean`, and besides `lines` and `purchases`: their number
    of lines, and of lines with a positive amount; and `smallest` and `largest`, the amounts of these lines.
    """
    if not spec.keeps_orders:
        return ()
    unit = "order" if spec.mapping.order_id else "customer"
    return (
        Cte(
            PART_ORDERS,
            f"One row per {unit}, date and part of the source, and per exclusion reason of its lines.",
            _part_orders(spec),
            reads=(CLEAN,),
        ),
        Cte(
            DATED_ORDERS,
            "One row per row of part_orders; those outside the dates that count are excluded.",
            dated_orders(spec, PART_ORDERS),
            reads=(PART_ORDERS,),
        ),
    )


def _part_orders(spec: QuerySpec) -> str:
    keys = ["part", "customer_id", *(["order_id"] if spec.mapping.order_id else []), "order_date", "reason"]
    keys.append("CASE WHEN reason IS NULL THEN late_reason END AS late_reason")
    columns = [
        *keys,
        "COUNT(*) AS lines",
        "COUNT(CASE WHEN amount > 0 THEN 1 END) AS purchases",
        "SUM(amount) AS amount",
        *_kept_extremes(spec),
        *(["MIN(written) AS written"] if has_example(spec) else []),
    ]
    return select(columns, CLEAN, group=len(keys))


def _kept_extremes(spec: QuerySpec) -> list[str]:
    """Return the smallest and the largest amount of the lines; NULL where they follow from the other columns.

    The amount of an order of one line, and the larger one of two, take a third of the space of all orders.
    """
    if not spec.keeps_extremes:
        return []
    larger = "CASE WHEN MIN(amount) = SUM(amount) THEN SUM(amount) ELSE SUM(amount) - MIN(amount) END"
    return [
        "NULLIF(MIN(amount), SUM(amount)) AS smallest",
        f"NULLIF(MAX(amount), {larger}) AS largest",
    ]


def _extremes(spec: QuerySpec) -> list[str]:
    """Return the smallest and the largest amount, of which `_kept_extremes` has left out what follows."""
    if not spec.keeps_extremes:
        return []
    larger = "CASE WHEN smallest IS NULL THEN amount ELSE amount - smallest END"
    return ["COALESCE(smallest, amount) AS smallest", f"COALESCE(largest, {larger}) AS largest"]


def dated_orders(spec: QuerySpec, part_orders: str) -> str:
    """Return the SELECT of the rows of `part_orders` with the rules on dates applied."""
    literal = spec.dialect.literal
    rules = [("reason IS NOT NULL", "reason")]
    if spec.files and spec.files.duplicates:
        numbers = ", ".join(map(str, spec.files.duplicates))
        rules.insert(0, (f"source_file IN ({numbers})", literal(DUPLICATE_FILE)))
    rules += [(condition, literal(reason)) for reason, condition in date_rules(spec)]
    columns = [
        "customer_id",
        *(["order_id"] if spec.mapping.order_id else []),
        "order_date",
        "amount",
        "lines",
        "purchases",
        *_extremes(spec),
        f"{case_expression(rules, None if spec.window_moves else 'late_reason')} AS reason",
        *(["late_reason"] if spec.window_moves else []),
        *(["written"] if has_example(spec) else []),
        *(["source_file"] if spec.may_share_orders else []),
    ]
    return select(columns, part_orders)
