"""Unusual but valid input: it must succeed, with every character and every cent unchanged."""

from __future__ import annotations

import csv
import json
import shlex
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

import duckdb
import fastexcel
import pytest

from support.bad_input import HEADER
from support.cli import Rfm
from support.orders import published, refused, without_run_id

IDS = {
    "'; DROP TABLE rfm_segments; --": "SQL after a quote",
    '"; DROP TABLE rfm_segments; --': "SQL after a double quote",
    "$$; DROP TABLE rfm_segments; $$": "SQL after dollars",
    "' || (SELECT MAX(amount) FROM lines) || '": "a subquery",
    "x' UNION SELECT * FROM rfm_segments --": "a union",
    "O'Brien": "a quote",
    'say "hi"': "double quotes",
    "a,b;c|d": "delimiters",
    "tab\there": "a tab",
    "line\nbreak": "a line feed",
    "carriage\r\nreturn": "a carriage return",
    "bell\x07 escape\x1b[31m delete\x7f": "control characters",
    "back\\slash \\n \\' %s {0} $1 ?": "escapes and placeholders of other programs",
    "[bold red]Ann[/]": "markup",
    "=1+1": "a formula",
    "\u202egnirts": "right-to-left text",
    "zero\u200bwidth": "a zero-width character",
    "\U0001f469\u200d\U0001f4bb Zo\u00eb \u0416\u4e2d": "emoji, accents, other scripts",
    "Nullmann": "the beginning of a placeholder",
    "nobody": "a word like a placeholder",
    "NaN?": "almost not a number",
    "true": "a boolean",
    "007": "leading zeros",
    "1e5": "a number with an exponent",
    "1.50": "a number with decimals",
    "-0": "negative zero",
    "--help": "a command-line flag",
    "-- comment /* and */ more #": "comments",
    "x" * 30_000: "30,000 characters",
}


