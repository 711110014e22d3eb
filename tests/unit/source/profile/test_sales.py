"""What a sale is: statuses, refunds that are lines of their own, currencies, and other money."""

from __future__ import annotations

import csv
import io
import shlex
from decimal import Decimal
from typing import Any

import pytest

from rfm_pipeline.cli.options import _exclusions
from rfm_pipeline.common.schema import Column, Kind
from rfm_pipeline.config.loader import Configuration
from rfm_pipeline.config.reading import Reading
from rfm_pipeline.errors import ColumnError
from rfm_pipeline.source.profile.profile import profile_source
from rfm_pipeline.source.profile.sample import Sample, build_sample
from rfm_pipeline.source.profile.status_words import Meaning, StatusWords, name_kind

HEADER = "order_id,customer_id,order_date,total"
FLAGS = {
    "--status-column": ("status", "column"),
    "--currency": ("currency", "code"),
    "--currency-column": ("currency", "column"),
    "--line-types": ("line_types",),
    "--returns": ("returns",),
    "--amount": ("columns", "amount"),
    "--refund": ("columns", "refund"),
}


def table(header: str, *lines: str, is_whole: bool = True) -> tuple[tuple[Column, ...], Sample]:
    """Return the schema and the sample of a file whose columns are text."""
    names, *rows = csv.reader(io.StringIO("\n".join([header, *lines])))
    schema = tuple(Column((name,), Kind.TEXT, "VARCHAR") for name in names)
    return schema, build_sample(
        schema, [tuple(value or None for value in row) for row in rows], is_whole=is_whole
    )


def orders(
    column: str, *values: str, total: str = "10.00", is_whole: bool = True
) -> tuple[tuple[Column, ...], Sample]:
    """Return orders of changing customers, one for each value of a further column."""
    lines = [f'{n},c{n % 4},2026-01-{n + 1:02},{total},"{value}"' for n, value in enumerate(values)]
    return table(f'{HEADER},"{column}"', *lines, is_whole=is_whole)


def read(source: tuple[tuple[Column, ...], Sample], **settings: Any) -> Reading:
    schema, sample = source
    return profile_source(schema, sample, Configuration(flags=settings).settings, "CSV")


def ask(source: tuple[tuple[Column, ...], Sample], **settings: Any) -> ColumnError:
    with pytest.raises(ColumnError) as caught:
        read(source, **settings)
    return caught.value


def flags_of(text: str) -> dict[str, Any]:
    """Return the settings of the flags in `text`, as the command line reads them."""
    settings: dict[str, Any] = {}
    words = shlex.split(text)
    exclusions = []
    for flag, value in zip(words[::2], words[1::2], strict=True):
        if flag == "--exclude":
            exclusions.append(value)
            continue
        inner = settings
        for part in FLAGS[flag][:-1]:
            inner = inner.setdefault(part, {})
        inner[FLAGS[flag][-1]] = value
    return {**settings, **({"exclude": _exclusions(exclusions)} if exclusions else {})}


def no_sale(reading: Reading) -> set[str]:
    """Return the statuses that are no sale."""
    return {text for rule in reading.sales.statuses for text in rule.no_sale}


