"""Destinations and outputs that are invalid, belong to another program, or can't be written."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from rfm_pipeline.results.tables import RESULT_COLUMNS
from support.bad_input import ORDERS, Case, case, check
from support.cli import Rfm

RUN = "run orders.csv"
KEPT = "rfm.rfm_segments.rejected-20250101T000000-aaaaaa.duckdb"


def database(*statements: str) -> Callable[[Path], None]:
    """Writes `shop.duckdb`."""

    def prepare(folder: Path) -> None:
        with duckdb.connect(str(folder / "shop.duckdb")) as connection:
            for statement in statements:
                connection.execute(statement)

    return prepare


def symbolic_link(target: str, path: str) -> Callable[[Path], None]:
    return lambda folder: (folder / path).symlink_to(target)


def hard_link(existing: str, path: str) -> Callable[[Path], None]:
    return lambda folder: (folder / path).hardlink_to(folder / existing)


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
    case("name of a log", f"{RUN} --to duckdb:rfm.duckdb.wal", "a log that DuckDB keeps", hints="--to"),
    pytest.param(
        *case("", f"{RUN} --to 'duckdb:a\\b.duckdb'", "has a backslash", hints="write /").values,
        id="backslash", marks=pytest.mark.skipif(sys.platform == "win32", reason="a separator there"),
    ),
    case("table with a blank", f"{RUN} --to 'duckdb:rfm.duckdb#my table'", "'my table'", hints="underscores"),
    case("table with SQL in it", f"""{RUN} --to 'duckdb:rfm.duckdb#x"; DROP TABLE y'""", "DROP TABLE",
         hints="underscores"),
    case("folder missing", f"{RUN} --to duckdb:nowhere/rfm.duckdb", "nowhere, does not exist",
         hints="create it"),
    case("folder", f"{RUN} --to duckdb:marts", "marts is a folder", hints="name a file",
         prepare=lambda folder: (folder / "marts").mkdir()),
    case("bucket", f"{RUN} --to duckdb:s3://shop/rfm.duckdb", "is an address", hints="--to"),
    case("text file", f"{RUN} --to duckdb:notes.duckdb", "notes.duckdb is not a DuckDB database",
         hints="--to", files={"notes.duckdb": "not to be overwritten\n"}),
    case("the source itself", f"{RUN} --to duckdb:orders.csv", "orders.csv is the source itself",
         hints="else"),
    case("the source by a hard link", f"{RUN} --to duckdb:b.duckdb", "b.duckdb is the source itself",
         hints="else", prepare=hard_link("orders.csv", "b.duckdb")),
    case("in the pattern of the source", "run 'exports/*' --to duckdb:exports/rfm.duckdb",
         "part of the source exports/*", hints="else", files={"exports/a.csv": ORDERS}),
    case("the configuration", f"{RUN} --to duckdb:rfm.toml", "rfm.toml is the configuration file",
         hints="else", toml="returns = 'exclude'"),
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
         "shop.duckdb#orders is a table of the destination", hints="another table", prepare=database(
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
    case("in a folder of the pattern", "run 'exports/**/*.csv' --output exports/segments.csv",
         "part of the source exports/**/*.csv", hints="else", files={"exports/2025/a.csv": ORDERS}),
    case("in the folder of the source by a link", "run exports --output link/segments.csv",
         "part of the source exports", hints="else", files={"exports/a.csv": ORDERS},
         prepare=symbolic_link("exports", "link")),
    case("linked into the folder of the source", "run exports --output segments.csv",
         "part of the source exports", hints="else",
         files={"exports/a.csv": ORDERS, "segments.csv": ""},
         prepare=symbolic_link("../segments.csv", "exports/b.csv")),
    case("the source by a link", f"{RUN} --output a.csv", "a.csv is the source itself", hints="else",
         prepare=symbolic_link("orders.csv", "a.csv")),
    case("the source by a hard link", f"{RUN} --output a.csv", "a.csv is the source itself", hints="else",
         prepare=hard_link("orders.csv", "a.csv")),
    case("the new destination", f"{RUN} --to duckdb:a.csv --output a.csv", "a.csv is the destination itself",
         hints="else"),
    case("the destination by a hard link", f"{RUN} --output a.csv", "a.csv is the destination itself",
         hints="else", prepare=hard_link("rfm.duckdb", "a.csv")),
    case("the destination by a link", f"{RUN} --report a.html", "The report a.html is the destination itself",
         hints="else", prepare=symbolic_link("rfm.duckdb", "a.html")),
    case("the log of the destination", f"{RUN} --output a.csv", "write-ahead log of the destination",
         hints="else", prepare=symbolic_link("rfm.duckdb.wal", "a.csv")),
    case("the lease of the destination", f"{RUN} --output a.csv", "a.csv is the lease of the destination",
         hints="else", prepare=symbolic_link("rfm.duckdb.rfm_segments.lease", "a.csv")),
    case("a rejected result", f"{RUN} --output a.csv", "a.csv is a rejected result that was kept",
         hints="else", files={KEPT: "kept"}, prepare=hard_link(KEPT, "a.csv")),
    case("a file of the query", "run q.sql --output exports/a.csv", "exports/a.csv would be read by q.sql",
         hints="else", files={"exports/a.csv": ORDERS, "q.sql": "SELECT * FROM 'exports/a.csv'"}),
    case("in a pattern of the query", "run q.sql --output exports/b.csv",
         "exports/b.csv would be read by q.sql", hints="else", files={"exports/a.csv": ORDERS,
                              "q.sql": "SELECT * FROM read_csv('exports/*.csv', all_varchar = true)"}),
    case("the query", "run q.sql --output a.csv", "a.csv is the source itself", hints="else",
         files={"q.sql": "SELECT * FROM 'orders.csv'"}, prepare=hard_link("q.sql", "a.csv")),
    case("the configuration", f"{RUN} --output a.csv", "a.csv is the configuration file, rfm.toml",
         hints="else", toml="returns = 'exclude'", prepare=symbolic_link("rfm.toml", "a.csv")),
    case("the configuration that is named", f"{RUN} --config shop.json --output shop.json",
         "shop.json is the configuration file", hints="else", files={"shop.json": "returns = 'exclude'"}),
    case("an address", f"{RUN} --output https://example.com/a.csv",
         "The output https://example.com/a.csv is an address", hints="name a file, and copy"),
    case("the address of a report", f"{RUN} --report s3://shop/a.html",
         "The report s3://shop/a.html is an address", hints="name a file, and copy"),
    case("another output by a hard link", f"{RUN} --output a.csv --output b.json",
         "b.json is the same file as the output, a.csv", hints="else", files={"a.csv": ""},
         prepare=hard_link("a.csv", "b.json")),
    case("the report by a link", f"{RUN} --output a.csv --report b.html", "b.html is the same file as",
         hints="else", prepare=symbolic_link("a.csv", "b.html")),
    case("a report of the destination", "report --to duckdb:a.html --output a.html",
         "The report a.html is the destination itself", hints="else"),
    case("a chart over the page", "report -o a.html --chart trend --svg b.svg", "The chart b.svg",
         hints="else", prepare=symbolic_link("a.html", "b.svg")),
    case("an export of the destination", "export --to duckdb:a.csv -o a.csv",
         "The output a.csv is the destination itself", hints="else"),
    case("an export over the source", "export -o a.csv", "a.csv is the source itself", hints="else",
         toml="source = 'orders.csv'", prepare=hard_link("orders.csv", "a.csv")),
    case("a new configuration over the source", "init orders.csv --config orders.csv --force",
         "orders.csv is the source itself", hints="else"),
    case("a new configuration by a link", "init", "rfm.toml exists already", hints="--force",
         prepare=symbolic_link("stolen.toml", "rfm.toml")),
    case("a new configuration over the result", "init --config rfm.duckdb --force",
         "rfm.duckdb is the destination itself", hints="else"),
    case("a shop over the destination", "demo --source a.csv --to duckdb:a.csv",
         "a.csv is the source itself", hints="else"),
    case("a shop over the configuration", "demo --source a.csv --config b.toml --force",
         "The file of the shop a.csv is the configuration file, b.toml", hints="else",
         files={"b.toml": ""}, prepare=hard_link("b.toml", "a.csv")),
    case("a unit over the source", "schedule systemd --name shop --write units -- run units/shop.timer",
         "is a file that the schedule uses", hints="else", files={"units/shop.timer": ORDERS}),
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
