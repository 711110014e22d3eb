"""Grammar of sources: bytes of CSV, Parquet, JSON and workbooks, and tables with awkward names and types."""

from __future__ import annotations

import csv
import datetime as dt
import decimal
import gzip
import io
import json
from collections.abc import Callable, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import xlsxwriter
from hypothesis import strategies as st

from support.fuzz import Input
from support.fuzz_values import argument, dates, encodable, numbers

Table = tuple[list[str], list[list[str]]]

ID = (
    "customer_id",
    "Customer ID",
    "CustomerID",
    "user_id",
    "Email",
    "customer",
    "Client",
    "customer_id ",
    "\uff29\uff24",
)
ORDER = ("order_id", "InvoiceNo", "Order", "Name", "order id")
DATE = ("ordered_at", "date", "InvoiceDate", "created_at", "Order Date", "Datum")
MONEY = (
    "amount",
    "total",
    "Price",
    "UnitPrice",
    "sale_price",
    "Quantity",
    "Umsatz",
    "Discount",
    "Refund",
    "tax",
)
OTHER = ("status", "Financial Status", "currency", "country", "Type", "note", "sku", "is_test", "select")
ENCODINGS = (
    "utf-8",
    "utf-8",
    "utf-8",
    "utf-8-sig",
    "cp1252",
    "latin-1",
    "utf-16",
    "utf-16-le",
    "utf-32",
    "cp437",
    "shift_jis",
)

ids = st.one_of(st.integers(-1, 30).map(lambda number: f"c{number}"), st.integers(-1, 30).map(str), encodable)
statuses = st.one_of(
    st.sampled_from(["paid", "cancelled", "Refunded", "EUR", "USD", "DE", "SALE", "x"]), encodable
)


DATE_FORMATS = (
    "%Y-%m-%d",
    "%Y-%m-%d",
    "%d.%m.%Y",
    "%Y%m%d",
    "%Y-%m-%dT%H:%M:%SZ",
    "%b %d, %Y",
    "%d/%m/%y %H:%M",
)
MONEY_FORMATS = (
    "{:.2f}",
    "{:.2f}",
    "{:,.2f}",
    "${:.2f}",
    "{:.2f} EUR",
    "{:.0f}",
    "({:.2f})",
    "{:e}",
    " {:.3f} ",
)


@st.composite
def plausible_tables(draw: st.DrawFn) -> Table:
    """Draw a table of orders whose columns have one form each, and up to two other columns."""
    size, first = draw(st.integers(1, 14)), draw(st.integers(0, 9))
    day, money = draw(st.sampled_from(DATE_FORMATS)), draw(st.sampled_from(MONEY_FORMATS))
    columns = [
        (draw(st.sampled_from(ID)), [f"c{(number * 7 + first) % 5}" for number in range(size)]),
        (draw(st.sampled_from(ORDER)), [f"o{number}" for number in range(size)]),
        (
            draw(st.sampled_from(DATE)),
            [dt.date(2024, 1, 14 + number).strftime(day) for number in range(size)],
        ),
        ("amount", [money.format((number + 1) * 117.5) for number in range(size)]),
    ]
    for _ in range(draw(st.integers(0, 2))):
        name = draw(st.one_of(st.sampled_from(OTHER), encodable))
        pool = draw(
            st.lists(draw(st.sampled_from([numbers, dates, statuses, encodable])), min_size=1, max_size=4)
        )
        columns.append((name, [draw(st.sampled_from(pool)) for _ in range(size)]))
    if draw(st.integers(0, 2)) == 0:
        column, line = draw(st.sampled_from(columns)), draw(st.integers(0, size - 1))
        column[1][line] = draw(st.one_of(numbers, dates, encodable))
    columns = draw(st.permutations(columns))
    return [name for name, _ in columns], [
        list(row) for row in zip(*(values for _, values in columns), strict=True)
    ]


