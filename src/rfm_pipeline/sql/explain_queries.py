"""Explain: one customer's lines, and what became of each; and which customers have an id like another."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from rfm_pipeline.sql.dialects.base import Dialect
from rfm_pipeline.sql.pipeline import QueryPipeline
from rfm_pipeline.sql.query_spec import QuerySpec, select
from rfm_pipeline.sql.stages.clean import has_example

_MOST_NEARBY = 2_000


def lines_sql(spec: QuerySpec, pipeline: QueryPipeline, customers: Sequence[str]) -> str:
    """Reads the source for the lines of some customers: one row per order, date and reason.

    Without orders, it is one row per line. Where the window moves with the newest order, `late_reason` stands
    beside `reason`, as in `clean`.

    Args:
        spec: What the query is to answer.
        pipeline: Its CTEs.
        customers: The customers, as the result prints their ids.
    """
    customer = spec.dialect.id_text("customer_id", spec.mapping.customer_id.kind)
    keys = [f"{customer} AS customer_id"]
    if spec.mapping.order_id:
        keys.append(f"{spec.dialect.id_text('order_id', spec.mapping.order_id.kind)} AS order_id")
    keys += ["order_date", "reason", *(["late_reason"] if spec.window_moves else [])]
    wanted = ", ".join(map(spec.dialect.literal, customers))
    source = f"clean\nWHERE {customer} IN ({wanted})"
    is_purchase = "CASE WHEN amount > 0 THEN 1 {otherwise}END"
    written = "written" if has_example(spec) else spec.dialect.cast("NULL", "text")
    if spec.mapping.order_id is None:
        no_order = f"{spec.dialect.cast('NULL', 'text')} AS order_id"
        line = ["amount", f"{is_purchase.format(otherwise='ELSE 0 ')} AS purchases", "1 AS lines"]
        return pipeline.reading(select([*keys, no_order, *line, f"{written} AS written"], source))
    sums = [
        "SUM(amount) AS amount",
        f"COUNT({is_purchase.format(otherwise='')}) AS purchases",
        "COUNT(*) AS lines",
        f"MIN({written}) AS written",
    ]
    return pipeline.reading(select([*keys, *sums], source, group=len(keys)))


def decided(spec: QuerySpec, lines: str, customer: str, as_of: date | None) -> str:
    """What `lines_sql` found for one customer, with the one reason of each row; it stands behind FROM.

    Args:
        spec: What the query is to answer.
        lines: The table of what `lines_sql` found.
        customer: The customer.
        as_of: The date from which recency is counted; None where no order of anybody counted.
    """
    reason = "reason"
    if spec.window_moves:
        assert spec.settings.window is not None  # else nothing would move
        oldest = spec.dialect.window_start(spec.dialect.literal(as_of), spec.settings.window) if as_of else ""
        laid = f"    WHEN order_date <= {oldest} THEN 'outside_window'\n" if as_of else ""
        reason = f"CASE\n    WHEN reason IS NOT NULL THEN reason\n{laid}    ELSE late_reason\n  END AS reason"
    columns = ["order_id", "order_date", reason, "amount", "purchases", "lines", "written"]
    of_customer = f"{lines}\nWHERE customer_id = {spec.dialect.literal(customer)}"
    return f"(\n{select(columns, of_customer)}\n) AS decided"


def totals_sql(decided_lines: str) -> str:
    """One row per reason, NULL for what counted: lines, money, the oldest date, and how many rows."""
    columns = [
        "reason",
        "COUNT(*) AS pieces",
        "SUM(lines) AS lines",
        "SUM(amount) AS amount",
        "MIN(order_date) AS oldest",
        "MIN(written) AS example",
    ]
    return f"{select(columns, decided_lines, group=1)}\nORDER BY lines DESC, reason"


def newest_sql(decided_lines: str, most: int | None) -> str:
    """The newest orders, those without a date last."""
    columns = ["order_id", "order_date", "reason", "amount", "lines", "written"]
    limit = "" if most is None else f"\nLIMIT {most}"
    return f"{select(columns, decided_lines)}\nORDER BY order_date DESC, order_id DESC, reason, amount{limit}"


def counted_sql(decided_lines: str, most: int) -> str:
    """The orders that counted, each on the days of its lines."""
    columns = ["order_id", "order_date", "amount", "purchases"]
    return f"{select(columns, decided_lines)}\nWHERE reason IS NULL\nLIMIT {most}"


def row_sql(table: str, customer: str, dialect: Dialect) -> str:
    """The one row of a customer in a table of results."""
    return f"SELECT *\nFROM {table}\nWHERE customer_id = {dialect.literal(customer)}"


def nearby_sql(spec: QuerySpec, pipeline: QueryPipeline, customer: str) -> str:
    """Reads the source for ids that may have been meant: those that share a half with what was typed.

    One slip of a key leaves one of the two halves as it was.
    """
    literal = spec.dialect.literal
    kind, half = spec.mapping.customer_id.kind, max(1, len(customer) // 2)
    plain = "LTRIM(LOWER(TRIM(customer_id)), '0')"
    typed = literal(customer.strip().lower().removesuffix(".0").lstrip("0"))
    tests = [
        f"{plain} = {typed}",
        f"STARTS_WITH(customer_id, {literal(customer[:half])})",
        spec.dialect.ends_with("customer_id", customer[-half:]),
    ]
    low, high = max(0, len(customer) - 2), len(customer) + 2
    ids = f"SELECT DISTINCT {spec.dialect.id_text('customer_id', kind)} AS customer_id\n  FROM clean"
    near = f"LENGTH(customer_id) BETWEEN {low} AND {high} AND ({tests[1]} OR {tests[2]})"
    return pipeline.reading(
        f"SELECT customer_id\nFROM (\n  {ids}\n) AS ids\nWHERE {tests[0]}\n  OR ({near})\n"
        f"ORDER BY CASE WHEN {tests[0]} THEN 0 ELSE 1 END, customer_id\nLIMIT {_MOST_NEARBY}"
    )
