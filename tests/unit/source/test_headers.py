"""Headers of several files are united where their columns mean the same, and only there."""

from __future__ import annotations

import pytest

from rfm_pipeline.source.headers import unite_headers

FIRST = ("order_id", "customer_id", "order_date", "amount")


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        (
            ("Order ID", "CustomerID", "order-date", "AMOUNT"),
            ("order_id", "customer_id", "order_date", "AMOUNT"),
        ),
        (("Order ID", "Customer ID", "Order Date", "Total"), FIRST),
        (("Invoice No", "customer_id", "InvoiceDate", "amount"), FIRST),
        (
            ("amount", "Order Date", "Customer ID", "Order ID"),
            ("amount", "order_date", "customer_id", "order_id"),
        ),
        (("order_id", "customer_id", "order_date", "amount", "Note"), (*FIRST, "Note")),
        # Two kinds of customer.
        (("order_id", "email", "order_date", "amount"), ("order_id", "email", "order_date", "amount")),
        # Two columns of one role, or of one spelling.
        (("order_id", "customer_id", "order_date", "Total", "Line Total"), None),
        (("order_id", "customer_id", "order_date", "amount", "Total"), None),
        (("order_id", "Order ID", "customer_id", "order_date", "amount"), None),
        # Other amounts.
        (("order_id", "customer_id", "order_date", "net amount"), None),
        (("order_id", "customer_id", "order_date", "total_usd"), None),
        (("order_id", "customer_id", "order_date", "Total (inc. tax)"), None),
        (("order_id", "customer_id", "order_date", "€"), None),
        (("order_id", "customer_id", "order_date", "unit price"), None),
    ],
)
def test_columns_of_one_meaning_get_the_name_of_the_first_file(
    other: tuple[str, ...], expected: tuple[str, ...] | None
) -> None:
    united = unite_headers([FIRST, other])
    assert united.headers == (FIRST, other if expected is None else expected)
    assert bool(united.notes) == (united.headers[1] != other)


def test_a_configured_name_is_kept() -> None:
    other = ("Order ID", "Customer ID", "Order Date", "Total")
    united = unite_headers([FIRST, other], {"amount": "Total", "customer_id": "customer id"})
    assert united.headers[0] == united.headers[1] == ("order_id", "Customer ID", "order_date", "Total")
    assert "`amount` is read as `Total`" in united.notes[0]
