"""A source that changes while it is read is not published; the earlier result stays."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest

from rfm_pipeline.config.loader import load_configuration
from rfm_pipeline.errors import SourceError, WarehouseError
from rfm_pipeline.pipeline.progress import NullObserver
from rfm_pipeline.pipeline.run import run
from rfm_pipeline.results.run_result import RunResult
from support.bad_input import HEADER, ORDERS
from support.databases import database
from support.orders import published

BEFORE_THE_SCAN, AFTER_IT, BEFORE_THE_PUBLISH = (
    "Reading, cleaning and measuring", "Auditing", "Publishing",
)  # fmt: skip
STEPS = (BEFORE_THE_SCAN, AFTER_IT, BEFORE_THE_PUBLISH)
MORE = "c99,o99,2025-01-20,5.00\n"


class Changes(NullObserver):
    """Observer that changes the source when a step begins."""

    def __init__(self, step: str, change: Callable[[], object]) -> None:
        self._step, self._change = step, change

    def step(self, name: str) -> None:
        if name == self._step:
            self._change()


def run_here(folder: Path, source: str, observer: NullObserver | None = None, **flags: Any) -> RunResult:
    settings = {"source": source, "to": f"duckdb:{folder / 'rfm.duckdb'}", **flags}
    return run(load_configuration(settings, folder=folder, environ={}), observer or NullObserver())


def refused(folder: Path, source: str, step: str, change: Callable[[], object], **flags: Any) -> str:
    """Run with a change; assert that nothing of the earlier result changes, and return the error."""
    run_here(folder, source)
    before = published(folder / "rfm.duckdb")
    with pytest.raises(WarehouseError) as caught:
        run_here(folder, source, Changes(step, change), **flags)
    assert caught.value.exit_code == 4
    assert caught.value.hint
    assert published(folder / "rfm.duckdb") == before
    return caught.value.message


def cut(path: Path) -> None:
    path.write_text(path.read_text()[: len(HEADER) + 120])


def append(path: Path) -> None:
    with path.open("a") as file:
        file.write(MORE)


def replace(path: Path) -> None:
    """Replace a file by an equal one, with its times."""
    status, copy = path.stat(), path.with_suffix(".new")
    copy.write_bytes(path.read_bytes())
    os.utime(copy, ns=(status.st_atime_ns, status.st_mtime_ns))
    copy.replace(path)


def overwrite_end(path: Path) -> None:
    """Change the last digit, and nothing else that a listing shows."""
    status = path.stat()
    with path.open("r+b") as file:
        file.seek(-2, os.SEEK_END)
        file.write(b"7")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


@pytest.mark.matrix
@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize(
    ("change", "difference"),
    [
        (cut, "its size is another one"),
        (append, "its size is another one"),
        (replace, "it is another file"),
        (overwrite_end, "its end is another one"),
        (lambda path: os.utime(path, ns=(1, 1)), "it was written"),
        (Path.unlink, "it was removed"),
    ],
)
def test_a_file_that_changes_is_not_published(
    tmp_path: Path, step: str, change: Callable[[Path], object], difference: str
) -> None:
    path = tmp_path / "orders.csv"
    path.write_text(ORDERS)
    message = refused(tmp_path, str(path), step, lambda: change(path))
    assert message == (f"{path} changed while it was read ({difference}), so its lines may be of two states.")


@pytest.mark.slow
def test_a_change_of_the_format_is_reported_as_a_change(tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    path.write_text(ORDERS)
    message = refused(tmp_path, str(path), BEFORE_THE_SCAN, lambda: path.write_text("one,column\n1,2,3\n"))
    assert "changed while it was read" in message


@pytest.mark.slow
def test_no_output_is_written_from_a_source_that_changed(tmp_path: Path) -> None:
    path, output = tmp_path / "orders.csv", tmp_path / "segments.csv"
    path.write_text(ORDERS)
    refused(tmp_path, str(path), BEFORE_THE_PUBLISH, lambda: append(path), output=[output])
    assert sorted(file.name for file in tmp_path.glob("segments*")) == []


@pytest.mark.slow
def test_the_failure_is_on_record(tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    path.write_text(ORDERS)
    message = refused(tmp_path, str(path), BEFORE_THE_PUBLISH, lambda: append(path))
    with database(tmp_path / "rfm.duckdb") as connection:
        rows = connection.execute(
            "SELECT status, error FROM rfm_segments_runs ORDER BY started_at"
        ).fetchall()
    assert [status for status, _ in rows] == ["published", "failed"]
    assert rows[-1][1] == message


@pytest.mark.matrix
@pytest.mark.parametrize("source", ["exports", "exports/*.csv"])
@pytest.mark.parametrize("change", [append, Path.unlink])
def test_a_file_of_several_that_changes_is_not_published(
    tmp_path: Path, source: str, change: Callable[[Path], object]
) -> None:
    paths = two_files(tmp_path)
    message = refused(tmp_path, str(tmp_path / source), AFTER_IT, lambda: change(paths[1]))
    assert message.startswith(f"{paths[1]} changed while it was read")


@pytest.mark.slow
@pytest.mark.parametrize("source", ["exports", "exports/*.csv"])
def test_a_file_that_is_added_is_for_the_next_run(tmp_path: Path, source: str) -> None:
    paths, added = two_files(tmp_path), tmp_path / "exports" / "c.csv"
    result = run_here(
        tmp_path, str(tmp_path / source), Changes(BEFORE_THE_SCAN, lambda: added.write_text(HEADER + MORE))
    )
    assert result.statistics.rows_read == 12
    assert f"1 file added during the run, for the next one to read: {added}" in result.notes
    assert len(paths) == 2
    assert run_here(tmp_path, str(tmp_path / source)).statistics.rows_read == 13


def two_files(folder: Path) -> list[Path]:
    lines = ORDERS.removeprefix(HEADER).splitlines(keepends=True)
    paths = [folder / "exports" / name for name in ("a.csv", "b.csv")]
    paths[0].parent.mkdir()
    for path, part in zip(paths, (lines[:6], lines[6:]), strict=True):
        path.write_text(HEADER + "".join(part))
    return paths


@pytest.mark.matrix
@pytest.mark.parametrize("from_", ["'orders.csv'", "read_csv(['ord*.csv'])", '"orders.csv"'])
def test_a_file_that_a_query_reads_is_watched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, from_: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("orders.csv").write_text(ORDERS)
    Path("orders.sql").write_text(f"SELECT * FROM {from_} WHERE order_id <> 'orders.sql'")
    message = refused(tmp_path, "orders.sql", AFTER_IT, lambda: append(Path("orders.csv")))
    assert message.startswith("orders.csv changed while it was read")


def test_the_last_line_of_a_file_that_a_query_reads_is_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("orders.csv").write_text(f"{ORDERS}{'x' * 2_000_001},o,2025-01-01,5\n")
    Path("orders.sql").write_text("SELECT * FROM 'orders.csv'")
    with pytest.raises(SourceError) as caught:
        run_here(tmp_path, "orders.sql")
    assert caught.value.message == "orders.csv, line 14: it is longer than 2 MB."


def make_database(path: Path) -> None:
    with duckdb.connect(str(path)) as connection:
        connection.execute(
            "CREATE TABLE lines AS SELECT 'c' || i AS customer_id, 'o' || i AS order_id,"
            " DATE '2025-01-01' + CAST(i AS INTEGER) AS ordered_at, i * 1.5 AS amount FROM range(20) t(i)"
        )


@pytest.mark.slow
def test_a_database_that_is_replaced_is_not_published(tmp_path: Path) -> None:
    path = tmp_path / "shop.duckdb"
    make_database(path)
    message = refused(tmp_path, f"duckdb:{path}#lines", AFTER_IT, lambda: replace(path))
    assert message.startswith(f"{path} changed while it was read (it is another file)")


@pytest.mark.slow
def test_a_table_in_the_destination_itself_can_be_published(tmp_path: Path) -> None:
    path = tmp_path / "rfm.duckdb"
    make_database(path)
    assert run_here(tmp_path, f"duckdb:{path}#lines").status == "published"
    assert run_here(tmp_path, f"duckdb:{path}#lines").status == "published"


@pytest.mark.slow
def test_a_workbook_that_changes_is_not_published(tmp_path: Path) -> None:
    xlsxwriter = pytest.importorskip("xlsxwriter")
    path = tmp_path / "orders.xlsx"
    with xlsxwriter.Workbook(str(path)) as workbook:
        sheet = workbook.add_worksheet()
        for number, line in enumerate(ORDERS.splitlines()):
            sheet.write_row(number, 0, line.split(","))
    message = refused(tmp_path, str(path), BEFORE_THE_PUBLISH, lambda: append(path))
    assert message.startswith(f"{path} changed while it was read")
