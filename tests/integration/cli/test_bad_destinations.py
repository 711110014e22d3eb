"""Destinations and outputs that are invalid, belong to another program, or can't be written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from rfm_pipeline.results.tables import RESULT_COLUMNS
from support.bad_input import ORDERS, Case, case, check
from support.cli import Rfm

RUN = "run orders.csv"


def database(*statements: str) -> Callable[[Path], None]:
    """Writes `shop.duckdb`."""

    def prepare(folder: Path) -> None:
        with duckdb.connect(str(folder / "shop.duckdb")) as connection:
            for statement in statements:
                connection.execute(statement)

    return prepare


def damaged(keep: float, zeros: int = 0) -> Callable[[Path], None]:
    """Writes `shop.duckdb`, a result that was damaged."""

    def prepare(folder: Path) -> None:
        content = (folder / "rfm.duckdb").read_bytes()
        kept = content[: int(len(content) * keep)]
        (folder / "shop.duckdb").write_bytes(kept + b"\0" * zeros)

    return prepare


KINDS = {"text": "VARCHAR", "integer": "BIGINT", "small": "INTEGER", "money": "DECIMAL(38,9)", "date": "DATE"}
OURS = ", ".join(f"NULL::{KINDS[about.holds]} AS {name}" for name, about in RESULT_COLUMNS.items())

DESTINATIONS = [
    case("unknown kind", f"{RUN} --to postgres://shop", "'postgres://shop'", hints="--to duckdb:rfm.duckdb"),
    case("CSV by its name", f"{RUN} --to segments.csv", "'segments.csv'", hints="--to duckdb:rfm.duckdb"),
    case("no file", f"{RUN} --to duckdb:", "names no file", hints="--to duckdb:rfm.duckdb"),
    case("table with a blank", f"{RUN} --to 'duckdb:rfm.duckdb#my table'", "'my table'", hints="underscores"),
    case("table with SQL in it", f"""{RUN} --to 'duckdb:rfm.duckdb#x"; DROP TABLE y'""", "DROP TABLE",
         hints="underscores"),
    case("folder missing", f"{RUN} --to duckdb:nowhere/rfm.duckdb", "nowhere, does not exist",
         hints="create it"),
    case("folder", f"{RUN} --to duckdb:marts", "marts is a folder", hints="name a file",
         prepare=lambda folder: (folder / "marts").mkdir()),
    case("bucket", f"{RUN} --to duckdb:s3://shop/rfm.duckdb", "s3:/shop, does not exist", hints="--to"),
    case("text file", f"{RUN} --to duckdb:notes.duckdb", "notes.duckdb is not a DuckDB database",
         hints="--to", files={"notes.duckdb": "not to be overwritten\n"}),
    case("the source itself", f"{RUN} --to duckdb:orders.csv", "orders.csv is not a DuckDB database",
         hints="--to"),
    case("empty file", f"{RUN} --to duckdb:new.duckdb", "new.duckdb is empty", hints="--to",
         files={"new.duckdb": ""}),
    case("database cut in half", f"{RUN} --to duckdb:shop.duckdb", "shop.duckdb is damaged", hints="restore",
         code=4, prepare=damaged(0.5)),
    case("database full of zeros", f"{RUN} --to duckdb:shop.duckdb", "shop.duckdb is damaged",
         hints="restore", code=4, prepare=damaged(0.1, zeros=500_000)),
    case("somebody's table", f"{RUN} --to duckdb:shop.duckdb", "rfm_segments in shop.duckdb", "has a, b",
         hints="#rfm_segments_2", prepare=database("CREATE TABLE rfm_segments AS SELECT 1 AS a, 2 AS b")),
    case("somebody's table in capitals", f"{RUN} --to duckdb:shop.duckdb#orders", "orders in shop.duckdb",
         hints="#rfm_segments_2", prepare=database("CREATE TABLE Orders AS SELECT 1 AS a")),
    case("table of ours with a column more", f"{RUN} --to duckdb:shop.duckdb", "has note",
         hints="another table", prepare=database(f"CREATE TABLE rfm_segments AS SELECT {OURS}, 1 AS note")),
    case("columns of ours in another order", f"{RUN} --to duckdb:shop.duckdb", "another order",
         hints="another",
         prepare=database(f"CREATE TABLE rfm_segments AS SELECT {', '.join(reversed(OURS.split(', ')))}")),
    case("column of ours of another kind", f"{RUN} --to duckdb:shop.duckdb", "monetary as DOUBLE",
         hints="another table",
         prepare=database(f"CREATE TABLE rfm_segments AS SELECT {OURS.replace('DECIMAL(38,9)', 'DOUBLE')}")),
    case("runs that are not ours", f"{RUN} --to duckdb:shop.duckdb", "rfm_segments_runs in shop.duckdb",
         hints="another table", prepare=database("CREATE TABLE rfm_segments_runs AS SELECT 5 AS marathons")),
    case("view like a table of ours", f"{RUN} --to duckdb:shop.duckdb", "is a view", hints="another table",
         prepare=database(f"CREATE VIEW rfm_segments AS SELECT {OURS}")),
    case("the table that is read", "run duckdb:shop.duckdb#orders --to duckdb:shop.duckdb#orders",
         "orders in shop.duckdb", hints="another table", prepare=database(
             "CREATE TABLE orders AS SELECT 1 AS customer_id, DATE '2025-01-01' AS ordered_at, 5 AS amount")),
]  # fmt: skip

OUTPUTS = [
    case("unknown suffix", f"{RUN} --output segments.pdf", "segments.pdf", hints=".parquet"),
    case("no suffix", f"{RUN} --output segments", "segments has no known format", hints=".csv"),
    case("folder missing", f"{RUN} --output nowhere/segments.csv", "nowhere/segments.csv",
         hints="existing folder"),
    case("folder", f"{RUN} --output marts.csv", "marts.csv is a folder", hints="name a file",
         prepare=lambda folder: (folder / "marts.csv").mkdir()),
    case("one of two is wrong", f"{RUN} --output segments.csv --output segments.doc", "segments.doc",
         hints=".csv"),
    case("the source itself", f"{RUN} --output orders.csv", "orders.csv is the source itself", hints="else"),
    case("the source by another path", f"{RUN} --output exports/../orders.csv", "is the source itself",
         hints="else", files={"exports/a.csv": ORDERS}),
    case("in the folder of the source", "run exports --output exports/segments.csv", "exports/segments.csv",
         "part of the source exports", hints="else", files={"exports/a.csv": ORDERS}),
    case("in the pattern of the source", "run 'exports/*.csv' --output exports/segments.csv",
         "part of the source exports/*.csv", hints="else", files={"exports/a.csv": ORDERS}),
    case("id longer than a cell", "run a.csv --output segments.xlsx", "'xxxxxxxxxxxxxxxxxxxx…'", "40,000",
         hints="another format", code=4, files={"a.csv": ORDERS.replace("c7", "x" * 40_000)}),
]  # fmt: skip

# Not even root can create a file in /proc.
NEEDS_PROC = pytest.mark.skipif(not Path("/proc/self").exists(), reason="there is no /proc on this system")


@pytest.mark.parametrize("spoiled", [*DESTINATIONS, *OUTPUTS])
def test_an_invalid_destination_or_output_is_an_error_and_stays_unchanged(
    spoiled: Case, tmp_path: Path, rfm: Rfm, monkeypatch: pytest.MonkeyPatch
) -> None:
    check(spoiled, tmp_path, rfm, monkeypatch)


@NEEDS_PROC
@pytest.mark.parametrize(
    "spoiled",
    [
        case("database", f"{RUN} --to duckdb:/proc/rfm.duckdb", "/proc",
             hints="the earlier result is unchanged", code=4),
        case("CSV", f"{RUN} -o /proc/a.csv", "The output /proc/a.csv can't be written",
             hints="nothing was published", code=4),
        case("workbook", f"{RUN} -o a.csv -o /proc/a.xlsx", "The output /proc/a.xlsx can't be written",
             hints="nothing was published", code=4),
        case("temporary folder", RUN, "No temporary folder can be created in /proc",
         hints="duckdb.temp_directory", code=4, toml="[duckdb]\ntemp_directory = '/proc'\n"),
    ],
)  # fmt: skip
def test_a_folder_that_accepts_no_file_is_named_in_the_error(
    spoiled: Case, tmp_path: Path, rfm: Rfm, monkeypatch: pytest.MonkeyPatch
) -> None:
    check(spoiled, tmp_path, rfm, monkeypatch)