# Words


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("Cancelled", Meaning.NO_SALE), ("canceled", Meaning.NO_SALE), ("VOIDED", Meaning.NO_SALE),
        ("wc-failed", Meaning.NO_SALE), ("checkout-draft", Meaning.NO_SALE),
        ("payment_failed", Meaning.NO_SALE),
        ("Order Cancelled", Meaning.NO_SALE), ("Zahlung_abgelehnt", Meaning.NO_SALE),
        ("Cancelled (out of stock)", Meaning.NO_SALE), ("cancelled by the shop", Meaning.NO_SALE),
        ("Storniert", Meaning.NO_SALE), ("Annulée", Meaning.NO_SALE), ("ANNULE", Meaning.NO_SALE),
        ("Cancelado", Meaning.NO_SALE), ("Anulowane", Meaning.NO_SALE), ("Geannuleerd", Meaning.NO_SALE),
        ("Annullato", Meaning.NO_SALE), ("Refunded", Meaning.REFUNDED), ("remboursé", Meaning.REFUNDED),
        ("partially_refunded", Meaning.PARTLY_REFUNDED), ("PartiallyRefunded", Meaning.PARTLY_REFUNDED),
        ("Completed", Meaning.SALE), ("Shipped - Delivered to Buyer", Meaning.SALE),
        ("bezahlt", Meaning.SALE),
        ("on-hold", Meaning.PENDING), ("Awaiting bank wire payment", Meaning.PENDING),
        ("canceled_by_customer", Meaning.NO_SALE), ("Cancelled out of stock", Meaning.NO_SALE),
        ("storniert: Kunde", Meaning.NO_SALE), ("STORNIERT AUF WUNSCH", Meaning.NO_SALE),
        ("annulé client absent", Meaning.NO_SALE), ("wc-cancelled-manually", Meaning.NO_SALE),
        ("cancelado pelo cliente", Meaning.NO_SALE), ("geannuleerd klant", Meaning.NO_SALE),
        ("anulowane przez klienta", Meaning.NO_SALE), ("void_duplicate", Meaning.NO_SALE),
        # Whether all of the order was undone is open.
        ("cancelled in part", None), ("Cancelled items", None), ("storniert teilweise", None),
        ("cancelled then reversed", None), ("cancellation requested", Meaning.PENDING),
        ("cancelledish", None), ("not cancelled", None),
        ("closed", None), ("parked", None), ("42", None), ("", None),
    ],
)  # fmt: skip
def test_the_meaning_of_a_status(text: str, meaning: Meaning | None) -> None:
    assert StatusWords().meaning(text) is meaning


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("Status", "plain"), ("STATUS", "plain"), ("order_status", "order"), ("OrderStatus", "order"),
        ("Financial Status", "order"), ("payment-state", "order"), ("Bestellstatus", "order"),
        ("Zahlungsstatus", "order"), ("Statut de la commande", "order"), ("Estado del pedido", "order"),
        ("Stato ordine", "order"), ("Status zamówienia", "order"), ("betaalstatus", "order"),
        ("state", "weak"), ("Estado", "weak"), ("stan", "weak"),
        ("Fulfillment Status", "other"), ("delivery_status", "other"), ("Versandstatus", "other"),
        ("email_status", "other"), ("Subscription status", "other"), ("item-status", "other"),
        ("risk_state", "other"), ("Ship State", "other"), ("Customer Status", "other"),
        ("status_updated_at", None), ("Status Date", None), ("Country", None), ("statuette", None),
    ],
)  # fmt: skip
def test_the_kind_of_a_status_columns_name(name: str, kind: str | None) -> None:
    assert name_kind(name) == kind


# Statuses


@pytest.mark.parametrize(
    ("column", "values", "excluded"),
    [
        ("status", ["completed", "cancelled", "refunded", "failed"], {"cancelled", "refunded", "failed"}),
        ("Order Status", ["Complete", "Canceled"], {"canceled"}),
        ("Payment Status", ["paid", "voided", "pending"], {"voided"}),
        ("Financial Status", ["PAID", "EXPIRED"], {"expired"}),
        ("state", ["complete", "canceled", "processing"], {"canceled"}),
        ("Bestellstatus", ["Versendet", "Storniert"], {"storniert"}),
        ("Statut", ["Livrée", "Annulée", "Remboursée"], {"annulée", "remboursée"}),
        ("Estado", ["Enviado", "Cancelado"], {"cancelado"}),
        ("Stato", ["Consegnato", "Annullato"], {"annullato"}),
        ("Status zamówienia", ["Wysłane", "Anulowane"], {"anulowane"}),
        ("status", ["wc-completed", "wc-cancelled"], {"wc cancelled", "wc failed"}),
        ("transaction_status", ["SUCCESS", "DECLINED", "CHARGEBACK"], {"declined", "chargeback"}),
        ("order_status", ["shipped", "Payment_Error"], {"payment error"}),
    ],
)  # fmt: skip
def test_an_orders_status_excludes_what_is_no_sale(
    column: str, values: list[str], excluded: set[str]
) -> None:
    reading = read(orders(column, *values))
    assert excluded <= no_sale(reading)
    assert not {"completed", "paid", "pending", "processing", "shipped"} & no_sale(reading)
    assert any(note.startswith(f"no sale by `{column}`: ") for note in reading.notes)


