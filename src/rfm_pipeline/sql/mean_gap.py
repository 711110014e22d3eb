"""The mean gap of a customer, and who is due, from the published columns.

The mean gap is the mean of the days between orders: (last_order_date − first_order_date) / (frequency − 1).
A customer with one order, or with all orders on one day, has none. A customer is due if more days have passed
since the last order than the mean gap. Revenue at risk is the monetary value of the customers who are due.
"""

from __future__ import annotations

from rfm_pipeline.sql.dialects.base import Dialect


def is_due(dialect: Dialect) -> str:
    """Return the SQL condition that a customer is due, in whole numbers."""
    return (
        "(frequency > 1 AND last_order_date > first_order_date AND recency_days * (frequency - 1) >"
        f" {dialect.days_between('first_order_date', 'last_order_date')})"
    )


def at_risk_columns(dialect: Dialect) -> tuple[str, str]:
    """Return the aggregates `due`, the number of customers who are due, and `revenue_at_risk`."""
    due = is_due(dialect)
    return (
        f"SUM(CASE WHEN {due} THEN 1 ELSE 0 END) AS due",
        f"SUM(CASE WHEN {due} THEN monetary ELSE 0 END) AS revenue_at_risk",
    )