def write(path: Path, rows: Sequence[Sequence[object]]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(rows)
    return path


def test_any_text_can_be_a_customer_id_and_is_unchanged_in_all_outputs(rfm: Rfm, tmp_path: Path) -> None:
    rows = [(id_, f"o{n}", "2025-01-02", f"{n}.25") for n, id_ in enumerate(IDS, start=1)]
    write(tmp_path / "a.csv", [HEADER.strip().split(","), *rows])
    outputs = [f"--output=b.{suffix}" for suffix in ("csv", "tsv", "json", "ndjson", "parquet", "xlsx")]
    ended = rfm("run", "a.csv", "--json", *outputs)
    assert (ended.code, ended.stderr) == (0, "")
    assert ended.json["rows"] == {"read": len(IDS), "kept": len(IDS), "excluded": {}}
    amounts = published(tmp_path / "rfm.duckdb", "SELECT customer_id, monetary FROM rfm_segments")
    assert dict(amounts) == {id_: Decimal(amount) for id_, _, _, amount in rows}
    for suffix in ("csv", "tsv"):
        delimiter = "\t" if suffix == "tsv" else ","
        with (tmp_path / f"b.{suffix}").open(encoding="utf-8", newline="") as stream:
            read = csv.DictReader(stream, delimiter=delimiter)
            assert {row["customer_id"] for row in read} == set(IDS), suffix
    assert {row["customer_id"] for row in json.loads((tmp_path / "b.json").read_text("utf-8"))} == set(IDS)
    lines = (tmp_path / "b.ndjson").read_text("utf-8").split("\n")
    assert {json.loads(line)["customer_id"] for line in lines if line} == set(IDS)
    parquet = duckdb.connect().execute(f"SELECT customer_id FROM '{tmp_path / 'b.parquet'}'").fetchall()
    assert {id_ for (id_,) in parquet} == set(IDS)
    sheet = fastexcel.read_excel(tmp_path / "b.xlsx").load_sheet(0, use_columns=[0], dtypes="string")
    assert {id_.replace("\r\n", "\n") for (id_,) in duckdb.connect().from_arrow(sheet).fetchall()} == {
        id_.replace("\r\n", "\n") for id_ in IDS
    }


def test_placeholders_among_unusual_ids_are_missing_customers(rfm: Rfm, tmp_path: Path) -> None:
    placeholders = ("NULL", "none", "NaN", " nan ", "N/A", "-", "(not set)")
    rows = [(id_, f"o{n}", "2025-01-02", "5") for n, id_ in enumerate((*placeholders, *IDS))]
    write(tmp_path / "a.csv", [HEADER.strip().split(","), *rows])
    assert rfm("run", "a.csv", "--json").json["rows"] == {
        "read": len(rows),
        "kept": len(IDS),
        "excluded": {"missing_customer": len(placeholders)},
    }
    ids = {id_ for (id_,) in published(tmp_path / "rfm.duckdb", "SELECT customer_id FROM rfm_segments")}
    assert ids == set(IDS)


def test_sql_in_customer_ids_is_not_executed_by_a_second_run(rfm: Rfm, tmp_path: Path) -> None:
    rows = [(id_, f"o{n}", "2025-01-02", "5") for n, id_ in enumerate(IDS)]
    write(tmp_path / "a.csv", [HEADER.strip().split(","), *rows])
    assert rfm("run", "a.csv", "--quiet").code == 0
    first = without_run_id(tmp_path / "rfm.duckdb")
    assert len(first) == len(IDS)
    # The second run also reads the previous segment of each customer.
    assert rfm("run", "a.csv", "--quiet").code == 0
    assert without_run_id(tmp_path / "rfm.duckdb") == first


@pytest.mark.matrix
@pytest.mark.parametrize(
    "name",
    [
        'amount"; DROP TABLE rfm_segments; --',
        "amount'; DROP TABLE rfm_segments; --",
        "a,b",
        "two\nlines",
        "select",
        "CURRENT_DATE",
        " padded ",
        "Gr\u00f6\u00dfe \U0001f4b0",
        "%s {0} $1 ? \\",
        "x" * 300,
        "1",
        "*",
    ],
)
def test_any_text_can_be_a_column_name(name: str, rfm: Rfm, tmp_path: Path) -> None:
    write(
        tmp_path / "a.csv",
        [("customer_id", "ordered_at", name), ("c1", "2025-01-01", "5.5"), ("c2", "2025-01-02", "7")],
    )
    quoted = name.replace('"', '""')
    ended = rfm("run", "a.csv", "--amount", name, "--exclude", f"odd=\"{quoted}\" = '7'", "--json")
    assert (ended.code, ended.stderr) == (0, "")
    assert ended.json["columns"]["amount"] == name
    assert ended.json["rows"] == {"read": 2, "kept": 1, "excluded": {"odd": 1}}
    assert ended.json["amount"] == {"kept": "5.50", "excluded": {"odd": "7.00"}, "repeated_total": None}


def test_any_text_can_be_the_value_of_an_exclusion(rfm: Rfm, tmp_path: Path) -> None:
    write(tmp_path / "a.csv", [("customer_id", "ordered_at", "amount", "note"), *[
        (f"c{n}", "2025-01-01", "5", note) for n, note in enumerate(IDS)
    ]])  # fmt: skip
    for note in ("'; DROP TABLE rfm_segments; --", "back\\slash \\n \\' %s {0} $1 ?", "line\nbreak"):
        (tmp_path / "rfm.toml").write_text(
            f"[exclude]\nodd = {{ column = 'note', equals = {json.dumps(note)} }}\n", encoding="utf-8"
        )
        assert rfm("run", "a.csv", "--json").json["rows"]["excluded"] == {"odd": 1}


# Numbers

READABLE = {
    "5": "5",
    "1e3": "1000",
    "+7.25": "7.25",
    " 6 ": "6",
    ".5": "0.5",
    "8.": "8",
    "2.5E-1": "0.25",
    "1,000.00": "1000",
    "1,000": "1000",
    "$5": "5",
    "5 000": "5000",
}
NEGATIVE = {"(5)": "-5", "5-": "-5"}
UNREADABLE = (
    *("NaN", "nan", "inf", "-inf", "Infinity", "-Infinity", "1e400", "-1e400", "9" * 40, f"-{'9' * 40}"),
    *(
        "0x10",
        "1_000",
        "--5",
        "(5",
        "5 00",
        ".",
        "e5",
        "five",
        "true",
        "",
        "  ",
        "\u0665",
    ),
)


def test_amounts_that_are_not_numbers_are_excluded_and_totals_reconcile(rfm: Rfm, tmp_path: Path) -> None:
    texts = [*READABLE, *NEGATIVE, *UNREADABLE]
    write(tmp_path / "a.csv", [HEADER.strip().split(","), *[
        (f"c{n}", f"o{n}", "2025-01-01", text) for n, text in enumerate(texts)
    ]])  # fmt: skip
    result = rfm("run", "a.csv", "--json").json
    assert result["rows"] == {
        "read": len(texts),
        "kept": len(READABLE),
        "excluded": {"invalid_amount": len(UNREADABLE), "non_positive_amount": len(NEGATIVE)},
    }
    assert result["amount"]["excluded"] == {"invalid_amount": None, "non_positive_amount": "-10.00"}
    assert Decimal(result["revenue"]) == sum(map(Decimal, READABLE.values()))
    amounts = published(tmp_path / "rfm.duckdb", "SELECT customer_id, monetary FROM rfm_segments")
    assert dict(amounts) == {f"c{n}": Decimal(value) for n, value in enumerate(READABLE.values())}


def test_floats_that_are_not_finite_are_excluded_and_totals_reconcile(rfm: Rfm, tmp_path: Path) -> None:
    duckdb.connect().execute(
        "COPY (SELECT customer_id, DATE '2025-01-01' AS ordered_at, amount FROM (VALUES ('a', 1.25::DOUBLE),"
        " ('b', 'NaN'), ('c', 'Infinity'), ('d', '-Infinity'), ('e', 1e300), ('f', -1e300), ('g', NULL),"
        f" ('h', 2.5), ('i', -3.5)) lines(customer_id, amount)) TO '{tmp_path / 'a.parquet'}'"
    )
    result = rfm("run", "a.parquet", "--json").json
    assert result["rows"] == {
        "read": 9,
        "kept": 2,
        "excluded": {"invalid_amount": 6, "non_positive_amount": 1},
    }
    assert result["amount"] == {
        "kept": "3.75",
        "excluded": {"invalid_amount": None, "non_positive_amount": "-3.50"},
        "repeated_total": None,
    }


@pytest.mark.matrix
@pytest.mark.parametrize(("quantity", "price"), [("NaN", "5"), ("2", "inf"), ("1e400", "5"), ("2", "9" * 40)])
def test_a_line_with_an_invalid_quantity_or_price_has_an_invalid_amount(
    quantity: str, price: str, rfm: Rfm, tmp_path: Path
) -> None:
    (tmp_path / "a.csv").write_text(
        f"customer_id,ordered_at,quantity,unit_price\nc1,2025-01-01,2,5.25\nc2,2025-01-01,{quantity},{price}\n",
        encoding="utf-8",
    )
    result = rfm("run", "a.csv", "--json").json
    assert result["rows"] == {"read": 2, "kept": 1, "excluded": {"invalid_amount": 1}}
    assert (result["revenue"], result["customers"]) == ("10.50", 1)


def test_the_largest_and_the_smallest_amounts_are_exact(rfm: Rfm, tmp_path: Path) -> None:
    large, small = "99999999999999999.999999999", "0.000000001"
    (tmp_path / "a.csv").write_text(
        f"{HEADER}c1,o1,2025-01-01,{large}\nc1,o2,2025-01-01,{large}\nc2,o3,2025-01-01,{small}\n",
        encoding="utf-8",
    )
    assert rfm("run", "a.csv", "--json").json["revenue"] == "199999999999999999.999999999"
    columns = "SELECT monetary, avg_order_value FROM rfm_segments ORDER BY customer_id"
    assert published(tmp_path / "rfm.duckdb", columns) == [
        (Decimal(large) * 2, Decimal(large)),
        (Decimal(small), Decimal(small)),
    ]


# Dates


def test_invalid_dates_are_excluded_and_valid_ones_kept(rfm: Rfm, tmp_path: Path) -> None:
    unreadable = ("", "soon", "2025-02-30", "2025-13-01", "0000-00-00", "2025", "13/13/2025")
    readable = ("2025-01-01", "2025-01-02 08:26", "2025-01-03T23:59:59.999Z", "2024-02-29", "20250101")
    write(tmp_path / "a.csv", [HEADER.strip().split(","), *[
        (f"c{n}", f"o{n}", text, "1") for n, text in enumerate((*readable, *unreadable, "2999-12-31"))
    ]])  # fmt: skip
    # Values that no format reads are a question, whose answer excludes them.
    _, hint = refused(rfm("run", "a.csv"))
    answer = "--date-format iso --date-format '%Y%m%d'"
    assert answer in hint
    result = rfm("run", "a.csv", *shlex.split(answer), "--json").json
    assert result["rows"] == {
        "read": len(readable) + len(unreadable) + 1,
        "kept": len(readable),
        "excluded": {"future_dated": 1, "invalid_date": len(unreadable)},
    }
    assert result["as_of"] == "2025-01-03"
    assert result["amount"]["excluded"] == {"future_dated": "1.00", "invalid_date": f"{len(unreadable)}.00"}


# Limits of types


@pytest.mark.matrix
@pytest.mark.parametrize("kind", ["DATE", "TIMESTAMP", "TIMESTAMPTZ"])
def test_an_infinite_date_is_invalid(kind: str, rfm: Rfm, tmp_path: Path) -> None:
    with duckdb.connect(str(tmp_path / "shop.duckdb")) as connection:
        connection.execute(
            f"CREATE TABLE orders AS SELECT customer_id, 1 AS amount, CAST(day AS {kind}) AS ordered_at"
            " FROM (VALUES ('c1', '2025-01-01'), ('c2', '-infinity')) lines(customer_id, day)"
        )
    result = rfm("run", "duckdb:shop.duckdb#orders", "--json").json
    assert result["rows"] == {"read": 2, "kept": 1, "excluded": {"invalid_date": 1}}


def test_an_amount_of_21_digits_does_not_fail_the_run(rfm: Rfm, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(
        f"{HEADER}c1,o1,2025-01-01,{'9' * 21}\nc2,o2,2025-01-01,5\n", encoding="utf-8"
    )
    ended = rfm("run", "a.csv", "--json")
    assert (ended.code, ended.stderr) == (0, "")
    assert ended.json["rows"]["read"] == 2