def test_words_are_in_english_and_the_languages_of_the_values_sorted() -> None:
    (rule,) = read(orders("Status", "Storniert", "Bezahlt")).sales.statuses
    assert list(rule.no_sale) == sorted(rule.no_sale)
    assert {"cancelled", "storniert"} <= set(rule.no_sale)
    assert not {"annulée", "cancelado", "anulowane"} & set(rule.no_sale)


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("State", ["CA", "NY", "TX"]),
        ("Fulfillment Status", ["fulfilled", "unfulfilled"]),
        ("Status", ["Bronze", "Gold"]),
        ("Statement", ["cancelled", "paid"]),
    ],
)
def test_what_is_no_orders_status_excludes_nothing(column: str, values: list[str]) -> None:
    assert read(orders(column, *values)).sales.statuses == ()


@pytest.mark.parametrize("column", ["delivery_status", "Email Status", "subscription_status", "risk status"])
def test_the_status_of_another_thing_is_named(column: str) -> None:
    reading = read(orders(column, "cancelled", "delivered", "failed", "delivered"))
    assert reading.sales.statuses == ()
    assert f"`{column}` is no order's status and excludes nothing: cancelled (1), failed (1)" in reading.notes


def test_pending_and_unknown_statuses_are_kept_and_named() -> None:
    reading = read(orders("status", "completed", "pending", "parked", "closed", "cancelled"))
    assert not {"pending", "parked", "closed"} & no_sale(reading)
    (note,) = [note for note in reading.notes if note.startswith("kept")]
    assert all(f"{value} (1)" in note for value in ("pending", "parked", "closed"))


def test_the_settings_add_words_and_choose_the_column() -> None:
    source = orders("status", "completed", "parked", "cancelled")
    reading = read(source, status={"no_sale": ["Parked"], "sale": ["cancelled"]})
    assert "parked" in no_sale(reading)
    assert "cancelled" not in no_sale(reading)
    assert read(source, status={"column": "none"}).sales.statuses == ()
    assert "`foo`" in ask(source, status={"column": "foo"}).message


def test_a_column_that_an_exclusion_reads_has_no_rule() -> None:
    source = orders("status", "completed", "cancelled", "failed")
    for condition in ("status = 'cancelled'", {"column": "status", "equals": ["cancelled"]}):
        reading = read(source, exclude={"mine": condition})
        assert reading.sales.statuses == ()
        assert any("`status` is read by mine" in note and "failed (1)" in note for note in reading.notes)


def customers_statuses(name: str, other: str = "active") -> tuple[tuple[Column, ...], Sample]:
    values = {"a": other, "b": "cancelled", "c": other, "d": "cancelled"}
    lines = [
        f"{number},{customer},2026-0{month}-01,10.00,{values[customer]}"
        for number, (customer, month) in enumerate((c, m) for m in (1, 2, 3) for c in values)
    ]
    return table(f"{HEADER},{name}", *lines)


def test_a_status_that_is_constant_per_customer_is_the_customers() -> None:
    reading = read(customers_statuses("status"))
    assert reading.sales.statuses == ()
    (note,) = [note for note in reading.notes if "the customer's" in note]
    assert "cancelled (6)" in note
    assert "--status-column status" in note


@pytest.mark.parametrize(("column", "other"), [("order_status", "active"), ("status", "completed")])
def test_a_constant_status_that_may_be_the_orders_is_asked_about(column: str, other: str) -> None:
    source = customers_statuses(column, other)
    error = ask(source)
    assert "60.00" in error.message
    assert "120.00" in error.message
    assert read(source, status={"column": column}).sales.statuses
    assert not read(source, status={"column": "none"}).sales.statuses


DISAGREEING = table(
    f"{HEADER},order_status,payment_status",
    "1,a,2026-01-01,100,cancelled,paid", "2,b,2026-01-02,50,completed,paid",
    "3,c,2026-01-03,30,completed,refunded",
)  # fmt: skip


