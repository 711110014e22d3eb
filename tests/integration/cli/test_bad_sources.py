"""Sources that do not exist, can't be read, or are not a table."""

from __future__ import annotations

import gzip
import io
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from support.bad_input import HEADER, ORDERS, Case, case, check
from support.cli import Rfm

LINES = ORDERS.partition("\n")[2]


def parquet(damage: Callable[[bytearray], object]) -> Callable[[Path], None]:
    """Writes `a.parquet`, 5,000 lines, and damages it."""

    def prepare(folder: Path) -> None:
        path = folder / "a.parquet"
        duckdb.connect().execute(
            "COPY (SELECT 'c' || i AS customer_id, DATE '2025-01-01' + CAST(i % 90 AS INTEGER) AS ordered_at,"
            f" i * 1.5 AS amount FROM range(5000) lines(i)) TO '{path}'"
        )
        content = bytearray(path.read_bytes())
        damage(content)
        path.write_bytes(content)

    return prepare


def cut(content: bytearray) -> None:
    del content[len(content) // 2 :]


def without_footer(content: bytearray) -> None:
    del content[-100:]


def scrambled(content: bytearray) -> None:
    content[3000:3200] = b"\xff" * 200


def database(statement: str, name: str = "a.duckdb") -> Callable[[Path], None]:
    def prepare(folder: Path) -> None:
        with duckdb.connect(str(folder / name)) as connection:
            connection.execute(statement)

    return prepare


def archive(folder: Path) -> None:
    with zipfile.ZipFile(folder / "a.zip", "w") as zipped:
        zipped.writestr("orders.csv", ORDERS)


def empty_folder(folder: Path) -> None:
    (folder / "exports").mkdir()


NOT_FOUND = [
    case("file missing", "run order.csv", "order.csv does not exist", hints="did you mean orders.csv?"),
    case("folder missing", "run nowhere/orders.csv", "nor does the folder nowhere", hints="spelling"),
    case("folder without files", "run exports", "The folder exports holds no files", hints="CSV, Parquet",
         prepare=empty_folder),
    case("folder without tables", "run exports", "exports holds only notes.pdf", hints="name the file",
         files={"exports/notes.pdf": b"%PDF-1.4"}),
    case("pattern without files", "run '*.parquet'", "*.parquet matches no file", hints="pattern"),
    case("no source", "run", "no source to read", hints="rfm run orders.csv"),
    case("blank source", "run ' '", "SOURCE is empty", hints="a file, a glob, a folder"),
    case("pattern that the shell expanded", "run a.csv b.csv", "(b.csv)",
         hints="in quotes, as in rfm run '*.csv'"),
    case("web address", "run https://example.com/a.csv", "https://example.com/a.csv", hints="download it"),
    case("bucket", "run s3://shop/a.csv", "s3://shop/a.csv can't be read", hints="download it first"),
    case("half a BigQuery table", "run bigquery://shop", "bigquery://shop is not a BigQuery table",
         hints="bigquery://project.dataset.table"),
    case("database missing", "run duckdb:shop.duckdb#lines", "shop.duckdb does not exist", hints="spelling"),
    case("table missing", "run duckdb:a.duckdb#lines", "a.duckdb holds no table lines", hints="orders",
         prepare=database("CREATE TABLE orders AS SELECT 1 AS a")),
    case("two tables, none named", "run duckdb:a.duckdb", "a.duckdb holds 2 tables", hints="duckdb:a.duckdb#",
         prepare=database("CREATE TABLE a AS SELECT 1 AS a; CREATE TABLE b AS SELECT 1 AS a")),
    case("database that is text", "run duckdb:orders.csv#lines", "orders.csv is not a DuckDB database",
         hints="duckdb:FILE#table"),
]  # fmt: skip

NOT_A_TABLE = [
    case("empty file", "run a.csv", "a.csv is empty", hints="exported", files={"a.csv": ""}),
    case("blank lines only", "run a.csv", "a.csv holds nothing but blank lines", hints="exported",
         files={"a.csv": "\n \n\n"}),
    case("header only", "run a.csv", "a.csv has no lines", hints="exported", code=3, files={"a.csv": HEADER}),
    case("PDF", "run a.csv", "a.csv is a PDF", hints="CSV or Excel", files={"a.csv": b"%PDF-1.7 ..."}),
    case("login page", "run a.csv", "a.csv is a web page", hints="login", files={"a.csv": "<!DOCTYPE html>"}),
    case("archive", "run a.zip", "a.zip is a ZIP archive", "orders.csv", hints="unpack it", prepare=archive),
    case("database named alone", "run a.duckdb", "a.duckdb is a DuckDB database", hints="duckdb:a.duckdb#",
         prepare=database("CREATE TABLE orders AS SELECT 1 AS a")),
    case("two formats", "run exports", "exports/a.csv is CSV", "exports/b.json is JSON", hints="one format",
         files={"exports/a.csv": ORDERS, "exports/b.json": '[{"customer_id": "c1"}]'}),
    case("JSON around the records", "run a.json", "a.json is a single object", "'orders'", hints="jq",
         files={"a.json": '{"orders": [{"customer_id": 1}, {"customer_id": 2}]}'}),
    case("JSON that is cut off", "run a.json", "a.json", "not valid JSON", hints="cut off",
         files={"a.json": '[{"customer_id": 1}, {"custo'}),
    case("JSON that ends at once", "run a.json",
         "a.json, record 1: it is not valid JSON (unexpected end of data).", hints="cut off",
         files={"a.json": '{"customer":"a"'}),
    case("gzip that is cut off", "run a.csv.gz", "a.csv.gz is damaged or incomplete", hints="again",
         files={"a.csv.gz": gzip.compress(ORDERS.encode())[:-20]}),
    case("ZIP header without a workbook", "run a.xlsx", "a.xlsx is damaged or incomplete", hints="again",
         files={"a.xlsx": b"PK\x03\x04" + b"rubbish" * 20}),
    case("Parquet cut in half", "run a.parquet", "a.parquet is damaged or incomplete", hints="again",
         prepare=parquet(cut)),
    case("Parquet without its footer", "run a.parquet", "a.parquet is damaged or incomplete", hints="again",
         prepare=parquet(without_footer)),
    case("Parquet with a damaged page", "run a.parquet", "a.parquet is damaged or incomplete", hints="again",
         prepare=parquet(scrambled)),
]  # fmt: skip

MALFORMED = [
    case("wrong delimiter", "run orders.csv --delimiter '|'", "With '|' between values, orders.csv has",
         hints="--delimiter ','"),
    case("delimiter of two characters", "run orders.csv --delimiter '||'", "'||' is not a delimiter",
         hints="--delimiter"),
    case("delimiter not detected", "run a.csv", "a single column, `customer_id^order_id^ordered_at^amou",
         hints="--delimiter", files={"a.csv": ORDERS.replace(",", "^")}),
    case("line that is too short", "run a.csv", "a.csv, line 14", "2 of the 4 values", hints="cut off",
         files={"a.csv": f"{ORDERS}c1,o99\n"}),
    case("line that is too long", "run a.csv", "a.csv, line 14", hints="in quotes",
         files={"a.csv": f"{ORDERS}c1,o99,2025-01-13,5,00\n"}),
    case("quote that is never closed", "run a.csv", "a.csv", "a quoted value does not end",
         hints="read.quote", files={"a.csv": f'{HEADER}"c1,o1,2025-01-01,5\n{LINES}'}),
    case("bytes that are not UTF-8", "run a.csv", "a.csv, line 3", "0xE9", hints="--encoding windows-1252",
         files={"a.csv": f"{HEADER}cé,o1,2025-01-01,5\n".encode() + b"c\xe9,o2,2025-01-02,5\n"}),
    case("NUL byte", "run a.csv", "a.csv holds a NUL byte in line 2", hints="export it again",
         files={"a.csv": HEADER.encode() + b"c\0,o1,2025-01-01,5\n"}),
    case("encoding unknown", "run orders.csv --encoding utf-99", "'utf-99' is not an encoding",
         hints="--encoding"),
    case("encoding wrong", "run orders.csv --encoding utf-16", "orders.csv can't be read as UTF-16",
         hints="--encoding"),
    case("column twice", "run a.csv", "a.csv has a column 'amount' twice", "columns 4 and 5",
         hints="--amount amount_1 or --amount amount_2",
         files={"a.csv": "customer_id,order_id,ordered_at,amount,amount\nc1,o1,2025-01-01,5,6\n"}),
    case("column twice but for case", "run a.csv", "'amount' and a column 'Amount'", hints="case",
         files={"a.csv": "customer_id,order_id,ordered_at,amount,Amount\nc1,o1,2025-01-01,5,6\n"}),
    case("title above lines without a header", "run a.csv", "'Orders of January'",
         hints="--skip-lines 1 --no-header",
         files={"a.csv": f"Orders of January\n{LINES}"}),
    case("sheet missing", "run segments.xlsx --sheet Orders", "no sheet 'Orders'", hints="Sheet1"),
]  # fmt: skip


@pytest.mark.guarantee("previous-result-unchanged", "errors", "exit-codes")
@pytest.mark.parametrize("bad_case", [*NOT_FOUND, *NOT_A_TABLE, *MALFORMED])
def test_an_unreadable_source_is_refused_and_changes_nothing(
    bad_case: Case, tmp_path: Path, rfm: Rfm, monkeypatch: pytest.MonkeyPatch
) -> None:
    check(bad_case, tmp_path, rfm, monkeypatch)


def test_empty_standard_input_is_refused_and_changes_nothing(
    tmp_path: Path, rfm: Rfm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO()))
    bad_case = case("", "run -", "Standard input is empty", hints="the command before the pipe").values[0]
    check(bad_case, tmp_path, rfm, monkeypatch)
