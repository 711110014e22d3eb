"""Grammar of destinations and output files: names, paths and links, also those of the source and results."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import strategies as st

from support.fuzz import Input
from support.fuzz_values import argument

PATHS = (
    "orders.csv", "rfm.toml", "rfm.duckdb", "segments.csv", "segments.xlsx", "RFM.duckdb", "./rfm.duckdb",
    "link.duckdb", "link.csv", "hard.csv",
    "hard.duckdb", "folder", "folder/", "folder/new.duckdb", "missing/new.duckdb", "new.duckdb", "new",
    "new.csv", "new.parquet", "new.xlsx",
    "text.parquet", "new folder/", "missing/new.parquet", "rfm_runs/runs.parquet",
    "new.json", "new.html", "new.duckdb.wal", "rfm.duckdb.wal", "rfm.duckdb.rfm_segments.lease",
    "text.duckdb", "empty.duckdb", "loop.duckdb",
    "dangling.duckdb", "/dev/null", "/dev/full", "/proc/self/x", "/nowhere/x.duckdb", "x" * 300 + ".duckdb",
    "~/x", "",
)  # fmt: skip
TABLES = (
    "rfm_segments", "RFM_SEGMENTS", "rfm_segments_history", "rfm_segments_runs", "rfm_segments_rows",
    "other", "main.other", "a b", 'a"b',
    "select", "", "#", "é", "x" * 70, "rfm_segments_history_runs", "orders", "view",
)  # fmt: skip
PREFIXES = (
    "duckdb:",
    "duckdb:",
    "duckdb:",
    "",
    "duckdb://",
    "DUCKDB:",
    "bigquery://",
    "bigquery:",
    "postgres://",
    "file://",
    "md:",
    "s3://",
)

paths = st.one_of(st.sampled_from(PATHS), st.sampled_from(PATHS), argument)


@st.composite
def _destinations(draw: st.DrawFn) -> str:
    # A well-formed name of BigQuery would need credentials.
    prefix, path = draw(st.sampled_from(PREFIXES)), draw(paths)
    table = f"#{draw(st.one_of(st.sampled_from(TABLES), argument))}" if draw(st.booleans()) else ""
    text = f"{prefix}{path}{table}"
    return text.replace(".", "") if text.startswith("bigquery") else text


@st.composite
def inputs(draw: st.DrawFn) -> Input:
    """Draw a command with a destination, or with a file to write."""
    kind = draw(st.sampled_from(["run --to", "run --to", "--to", "--output", "--report", "export", "report"]))
    if kind == "run --to":
        command: Sequence[str] = ("run", "orders.csv", "--to", draw(_destinations()))
    elif kind == "--to":
        commands = (
            ("rollback",),
            ("runs",),
            ("report",),
            ("check", "orders.csv"),
            ("export", "-o", "new.csv"),
            ("calibrate", "orders.csv"),
        )
        command = (*draw(st.sampled_from(commands)), "--to", draw(_destinations()))
    elif kind == "--output":
        command = ("run", "orders.csv", "--output", draw(paths))
    elif kind == "--report":
        command = ("run", "orders.csv", "--report", draw(paths))
    else:
        command = (kind, "--output", draw(paths))
    files = {
        "text.duckdb": b"no database\n" * 9,
        "text.parquet": b"no rows\n" * 9,
        "empty.duckdb": b"",
        "rfm.toml": b'source = "orders.csv"\n',
    }
    # A command may write its destination and output; the source and the configuration are never among them.
    return Input(tuple(command), files, {}, ("",))
