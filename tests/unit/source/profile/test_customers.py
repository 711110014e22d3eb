"""Who a customer is: placeholders, customer 0, and ids that a spreadsheet ruined."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from rfm_pipeline.common.customer_mask import mask_address, mask_customer
from rfm_pipeline.common.schema import Column, Kind
from rfm_pipeline.config.column_mapping import ColumnMapping
from rfm_pipeline.config.loader import Configuration
from rfm_pipeline.errors import ColumnError
from rfm_pipeline.source.profile.customers import Customers, is_scientific, known_placeholders, read_customers
from rfm_pipeline.source.profile.sample import build_sample

DAY = Column(("day",), Kind.DATE, "DATE")


def customers(
    ids: Sequence[str | None],
    orders: Sequence[str] = (),
    kind: Kind = Kind.TEXT,
    *,
    is_whole: bool = True,
    **settings: object,
) -> Customers:
    """Return how ids are read; `settings` are those of `rfm.toml`."""
    customer, order = Column(("who",), kind, kind.name), Column(("order",), Kind.TEXT, "VARCHAR")
    mapping = ColumnMapping(customer, DAY, order if orders else None)
    names = orders or [f"o{line}" for line in range(len(ids))]
    sample = build_sample((customer, order), list(zip(ids, names, strict=True)), is_whole=is_whole)
    return read_customers(mapping, sample, Configuration(flags=settings).settings)


def test_placeholders_of_the_sample_are_told_with_their_counts() -> None:
    read = customers(["a", "NULL", "null", "Guest", "b", "(not set)"])
    assert {"null", "guest", "(not set)", "n/a", "-"} <= set(read.placeholders)
    (note,) = read.notes
    assert note == "placeholders in `who` are missing_customer: null (2), (not set) (1), guest (1)"
    assert customers(["a", "b", "guestbook", "nanette"]).notes == ()


@pytest.mark.parametrize(
    "word",
    [
        "gast", "invité", "invitado", "convidado", "ospite", "gość", "n/a", "#n/a", "nan", "none",
        "undefined",
        "anonymous", "unbekannt", "-", "--", "consumidor final",
    ],
)  # fmt: skip
def test_words_of_eight_languages_are_placeholders(word: str) -> None:
    assert word in known_placeholders()


@pytest.mark.parametrize("word", ["admin", "test", "nancy", "anna", "0", "-1", "x", "user", "customer", "no"])
def test_words_that_could_be_ids_are_no_placeholders(word: str) -> None:
    assert word not in known_placeholders()


def test_own_placeholders_replace_the_known_ones() -> None:
    assert customers(["0", "7", "9"], placeholders=["till 1"]).placeholders == ("till 1",)
    assert customers(["guest", "7"], placeholders=[]).placeholders == ()


ZERO = ("0", "0.0")


@pytest.mark.parametrize(
    ("ids", "is_whole", "is_missing"),
    [
        (["11", "11", "12", "13", "0", "0"], True, True),  # ids do not run from 0
        (["7", "7", "0"], True, True),
        (["17850", "13047", "12583"], True, True),
        # Far from 0: beyond the sample, 0 is no customer either.
        ([str(10_000 + number) for number in range(500)], False, True),
        (["0", "1", "2", "0", "1", "2"], True, False),
        (["0", "1", "2"], False, False),
        (["0", "0", "0", "1", "2"], True, True),  # 0 has more orders than others
        (["0"], True, False),
        ([str(number * 50 + 3) for number in range(2000)], False, False),  # drawn from 0 to 100,000
        (["1", "2", "3", "17"], False, False),
        (["0", "1.0", "2.0"], True, False),
        (["0", "guest", "1", "2"], True, False),
    ],
)
def test_zero_is_a_customer_only_where_ids_run_from_it(
    ids: list[str], is_whole: bool, is_missing: bool
) -> None:
    read = customers(ids, is_whole=is_whole)
    assert (set(ZERO) <= set(read.placeholders)) is is_missing
    assert read.checks_zero is not is_missing
    number = customers(ids, kind=Kind.INTEGER, is_whole=is_whole)
    assert ("0" in number.placeholders) is is_missing


@pytest.mark.parametrize("ids", [["0", "a", "b"], ["0", "C-1", "2"], ["0", "ann@example.com"]])
def test_zero_among_words_is_kept(ids: list[str]) -> None:
    read = customers(ids)
    assert not {"0", "-1"} & set(read.placeholders)
    assert not read.checks_zero


def test_zero_with_more_lines_but_no_more_orders_is_a_customer() -> None:
    ids, orders = ["0", "0", "0", "1", "2"], ["a", "a", "a", "b", "c"]
    assert "0" not in customers(ids, orders).placeholders


def test_minus_one_is_no_customer_unless_other_ids_are_negative() -> None:
    assert "-1" in customers(["0", "1", "2", "-1"]).placeholders
    assert "-1" not in customers(["0", "1", "-2", "-1"]).placeholders


def test_the_setting_decides_about_zero() -> None:
    kept = customers(["11", "0"], zero_customer="keep")
    assert "0" not in kept.placeholders
    assert not kept.checks_zero
    assert {"0", "-1"} <= set(customers(["0", "1"], zero_customer="missing").placeholders)


def test_a_kept_zero_is_told_with_the_flag() -> None:
    (note,) = customers(["0", "1", "2"]).notes
    assert "--zero-customer missing" in note


@pytest.mark.parametrize(
    "text", ["6.01235E+12", "5,49E+12", "1.2345E+4", "6E+12", "6.01235e+12", "6.01235E12", "1.5E+009"]
)
def test_ids_in_scientific_notation_are_refused(text: str) -> None:
    assert is_scientific(text)
    with pytest.raises(ColumnError) as raised:
        customers(["17850", text])
    assert "scientific notation" in raised.value.message
    assert text not in raised.value.message
    assert "export the file again" in str(raised.value.hint)
    with pytest.raises(ColumnError, match=r"`order`.*scientific"):
        customers(["a", "b"], ["1", text])


@pytest.mark.parametrize(
    "text", ["1234e567", "12e4", "A.5E+3", "1.5", "E+12", "1.5E", "9f86d081e884c7", "+33e+4"]
)
def test_other_ids_are_not_in_scientific_notation(text: str) -> None:
    assert not is_scientific(text)
    customers(["17850", text])


def test_masks_show_the_first_character_and_the_domain() -> None:
    assert mask_customer(" Jane@example.com ") == "J...@example.com"
    assert mask_customer(17850) == "1..."
    assert mask_address("C-17") == "C-17"
    assert mask_address("jane@example.com") == "j...@example.com"
    assert mask_address(17850) == 17850
