"""What an order is: repeated totals, no order column, and tables with one line per customer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from rfm_pipeline.common.schema import Column, Kind
from rfm_pipeline.config.column_mapping import ColumnMapping
from rfm_pipeline.config.loader import Configuration
from rfm_pipeline.errors import ColumnError
from rfm_pipeline.source.profile.customer_table import CustomerTable, columns_of_lines, find_customer_table
from rfm_pipeline.source.profile.orders import Orders, read_orders
from rfm_pipeline.source.profile.sample import Sample, build_sample

PRICES = ("10.50", "3.20", "99.90", "7.25", "12.00", "4.10", "18.30")
Line = tuple[str, str, str]


def totals(count: int, lines: int = 2) -> list[Line]:
    """Return orders that repeat their total on each line."""
    return [
        (f"c{number % 7}", f"o{number}", f"{10 + number}.{number:02d}")
        for number in range(count)
        for _ in range(lines)
    ]


def orders(
    lines: Sequence[Line], amount: str = "Amount", *, is_whole: bool = True, **settings: object
) -> Orders:
    names = ("customer", "order_no", amount)
    schema = tuple(Column((name,), Kind.TEXT, "VARCHAR") for name in names)
    sample = build_sample(schema, list(lines), is_whole=is_whole)
    day = Column(("day",), Kind.DATE, "DATE")
    mapping = ColumnMapping(schema[0], day, schema[1], amount=schema[2])
    return read_orders(schema, mapping, sample, Configuration(flags=settings).settings)


@pytest.mark.parametrize(
    "name",
    [
        "order_total", "Order Total Amount", "OrderTotal", "Grand Total", "order total (EUR)",
        "invoice_total",
        "Bestellung Gesamt", "total_commande", "Total Pedido", "totale_ordine", "Total Factura",
    ],
)  # fmt: skip
def test_a_total_of_the_order_counts_once_by_its_name(name: str) -> None:
    read = orders(totals(1), name)
    assert read.amount_of == "order"
    (note,) = read.notes
    assert name in note
    assert "--amount-of line" in note


def test_a_total_counts_once_where_it_repeats_evidently() -> None:
    assert orders(totals(5), "Total").amount_of == "order"
    # Two orders may repeat by chance; a line's total is no order's total.
    assert orders(totals(2), "Total").amount_of == "line"
    with pytest.raises(ColumnError):
        orders(totals(20), "line_total")


def test_an_amount_that_repeats_is_a_question_with_both_results() -> None:
    with pytest.raises(ColumnError) as raised:
        orders(totals(5), "Amount")
    assert "5 of 5 orders" in raised.value.message
    assert "60.10" in raised.value.message
    assert "120.20" in raised.value.message
    assert "--amount-of order" in str(raised.value.hint)
    assert "--amount-of line" in str(raised.value.hint)


@pytest.mark.parametrize("choice", ["order", "line"])
def test_the_setting_decides(choice: str) -> None:
    assert orders(totals(5), "Amount", amount_of=choice).amount_of == choice


@pytest.mark.parametrize(
    "lines",
    [
        [("a", f"o{line // 2}", PRICES[line % 7]) for line in range(40)],  # different amounts in an order
        [("a", f"o{line // 2}", "9.99") for line in range(40)],  # one price: repeats show nothing
        [("a", f"o{line}", PRICES[line % 7]) for line in range(40)],  # one line per order
        [("a", f"o{line // 2}", "0") for line in range(40)],
        [("a", f"o{line // 2}", ("5", "10")[line // 2 % 2]) for line in range(8)],  # two prices, four orders
    ],
)
def test_amounts_of_lines_stay_amounts_of_lines(lines: list[Line]) -> None:
    assert orders(lines, "Amount") == Orders()
    assert orders(lines, "price") == Orders()


def test_one_order_in_twenty_may_differ() -> None:
    lines = [*totals(40), ("x", "odd", "1.00"), ("x", "odd", "2.00")]
    assert orders(lines, "Order Total").amount_of == "order"
    lines += [("x", f"odd{line // 2}", str(line)) for line in range(20)]
    assert orders(lines, "Order Total").amount_of == "line"


def test_an_order_id_of_two_customers_is_two_orders() -> None:
    lines = [("a", "1", "5.00"), ("b", "1", "5.00"), ("a", "2", "6.00")]
    read = orders(lines, "Order Total")
    assert read.amount_of == "line"
    assert read.notes == ("1 id of `order_no` under several customers: they count as different orders",)
    # Beyond the first lines, the run counts them.
    assert orders(lines, "Order Total", is_whole=False).notes == ()


def test_an_order_total_needs_an_order_and_an_amount() -> None:
    customer, day, amount, number = (
        Column((name,), Kind.TEXT, "VARCHAR") for name in ("who", "day", "amount", "n")
    )
    settings = Configuration(flags={"amount_of": "order"}).settings
    with pytest.raises(ColumnError, match="order ids"):
        read_orders((), ColumnMapping(customer, day, amount=amount), Sample(), settings)
    with pytest.raises(ColumnError, match="but the amount is `amount` × `amount`"):
        read_orders(
            (), ColumnMapping(customer, day, number, quantity=amount, unit_price=amount), Sample(), settings
        )


def test_no_order_column_is_told_with_the_columns_that_could_be_one() -> None:
    names = ("who", "day", "amount", "Receipt No", "Invoice ID")
    schema = tuple(Column((name,), Kind.TEXT, "VARCHAR") for name in names)
    mapping = ColumnMapping(schema[0], schema[1], amount=schema[2])
    (note,) = read_orders(schema, mapping, Sample(), Configuration().settings).notes
    assert note.startswith("no order column: each line counts as an order")
    assert "`Receipt No`, `Invoice ID`" in note
    (note,) = read_orders(schema[:3], mapping, Sample(), Configuration().settings).notes
    assert note == "no order column: each line counts as an order"


# Tables with one line per customer


def table(
    columns: Mapping[str, Sequence[str | None]], *, is_whole: bool = True, **configured: str
) -> CustomerTable:
    schema = tuple(Column((name,), Kind.TEXT, "VARCHAR") for name in columns)
    sample = build_sample(schema, list(zip(*columns.values(), strict=True)), is_whole=is_whole)
    return find_customer_table(schema, sample, configured)


IDS, COUNTS, SPENT = ("a", "b", "c", "d"), ("3", "1", "2", "9"), ("30.50", "10", "20", "95")
DAYS = ("2024-01-05", "2024-02-05", "2024-03-05", "2024-04-05")


@pytest.mark.parametrize(
    ("customer", "count", "spent", "last"),
    [
        ("customer_id", "number_of_orders", "total_spent", "last_order_date"),
        ("Customer ID", "Total Orders", "Total Spent", "Last Order"),
        ("Email", "Orders Count", "Amount Spent", "Last order date"),
        ("user_id", "order_count", "lifetime_value", "last_purchase_date"),
        ("master_id", "order_num_total_ever_online", "customer_value_total_ever_online", "last_order_date"),
        ("client_id", "frequency", "monetary", "most_recent_purchase"),
        ("Kundennummer", "Anzahl Bestellungen", "Gesamtumsatz", "Letzte Bestellung"),
        ("customer_id", "Nombre de commandes", "Montant total", "Dernière commande"),
        ("customer_id", "Número de pedidos", "Total gastado", "Última compra"),
        ("customer_id", "Numero ordini", "Totale speso", "Ultimo ordine"),
        ("customer_id", "Liczba zamówień", "Suma wydatków", "Ostatnie zamówienie"),
        ("CustomerKey", "NumOrders", "TotalRevenue", "LastOrderDate"),
    ],
)
def test_a_table_with_one_line_per_customer_is_recognised(
    customer: str, count: str, spent: str, last: str
) -> None:
    found = table({customer: IDS, count: COUNTS, spent: SPENT, last: DAYS})
    assert found.columns == {
        "customer_id": customer, "frequency": count, "order_id": "none",
        "monetary": spent, "ordered_at": last,
    }  # fmt: skip
    (note,) = found.notes
    assert f"`{count}` is the number of orders" in note


@pytest.mark.parametrize(
    "columns",
    [
        {"customer_id": ("a", "a", "b", "c"), "order_count": COUNTS, "total": SPENT},  # a customer repeats
        {"customer_id": IDS, "order_id": IDS, "total_orders": COUNTS, "total": SPENT},  # has order ids
        {"customer_id": IDS, "order_number": COUNTS, "total": SPENT},  # an order's number
        {"customer_id": IDS, "order_count": ("1.5", "2", "x", "4"), "total": SPENT},  # no counts
        {"customer_id": IDS, "order_total": COUNTS, "date": DAYS},
        {"customer_id": ("a", "b"), "order_count": ("1", "2"), "total": ("1", "2")},  # too few lines
    ],
)
def test_order_lines_are_no_customer_table(columns: Mapping[str, Sequence[str]]) -> None:
    assert table(columns) == CustomerTable()


def test_a_long_table_is_a_question_whose_hint_has_all_flags() -> None:
    with pytest.raises(ColumnError) as raised:
        table(
            {"id": IDS, "customer_id": IDS, "orders_count": COUNTS, "spent": SPENT, "last_order": DAYS},
            is_whole=False,
        )
    hint = str(raised.value.hint)
    assert (
        "--frequency orders_count --customer-id customer_id --monetary spent --ordered-at last_order reads"
        in hint
    )
    assert (
        "--frequency none --customer-id customer_id --amount spent --ordered-at last_order reads each" in hint
    )


def test_configured_roles_are_kept() -> None:
    columns = {"id": IDS, "visits": COUNTS, "worth": SPENT, "seen": DAYS}
    found = table(columns, customer_id="id", frequency="visits", monetary="worth", ordered_at="seen")
    assert found.columns == {"frequency": "visits", "order_id": "none"}
    assert columns_of_lines({"monetary": "worth"}, found)["amount"] == "worth"
    assert table(columns, frequency="none") == CustomerTable()


@pytest.mark.parametrize(
    "configured",
    [
        {"monetary": "worth", "amount": "worth"},
        {"frequency": "visits", "order_id": "id"},
        {"monetary": "worth", "frequency": "none"},
        {"monetary": "worth"},
    ],
)
def test_roles_that_contradict_each_other_are_refused(configured: dict[str, Any]) -> None:
    with pytest.raises(ColumnError):
        table({"id": IDS, "visits": COUNTS, "worth": SPENT, "seen": DAYS}, **configured)


def test_two_counts_of_orders_are_a_question() -> None:
    columns = {"master_id": IDS, "order_num_total_online": COUNTS, "order_num_total_offline": COUNTS}
    with pytest.raises(ColumnError, match="2 columns could be the number of orders"):
        table(columns)
