"""Files with more in them than a header row and records: titles, totals, continuation lines, sheets."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import xlsxwriter

from support.cli import Outcome, Rfm
from support.paths import TEST_DATA

CASES = TEST_DATA / "cases"
HEADER = ["Order ID", "Customer ID", "Order Date", "Amount"]
ROWS = [["1", "a", "2026-01-05", 10], ["2", "b", "2026-01-06", 20]]
_FLAG = re.compile(r"--[a-z-]+ (?:'[^']*'|\w+)")


def figures(outcome: Outcome) -> tuple[int, int, str]:
    """Return customers, orders and revenue of a result."""
    assert outcome.code == 0, outcome.stderr
    return outcome.json["customers"], outcome.json["orders"], outcome.json["revenue"]


def hint_of(outcome: Outcome) -> str:
    assert outcome.code == 2, outcome.stderr
    return " ".join(outcome.stderr.partition("hint: ")[2].split())


def write(folder: Path, text: str) -> Path:
    path = folder / "a.csv"
    path.write_text(text, encoding="utf-8")
    return path


def workbook(folder: Path, **sheets: Sequence[Sequence[Any]]) -> Path:
    path = folder / "a.xlsx"
    with xlsxwriter.Workbook(str(path)) as book:
        for name, rows in sheets.items():
            sheet = book.add_worksheet(name.replace("_", " "))
            for number, row in enumerate(rows):
                sheet.write_row(number, 0, row)
    return path


@pytest.mark.matrix
@pytest.mark.parametrize(
    ("name", "arguments", "right", "note"),
    [
        ("title_commas.csv", [], (2, 3, "60.00"), "'Monthly sales report'"),
        ("title_and_totals.csv", [], (8, 40, "1980.00"), "'Sales report'"),
        ("totals_row.csv", [], (8, 40, "1980.00"), "'Grand Total'"),
        ("xl_title.xlsx", [], (2, 3, "60.50"), "'Sales Report Q1'"),
        ("cover_sheet.xlsx", [], (8, 33, "1644.00"), "sheet Transactions"),
        ("xl_merged_customer.xlsx", [], (2, 5, "75.00"), "merged cells: `Customer` of 3 rows"),
        (
            "blank_continuation.csv",
            ["--quantity", "Qty", "--unit-price", "Price"],
            (2, 3, "85.00"),
            "2 continuation lines take `Order`",
        ),
        ("mixedcols", [], (2, 2, "30.00"), "`Total` is read as `amount`"),
        ("dup_header.csv", [], (2, 2, "30.00"), "another `Name`, is called `Name_2`"),
        (
            "aligned.txt",
            ["--customer-id", "column1", "--ordered-at", "column2", "--amount", "column4"],
            (9, 40, "2562.00"),
            "columns aligned by blanks",
        ),
    ],
)
def test_a_case_has_the_right_figures_and_says_what_was_decided(
    rfm: Rfm, name: str, arguments: list[str], right: tuple[int, int, str], note: str
) -> None:
    outcome = rfm("run", CASES / name, *arguments, "--json")
    assert figures(outcome) == right
    assert note in " ".join(outcome.json["notes"])


@pytest.mark.slow
def test_a_total_row_is_counted(rfm: Rfm) -> None:
    for name in ("totals_row.csv", "title_and_totals.csv"):
        rows = rfm("run", CASES / name, "--json").json["rows"]
        assert (rows["read"], rows["kept"], rows["excluded"]) == (41, 40, {"total_row": 1})


def test_the_hint_for_columns_of_blanks_without_a_header_works(rfm: Rfm) -> None:
    path = CASES / "aligned.txt"
    hint = hint_of(rfm("run", path))
    assert "--no-header" in hint
    assert "column1" in hint
    columns = ["--customer-id", "column1", "--ordered-at", "column2", "--amount", "column4"]
    assert figures(rfm("run", path, "--no-header", *columns, "--json")) == (9, 40, "2562.00")


def test_the_hint_for_an_uncertain_title_works(rfm: Rfm, tmp_path: Path) -> None:
    path = write(tmp_path, "Orders\n1,a,2026-01-05,10\n2,b,2026-01-06,20\n3,b,2026-01-07,20\n")
    match = re.search(r"--skip-lines \d+ --no-header", hint_of(rfm("run", path)))
    assert match
    columns = "--order-id column1 --customer-id column2 --ordered-at column3 --amount column4"
    assert figures(rfm("run", path, *match[0].split(), *columns.split(), "--json")) == (2, 3, "50.00")


@pytest.mark.slow
def test_two_sheets_that_may_be_the_orders_are_asked_about(rfm: Rfm, tmp_path: Path) -> None:
    lines: list[Sequence[Any]] = [
        ["Order ID", "Customer ID", "Order Date", "Quantity", "Unit Price"],
        ["1", "a", "2026-01-05", 2, 4],
    ]
    path = workbook(tmp_path, Orders_2026=[HEADER, *ROWS], Lines=lines, Notes=[["Anything"]])
    hint = hint_of(rfm("run", path))
    results = [
        figures(rfm("run", path, *shlex.split(flag), "--to", f"duckdb:{tmp_path}/{n}.duckdb", "--json"))
        for n, flag in enumerate(_FLAG.findall(hint))
    ]
    assert results == [(2, 2, "30.00"), (1, 1, "8.00")]


def test_sheets_with_one_table_are_read_together(rfm: Rfm, tmp_path: Path) -> None:
    spelled = ["order_id", "CUSTOMER ID", "OrderDate", "amount"]
    path = workbook(
        tmp_path, Summary=[["Total", 30]], January=[["Shop"], HEADER, ROWS[0]], February=[spelled, ROWS[1]]
    )
    assert figures(rfm("run", path, "--json")) == (2, 2, "30.00")


@pytest.mark.slow
def test_a_column_that_occurs_twice_is_chosen_as_the_hint_says(rfm: Rfm, tmp_path: Path) -> None:
    path = write(tmp_path, "order_id,customer_id,order_date,Amount,Amount\n1,a,2026-01-05,10,12\n")
    flags = _FLAG.findall(hint_of(rfm("run", path)))
    results = [
        figures(rfm("run", path, *shlex.split(flag), "--to", f"duckdb:{tmp_path}/{n}.duckdb", "--json"))
        for n, flag in enumerate(flags)
    ]
    assert results == [(1, 1, "10.00"), (1, 1, "12.00")]


@pytest.mark.slow
def test_a_configured_name_that_occurs_twice_is_asked_about(rfm: Rfm, tmp_path: Path) -> None:
    path = write(tmp_path, "order_id,Name,order_date,Name,Amount\n1,a,2026-01-05,b,12\n")
    assert "--customer-id Name_1 or --customer-id Name_2" in hint_of(
        rfm("run", path, "--customer-id", "Name")
    )
    outcome = rfm("run", path, "--customer-id", "Name_2", "--json")
    assert figures(outcome) == (1, 1, "12.00")


@pytest.mark.slow
def test_shopify_continuation_lines_are_not_filled(rfm: Rfm, tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "Name,Email,Financial Status,Total,Created at,Lineitem quantity,Lineitem name,Lineitem price\n"
        "#1,a@example.com,paid,30.00,2026-01-05 10:00:00 +0100,1,Mug,10.00\n"
        "#1,a@example.com,,,2026-01-05 10:00:00 +0100,2,Plate,10.00\n"
        "#2,b@example.com,paid,5.00,2026-01-06 10:00:00 +0100,1,Cup,5.00\n",
    )
    outcome = rfm("run", path, "--customer-id", "Email", "--order-id", "Name", "--amount", "Total", "--json")
    assert figures(outcome) == (2, 2, "35.00")
    assert "continuation" not in " ".join(outcome.json["notes"])


GROUPED = [
    ["Order", "", "Customer", "", "Money"],
    ["Order ID", "Order Date", "Customer ID", "City", "Net Amount"],
]
GROUPED_ROWS: list[list[Any]] = [["1", "2026-01-05", "a", "Rome", 10], ["2", "2026-01-06", "b", "Rome", 20]]


@pytest.mark.slow
def test_names_of_column_groups_above_the_header_are_skipped(rfm: Rfm, tmp_path: Path) -> None:
    rows: list[list[Any]] = [*GROUPED, *GROUPED_ROWS]
    text = write(tmp_path, "".join(",".join(map(str, row)) + "\n" for row in rows))
    for number, path in enumerate([text, workbook(tmp_path, Orders=rows)]):
        outcome = rfm("run", path, "--json", "--to", f"duckdb:{tmp_path}/{number}.duckdb")
        assert figures(outcome) == (2, 2, "30.00")
        assert any("'Order Customer Money'" in note for note in outcome.json["notes"])


@pytest.mark.slow
def test_a_line_without_an_order_continues_the_one_above(rfm: Rfm, tmp_path: Path) -> None:
    header = ["Invoice No", "Customer ID", "Invoice Date", "Item", "Line Amount"]
    rows = [
        ["1", "a", "2026-01-05", "P0", "1.50"],
        ["", "", "", "P1", "1.50"],
        ["2", "b", "2026-01-06", "P0", "2.50"],
        ["", "", "", "P1", "2.50"],
        ["", "", "", "P2", "3.50"],
    ]
    text = write(tmp_path, "".join(",".join(row) + "\n" for row in [header, *rows]))
    for number, path in enumerate([text, workbook(tmp_path, Orders=[header, *rows])]):
        outcome = rfm("run", path, "--json", "--to", f"duckdb:{tmp_path}/{number}.duckdb")
        assert figures(outcome) == (2, 2, "11.50")
        assert any("take `Invoice No`, `Customer ID`" in note for note in outcome.json["notes"])


@pytest.mark.slow
def test_fields_of_an_object_are_named_where_the_object_is_no_key(rfm: Rfm, tmp_path: Path) -> None:
    path = tmp_path / "orders.json"
    records = [
        f'{{"id": {n}, "created_at": "2026-01-0{n}", "total_price": "5.00", "customer":'
        f' {{"id": 10{n}, "email": "x@y.example"}}}}'
        for n in (1, 2)
    ]
    path.write_text(f"[{', '.join(records)}]", encoding="utf-8")
    hint = hint_of(rfm("run", path))
    assert "--customer-id 'customer.id' or --customer-id 'customer.email'" in hint
    assert figures(rfm("run", path, "--customer-id", "customer.id", "--json"))[0] == 2