def test_two_statuses_that_disagree_are_a_question_with_both_totals() -> None:
    error = ask(DISAGREEING)
    assert "cancelled and paid (1 line)" in error.message
    assert error.hint is not None
    assert "--status-column order_status counts 80.00" in error.hint
    assert "--status-column payment_status counts 150.00" in error.hint
    for column in ("order_status", "payment_status"):
        (rule,) = read(DISAGREEING, status={"column": column}).sales.statuses
        assert rule.column.name == column


def test_two_statuses_that_agree_both_exclude() -> None:
    reading = read(
        table(
            f"{HEADER},order_status,payment_status",
            "1,a,2026-01-01,100,cancelled,pending", "2,b,2026-01-02,50,completed,paid",
            "3,c,2026-01-03,30,on hold,failed",
        )
    )  # fmt: skip
    assert [rule.column.name for rule in reading.sales.statuses] == ["order_status", "payment_status"]


@pytest.mark.parametrize("column", ["Cancelled at", "cancelled_at", "Canceled On", "storniert am"])
def test_a_column_that_is_filled_where_an_order_was_cancelled(column: str) -> None:
    (rule,) = read(orders(column, "", "2026-02-01", "")).sales.statuses
    assert (rule.column.name, rule.no_sale) == (column, ())


@pytest.mark.parametrize(
    ("column", "values", "texts"),
    [
        ("is_cancelled", ["0", "1", "0"], ("1",)),
        ("Test", ["false", "true", "false"], ("true",)),
        ("voided", ["No", "Yes", ""], ("yes",)),
        ("is_test_order", ["f", "t", "f"], ("t",)),
        ("Is Refunded", ["no", "yes", "no"], ("yes",)),
        ("void", ["N", "Y", "N"], ("y",)),
        ("Order voided?", ["no", "yes", ""], ("yes",)),
        ("cancelled_flag", ["0", "1", "0"], ("1",)),
        ("annulled", ["f", "t", "f"], ("t",)),
        ("reversed", ["false", "true", "false"], ("true",)),
        ("returned", ["0", "1", "0"], ("1",)),
        ("refunded", ["0", "1", "0"], ("1",)),
        ("isTest", ["no", "yes", "no"], ("yes",)),
        ("Storniert", ["nein", "ja", "nein"], ("ja",)),
        ("ist_storniert", ["nein", "ja", "nein"], ("ja",)),
        ("Testbestellung", ["nein", "ja", ""], ("ja",)),
        ("Annulée", ["non", "oui", "non"], ("oui",)),
        ("Remboursé", ["non", "oui", "non"], ("oui",)),
        ("Anulado", ["no", "sí", "no"], ("sí",)),
        ("Cancelada", ["não", "sim", "não"], ("sim",)),
        ("Stornato", ["no", "si", "no"], ("si",)),
        ("Geannuleerd", ["nee", "ja", "nee"], ("ja",)),
        ("Czy anulowane", ["nie", "tak", "nie"], ("tak",)),
    ],
)
def test_a_column_that_says_yes_where_an_order_is_none(
    column: str, values: list[str], texts: tuple[str, ...]
) -> None:
    (rule,) = read(orders(column, *values)).sales.statuses
    assert set(texts) <= set(rule.no_sale)
    assert not {"0", "no", "false"} & set(rule.no_sale)


@pytest.mark.parametrize(
    ("column", "values"),
    [("returned", ["0", "2", "1"]), ("test", ["A", "B"]), ("void", ["x1", "x2"]), ("priority", ["0", "1"])],
)
def test_other_values_or_names_mark_nothing(column: str, values: list[str]) -> None:
    assert not read(orders(column, *values)).sales.statuses


@pytest.mark.parametrize("column", ["cancelled_at", "is_cancelled"])
def test_a_mark_that_no_line_of_the_sample_has_may_follow(column: str) -> None:
    assert read(orders(column, "", "", is_whole=False)).sales.statuses
    assert not read(orders(column, "", "")).sales.statuses


def test_a_column_of_statuses_with_another_name_is_named() -> None:
    reading = read(orders("outcome", "paid", "failed", "paid", "cancelled"))
    assert reading.sales.statuses == ()
    assert any("`outcome`" in note and "--status-column outcome" in note for note in reading.notes)


def test_statuses_that_no_sample_shows_are_named() -> None:
    schema, _ = orders("status")
    reading = read((schema, Sample()))
    assert reading.sales.statuses == ()
    assert any("--status-column status" in note for note in reading.notes)
    chosen = read((schema, Sample()), status={"column": "status"})
    assert {"cancelled", "refunded"} <= no_sale(chosen)


