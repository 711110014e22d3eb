"""No file and no order counts twice, in any run; the lines that are left out are named with their money."""

from __future__ import annotations

import gzip
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import duckdb
import pytest

from rfm_pipeline import segment
from support.cli import Outcome, Rfm
from support.paths import TEST_DATA

CASES = TEST_DATA / "cases"

HEADER = "order_id,customer_id,order_date,amount\n"
JANUARY = HEADER + "1,a,2026-01-05,10\n2,b,2026-01-20,20\n3,a,2026-01-31,30\n"
FEBRUARY = HEADER + "3,a,2026-01-31,30\n4,c,2026-02-05,10\n5,a,2026-02-20,20\n"


def write(folder: Path, files: Mapping[str, str | bytes]) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


def figures(ended: Outcome) -> tuple[int, int, str]:
    """Return customers, orders and revenue; assert that each line and its money is kept or excluded."""
    assert ended.code == 0, ended.stderr
    result = ended.json
    rows, money = result["rows"], result["amount"]
    assert rows["read"] == rows["kept"] + sum(rows["excluded"].values())
    assert float(money["kept"]) == float(result["revenue"])
    assert money["excluded"].keys() == rows["excluded"].keys()
    return result["customers"], result["orders"], result["revenue"]


def excluded(ended: Outcome) -> dict[str, tuple[int, str]]:
    rows, money = ended.json["rows"]["excluded"], ended.json["amount"]["excluded"]
    return {reason: (lines, money[reason]) for reason, lines in rows.items()}


@pytest.mark.slow
def test_the_same_file_under_two_names_counts_once(rfm: Rfm) -> None:
    ended = rfm("run", CASES / "twice", "--json")
    assert figures(ended) == (2, 3, "60.00")
    assert excluded(ended) == {"duplicate_file": (3, "60.00")}
    (note,) = (note for note in ended.json["notes"] if "duplicate_file" in note)
    assert note == f"1 file excluded as duplicate_file: {CASES}/twice/a.csv equals {CASES}/twice/a (1).csv"


def test_an_order_in_two_files_counts_once(rfm: Rfm) -> None:
    ended = rfm("run", CASES / "overlap", "--json")
    assert figures(ended) == (3, 5, "90.00")
    assert excluded(ended) == {"duplicate_order": (1, "30.00")}


# By case: files, customers with orders and revenue, and what is excluded as a duplicate.
READ_RIGHT: Mapping[
    str, tuple[Mapping[str, str | bytes], tuple[int, int, str], dict[str, tuple[int, str]]]
] = {
    "three files, one order in all": (
        {
            "1.csv": HEADER + "1,a,2026-01-05,10\n2,b,2026-01-06,20\n3,c,2026-01-06,5\n",
            "2.csv": HEADER + "1,a,2026-01-05,10\n4,b,2026-01-07,30\n5,c,2026-01-07,5\n",
            "3.csv": HEADER + "1,a,2026-01-05,10\n2,b,2026-01-06,20\n",
        },
        (3, 5, "70.00"),
        {"duplicate_order": (3, "40.00")},
    ),
    "a full export beside a part": (
        {"1.csv": JANUARY, "2.csv": JANUARY + "4,c,2026-02-01,5\n"},
        (3, 4, "65.00"),
        {"duplicate_order": (3, "60.00")},
    ),
    "orders of several lines in another order": (
        {
            "1.csv": HEADER + "1,a,2026-01-05,10\n1,a,2026-01-05,5\n2,b,2026-01-06,20\n",
            "2.csv": HEADER + "1,a,2026-01-05,5\n1,a,2026-01-05,10\n",
        },
        (2, 2, "35.00"),
        {"duplicate_order": (2, "15.00")},
    ),
    "written in another way": (
        {
            "1.csv": HEADER + "1,a,2026-01-05,10\n2,b,2026-01-06,20\n",
            "2.csv": "Order ID;Amount;Customer ID;Order Date\n1;10.00;a;2026-01-05 12:30\n3;7;c;2026-01-06\n",
        },
        (3, 3, "37.00"),
        {"duplicate_order": (1, "10.00")},
    ),
    "two lines that are equal within one file": (
        {"1.csv": HEADER + "1,a,2026-01-05,10\n1,a,2026-01-05,10\n", "2.csv": HEADER + "2,b,2026-01-06,20\n"},
        (2, 2, "40.00"),
        {},
    ),
    "two shops that number their orders alike": (
        {
            "north.csv": HEADER + "1,a,2026-01-05,10\n2,b,2026-01-20,20\n",
            "south.csv": HEADER + "1,x,2026-01-05,10\n2,y,2026-01-20,20\n",
        },
        (4, 4, "60.00"),
        {},
    ),
    "a file, its copy, and an order in a third": (
        {"1.csv": JANUARY, "2.csv": JANUARY, "3.csv": FEBRUARY},
        (3, 5, "90.00"),
        {"duplicate_file": (3, "60.00"), "duplicate_order": (1, "30.00")},
    ),
    "a file and its compressed copy": (
        {"a.csv": JANUARY, "a.csv.gz": gzip.compress(JANUARY.encode())},
        (2, 3, "60.00"),
        {"duplicate_file": (3, "60.00")},
    ),
    "without order ids, a file twice": (
        {
            "1.csv": "customer_id,order_date,amount\na,2026-01-05,10\n",
            "2.csv": "customer_id,order_date,amount\na,2026-01-05,10\n",
        },
        (1, 1, "10.00"),
        {"duplicate_file": (1, "10.00")},
    ),
    "lines that do not count are in both files": (
        {
            "1.csv": HEADER + "1,a,2026-01-05,10\n1,a,2026-01-05,-4\n2,b,2026-01-06,20\n",
            "2.csv": HEADER + "1,a,2026-01-05,10\n1,a,2026-01-05,-4\n3,,2026-01-07,5\n",
        },
        (2, 2, "30.00"),
        {"duplicate_order": (2, "6.00")},
    ),
    "a missing customer in both files": (
        {
            "1.csv": HEADER + "1,,2026-01-05,10\n2,b,2026-01-06,20\n",
            "2.csv": HEADER + "1,,2026-01-05,10\n4,c,2026-01-06,5\n",
        },
        (2, 2, "25.00"),
        {"duplicate_order": (1, "10.00")},
    ),
    "missing order ids are no common order": (
        {
            "1.csv": HEADER + ",a,2026-01-05,10\n2,b,2026-01-06,20\n3,b,2026-01-07,20\n",
            "2.csv": HEADER + ",a,2026-01-05,10\n4,c,2026-01-06,5\n5,c,2026-01-07,5\n",
        },
        (2, 4, "50.00"),
        {},
    ),
    "an empty file twice, and headers alone twice": (
        {"1.csv": JANUARY, "2.csv": "", "3.csv": "", "4.csv": HEADER, "5.csv": HEADER},
        (2, 3, "60.00"),
        {},
    ),
}


