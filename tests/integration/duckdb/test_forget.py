"""`rfm forget` on DuckDB: customers leave all results, and stay out of later runs."""

from __future__ import annotations

import io
import re
from contextlib import closing
from pathlib import Path

import duckdb
import pytest

from support.cli import Rfm
from support.databases import database
from support.orders import refused
from support.shops import current, day, history, rows_of, runs, write_orders

FORGOTTEN = ("c029", "c000")


@pytest.fixture
def published(tmp_path: Path, rfm: Rfm) -> Path:
    """A destination with results as of two days."""
    write_orders(tmp_path)
    for number in (10, 20):
        assert rfm("run", "orders.csv", "--as-of", day(number)).code == 0
    return tmp_path / "rfm.duckdb"


def everything(file: Path) -> str:
    """Return all values of all tables of a database, as text."""
    with database(file) as connection:
        tables = connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()
        return "\n".join(str(connection.execute(f"FROM {table}").fetchall()) for (table,) in tables)


def names(text: str, customer: str) -> bool:
    """Return whether a text names a customer, whose id may also be a part of a hash."""
    return re.search(rf"(?<![0-9a-f]){customer}(?![0-9a-f])", text) is not None


def test_customers_leave_the_results_and_the_record_does_not_name_them(published: Path, rfm: Rfm) -> None:
    before = history(published)
    removed = sum(row["customer_id"] in FORGOTTEN for rows in before.values() for row in rows)
    ended = rfm("forget", *FORGOTTEN, "--json")
    assert ended.code == 0, ended.stderr
    assert {name: ended.json[name] for name in ("status", "customers", "history", "dates", "left_out")} == {
        "status": "forgotten", "customers": 2, "history": removed, "dates": 2, "left_out": 2,
    }  # fmt: skip
    assert not any(names(ended.stdout + ended.stderr, customer) for customer in FORGOTTEN)
    assert not any(names(everything(published), customer) for customer in FORGOTTEN)
    for as_of, rows in history(published).items():
        assert rows == [row for row in before[as_of] if row["customer_id"] not in FORGOTTEN]
    shown = rfm("runs", ended.json["run_id"])
    assert "2 forgotten" in shown.stdout
    assert f"{removed} of the history as of 2 dates" in shown.stdout
    # The checksums are those of the rows that stay.
    assert rfm("transitions").code == 0
    restored = rfm("rollback", "--json")
    assert restored.code == 0, restored.stderr
    assert restored.json["customers"] == len(current(published))
    assert restored.json["is_checked"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "flags",
    [
        ("--as-of", day(30)),
        ("--as-of", day(30), "--returns", "net"),
        ("--window", "20 days"),
        ("--window", "20 days", "--returns", "net"),
        ("--order-id", "none", "--window", "20 days"),
    ],
    ids=" ".join,
)
def test_a_run_after_it_is_as_if_the_source_had_no_line_of_the_customers(
    flags: tuple[str, ...], tmp_path: Path, rfm: Rfm
) -> None:
    source = write_orders(tmp_path)
    lines = source.read_text(encoding="utf-8").splitlines()
    newest = max(lines[1:], key=lambda line: line.split(",")[2])
    assert newest.split(",")[0] in FORGOTTEN
    others = [line for line in lines if line.split(",")[0] not in FORGOTTEN]
    (tmp_path / "others.csv").write_text("\n".join(others) + "\n", encoding="utf-8")
    assert rfm("run", "orders.csv", *flags).code == 0
    assert rfm("forget", *FORGOTTEN).code == 0
    ended = rfm("run", "orders.csv", *flags, "--json")
    assert ended.code == 0, ended.stderr
    assert rfm("run", "others.csv", *flags, "--to", "duckdb:others.duckdb").code == 0
    as_of = ended.json["as_of"]
    expected = history(tmp_path / "others.duckdb")
    assert list(expected) == [as_of]
    assert history(tmp_path / "rfm.duckdb")[as_of] == expected[as_of]
    rows = ended.json["rows"]
    assert rows["read"] == rows["kept"] + sum(rows["excluded"].values()) == len(lines) - 1
    assert rows["excluded"]["forgotten"] > 0


@pytest.mark.slow
def test_undo_lets_later_runs_read_the_customers_again(published: Path, rfm: Rfm) -> None:
    before = current(published)
    assert rfm("forget", *FORGOTTEN).code == 0
    assert rfm("forget", FORGOTTEN[0], "--undo", "--json").json["left_out"] == 1
    assert rfm("run", "orders.csv", "--as-of", day(20)).code == 0
    customers = {row["customer_id"] for row in current(published)}
    assert {row["customer_id"] for row in before} - customers == {FORGOTTEN[1]}
    sentence, hint = refused(rfm("forget", FORGOTTEN[0], "--undo"))
    assert "was not forgotten at duckdb:" in sentence
    assert "nothing was changed" in hint
    assert rfm("forget", FORGOTTEN[1], "--undo").code == 0
    # The first date was published with other edges since, and the second one follows it.
    assert rfm("backfill", "orders.csv", "--from", day(10), "--until", day(10)).code == 0
    assert rfm("run", "orders.csv", "--as-of", day(20)).code == 0
    assert current(published) == before