@st.composite
def senseless_tables(draw: st.DrawFn) -> Table:
    """Draw a table with mostly names and values of orders, in any combination."""
    parts: list[tuple[str, st.SearchStrategy[str]]] = []
    for names, values in ((ID, ids), (ORDER, ids), (DATE, dates), (MONEY, numbers)):
        if draw(st.integers(0, 9)):
            parts.append((draw(st.sampled_from(names)), values))
    for _ in range(draw(st.integers(0, 3))):
        known = draw(st.sampled_from([*MONEY, *OTHER, *DATE, *ID]))
        name = draw(st.one_of(st.just(known), encodable))
        parts.append((name, draw(st.sampled_from([numbers, dates, statuses, encodable]))))
    parts = draw(st.permutations(parts))
    pools = [draw(st.lists(values, min_size=1, max_size=6)) for _, values in parts]
    size = draw(st.integers(0, 14))
    rows = [[draw(st.sampled_from(pool)) for pool in pools] for _ in range(size)]
    return [name for name, _ in parts], rows


tables = st.one_of(plausible_tables(), plausible_tables(), senseless_tables())


def _csv(draw: st.DrawFn, table: Table) -> bytes:
    header, rows = table
    text = io.StringIO()
    delimiter = draw(st.sampled_from(",,,;\t|^"))
    quoting: Any = draw(
        st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONE])
    )
    end = draw(st.sampled_from(["\n", "\n", "\r\n", "\r", "\n\n"]))
    try:
        writer = csv.writer(
            text,
            delimiter=delimiter,
            quoting=quoting,
            lineterminator=end,
            escapechar="\\" if quoting == csv.QUOTE_NONE else None,
        )
        above = draw(st.lists(encodable, max_size=2)) if not draw(st.integers(0, 9)) else []
        below = [["Total", "5"]] if not draw(st.integers(0, 9)) else []
        writer.writerows([[line] for line in above] + [header, *rows] + below)
    except csv.Error:
        pass
    content = text.getvalue()
    if draw(st.integers(0, 4)) == 0:
        content = content.rstrip("\r\n")
    return content.encode(draw(st.sampled_from(ENCODINGS)), "replace")


def moment(number: int) -> dt.datetime:
    return dt.datetime(2024, 1, 1 + number % 28, 23, 59)  # noqa: DTZ001 - the column's type has the zone


_ARROW: Sequence[tuple[Callable[[], pa.DataType], Callable[[int], Any]]] = (
    (pa.string, lambda number: f"c{number % 9}"),
    (pa.large_string, lambda number: f"c{number % 9}"),
    (lambda: pa.dictionary(pa.int8(), pa.string()), lambda number: f"c{number % 5}"),
    (pa.int8, lambda number: number % 100),
    (pa.uint64, lambda number: 2**63 + number),
    (pa.float16, lambda number: number / 2),
    (pa.float64, lambda number: number * 1.1),
    (lambda: pa.decimal128(38, 9), decimal.Decimal),
    (lambda: pa.decimal256(60, 9), decimal.Decimal),
    (pa.bool_, lambda number: number % 2 == 0),
    (pa.date32, lambda number: dt.date(2024, 1, 1) + dt.timedelta(number)),
    (pa.date64, lambda number: dt.date(2024, 1, 1) + dt.timedelta(number)),
    (lambda: pa.timestamp("s"), moment),
    (lambda: pa.timestamp("ns"), moment),
    (lambda: pa.timestamp("ns", "Europe/Berlin"), moment),
    (lambda: pa.timestamp("us", "UTC"), moment),
    (lambda: pa.time64("us"), lambda number: dt.time(number % 24)),
    (lambda: pa.duration("s"), dt.timedelta),
    (pa.binary, lambda number: bytes([number % 256, 255])),
    (lambda: pa.list_(pa.int64()), lambda number: [number, None]),
    (lambda: pa.struct([("amount", pa.float64()), ("a b", pa.string())]),
    lambda number: {"amount": number * 1.5, "a b": "x"}),
    (lambda: pa.map_(pa.string(), pa.int64()), lambda number: [("k", number)]),
    (pa.null, lambda _: None),
)  # fmt: skip