@pytest.mark.matrix
@pytest.mark.parametrize("case", READ_RIGHT)
def test_what_is_equal_in_two_files_counts_once(case: str, tmp_path: Path, rfm: Rfm) -> None:
    files, expected, duplicates = READ_RIGHT[case]
    ended = rfm("run", write(tmp_path / "in", files), "--json")
    assert figures(ended) == expected
    assert {reason: told for reason, told in excluded(ended).items() if "duplicate" in reason} == duplicates


def test_without_order_ids_lines_of_several_files_are_not_compared(tmp_path: Path, rfm: Rfm) -> None:
    header = "customer_id,order_date,amount\n"
    files = {"1.csv": header + "a,2026-01-05,10\n", "2.csv": header + "a,2026-01-05,10\nb,2026-01-06,5\n"}
    ended = rfm("run", write(tmp_path / "in", files), "--json")
    assert figures(ended) == (2, 3, "25.00")
    assert "no order ids: a line that several files have counts in each" in ended.json["notes"]


def test_ids_under_several_customers_are_named(tmp_path: Path, rfm: Rfm) -> None:
    files = {
        "north.csv": HEADER + "1,a,2026-01-05,10\n2,b,2026-01-20,20\n",
        "south.csv": HEADER + "1,x,2026-01-05,10\n2,y,2026-01-20,20\n",
    }
    ended = rfm("run", write(tmp_path / "in", files), "--json")
    assert any("2 ids of `order_id` under several customers" in note for note in ended.json["notes"])


