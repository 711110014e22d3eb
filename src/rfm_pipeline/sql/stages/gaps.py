"""Gaps: the median of the days between a customer's orders, for segment maps with a condition on it.

Orders of one day count as one, so that a gap has at least a day. The median of an even number of gaps is the
mean of the two in the middle; twice the median is a whole number, which every engine computes exactly.
"""

from __future__ import annotations

from rfm_pipeline.errors import ConfigurationError
from rfm_pipeline.sql.query_spec import Cte, QuerySpec, select
from rfm_pipeline.sql.stages.clean import has_example
from rfm_pipeline.sql.stages.unscored import has_customer, no_amount_reasons

RANKED_GAPS = "ranked_gaps"
"""Name of the CTE that ranks the gaps of each customer, with the rows and columns that `gap_ctes` is over."""
TWICE_MEDIAN_GAP = "twice_median_gap"
"""Column of `customers` with twice the median gap in days, NULL for customers with one order day."""
DAY_COLUMNS = ("first_order_days", TWICE_MEDIAN_GAP)
"""Columns of `segments` that conditions on days test, and that a run does not publish."""
_CUSTOMER_DAYS = "customer_days"


def gap_ctes(spec: QuerySpec, orders: str) -> list[Cte]:
    """Return the CTEs between the orders and `customers`, the last of which is `RANKED_GAPS`.

    Args:
        spec: The query's specification.
        orders: Name of the CTE of orders, or of lines if these have no order ids.
    """
    ctes = []
    if not spec.mapping.order_id and not spec.window_moves:
        description = "One row per customer and date; excluded lines have one row per reason."
        ctes.append(Cte(_CUSTOMER_DAYS, description, _customer_days(spec, orders), reads=(orders,)))
        orders = _CUSTOMER_DAYS
    customer = spec.dialect.partition_key("customer_id", spec.mapping.customer_id.kind)
    if spec.mapping.order_id:
        day, bought, kept = "last_order_date", "amount > 0", "customer_id IS NOT NULL"
    else:
        day, bought, kept = "order_date", "purchases > 0", "reason IS NULL"
    if no_amount_reasons(spec) or not spec.mapping.order_id:
        kept, customer = "reason IS NULL", f"{customer}, reason"
    if spec.nets_returns:
        description = f"One row per row of {orders}, with the day of a purchase; NULL for what was returned."
        days = ["*", f"CASE WHEN {bought} THEN {day} END AS order_day"]
        ctes.append(Cte("order_dates", description, select(days, orders), reads=(orders,)))
        orders, day = "order_dates", "order_day"
    before = f"LAG({day}) OVER (PARTITION BY {customer} ORDER BY {day})"
    gap = f"CASE WHEN {kept} THEN NULLIF({spec.dialect.days_between(before, day)}, 0) END"
    gaps = ["*", f"{gap} AS gap"]
    # COUNT passes over rows without a gap, wherever an engine sorts them.
    ranks = [
        "*",
        f"COUNT(gap) OVER (PARTITION BY {customer}) AS gaps_of_customer",
        f"COUNT(gap) OVER (PARTITION BY {customer} ORDER BY gap ROWS UNBOUNDED PRECEDING) AS gap_rank",
    ]
    return [
        *ctes,
        Cte(
            "gaps",
            f"One row per row of {orders}, with the days since the customer's order day before it.",
            select(gaps, orders),
            reads=(orders,),
        ),
        Cte(
            RANKED_GAPS,
            "One row per row of gaps, with the rank of the gap among the customer's gaps.",
            select(ranks, "gaps"),
            reads=("gaps",),
        ),
    ]


def _customer_days(spec: QuerySpec, lines: str) -> str:
    purchases, count = "COUNT(CASE WHEN amount > 0 THEN 1 END)", "COUNT(*)"
    if spec.aggregates_lines:
        purchases, count = "SUM(purchases)", "SUM(lines)"
    columns = [
        "reason",
        "CASE WHEN reason IS NULL THEN order_date END AS order_date",
        f"CASE WHEN {has_customer(spec)} THEN customer_id END AS customer_id",
        f"{purchases} AS purchases",
        "SUM(amount) AS amount",
        f"{count} AS lines",
        *(["MIN(written) AS written"] if has_example(spec) else []),
    ]
    return select(columns, lines, group=3)


def gap_columns(spec: QuerySpec) -> list[str]:
    """Return the aggregate of `RANKED_GAPS` per customer that `customers` has; none if no rule needs it."""
    if not spec.segment_map.uses_gap:
        return []
    twice_median = (
        "SUM(CASE\n"
        "    WHEN 2 * gap_rank = gaps_of_customer + 1 THEN 2 * gap\n"
        "    WHEN 2 * gap_rank IN (gaps_of_customer, gaps_of_customer + 2) THEN gap\n"
        "  END)"
    )
    return [f"{spec.dialect.cast(twice_median, 'integer')} AS {TWICE_MEDIAN_GAP}"]


def day_columns(spec: QuerySpec) -> list[str]:
    """Return the columns of `metrics` that the conditions on days of the segment map need.

    Raises:
        ConfigurationError: If there are such conditions, and a line of the source is a customer.
    """
    if spec.segment_map.uses_days and spec.mapping.frequency:
        raise ConfigurationError(
            f'The segment map "{spec.segment_map.name}" has conditions on days between orders, and each line'
            f" of the source is a customer with a number of orders, in `{spec.mapping.frequency.name}`.",
            "choose a map over scores only, as in --preset classic, or read the orders themselves.",
        )
    columns = []
    if spec.segment_map.uses_first_order_days:
        days = spec.dialect.days_between("first_order_date", "as_of_date")
        columns.append(f"{days} AS first_order_days")
    return columns + ([TWICE_MEDIAN_GAP] if spec.segment_map.uses_gap else [])


def day_column_names(spec: QuerySpec) -> list[str]:
    """Return the names of `day_columns`."""
    return [column.rpartition(" AS ")[2] for column in day_columns(spec)]
