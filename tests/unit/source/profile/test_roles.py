"""Roles of columns: names and values are weighed together, and what differs in money is a question."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence

import pytest

from rfm_pipeline.common.schema import Column, Kind
from rfm_pipeline.errors import ColumnError
from rfm_pipeline.source.profile.roles import Roles, map_columns
from rfm_pipeline.source.profile.sample import Sample, build_sample

Values = Callable[[int], object] | Sequence[object] | str
LINES = 40
PRICES = ("10.50", "3.20", "99.90", "7.25", "12.00")


def day(line: int) -> str:
    return f"2024-{line % 12 + 1:02d}-{line % 28 + 1:02d}"


def columns(values: Mapping[str, Values], lines: int) -> dict[str, list[str | None]]:
    """Return the texts of columns: a function of the line's number, values in turn, or one value."""

    def text(given: Values, line: int) -> str | None:
        if isinstance(given, str):
            return given or None
        return str(given(line) if callable(given) else given[line % len(given)]) or None

    return {name: [text(given, line) for line in range(lines)] for name, given in values.items()}


def roles(
    values: Mapping[str, Values],
    configured: Mapping[str, str | None] | None = None,
    *,
    lines: int = LINES,
    is_whole: bool = True,
) -> Roles:
    """Return the roles of columns of text."""
    texts = columns(values, lines)
    schema = tuple(Column((name,), Kind.TEXT, "VARCHAR") for name in texts)
    sample = build_sample(schema, list(zip(*texts.values(), strict=True)), is_whole=is_whole)
    return map_columns(schema, sample, configured or {}, "CSV")


def question(values: Mapping[str, Values], *, is_whole: bool = True) -> tuple[str, str]:
    """Return the message and the hint of the question that columns raise."""
    with pytest.raises(ColumnError) as raised:
        roles(values, is_whole=is_whole)
    return raised.value.message, raised.value.hint or ""


def chosen(result: Roles) -> dict[str, str]:
    return {role: column.name for role, column in result.mapping.roles().items()}


def order(line: int) -> str:
    return f"o{line}"


def customer(line: int) -> str:
    return f"c{line % 8}"


def email(line: int) -> str:
    return f"e{line % 7}@example.com"


REST: Mapping[str, Values] = {"order_date": day, "total": lambda line: line + 5}
KEYS: Mapping[str, Values] = {"order_id": order, "customer_id": customer, "order_date": day}

# The customer


@pytest.mark.parametrize(
    ("customers", "expected", "note"),
    [
        ({"Customer ID": customer, "Customer Name": "Ann Lee"}, "Customer ID", ""),
        ({"Customer": ["Ann Lee", "Bob Ray"], "Customer No": customer}, "Customer No", ""),
        ({"Kunde": ["Ann Lee", "Bob Ray"], "E-Mail": email}, "E-Mail", ""),
        ({"Customer Name": "Ann Lee", "Email": email}, "Email", ""),
        ({"Customer": email}, "Customer", ""),
        ({"Client": customer}, "Client", ""),
        (
            {"Phone": lambda line: f"+49 30 12{line % 9}"},
            "Phone",
            "the customer is the phone number in `Phone`",
        ),
        (
            {"customer_id": order, "customer_unique_id": customer},
            "customer_unique_id",
            "the customer is `customer_unique_id`, as `customer_id` is another one in each order",
        ),
        (
            {"customer_id": order, "email": email},
            "email",
            "the customer is `email`, as `customer_id` is another one in each order",
        ),
        (
            {"Customer ID": lambda line: line + 1 if line % 4 == 0 else 0, "Customer Email": email},
            "Customer Email",
            "the customer is `Customer Email`, as `Customer ID` is missing on 75.0 % of the lines",
        ),
        (
            {"Customer ID": lambda line: line + 1 if line % 4 == 0 else "guest", "Customer Email": email},
            "Customer Email",
            "the customer is `Customer Email`, as `Customer ID` is missing on 75.0 % of the lines",
        ),
        ({"customer_id": "", "email": email}, "email", ""),
        (
            {"user_id": "77", "email": email},
            "email",
            "the customer is `email`, as `user_id` is the same on all lines",
        ),
        ({"customer_id": lambda line: "" if line < 2 else line % 6, "email": email}, "customer_id", ""),
        ({"customer_id": lambda line: line % 8, "email": email}, "customer_id", ""),
        (
            {"Customer ID": customer, "Customer No": lambda line: 100 + line % 8},
            "Customer ID",
            "the customer is `Customer ID`; `Customer No` would be the same",
        ),
        ({"customer_id": customer, "username": lambda line: f"u{line % 5}"}, "customer_id", ""),
        ({"Member": ["Yes", "No"], "Email": email}, "Email", ""),
        ({"Customer": ["1", "2"]}, "Customer", ""),
        ({"Customer": "1", "Member": ["0", "1"]}, "Customer", ""),
        ({"Customer": ["New", "Returning"], "User ID": customer}, "User ID", ""),
        ({"From Email Address": email, "To Email Address": "shop@example.com"}, "From Email Address", ""),
    ],
)
def test_the_customer_is_a_key_that_repeats(
    customers: Mapping[str, Values], expected: str, note: str
) -> None:
    result = roles({"order_id": order, **customers, **REST})
    assert result.mapping.customer_id.name == expected
    assert result.notes == ((note,) if note else ())


