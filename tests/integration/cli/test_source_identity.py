"""A destination remembers its source: another one is refused, unless it is meant to replace it."""

from __future__ import annotations

import io
import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import duckdb
import pytest

from support.cli import Rfm
from support.databases import database
from support.orders import contents, refused

COLUMNS = ("customer_id", "order_id", "date", "amount")


def write(
    path: Path,
    customers: range = range(40),
    *,
    columns: tuple[str, ...] = COLUMNS,
    day: str = "2024-03-01",
    lines: str = "",
) -> Path:
    """Write one order for each customer, and the further lines."""
    rows = [f"c{number:03},{number}-{day},{day},{number % 7 + 1}.50" for number in customers]
    path.write_text("\n".join([",".join(columns), *rows, lines]), encoding="utf-8")
    return path


def audits(result: Mapping[str, Any]) -> dict[str, str]:
    return {audit["name"]: audit["status"] for audit in result["audits"]}


def current(file: Path) -> list[tuple[Any, ...]]:
    with database(file) as connection:
        return connection.execute("FROM rfm_segments ORDER BY customer_id").fetchall()


@pytest.fixture
def published(rfm: Rfm, tmp_path: Path) -> Path:
    """Return a destination with the result of `orders.csv`."""
    assert rfm("run", write(tmp_path / "orders.csv"), "-q").code == 0
    return tmp_path / "rfm.duckdb"


# The same source


@pytest.mark.matrix
@pytest.mark.parametrize("name", ["orders-2024-04.csv", "sales_20240401.csv", "orders.tsv"])
def test_a_file_of_another_name_is_the_same_source(
    rfm: Rfm, published: Path, tmp_path: Path, name: str
) -> None:
    path = write(tmp_path / name, range(5, 45), day="2024-04-01")
    if path.suffix == ".tsv":
        path.write_text(path.read_text(encoding="utf-8").replace(",", "\t"), encoding="utf-8")
    result = rfm("run", path, "--json").json
    assert result["status"] == "published"
    assert audits(result)["customers_dropped"] == "passed"
    assert published.exists()


