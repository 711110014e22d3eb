"""The source is scanned once per run, whatever is asked of it: DuckDB's profile of each statement says so."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pytest

from rfm_pipeline.demo import write_shop
from rfm_pipeline.source.profile.sample import SAMPLE_ROWS
from rfm_pipeline.warehouse.duckdb.connection import connect
from support.cli import Rfm

LINES = 20_000


@dataclass(frozen=True)
class Scan:
    """One scan in one statement's profile.

    Attributes:
        what: The function that reads a file, or the table.
        rows: The rows that came out of the file.
        columns: The columns that were read.
    """

    what: str
    rows: int
    columns: tuple[str, ...]


class Profiled:
    """A connection that keeps the profile of each statement that it executes."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, folder: Path) -> None:
        self._connection = connection
        self._file = folder / "profile.json"
        self.profiles: list[dict[str, Any]] = []
        connection.execute("SET enable_profiling = 'json'")
        connection.execute(f"SET profiling_output = '{self._file}'")

    def execute(self, *statement: Any) -> duckdb.DuckDBPyConnection:
        # A profile is complete when the rows have been fetched: by then the next statement comes.
        self._collect()
        return self._connection.execute(*statement)

    def close(self) -> None:
        self._collect()
        self._connection.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def _collect(self) -> None:
        if self._file.exists():
            self.profiles.append(json.loads(self._file.read_text(encoding="utf-8")))
            self._file.unlink()

    @property
    def scans(self) -> list[Scan]:
        """Every scan of every statement so far, without those of the sample."""
        return [
            scan
            for profile in self.profiles
            if not _is_sample(profile)
            for scan in _scans(profile["operator"])
        ]

    @property
    def sample_scans(self) -> list[Scan]:
        """Every scan of the statement that reads the first rows."""
        return [
            scan for profile in self.profiles if _is_sample(profile) for scan in _scans(profile["operator"])
        ]


def _is_sample(profile: dict[str, Any]) -> bool:
    return f"LIMIT {SAMPLE_ROWS + 1}" in json.dumps(profile["query"])


def _scans(operators: list[dict[str, Any]]) -> Iterator[Scan]:
    for operator in operators:
        if "rows_scanned" in operator:
            about = operator["extra_info"]
            columns = about.get("Projections", ())
            yield Scan(
                about.get("Function") or about.get("Table", ""),
                operator["rows_scanned"],
                tuple([columns] if isinstance(columns, str) else columns),
            )
        yield from _scans(operator.get("children", []))


@pytest.fixture
def profiled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Profiled]:
    """The connections of the warehouses that are opened from now on, each profiled."""
    connections: list[Profiled] = []

    def profiling(*given: Any) -> Any:
        connections.append(Profiled(connect(*given), tmp_path))
        return connections[-1]

    monkeypatch.setattr("rfm_pipeline.warehouse.duckdb.warehouse.connect", profiling)
    return connections


def source_scans(profiled: list[Profiled]) -> list[Scan]:
    (connection,) = profiled
    return [scan for scan in connection.scans if scan.what.startswith(("READ_", "rfm_source."))]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a shop's lines as Parquet, as CSV, as three files, and as a table."""
    folder = tmp_path_factory.mktemp("shop")
    write_shop(folder / "lines.parquet", lines=LINES)
    write_shop(folder / "lines.csv", lines=LINES)
    for kind in ("parquet", "csv"):
        (folder / kind).mkdir()
    with duckdb.connect(str(folder / "shop.duckdb")) as connection:
        connection.execute(f"CREATE TABLE lines AS FROM read_parquet('{folder}/lines.parquet')")
        connection.execute(f"COPY lines TO '{folder}/lines.ndjson' (FORMAT json)")
        for part, delimiter in enumerate((",", ";", "|")):
            some = f"(FROM lines WHERE hash(order_id) % 3 = {part})"
            connection.execute(f"COPY {some} TO '{folder}/parquet/{part}.parquet' (FORMAT parquet)")
            connection.execute(f"COPY {some} TO '{folder}/csv/{part}.csv' (HEADER, DELIMITER '{delimiter}')")
    return folder