def test_the_customer_of_an_order_with_several_lines_is_no_other_than_of_one_line() -> None:
    result = roles(
        {
            "order_id": lambda line: line // 2,
            "customer_id": lambda line: f"k{line // 2}",
            "customer_unique_id": lambda line: f"u{line // 2 % 8}",
            "order_date": lambda line: day(line // 2),
            "price": lambda line: line + 1,
        }
    )
    assert result.mapping.customer_id.name == "customer_unique_id"


@pytest.mark.parametrize(
    ("customers", "message", "hint"),
    [
        (
            {"Customer": ["Ann Lee", "Bob Ray"]},
            (
                "No column identifies the customer: `Customer` holds names, and two people of one name would"
                " be one customer."
            ),
            "--customer-id Customer takes the names.",
        ),
        ({"Customer Name": "Ann Lee"}, "`Customer Name` holds names", "--customer-id 'Customer Name'"),
        ({"Klant": ["de Vries, Jan", "Bakker, Ans"]}, "`Klant` holds names", "--customer-id Klant"),
        (
            {"Customer ID": lambda line: "" if line % 10 < 3 else line % 6, "Email": email},
            (
                "The customer could be `Customer ID`, which is missing on 30.0 % of the lines, or `Email`,"
                " which is missing on 0.0 %."
            ),
            "set --customer-id Email, or --customer-id 'Customer ID', which excludes the lines without one.",
        ),
        (
            {"customer_id": customer, "user_id": lambda line: f"u{line % 3}"},
            "2 columns could be the customer_id: `customer_id`, `user_id`. They have 8 and 3 different",
            "choose one with --customer-id customer_id or --customer-id user_id, or in [columns]",
        ),
        (
            {"customer_id": lambda line: f"k{line}", "customer_unique_id": lambda line: f"u{line}"},
            "2 columns could be the customer_id",
            "--customer-id customer_id",
        ),
    ],
)
def test_customers_that_may_be_others_are_a_question(
    customers: Mapping[str, Values], message: str, hint: str
) -> None:
    asked = question({"order_id": order, **customers, **REST})
    assert message in asked[0]
    assert hint in asked[1]


# The order


@pytest.mark.parametrize(
    ("orders", "expected", "note"),
    [
        ({"Transaction ID": order, "Order ID": lambda line: f"n{line // 2}"}, "Order ID", ""),
        ({"order_id": order, "order_number": lambda line: line // 8 + 1}, "order_id", ""),
        (
            {
                "Transaction ID": order,
                "Invoice Number": lambda line: "" if line % 5 else "7",
                "Receipt ID": "",
            },
            "Transaction ID",
            "the order is `Transaction ID`, as `Invoice Number`, `Receipt ID` identifies none",
        ),
        (
            {"Order ID": lambda line: "" if line % 5 else line},
            None,
            "`Order ID` is blank on 80.0 % of the lines, and is not used as the order",
        ),
        (
            {"Order ID": order, "Order No": lambda line: f"#{line}"},
            None,
            "question",
        ),
        (
            {"Order ID": lambda line: f"a{line // 2}", "Order No": lambda line: f"b{line // 2}"},
            "Order ID",
            "the order is `Order ID`; `Order No` would be the same",
        ),
        ({"Order ID": lambda line: f"a{line // 2}", "Invoice No": order}, "Order ID", ""),
        (
            {"order_id": "1", "invoice_no": order},
            "invoice_no",
            "the order is `invoice_no`, as `order_id` identifies none",
        ),
        ({"Bestellnummer": order, "Rechnungsnummer": order}, "Bestellnummer", ""),
        ({"Transaction": ["Sale", "Refund"], "Receipt No": order}, "Receipt No", ""),
        (
            {"Transaction": ["Sale", "Refund"]},
            None,
            "`Transaction` holds words, and is not used as the order",
        ),
        (
            {"Reference": order, "Order Reference": lambda line: f"KHW{'ABCDEFGHIJ'[line % 10]}{line}"},
            "Order Reference",
            "",
        ),
        ({}, None, ""),
    ],
)
def test_the_order_is_the_id_that_its_lines_share(
    orders: Mapping[str, Values], expected: str | None, note: str
) -> None:
    table = {**orders, "customer_id": lambda line: f"c{line // 2 % 8}", **REST}
    if note == "question":
        assert "2 columns could be the order_id: `Order ID`, `Order No`." in question(table)[0]
        return
    result = roles(table)
    assert (result.mapping.order_id.name if result.mapping.order_id else None) == expected
    assert result.notes == ((note,) if note else ())


def test_lines_that_continue_an_order_do_not_count_as_lines_without_one() -> None:
    def first(values: Callable[[int], object]) -> Values:
        return lambda line: "" if line % 4 else values(line)

    result = roles(
        {"Order": first(order), "Email": first(email), "Date": first(day), "Amount": lambda line: line + 1}
    )
    assert result.mapping.order_id
    assert result.mapping.order_id.name == "Order"


# The date


@pytest.mark.parametrize(
    ("dates", "expected", "note"),
    [
        ({"Order Date": day, "Created At": day}, "Order Date", ""),
        (
            {"Order Date": "", "Created At": day},
            "Created At",
            "the date is `Created At`, as `Order Date` has none on most lines",
        ),
        (
            {"Order Date": "soon", "Date": day},
            "Date",
            "the date is `Date`, as `Order Date` has none on most lines",
        ),
        (
            {"Order Date": day, "Invoice Date": lambda line: f"{day(line)} 10:00:00"},
            "Order Date",
            "the date is `Order Date`; `Invoice Date` would be the same",
        ),
        ({"Purchase Date": "Jun 1, 2026 12:05:33 AM", "Date": day}, "Purchase Date", ""),
        ({"Sale Date": "Jun-01-26", "Paid On Date": day}, "Sale Date", ""),
        ({"Ship Date": day, "Sale Date": "06/01/26"}, "Sale Date", ""),
        ({"Data": "01.06.2026", "Birthday": day}, "Data", ""),
        ({"created_at": "1717200000", "updated_at": day}, "created_at", ""),
        ({"InvoiceDate": "12/1/2010 8:26", "timestamp": day}, "InvoiceDate", ""),
    ],
)
def test_the_date_is_a_column_of_dates(dates: Mapping[str, Values], expected: str, note: str) -> None:
    result = roles({"order_id": order, "customer_id": customer, "total": "5", **dates})
    assert result.mapping.ordered_at.name == expected
    assert result.notes == ((note,) if note else ())


def test_two_dates_that_differ_are_a_question() -> None:
    dates: Mapping[str, Values] = {
        "Order Date": day,
        "Invoice Date": lambda line: day(line + (line % 4 == 0)),
    }
    message, hint = question({"order_id": order, "customer_id": customer, "total": "5", **dates})
    assert message == (
        "2 columns could be the ordered_at: `Order Date`, `Invoice Date`."
        " The first two differ on 10 of 40 lines."
    )
    assert hint == (
        "choose one with --ordered-at 'Order Date' or --ordered-at 'Invoice Date',"
        " or in [columns] of rfm.toml."
    )


# The amount


def quantity(line: int) -> int:
    return line // len(PRICES) % 3 + 1


def line_total(line: int) -> str:
    return f"{quantity(line) * float(PRICES[line % len(PRICES)]):.2f}"


ORDERED: Mapping[str, Values] = {"Quantity": quantity, "Price": PRICES}


@pytest.mark.parametrize(
    ("money", "expected", "note"),
    [
        ({"Quantity": "2", "Unit Cost": "5", "Net Sales": "25"}, {"amount": "Net Sales"}, ""),
        ({"Quantity": "2", "Unit Cost": "5", "Line Revenue": "25"}, {"amount": "Line Revenue"}, ""),
        ({"Cost": "2", "Profit": "5", "Sales": "25"}, {"amount": "Sales"}, ""),
        ({"Tax": "2", "Tip": "1", "Shipping": "5", "Total": "25"}, {"amount": "Total"}, ""),
        ({"Weight": "2", "Net Weight": "5", "Fee": "1", "Betrag": "25"}, {"amount": "Betrag"}, ""),
        ({"List Price": "30", "Price": "25"}, {"amount": "Price"}, ""),
        (
            {"Quantity": "2", "Unit Price": "5", "Cost": "3"},
            {"quantity": "Quantity", "unit_price": "Unit Price"},
            "",
        ),
        ({"Sale Price": "2.50"}, {"amount": "Sale Price"}, ""),
        ({"Amount": "", "Total": "25"}, {"amount": "Total"}, ""),
        ({"Revenue": "high", "Total": "25"}, {"amount": "Total"}, ""),
        ({"Montant TTC": "€ 1.234,50"}, {"amount": "Montant TTC"}, ""),
        (
            {**ORDERED, "Total": line_total},
            {"amount": "Total"},
            "the amount is `Total`; `Quantity` × `Price` is the same on each line",
        ),
        (
            {**ORDERED, "Discount": "0.10", "Total": lambda line: f"{float(line_total(line)) * 0.9:.2f}"},
            {"amount": "Total"},
            "the amount is `Total`: `Quantity` × `Price` less `Discount`",
        ),
        (
            {"Gross Sales": lambda line: 10 + line, "Discounts": "-1", "Net Sales": lambda line: 9 + line},
            {"amount": "Net Sales"},
            "the amount is `Net Sales`: `Gross Sales` less `Discounts`",
        ),
        (
            {"SKU": lambda line: f"p{line % len(PRICES)}", **ORDERED},
            {"quantity": "Quantity", "unit_price": "Price"},
            "`Price` is the price of one unit: the same for any quantity",
        ),
        (
            {"Produkt": lambda line: line % len(PRICES), "Menge": quantity, "Verkaufspreis": line_total},
            {"amount": "Verkaufspreis"},
            "`Verkaufspreis` is the price of the line: it grows with the quantity",
        ),
        (
            {"quantity": lambda line: line % 5 + 2, "price": lambda line: (line % 5 + 2) * (3, 7)[line % 2]},
            {"amount": "price"},
            "`price` is the price of the line: it grows with the quantity",
        ),
        ({"Quantity": "1", "Price": PRICES}, {"quantity": "Quantity", "unit_price": "Price"}, ""),
    ],
)
def test_the_amount_is_what_the_values_prove(
    money: Mapping[str, Values], expected: Mapping[str, str], note: str
) -> None:
    result = roles({**KEYS, **money})
    keys = {"customer_id", "order_id", "ordered_at"}
    assert {role: name for role, name in chosen(result).items() if role not in keys} == expected
    assert result.notes == ((note,) if note else ())


@pytest.mark.parametrize(
    ("money", "message", "hint"),
    [
        (
            {"Gross Sales": "10", "Net Sales": "9"},
            "The amount of a line could be `Gross Sales` (400.00 in all) or `Net Sales` (360.00 in all).",
            "set --amount 'Gross Sales', or --amount 'Net Sales'.",
        ),
        (
            {"Subtotal": "10", "Tax": "2", "Total": "12"},
            "The amount of a line could be `Subtotal` (400.00 in all) or `Total` (480.00 in all).",
            "set --amount Subtotal, or --amount Total.",
        ),
        (
            {"Quantity": "2", "Sale Price": PRICES},
            (
                "The amount of a line could be `Quantity` × `Sale Price` (2,125.60 in all) or `Sale Price`"
                " (1,062.80 in all)."
            ),
            "set --quantity Quantity --unit-price 'Sale Price', or --amount 'Sale Price'.",
        ),
        (
            {**ORDERED, "Total": "25"},
            "The amount of a line could be `Total` (1,000.00 in all) or `Quantity` × `Price` (",
            "set --amount Total, or --quantity Quantity --unit-price Price.",
        ),
        ({"Gross": "10", "Fee": "-1", "Net": "9"}, "`Gross` (400.00 in all) or `Net`", "--amount Gross"),
        (
            {"total_usd": "10", "total_eur": "9"},
            "`total_usd` (400.00 in all) or `total_eur`",
            "--amount total_usd",
        ),
        (
            {"Order Total (inc tax)": "10", "Order Total (ex tax)": "9"},
            "`Order Total (inc tax)` (400.00 in all) or `Order Total (ex tax)` (360.00 in all)",
            "--amount 'Order Total (inc tax)'",
        ),
        (
            {"amount": ["1", "3"], "price": "5"},
            "The amount of a line could be `amount` (80.00 in all) or `amount` × `price` (400.00 in all).",
            "set --amount amount, or --quantity amount --unit-price price.",
        ),
        ({"Betrag brutto": "10", "Betrag netto": "9"}, "`Betrag brutto`", "--amount 'Betrag netto'"),
        (
            {"amount": "10", "unit_price": "9"},
            "`amount` (400.00 in all) or `unit_price`",
            "--amount unit_price",
        ),
        (
            {"UnitPrice": "10", "Quantity": "2", "Discount": ["0", "0.15"]},
            (
                "`Discount` holds shares of the price up to 0.15: the amount of a line could be `Quantity` ×"
                " `UnitPrice` less that discount (740.00 in all), or without regard to it (800.00)."
            ),
            "set --discount Discount to subtract it, or --discount none.",
        ),
    ],
)
def test_amounts_of_different_money_are_a_question(
    money: Mapping[str, Values], message: str, hint: str
) -> None:
    asked = question({**KEYS, **money})
    assert message in asked[0]
    assert hint in asked[1]


def test_a_question_says_of_which_lines_its_totals_are() -> None:
    message, _ = question({**KEYS, "Gross Sales": "10", "Net Sales": "9"}, is_whole=False)
    assert message.endswith("or `Net Sales` (360.00 in all) in the first 2,000 lines.")


def test_an_order_total_on_each_line_counts_once_beside_its_lines() -> None:
    table: dict[str, Values] = {
        "order_id": lambda line: line // 2,
        "customer_id": lambda line: line // 2 % 8,
        "order_date": lambda line: day(line // 2),
        "line_total": ["2", "3"],
    }
    result = roles({**table, "order_total": "5"})
    assert chosen(result)["amount"] == "line_total"
    assert result.notes == ("the amount is `line_total`; `order_total` is the order's total",)
    message, _ = question({**table, "order_total": "6"})
    assert "`line_total` (100.00 in all) or `order_total` (120.00 in all, once per order)" in message


def test_a_total_on_the_first_line_of_an_order_is_that_of_its_lines() -> None:
    def first(values: Callable[[int], object]) -> Values:
        return lambda line: values(line) if line % 2 == 0 else ""

    result = roles(
        {
            "Order": first(order),
            "Email": first(email),
            "Date": first(day),
            "Qty": ["1", "2"],
            "Price": ["10", "15"],
            "Order Total": first(lambda _: 40),
        }
    )
    assert chosen(result)["unit_price"] == "Price"
    assert result.notes == ("the amount is `Qty` × `Price`; `Order Total` is the order's total",)


def test_a_cost_is_named_where_no_column_is_the_amount() -> None:
    message, hint = question({**KEYS, "Quantity": "2", "Unit Cost": "5"})
    assert message == "No column was recognised as amount. `Unit Cost` is a cost by its name, and no amount."
    assert "--amount COLUMN" in hint


# Configured columns, and sources without a sample


@pytest.mark.parametrize(
    "configured",
    [
        {"amount": "Gross Sales"},
        {"amount": "Net Sales"},
        {"quantity": "Quantity", "unit_price": "Net Sales"},
        {"unit_price": "Net Sales"},
    ],
)
def test_configured_columns_are_no_question(configured: dict[str, str]) -> None:
    result = roles({**KEYS, "Gross Sales": "10", "Net Sales": "9", "Quantity": "2"}, configured)
    assert configured.items() <= chosen(result).items()


def test_a_column_of_names_is_taken_where_it_is_configured() -> None:
    result = roles({"order_id": order, "Customer": "Ann Lee", **REST}, {"customer_id": "Customer"})
    assert (result.mapping.customer_id.name, result.notes) == ("Customer", ())


def test_a_discount_that_is_configured_as_none_is_no_question() -> None:
    table: dict[str, Values] = {**KEYS, "UnitPrice": "10", "Quantity": "2", "Discount": ["0", "0.15"]}
    assert "discount" not in chosen(roles(table, {"discount": "none"}))
    assert chosen(roles(table, {"discount": "Discount"}))["discount"] == "Discount"


@pytest.mark.parametrize(
    ("name", "values", "holds"),
    [
        ("Discount %", ["0%", "10%", "25%"], "holds percentages of the price up to 25:"),
        ("Rabatt", ["", "2.5 %", "7.5 %"], "holds percentages of the price up to 7.5:"),
        ("discount_pct", ["0", "2.5", "12.5"], "holds percentages of the price up to 12.5:"),
        ("Rabatt Prozent", ["0.5", "12"], "holds percentages of the price up to 12:"),
        ("discount", ["0", "10", "25"], "may hold percentages of the price up to 25:"),
        ("Remise", ["5", "", "20"], "may hold percentages of the price up to 20:"),
        ("Discount Rate", ["0.1", "0.2"], "holds shares of the price up to 0.2:"),
    ],
)
def test_discounts_in_percent_are_asked_about(name: str, values: Sequence[str], holds: str) -> None:
    table: dict[str, Values] = {**KEYS, "quantity": "2", "unit_price": "10", name: values}
    message, hint = question(table)
    assert f"`{name}` {holds}" in message
    chosen_role = roles(table, {"discount": name})
    assert chosen_role.discount_in_percent == ("percentages" in holds)
    assert f"--discount {shlex.quote(name)} to subtract it" in hint


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("discount_amount", ["0", "10", "25"]),
        ("Rabattbetrag", ["2", "5"]),
        ("discount", ["0", "2.50", "12.35"]),
        ("discount", ["0", "150", "20"]),
        ("discount", [str(number) for number in range(1, 40)]),
        ("discount", ["0"]),
        ("discount", ["-5", "0"]),
    ],
)
def test_discounts_that_are_money_are_no_question(name: str, values: Sequence[str]) -> None:
    table: dict[str, Values] = {**KEYS, "quantity": "2", "unit_price": "10", name: values}
    assert "discount" not in chosen(roles(table))


@pytest.mark.parametrize("values", [["0", "150", "200"], ["-5", "-10"], ["5%", "10", "0.2"]])
def test_a_configured_discount_that_is_no_share_is_refused(values: Sequence[str]) -> None:
    table: dict[str, Values] = {**KEYS, "total": "10", "Discount": values}
    with pytest.raises(ColumnError, match="a share of the price from 0 to 1, or a percentage from 0 to 100"):
        roles(table, {"discount": "Discount"})


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ("customer_id, order_id, ordered_at, quantity, unit_price", {"quantity": "quantity"}),
        ("email, order_date, total", {"customer_id": "email"}),
        ("Customer ID, Date, Price", {"amount": "Price"}),
        ("Customer, Date, Quantity, Price", {"unit_price": "Price"}),
        ("customer_id, customer_unique_id, Order ID, Transaction ID, Date, Total", {"order_id": "Order ID"}),
    ],
)
def test_without_a_sample_names_decide(names: str, expected: Mapping[str, str]) -> None:
    schema = tuple(Column((name,), Kind.TEXT, "STRING") for name in names.split(", "))
    result = map_columns(schema, Sample(), {})
    assert expected.items() <= chosen(result).items()
    assert result.notes == ()


