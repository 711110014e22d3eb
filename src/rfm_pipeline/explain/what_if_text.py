"""Sentences about the results of `what_if`."""

from __future__ import annotations

from datetime import date  # noqa: F401 - for the examples
from decimal import Decimal

from rfm_pipeline.common.formatting import format_amount, format_count
from rfm_pipeline.explain.what_if import MoreOrders, NoOrder

_ORDERS = "Only orders that count are meant; the segment is as of the day of the last order."


def describe_terms(*, edges_are_fixed: bool) -> str:
    """Return the assumptions under which the predictions hold.

    Args:
        edges_are_fixed: Whether the edges are configured or frozen, and so do not depend on other customers.
    """
    if edges_are_fixed:
        return _ORDERS
    return f"Valid for these edges; a later run computes its own from all customers. {_ORDERS}"


def describe_more_orders(way: MoreOrders) -> str:
    """Return how many further orders lead to a segment, until when, and of what amount.

    >>> describe_more_orders(MoreOrders("Champions", 1, Decimal("12.5"), None, None))
    'one more order, worth 12.50 or more'
    >>> describe_more_orders(MoreOrders("Champions", 3, Decimal("0.03"), Decimal(90), date(2011, 12, 12)))
    '3 more orders by 2011-12-12, worth up to 90.00 in all'
    """
    sentence = "one more order" if way.orders == 1 else format_count(way.orders, "more order")
    if way.last_day:
        sentence += f" by {way.last_day}"
    if amount := _describe_amount(way):
        sentence += f", worth {amount}" + (" in all" if way.orders > 1 else "")
    return sentence


def _describe_amount(way: MoreOrders) -> str:
    if way.takes_any_amount:
        return "" if way.max_amount is None else f"up to {format_amount(way.max_amount)}"
    if way.max_amount is None:
        return f"{format_amount(way.min_amount)} or more"
    if way.min_amount == way.max_amount:
        return f"exactly {format_amount(way.min_amount)}"
    return f"{format_amount(way.min_amount)} to {format_amount(way.max_amount)}"


def describe_no_order(change: NoOrder) -> str:
    """Return from which date on a customer without further orders is in a segment.

    >>> describe_no_order(NoOrder("At-Risk", date(2012, 1, 28)))
    'on 2012-01-28, without an order until then'
    """
    return f"on {change.as_of}, without an order until then"


def describe_usual_amount(way: MoreOrders, average: Decimal) -> str:
    """Return that orders of the customer's average amount are enough; empty if not, or if any amount is.

    Args:
        way: Number and amount of the orders.
        average: The customer's average order value.
    """
    if (way.takes_any_amount and way.max_amount is None) or not way.covers(average * way.orders):
        return ""
    return (
        f"an average one is {format_amount(average)}"
        if way.orders == 1
        else f"average ones are {format_amount(average)}"
    )
