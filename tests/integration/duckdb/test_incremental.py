"""Incremental runs on DuckDB: which files are read, and what becomes of kept orders that are wrong."""

from __future__ import annotations

import json
import os
import shutil
import stat
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import duckdb
import pytest
import xlsxwriter

from support.cli import Outcome, Rfm
from support.shops import current, day, write_orders

KEPT = ".rfm.duckdb.rfm_segments.orders"
MANIFEST = f"{KEPT}/manifest.json"
RUN = ("run", "orders", "--incremental", "--json")


def add_day(number: int, *lines: str) -> Path:
    """Write the file of a day, with an order of two customers besides the given lines."""
    path = Path("orders") / f"{number:03}.csv"
    own = [f"c00{customer},{number}-{customer},{day(number)},9.5" for customer in (1, 2)]
    path.write_text("\n".join(["customer_id,order_id,date,amount", *own, *lines, ""]), encoding="utf-8")
    return path


@pytest.fixture
def shop(tmp_path: Path, rfm: Rfm, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the files of a shop, and a result of an incremental run.

    Else a source as small as this one compares the orders of its files at once, and takes no customers over.
    """
    monkeypatch.setattr("rfm_pipeline.pipeline.shared_orders._ALWAYS_COMPARED_BYTES", 0)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "orders").mkdir()
    write_orders(tmp_path / "orders").rename(tmp_path / "orders" / "000.csv")
    for number in (40, 41):
        add_day(number)
    assert parts(rfm(*RUN)) == (3, 0, "no orders are kept yet")
    return tmp_path


def parts(ended: Outcome) -> tuple[int, int, str | None]:
    """Return the numbers of files that a run read and took over, and why it read all."""
    assert ended.code == 0, ended.stderr
    read = ended.json["parts"]
    return read["read"], read["kept"], read["why_all"]


def full_result(rfm: Rfm, *flags: str) -> list[dict[str, Any]]:
    """Return the rows of a run that reads everything, without what follows from earlier results."""
    assert rfm("run", "orders", "--to", "duckdb:full.duckdb", *flags, "-q").code == 0
    return without_history(current(Path("full.duckdb")))


def without_history(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {name: value for name, value in row.items() if name not in {"previous_segment", "segment_since"}}
        for row in rows
    ]


def is_right(rfm: Rfm, *flags: str) -> bool:
    return without_history(current(Path("rfm.duckdb"))) == full_result(rfm, *flags)


@pytest.mark.guarantee("incremental")
def test_a_run_reads_new_and_changed_files_only(shop: Path, rfm: Rfm) -> None:
    add_day(42)
    assert parts(rfm(*RUN)) == (1, 3, None)
    assert is_right(rfm)
    add_day(41, f"c003,new,{day(41)},20")
    assert parts(rfm(*RUN)) == (1, 3, None)
    (shop / "orders" / "040.csv").unlink()
    assert parts(rfm(*RUN)) == (0, 3, None)
    assert is_right(rfm)
    assert parts(rfm(*RUN)) == (0, 3, None)
    shown = rfm("runs", rfm(*RUN).json["run_id"]).stdout
    assert "0 read, 3 unchanged" in shown


def copy_of_a_day() -> None:
    shutil.copy("orders/040.csv", "orders/040 (1).csv")


CHANGES: Mapping[str, Callable[[], object]] = {
    "a file is gone": lambda: Path("orders/040.csv").unlink(),
    "a file has another line": lambda: add_day(40, f"c003,new,{day(40)},20"),
    "a file is there twice": copy_of_a_day,
    "an order of an earlier file": lambda: add_day(42, f"c001,40-1,{day(42)},20"),
    "a refund of an earlier file's order": lambda: add_day(42, f"c001,40-1,{day(42)},-9.5"),
    "an order without a customer": lambda: add_day(42, f",none,{day(42)},20"),
    "an order of tomorrow": lambda: add_day(42, "c001,late,2999-01-01,20"),
}
"""Changes of the shop's files by their names."""


RULES = {
    "plain": (),
    "net": ("--returns", "net"),
    "window": ("--window", "25 days"),
    "gaps": ("--preset", "lifecycle"),
}
"""Flags of rules that decide whether customers can be taken over, and how new orders are added to theirs."""


@pytest.mark.guarantee("incremental")
@pytest.mark.parametrize("rules", RULES)
@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.matrix
@pytest.mark.slow
def test_each_line_is_accounted_for_as_in_a_full_run(shop: Path, rfm: Rfm, change: str, rules: str) -> None:
    """In the run after a change, and in those after it, which take its customers over."""
    run = (*RUN, *RULES[rules], "--same-order", "last")
    assert rfm(*run).code == 0
    CHANGES[change]()
    for number in (43, 44):
        kept = rfm(*run)
        full = rfm("run", "orders", *run[3:], "--to", "duckdb:full.duckdb")
        assert kept.code == full.code == 0, kept.stderr + full.stderr
        for name in ("rows", "amount", "customers", "orders", "revenue", "segments", "edges"):
            assert kept.json[name] == full.json[name], name
        add_day(number, f"c002,40-2,{day(number)},7")


@pytest.mark.parametrize(
    "amounts",
    [
        pytest.param((15, 15, 30), id="smallest"),
        pytest.param((10, 25, 25), id="largest", marks=pytest.mark.long),
    ],
)
def test_an_order_with_other_lines_in_another_file_is_a_question(
    shop: Path, rfm: Rfm, amounts: tuple[int, ...]
) -> None:
    """The copies have equal totals, and only the smallest or the largest of their lines differs."""
    for number, each in ((42, (10, 20, 30)), (43, amounts)):
        if number == 43:
            assert parts(rfm(*RUN))[0] == 1
        add_day(number, *(f"c003,twice,{day(42)},{amount}" for amount in each))
    kept, full = rfm(*RUN), rfm("run", "orders", "--to", "duckdb:full.duckdb")
    assert kept.code == full.code == 2
    assert kept.stderr == full.stderr
    assert "1 order is in several files with different lines" in kept.stderr


@pytest.mark.long
def test_a_new_order_is_one_of_all_orders_that_the_median_gap_is_taken_of(shop: Path, rfm: Rfm) -> None:
    """The gaps of 10 and 35 days have a median of 22.5, and 30 days have passed: due, not yet slipping."""
    run = (*RUN, "--preset", "lifecycle")
    add_day(42, *(f"c900,{number},{day(number)},20" for number in (0, 10)))
    assert rfm(*run).code == 0
    add_day(75, f"c900,45,{day(45)},20")
    assert parts(rfm(*run)) == (1, 4, None)
    segments = {row["customer_id"]: row["segment"] for row in current(Path("rfm.duckdb"))}
    assert segments["c900"] == "Due"


@pytest.mark.long
def test_one_file_that_becomes_two_is_not_read_again(tmp_path: Path, rfm: Rfm) -> None:
    folder = tmp_path / "orders"
    folder.mkdir()
    written = write_orders(tmp_path)
    for number, read in enumerate([(1, 0, "no orders are kept yet"), (1, 1, None)]):
        path = folder / f"{number}.parquet"
        names = ", ".join(f"{name} || '-{number}' AS {name}" for name in ("customer_id", "order_id"))
        duckdb.execute(f"COPY (SELECT * REPLACE ({names}) FROM read_csv('{written}')) TO '{path}'")
        assert parts(rfm(*RUN)) == read
        assert is_right(rfm)
    (folder / "0.parquet").unlink()
    assert parts(rfm(*RUN, "--replace-source")) == (0, 1, None)
    assert is_right(rfm, "--replace-source")


@pytest.mark.slow
def test_an_edit_without_a_trace_is_found_by_a_check(shop: Path, rfm: Rfm) -> None:
    """A file of the same size, time and end is taken for unchanged, until all files are read."""
    path = add_day(42, *(f"c1{number:03},{number},{day(42)},7.5" for number in range(400)))
    assert parts(rfm(*RUN)) == (1, 3, None)
    before = path.stat()
    path.write_text(path.read_text(encoding="utf-8").replace(",9.5", ",8.5", 1), encoding="utf-8")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert parts(rfm(*RUN)) == (0, 4, None)
    checked = rfm(*RUN, "--full")
    assert checked.json["parts"]["different"] == 1
    (audit,) = (audit for audit in checked.json["audits"] if audit["name"] == "kept_orders")
    assert audit["status"] == "warning"
    assert is_right(rfm)


def test_full_is_about_incremental_runs(shop: Path, rfm: Rfm) -> None:
    ended = rfm("run", "orders", "--full")
    assert ended.code == 2
    assert "--full is about incremental runs" in ended.stderr


@pytest.mark.parametrize(
    ("flags", "why"),
    [
        (("--returns", "net"), "the settings"),
        (("--exclude", "own=customer_id = 'c001'"), "the settings"),
        (("--full",), "--full asks for it"),
    ],
)
@pytest.mark.matrix
def test_all_files_are_read_if_the_orders_may_be_others(
    shop: Path, rfm: Rfm, flags: tuple[str, ...], why: str
) -> None:
    add_day(42)
    read, kept, because = parts(rfm(*RUN, *flags))
    assert (read, kept) == (4, 0)
    assert because is not None
    assert because.startswith(why)
    assert is_right(rfm, *(flag for flag in flags if flag != "--full"))


@pytest.mark.parametrize(
    "flags", [("--as-of", day(39)), ("--window", "20 days"), ("--since", day(10)), ("--preset", "grid")]
)
@pytest.mark.matrix
def test_dates_windows_and_scores_need_no_other_orders(shop: Path, rfm: Rfm, flags: tuple[str, ...]) -> None:
    add_day(42)
    assert parts(rfm(*RUN, *flags)) == (1, 3, None)
    rows = "FROM rfm_segments_history WHERE as_of_date = (SELECT MIN(as_of_date) FROM rfm_segments_history)"
    with duckdb.connect("rfm.duckdb", read_only=True) as kept:
        published = kept.execute(f"SELECT COUNT(*), SUM(monetary), SUM(recency_days) {rows}").fetchall()
    assert rfm("run", "orders", "--to", "duckdb:full.duckdb", *flags, "-q").code == 0
    with duckdb.connect("full.duckdb", read_only=True) as full:
        expected = full.execute(f"SELECT COUNT(*), SUM(monetary), SUM(recency_days) {rows}").fetchall()
    if flags[0] == "--as-of":
        assert published == expected
    else:
        assert is_right(rfm, *flags)


@pytest.mark.slow
def test_another_column_is_another_query(shop: Path, rfm: Rfm) -> None:
    path = add_day(42)
    lines = path.read_text(encoding="utf-8").splitlines()
    path.write_text("\n".join([f"{lines[0]},note", *(f"{line},x" for line in lines[1:])]), encoding="utf-8")
    assert parts(rfm(*RUN))[:2] == (4, 0)


def damage(text: str) -> None:
    Path(MANIFEST).write_text(text, encoding="utf-8")


@pytest.mark.parametrize(
    "what", ["no manifest", "no JSON", "another format", "a file is gone", "a file is cut"]
)
@pytest.mark.matrix
def test_a_damaged_folder_is_read_anew(shop: Path, rfm: Rfm, what: str) -> None:
    manifest = json.loads(Path(MANIFEST).read_text(encoding="utf-8"))
    file = Path(KEPT) / manifest["files"][0]["name"]
    if what == "no manifest":
        Path(MANIFEST).unlink()
    elif what == "no JSON":
        damage("{")
    elif what == "another format":
        damage(json.dumps({**manifest, "format": 99}))
    elif what == "a file is gone":
        file.unlink()
    elif what == "a file is cut":
        file.write_bytes(file.read_bytes()[:-9])
    else:
        file.write_bytes(file.read_bytes()[:-9] + b"123456789")
    add_day(42)
    assert parts(rfm(*RUN))[:2] == (4, 0)
    assert is_right(rfm)
    assert parts(rfm(*RUN)) == (0, 4, None)


@pytest.mark.guarantee("incremental")
def test_the_kept_orders_are_checked_and_healed(
    shop: Path, rfm: Rfm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RFM_CHECK_EVERY", "2")
    manifest = json.loads(Path(MANIFEST).read_text(encoding="utf-8"))
    edited = Path(KEPT) / manifest["files"][-1]["name"]
    rows = f"SELECT * REPLACE (amount + 1 AS amount) FROM read_parquet('{edited}')"
    duckdb.execute(f"COPY ({rows}) TO 'edited' (FORMAT parquet)")
    Path("edited").replace(edited)
    manifest["files"][-1]["size"] = edited.stat().st_size
    manifest["files"][-1]["checksum"] = zlib.crc32(edited.read_bytes())
    damage(json.dumps(manifest))
    assert parts(rfm(*RUN)) == (0, 3, None)
    checked = rfm(*RUN)
    assert parts(checked)[:2] == (3, 0)
    assert checked.json["parts"]["different"] == 1
    (audit,) = (audit for audit in checked.json["audits"] if audit["name"] == "kept_orders")
    assert audit["status"] == "warning"
    assert is_right(rfm)
    again = [rfm(*RUN) for _ in range(2)][-1]
    assert again.json["parts"]["different"] == 0
    assert "kept_orders" in {audit["name"] for audit in again.json["audits"] if audit["status"] == "passed"}


def test_kept_orders_are_for_their_owner_and_no_part_of_a_source(shop: Path, rfm: Rfm) -> None:
    assert stat.S_IMODE(Path(KEPT).stat().st_mode) == 0o700
    ended = rfm("run", ".", "--incremental", "--json")
    assert parts(ended) == (0, 3, None), "neither the destination nor what lies beside it is read"


def test_forgotten_customers_are_not_kept(shop: Path, rfm: Rfm) -> None:
    assert rfm("forget", "c001").code == 0
    assert not Path(KEPT).exists()
    ended = rfm(*RUN)
    assert ended.json["parts"] is None
    assert (
        "incremental: all lines are read, as the orders of forgotten customers must not be kept"
        in (ended.json["notes"])
    )
    assert not Path(KEPT).exists()
    assert "c001" not in {row["customer_id"] for row in current(shop / "rfm.duckdb")}


def test_a_check_keeps_nothing(shop: Path, rfm: Rfm) -> None:
    before = {path: path.read_bytes() for path in Path(KEPT).iterdir()}
    add_day(42)
    assert rfm("check", "orders", "--config", _settings(shop, "incremental = true")).code == 0
    assert {path: path.read_bytes() for path in Path(KEPT).iterdir()} == before


@pytest.mark.slow
def test_another_source_that_is_refused_changes_no_kept_orders(shop: Path, rfm: Rfm) -> None:
    (shop / "other").mkdir()
    rows = [f"x{number},{number},{day(number % 30)},5" for number in range(60)]
    text = "\n".join(["customer_id,order_id,date,amount", *rows])
    (shop / "other" / "1.csv").write_text(text, encoding="utf-8")
    assert rfm("run", "other", "--incremental").code == 2
    assert parts(rfm(*RUN)) == (0, 3, None)


def test_files_of_others_stay_and_links_are_not_followed(shop: Path, rfm: Rfm) -> None:
    (Path(KEPT) / "thesis.txt").write_text("years of work", encoding="utf-8")
    add_day(42)
    assert parts(rfm(*RUN)) == (1, 3, None)
    assert (Path(KEPT) / "thesis.txt").exists()
    shutil.rmtree(KEPT)
    (shop / "precious").mkdir()
    Path(KEPT).symlink_to("precious")
    ended = rfm(*RUN)
    assert ended.code == 4
    assert "it is a link" in ended.stderr
    assert not list((shop / "precious").iterdir())
    assert rfm("forget", "c001").code == 0
    assert (shop / "precious").is_dir()


@pytest.mark.slow
def test_another_sheet_or_encoding_is_read_again(
    tmp_path: Path, rfm: Rfm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    workbook = xlsxwriter.Workbook("x.xlsx")
    for name, factor in (("One", 1), ("Two", 100)):
        sheet = workbook.add_worksheet(name)
        sheet.write_row(0, 0, ("customer_id", "order_id", "date", "amount"))
        for number in range(30):
            sheet.write_row(number + 1, 0, (f"c{number}", f"o{number}", day(number), factor * (number + 1)))
    workbook.close()
    for name, revenue in (("One", "465.00"), ("Two", "46500.00"), ("One", "465.00")):
        ended = rfm("run", "x.xlsx", "--sheet", name, "--incremental", "--json")
        assert ended.json["revenue"] == revenue
    lines = [f"Zoë{number % 3},{number},{day(number)},5" for number in range(30)]
    text = "\n".join(["customer_id,order_id,date,amount", *lines])
    Path("x.csv").write_text(text, encoding="latin-1")
    to = ("--to", "duckdb:csv.duckdb", "--replace-source", "--json")
    for encoding, expected in (("latin-1", "Zoë"), ("cp437", "Zoδ"), ("latin-1", "Zoë")):
        assert rfm("run", "x.csv", "--incremental", "--encoding", encoding, *to).code == 0
        assert {row["customer_id"][:3] for row in current(Path("csv.duckdb"))} == {expected}


@pytest.mark.slow
def test_files_of_other_types_are_cast_as_in_a_full_run(
    tmp_path: Path, rfm: Rfm, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The ids are BIGINT, DOUBLE and text: a DOUBLE does not hold each BIGINT."""
    monkeypatch.chdir(tmp_path)
    Path("o").mkdir()

    def write(name: str, type_: str, first: int) -> None:
        ids = f"CAST(9007199254740992 + {first} + i AS {type_}) AS order_id"
        others = "'c' || (i % 9) AS customer_id, DATE '2024-01-01' + i::INTEGER AS date, 5.0 AS amount"
        duckdb.execute(
            f"COPY (SELECT {ids}, {others} FROM range(40) AS t(i)) TO 'o/{name}.parquet' (FORMAT parquet)"
        )

    for name, type_, first in (("1", "BIGINT", 1), ("2", "DOUBLE", 100), ("3", "VARCHAR", 200)):
        write(name, type_, first)
    assert rfm("run", "o", "--incremental").code == 0
    write("4", "BIGINT", 301)
    write("5", "DOUBLE", 400)
    ended = rfm("run", "o", "--incremental", "--json")
    assert parts(ended) == (2, 3, None)
    full = rfm("run", "o", "--to", "duckdb:full.duckdb", "--json")
    assert (ended.json["orders"], ended.json["revenue"]) == (full.json["orders"], full.json["revenue"])


@pytest.mark.slow
def test_types_that_can_not_be_kept_are_read_whole(
    tmp_path: Path, rfm: Rfm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    rows = "SELECT i % 9 AS customer_id, TIMESTAMP '2024-01-01' + to_hours(i::INTEGER) AS order_id"
    duckdb.execute(
        f"COPY ({rows}, DATE '2024-01-01' + i::INTEGER AS date, 5.0 AS amount FROM range(40) AS t(i))"
        " TO 'x.parquet' (FORMAT parquet)"
    )
    ended = rfm("run", "x.parquet", "--incremental", "--json")
    assert ended.code == 0, ended.stderr
    assert "incremental: all lines are read, as the order_id has the type TIMESTAMP" in ended.json["notes"]


def test_an_audit_that_compared_nothing_is_none(shop: Path, rfm: Rfm) -> None:
    for path in (shop / "orders").iterdir():
        path.write_text(
            f"{path.read_text(encoding='utf-8').rstrip()}\nc009,late,{day(40)},3\n", encoding="utf-8"
        )
    ended = rfm(*RUN)
    assert parts(ended) == (3, 0, "no file is as it was")
    assert "kept_orders" not in {audit["name"] for audit in ended.json["audits"]}


@pytest.mark.slow
def test_a_rejected_run_keeps_what_it_read(shop: Path, rfm: Rfm) -> None:
    add_day(42)
    assert rfm(*RUN, "--config", _settings(shop, "audits.max_age = '1 day'")).code == 3
    assert parts(rfm(*RUN)) == (0, 4, None)
    assert is_right(rfm)


def _settings(folder: Path, text: str) -> Path:
    path = folder / "settings.toml"
    path.write_text(f"{text}\n", encoding="utf-8")
    return path


@pytest.mark.slow
def test_a_folder_that_cannot_be_written_is_named(shop: Path, rfm: Rfm) -> None:
    before = current(shop / "rfm.duckdb")
    add_day(42)
    for path in Path(KEPT).iterdir():
        path.unlink()
    Path(KEPT).rmdir()
    Path(KEPT).write_text("", encoding="utf-8")
    ended = rfm(*RUN)
    assert ended.code == 4
    assert "can't be kept in" in ended.stderr
    assert "run without incremental" in ended.stderr
    assert current(shop / "rfm.duckdb") == before


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("duckdb:shop.duckdb#lines", "the source is no file, folder or pattern of files"),
        ("customers.csv", "each line of the source is a customer"),
    ],
)
@pytest.mark.matrix
def test_sources_without_parts_are_read_whole_and_say_why(
    tmp_path: Path, rfm: Rfm, monkeypatch: pytest.MonkeyPatch, source: str, why: str
) -> None:
    monkeypatch.chdir(tmp_path)
    orders = write_orders(tmp_path)
    with duckdb.connect("shop.duckdb") as connection:
        connection.execute(f"CREATE TABLE lines AS FROM read_csv('{orders}')")
    rows = [f"c{number},{number % 5 + 1},{number}.5,{day(number % 9)}" for number in range(60)]
    header = "customer_id,number_of_orders,total_spent,last_order"
    Path("customers.csv").write_text("\n".join([header, *rows]), encoding="utf-8")
    ended = rfm("run", source, "--incremental", "--json")
    assert ended.code == 0, ended.stderr
    assert ended.json["parts"] is None
    assert f"incremental: all lines are read, as {why}" in ended.json["notes"]
    assert not Path(KEPT).exists()


@pytest.mark.slow
def test_a_backfill_reads_the_files_once(shop: Path, rfm: Rfm) -> None:
    ended = rfm("backfill", "orders", "--incremental", "--from", day(20), "--until", day(22), "--json")
    assert ended.code == 0, ended.stderr
    runs = json.loads(rfm("runs", "--json").stdout)
    read = [run["rules"].get("parts") for run in runs["runs"] if run["kind"] == "backfill"]
    assert [(part["read"], part["kept"]) for part in read] == [(0, 3)] * 3


@pytest.mark.parametrize("command", ["run", "report", "export"])
@pytest.mark.matrix
def test_kept_orders_are_not_overwritten_by_an_output(shop: Path, rfm: Rfm, command: str) -> None:
    before = {path.name: path.read_bytes() for path in Path(KEPT).iterdir()}
    name = f"{KEPT}/{next(name for name in before if name != 'manifest.json')}"
    linked = Path("linked.csv" if command != "report" else "linked.html")
    linked.symlink_to(name)
    flags = {
        "run": (*RUN, "--output", linked),
        "report": ("report", "-o", linked),
        "export": ("export", "--segment", "Champions", "-o", linked),
    }
    ended = rfm(*flags[command])
    assert ended.code == 2
    assert "a file of the orders that incremental runs keep" in ended.stderr
    assert {path.name: path.read_bytes() for path in Path(KEPT).iterdir()} == before


@pytest.mark.slow
def test_a_source_may_be_named_from_another_folder(
    shop: Path, rfm: Rfm, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_day(42)
    (shop / "job").mkdir()
    monkeypatch.chdir(shop / "job")
    run = ("run", "../orders", "--incremental", "--json", "--to", "duckdb:../rfm.duckdb")
    assert parts(rfm(*run))[:2] == (4, 0), "the paths are others"
    assert parts(rfm(*run)) == (0, 4, None)


@pytest.mark.slow
def test_a_destination_of_parquet_files_keeps_orders_too(shop: Path, rfm: Rfm) -> None:
    run = (*RUN, "--to", "segments/")
    assert parts(rfm(*run))[0] == 3
    add_day(42)
    assert parts(rfm(*run)) == (1, 3, None)
    assert Path("segments/.rfm_segments.parquet.rfm_segments.orders").is_dir()
    assert rfm("forget", "c001", "--to", "segments/").code == 0
    assert not Path("segments/.rfm_segments.parquet.rfm_segments.orders").exists()


@pytest.mark.slow
def test_many_small_files_are_merged(shop: Path, rfm: Rfm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rfm_pipeline.warehouse.duckdb.kept_orders._MOST_FILES", 4)
    for number in range(42, 46):
        add_day(number)
        assert parts(rfm(*RUN))[0] == 1
        files = [path for path in Path(KEPT).iterdir() if path.name != "manifest.json"]
        assert len(files) <= 6
        assert is_right(rfm)