QUESTIONS = {
    "plain": [],
    "as of a date": ["--as-of", "2025-06-30"],
    "net": ["--returns", "net"],
    "moving window": ["--window", "12 months"],
    "fixed window": ["--window", "12 months", "--as-of", "2025-06-30"],
    "moving window, net": ["--window", "12 months", "--returns", "net"],
    "moving window, no orders": ["--window", "12 months", "--returns", "net", "--order-id", "none"],
    "ntile": ["--method", "ntile"],
    "gaps": ["--preset", "lifecycle", "--returns", "net"],
    "gaps, no orders": ["--preset", "lifecycle", "--order-id", "none"],
    "exclusions": ["--exclude", "foreign=country <> 'United Kingdom'", "--exclude", "bulk=quantity > 10"],
    "everything": [
        *["--window", "12 months", "--returns", "net", "--method", "ntile", "--bins", "5", "-p", "grid"],
        *["--exclude", "foreign=country <> 'United Kingdom'", "--since", "2024-06-01"],
        *["--output", "segments.csv", "--output", "segments.parquet"],
    ],
}


@pytest.mark.matrix
@pytest.mark.guarantee("one-scan")
@pytest.mark.parametrize("question", QUESTIONS)
def test_whatever_is_asked_parquet_is_scanned_once(
    question: str, shop: Path, rfm: Rfm, profiled: list[Profiled]
) -> None:
    ended = rfm("run", shop / "lines.parquet", *QUESTIONS[question], "--json")
    assert ended.code == 0, ended.stderr
    (scan,) = source_scans(profiled)
    assert (scan.what, scan.rows) == ("READ_PARQUET", LINES)
    assert ended.json["rows"]["read"] == LINES


@pytest.mark.matrix
@pytest.mark.guarantee("one-scan")
@pytest.mark.parametrize("question", ["plain", "moving window, net", "everything"])
def test_whatever_is_asked_a_csv_is_scanned_once(
    question: str, shop: Path, rfm: Rfm, profiled: list[Profiled]
) -> None:
    # The columns of a CSV are text.
    arguments = [
        argument.replace("quantity >", "TRY_CAST(quantity AS INT) >") for argument in QUESTIONS[question]
    ]
    ended = rfm("run", shop / "lines.csv", *arguments, "--json")
    assert ended.code == 0, ended.stderr
    (scan,) = source_scans(profiled)
    assert (scan.what, scan.rows) == ("READ_CSV", LINES)