# Refunds

REFUND_ROWS = table(
    f"{HEADER},status", "1,a,2026-01-01,100.00,refunded", "1,a,2026-01-05,-100.00,refunded",
    "2,b,2026-01-02,50.00,completed", "3,c,2026-01-03,40.00,partially refunded",
    "3,c,2026-01-04,-15.00,refunded",
    "4,d,2026-01-04,9.00,cancelled",
)  # fmt: skip


def test_refunds_that_are_lines_of_their_own_are_subtracted_once() -> None:
    reading = read(REFUND_ROWS)
    assert reading.sales.nets_refunds
    assert "refunded" not in no_sale(reading)
    assert "cancelled" in no_sale(reading)
    assert any("2 lines, -115.00" in note for note in reading.notes)


def test_excluded_returns_leave_out_refunded_orders() -> None:
    reading = read(REFUND_ROWS, returns="exclude")
    assert not reading.sales.nets_refunds
    assert "refunded" in no_sale(reading)


def test_netted_returns_let_refunded_orders_be() -> None:
    assert "refunded" not in no_sale(read(REFUND_ROWS, returns="net"))
    without_rows = orders("status", "refunded", "completed")
    assert "refunded" in no_sale(read(without_rows, returns="net"))


def with_refunds(*lines: str, **settings: Any) -> Reading:
    return read(
        table(f"{HEADER},refunded_amount,status", *lines), columns={"refund": "refunded_amount"}, **settings
    )


def test_a_refund_column_and_a_full_refund_count_once() -> None:
    full = with_refunds("1,a,2026-01-01,100,100,refunded", "2,b,2026-01-01,50,,completed")
    assert "refunded" in no_sale(full)
    partly = with_refunds("1,a,2026-01-01,100,30,refunded", "2,b,2026-01-01,50,,completed")
    assert "refunded" not in no_sale(partly)
    assert any("says how much was refunded" in note for note in partly.notes)


def test_refunds_in_a_column_and_in_lines_are_not_subtracted_twice() -> None:
    lines = ["1,a,2026-01-01,100,30,completed", "1,a,2026-01-02,-30,,completed"]
    assert not with_refunds(*lines).sales.nets_refunds
    with pytest.raises(ColumnError, match="twice"):
        with_refunds(*lines, returns="net")


# Currencies

TWO = table(
    f"{HEADER},currency", "1,a,2026-01-05,100.00,USD", "2,a,2026-02-05,8319.00,INR",
    "3,b,2026-02-06,500.00,usd",
    "4,c,2026-02-07,4000.00,",
)  # fmt: skip


def test_several_currencies_are_a_question_with_the_total_of_each() -> None:
    error = ask(TWO)
    assert "USD 600.00 (2 lines), INR 8,319.00 (1 line)" in error.message
    assert error.hint is not None
    assert "--currency USD" in error.hint
    assert "rates = { USD = 1, INR = RATE }" in error.hint


def test_one_currency_is_chosen() -> None:
    rule = read(TWO, currency={"code": "usd"}).sales.currency
    assert rule is not None
    assert not rule.stops_at_others
    assert [(each.code, each.is_excluded, each.reason) for each in rule.currencies] == [
        ("USD", False, "other_currency_usd"),
        ("INR", True, "other_currency_inr"),
    ]
    assert "GBP" in ask(TWO, currency={"code": "GBP"}).message


def test_rates_convert_every_currency_or_are_refused() -> None:
    rule = read(TWO, currency={"rates": {"USD": 1, "INR": 0.012}}).sales.currency
    assert rule is not None
    assert {each.code: each.rate for each in rule.currencies} == {"USD": 1, "INR": Decimal("0.012")}
    assert "INR 8,319.00 (1 line)" in ask(TWO, currency={"rates": {"USD": 1}}).message


