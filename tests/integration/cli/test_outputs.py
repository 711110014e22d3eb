"""Output files of a run, and the columns of earlier segments in its published rows."""

from __future__ import annotations

import json
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import fastexcel
import pytest

from rfm_pipeline.pipeline import run as run_module
from rfm_pipeline.pipeline.plan import Plan
from rfm_pipeline.results.run_record import RunRecord
from support.cli import Rfm
from support.databases import empty_database
from support.orders import EXPECTED_ROWS, ORDERS, TABLE, published, refused, without_run_id


@pytest.fixture
def orders(tmp_path: Path) -> Path:
    path = tmp_path / "orders.csv"
    path.write_text(ORDERS, encoding="utf-8")
    return path


# Outputs

CASTS = ", ".join(f"CAST({name} AS {kind})" for name, kind in TABLE.items())

AWKWARD = """\
customer_id,order_id,order_date,amount
007,1,2024-01-10,1.25
=1+1,2,2024-01-11,1000000.000000001
"O'Neil, \""Pat\"\"",3,2024-01-12,0.1
Zoë 🛍,4,2024-01-13,5
http://shop.example/1,5,2024-01-14,7.123
"""


def read_back(path: Path) -> list[tuple[Any, ...]]:
    """Return the rows of an output file as another program reads them, in the table's types."""
    with empty_database() as connection:
        match path.suffix:
            case ".csv" | ".tsv":
                delimiter = "\t" if path.suffix == ".tsv" else ","
                relation = f"read_csv('{path}', all_varchar = true, header = true, delim = '{delimiter}')"
            case ".json" | ".ndjson":
                columns = ", ".join(f"{name}: 'VARCHAR'" for name in TABLE)
                relation = f"read_json('{path}', columns = {{{columns}}})"
            case ".parquet":
                relation = f"read_parquet('{path}')"
            case _:
                sheet = fastexcel.read_excel(path).load_sheet(0, dtypes="string")
                connection.register("sheet", connection.from_arrow(sheet))
                relation = "sheet"
        assert connection.sql(f"FROM {relation}").columns == list(TABLE)
        return connection.execute(f"SELECT {CASTS} FROM {relation}").fetchall()


@pytest.mark.matrix
@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".parquet", ".json", ".ndjson", ".xlsx"])
def test_an_output_contains_the_published_rows_in_order(suffix: str, rfm: Rfm, tmp_path: Path) -> None:
    (tmp_path / "orders.csv").write_text(AWKWARD, encoding="utf-8")
    output = tmp_path / f"segments{suffix}"
    ended = rfm("run", "orders.csv", "--output", output, "--json")
    assert ended.code == 0, ended.stderr
    assert ended.json["outputs"] == [str(output)]
    rows = published(tmp_path / "rfm.duckdb", f"SELECT {CASTS} FROM rfm_segments ORDER BY customer_id")
    assert read_back(output) == rows
    assert {row[0] for row in rows} >= {"007", "=1+1", 'O\'Neil, "Pat"', "Zoë 🛍"}


def test_json_outputs_are_an_array_or_one_object_per_line(rfm: Rfm, orders: Path, tmp_path: Path) -> None:
    assert rfm("run", orders, "-o", "a.json", "-o", "a.ndjson").code == 0
    array = json.loads((tmp_path / "a.json").read_text(encoding="utf-8"), parse_float=Decimal)
    lines = (tmp_path / "a.ndjson").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line, parse_float=Decimal) for line in lines] == array
    assert [(row["customer_id"], row["monetary"]) for row in array] == [
        (customer, monetary) for customer, _, _, monetary, _, _ in EXPECTED_ROWS
    ]


def test_amounts_in_a_csv_have_as_many_decimals_as_the_data(rfm: Rfm, orders: Path, tmp_path: Path) -> None:
    assert rfm("run", orders, "-o", "a.csv").code == 0
    lines = (tmp_path / "a.csv").read_text(encoding="utf-8").splitlines()
    assert [line.split(",")[3] for line in lines[1:]] == ["125.5000", "0.9999", "30.0000", "7.0000"]


def test_an_output_replaces_an_existing_file_and_leaves_no_temporary_file(
    rfm: Rfm, orders: Path, tmp_path: Path
) -> None:
    (tmp_path / "a.csv").write_text("old", encoding="utf-8")
    assert rfm("run", orders, "-o", "a.csv").code == 0
    assert len(read_back(tmp_path / "a.csv")) == 4
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.csv", "orders.csv", "rfm.duckdb"]


# Earlier segments

HISTORY = """\
customer_id,order_date,amount
steady,2024-03-20,5
steady,2024-06-20,5
gone,2024-03-01,5
new,2024-06-29,5
"""
FIXED = """\
[scoring]
method = "fixed"
recency.edges = [30, 90, 180]
frequency.edges = [1, 2, 3]
monetary.edges = [10, 100, 1000]
"""
SEGMENT_HISTORY = (
    "SELECT customer_id, segment, previous_segment, segment_since::TEXT, as_of_date::TEXT"
    " FROM rfm_segments ORDER BY customer_id"
)
IN_MARCH = [
    ("gone", "New Customers", None, "2024-03-31", "2024-03-31"),
    ("steady", "New Customers", None, "2024-03-31", "2024-03-31"),
]
IN_JUNE = [
    ("gone", "About to Sleep", "New Customers", "2024-06-30", "2024-06-30"),
    ("new", "New Customers", None, "2024-06-30", "2024-06-30"),
    ("steady", "New Customers", "New Customers", "2024-03-31", "2024-06-30"),
]