@pytest.mark.slow
def test_a_dry_run_and_an_unknown_customer_change_nothing(published: Path, rfm: Rfm) -> None:
    bytes_before = published.read_bytes()
    checked = rfm("forget", *FORGOTTEN, "--dry-run", "--json")
    assert checked.code == 0, checked.stderr
    assert (checked.json["status"], checked.json["run_id"], checked.json["current"]) == ("checked", None, 2)
    for customers in ((FORGOTTEN[0], "nobody@example.com"), (" ",)):
        sentence, hint = refused(rfm("forget", *customers))
        assert "nobody@" not in sentence + hint
    sentence, _ = refused(rfm("forget", FORGOTTEN[0], "nobody@example.com"))
    assert "'n...@example.com' occurs neither in the current result nor in the history" in sentence
    assert published.read_bytes() == bytes_before
    sentence, _ = refused(rfm("forget", FORGOTTEN[0], "--to", "duckdb:empty.duckdb"))
    assert sentence.endswith("has no result.")


@pytest.mark.slow
def test_kept_rejected_results_are_removed(published: Path, rfm: Rfm) -> None:
    settings = published.with_name("rfm.toml")
    settings.write_text('[audits.queries]\nnever = "SELECT 1 AS one FROM segments"\n', encoding="utf-8")
    assert rfm("run", "orders.csv", "--as-of", day(21)).code == 3
    settings.unlink()
    (kept,) = published.parent.glob("*.rejected-*")
    ended = rfm("forget", FORGOTTEN[0], "--json")
    assert ended.json["kept_results"] == 1
    assert not kept.exists()


@pytest.mark.slow
def test_rows_that_were_edited_before_are_still_refused(published: Path, rfm: Rfm) -> None:
    with closing(duckdb.connect(str(published))) as connection:
        connection.execute(
            f"UPDATE rfm_segments_rows SET monetary = monetary + 1 WHERE as_of_date = '{day(10)}'"
        )
    assert rfm("forget", FORGOTTEN[0]).code == 0
    sentence, _ = refused(rfm("rollback"))
    assert f" as of {day(10)}" in sentence
    assert sentence.endswith("the rows were edited.")


@pytest.mark.slow
def test_ids_are_read_as_a_run_reads_them(tmp_path: Path, rfm: Rfm, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "shop.csv").write_text(
        "customer_id,order_date,amount\nJane@Example.com,2024-01-10,5\nÉVA@example.com,2024-01-11,6\n"
        "O'Neil,2024-01-12,7\nlast,2024-01-13,7\n",
        encoding="utf-8",
    )
    assert rfm("run", "shop.csv").code == 0
    monkeypatch.setattr("sys.stdin", io.StringIO(" JANE@example.COM\n\néva@EXAMPLE.com \n"))
    ended = rfm("forget", "-", " O'Neil ", "jane@example.com", "--json")
    assert ended.code == 0, ended.stderr
    assert ended.json["customers"] == 3
    assert [row["customer_id"] for row in current(tmp_path / "rfm.duckdb")] == ["last"]
    again = rfm("forget", "jane@example.com", "--json")
    assert (again.code, again.json["current"], again.json["left_out"]) == (0, 0, 3)
    (tmp_path / "numbers.csv").write_text(
        "customer_id,order_date,amount\n17850,2024-01-10,5\n17851,2024-01-11,6\n", encoding="utf-8"
    )
    to = ("--to", "duckdb:numbers.duckdb")
    assert rfm("run", "numbers.csv", *to).code == 0
    assert rfm("forget", "17850.0", *to).code == 0
    assert rfm("run", "numbers.csv", *to).code == 0
    assert [row["customer_id"] for row in current(tmp_path / "numbers.duckdb")] == ["17851"]


@pytest.mark.slow
def test_a_failed_run_and_a_backfill_leave_the_customers_out(published: Path, rfm: Rfm) -> None:
    assert rfm("forget", FORGOTTEN[0]).code == 0
    ended = rfm("backfill", "orders.csv", "--from", day(10), "--until", day(20), "--every", "week", "--json")
    assert ended.code == 0, ended.stderr
    assert ended.json["skipped"] == []
    customers = rows_of(published, "SELECT DISTINCT customer_id FROM rfm_segments_history")
    assert FORGOTTEN[0] not in {row["customer_id"] for row in customers}
    assert [run["kind"] for run in runs(published)].count("forget") == 1
