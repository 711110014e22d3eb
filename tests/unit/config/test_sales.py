"""Settings for what a sale is, and the words of statuses and currencies."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from rfm_pipeline.config.loader import Configuration
from rfm_pipeline.config.sale_rules import Currency, status_text
from rfm_pipeline.config.vocabulary import LANGUAGES, load
from rfm_pipeline.errors import ConfigurationError

MEANINGS = ("no_sale", "refunded", "partly_refunded", "sale", "pending")
MONEY = ("tax", "shipping", "tip", "fee", "discount", "refund", "no_sale")


def settings(**tables: Any) -> Any:
    return Configuration(flags=tables).settings


def test_a_currency_is_a_code_of_three_letters_in_any_case() -> None:
    assert settings(currency={"code": " eur "}).currency.code == "EUR"
    with pytest.raises(ConfigurationError, match="code of three letters") as caught:
        settings(currency={"code": "euro"})
    assert caught.value.hint == "look at --currency."


def test_rates_are_exact() -> None:
    rates = settings(currency={"rates": {"usd": 1, "INR": 0.012, "JPY": "0.0067"}}).currency.rates
    assert rates == {"USD": Decimal(1), "INR": Decimal("0.012"), "JPY": Decimal("0.0067")}


@pytest.mark.parametrize(
    ("currency", "message"),
    [
        ({"rates": {"USD": 0}}, "positive"),
        ({"rates": {"USD": -1}}, "positive"),
        ({"rates": {"USD": "nan"}}, "number"),
        ({"rates": {"USD": "0.0000000001"}}, "9 decimals"),
        ({"rates": {"dollar": 1}}, "three letters"),
        ({"rates": {"USD": "much"}}, "number"),
        ({"rates": {"USD": 1, "INR": 0.012}, "code": "INR"}, "must be 1"),
    ],
)
def test_a_rate_that_converts_nothing_is_refused(currency: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        settings(currency=currency)


def test_statuses_may_be_written_with_commas() -> None:
    status = settings(status={"no_sale": "parked, on ice", "sale": ["closed"]}).status
    assert (status.no_sale, status.sale) == (("parked", "on ice"), ("closed",))


def test_what_is_a_sale_decides_the_hash_of_the_configuration() -> None:
    hashes = {
        settings(**tables).config_hash
        for tables in (
            {},
            {"status": {"column": "none"}},
            {"status": {"no_sale": ["parked"]}},
            {"currency": {"code": "EUR"}},
            {"currency": {"rates": {"EUR": 1}}},
            {"line_types": "all"},
        )
    }
    assert len(hashes) == 6


@pytest.mark.parametrize(("code", "reason"), [("USD", "other_currency_usd"), ("£", "other_currency")])
def test_the_reason_of_a_currency(code: str, reason: str) -> None:
    assert Currency(code, (code,)).reason == reason


@pytest.mark.parametrize("text", ["partially_refunded", "Partially-Refunded", " PARTIALLY REFUNDED "])
def test_a_status_as_rules_compare_it(text: str) -> None:
    assert status_text(text) == "partially refunded"


# Words


@pytest.mark.parametrize("meaning", MEANINGS)
def test_statuses_are_known_in_every_language(meaning: str) -> None:
    words = load("status_words")[meaning]
    assert sorted(words) == sorted(LANGUAGES)
    for listed in words.values():
        assert listed == sorted(set(listed))
        assert all(word == status_text(word) for word in listed)


def test_a_status_has_one_meaning() -> None:
    tables = load("status_words")
    meanings: dict[str, set[str]] = {}
    for meaning in MEANINGS:
        for listed in tables[meaning].values():
            for word in listed:
                meanings.setdefault(word, set()).add(meaning)
    assert {word for word, found in meanings.items() if len(found) > 1} == set()


@pytest.mark.parametrize("kind", MONEY)
def test_other_money_is_known_in_every_language_but_tips(kind: str) -> None:
    words = load("money_words")[kind]
    assert sorted(words) == sorted(LANGUAGES)
    assert all(listed == sorted(set(listed)) for listed in words.values())


def test_words_of_status_columns_are_in_one_list() -> None:
    columns = load("status_words")["columns"]
    lists = [set(columns[name]) for name in ("status", "weak", "order", "other", "detail")]
    assert sum(map(len, lists)) == len(set().union(*lists))