@pytest.fixture
def history(tmp_path: Path) -> Path:
    (tmp_path / "rfm.toml").write_text(FIXED, encoding="utf-8")
    path = tmp_path / "history.csv"
    path.write_text(HISTORY, encoding="utf-8")
    return path


@pytest.mark.slow
def test_a_later_date_has_the_previous_segment_of_each_customer(
    rfm: Rfm, history: Path, tmp_path: Path
) -> None:
    assert rfm("run", history, "--as-of", "2024-03-31").code == 0
    assert published(tmp_path / "rfm.duckdb", SEGMENT_HISTORY) == IN_MARCH
    assert rfm("run", history, "--as-of", "2024-06-30").code == 0
    assert published(tmp_path / "rfm.duckdb", SEGMENT_HISTORY) == IN_JUNE


@pytest.mark.slow
@pytest.mark.guarantee("rerun")
def test_a_rerun_of_the_same_date_changes_only_the_run_id(rfm: Rfm, history: Path, tmp_path: Path) -> None:
    file = tmp_path / "rfm.duckdb"
    for as_of in ("2024-03-31", "2024-06-30"):
        assert rfm("run", history, "--as-of", as_of).code == 0
        before = published(file)
        assert rfm("run", history, "--as-of", as_of).code == 0
        after = published(file)
        assert [row[:-1] for row in after] == [row[:-1] for row in before]
        assert {row[-1] for row in after}.isdisjoint({row[-1] for row in before})
    assert published(file, SEGMENT_HISTORY) == IN_JUNE


@pytest.mark.slow
def test_an_earlier_date_is_not_affected_by_a_later_one(rfm: Rfm, history: Path, tmp_path: Path) -> None:
    assert rfm("run", history, "--as-of", "2024-06-30").code == 0
    file = tmp_path / "rfm.duckdb"
    before = published(file)
    assert rfm("run", history, "--as-of", "2024-03-31").code == 0
    assert published(file) == before
    in_march = SEGMENT_HISTORY.replace("ORDER", "WHERE as_of_date = '2024-03-31' ORDER")
    assert published(file, in_march.replace("rfm_segments", "rfm_segments_history")) == IN_MARCH


def test_the_order_of_the_lines_does_not_affect_the_rows(rfm: Rfm, orders: Path, tmp_path: Path) -> None:
    header, *lines = ORDERS.splitlines()
    shuffled = tmp_path / "shuffled.csv"
    shuffled.write_text("\n".join([header, *reversed(lines)]), encoding="utf-8")
    assert rfm("run", orders, "--to", "duckdb:a.duckdb").code == 0
    assert rfm("run", shuffled, "--to", "duckdb:b.duckdb").code == 0
    assert without_run_id(tmp_path / "a.duckdb") == without_run_id(tmp_path / "b.duckdb")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such modes")
def test_an_output_is_for_its_owner_unless_it_exists_with_another_mode(rfm: Rfm, tmp_path: Path) -> None:
    (tmp_path / "orders.csv").write_text(ORDERS, encoding="utf-8")
    names = ("a.csv", "a.tsv", "a.parquet", "a.json", "a.ndjson", "a.xlsx")
    outputs = [part for name in names for part in ("-o", name)]
    assert rfm("run", "orders.csv", "--quiet", *outputs).code == 0
    assert {name: (tmp_path / name).stat().st_mode & 0o777 for name in names} == dict.fromkeys(names, 0o600)
    (tmp_path / "a.csv").chmod(0o640)
    assert rfm("run", "orders.csv", "--quiet", *outputs).code == 0
    assert (tmp_path / "a.csv").stat().st_mode & 0o777 == 0o640


@pytest.mark.slow
def test_an_output_that_can_not_be_replaced_hides_no_other_failure(
    rfm: Rfm, orders: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Folders come to be in their places during the run; the output between them is written all the same."""
    publish = run_module._publish

    def publish_and_make_folders(plan: Plan, record: RunRecord) -> None:
        publish(plan, record)
        for name in ("a.csv", "c.html"):
            (tmp_path / name / "full").mkdir(parents=True)

    monkeypatch.setattr(run_module, "_publish", publish_and_make_folders)
    outputs = ("-o", "a.csv", "-o", "b.csv", "--report", "c.html")
    sentence, hint = refused(rfm("run", orders, *outputs), code=4)
    assert sentence == "The result was published, but the output a.csv can't be written: is a directory."
    assert hint.startswith(
        "look at what is there, and run again. The result was published, but not reported:"
    )
    assert (tmp_path / "b.csv").is_file()
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith(".")) == []