def test_without_a_sample_a_question_has_no_figures() -> None:
    schema = tuple(
        Column((name,), Kind.TEXT, "STRING") for name in ("email", "date", "Total", "Qty", "Price")
    )
    with pytest.raises(ColumnError, match=r"The amount of a line could be `Total` or `Qty` × `Price`\."):
        map_columns(schema, Sample(), {})


@pytest.mark.parametrize(
    ("values", "total"),
    [
        ({"Gross Sales": ["10", "0"], "Net Sales": ["10", "-4"]}, "`Net Sales` (200.00 in all)"),
        ({"Total": ["10", "-4"], "Subtotal": ["9", "-3"]}, "`Total` (200.00 in all)"),
        (
            {"Quantity": ["-2", "2"], "Price": ["-10", "5"], "Total": "7"},
            "`Quantity` × `Price` (200.00 in all)",
        ),
    ],
)
def test_totals_of_a_question_are_those_of_the_result(values: Mapping[str, Values], total: str) -> None:
    message, _ = question({**KEYS, **values})
    assert total in message
    assert "without negative amounts (--returns net subtracts them)" in message or "Quantity" in values


def test_totals_of_a_question_with_netted_returns() -> None:
    texts = columns({**KEYS, "Gross Sales": ["10", "0"], "Net Sales": ["10", "-4"]}, LINES)
    schema = tuple(Column((name,), Kind.TEXT, "VARCHAR") for name in texts)
    sample = build_sample(schema, list(zip(*texts.values(), strict=True)), is_whole=True)
    with pytest.raises(ColumnError, match=r"`Net Sales` \(120.00 in all\)\."):
        map_columns(schema, sample, {}, nets_returns=True)