def test_no_currency_column_is_used() -> None:
    assert read(TWO, currency={"column": "none"}).sales.currency is None


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("Currency", ["USD", "usd", " USD "]), ("currency_code", ["EUR", "", "EUR"]),
        ("Währung", ["€", "EUR"]),
        ("Devise", ["EUR", "Euro"]), ("ccy", ["$", "USD"]), ("moneda", ["MXN", "mxn"]),
        ("Order Currency", ["GBP", "£"]),
        ("waluta", ["PLN", "zł"]), ("Moeda", ["BRL", "R$"]), ("presentment_currency", ["CHF", "chf"]),
    ],
)  # fmt: skip
def test_one_currency_in_several_spellings_is_expected(column: str, values: list[str]) -> None:
    rule = read(orders(column, *values)).sales.currency
    assert rule is not None
    assert rule.stops_at_others
    assert len(rule.currencies) == 1


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("Currency", ["USD", "EUR"]), ("currency", ["$", "€"]), ("CURRENCY", ["usd", "CAD"]),
        ("Währung", ["EUR", "CHF"]),
        ("Devise", ["EUR", "GBP"]), ("ccy", ["AUD", "NZD"]), ("moneda", ["MXN", "USD"]),
        ("Valuta", ["DKK", "SEK"]),
        ("paid in", ["EUR", "USD"]), ("Order Currency Code", ["BRL", "USD"]),
    ],
)  # fmt: skip
def test_several_currencies_are_asked_about(column: str, values: list[str]) -> None:
    error = ask(orders(column, *values))
    assert "currenc" in error.message
    assert f"`{column}`" in error.message


@pytest.mark.parametrize(
    "column", ["Payout Currency", "customer_currency", "fee currency", "Converted Currency"]
)
def test_the_currency_of_something_else_is_not_the_orders(column: str) -> None:
    assert read(orders(column, "EUR", "USD")).sales.currency is None


def test_lines_that_are_no_sale_have_no_currency() -> None:
    lines = ["1,a,2026-01-01,5,EUR,paid", "2,b,2026-01-02,5,USD,failed", "3,c,2026-01-02,5,EUR,paid"]
    rule = read(table(f"{HEADER},currency,status", *lines)).sales.currency
    assert rule is not None
    assert [each.code for each in rule.currencies] == ["EUR"]


CONVERTED = table(
    "id,customer,created_at,Amount,Amount Refunded,Currency"
    ",Converted Amount,Converted Amount Refunded,Converted Currency",
    "1,a,2026-01-01,10,5,usd,10,5,usd", "2,b,2026-01-02,10,0,eur,11,0,usd",
)  # fmt: skip


def test_converted_amounts_are_offered_and_work() -> None:
    chosen = {"order_id": "id", "amount": "Amount", "refund": "Amount Refunded"}
    error = ask(CONVERTED, columns=chosen)
    flags = "--amount 'Converted Amount' --refund 'Converted Amount Refunded'"
    assert error.hint is not None
    assert flags in error.hint
    rule = read(CONVERTED, columns={**chosen, **flags_of(flags)["columns"]}).sales.currency
    assert rule is not None
    assert (rule.column.name, [each.code for each in rule.currencies]) == ("Converted Currency", ["USD"])


def test_a_currency_in_an_exclusion_is_the_users() -> None:
    assert read(TWO, exclude={"rupees": "currency = 'INR'"}).sales.currency is None


@pytest.mark.parametrize(("name", "code", "fits"), [
    ("total_eur", "EUR", True), ("Total (USD)", "USD", True), ("converted amount", "GBP", True),
    ("total_eur", "USD", False), ("amount_gbp", "EUR", False),
])  # fmt: skip
def test_a_chosen_currency_beside_amounts_in_one_currency(name: str, code: str, *, fits: bool) -> None:
    lines = ["1,a,2026-01-01,10,EUR", "2,b,2026-01-02,9,USD"]
    source = table(f'order_id,customer_id,order_date,"{name}",currency', *lines)
    settings: dict[str, Any] = {"columns": {"amount": name}, "currency": {"code": code}}
    if fits:
        reading = read(source, **settings)
        assert f"all lines count, as the amounts in `{name}` are in {code} by their name" in reading.notes
    else:
        assert f"--currency {code} does not fit them" in ask(source, **settings).message


def test_a_chosen_currency_needs_one_in_the_source() -> None:
    assert "--currency EUR" in ask(orders("note", "x", "y"), currency={"code": "EUR"}).message


