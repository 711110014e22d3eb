"""Order totals: count an amount that is repeated on each line of an order once.

Each distinct amount of an order counts once, so that a refund of the whole order, as a line of its own, still
comes off. So does each distinct refund, where refunds have a column.
"""

from __future__ import annotations

from rfm_pipeline.sql.query_spec import Cte, QuerySpec, select
from rfm_pipeline.sql.stages.clean import CLEAN, has_example
from rfm_pipeline.sql.stages.kept_customers import CHANGED_ORDERS
from rfm_pipeline.sql.stages.part_orders import DATED_ORDERS

ORDER_TOTALS = "order_totals"
"""Name of the stage's last CTE: one row per order and exclusion reason."""
_REPEATED_TOTALS = "repeated_totals"
TOTALS_OF_LINES = (_REPEATED_TOTALS, ORDER_TOTALS)
"""Names of the stage's CTEs; the first one of a query aggregates lines."""


def order_totals_ctes(spec: QuerySpec) -> tuple[Cte, ...]:
    """Return the CTEs between `clean` and `order_totals`; none unless `spec.counts_totals`.

    The rows of `order_totals` have the columns of `clean`, and besides `lines` and `purchases`, their number
    of lines and of positive totals, and `repeated`, the money of the repeats.
    """
    if not spec.counts_totals:
        return ()
    described = "One row per order, whose total counts once, and per exclusion reason of its lines"
    if not _nets_refunds(spec):
        return (Cte(ORDER_TOTALS, f"{described}.", _totals(spec), reads=(CLEAN,)),)
    return (
        Cte(_REPEATED_TOTALS, f"{described}.", _totals(spec), reads=(CLEAN,)),
        Cte(
            ORDER_TOTALS,
            "One row per row of repeated_totals; an order that is refunded as a whole is excluded.",
            _without_refunded(spec),
            reads=(_REPEATED_TOTALS,),
        ),
    )


def clean_lines_cte(spec: QuerySpec) -> str:
    """Return the name of the CTE of the cleaned lines, of the totals of their orders, or of kept orders."""
    if spec.keeps_orders:
        return CHANGED_ORDERS if spec.takes_over else DATED_ORDERS
    return ORDER_TOTALS if spec.counts_totals else CLEAN


def _nets_refunds(spec: QuerySpec) -> bool:
    """Return whether a refund can make an order's total zero or less, which excludes the order."""
    return spec.has_refunds and not spec.nets_returns


def _totals(spec: QuerySpec) -> str:
    keys = ["customer_id", "order_id", "reason"]
    keys += ["late_reason"] if spec.window_moves else []
    keys += ["source_file"] if spec.may_share_orders else []
    total, each, date = _once("amount"), "SUM(amount)", "MAX(order_date)"
    purchases = "MAX(CASE WHEN amount > 0 THEN 1 ELSE 0 END)"
    if spec.has_refunds:
        total, each = f"{total} - {_once('refunded')}", "SUM(amount - refunded)"
        purchases = f"CASE WHEN {total} > 0 THEN 1 ELSE 0 END"
    if spec.nets_returns:
        # A refund that is a line of its own has a later date than its order.
        date = f"COALESCE(MAX(CASE WHEN amount > 0 THEN order_date END), {date})"
    columns = [
        *keys,
        f"{date} AS order_date",
        "COUNT(*) AS lines",
        f"{purchases} AS purchases",
        f"{total} AS amount",
        f"{each} - ({total}) AS repeated",
        *(["MIN(written) AS written"] if has_example(spec) else []),
    ]
    return select(columns, CLEAN, group=len(keys))


def _once(amount: str) -> str:
    """Return the sum of an order's distinct amounts; lines without an order count each."""
    return f"CASE WHEN order_id IS NULL THEN SUM({amount}) ELSE SUM(DISTINCT {amount}) END"


def _without_refunded(spec: QuerySpec) -> str:
    reason, others = ("late_reason", ["reason"]) if spec.window_moves else ("reason", [])
    unset = " AND ".join(f"{name} IS NULL" for name in [*others, reason])
    columns = ["customer_id", "order_id", *others, "order_date", "lines", "purchases", "amount", "repeated"]
    columns += ["source_file"] if spec.may_share_orders else []
    columns += ["written"] if has_example(spec) else []
    decided = f"CASE WHEN {unset} AND amount <= 0 THEN 'non_positive_amount' ELSE {reason} END AS {reason}"
    return select([*columns, decided], _REPEATED_TOTALS)
