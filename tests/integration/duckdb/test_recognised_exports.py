"""Well-known exports are recognised by their columns and give manually computed results."""

from __future__ import annotations

import json
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import xlsxwriter

from support.cli import Rfm
from support.databases import empty_database
from support.orders import published

MEASURES = (
    "SELECT customer_id, frequency, monetary, first_order_date::TEXT, last_order_date::TEXT, recency_days"
    " FROM rfm_segments ORDER BY customer_id"
)


def measured(rfm: Rfm, folder: Path, *arguments: object) -> tuple[dict[str, Any], list[tuple[Any, ...]]]:
    """Run and return the JSON result and the measures of each customer."""
    ended = rfm("run", *arguments, "--json")
    assert ended.code == 0, ended.stderr
    return ended.json, published(folder / "rfm.duckdb", MEASURES)


def recognised(rfm: Rfm, source: object) -> Any:
    return rfm("check", source, "--json").json["recognised"]


# Shopify: one row per line item, the order's totals on its first row only.
SHOPIFY = """\
Name,Email,Financial Status,Paid at,Currency,Subtotal,Total,Refunded Amount,Created at,Lineitem quantity,\
Lineitem name,Lineitem price,Cancelled at
#1001,ann@example.com,paid,2024-01-05 10:00:00 +0200,EUR,30,35.00,0.00,2024-01-05 10:00:00 +0200,1,Mug,10,
#1001,ann@example.com,,,,,,,2024-01-05 10:00:00 +0200,2,"Cup, large",10.00,
#1002,bob@example.com,paid,2024-03-01 00:30:00 +0200,EUR,20.00,25.50,,2024-03-01 00:30:00 +0200,1,Mug,20.00,
#1003,bob@example.com,refunded,2024-03-02 12:00:00 +0200,EUR,20,20.00,20.00,2024-03-02 12:00:00 +0200,1,Mug,9,
#1004,cyd@example.com,partially_refunded,2024-03-10 12:00:00 +0200,EUR,100.00,100.00,40.25,\
2024-03-10 12:00:00 +0200,5,Bowl,20.00,
#1004,cyd@example.com,,,,,,,2024-03-10 12:00:00 +0200,1,Cup,0.00,
#1005,ann@example.com,paid,2024-03-11 12:00:00 +0200,EUR,50,50.00,0.00,2024-03-11 12:00:00 +0200,5,Mug,10,\
2024-03-11 13:00:00 +0200
#1006,ann@example.com,pending,,EUR,9.99,9.99,0.00,2024-03-12 23:59:59 +0200,1,Pin,9.99,
#1007,,paid,2024-03-13 10:00:00 +0200,EUR,5.00,5.00,0.00,2024-03-13 10:00:00 +0200,1,Pin,5.00,
#1008,dan@example.com,voided,,EUR,6.00,6.00,0.00,2024-03-14 10:00:00 +0200,1,Pin,6.00,
#1009,eve@example.com,expired,,EUR,7.00,7.00,0.00,2024-03-15 10:00:00 +0200,1,Pin,7.00,
"""


@pytest.fixture
def shopify(tmp_path: Path) -> Path:
    path = tmp_path / "orders_export_1.csv"
    path.write_text(SHOPIFY, encoding="utf-8")
    return path


def test_a_shopify_export_counts_orders_once_and_subtracts_refunds(
    rfm: Rfm, shopify: Path, tmp_path: Path
) -> None:
    assert recognised(rfm, shopify) == "shopify-orders"
    result, rows = measured(rfm, tmp_path, shopify)
    # Half past midnight in Helsinki is the day before in UTC.
    assert rows == [
        ("ann@example.com", 2, Decimal("44.99"), "2024-01-05", "2024-03-12", 0),
        ("bob@example.com", 1, Decimal("25.50"), "2024-02-29", "2024-02-29", 12),
        ("cyd@example.com", 1, Decimal("59.75"), "2024-03-10", "2024-03-10", 2),
    ]
    assert result["rows"] == {
        "read": 11,
        "kept": 4,
        "excluded": {
            "continuation_line": 2, "unpaid": 2, "cancelled": 1, "missing_customer": 1, "refunded": 1,
        },
    }  # fmt: skip
    assert result["amount"] == {
        "kept": "130.24",
        "excluded": {
            "continuation_line": None, "unpaid": "13.00", "cancelled": "50.00", "missing_customer": "5.00",
            "refunded": "0.00",
        },
        "repeated_total": None,
    }  # fmt: skip


@pytest.mark.slow
def test_a_shopify_export_uses_the_days_of_the_configured_time_zone(
    rfm: Rfm, shopify: Path, tmp_path: Path
) -> None:
    result, rows = measured(rfm, tmp_path, shopify, "--timezone", "Europe/Helsinki")
    assert [(row[0], row[4], row[5]) for row in rows] == [
        ("ann@example.com", "2024-03-12", 0),
        ("bob@example.com", "2024-03-01", 11),
        ("cyd@example.com", "2024-03-10", 2),
    ]
    assert result["as_of"] == "2024-03-12"