def test_currencies_beside_the_amounts() -> None:
    source = table(HEADER, "1,a,2026-01-01,$10.00", "2,b,2026-01-02,€20.00", "3,c,2026-01-02,US$ 7")
    rule = read(source, currency={"code": "USD"}).sales.currency
    assert rule is not None
    assert rule.is_in_amount
    assert [(each.code, each.is_excluded) for each in rule.currencies] == [("USD", False), ("EUR", True)]


# Other money


def test_money_that_plays_no_role_is_named() -> None:
    header = f"{HEADER},Tax,Shipping,tip,Discount Code,Discount Amount,tax_rate,Fee"
    reading = read(
        table(header, "1,a,2026-01-01,100,7.00,4.95,,SUMMER,5,0.07,0", "2,b,2026-01-02,50,5.30,0,2,,,0.07,0")
    )
    assert (
        "not used: `Tax` (12.30), `Shipping` (4.95), `tip` (2.00), `Discount Amount` (5.00)" in reading.notes
    )


LINE_TYPES = table(
    "order_id,customer_id,order_date,line_type,quantity,unit_price",
    "1,a,2026-01-05,product,2,10.00", "1,a,2026-01-05,tax,1,4.00", "1,a,2026-01-05,discount,1,-5.00",
    "2,b,2026-01-06,product,1,30.00", "2,b,2026-01-06,shipping,1,4.95",
)  # fmt: skip


def test_lines_of_tax_and_shipping_are_a_question_with_both_results() -> None:
    error = ask(LINE_TYPES)
    assert "tax 4.00 (1 line)" in error.message
    assert error.hint is not None
    first, second = error.hint.removeprefix("exclude them with ").split(", or count all with ")
    without, all_lines = (part.split(" (")[0] for part in (first, second))
    assert "(45.00 is left)" in error.hint
    assert "(53.95)" in error.hint
    read(LINE_TYPES, **flags_of(without))
    read(LINE_TYPES, **flags_of(all_lines))


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("line_type", ["product", "discount"]),
        ("type", ["tax", "tax"]),
        ("product", ["Shipping", "Mug"]),
        ("Type", ["sale", "exchange"]),
    ],
)
def test_lines_without_goods_and_taxes_side_by_side_are_read(column: str, values: list[str]) -> None:
    read(orders(column, *values))


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("Line Type", ["item", "VAT"]), ("kind", ["product", "shipping_fee"]),
        ("Itemization Type", ["Item", "Tip"]),
        ("Type", ["charge", "refund"]), ("Positionsart", ["Artikel", "Versand"]),
        ("tipo", ["producto", "envío"]),
        ("item_type", ["line_item", "tax"]),
        ("document_type", ["Invoice", "Quote"]), ("Belegart", ["Rechnung", "Angebot"]),
        ("Document Type", ["Invoice", "Credit Note"]), ("Belegart", ["Rechnung", "Stornorechnung"]),
    ],
)  # fmt: skip
def test_lines_of_other_money_are_asked_about_in_any_language(column: str, values: list[str]) -> None:
    assert f"`{column}`" in ask(orders(column, *values)).message


def test_types_of_documents_without_a_known_meaning_are_stated() -> None:
    note = "`Document Type` is Invoice (1 line), Sales Order (1 line), which all count"
    assert note in read(orders("Document Type", "Invoice", "Sales Order")).notes
    assert not any("which all count" in note for note in read(orders("type", "shoes", "shirts")).notes)


def test_lines_of_refunds_with_negative_amounts_are_read() -> None:
    lines = ["1,a,2026-01-01,10,charge", "2,a,2026-01-02,-4,refund"]
    read(table(f"{HEADER},type", *lines))


