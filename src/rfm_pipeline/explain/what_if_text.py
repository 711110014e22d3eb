"""Changes in words."""

from __future__ import annotations

from datetime import date  # noqa: F401 - for the examples
from decimal import Decimal

from rfm_pipeline.common.formatting import format_amount, format_count
from rfm_pipeline.explain.what_if import MoreOrders, NoOrder

_ORDERS = "An order is one that counts; what orders lead to is as of the day of the last of them."


def terms(*, edges_are_fixed: bool) -> str:
    """On what terms it holds.

    Args:
        edges_are_fixed: Whether the edges are configured, so that no other customer has a part in them.
    """
    if edges_are_fixed:
        return _ORDERS
    return f"At these edges; a later run finds its own, by all customers. {_ORDERS}"


def describe_more_orders(way: MoreOrders) -> str:
    """What it takes, in words.

    >>> more_orders(MoreOrders("Champions", 1, Decimal("12.5"), None, None))
    'one more order, worth 12.50 or more'
    >>> more_orders(MoreOrders("Champions", 3, Decimal("0.03"), Decimal(90), date(2011, 12, 12)))
    '3 more orders by 2011-12-12, worth up to 90.00 in all'
    """
    told = "one more order" if way.orders == 1 else f"{format_count(way.orders, 'more order')}"
    if way.by:
        told += f" by {way.by}"
    if worth := _worth(way):
        told += f", worth {worth}" + (" in all" if way.orders > 1 else "")
    return told


def _worth(way: MoreOrders) -> str:
    if way.takes_any_amount:
        return "" if way.at_most is None else f"up to {format_amount(way.at_most)}"
    if way.at_most is None:
        return f"{format_amount(way.at_least)} or more"
    if way.at_least == way.at_most:
        return f"exactly {format_amount(way.at_least)}"
    return f"{format_amount(way.at_least)} to {format_amount(way.at_most)}"


def describe_no_order(change: NoOrder) -> str:
    """When it comes to that, in words.

    >>> no_order(NoOrder("At-Risk", date(2012, 1, 28)))
    'on 2012-01-28, without an order until then'
    """
    return f"on {change.on}, without an order until then"


def usual(way: MoreOrders, average: Decimal) -> str:
    """Whether orders such as the customer's will do; nothing where the amount is of no account."""
    if (way.takes_any_amount and way.at_most is None) or not way.covers(average * way.orders):
        return ""
    return (
        f"an average one is {format_amount(average)}"
        if way.orders == 1
        else f"average ones are {format_amount(average)}"
    )
