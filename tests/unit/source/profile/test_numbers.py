"""How the profile decides about numbers that are text: separators, currencies, and amounts in cents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import pytest

from rfm_pipeline.common.number_format import (
    COMMA,
    ONLY_COMMA,
    ONLY_POINT,
    POINT,
    NumberSeparators,
    compiled,
    parse_number,
)
from rfm_pipeline.common.schema import Column, Kind
from rfm_pipeline.config.column_mapping import ColumnMapping
from rfm_pipeline.config.loader import Configuration
from rfm_pipeline.config.vocabulary import load
from rfm_pipeline.errors import ColumnError
from rfm_pipeline.source.profile.number_forms import candidates, number_parts
from rfm_pipeline.source.profile.numbers import Numbers, read_numbers
from rfm_pipeline.source.profile.sample import Sample
from rfm_pipeline.source.profile.unit import unit_in_name

UNDECIDED = NumberSeparators()


def column(name: str, kind: Kind = Kind.TEXT) -> Column:
    return Column((name,), kind, kind.value)


def numbers(
    columns: Mapping[str, Sequence[str | None]],
    *,
    is_whole: bool = True,
    counts: Mapping[str, int] | None = None,
    kind: Kind = Kind.TEXT,
    names: Mapping[str, str] | None = None,
    **settings: Any,
) -> Numbers:
    """Return the decision about columns, given by role."""
    named = {role: column((names or {}).get(role, role), kind) for role in columns}
    roles: Any = {"customer_id": column("customer"), "ordered_at": column("date"), **named}
    mapping = ColumnMapping(**roles)
    values = {named[role].name: tuple(texts) for role, texts in columns.items()}
    rows = len(next(iter(values.values())))
    sample = Sample(values, rows, is_whole, None if counts is None else lambda *_: counts)
    return read_numbers(mapping, sample, Configuration(flags=settings).settings)


def way(values: Sequence[str | None], **options: Any) -> NumberSeparators:
    """Return how the amounts of one column are written."""
    return numbers({"amount": values}, **options).separators["amount"]


def question(values: Sequence[str | None], **options: Any) -> ColumnError:
    with pytest.raises(ColumnError) as raised:
        numbers({"amount": values}, **options)
    assert "`amount`" in raised.value.message
    assert raised.value.hint
    return raised.value


# Evidence


@pytest.mark.parametrize(
    "values",
    [
        ["12.50"], ["1,234", "12.50"], ["1,234.56"], ["1,234,567"], ["1.234", "0.5"], ["0.123"],
        ["1234.567"], ["12.3456"], ["1'234.50"], ["1\u2019234.50", "1,234"], ["1 234.50"], ["1\u202f234.5"],
        ["1\u00a0234.50"], ["1,23,456.00"], ["12,34,567"], ["(12.50)"], ["-.5"], ["12.-", "1,500"], ["1.5e3"],
        ["7", "1,234", "12.", "n/a", "1;5", None],
    ],
)  # fmt: skip
def test_one_value_proves_a_decimal_point(values: list[str | None]) -> None:
    assert way(values) == POINT


@pytest.mark.parametrize(
    "values",
    [
        ["12,50"], ["1.234", "12,50"], ["1.234,56"], ["1.234.567"], ["1,234", "0,5"], ["0,123"], ["1234,567"],
        ["12,3456"], ["1'234,50"], ["1 234,50"], ["1\u202f234,5"], ["1\u00a0234,50"], ["1\u2009234,50"],
        ["(12,50)"], ["-,5"], ["12,-", "1.500"], ["12,--"], ["1,5E3"], ["5,00-"],
        ["7", "1.234", "12,", "n/a"],
    ],
)  # fmt: skip
def test_one_value_proves_a_decimal_comma(values: list[str]) -> None:
    assert way(values) == COMMA


@pytest.mark.parametrize(
    "values", [[], ["7"], ["1 234", "5"], ["1'234"], ["-12", "(5)"], ["n/a", "free"], ["1e3"], ["12 345 678"]]
)
def test_whole_numbers_decide_nothing(values: list[str]) -> None:
    assert way(values) == UNDECIDED
    assert way(values, is_whole=False) == UNDECIDED


def test_the_columns_of_a_source_follow_one_convention() -> None:
    decided = numbers({"quantity": ["1,000", "2"], "unit_price": ["12,50", "3,99"]})
    assert decided.separators == {"quantity": COMMA, "unit_price": COMMA}
    decided = numbers({"quantity": ["1,000", "2"], "unit_price": ["12.50", "3.99"]})
    assert decided.separators == {"quantity": POINT, "unit_price": POINT}


def test_columns_that_each_prove_their_convention_are_read_each_in_its_own() -> None:
    decided = numbers({"quantity": ["1.0", "2.0"], "unit_price": ["12,50", "3,99"]})
    assert decided.separators == {"quantity": POINT, "unit_price": COMMA}
    assert decided.notes == ("numbers in `unit_price` read with a decimal comma",)


def test_what_is_decided_is_said() -> None:
    assert numbers({"amount": ["12.50", "3"]}).notes == ()
    assert numbers({"amount": ["1,234", "12.50"]}).notes == (
        "commas in `amount` read as thousands separators",
    )
    assert numbers({"amount": ["($1.50)", "2.5"]}).notes == (
        "numbers in `amount` read without $",
        "numbers in brackets in `amount` read as negative",
    )


# Questions


@pytest.mark.parametrize(
    ("values", "readings", "totals", "flags"),
    [
        (["1,234", "7"], ("1234", "1.234"), ("1,241.00", "8.23"), ("--thousands ','", "--decimal ','")),
        (["1.234", "7"], ("1.234", "1234"), ("8.23", "1,241.00"), ("--decimal '.'", "--decimal ','")),
        (["1.234", "5,678"], ("1.234", "1234"), ("5,679.23", "1,239.68"), ("--decimal '.'", "--decimal ','")),
        (["$1,234"], ("1234", "1.234"), ("1,234.00", "1.23"), ("--thousands ','", "--decimal ','")),
        (["(1,234)"], ("-1234", "-1.234"), ("-1,234.00", "-1.23"), ("--thousands ','", "--decimal ','")),
        (["1,234-"], ("-1234", "-1.234"), ("-1,234.00", "-1.23"), ("--thousands ','", "--decimal ','")),
        (["999.999 EUR"], ("999.999", "999999"), ("1,000.00", "999,999.00"), ("--decimal '.'",)),
    ],
)
def test_a_comma_that_nothing_proves_is_asked_about(
    values: list[str], readings: tuple[str, ...], totals: tuple[str, ...], flags: tuple[str, ...]
) -> None:
    asked = question(values)
    assert " is {} or {}.".format(*readings) in asked.message
    assert asked.hint
    for text in (*totals, *flags):
        assert text in asked.hint


def test_a_total_is_quantity_times_price() -> None:
    with pytest.raises(ColumnError) as raised:
        numbers({"quantity": ["2", "3"], "unit_price": ["1,234", "5"]})
    assert "2,483.00" in str(raised.value.hint)
    assert "17.47" in str(raised.value.hint)


@pytest.mark.parametrize("values", [["12,50", "12.50"], ["1 234,50", "20,00", "1'234.50", "1 234.50"]])
def test_two_conventions_in_one_column_are_asked_about(values: list[str]) -> None:
    asked = question(values)
    assert f"'{values[0]}' has a decimal comma" in asked.message
    assert "has a decimal point" in asked.message
    assert "--decimal ','" in str(asked.hint)
    assert "--decimal '.'" in str(asked.hint)
    for decimal, wanted in ((".", POINT), (",", COMMA)):
        assert way(values, decimal=decimal) == wanted


def test_a_reading_that_most_numbers_contradict_is_not_offered() -> None:
    values = ["12,50", "3,20", "4.10"]
    assert "--decimal '.'" not in str(question(values).hint)
    assert way(values, decimal=",") == COMMA


# The rest of the source


@pytest.mark.parametrize(
    ("counts", "wanted"),
    [({"point": 3, "comma": 0}, POINT), ({"point": 0, "comma": 1}, COMMA)],
)
def test_the_whole_column_decides_if_the_sample_does_not(counts: dict[str, int], wanted: object) -> None:
    assert way(["1,234"], is_whole=False, counts=counts) == wanted


@pytest.mark.parametrize("counts", [{"point": 0, "comma": 0}, {"point": 2, "comma": 2}, None])
def test_a_column_that_decides_nothing_as_a_whole_is_asked_about(counts: dict[str, int] | None) -> None:
    asked = question(["1,234"], is_whole=False, counts=counts)
    assert "--decimal ','" in str(asked.hint)
    assert way(["1,234"], is_whole=False, counts=counts, thousands=",") == POINT


def test_the_whole_column_is_not_counted_if_the_sample_decides() -> None:
    def count(*_: object) -> Mapping[str, int]:
        raise AssertionError

    mapping = ColumnMapping(customer_id=column("c"), ordered_at=column("d"), amount=column("amount"))
    settings = Configuration(flags={}).settings
    for values in (("12.50", "1,234"), ("12,50",), ("7",)):
        read_numbers(mapping, Sample({"amount": values}, len(values), False, count), settings)


@pytest.mark.parametrize(
    ("text", "point", "comma"),
    [
        *((text, True, False) for text in ("12.50", "1,234.5", "1,234,567", "0.123", "1234.567", "$1.5")),
        *((text, True, False) for text in ("1,23,456", "12.", "12.3456")),
        *((text, False, True) for text in ("12,50", "1.234,5", "1.234.567", "0,123", "1234,567", "€1,5")),
        *((text, False, False) for text in ("1,234", "1.234", "7", "1 234", "kr. 5", "n.a.", "")),
    ],
)  # fmt: skip
def test_the_patterns_of_the_count_agree_with_the_forms(text: str, point: bool, comma: bool) -> None:
    assert bool(compiled(ONLY_POINT).search(text)) is point
    assert bool(compiled(ONLY_COMMA).search(text)) is comma
    form = (number_parts(text) or ("",))[0]
    assert (form == "point", form == "comma") == (point, comma)


# Settings


@pytest.mark.parametrize(
    ("settings", "wanted"),
    [
        ({"decimal": "."}, POINT), ({"thousands": ","}, POINT), ({"decimal": ".", "thousands": ","}, POINT),
        ({"decimal": ","}, COMMA), ({"thousands": "."}, COMMA), ({"decimal": ",", "thousands": "."}, COMMA),
    ],
)  # fmt: skip
def test_settings_are_obeyed(settings: dict[str, Any], wanted: NumberSeparators) -> None:
    for values in ([], ["7"], ["1,234"], ["1.234"]):
        assert way(values, **settings) == wanted
    assert numbers({"amount": ["1,234"]}, **settings).notes == ()


@pytest.mark.parametrize(
    ("values", "settings", "flag"),
    [
        (["12.50", "3.20"], {"decimal": ","}, "--decimal"),
        (["12,50", "3.20", "4,10"], {"decimal": "."}, "--decimal"),
        (["12,50"], {"thousands": ","}, "--thousands"),
        (["1,234.50"], {"thousands": "."}, "--thousands"),
    ],
)
def test_a_setting_that_most_numbers_contradict_is_refused(
    values: list[str], settings: dict[str, str], flag: str
) -> None:
    assert f"leave {flag} out" in str(question(values, **settings).hint)


def test_a_setting_for_one_column_does_not_spoil_another() -> None:
    decided = numbers({"quantity": ["1.0", "2.0"], "unit_price": ["1.234"]}, decimal=",")
    assert decided.separators == {"quantity": POINT, "unit_price": COMMA}


# Currencies


@pytest.mark.parametrize(
    ("values", "meant"),
    [
        (["$5", "$1,234.50"], "$"), (["US$ 5", "5.00 USD"], "usd"), (["5,00 €", "EUR 3"], "€"),
        (["kr 100", "100 kr."], "kr."), (["zł 5", "5 PLN"], "pln"), (["R$ 5,00", "R$5"], "brl"),
        (["CHF 12.-", "Fr. 5.50"], "sfr."), (["Rs.500", "₹ 1,23,456.00"], "inr"), (["£5", "GBP 5"], "gbp"),
        (["AU $5.00", "A$ 7"], "aud"), (["$5 USD", "5"], "us$"), (["-$12.00", "$-12.00", "($12.00)"], "$"),
        (["5.00 eur", "5"], "euro"), (["¥500", "JPY 500"], "円"), (["5 Kč", "5"], "czk"), (["5 Ft"], "huf"),
    ],
)  # fmt: skip
def test_signs_codes_and_words_of_one_currency_are_read(values: list[str], meant: str) -> None:
    decided = numbers({"amount": values})
    separators = decided.separators["amount"]
    assert meant in separators.currencies
    assert [value for value in values if parse_number(value, separators) is None] == []
    assert any("read without" in note for note in decided.notes)


@pytest.mark.parametrize(
    ("values", "totals", "code"),
    [
        (["$5", "$6", "€7"], ["$ 11.00 in 2 lines", "€ 7.00 in 1 line"], "USD"),
        (["5 USD", "7 EUR"], ["USD 5.00", "EUR 7.00"], "USD"),
        (["C$7", "US$5"], ["US$ 5.00", "C$ 7.00"], "CAD"),
        (["zł 5", "zł 6", "5 kr"], ["zł 11.00 in 2 lines", "kr 5.00"], "PLN"),
        (["$5 USD", "$7 CAD"], ["$ USD 5.00", "$ CAD 7.00"], "USD"),
        (["£5", "5", "¥6"], ["£ 5.00", "¥ 6.00"], "GBP"),
    ],
)
def test_several_currencies_are_asked_about(values: list[str], totals: list[str], code: str) -> None:
    asked = question(values)
    for total in totals:
        assert total in asked.message
    assert f"--currency {code} counts one" in str(asked.hint)


def test_the_lines_of_other_currencies_can_be_excluded() -> None:
    exclude = {"in_other_currency": "amount LIKE '%€%'"}
    separators = way(["$5", "€7"], exclude=exclude)
    assert parse_number("$5", separators) == 5
    assert parse_number("€7", separators) == 7
    assert "several currencies" in question(["$5", "£7"], exclude=exclude).message


def test_a_configured_currency_is_the_only_one_read() -> None:
    separators = way(["$5", "€7"], currency={"code": "EUR"})
    assert parse_number("7 EUR", separators) == 7
    assert parse_number("$5", separators) is None


@pytest.mark.parametrize(
    "text", ["12 pcs", "5 kg", "No. 5", "5%", "abc5", "5 x 3", "2024-01-05", "12 usd eur"]
)
def test_other_words_beside_digits_are_no_currency(text: str) -> None:
    assert number_parts(text) is None
    assert numbers({"amount": [text]}).unreadable == (text,)


def test_every_spelling_means_known_currencies() -> None:
    vocabulary = load("currencies")
    codes = set(vocabulary["codes"])
    for spelling, meanings in vocabulary["spellings"].items():
        assert set(meanings) <= codes, spelling
        assert candidates(spelling)
        value = f"{spelling} 1,234.50"
        separators = way([value])
        assert parse_number(value, separators) == Decimal("1234.50"), spelling
        assert parse_number(f"1,234.50 {spelling}", separators) == Decimal("1234.50"), spelling


# Unreadable values


def test_up_to_three_unreadable_values_are_kept_for_messages() -> None:
    decided = numbers({"amount": ["5.00", "n/a", "free", "n/a", None, "TBD", "?"]})
    assert decided.unreadable == ("n/a", "free", "TBD")
    assert numbers({"amount": ["5.00", None, "1,234"]}).unreadable == ()


# Cents


@pytest.mark.parametrize(
    "name",
    [
        "amount_cents", "total_cents", "amount_minor", "price_in_cents", "montant_centimes", "AmountInCents",
        "totalCents", "Total (cents)", "amount pence", "importe_céntimos", "kwota_grosze", "beløb_øre",
    ],
)  # fmt: skip
def test_a_column_named_after_cents_is_in_cents(name: str) -> None:
    decided = numbers({"amount": ["756", "99"]}, names={"amount": name})
    assert decided.unit == Decimal("0.01")
    assert decided.notes == (f"amounts in `{name}` multiplied by 0.01, as its name says",)
    assert unit_in_name(name) == Decimal("0.01")


@pytest.mark.parametrize(
    "name", ["amount", "percent", "accent", "center", "minority", "Total", "central", "per cent"]
)
def test_other_names_say_nothing_about_cents(name: str) -> None:
    assert unit_in_name(name) is None


def test_fractions_contradict_a_name() -> None:
    decided = numbers({"amount": ["7.56", "99"]}, names={"amount": "amount_cents"})
    assert decided.unit == 1
    assert decided.notes == ("amounts in `amount_cents` not multiplied by 0.01, as they have fractions",)


def test_a_configured_unit_is_obeyed() -> None:
    assert numbers({"amount": ["756"]}, unit="0.01").unit == Decimal("0.01")
    assert numbers({"amount": ["756"]}, names={"amount": "amount_cents"}, unit=1).unit == 1


@pytest.mark.parametrize("kind", [Kind.TEXT, Kind.INTEGER, Kind.FLOAT, Kind.DECIMAL])
def test_whole_amounts_of_hundreds_may_be_cents(kind: Kind) -> None:
    values = ["756", "1146", "800", "799", "1000"]
    decided = numbers({"amount": values}, kind=kind)
    assert decided.unit == 1
    assert decided.notes == (
        "amounts in `amount` are whole numbers from 756 to 1,146; --unit 0.01 reads them as cents",
    )
    for other in ([*values, "99"], [*values, "756.5"], values[:4]):
        assert numbers({"amount": other}, kind=kind).notes == ()


# Words beside numbers


@pytest.mark.parametrize(
    "values",
    [
        ["1 pcs", "2 pcs"], ["1 Stk.", "2 Stück"], ["1pz", "2 pz."], ["1 szt.", "12 sztuk"], ["x2", "x 3"],
        ["2x", "3"], ["1 unidad", "2 unidades"], ["1 pièce", "2 pièces"], ["1 un.", "2 UN."],
        ["1 stuk", "2 stuks"],
    ],
)  # fmt: skip
def test_words_for_pieces_beside_a_quantity_are_read(values: list[str]) -> None:
    decided = numbers({"quantity": values, "unit_price": ["5.00", "6.00"]})
    assert all(parse_number(value, decided.separators["quantity"]) for value in values)
    assert any("numbers in `quantity` read without" in note for note in decided.notes)
    assert decided.separators["unit_price"] == POINT


def test_a_word_that_is_no_piece_beside_every_quantity_is_a_question() -> None:
    with pytest.raises(ColumnError) as caught:
        numbers({"quantity": ["1 kg", "2 kg"], "unit_price": ["5.00", "6.00"]})
    assert "have 'kg' beside them, and can't be read: '1 kg', '2 kg'" in caught.value.message
    assert 'REPLACE (regexp_extract("quantity"' in (caught.value.hint or "")


@pytest.mark.parametrize("values", [["3", "2 kg"], ["1 pc", "a dozen"], ["1 pc", "2 x 3"]])
def test_a_column_with_other_words_is_read_without_them(values: list[str]) -> None:
    decided = numbers({"quantity": values, "unit_price": ["5.00", "6.00"]})
    assert not decided.separators["quantity"].currencies
    assert values[1] in decided.unreadable