def _parquet(draw: st.DrawFn, table: Table) -> bytes:
    header, rows = table
    size, columns, seen = len(rows), [], []
    for position, name in enumerate(header):
        if name in seen and draw(st.integers(0, 3)):
            continue
        if draw(st.integers(0, 2)):
            columns.append(pa.array([row[position] for row in rows], pa.string()))
            seen.append(name)
            continue
        kind, value = draw(st.sampled_from(_ARROW))
        nulls = draw(st.integers(0, 3)) == 0
        columns.append(
            pa.array([None if nulls and number % 3 == 0 else value(number) for number in range(size)], kind())
        )
        seen.append(name)
    stream = io.BytesIO()
    try:
        pq.write_table(pa.Table.from_arrays(columns, seen), stream)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, UnicodeError):
        return b"PAR1"
    return stream.getvalue()


def _json(draw: st.DrawFn, table: Table) -> bytes:
    header, rows = table
    records: list[Any] = [dict(zip(header, row, strict=True)) for row in rows]
    if draw(st.integers(0, 3)) == 0:
        odd = st.sampled_from([None, [], {}, 5, 1.5e300, True, {"a": {"b": [1]}}, [[1], "x"], {"": 1}, 2**70])
        records = [{**record, draw(encodable): draw(odd)} for record in records] + draw(
            st.lists(odd, max_size=1)
        )
    indent = draw(st.sampled_from([None, 1]))
    if draw(st.booleans()):
        return "\n".join(json.dumps(record, ensure_ascii=False) for record in records).encode(
            "utf-8", "replace"
        )
    return json.dumps(records, indent=indent, allow_nan=True).encode()


def _workbook(draw: st.DrawFn, table: Table) -> bytes:
    header, rows = table
    stream = io.BytesIO()
    book = xlsxwriter.Workbook(stream, {"in_memory": True})
    # The present time would make other bytes, and draws depend on their number.
    book.set_properties({"created": dt.datetime(2026, 1, 1)})  # noqa: DTZ001 - Excel has no time zones
    for number in range(draw(st.sampled_from([1, 1, 2]))):
        sheet = book.add_worksheet(draw(st.sampled_from(["Orders", "Sheet 2", "Zoë"])) + str(number))
        sheet.write_row(draw(st.sampled_from([0, 0, 2])), 0, [name[:200] for name in header])
        for line, row in enumerate(rows, 3):
            for column, value in enumerate(row):
                kind = draw(st.integers(0, 5))
                if kind == 0 and value.replace(".", "", 1).isascii() and value.replace(".", "", 1).isdigit():
                    sheet.write_number(line, column, float(value[:15]))
                elif kind == 1:
                    sheet.write_formula(line, column, "=1+1", value=value)
                elif kind == 2:
                    sheet.write_boolean(line, column, value)
                else:
                    sheet.write_string(line, column, value)
    book.close()
    return stream.getvalue()


def damaged(draw: st.DrawFn, content: bytes) -> bytes:
    """Damage bytes in one or two places: cut out, repeated, replaced, or with others put between."""
    for _ in range(draw(st.integers(1, 2))):
        start = draw(st.integers(0, max(0, len(content) - 1)))
        end = min(len(content), start + draw(st.sampled_from([1, 2, 7, 60, 4000])))
        part = content[start:end]
        other = draw(
            st.sampled_from(
                [
                    b"",
                    part * 3,
                    bytes(len(part)),
                    b"\xff" * len(part),
                    b'"',
                    b"\n",
                    b"\0",
                    b"\xe9",
                    b",,",
                    b"\r",
                ]
            )
        )
        content = content[:start] + other + content[end:]
    return content


_WRITERS: Sequence[tuple[str, Callable[[st.DrawFn, Table], bytes]]] = (
    ("a.csv", _csv), ("a.csv", _csv), ("a.csv", _csv), ("a.tsv", _csv), ("a.parquet", _parquet),
    ("a.json", _json),
    ("a.ndjson", _json), ("a.xlsx", _workbook),
)  # fmt: skip