@pytest.mark.slow
def test_column_flags_add_to_a_recognised_export(rfm: Rfm, shopify: Path, tmp_path: Path) -> None:
    result, rows = measured(rfm, tmp_path, shopify, "--customer-id", "Currency")
    assert [row[:3] for row in rows] == [("EUR", 5, Decimal("135.24"))]
    assert "cancelled" in result["rows"]["excluded"]
    assert "customer_id is `Currency`, in place of the preset's `Email`" in result["notes"]


@pytest.mark.slow
def test_a_preset_is_refused_by_name(rfm: Rfm, shopify: Path, tmp_path: Path) -> None:
    columns = [
        "--customer-id",
        "Email",
        "--amount",
        "Total",
        "--order-id",
        "Name",
        "--ordered-at",
        "Created at",
    ]
    result, _ = measured(rfm, tmp_path, shopify, "--preset", "none", *columns)
    assert "cancelled" not in result["rows"]["excluded"]


# theLook: one row per item.
THELOOK = """\
id,order_id,user_id,product_id,inventory_item_id,status,created_at,shipped_at,delivered_at,returned_at,sale_price
1,10,100,1,1,Complete,2024-01-05 23:30:00+00:00,,,,25.0
2,10,100,2,2,Complete,2024-01-05 23:30:00+00:00,,,,14.99
3,11,101,1,3,Cancelled,2024-01-06 08:00:00 UTC,,,,25.0
4,12,101,1,4,Returned,2024-01-07 08:00:00 UTC,,,2024-01-20 08:00:00 UTC,25.0
5,13,101,1,5,Shipped,2024-02-07 08:00:00 UTC,,,,60
6,14,102,1,6,Processing,2024-02-08T08:00:00Z,,,,5.5
7,15,100,1,7,Complete,2024-02-08 23:59:59.999 UTC,,,,0.02
"""


@pytest.mark.slow
@pytest.mark.parametrize("typed", [False, True], ids=["csv", "parquet"])
def test_thelook_items_are_summed_per_order_without_cancelled_and_returned_ones(
    typed: bool, rfm: Rfm, tmp_path: Path
) -> None:
    source = tmp_path / "order_items.csv"
    source.write_text(THELOOK, encoding="utf-8")
    if typed:
        lines = f"read_csv('{source}', types = {{'created_at': 'VARCHAR'}})"
        source = tmp_path / "order_items.parquet"
        at = "CAST(replace(created_at, ' UTC', '+00') AS TIMESTAMPTZ) AS created_at"
        with empty_database() as connection:
            connection.execute("SET TimeZone = 'America/New_York'")
            connection.execute(f"COPY (SELECT * REPLACE ({at}) FROM {lines}) TO '{source}' (FORMAT parquet)")
    assert recognised(rfm, source) == "thelook"
    result, rows = measured(rfm, tmp_path, source)
    assert rows == [
        ("100", 2, Decimal("40.01"), "2024-01-05", "2024-02-08", 0),
        ("101", 1, Decimal("60.00"), "2024-02-07", "2024-02-07", 1),
        ("102", 1, Decimal("5.50"), "2024-02-08", "2024-02-08", 0),
    ]
    assert result["rows"] == {"read": 7, "kept": 5, "excluded": {"cancelled": 1, "returned": 1}}
    assert result["amount"]["excluded"] == {"cancelled": "25.00", "returned": "25.00"}


# GA4: one row per event, purchases in a nested record.
def event(day: str, name: str, user: str, transaction: str | None = None, revenue: Any = None) -> Any:
    return {
        "event_date": day,
        "event_timestamp": int(datetime.fromisoformat(f"{day}T12:00:00Z").timestamp() * 1_000_000),
        "event_name": name,
        "user_pseudo_id": user,
        "ecommerce": {"total_item_quantity": 1, "purchase_revenue": revenue, "transaction_id": transaction},
        "items": [{"item_id": "a", "price": 1.5}],
    }


GA4 = [
    event("20240105", "page_view", "1.100"),
    event("20240105", "purchase", "1.100", "T1", 10.5),
    event("20240105", "purchase", "1.100", "T1", 10.5),
    event("20240210", "purchase", "2.200", "T2", 20),
    event("20240211", "purchase", "2.200", "(not set)", 99),
    event("20240212", "add_to_cart", "3.300"),
    event("20240301", "purchase", "3.300", "T3", 7.25),
    event("20240302", "purchase", "3.300", "T4", 0),
    event("20240303", "purchase", "2.200", None, 5),
]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["ndjson", "parquet"])
def test_ga4_purchases_are_found_in_their_nested_record(kind: str, rfm: Rfm, tmp_path: Path) -> None:
    source = tmp_path / "events.ndjson"
    source.write_text("".join(json.dumps(row) + "\n" for row in GA4), encoding="utf-8")
    if kind == "parquet":
        source = tmp_path / "events.parquet"
        with empty_database() as connection:
            connection.execute(
                f"COPY (FROM read_json('{tmp_path}/events.ndjson')) TO '{source}' (FORMAT parquet)"
            )
    assert recognised(rfm, source) == "ga4"
    result, rows = measured(rfm, tmp_path, source)
    # An event that was sent twice is one order, whose revenue counts once.
    assert rows == [
        ("1.100", 1, Decimal("10.50"), "2024-01-05", "2024-01-05", 56),
        ("2.200", 1, Decimal("20.00"), "2024-02-10", "2024-02-10", 20),
        ("3.300", 1, Decimal("7.25"), "2024-03-01", "2024-03-01", 0),
    ]
    assert result["rows"] == {
        "read": 9,
        "kept": 4,
        "excluded": {
            "other_event": 2, "missing_order": 1, "non_positive_amount": 1, "transaction_not_set": 1,
        },
    }  # fmt: skip
    assert result["as_of"] == "2024-03-01"