@pytest.mark.slow
def test_globs_folders_and_standard_input_are_the_same_source(
    rfm: Rfm, published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "exports"
    folder.mkdir()
    write(folder / "a.csv", range(20), day="2024-04-01")
    write(folder / "b.csv", range(20, 40), day="2024-04-02")
    assert rfm("run", folder, "-q").code == 0
    assert rfm("run", f"{folder}/*.csv", "-q").code == 0
    lines = io.TextIOWrapper(io.BytesIO((tmp_path / "orders.csv").read_bytes()))
    monkeypatch.setattr(sys, "stdin", lines)
    assert rfm("run", "-", "-q").code == 0


@pytest.mark.slow
def test_columns_that_differ_in_case_and_punctuation_are_the_same(
    rfm: Rfm, published: Path, tmp_path: Path
) -> None:
    path = write(tmp_path / "next.csv", columns=("Customer ID", "Order-ID", "Date", "AMOUNT"))
    assert rfm("run", path, "-q").code == 0


@pytest.mark.slow
def test_customers_outside_the_window_are_not_missing(rfm: Rfm, published: Path, tmp_path: Path) -> None:
    old = "\n".join(f"c{number:03},x{number},2022-01-01,5" for number in range(3, 40))
    path = write(tmp_path / "orders.csv", range(3), lines=old)
    result = rfm("run", path, "--window", "30 days", "--json").json
    assert (result["customers"], result["rows"]["excluded"]) == (3, {"outside_window": 37})


@pytest.mark.slow
def test_windows_without_a_common_day_are_not_compared(rfm: Rfm, published: Path, tmp_path: Path) -> None:
    path = write(tmp_path / "orders.csv", range(100, 140), day="2024-06-01")
    refused(rfm("run", path), code=2)
    assert rfm("run", path, "--window", "30 days", "-q").code == 0


@pytest.mark.slow
def test_an_older_result_of_the_same_source_can_be_published(
    rfm: Rfm, published: Path, tmp_path: Path
) -> None:
    early = "\n".join(f"c{number:03},e{number},2023-01-01,5" for number in range(3))
    path = write(tmp_path / "orders.csv", lines=early)
    result = rfm("run", path, "--as-of", "2023-02-01", "--json").json
    assert (result["status"], result["customers"]) == ("history_only", 3)


# Another source


@pytest.mark.guarantee("remembers-its-source")
def test_other_columns_are_refused_before_the_scan_and_nothing_changes(
    rfm: Rfm, published: Path, tmp_path: Path
) -> None:
    path = write(tmp_path / "b.csv", columns=("email", "order_id", "date", "total"))
    before = contents(tmp_path)
    sentence, hint = refused(rfm("run", path), code=2)
    assert sentence == (
        "duckdb:rfm.duckdb#rfm_segments has the result of another source: customer_id was `customer_id`, and"
        " is now `email`; amount was `amount`, and is now `total`."
    )
    assert "--to" in hint
    assert "--replace-source" in hint
    refused(rfm("check", path), code=2)
    refused(rfm("backfill", path, "--from", "2024-01-01", "--until", "2024-01-02"), code=2)
    assert contents(tmp_path) == before
    assert rfm("run", path, "--to", "duckdb:b.duckdb", "-q").code == 0
    result = rfm("run", path, "--replace-source", "--json").json
    assert result["status"] == "published"
    assert {audits(result)[name] for name in ("rows_dropped", "customers_dropped", "duplicate_load")} == {
        "not_compared"
    }
    # The new source is the one that is remembered.
    assert rfm("run", path, "-q").code == 0
    refused(rfm("run", tmp_path / "orders.csv"), code=2)


@pytest.mark.slow
def test_a_column_that_the_user_changes_on_purpose_takes_the_same_flag(
    rfm: Rfm, published: Path, tmp_path: Path
) -> None:
    arguments = ("run", tmp_path / "orders.csv", "--order-id", "none", "-q")
    sentence, _ = refused(rfm(*arguments), code=2)
    assert sentence.endswith("order_id was `order_id`, and is now no column.")
    assert rfm(*arguments, "--replace-source").code == 0


def test_a_source_of_another_kind_is_refused(rfm: Rfm, published: Path, tmp_path: Path) -> None:
    with duckdb.connect(str(tmp_path / "shop.duckdb")) as connection:
        connection.execute(f"CREATE TABLE lines AS FROM '{tmp_path / 'orders.csv'}'")
    sentence, _ = refused(rfm("run", "duckdb:shop.duckdb#lines"), code=2)
    assert sentence.endswith("it was read from files, and now from a DuckDB table.")


@pytest.mark.guarantee("remembers-its-source")
def test_other_customers_are_refused_after_staging_and_nothing_changes(
    rfm: Rfm, published: Path, tmp_path: Path
) -> None:
    path = write(tmp_path / "orders.csv", range(37, 90), day="2024-03-02")
    before = contents(tmp_path)
    sentence, hint = refused(rfm("run", path, "--output", "segments.csv"), code=2)
    assert sentence == (
        "duckdb:rfm.duckdb#rfm_segments has the result of another source: of the 40 customers of the current"
        " result, 3 occur in this source."
    )
    assert "--replace-source" in hint
    assert "c037" not in sentence + hint
    assert contents(tmp_path) == before
    result = rfm("run", path, "--replace-source", "--json").json
    assert (result["status"], audits(result)["customers_dropped"]) == ("published", "not_compared")
    assert len(current(published)) == 53


@pytest.mark.slow
@pytest.mark.parametrize(("first", "code"), [(36, 0), (37, 2)])
def test_one_in_ten_of_the_customers_is_enough(
    rfm: Rfm, published: Path, tmp_path: Path, first: int, code: int
) -> None:
    path = write(tmp_path / "orders.csv", range(first, first + 40), day="2024-03-02")
    assert rfm("run", path, "-q").code == code


@pytest.mark.slow
@pytest.mark.parametrize(("customers", "code"), [(19, 0), (20, 2)])
def test_small_results_are_told_apart_by_their_columns_only(
    rfm: Rfm, tmp_path: Path, customers: int, code: int
) -> None:
    assert rfm("run", write(tmp_path / "orders.csv", range(customers)), "-q").code == 0
    path = write(tmp_path / "orders.csv", range(100, 100 + customers), day="2024-03-02")
    assert rfm("run", path, "-q").code == code


@pytest.mark.slow
def test_a_backfill_of_another_source_is_refused_and_can_be_allowed(
    rfm: Rfm, published: Path, tmp_path: Path
) -> None:
    path = write(tmp_path / "b.csv", range(100, 140), day="2024-02-01")
    arguments = ("backfill", path, "--from", "2024-02-01", "--until", "2024-02-02", "--json")
    sentence, _ = refused(rfm(*arguments), code=2)
    assert "none occurs in this source" in sentence
    assert len(rfm(*arguments, "--replace-source").json["published"]) == 2


@pytest.mark.slow
def test_a_calibration_with_another_source_is_refused(rfm: Rfm, published: Path, tmp_path: Path) -> None:
    path = write(tmp_path / "b.csv", columns=("email", "order_id", "date", "amount"))
    refused(rfm("calibrate", path), code=2)


# Records


@pytest.mark.slow
def test_the_source_is_on_record(rfm: Rfm, published: Path) -> None:
    (record,) = rfm("runs", "--json").json["runs"]
    assert record["rules"]["source"] == {
        "kind": "files",
        "columns": {
            "customer_id": "customer_id",
            "order_id": "order_id",
            "ordered_at": "date",
            "amount": "amount",
        },
    }
    assert record["source"].endswith("orders.csv")
    rejected = {audit["name"]: audit for audit in record["audits"]}["rows_dropped"]
    assert (rejected["status"], rejected["detail"]) == (
        "not_compared",
        "Not compared: there is no earlier run.",
    )
    shown = rfm("runs", record["run_id"]).stdout
    assert re.search(r"\nrows_dropped +not compared +Not compared: there is no earlier run\.\n", shown)


@pytest.mark.slow
def test_a_record_of_an_earlier_version_refuses_nothing(rfm: Rfm, published: Path, tmp_path: Path) -> None:
    with duckdb.connect(str(published)) as connection:
        ((text,),) = connection.execute("SELECT rules FROM rfm_segments_runs").fetchall()
        rules = json.loads(text)
        del rules["source"]
        connection.execute("UPDATE rfm_segments_runs SET rules = ?", [json.dumps(rules)])
    path = write(tmp_path / "b.csv", range(100, 140), columns=("email", "order_id", "date", "total"))
    result = rfm("run", path, "--json").json
    assert audits(result)["rows_dropped"] == "not_compared"


@pytest.mark.slow
def test_after_a_rollback_the_source_of_the_restored_result_is_remembered(
    rfm: Rfm, published: Path, tmp_path: Path
) -> None:
    other = write(tmp_path / "b.csv", columns=("email", "order_id", "date", "total"), day="2024-03-02")
    assert rfm("run", other, "--replace-source", "-q").code == 0
    assert rfm("rollback", "--json").code == 0
    refused(rfm("run", other), code=2)
    assert rfm("run", tmp_path / "orders.csv", "-q").code == 0
