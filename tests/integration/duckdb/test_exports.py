"""The exports of shop systems are read right without configuration, or questioned.

`tests/data/exports` has an invented file in the format of each system; the figures were computed by hand:
paid orders less refunds, each with its customer, without taxes or shipping taken off unless the export is so.
"""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from support.cli import Rfm
from support.paths import ROOT

EXPORTS = ROOT / "tests" / "data" / "exports"

# The pending order of Shopify and of Magento, and the order on hold of WooCommerce, count.
FIGURES = {
    "shopify_orders.csv": ("shopify-orders", 2, 4, "1354.50"),
    "woocommerce_analytics_orders.csv": ("woocommerce-analytics", 3, 4, "1299.50"),
    "etsy_sold_order_items.csv": ("etsy-items", 2, 3, "1293.00"),
    "square_items_detail.csv": ("square-items", 2, 3, "1282.50"),
    "stripe_payments.csv": ("stripe-payments", 3, 4, "1356.60"),
    "magento_orders.csv": ("magento-orders", 2, 4, "1336.50"),
    "paypal_activity.csv": ("paypal-activity", 2, 3, "1319.99"),
    "ebay_orders.csv": ("ebay-orders", 3, 3, "1329.50"),
}
"""File -> preset, customers, orders and revenue."""
QUESTIONS = {
    "amazon_all_orders.txt": ("has no identifier of the customer", "--customer-id buyer-email"),
    "prestashop_orders.csv": ("has no key of the customer", "--customer-id Customer"),
}
"""File -> a part of the message, and of the hint."""


def test_every_export_is_tested() -> None:
    assert {path.name for path in EXPORTS.iterdir()} == {*FIGURES, *QUESTIONS}


@pytest.mark.matrix
@pytest.mark.parametrize("name", FIGURES)
def test_an_export_is_read_without_configuration(name: str, rfm: Rfm) -> None:
    preset, customers, orders, revenue = FIGURES[name]
    ended = rfm("run", EXPORTS / name, "--json")
    assert ended.code == 0, ended.stderr
    assert f"recognised by its columns: preset {preset}" in ended.json["notes"]
    figures = (ended.json["customers"], ended.json["orders"], Decimal(ended.json["revenue"]))
    assert figures == (customers, orders, Decimal(revenue))


@pytest.mark.parametrize("name", QUESTIONS)
def test_an_export_without_a_customer_is_questioned(name: str, rfm: Rfm, tmp_path: Path) -> None:
    message, hint = QUESTIONS[name]
    ended = rfm("run", EXPORTS / name)
    assert ended.code == 2
    assert message in ended.stderr
    assert hint in " ".join(ended.stderr.split())
    assert not (tmp_path / "rfm.duckdb").exists()


@pytest.mark.slow
def test_the_answer_to_the_question_of_prestashop_works(rfm: Rfm) -> None:
    ended = rfm("run", EXPORTS / "prestashop_orders.csv", "--customer-id", "Customer", "--json")
    assert ended.code == 0, ended.stderr
    figures = (ended.json["customers"], ended.json["orders"], Decimal(ended.json["revenue"]))
    assert figures == (2, 3, Decimal("1316.50"))


# Variants of the exports: other columns, spellings and languages.


@pytest.mark.slow
def test_woocommerce_names_its_amount_in_two_spellings(rfm: Rfm, tmp_path: Path) -> None:
    text = (EXPORTS / "woocommerce_analytics_orders.csv").read_text(encoding="utf-8")
    (tmp_path / "orders.csv").write_text(text.replace("Net Sales", "Net sales"), encoding="utf-8")
    ended = rfm("run", tmp_path / "orders.csv", "--json")
    assert (ended.json["customers"], ended.json["revenue"]) == (3, "1299.50")


@pytest.mark.parametrize("amount_of", ["line", "order"])
def test_etsy_subtracts_what_was_refunded_of_an_order(rfm: Rfm, tmp_path: Path, amount_of: str) -> None:
    (tmp_path / "orders.csv").write_text(
        "Sale Date,Order ID,Buyer User ID,Number of Items,Order Value,Discount Amount,Order Total,"
        "Adjusted Order Total\n"
        "01/05/26,1,ann,1,20.00,2.00,23.00,\n"
        "01/06/26,2,bob,1,30.00,0.00,35.00,28.00\n"
        "01/07/26,3,bob,1,40.00,0.00,45.00,0.00\n"
        "01/08/26,4,bob,1,50.00,0.00,55.00,x\n",
        encoding="utf-8",
    )
    ended = rfm("run", tmp_path / "orders.csv", "--amount-of", amount_of, "--json")
    assert (ended.json["customers"], ended.json["orders"], ended.json["revenue"]) == (2, 2, "41.00")
    assert ended.json["rows"]["excluded"] == {"invalid_amount": 1, "refunded": 1}


@pytest.mark.slow
@pytest.mark.parametrize("type_of_customer", ["Kundentyp", "Kundenart"])
def test_woocommerce_in_german(rfm: Rfm, tmp_path: Path, type_of_customer: str) -> None:
    (tmp_path / "orders.csv").write_text(
        f"Datum,Bestellung #,Status,Kunde,{type_of_customer},Produkt(e),Nettoumsatz\n"
        "2026-01-05 10:00:00,1,completed,Ann X,new,1x Mug,10.00\n"
        "2026-01-06 10:00:00,2,completed,Bob Y,new,1x Mug,20.00\n"
        "2026-01-07 10:00:00,2,completed,Bob Y,new,1x Mug,-5.00\n"
        "2026-01-08 10:00:00,3,cancelled,Bob Y,returning,1x Mug,7.00\n",
        encoding="utf-8",
    )
    ended = rfm("run", tmp_path / "orders.csv", "--json")
    assert (ended.json["customers"], ended.json["orders"], ended.json["revenue"]) == (2, 2, "25.00")
    assert any("told apart by their name" in note for note in ended.json["notes"])