@pytest.mark.parametrize(
    ("column", "sale", "refund"),
    [
        ("type", "sale", "refund"), ("Record Type", "Sale", "Refund"), ("kind", "order", "return"),
        ("Typ", "Verkauf", "Erstattung"), ("line type", "product", "Chargeback"),
        ("tipo", "venta", "reembolso"),
        ("type", "SALE", " REFUND "), ("Typ", "Kauf", "Retoure"), ("row type", "goods", "Partial refund"),
        ("Type", "Vente", "remboursement"),
    ],
)  # fmt: skip
def test_lines_of_refunds_without_a_minus_sign_can_be_subtracted(column: str, sale: str, refund: str) -> None:
    lines = [f"1,a,2026-01-01,10,{sale}", f"2,b,2026-01-02,9,{sale}", f"2,b,2026-01-03,4,{refund}"]
    source = table(f"{HEADER},{column}", *lines)
    error = ask(source)
    assert "set --line-types net to subtract the refunds (15.00 is left)" in (error.hint or "")
    assert "--line-types all to count all (23.00)" in (error.hint or "")
    reading = read(source, line_types="net")
    assert reading.sales.refund_lines is not None
    assert reading.sales.refund_lines.types == (refund.strip().lower(),)
    assert reading.sales.nets_refunds
    assert f"lines of refunds by `{column}` are subtracted: 1 line, 4.00" in reading.notes
    assert read(source, line_types="all").sales.refund_lines is None


def test_lines_of_refunds_are_subtracted_beside_lines_of_tax() -> None:
    lines = ["1,a,2026-01-01,10,sale", "1,a,2026-01-01,2,tax", "1,a,2026-01-03,4,refund"]
    source = table(f"{HEADER},type", *lines)
    flags = (ask(source).hint or "").partition("set ")[2].partition(" to subtract")[0]
    assert flags == "--line-types net --exclude \"tax=type = 'tax'\""
    assert read(source, **flags_of(flags)).sales.refund_lines is not None
    assert "exclude them with" in (ask(source, line_types="net").hint or "")


def test_amounts_that_are_converted_by_their_name_are_said_to_be() -> None:
    lines = ["1,a,2026-01-01,10,EUR", "2,b,2026-01-02,9,USD"]
    source = table("order_id,customer_id,order_date,total_eur,currency", *lines)
    reading = read(source, columns={"amount": "total_eur"})
    assert any("`total_eur` are taken to be in one currency" in note for note in reading.notes)


# The column of refunds


@pytest.mark.parametrize(
    "name",
    [
        "Refunded Amount", "amount_refunded", "Total Refunded", "Refund Amount", "refunds", "Erstattung",
        "Montant remboursé", "Reembolso", "Rimborso", "Terugbetaald bedrag",
    ],
)  # fmt: skip
def test_refunds_are_found_by_name_and_subtracted(name: str) -> None:
    reading = read(
        table(f"{HEADER},{name}", "1,a,2026-01-01,100,30", "2,b,2026-01-02,50,", "3,b,2026-01-03,50,0")
    )
    assert reading.mapping.refund is not None
    assert reading.mapping.refund.name == name
    assert f"`{name}` is subtracted: 30.00" in reading.notes


@pytest.mark.parametrize("values", [("900", "800"), ("-5", "3"), ("yes", "no"), ("0", "0"), ("0", "1")])
def test_what_are_no_refunds_of_the_amounts_is_not_subtracted(values: tuple[str, str]) -> None:
    lines = [f"{n},a,2026-01-0{n},10,{value}" for n, value in enumerate(values, 1)]
    assert read(table(f"{HEADER},refund amount", *lines)).mapping.refund is None


@pytest.mark.parametrize("configured", [None, "Refunded"])
def test_refunds_with_a_minus_sign_are_subtracted_once(configured: str | None) -> None:
    lines = ["1,a,2026-01-01,100,-30", "2,b,2026-01-02,50,", "3,b,2026-01-03,50,0"]
    reading = read(table(f"{HEADER},Refunded", *lines), columns={"refund": configured} if configured else {})
    assert reading.mapping.refund is not None
    assert reading.refunds_are_negative


def test_net_amounts_beside_refunds_are_asked_about() -> None:
    source = table(
        "order_id,customer_id,order_date,Net Amount,Refund Amount",
        "1,a,2026-01-01,100,30",
        "2,b,2026-01-02,50,0",
    )
    error = ask(source)
    assert error.hint is not None
    assert "--refund 'Refund Amount' subtracts them (120.00)" in error.hint
    assert "--refund none does not (150.00)" in error.hint
    assert read(source, columns={"refund": "none"}).mapping.refund is None
    assert read(source, columns={"refund": "Refund Amount"}).mapping.refund is not None