@pytest.mark.parametrize(
    ("quantities", "prices", "price_of"),
    [
        (["1", "2", "-1"], PRICES, "unit"),
        (["3", "-2", "4", "1"], PRICES, "unit"),
        ([str(number % 5 + 1) for number in range(LINES)], ["10", "20", "35"], "unit"),
        ([str(number % 4 + 2) for number in range(LINES)], ["9.99", "4.50", "7.25"], "unit"),
        (["2", "-2"], ["10.50", "-3.20", "-99.90"], "unknown"),
        (["2", "3"], lambda line: line + 7, "unknown"),
    ],
)
def test_quantities_show_what_a_price_is_of(quantities: Values, prices: Values, price_of: str) -> None:
    table = {**KEYS, "qty": quantities, "selling price": prices}
    if price_of == "unknown":
        assert "`qty` × `selling price`" in question(table)[0]
    else:
        assert chosen(roles(table))["unit_price"] == "selling price"


def test_amounts_beside_converted_ones_are_offered_in_one_currency() -> None:
    amounts: dict[str, Values] = {"currency": ["EUR", "USD"], "amount": "10", "amount_eur": ["10", "9"]}
    message, hint = question({**KEYS, **amounts})
    assert "`amount` (200.00 in EUR, beside others) or `amount_eur` (380.00 in all)" in message
    assert hint == "set --amount amount --currency EUR, or --amount amount_eur."


