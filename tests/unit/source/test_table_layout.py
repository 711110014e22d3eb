"""Tests of the rules about rows that are no records."""

import pytest

from rfm_pipeline.config.vocabulary import LANGUAGES, load
from rfm_pipeline.source.table_layout import find_header, is_grand_total_label, is_total_label, is_value

HEADER = ["Order ID", "Order Date", "Customer ID", "City", "Net Amount"]
RECORDS = [
    ["1001", "2025-01-04", "C101", "Rome", "18.40"],
    ["1002", "2025-01-15", "C104", "Rome", "41.85"],
]


@pytest.mark.parametrize(
    "row",
    [
        ["Order", "", "Customer", "", "Money"],
        ["Order", "", "Customer", "", ""],
        ["Order", "Order", "Customer", "Customer", "Amount"],
        ["", "", "Buyer", "Buyer", "Total"],
        ["Bestellung", "", "Kunde", "", "Betrag"],
    ],
)
def test_a_row_of_column_groups_is_no_header(row: list[str]) -> None:
    assert find_header([row, HEADER, *RECORDS]) == 1
    assert find_header([["Report"], row, [], HEADER, *RECORDS]) == 3


def test_records_without_numbers_below_a_header_with_blanks_are_no_header() -> None:
    header = ["Order", "", "Customer", "Date", "Amount"]

    assert find_header([header, ["A", "x", "Anna", "Monday", "Total"], *RECORDS]) == 0


@pytest.mark.parametrize("table", ["totals", "grand_totals"])
@pytest.mark.parametrize("language", LANGUAGES)
def test_total_rows_are_known_in_each_language(table: str, language: str) -> None:
    for label in load("total_rows")[table][language]:
        assert is_total_label(f" {label.title()}: ")
        assert is_grand_total_label(label) == (table == "grand_totals")


@pytest.mark.parametrize(
    "cell", ["12.50", "€ 3", "R$ 5", "EUR 5", "EUR5", "5 zł", "2024-01-31", "kr 12", "US$5"]
)
def test_numbers_and_dates_are_values(cell: str) -> None:
    assert is_value(cell)


@pytest.mark.parametrize("cell", ["P1", "A 12", "SK-12", "XL 3", "Mug"])
def test_codes_of_articles_are_no_values(cell: str) -> None:
    assert not is_value(cell)
