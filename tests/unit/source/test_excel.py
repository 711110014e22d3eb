"""Cells of workbooks are read as text: whole numbers without decimals, dates in ISO format."""

from __future__ import annotations

import builtins
import datetime as dt
import json
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import xlsxwriter

from rfm_pipeline.common.installation import extra_hint
from rfm_pipeline.errors import UsageError
from support.orders import run_python
from support.source_reader import read, read_error, write

HEADER = ["Invoice", "Customer ID", "InvoiceDate", "Price"]


def workbook(path: Path, *sheets: tuple[str, Sequence[Sequence[Any]]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with xlsxwriter.Workbook(str(path), {"default_date_format": "yyyy-mm-dd hh:mm"}) as book:
        for name, rows in sheets:
            sheet = book.add_worksheet(name)
            for number, row in enumerate(rows):
                for column, value in enumerate(row):
                    if value is not None:
                        sheet.write(number, column, value)
    return path


# A cell has no time zone.
MORNING = dt.datetime(2010, 12, 1, 8, 26)  # noqa: DTZ001


def test_cells_are_read_as_text_in_plain_notation(tmp_path: Path) -> None:
    path = workbook(
        tmp_path / "a.xlsx",
        (
            "S",
            [
                HEADER,
                [536365, 17850.0, MORNING, 2.55],
                ["C536366", "00123", dt.date(2010, 12, 2), 0.1 + 0.2],
                ["x", None, "03/04/2011", "n/a"],
            ],
        ),
    )
    result = read(path, tmp_path)
    assert result.columns == tuple(HEADER)
    assert result.rows == [
        ("536365", "17850", "2010-12-01 08:26:00", "2.55"),
        ("C536366", "00123", "2010-12-02 00:00:00", "0.3"),
        ("x", None, "03/04/2011", "n/a"),
    ]
    assert result.source.rows == 3
    assert result.source.files == (path,)


@pytest.mark.slow
def test_workbooks_are_read_without_pyarrow(tmp_path: Path) -> None:
    rows: list[list[Any]] = [["customer", "date", "Total_1"], ["ann", "2025-01-02", 5]]
    path = workbook(tmp_path / "orders.xlsx", ("Orders", rows))
    program = "import sys; sys.modules['pyarrow'] = None; from rfm_pipeline.cli import main; main()"
    to = ("--to", f"duckdb:{tmp_path / 'rfm.duckdb'}")
    done = run_python("-c", program, "run", str(path), "--amount", "Total_1", *to, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["revenue"] == "5.00"


def test_all_sheets_with_the_columns_of_the_first_are_read(tmp_path: Path) -> None:
    path = workbook(
        tmp_path / "retail.xlsx",
        ("Empty", []),
        ("Year 2009-2010", [["id", "text"], [1, "a"]]),
        ("Notes", [["Anything"], ["else"]]),
        ("Year 2010-2011", [["TEXT", "id"], ["b", 2]]),
    )
    result = read(path, tmp_path)
    assert result.rows == [("1", "a"), ("2", "b")]
    assert result.columns == ("id", "text")
    assert "sheets Year 2009-2010, Year 2010-2011" in result.notes
    assert "skipped because of other columns: Notes" in result.notes


def test_one_sheet_can_be_configured(tmp_path: Path) -> None:
    path = workbook(tmp_path / "a.xlsx", ("One", [["id"], [1]]), ("Two", [["id"], [2]]))
    assert read(path, tmp_path, sheet="Two").rows == [("2",)]
    error = read_error(path, tmp_path, sheet="Three")
    assert "no sheet 'Three'" in error.message
    assert "One, Two" in str(error.hint)


def test_several_workbooks_are_one_table(tmp_path: Path) -> None:
    workbook(tmp_path / "in" / "1.xlsx", ("S", [["id"], [1]]))
    workbook(tmp_path / "in" / "2.XLSX", ("S", [["id", "more"], [2, "x"]]))
    write(tmp_path / "in" / "~$2.xlsx", "lock")
    assert read(tmp_path / "in", tmp_path).rows == [("1", None), ("2", "x")]


def test_blank_rows_are_skipped(tmp_path: Path) -> None:
    path = workbook(tmp_path / "a.xlsx", ("S", [[], [], ["id", "text"], [1, "a"], [], [2, None], []]))
    assert read(path, tmp_path).rows == [("1", "a"), ("2", None)]


def test_a_header_alone_is_a_table_without_rows(tmp_path: Path) -> None:
    result = read(workbook(tmp_path / "a.xlsx", ("S", [["id", "text"]])), tmp_path)
    assert (result.columns, result.rows) == (("id", "text"), [])


def test_rows_above_the_header_can_be_skipped_and_the_header_can_be_missing(tmp_path: Path) -> None:
    path = workbook(tmp_path / "a.xlsx", ("S", [["Orders of 2024"], ["id", "text"], [1, "a"]]))
    assert read(path, tmp_path, skip_lines=1).dicts == [{"id": "1", "text": "a"}]
    result = read(path, tmp_path, skip_lines=2, header=False)
    assert result.dicts == [{"column1": "1", "column2": "a"}]


def test_a_column_without_a_name_is_named_by_its_position(tmp_path: Path) -> None:
    result = read(workbook(tmp_path / "a.xlsx", ("S", [["id", None, "text"], [1, 2, "a"]])), tmp_path)
    assert result.columns == ("id", "column2", "text")
    assert "columns without a name: 2" in result.notes


def test_a_duplicate_column_name_that_a_role_needs_is_asked_about(tmp_path: Path) -> None:
    path = workbook(tmp_path / "a.xlsx", ("S", [["Price", "PRICE", "x"], [1, 2, 3]]))
    error = read_error(path, tmp_path)
    assert "'PRICE'" in error.message
    assert "sheet 'S'" in error.message
    assert read(path, tmp_path, columns={"unit_price": "PRICE_2"}).columns == ("Price_1", "PRICE_2", "x")


def test_a_duplicate_column_name_that_no_role_needs_is_numbered(tmp_path: Path) -> None:
    result = read(workbook(tmp_path / "a.xlsx", ("S", [["id", "x", "X"], [1, 2, 3]])), tmp_path)
    assert result.columns == ("id", "x", "X_2")


def test_an_original_name_that_ends_in_a_number_is_kept(tmp_path: Path) -> None:
    path = workbook(tmp_path / "a.xlsx", ("S", [["id", "id_1", "line_2"], [1, 2, 3]]))
    assert read(path, tmp_path).columns == ("id", "id_1", "line_2")


def test_a_workbook_with_another_suffix_is_read(tmp_path: Path) -> None:
    workbook(tmp_path / "a.xlsx", ("S", [["id"], [1]]))
    for name in ("orders.csv", "orders.xls"):
        (tmp_path / name).write_bytes((tmp_path / "a.xlsx").read_bytes())
        assert read(tmp_path / name, tmp_path).rows == [("1",)]


def test_an_opendocument_sheet_is_read(tmp_path: Path) -> None:
    def cell(kind: str, value: str, shown: str) -> str:
        attributes = f'office:value-type="{kind}" {value}'
        return f"<table:table-cell {attributes}><text:p>{shown}</text:p></table:table-cell>"

    rows = [
        cell("string", "", "id") + cell("string", "", "day"),
        cell("float", 'office:value="7"', "7") + cell("date", 'office:date-value="2024-01-31"', "31 January"),
    ]
    table = "".join(f"<table:table-row>{row}</table:table-row>" for row in rows)
    urn = "urn:oasis:names:tc:opendocument:xmlns"
    names = " ".join(f'xmlns:{name}="{urn}:{name}:1.0"' for name in ("office", "table", "text"))
    content = (
        f"<office:document-content {names}><office:body><office:spreadsheet>"
        f'<table:table table:name="S">{table}</table:table>'
        "</office:spreadsheet></office:body></office:document-content>"
    )
    with zipfile.ZipFile(tmp_path / "a.ods", "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        archive.writestr("content.xml", content)
        archive.writestr("META-INF/manifest.xml", "<manifest/>")
    result = read(tmp_path / "a.ods", tmp_path)
    assert result.columns == ("id", "day")
    (row,) = result.rows
    assert row[0] == "7"
    assert row[1].startswith("2024-01-31")


@pytest.mark.parametrize("content", [b"PK\x03\x04 cut off", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600)])
def test_a_damaged_workbook_is_refused(tmp_path: Path, content: bytes) -> None:
    assert "damaged" in read_error(write(tmp_path / "a.xlsx", content), tmp_path).message


def test_a_workbook_without_cells_is_refused(tmp_path: Path) -> None:
    assert "Every sheet of" in read_error(workbook(tmp_path / "a.xlsx", ("S", [])), tmp_path).message


def test_without_the_extra_the_hint_says_how_to_install_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = workbook(tmp_path / "a.xlsx", ("S", [["id"], [1]]))
    original = builtins.__import__

    def without(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "fastexcel":
            raise ImportError(name)
        return original(name, *args, **kwargs)

    monkeypatch.delitem(sys.modules, "fastexcel", raising=False)
    monkeypatch.setattr(builtins, "__import__", without)
    error = read_error(path, tmp_path)
    assert type(error) is UsageError
    assert error.hint == extra_hint("excel")


# Layout

HEAD = ["Order ID", "Customer ID", "Order Date", "Amount"]
LINES = [["1", "A", "2026-01-05", 10], ["2", "B", "2026-01-06", 20], ["3", "A", "2026-02-01", 30]]
RECORDS = [("1", "A", "2026-01-05", "10"), ("2", "B", "2026-01-06", "20"), ("3", "A", "2026-02-01", "30")]


@pytest.mark.parametrize(
    "titles",
    [
        [["Sales Report Q1"]],
        [["Sales Report Q1"], ["Generated 2026-03-01"], []],
        [[None, "Umsatz"], [], ["Von", "01.01.2026"], ["Bis", "31.03.2026"], []],
        [["Ventas", None, None, "EUR"]],
        [["Total orders", 3], ["Revenue", 60]],
    ],
)
def test_titles_above_the_header_are_skipped_and_stated(tmp_path: Path, titles: list[list[Any]]) -> None:
    result = read(workbook(tmp_path / "a.xlsx", ("S", [*titles, HEAD, *LINES])), tmp_path)
    assert (result.columns, result.rows) == (tuple(HEAD), RECORDS)
    assert "above the header row skipped" in result.notes
    assert result.source.rows == 3


@pytest.mark.parametrize(
    "footers",
    [
        [[], ["Exported by Shop 3.1"]],
        [["3 records"]],
        [[], ["Seite 1"], ["Ende"]],
        [[None, None, None, "* incl. VAT"]],
        [["Prepared by", "Finance"]],
    ],
)
def test_rows_below_the_records_are_skipped_and_stated(tmp_path: Path, footers: list[list[Any]]) -> None:
    result = read(workbook(tmp_path / "a.xlsx", ("S", [HEAD, *LINES, *footers])), tmp_path)
    assert result.rows == RECORDS
    assert "below the last record skipped" in result.notes


def test_a_total_row_is_found_and_stays_in_the_relation(tmp_path: Path) -> None:
    rows: list[Sequence[Any]] = [HEAD, *LINES, [], ["Total", None, None, 60], ["Shop 3.1"]]
    result = read(workbook(tmp_path / "a.xlsx", ("S", rows)), tmp_path)
    assert result.source.total_rows == ((("Order ID", "Total"), ("Customer ID", ""), ("Order Date", "")),)
    assert len(result.rows) == 4


def test_group_headings_are_skipped_and_counted(tmp_path: Path) -> None:
    rows: list[Sequence[Any]] = [HEAD, ["North"], *LINES[:2], ["South"], LINES[2]]
    result = read(workbook(tmp_path / "a.xlsx", ("S", rows)), tmp_path)
    assert result.rows == RECORDS
    assert "2 rows with a single value skipped as group headings" in result.notes


def test_blank_continuation_rows_take_the_order_above(tmp_path: Path) -> None:
    rows: list[Sequence[Any]] = [
        ["Order ID", "Customer ID", "Order Date", "Item", "Amount"],
        ["1", "A", "2026-01-05", "Mug", 10],
        [None, None, None, "Plate", 5],
        ["2", "B", "2026-01-06", "Cup", 20],
    ]
    result = read(workbook(tmp_path / "a.xlsx", ("S", rows)), tmp_path)
    assert result.rows[1] == ("1", "A", "2026-01-05", "Plate", "5")
    assert "1 continuation row takes" in result.notes


def merged_workbook(path: Path, origin: tuple[int, int] = (0, 0)) -> Path:
    """Write a workbook whose customer and order are merged over several rows, and whose guests are blank."""
    rows: list[Sequence[Any]] = [
        ["Ann", "1", 10],
        [None, "2", 15],
        ["Bob", "3", 5],
        [None, "4", 7],
        ["Cy", "5", 8],
        [None, None, 9],
    ]
    top, left = origin
    with xlsxwriter.Workbook(str(path)) as book:
        sheet = book.add_worksheet("Orders & more")
        for column, name in enumerate(["Customer", "Order ID", "Amount", "Order Date"]):
            sheet.write(top, left + column, name)
        for number, row in enumerate(rows, start=1):
            for column, value in enumerate([*row, f"2026-01-{number:02d}"]):
                if value is not None:
                    sheet.write(top + number, left + column, value)
        sheet.merge_range(top + 1, left, top + 2, left, "Ann")
        sheet.merge_range(top + 5, left, top + 6, left, "Cy")
        sheet.merge_range(top + 5, left + 1, top + 6, left + 1, "5")
    return path


@pytest.mark.parametrize("origin", [(0, 0), (3, 2), (0, 27)])
def test_merged_cells_of_an_order_are_filled_and_blank_ones_are_not(
    tmp_path: Path, origin: tuple[int, int]
) -> None:
    result = read(merged_workbook(tmp_path / "a.xlsx", origin), tmp_path)
    assert [row[:3] for row in sorted(result.rows, key=lambda row: str(row[3]))] == [
        ("Ann", "1", "10"), ("Ann", "2", "15"), ("Bob", "3", "5"), (None, "4", "7"), ("Cy", "5", "8"),
        ("Cy", "5", "9"),
    ]  # fmt: skip
    assert "merged cells: `Customer`, `Order ID` of 2 rows taken from the row above" in result.notes


def test_the_sheet_with_known_columns_is_read(tmp_path: Path) -> None:
    path = workbook(
        tmp_path / "a.xlsx",
        ("Cover", [["Report"], ["Region", "Manager", "Phone"], ["North", "Ann", 5]]),
        ("Orders", [["Shop"], HEAD, *LINES]),
        ("Customers", [["Customer ID", "Name", "Town"], ["A", "Ann", "Ulm"]]),
    )
    result = read(path, tmp_path)
    assert result.rows == RECORDS
    assert "sheet Orders" in result.notes
    assert "skipped because of other columns: Cover, Customers" in result.notes


def test_a_sheet_is_found_by_configured_columns(tmp_path: Path) -> None:
    rows: list[Sequence[Any]] = [["who", "when", "paid"], ["A", "2026-01-05", 10]]
    path = workbook(tmp_path / "a.xlsx", ("Cover", [["x", "y", "z"], [1, 2, 3]]), ("Data", rows))
    columns = {"customer_id": "who", "ordered_at": "when", "amount": "paid"}
    assert read(path, tmp_path, columns=columns).rows == [("A", "2026-01-05", "10")]


def test_two_tables_that_may_be_the_orders_are_asked_about(tmp_path: Path) -> None:
    other: list[Sequence[Any]] = ["Order ID", "Customer ID", "Order Date", "Total", "Tax"]
    path = workbook(
        tmp_path / "a.xlsx",
        ("Orders 2026", [HEAD, *LINES]),
        ("Archive", [other, ["9", "C", "2025-01-05", 10, 1]]),
        ("Empty", [[*other, "Note"]]),
    )
    error = read_error(path, tmp_path)
    assert "'Orders 2026', 'Archive'" in error.message
    assert error.hint == "choose one with --sheet 'Orders 2026' or --sheet Archive."
    assert read(path, tmp_path, sheet="Archive").columns == tuple(other)


def test_a_duplicate_column_on_another_sheet_harms_nothing(tmp_path: Path) -> None:
    other: list[Sequence[Any]] = [["Amount", "Amount", "x"], [1, 2, 3]]
    path = workbook(tmp_path / "a.xlsx", ("Pivot", other), ("Orders", [HEAD, *LINES]))
    assert read(path, tmp_path).rows == RECORDS
