"""A destination of Parquet files: the same tables as in a DuckDB file, in files that any tool reads."""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from rfm_pipeline.common.installation import upgrade_hint
from rfm_pipeline.config.destination_location import ParquetDestinationLocation
from rfm_pipeline.config.engines import DuckDBSettings
from rfm_pipeline.config.loader import load_configuration
from rfm_pipeline.errors import LockedError
from rfm_pipeline.pipeline.progress import NullObserver
from rfm_pipeline.pipeline.run import execute_run, run, start_run
from rfm_pipeline.results.recognition import read_mark
from rfm_pipeline.results.tables import RESULT_COLUMNS, RUN_COLUMNS
from rfm_pipeline.warehouse.duckdb.lease import hold_lease
from rfm_pipeline.warehouse.local_destination import open_local_destination
from rfm_pipeline.warehouse.parquet.destination import ParquetDestination
from rfm_pipeline.warehouse.parquet.files import PublishedFiles
from support.cli import Outcome, Rfm
from support.orders import refused
from support.parquet_files import as_database, change_file
from support.shops import current, day, history, runs, write_orders

TO = ("--to", "segments.parquet")
ARROW_TYPES = {
    "text": "string", "integer": "int64", "small": "int32", "money": "decimal128(38, 9)",
    "date": "date32[day]", "instant": "timestamp[us]",
}  # fmt: skip
FILES = {"orders.csv", "segments.parquet", "segments_history", "segments_runs", "segments_runs/runs.parquet"}