# UCI Online Retail II: a workbook with a sheet for each year.
RETAIL_COLUMNS = (
    "Invoice", "StockCode", "Description", "Quantity", "InvoiceDate", "Price", "Customer ID", "Country",
)  # fmt: skip
RETAIL_SHEETS: dict[str, list[tuple[Any, ...]]] = {
    "Year 2009-2010": [
        (489434, "85048", "LIGHTS", 12, "2009-12-01 07:45", 6.95, 13085.0, "United Kingdom"),
        (489434, "79323P", "CHERRY", 2, "2009-12-01 07:45", 6.75, 13085.0, "United Kingdom"),
        ("C489449", "22087", "PAPER", -12, "2009-12-01 10:33", 2.95, 16321.0, "Australia"),
        (489500, "22087", "PAPER", 1, "2009-12-02 10:33", 2.95, None, "Australia"),
        (489435, "22350", "CAT", 12, "2010-06-01 23:46", 2.55, 13086.0, "United Kingdom"),
    ],
    "Year 2010-2011": [
        (536365, "85123A", "HEART", 6, "2010-12-01 08:26", 2.55, 17850.0, "United Kingdom"),
        (581587, "22633", "WARMER", 6, "2011-12-09 12:50", 1.85, 13085.0, "France"),
        ("A563185", "B", "Adjust bad debt", 1, "2011-08-12 14:50", 11062.06, None, "UK"),
        (581588, "22633", None, 6, "2011-12-09 12:50", 0, 13085.0, "France"),
    ],
}


@pytest.mark.slow
def test_online_retail_ii_is_read_from_both_sheets_of_its_workbook(rfm: Rfm, tmp_path: Path) -> None:
    source = tmp_path / "online_retail_II.xlsx"
    with xlsxwriter.Workbook(str(source), {"default_date_format": "yyyy-mm-dd hh:mm"}) as workbook:
        for name, lines in RETAIL_SHEETS.items():
            sheet = workbook.add_worksheet(name)
            sheet.write_row(0, 0, RETAIL_COLUMNS)
            for number, line in enumerate(lines, start=1):
                sheet.write_row(number, 0, line)
                sheet.write_datetime(number, 4, datetime.fromisoformat(line[4]))
    assert recognised(rfm, source) == "online-retail-ii"
    result, rows = measured(rfm, tmp_path, source)
    # 12 × 6.95 + 2 × 6.75 + 6 × 1.85 = 83.40 + 13.50 + 11.10
    assert rows == [
        ("13085", 2, Decimal("108.00"), "2009-12-01", "2011-12-09", 0),
        ("13086", 1, Decimal("30.60"), "2010-06-01", "2010-06-01", 556),
        ("17850", 1, Decimal("15.30"), "2010-12-01", "2010-12-01", 373),
    ]
    assert result["rows"] == {
        "read": 9,
        "kept": 5,
        "excluded": {"missing_customer": 2, "non_positive_price": 1, "non_positive_quantity": 1},
    }
    assert result["amount"]["excluded"]["missing_customer"] == "11065.01"
    only = measured(rfm, tmp_path, source, "--sheet", "Year 2010-2011")[0]
    assert (only["rows"]["read"], only["revenue"]) == (4, "26.40")


@pytest.mark.slow
def test_american_dates_of_online_retail_are_read(rfm: Rfm, tmp_path: Path) -> None:
    source = tmp_path / "data.csv"
    source.write_text(
        "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n"
        "536365,85123A,HEART,6,12/1/2010 8:26,2.55,17850,United Kingdom\n"
        "580000,85123A,HEART,1,12/9/2011 12:50,2.55,17850.0,United Kingdom\n"
        "581587,22633,WARMER,6,4/3/2011 9:00,1.85,13085,France\n",
        encoding="utf-8",
    )
    assert recognised(rfm, source) == "online-retail"
    assert measured(rfm, tmp_path, source)[1] == [
        ("13085", 1, Decimal("11.10"), "2011-04-03", "2011-04-03", 250),
        ("17850", 2, Decimal("17.85"), "2010-12-01", "2011-12-09", 0),
    ]