@pytest.mark.slow
def test_a_column_that_an_older_export_lacks_switches_off_only_what_needs_it(
    rfm: Rfm, tmp_path: Path
) -> None:
    (tmp_path / "orders.csv").write_text(
        "Name,Email,Financial Status,Created at,Total,Lineitem quantity,Lineitem name,Cancelled at\n"
        "#1,a@example.com,paid,2026-01-05 10:00:00 +0000,10.00,1,Mug,\n"
        "#2,b@example.com,voided,2026-01-06 10:00:00 +0000,20.00,1,Mug,\n"
        "#3,c@example.com,paid,2026-01-07 10:00:00 +0000,40.00,1,Mug,2026-01-08 10:00:00 +0000\n",
        encoding="utf-8",
    )
    ended = rfm("run", tmp_path / "orders.csv", "--json")
    assert ended.code == 0, ended.stderr
    assert (ended.json["columns"].get("refund"), ended.json["revenue"]) == (None, "10.00")
    assert ended.json["rows"]["excluded"] == {"cancelled": 1, "unpaid": 1}


PAYPAL = (
    "Date,Time,TimeZone,Type,Status,Currency,Gross,From Email Address,To Email Address,Transaction ID,"
    "Reference Txn ID\n"
)


@pytest.mark.slow
def test_a_refund_is_taken_off_the_customer_of_the_sale_that_it_names(rfm: Rfm, tmp_path: Path) -> None:
    (tmp_path / "paypal.csv").write_text(
        PAYPAL
        + "25/01/2026,10:00:00,GMT,Website Payment,Completed,GBP,100.00,a@example.com,shop@example.com,T1,\n"
        "26/01/2026,10:00:00,GMT,Payment Refund,Completed,GBP,-30.00,shop@example.com,a@example.com,T2,T1\n"
        "27/01/2026,10:00:00,GMT,Website Payment,Completed,GBP,50.00,b@example.com,shop@example.com,T3,\n"
        "28/01/2026,10:00:00,GMT,Payment Refund,Completed,GBP,-50.00,shop@example.com,b@example.com,T4,T3\n"
        # The sale is in an earlier file: whose refund this is can't be known.
        "29/01/2026,10:00:00,GMT,Payment Refund,Completed,GBP,-9.00,shop@example.com,c@example.com,T5,T0\n"
        # A payment for a subscription names the agreement, which is no sale.
        "30/01/2026,10:00:00,GMT,Subscription Payment,Completed,GBP,7.00,a@example.com,s@example.com,T6,B-1\n"
        # The shop pays a supplier.
        "31/01/2026,10:00:00,GMT,General Payment,Completed,GBP,-80.00,shop@example.com,d@example.com,T7,\n",
        encoding="utf-8",
    )
    ended = rfm("run", tmp_path / "paypal.csv", "--json")
    assert ended.code == 0, ended.stderr
    assert (ended.json["customers"], ended.json["orders"], ended.json["revenue"]) == (1, 2, "77.00")
    assert ended.json["rows"]["excluded"] == {"missing_customer": 1, "no_positive_order": 2, "not_a_sale": 1}
    assert ended.json["rows"]["read"] == 7
    assert ended.json["amount"]["excluded"]["missing_customer"] == "-9.00"


@pytest.mark.slow
def test_refunds_find_their_sale_whatever_the_window(rfm: Rfm, tmp_path: Path) -> None:
    (tmp_path / "paypal.csv").write_text(
        PAYPAL
        + "25/01/2025,10:00:00,GMT,Website Payment,Completed,GBP,100.00,a@example.com,shop@example.com,T1,\n"
        "26/01/2026,10:00:00,GMT,Website Payment,Completed,GBP,60.00,b@example.com,shop@example.com,T2,\n"
        "27/01/2026,10:00:00,GMT,Payment Refund,Completed,GBP,-10.00,shop@example.com,b@example.com,T3,T2\n",
        encoding="utf-8",
    )
    for window in (["--window", "3 months"], ["--window", "3 months", "--as-of", "2026-01-31"]):
        ended = rfm("run", tmp_path / "paypal.csv", *window, "--to", f"duckdb:{len(window)}.duckdb", "--json")
        assert ended.code == 0, ended.stderr
        assert (ended.json["customers"], ended.json["orders"], ended.json["revenue"]) == (1, 1, "50.00")


@pytest.mark.slow
def test_payments_without_a_customer_id_are_counted_by_address(rfm: Rfm, tmp_path: Path) -> None:
    (tmp_path / "payments.csv").write_text(
        "id,Created (UTC),Amount,Amount Refunded,Currency,Status,Customer ID,Customer Email\n"
        "ch_1,2026-01-05 10:00,10.00,0.00,usd,Paid,cus_1,a@example.com\n"
        "ch_2,2026-01-06 10:00,20.00,0.00,usd,Paid,,b@example.com\n"
        "ch_3,2026-01-07 10:00,40.00,0.00,usd,Paid,,B@Example.com\n"
        "ch_4,2026-01-08 10:00,80.00,0.00,usd,Paid,,\n",
        encoding="utf-8",
    )
    ended = rfm("run", tmp_path / "payments.csv", "--json")
    assert ended.code == 0, ended.stderr
    assert (ended.json["customers"], ended.json["orders"], ended.json["revenue"]) == (2, 3, "70.00")
    assert ended.json["rows"]["excluded"] == {"missing_customer": 1}
