"""Queries of `rfm explain`: the lines of some customers, and customers with a similar id."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from rfm_pipeline.sql.dialects.base import Dialect
from rfm_pipeline.sql.pipeline import QueryPipeline
from rfm_pipeline.sql.query_spec import QuerySpec, select
from rfm_pipeline.sql.stages.clean import CLEAN, has_example
from rfm_pipeline.sql.stages.duplicates import lines_cte

_MAX_SIMILAR_IDS = 2_000


def lines_sql(spec: QuerySpec, pipeline: QueryPipeline, customers: Sequence[str]) -> str:
    """Return the SELECT of some customers' lines in the source: one row per order, date and exclusion reason.

    If the source has no order ids, it is one row per line. If the window moves with the newest order, the
    rows have `late_reason` besides `reason`, as in `clean`.

    Args:
        spec: The query's specification.
        pipeline: Its CTEs.
        customers: The customers' ids as printed in the result.
    """
    customer = spec.dialect.id_text("customer_id", spec.mapping.customer_id.kind)
    keys = [f"{customer} AS customer_id"]
    if spec.mapping.order_id:
        keys.append(f"{spec.dialect.id_text('order_id', spec.mapping.order_id.kind)} AS order_id")
    keys += ["order_date", "reason", *(["late_reason"] if spec.window_moves else [])]
    ids = ", ".join(map(spec.dialect.literal, customers))
    source = f"{lines_cte(spec)}\nWHERE {customer} IN ({ids})"
    is_purchase = "CASE WHEN amount > 0 THEN 1 {otherwise}END"
    written = "written" if has_example(spec) else spec.dialect.cast("NULL", "text")
    if spec.mapping.order_id is None:
        no_order = f"{spec.dialect.cast('NULL', 'text')} AS order_id"
        line = ["amount", f"{is_purchase.format(otherwise='ELSE 0 ')} AS purchases", "1 AS lines"]
        lines = select([*keys, no_order, *line, f"{written} AS written"], source)
        return pipeline.with_required_ctes(lines, CLEAN)
    purchases, count = f"COUNT({is_purchase.format(otherwise='')})", "COUNT(*)"
    if spec.aggregates_lines:
        purchases, count = "SUM(purchases)", "SUM(lines)"
    sums = [
        "SUM(amount) AS amount",
        f"{purchases} AS purchases",
        f"{count} AS lines",
        f"MIN({written}) AS written",
    ]
    return pipeline.with_required_ctes(select([*keys, *sums], source, group=len(keys)), lines_cte(spec))


def decided_lines(spec: QuerySpec, lines: str, customer: str, as_of: date | None) -> str:
    """Return the rows of `lines_sql` of one customer, with the final exclusion reason of each row.

    The relation is a SELECT in parentheses with an alias, which can follow FROM.

    Args:
        spec: The query's specification.
        lines: SQL identifier of the table with the rows of `lines_sql`.
        customer: The customer's id.
        as_of: The as-of date; None if no order of any customer was kept.
    """
    reason = "reason"
    if spec.window_moves:
        assert spec.settings.window is not None  # because the window moves
        outside = ""
        if as_of:
            oldest = spec.dialect.window_start(spec.dialect.literal(as_of), spec.settings.window)
            outside = f"    WHEN order_date <= {oldest} THEN 'outside_window'\n"
        reason = (
            f"CASE\n    WHEN reason IS NOT NULL THEN reason\n{outside}    ELSE late_reason\n  END AS reason"
        )
    columns = ["order_id", "order_date", reason, "amount", "purchases", "lines", "written"]
    of_customer = f"{lines}\nWHERE customer_id = {spec.dialect.literal(customer)}"
    return f"(\n{select(columns, of_customer)}\n) AS decided"


def totals_sql(decided_lines: str) -> str:
    """Return the SELECT of totals by exclusion reason; the reason of kept lines is NULL."""
    columns = [
        "reason",
        "COUNT(*) AS pieces",
        "SUM(lines) AS lines",
        "SUM(amount) AS amount",
        "MIN(order_date) AS oldest",
        "MIN(written) AS example",
    ]
    return f"{select(columns, decided_lines, group=1)}\nORDER BY lines DESC, reason"


def newest_sql(decided_lines: str, limit: int | None) -> str:
    """Return the SELECT of the newest orders, those without a date last; None as the limit selects all."""
    columns = ["order_id", "order_date", "reason", "amount", "lines", "written"]
    limited = "" if limit is None else f"\nLIMIT {limit}"
    return (
        f"{select(columns, decided_lines)}\nORDER BY order_date DESC, order_id DESC, reason, amount{limited}"
    )


def counted_sql(decided_lines: str, limit: int) -> str:
    """Return the SELECT of the kept orders, one row per order and date."""
    columns = ["order_id", "order_date", "amount", "purchases"]
    return f"{select(columns, decided_lines)}\nWHERE reason IS NULL\nLIMIT {limit}"


def row_sql(table: str, customer: str, dialect: Dialect) -> str:
    """Return the SELECT of a customer's row in a table of results."""
    return f"SELECT *\nFROM {table}\nWHERE customer_id = {dialect.literal(customer)}"


def nearby_sql(spec: QuerySpec, pipeline: QueryPipeline, customer: str) -> str:
    """Return the SELECT of customer ids in the source that are similar to a mistyped one.

    Similar ids share the first or the second half, because a single typing error leaves one half unchanged;
    or they differ in case, whitespace and leading zeros only.
    """
    literal = spec.dialect.literal
    kind, half = spec.mapping.customer_id.kind, max(1, len(customer) // 2)
    normalized = "LTRIM(LOWER(TRIM(customer_id)), '0')"
    is_equal = f"{normalized} = {literal(customer.strip().lower().removesuffix('.0').lstrip('0'))}"
    starts_alike = f"STARTS_WITH(customer_id, {literal(customer[:half])})"
    ends_alike = spec.dialect.ends_with("customer_id", customer[-half:])
    shortest, longest = max(0, len(customer) - 2), len(customer) + 2
    ids = f"SELECT DISTINCT {spec.dialect.id_text('customer_id', kind)} AS customer_id\n  FROM {CLEAN}"
    is_near = f"LENGTH(customer_id) BETWEEN {shortest} AND {longest} AND ({starts_alike} OR {ends_alike})"
    return pipeline.with_required_ctes(
        f"SELECT customer_id\nFROM (\n  {ids}\n) AS ids\nWHERE {is_equal}\n  OR ({is_near})\n"
        f"ORDER BY CASE WHEN {is_equal} THEN 0 ELSE 1 END, customer_id\nLIMIT {_MAX_SIMILAR_IDS}",
        CLEAN,
    )
