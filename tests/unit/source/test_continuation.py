"""Tests of the detection of continuation lines, on rows of a table."""

from collections.abc import Sequence

import pytest

from rfm_pipeline.source.continuation import detect_fill, fill_rows
from rfm_pipeline.source.table_layout import Row, find_key_columns

ORDER = ("1001", "C1", "2025-01-04")
OTHER = ("1002", "C2", "2025-01-15")
BLANK = ("", "", "")


def _filled(names: list[str], rows: Sequence[Row], *, is_whole: bool = True) -> list[Row]:
    keys = find_key_columns(names, {})
    fill = detect_fill(rows, keys, is_whole=is_whole)
    return [row.cells for row in fill_rows(rows, fill) if row.cells is not None]


@pytest.mark.parametrize(
    ("columns", "first", "second", "third"),
    [
        pytest.param(
            ["Item", "Amount"], ("P0", "1.00"), ("P1", "2.00"), ("P1", "2.50"), id="code of an article"
        ),
        pytest.param(["SKU", "Amount"], ("A-1", "1.00"), ("B-22", "2.00"), ("C3", "2.50"), id="other codes"),
        pytest.param(["Qty", "Price"], ("1", "1.00"), ("2", "2.00"), ("1", "2.50"), id="numbers only"),
        pytest.param(["Item", "Price"], ("Mug", "€ 1"), ("Cup", "€ 2"), ("Cup", "R$ 3"), id="signs"),
    ],
)
def test_lines_without_keys_take_those_of_the_row_above(
    columns: list[str], first: Row, second: Row, third: Row
) -> None:
    names = ["Order ID", "Customer ID", "Order Date", *columns]
    rows = [(*ORDER, *first), (*OTHER, *first), (*BLANK, *second), (*BLANK, *third), (*ORDER, *first)]

    assert [row[0] for row in _filled(names, rows)] == ["1001", "1002", "1002", "1002", "1001"]


def test_texts_of_the_order_are_taken_too_but_no_numbers() -> None:
    names = ["Order ID", "Customer ID", "Order Date", "Status", "Order Total", "Item", "Price"]
    rows = [
        (*ORDER, "paid", "3.00", "Mug", "1.00"),
        (*BLANK, "", "", "Cup", "2.00"),
        (*OTHER, "cancelled", "1.00", "Mug", "1.00"),
    ]

    assert _filled(names, rows)[1] == [*ORDER, "paid", "", "Cup", "2.00"]


def test_a_date_on_all_lines_must_be_the_one_above() -> None:
    names = ["Order ID", "Customer ID", "Order Date", "Item", "Price"]
    blank = ("", "", ORDER[2])
    rows = [(*ORDER, "Mug", "1"), (*blank, "Cup", "2"), (*OTHER, "Mug", "1")]

    assert [row[0] for row in _filled(names, rows)] == ["1001", "1001", "1002"]
    assert _filled(names, [*rows, (*blank, "Cup", "3")])[-1][0] == ""


def test_guests_and_a_few_damaged_rows_do_not_prevent_filling() -> None:
    names = ["Order ID", "Customer ID", "Order Date", "Item", "Price"]
    guest = ("1003", "", "2025-02-01", "Mug", "1")
    damaged = ("1004", "", "", "Mug", "1")
    rows: list[Row] = [
        guest,
        *([(*ORDER, "Mug", "1"), (*BLANK, "Cup", "2")] * 10),
        damaged,
        (*OTHER, "Mug", "1"),
    ]

    filled = _filled(names, rows)
    assert [row[0] for row in filled].count("1001") == 20


@pytest.mark.parametrize(
    "rows",
    [
        pytest.param([(*BLANK, "Cup", "2"), (*ORDER, "Mug", "1")], id="above the first order"),
        pytest.param([(*ORDER, "Mug", "1"), (*OTHER, "Mug", "1"), (*BLANK, "Cup", "2")], id="last row"),
        pytest.param(
            [(*ORDER, "1", "5"), (*BLANK, "2", "5"), (*OTHER, "1", "7"), (*BLANK, "2", "7")], id="sums"
        ),
        pytest.param([(*ORDER, "", "1"), (*BLANK, "", "2"), (*OTHER, "", "1")], id="a single value"),
        pytest.param([(*ORDER, "Mug", "1"), (*BLANK, "Cup", "2"), ("", "C2", "", "Cup", "2")], id="customer"),
    ],
)
def test_uncertain_rows_are_not_filled(rows: list[Row]) -> None:
    names = ["Order ID", "Customer ID", "Order Date", "Item", "Price"]

    assert _filled(names, rows) == [list(row) for row in rows]