@st.composite
def inputs(draw: st.DrawFn) -> Input:
    """Draw a source, a command that reads it, and flags."""
    name, write = draw(st.sampled_from(_WRITERS))
    table = draw(tables)
    content = write(draw, table)
    if draw(st.integers(0, 5)) == 0:
        content = damaged(draw, content)
    if name == "a.csv" and draw(st.integers(0, 9)) == 0:
        name, content = "a.csv.gz", gzip.compress(content, mtime=0)
        content = content[:-9] if draw(st.booleans()) else content
    if draw(st.integers(0, 19)) == 0:
        name = draw(
            st.sampled_from(
                [
                    "a.txt",
                    "a",
                    "a.xls",
                    "a.parquet",
                    "a.csv",
                    "A.CSV",
                    "a b.csv",
                    "ä'\".csv",
                    "[a].csv",
                    "a*.csv",
                ]
            )
        )
    if name == "a.csv" and draw(st.integers(0, 9)) == 0:
        files = {"lines/a.csv": content, "lines/b.csv": write(draw, table)}
        name = "lines"
    else:
        files = {name: content}
    command = draw(st.sampled_from(["run", "run", "run", "check", "check", "sql", "init", "explain"]))
    flags, writes = _flags(draw, command, table[0])
    customer = [draw(argument)] if command == "explain" else []
    customer = [f" {text}" if text.startswith("-") else text for text in customer]
    return Input((command, *customer, name, *flags), files, {}, writes)


def _flags(draw: st.DrawFn, command: str, header: Sequence[str]) -> tuple[list[str], tuple[str, ...]]:
    """Draw flags that fit any source; return them, and the files that the command writes."""
    usable = [name for name in header if name and "\0" not in name and not name.startswith("-")] or ["amount"]
    column = st.sampled_from(usable)
    choices: Sequence[tuple[str, st.SearchStrategy[str]]] = (
        ("--customer-id", column), ("--order-id", column), ("--ordered-at", column), ("--amount", column),
        ("--quantity", column),
        ("--unit-price", column), ("--discount", column), ("--refund", column), ("--status-column", column),
        ("--currency", column),
        ("--order-id", st.just("none")), ("--delimiter", st.sampled_from(list(",;\t|^x"))),
        ("--encoding", st.sampled_from(ENCODINGS)),
        ("--skip-lines", st.sampled_from(["0", "1", "3", "99"])),
        ("--date-format",
        st.sampled_from(["%d/%m/%Y", "%m/%d/%Y", "iso", "epoch_s", "excel_serial", "%Y%m%d"])),
        ("--decimal", st.sampled_from([".", ","])), ("--thousands", st.sampled_from([",", "."])),
        ("--unit", st.sampled_from(["0.01", "1"])),
        ("--returns", st.just("net")), ("--amount-of", st.sampled_from(["order", "line"])),
        ("--window", st.just("12 months")),
        ("--timezone", st.sampled_from(["Europe/London", "Asia/Kathmandu"])),
        ("--preset", st.sampled_from(["grid", "none", "shopify"])),
        ("--zero-customer", st.sampled_from(["keep", "missing"])), ("--same-order", st.just("both")),
        ("--line-types", st.sampled_from(["all", "net"])),
    )  # fmt: skip
    if command == "init":
        return [], ("rfm.toml",)
    size = draw(st.sampled_from([0, 0, 0, 1, 2, 4]))
    drawn = draw(st.lists(st.sampled_from(choices), max_size=size, unique_by=lambda choice: choice[0]))
    flags = [word for name, values in drawn for word in (name, draw(values))]
    if command == "run":
        flags += draw(st.sampled_from([["--json"], ["--json"], ["--quiet"], []]))
        if draw(st.integers(0, 9)) == 0:
            flags += ["--output", "out.csv", "--output", "out.parquet"]
        flags += draw(st.sampled_from([["--to", "duckdb:new.duckdb"]] * 3 + [["--replace-source"], []]))
        return flags, ("rfm.duckdb", "new.duckdb", "out.csv", "out.parquet")
    return flags + draw(st.sampled_from([["--json"], []])) * (command != "sql"), ()