@pytest.mark.slow
@pytest.mark.parametrize(
    "question", ["plain", "net", "gaps", "moving window, net", "moving window, no orders"]
)
def test_a_partitioned_source_is_scanned_once_after_a_sample(
    question: str, shop: Path, rfm: Rfm, profiled: list[Profiled], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = ("run", shop / "lines.csv", *QUESTIONS[question], "--memory-limit", "1GB", "--json")
    whole = rfm(*asked, "--to", "duckdb:whole.duckdb")
    assert [scan.rows for scan in source_scans([profiled.pop()])] == [LINES]
    monkeypatch.setattr("rfm_pipeline.warehouse.duckdb.partitioned.BYTES_PER_GROUP", 1_000_000)
    parts = rfm(*asked, "--to", "duckdb:parts.duckdb")
    scans = source_scans(profiled)
    assert {scan.what for scan in scans} == {"READ_CSV", "READ_PARQUET"}
    # So small a file is read as one piece: it is its own head.
    assert [scan.rows for scan in scans if scan.what == "READ_CSV" and scan.rows] == [LINES, LINES]
    own = dict.fromkeys(("run_id", "duration_s", "destination"))
    assert {**parts.json, **own} == {**whole.json, **own}


@pytest.mark.matrix
@pytest.mark.parametrize(
    ("source", "reader"),
    [
        ("lines.ndjson", "READ_JSON"),
        ("parquet", "READ_PARQUET"),
        ("parquet/*.parquet", "READ_PARQUET"),
        ("duckdb:{}/shop.duckdb#lines", "rfm_source.main.lines"),
    ],
)
def test_any_other_source_is_scanned_once(
    source: str, reader: str, shop: Path, rfm: Rfm, profiled: list[Profiled]
) -> None:
    place = source.format(shop) if "{}" in source else shop / source
    ended = rfm("run", place, "--json")
    assert ended.code == 0, ended.stderr
    (scan,) = source_scans(profiled)
    assert (scan.what, scan.rows) == (reader, LINES)


@pytest.mark.slow
def test_files_that_need_a_reader_each_are_scanned_once_each(
    shop: Path, rfm: Rfm, profiled: list[Profiled]
) -> None:
    ended = rfm("run", shop / "csv", "--window", "12 months", "--json")
    assert ended.code == 0, ended.stderr
    scans = source_scans(profiled)
    assert [scan.what for scan in scans] == ["READ_CSV"] * 3
    assert sum(scan.rows for scan in scans) == LINES


@pytest.mark.guarantee("incremental")
def test_an_incremental_run_scans_new_files_only(
    shop: Path, tmp_path: Path, rfm: Rfm, profiled: list[Profiled]
) -> None:
    """Each file is scanned in one run; what is kept is Parquet."""
    (tmp_path / "orders").mkdir()
    files = sorted((shop / "csv").iterdir())
    lines = [path.read_bytes().count(b"\n") - 1 for path in files]
    scanned = []
    for number, path in enumerate([*files[:2], files[2], None]):
        if path:
            shutil.copy(path, tmp_path / "orders")
        if number == 0:
            continue
        ended = rfm("run", tmp_path / "orders", "--incremental", "--json")
        assert ended.code == 0, ended.stderr
        scans = source_scans([profiled.pop()])
        scanned.append(sum(scan.rows for scan in scans if scan.what == "READ_CSV"))
    assert scanned == [lines[0] + lines[1], lines[2], 0]
    assert ended.json["rows"]["read"] == LINES


@pytest.mark.slow
def test_columns_that_nobody_asks_for_are_not_read(shop: Path, rfm: Rfm, profiled: list[Profiled]) -> None:
    assert rfm("run", shop / "lines.parquet", "--exclude", "foreign=country <> 'France'").code == 0
    (scan,) = source_scans(profiled)
    assert sorted(scan.columns) == [
        "country", "customer_id", "order_id", "ordered_at", "quantity", "unit_price",
    ]  # fmt: skip


@pytest.mark.slow
def test_a_second_run_scans_the_result_before_it_and_still_the_source_once(
    shop: Path, rfm: Rfm, profiled: list[Profiled]
) -> None:
    assert rfm("run", shop / "lines.parquet", "--as-of", "2025-06-30").code == 0
    profiled.clear()
    assert rfm("run", shop / "lines.parquet").code == 0
    (scan,) = source_scans(profiled)
    assert scan.rows == LINES
    (connection,) = profiled
    assert [scan.what for scan in connection.scans].count("destination.main.rfm_segments_rows") == 2


def test_a_check_scans_the_source_once_as_the_run_does(
    shop: Path, rfm: Rfm, profiled: list[Profiled]
) -> None:
    for source in ("lines.parquet", "lines.csv"):
        profiled.clear()
        assert rfm("check", shop / source, "--exclude", "foreign=country <> 'France'").code == 0
        (scan,) = source_scans(profiled)
        assert scan.rows == LINES


@pytest.mark.matrix
@pytest.mark.parametrize("source", ["lines.parquet", "lines.csv", "parquet", "csv"])
def test_the_sample_is_bounded(source: str, shop: Path, rfm: Rfm, profiled: list[Profiled]) -> None:
    assert rfm("run", shop / source).code == 0
    (connection,) = profiled
    # DuckDB reads whole vectors of 2,048 rows, one per file at most ahead of the limit.
    assert 0 < sum(scan.rows for scan in connection.sample_scans) <= 4 * 2048 < LINES


def test_a_second_scan_would_show(shop: Path, tmp_path: Path) -> None:
    connection = Profiled(duckdb.connect(), tmp_path)
    relation = f"read_parquet('{shop}/lines.parquet')"
    connection.execute(f"CREATE TABLE customers AS SELECT customer_id FROM {relation}")
    connection.execute(f"SELECT MAX(LENGTH(ordered_at)) FROM {relation}").fetchall()
    connection.execute("SELECT COUNT(customer_id) FROM customers").fetchall()
    connection.close()
    assert [scan.what for scan in connection.scans] == [
        "READ_PARQUET",
        "READ_PARQUET",
        "memory.main.customers",
    ]
