"""Query of the periods between results: what customers bought in each, by segment and by cohort."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from itertools import pairwise

from rfm_pipeline.sql.dialects.base import Dialect, case_expression
from rfm_pipeline.sql.pipeline import with_ctes
from rfm_pipeline.sql.query_spec import Cte, select

_TOTALS = (
    "COUNT(*) AS customers",
    "SUM(is_known) AS known",
    "SUM(has_bought) AS bought",
    "SUM(is_aged) AS aged",
    "SUM(monetary) AS revenue",
    "SUM(gained) AS gained",
)


def periods_sql(history: str, dates: Sequence[date], dialect: Dialect) -> str:
    """Return the SELECT of the customers of each date but the first, by segment and by cohort.

    A period ends on a date and begins after the one before it; a customer's cohort is the first of the dates
    on or after the first order. Rows by segment have no `cohort`, rows by cohort no `segment`. `known` are
    customers of both dates, `bought` those of them with an order in the period, and `aged` those whose first
    order is later than before, because a time window left it out. `gained` is the growth of the monetary
    values, which is the revenue of the period if nothing leaves a window.

    Args:
        history: SQL identifier of the history.
        dates: At least two as-of dates, ascending.
        dialect: The SQL dialect.
    """
    steps = [(dialect.literal(before), dialect.literal(after)) for before, after in pairwise(dates)]
    previous = case_expression([(f"as_of_date = {after}", before) for before, after in steps])
    following = case_expression([(f"as_of_date = {before}", after) for before, after in steps])
    cohort = case_expression(
        [(f"first_order_date <= {dialect.literal(day)}", dialect.literal(day)) for day in dates]
    )
    columns = ["customer_id", "monetary", "first_order_date"]
    later = select(
        [
            "as_of_date",
            *columns,
            "last_order_date",
            "segment",
            f"{cohort} AS cohort",
            f"{previous} AS begins",
        ],
        f"{history}\nWHERE as_of_date IN ({', '.join(after for _, after in steps)})",
    )
    earlier = select(
        [f"{following} AS as_of_date", *columns],
        f"{history}\nWHERE as_of_date IN ({', '.join(before for before, _ in steps)})",
    )
    is_known = "e.customer_id IS NOT NULL"
    paired = select(
        [
            "l.as_of_date",
            "l.segment",
            "l.cohort",
            "l.monetary",
            "l.monetary - COALESCE(e.monetary, 0) AS gained",
            f"CASE WHEN {is_known} THEN 1 ELSE 0 END AS is_known",
            f"CASE WHEN {is_known} AND l.last_order_date > l.begins THEN 1 ELSE 0 END AS has_bought",
            "CASE WHEN l.first_order_date > e.first_order_date THEN 1 ELSE 0 END AS is_aged",
        ],
        "later AS l\nLEFT JOIN earlier AS e\n"
        "  ON e.as_of_date = l.as_of_date AND e.customer_id = l.customer_id",
    )
    ctes = (
        Cte("later", "One row per customer and date, with the beginning of the period.", later),
        Cte("earlier", "One row per customer and date, with the next date.", earlier),
        Cte("paired", "One row per row of later.", paired, reads=("later", "earlier")),
    )
    by_segment = ["as_of_date", "segment", f"{dialect.cast('NULL', 'date')} AS cohort"]
    by_cohort = ["as_of_date", f"{dialect.cast('NULL', 'text')} AS segment", "cohort"]
    parts = [
        f"{select([*by_segment, *_TOTALS], 'paired')}\nGROUP BY as_of_date, segment",
        f"{select([*by_cohort, *_TOTALS], 'paired')}\nGROUP BY as_of_date, cohort",
    ]
    return with_ctes(ctes, "\nUNION ALL\n".join(parts), dialect.name)