def test_one_question_has_both_open_roles() -> None:
    table: dict[str, Values] = {
        "order_id": order,
        "customer_id": customer,
        "zeit_x": "a",
        "subtotal": "9",
        "total": "10",
    }
    message, hint = question(table)
    assert message.endswith("No column was recognised as ordered_at either.")
    assert "--amount total" in hint
    assert "--ordered-at COLUMN" in hint
    assert (
        roles({**table, "zeit_x": "", "closed_at": day}, {"amount": "total"}).mapping.ordered_at.name
        == "closed_at"
    )


@pytest.mark.parametrize(
    ("without", "with_tax"),
    [
        ("Total excl. VAT", "Total incl. VAT"), ("Total ex. VAT", "Total inc. VAT"),
        ("Gesamt exkl. MwSt.", "Gesamt inkl. MwSt."), ("Total excl. tax", "Total incl. tax"),
        ("Totaal excl. btw", "Totaal incl. btw"), ("Amount (ex. GST)", "Amount (inc. GST)"),
        ("Total HT", "Total TTC"), ("Importe sin IVA", "Importe con IVA"),
        ("Total without VAT", "Total with VAT"), ("Order total ex. GST", "Order total incl. GST"),
    ],
)  # fmt: skip
def test_totals_with_and_without_tax_are_a_question(without: str, with_tax: str) -> None:
    message, _ = question({**KEYS, without: "10", with_tax: "12"})
    assert message == (
        f"The amount of a line could be `{without}` (400.00 in all) or `{with_tax}` (480.00 in all)."
    )