def test_standard_input_is_one_file(rfm: Rfm, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    write(tmp_path, {"in.csv": JANUARY})
    with (tmp_path / "in.csv").open() as stdin:
        monkeypatch.setattr("sys.stdin", stdin)
        assert figures(rfm("run", "-", "--json")) == (2, 3, "60.00")


SPLIT = {
    "1.csv": HEADER + "1,a,2026-01-05,10\n2,b,2026-01-31,20\n",
    "2.csv": HEADER + "2,b,2026-01-31,15\n3,c,2026-02-01,5\n",
}
"""A monthly export whose last order goes on in the next file, or a corrected one: nobody knows."""


def test_an_order_with_other_lines_in_another_file_is_asked_about(tmp_path: Path, rfm: Rfm) -> None:
    folder = write(tmp_path / "in", SPLIT)
    ended = rfm("run", folder)
    assert ended.code == 2
    told = " ".join(ended.stderr.split())
    assert "1 order is in several files with different lines" in told
    assert "20.00 by the first file of each, 15.00 by the last, 35.00 by all lines together" in told
    assert f"such as order 2: 20.00 in {folder}/1.csv, 15.00 in {folder}/2.csv" in told


@pytest.mark.matrix
@pytest.mark.parametrize(
    ("choice", "expected"),
    [("first", (3, 3, "35.00")), ("last", (3, 3, "30.00")), ("both", (3, 3, "50.00"))],
)
def test_the_hint_of_the_question_answers_it(
    choice: str, expected: tuple[int, int, str], tmp_path: Path, rfm: Rfm
) -> None:
    folder = write(tmp_path / "in", SPLIT)
    hint = " ".join(rfm("run", folder).stderr.partition("hint: ")[2].split())
    (flag,) = (part for part in (f"--same-order '{choice}'",) if part in hint)
    ended = rfm("run", folder, *shlex.split(flag), "--json")
    assert figures(ended) == expected


def test_equal_orders_are_counted_in_the_question(tmp_path: Path, rfm: Rfm) -> None:
    files = {"1.csv": JANUARY + "9,z,2026-01-31,5\n", "2.csv": FEBRUARY + "9,z,2026-01-31,6\n"}
    ended = rfm("run", write(tmp_path / "in", files))
    assert ended.code == 2
    assert "1 order is equal in several files and counted once, except by 'both'" in " ".join(
        ended.stderr.split()
    )


DIFFERENT: Mapping[str, tuple[str, str]] = {
    "another amount": ("2,b,2026-01-31,20\n", "2,b,2026-01-31,21\n"),
    "another date": ("2,b,2026-01-31,20\n", "2,b,2026-02-01,20\n"),
    "one line more": ("2,b,2026-01-31,20\n", "2,b,2026-01-31,20\n2,b,2026-01-31,1\n"),
    "the same total of other lines": (
        "2,b,2026-01-31,10\n2,b,2026-01-31,10\n",
        "2,b,2026-01-31,5\n2,b,2026-01-31,15\n",
    ),
    "one date of several": (
        "2,b,2026-01-30,10\n2,b,2026-01-31,10\n",
        "2,b,2026-01-31,10\n2,b,2026-01-31,10\n",
    ),
    "an amount that can't be read": ("2,b,2026-01-31,20\n", "2,b,2026-01-31,?\n"),
    "returned": ("2,b,2026-01-31,20\n", "2,b,2026-01-31,20\n2,b,2026-02-03,-20\n"),
}


@pytest.mark.matrix
@pytest.mark.parametrize("case", DIFFERENT)
def test_a_difference_in_any_role_is_asked_about(case: str, tmp_path: Path, rfm: Rfm) -> None:
    first, last = DIFFERENT[case]
    others = "1,a,2026-01-05,10\n4,c,2026-01-05,10\n"
    folder = write(tmp_path / "in", {"1.csv": HEADER + others + first, "2.csv": HEADER + last})
    assert rfm("run", folder).code == 2
    assert rfm("run", folder, "--same-order", "first", "--json").code == 0


@pytest.mark.slow
def test_an_order_that_is_cancelled_in_a_later_export_is_asked_about(tmp_path: Path, rfm: Rfm) -> None:
    header = "order_id,customer_id,order_date,amount,status\n"
    files = {
        "1.csv": header + "1,a,2026-01-05,10,paid\n2,b,2026-01-31,20,paid\n",
        "2.csv": header + "2,b,2026-01-31,20,cancelled\n3,c,2026-02-05,5,paid\n",
    }
    folder = write(tmp_path / "in", files)
    ended = rfm("run", folder)
    assert ended.code == 2
    assert "20.00 by the first file of each, 0.00 by the last" in " ".join(ended.stderr.split())
    ended = rfm("run", folder, "--same-order", "last", "--json")
    assert figures(ended) == (2, 2, "15.00")
    assert excluded(ended) == {"duplicate_order": (1, "20.00"), "not_a_sale": (1, "20.00")}


@pytest.mark.matrix
@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--returns", "net"],
        ["--window", "12 months"],
        ["--window", "12 months", "--returns", "net"],
        ["--as-of", "2026-02-10", "--window", "1 month"],
    ],
    ids=" ".join,
)
@pytest.mark.parametrize("size", ["small", "large", "partitioned"])
def test_the_answer_is_that_of_the_files_without_duplicates(
    arguments: list[str], size: str, tmp_path: Path, rfm: Rfm, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = (
        HEADER
        + "1,a,2026-01-05,10\n1,a,2026-01-06,5\n2,b,2026-01-20,20\n3,a,2026-01-31,30\n3,a,2026-02-01,-2\n"
    )
    more = "4,c,2026-02-05,10\n5,a,2026-02-20,20\n5,a,2026-02-21,-20\n6,,2026-02-03,1\n7,d,2026-02-03,x\n"
    again = HEADER + "3,a,2026-02-01,-2\n3,a,2026-01-31,30\n" + more
    files = {"1.csv": first, "2.csv": again, "3.csv": first}
    expected = rfm("run", write(tmp_path, {"all.csv": first + more}) / "all.csv", *arguments, "--json")
    assert expected.code == 0, expected.stderr
    if size != "small":
        monkeypatch.setattr("rfm_pipeline.pipeline.shared_orders._ALWAYS_COMPARED_BYTES", 0)
    if size == "partitioned":
        monkeypatch.setattr("rfm_pipeline.warehouse.duckdb.partitioned.BYTES_PER_GROUP", 1 << 36)
    folder = write(tmp_path / "in", files)
    ended = rfm("run", folder, *arguments, "--json", "--to", "duckdb:other.duckdb")
    figures(ended)
    assert excluded(ended)["duplicate_file"] == (5, "63.00")
    assert excluded(ended)["duplicate_order"] == (2, "28.00")
    for part in ("customers", "orders", "revenue", "segments", "as_of"):
        assert ended.json[part] == expected.json[part], part
    others = {reason: told for reason, told in excluded(ended).items() if not reason.startswith("duplicate")}
    assert others == excluded(expected)


@pytest.mark.slow
def test_a_large_source_is_scanned_again_only_for_an_order_in_two_files(
    tmp_path: Path, rfm: Rfm, monkeypatch: pytest.MonkeyPatch
) -> None:
    from rfm_pipeline.pipeline.shared_orders import comparing_files

    compared: list[Any] = []

    def recorded(plan: Any) -> Any:
        compared.append(plan)
        return comparing_files(plan)

    monkeypatch.setattr("rfm_pipeline.pipeline.shared_orders._ALWAYS_COMPARED_BYTES", 0)
    monkeypatch.setattr("rfm_pipeline.pipeline.staging.comparing_files", recorded)
    apart = write(
        tmp_path / "apart", {"1.csv": JANUARY, "2.csv": FEBRUARY.replace("3,a,2026-01-31,30\n", "")}
    )
    assert figures(rfm("run", apart, "--json")) == (3, 5, "90.00")
    assert not compared
    shared = write(tmp_path / "shared", {"1.csv": JANUARY, "2.csv": FEBRUARY})
    assert figures(rfm("run", shared, "--json")) == (3, 5, "90.00")
    assert len(compared) == 1
    assert figures(rfm("run", shared, "--json")) == (3, 5, "90.00")
    assert len(compared) == 1, "the last run's record says that orders are in several files"


def test_most_lines_twice_are_refused(tmp_path: Path, rfm: Rfm, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {f"{number}.csv": JANUARY + f"{number},z,2026-02-0{number},1\n" for number in range(4, 9)}
    folder = write(tmp_path / "in", files)
    ended = rfm("run", folder)
    assert ended.code == 3
    told = " ".join(ended.stderr.split())
    assert "12 of 20 lines (60.0 %) belong to orders that count in another file" in told
    assert "RFM_AUDITS__DUPLICATE_ORDERS=warn" in told
    monkeypatch.setenv("RFM_AUDITS__DUPLICATE_ORDERS", "warn")
    assert figures(rfm("run", folder, "--json")) == (3, 8, "65.00")


@pytest.mark.slow
def test_an_explanation_leaves_copies_out(tmp_path: Path, rfm: Rfm) -> None:
    ended = rfm("explain", "a", write(tmp_path / "in", {"1.csv": JANUARY, "2.csv": FEBRUARY}), "--json")
    assert ended.code == 0, ended.stderr
    assert "duplicate_order" in ended.stdout
    differing = rfm("explain", "b", write(tmp_path / "split", SPLIT))
    assert differing.code == 2
    assert "--same-order" in differing.stderr


def test_the_printed_query_gives_the_same_rows(tmp_path: Path, rfm: Rfm) -> None:
    folder = write(tmp_path / "in", {"1.csv": JANUARY, "2.csv": FEBRUARY, "3.csv": JANUARY})
    printed = rfm("sql", folder)
    assert printed.code == 0, printed.stderr
    rows = duckdb.connect().execute(printed.stdout).fetchall()
    assert sum(row[3] for row in rows) == 90
    loaded = rfm("sql", folder, "--table", "transactions")
    assert "source_file" not in loaded.stdout
    assert "Lines count as often as the table has them" in loaded.stdout


@pytest.mark.slow
def test_segment_takes_the_choice_as_an_argument(tmp_path: Path) -> None:
    folder = write(tmp_path / "in", SPLIT)
    with pytest.raises(Exception, match="several files") as caught:
        segment(folder)
    assert "same_order='first'" in str(getattr(caught.value, "hint", ""))
    assert segment(folder, same_order="last").to_arrow().num_rows == 3