def ok(ended: Outcome) -> Outcome:
    assert ended.code == 0, ended.stderr
    return ended


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a destination that has results as of two days."""
    folder = tmp_path_factory.mktemp("shop")
    flags = {"source": str(write_orders(folder)), "to": str(folder / "segments.parquet")}
    for number in (10, 20):
        run(load_configuration({**flags, "as_of": day(number)}, folder=folder, environ={}), NullObserver())
    return folder


@pytest.fixture
def published(shop: Path, tmp_path: Path) -> Path:
    """A copy of the destination of `shop`; returns the file of the current result."""
    shutil.copytree(shop, tmp_path, dirs_exist_ok=True)
    file = tmp_path / "segments.parquet"
    file.unlink()
    file.hardlink_to(dated(file, 20))
    return file


def names(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*")}


def dated(file: Path, number: int) -> Path:
    """Return the file of the history as of a day."""
    return file.with_name(f"{file.stem}_history") / f"{day(number)}.parquet"


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# Equality with a DuckDB file

STEPS: tuple[tuple[tuple[str, ...], Mapping[str, str]], ...] = (
    (("run", "orders.csv", "--as-of", day(10)), {}),
    (("run", "orders.csv", "--as-of", day(24)), {}),
    (("run", "orders.csv", "--as-of", day(24)), {}),
    (("backfill", "orders.csv", "--from", day(8), "--until", day(15), "--every", "week"), {}),
    (("rollback",), {}),
    (("run", "orders.csv", "--as-of", day(30)), {}),
    (("forget", "c003"), {}),
    (("run", "orders.csv", "--as-of", day(33)), {"RFM_HISTORY__KEEP": "10 days"}),
    (("rollback",), {}),
)
"""Commands with their environment variables."""


@pytest.mark.slow
def test_each_command_leaves_the_rows_that_a_duckdb_file_has(
    tmp_path: Path, rfm: Rfm, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_orders(tmp_path)
    tables = []
    for to in ("duckdb:rfm.duckdb", "segments.parquet"):
        for arguments, environment in STEPS:
            with monkeypatch.context() as patched:
                for name, value in environment.items():
                    patched.setenv(name, value)
                ok(rfm(*arguments, "--to", to))
        file = tmp_path / "rfm.duckdb"
        if to == "segments.parquet":
            file = as_database(tmp_path / to, tmp_path / "copy.duckdb")
        numbers = {record["run_id"]: number for number, record in enumerate(runs(file))}
        text = json.dumps([numbered(runs(file), numbers), current(file), history(file)], default=str)
        tables.append(json.loads(text))
    assert tables[0] == tables[1]
    assert len(tables[0][0]) >= len(STEPS)


def numbered(records: list[dict[str, Any]], numbers: Mapping[str, int]) -> list[dict[str, Any]]:
    """Return rows of the runs table without times and checksums, with numbers in place of ids."""
    rows = []
    for record in records:
        kept = {name: value for name, value in record.items() if not name.endswith("_at")}
        text = json.dumps({**kept, "rules": without_checksums(json.loads(record["rules"]))}, default=str)
        for run_id, number in numbers.items():
            text = text.replace(run_id, f"run {number}")
        rows.append(json.loads(text))
    return rows


def without_checksums(rules: Mapping[str, Any]) -> dict[str, Any]:
    """Return the rules of a record without what contains a random number, or the id of the run."""
    return {name: value for name, value in rules.items() if name not in {"checksum", "forget"}}


# The files


def test_each_file_has_the_stated_columns_and_a_mark(published: Path, rfm: Rfm) -> None:
    assert names(published.parent) == FILES | {
        f"segments_history/{day(number)}.parquet" for number in (10, 20)
    }
    files = {published: "history", dated(published, 10): "history", dated(published, 20): "history"}
    files[published.parent / "segments_runs" / "runs.parquet"] = "runs"
    for file, role in files.items():
        columns = RUN_COLUMNS if role == "runs" else RESULT_COLUMNS
        schema = pq.read_schema(file)
        assert {field.name: str(field.type) for field in schema} == {
            name: ARROW_TYPES[about.holds] for name, about in columns.items()
        }
        assert all(field.nullable for field in schema)
        mark = read_mark(schema.metadata[b"rfm"].decode())
        assert mark is not None
        assert mark.role == role


def test_the_current_result_is_stored_once(published: Path) -> None:
    assert published.samefile(dated(published, 20))
    read = pq.read_table(published)
    assert set(read["as_of_date"].to_pylist()) == {date_of(20)}
    assert read.num_rows == len(set(read["customer_id"].to_pylist()))


def date_of(number: int) -> date:
    return date.fromisoformat(day(number))


def test_a_file_system_without_links_gets_a_copy(
    published: Path, rfm: Rfm, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError("there are no links")

    monkeypatch.setattr(os, "link", refuse)
    ok(rfm("run", "orders.csv", "--as-of", day(30), *TO))
    assert published.read_bytes() == dated(published, 30).read_bytes()
    assert not published.samefile(dated(published, 30))


@pytest.mark.parametrize("to", ["lake/", "lake"])
def test_a_folder_has_the_files_under_the_usual_names(to: str, tmp_path: Path, rfm: Rfm) -> None:
    write_orders(tmp_path)
    if not to.endswith("/"):
        (tmp_path / to).mkdir()
    ended = ok(rfm("run", "orders.csv", "--as-of", day(20), "--to", to, "--json"))
    assert Path(ended.json["destination"]) == Path("lake/rfm_segments.parquet")
    assert names(tmp_path / "lake") == {
        "rfm_segments.parquet", "rfm_segments_history", f"rfm_segments_history/{day(20)}.parquet",
        "rfm_segments_runs", "rfm_segments_runs/runs.parquet",
    }  # fmt: skip
    assert rfm("runs", "--to", to, "--json").json["runs"][0]["status"] == "published"
    # The same destination by the name of its file.
    assert rfm("runs", "--to", "lake/rfm_segments.parquet", "--json").json["runs"]


def test_a_name_with_characters_of_patterns_is_a_name(tmp_path: Path, rfm: Rfm) -> None:
    write_orders(tmp_path)
    folder = tmp_path / "a [1] it's"
    folder.mkdir()
    for number in (10, 20):
        ok(rfm("run", "orders.csv", "--as-of", day(number), "--to", folder / "b's.parquet"))
    ok(rfm("rollback", "--to", folder / "b's.parquet"))


# Commands that read


@pytest.mark.slow
def test_commands_that_read_say_what_they_say_of_a_duckdb_file(published: Path, rfm: Rfm) -> None:
    for number in (10, 20):
        ok(rfm("run", "orders.csv", "--as-of", day(number)))
    both = ("segments.parquet", "duckdb:rfm.duckdb")
    records = {to: rfm("runs", "--json", "--to", to).json["runs"] for to in both}
    for arguments in (
        ("transitions",),
        ("movers",),
        ("explain", "c005", "orders.csv"),
        ("check", "orders.csv"),
    ):
        said = []
        for to in both:
            text = ok(rfm(*arguments, "--json", "--to", to)).stdout
            for record in records[to]:
                text = text.replace(record["run_id"], f"the run of {record['as_of_date']}")
            said.append(json.loads(text.replace("duckdb:rfm.duckdb#rfm_segments", "segments.parquet")))
        assert said[0] == said[1]
    # A comparison reads each date from a file of its own.
    dates = ("--as-of", day(10), "--with", f"as_of={day(20)}", "--json")
    compared = [ok(rfm("compare", to, *dates)).json for to in both]
    assert compared[0]["customers"] == compared[1]["customers"]
    sides = ok(rfm("compare", *both, "--json")).json
    assert sides["a"]["name"] == f"segments.parquet as of {day(20)}"
    assert sides["a"]["revenue"] == sides["b"]["revenue"]


def test_reports_and_exports_read_the_files(published: Path, rfm: Rfm) -> None:
    folder = published.parent
    ok(rfm("report", *TO, "-o", "report.html"))
    assert day(20) in (folder / "report.html").read_text(encoding="utf-8")
    ok(rfm("export", *TO, "-o", "audience.parquet"))
    exported = {row["customer_id"] for row in pq.read_table(folder / "audience.parquet").to_pylist()}
    assert exported == set(pq.read_table(published)["customer_id"].to_pylist())


def test_a_publish_during_a_read_is_an_error_and_no_mixture(published: Path) -> None:
    files = PublishedFiles(published)
    draft = files.new_draft()
    draft.runs.write_bytes(files.runs.read_bytes())
    with (
        open_destination(published) as destination,
        pytest.raises(LockedError, match="while it was read"),
        destination.open_for_reading(),
    ):
        files.publish(draft)


@contextmanager
def open_destination(file: Path) -> Iterator[ParquetDestination]:
    with open_local_destination(ParquetDestinationLocation(file), DuckDBSettings()) as destination:
        assert isinstance(destination, ParquetDestination)
        yield destination


# Files that are not those of a destination


def write_foreign(file: Path) -> None:
    file.parent.mkdir(exist_ok=True)
    pq.write_table(pa.table({"customer_id": ["x"]}), file)


@pytest.mark.parametrize(
    ("to", "foreign", "sentence"),
    [
        ("mine.parquet", "mine.parquet", "its metadata has no mark of rfm"),
        ("mine.parquet", "mine_runs/runs.parquet", "its metadata has no mark of rfm"),
        ("mine.parquet", "mine_history/2020-01-01.parquet", "its metadata has no mark of rfm"),
        ("segments_runs/runs.parquet", None, "is that of another destination"),
        ("segments_history/2024-01-11.parquet", None, "is that of another destination"),
        ("segments_history/", None, "is that of another destination"),
        ("s3://shop/segments.parquet", None, "is an address"),
        ("gs://shop/", None, "is an address"),
        ("nowhere/segments.parquet", None, "nowhere, does not exist"),
        ("segments", None, "no Parquet file"),
        (".parquet", None, "no Parquet file"),
    ],
)
def test_other_files_are_refused_and_stay(
    to: str, foreign: str | None, sentence: str, published: Path, rfm: Rfm
) -> None:
    if foreign:
        write_foreign(published.parent / foreign)
    before = contents(published.parent)
    for command in (("run", "orders.csv"), ("rollback",)):
        assert sentence in refused(rfm(*command, "--to", to))[0]
    assert contents(published.parent) == before


@pytest.mark.parametrize(
    ("place", "sentence"),
    [
        ("segments.parquet", "segments.parquet is no Parquet file, or it is damaged."),
        ("segments_runs/runs.parquet", "runs.parquet is no Parquet file, or it is damaged."),
        (f"segments_history/{day(10)}.parquet", f"{day(10)}.parquet is no Parquet file, or it is damaged."),
    ],
)
@pytest.mark.matrix
def test_a_damaged_file_is_named(place: str, sentence: str, published: Path, rfm: Rfm) -> None:
    file = published.parent / place
    draft = file.with_suffix(".new")
    draft.write_bytes(file.read_bytes()[:-50])
    draft.replace(file)
    for command in (("run", "orders.csv"), ("runs",), ("transitions",)):
        message, hint = refused(rfm(*command, *TO))
        assert message.endswith(sentence)
        assert hint.startswith("move it")
    file.unlink()
    ok(rfm("run", "orders.csv", "--as-of", day(30), *TO))


def test_the_runs_in_place_of_the_result_are_refused(published: Path, rfm: Rfm) -> None:
    (published.parent / "segments_runs" / "runs.parquet").rename(published.parent / "other.parquet")
    message, _ = refused(rfm("run", "orders.csv", "--to", "other.parquet"))
    assert message.endswith("other.parquet holds the runs of a destination, not the result as of a date.")


def test_a_newer_version_and_other_columns_are_named(published: Path, rfm: Rfm) -> None:
    change_file(published, "ALTER TABLE rows ADD COLUMN note VARCHAR")
    message, _ = refused(rfm("run", "orders.csv", *TO))
    assert message.endswith("segments.parquet is not a result of this pipeline: it has note.")
    change_file(published.parent / "segments_runs" / "runs.parquet", "UPDATE rows SET version = '999.1.0'")
    message, hint = refused(rfm("run", "orders.csv", *TO))
    assert "was written by rfm 999.1.0" in message
    assert hint == upgrade_hint()


def test_a_file_in_place_of_a_folder_is_named(tmp_path: Path, rfm: Rfm) -> None:
    write_orders(tmp_path)
    (tmp_path / "a_history").touch()
    message, _ = refused(rfm("run", "orders.csv", "--to", "a.parquet"))
    assert "a_history is a file, and a.parquet needs a folder of its name." in message
    (tmp_path / "b.parquet").mkdir()
    message, _ = refused(rfm("run", "orders.csv", "--to", "b.parquet"))
    assert message == "b.parquet is a folder."


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("segments.parquet",), "is the source itself"),
        (("segments_history",), "would be part of the source segments_history"),
        (("segments_history/*.parquet",), "would be part of the source segments_history/*.parquet"),
        ((f"segments_history/{day(10)}.parquet",), "is the source itself"),
        ((".",), "would be part of the source ."),
        (("orders.csv", "-o", "segments.parquet"), "is the destination itself"),
        (("orders.csv", "-o", "segments_history/new.parquet"), "is in a folder of the destination"),
        (("orders.csv", "-o", "segments_runs/runs.csv"), "is in a folder of the destination"),
        (("orders.csv", "--report", "segments_history/report.html"), "is in a folder of the destination"),
    ],
)
def test_sources_and_outputs_are_no_files_of_the_destination(
    arguments: tuple[str, ...], sentence: str, published: Path, rfm: Rfm
) -> None:
    before = contents(published.parent)
    message, _ = refused(rfm("run", *arguments, *TO))
    assert sentence in message
    assert contents(published.parent) == before


# Files that were removed or edited


def test_a_date_whose_file_was_removed_is_computed_again(published: Path, rfm: Rfm) -> None:
    before = history(as_database(published, published.with_name("before.duckdb")))
    dated(published, 10).unlink()
    message, hint = refused(rfm("rollback", *TO))
    assert message == f"The history has no rows as of {day(10)} any more."
    assert refused(rfm("transitions", *TO))[0]
    assert hint == f"compute them again: rfm run --as-of {day(10)}."
    ok(rfm("run", "orders.csv", "--as-of", day(10), *TO))
    assert history(as_database(published, published.with_name("after.duckdb"))) == before


def test_an_edited_file_is_found_by_its_checksum(published: Path, rfm: Rfm) -> None:
    change_file(dated(published, 10), "UPDATE rows SET segment = 'Lost' WHERE customer_id = 'c003'")
    message, _ = refused(rfm("rollback", *TO))
    assert message.endswith("the rows were edited.")
    assert "the rows were edited." in refused(rfm("transitions", *TO))[0]
    assert "the rows were edited." in refused(rfm("report", *TO))[0]
    explained = rfm("explain", "c003", "orders.csv", *TO, "--json").json
    assert [text for text in explained["differences"] if text.endswith("the rows were edited.")] == [message]


def test_a_removed_current_result_is_restored_by_the_next_run(published: Path, rfm: Rfm) -> None:
    published.unlink()
    assert "c003" in str(pq.read_table(dated(published, 20))["customer_id"].to_pylist())
    ok(rfm("run", "orders.csv", "--as-of", day(20), *TO))
    assert published.samefile(dated(published, 20))


def test_forgotten_customers_leave_each_file(published: Path, rfm: Rfm) -> None:
    # Without its file in the history, the current result has rows that no other file has.
    dated(published, 20).unlink()
    ok(rfm("forget", "c003", *TO))
    for file in (published, dated(published, 10), dated(published, 20)):
        assert "c003" not in pq.read_table(file)["customer_id"].to_pylist()
    assert b"c003" not in b"".join(contents(published.parent / "segments_runs").values())


# Faults and leftovers


def test_a_full_disk_leaves_the_earlier_result(
    published: Path, rfm: Rfm, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = contents(published.parent)

    def fail(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", fail)
        message, hint = refused(rfm("run", "orders.csv", "--as-of", day(30), *TO), 4)
    assert message == "segments.parquet can't be written: no space left on device."
    assert hint.endswith("the earlier result is unchanged.")
    assert contents(published.parent) == before


def test_a_file_that_can_not_be_replaced_is_named_and_the_next_run_goes_on(
    published: Path, rfm: Rfm, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace = Path.replace

    def fail(path: Path, target: Path) -> Path:
        # As on Windows, while another program reads the file.
        if path.name == "current.parquet":
            raise OSError(errno.EACCES, "Permission denied", str(path), None, str(target))
        return replace(path, target)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", fail)
        message, hint = refused(rfm("run", "orders.csv", "--as-of", day(30), *TO), 4)
        assert message == (
            f"segments.parquet is published but for {published}, which can't be replaced: permission denied."
        )
        assert hint.startswith("look at what is there")
        # Readers of rfm see the result already; nobody publishes another one before it is complete.
        assert rfm("runs", "--json", *TO).json["runs"][0]["as_of_date"] == day(30)
        refused(rfm("run", "orders.csv", "--as-of", day(31), *TO), 4)
        assert published.samefile(dated(published, 20))
    ok(rfm("rollback", *TO))
    assert dated(published, 30).is_file()
    assert published.samefile(dated(published, 20))
    assert names(published.parent) == FILES | {
        f"segments_history/{day(number)}.parquet" for number in (10, 20, 30)
    }


def test_a_held_lease_is_exit_code_5_and_names_the_run(published: Path, rfm: Rfm) -> None:
    link = published.with_name("link.parquet")
    link.symlink_to(published.name)
    with hold_lease(published, "rfm_segments", "segments.parquet", "another-run"):
        for to in ("segments.parquet", "link.parquet"):
            message, _ = refused(rfm("run", "orders.csv", "--to", to), 5)
            assert "is held by the run another-run" in message


def test_a_run_whose_lease_was_lost_publishes_nothing(published: Path, rfm: Rfm) -> None:
    # A file with one name, which is not locked itself.
    published.unlink()
    published.write_bytes(dated(published, 20).read_bytes())
    flags = {"source": str(published.parent / "orders.csv"), "to": str(published), "as_of": day(30)}
    with start_run(load_configuration(flags), NullObserver(), kind="run") as (start, plan):
        published.with_name("segments.parquet.rfm_segments.lease").unlink()
        ok(rfm("run", "orders.csv", "--as-of", day(31), *TO))
        with pytest.raises(LockedError, match="Another run has published"):
            execute_run(start, plan, NullObserver())
    assert current(as_database(published, published.with_name("copy.duckdb")))[0]["as_of_date"] == date_of(31)


def test_a_rejected_result_is_kept_and_drafts_of_killed_runs_are_removed(published: Path, rfm: Rfm) -> None:
    folder = published.parent
    (folder / "rfm.toml").write_text(
        "[audits.queries]\nnone = 'SELECT customer_id FROM segments LIMIT 1'\n", encoding="utf-8"
    )
    before = {name: content for name, content in contents(folder).items() if "runs" not in name}
    ended = rfm("run", "orders.csv", "--as-of", day(30), *TO)
    assert ended.code == 3
    (kept,) = folder.glob("segments.rfm_segments.rejected-*.duckdb")
    assert kept.name in ended.stderr
    assert before.items() <= contents(folder).items()
    assert rfm("runs", "--json", *TO).json["runs"][0]["status"] == "rejected"
    (folder / "rfm.toml").unlink()
    PublishedFiles(published).new_draft().runs.touch()
    os.utime(kept, (0, 0))
    ok(rfm("run", "orders.csv", "--as-of", day(30), *TO))
    assert names(folder) == FILES | {f"segments_history/{day(number)}.parquet" for number in (10, 20, 30)}


def test_a_schedule_and_a_configuration_name_it(tmp_path: Path, rfm: Rfm) -> None:
    write_orders(tmp_path)
    (tmp_path / "rfm.toml").write_text('to = "segments.parquet"\nsource = "orders.csv"\n', encoding="utf-8")
    assert ok(rfm("run", "--as-of", day(20), "--json")).json["destination"] == "segments.parquet"
    assert ok(rfm("check", "--json")).json["destination"] == "segments.parquet"
    assert "segments.parquet" in ok(rfm("schedule", "cron", "--", "run", "orders.csv", *TO)).stdout


@pytest.mark.slow
def test_a_link_in_the_place_of_a_publish_is_not_followed(published: Path, rfm: Rfm) -> None:
    """The files of the folder that it leads to would be moved into the history."""
    folder, link = published.with_name("precious"), published.with_name(".segments.parquet.publish")
    folder.mkdir()
    (folder / "2024-01-01.parquet").write_text("precious", encoding="utf-8")
    link.symlink_to(folder)
    for command in (("run", "orders.csv", "--as-of", day(30)), ("rollback",), ("report",)):
        message, hint = refused(rfm(*command, *TO))
        assert message.endswith(
            ".segments.parquet.publish is no folder that a publish of segments.parquet left."
        )
        assert hint == "find out who made it, and delete it."
    assert names(folder) == {"2024-01-01.parquet"}
    link.unlink()
    ok(rfm("rollback", *TO))
