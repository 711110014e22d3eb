"""Files that other programs read: one schema for all Parquet outputs, and a format that DuckDB 1.x reads."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
from pyarrow import parquet

from support.cli import Rfm
from support.databases import database
from support.orders import ORDERS, refused

PARQUET_SCHEMA = pa.schema(
    [
        ("customer_id", pa.string()),
        ("recency_days", pa.int32()),
        ("frequency", pa.int64()),
        ("monetary", pa.decimal128(38, 9)),
        ("avg_order_value", pa.decimal128(38, 9)),
        ("first_order_date", pa.date32()),
        ("last_order_date", pa.date32()),
        ("r_score", pa.int32()),
        ("f_score", pa.int32()),
        ("m_score", pa.int32()),
        ("rfm_score", pa.string()),
        ("segment", pa.string()),
        ("previous_segment", pa.string()),
        ("segment_since", pa.date32()),
        ("as_of_date", pa.date32()),
        ("run_id", pa.string()),
    ]
)
"""The schema of every Parquet output of a result; all columns are nullable."""


@pytest.fixture
def orders(tmp_path: Path) -> Path:
    path = tmp_path / "orders.csv"
    path.write_text(ORDERS, encoding="utf-8")
    return path


def test_the_parquet_outputs_of_all_days_have_one_schema(rfm: Rfm, orders: Path, tmp_path: Path) -> None:
    # The previous segment of each customer is NULL in the first file, and that of none in the last one.
    for month, flags in ((3, ()), (4, ("--returns", "net")), (5, ("--window", "24 months"))):
        output = f"{month}.parquet"
        ended = rfm("run", orders, "--output", output, "--as-of", f"2024-{month:02}-01", *flags)
        assert ended.code == 0, ended.stderr
        assert parquet.read_schema(tmp_path / output) == PARQUET_SCHEMA
    assert all(field.nullable for field in PARQUET_SCHEMA)


def test_an_output_has_the_types_of_the_published_table(rfm: Rfm, orders: Path, tmp_path: Path) -> None:
    assert rfm("run", orders, "--output", "segments.parquet").code == 0
    with duckdb.connect(str(tmp_path / "rfm.duckdb")) as connection:
        table = connection.sql("FROM rfm_segments")
        file = connection.sql(f"FROM '{tmp_path / 'segments.parquet'}'")
        assert file.columns == table.columns
        assert file.types == table.types


def storage_version(file: Path) -> str:
    with duckdb.connect() as connection:
        connection.execute(f"ATTACH '{file}' AS written (READ_ONLY)")
        ((tags,),) = connection.execute(
            "SELECT tags FROM duckdb_databases() WHERE database_name = 'written'"
        ).fetchall()
    return str(tags["storage_version"])


@pytest.mark.slow
def test_new_files_state_an_older_storage_version(rfm: Rfm, orders: Path, tmp_path: Path) -> None:
    assert rfm("run", orders).code == 0
    assert storage_version(tmp_path / "rfm.duckdb") == "v1.0.0+"
    (tmp_path / "rfm.toml").write_text("audits.mostly_excluded = 0.01\n", encoding="utf-8")
    assert rfm("run", orders).code == 3
    (rejected,) = tmp_path.glob("rfm.rfm_segments.rejected-*.duckdb")
    assert storage_version(rejected) == "v1.0.0+"


@pytest.mark.slow
def test_a_setting_chooses_a_newer_storage_version(rfm: Rfm, orders: Path, tmp_path: Path) -> None:
    for version in ("v1.4.0", "v2.0.0"):
        (tmp_path / "rfm.toml").write_text(f'[duckdb]\nstorage_version = "{version}"\n', encoding="utf-8")
        assert rfm("run", orders, "--to", f"duckdb:{version}.duckdb").code == 0
        assert storage_version(tmp_path / f"{version}.duckdb") == f"{version}+"
    # The version of an existing file stays.
    (tmp_path / "rfm.toml").unlink()
    assert rfm("run", orders, "--to", "duckdb:v2.0.0.duckdb").code == 0
    assert storage_version(tmp_path / "v2.0.0.duckdb") == "v2.0.0+"


def test_an_unknown_storage_version_is_refused(rfm: Rfm, orders: Path, tmp_path: Path) -> None:
    (tmp_path / "rfm.toml").write_text('[duckdb]\nstorage_version = "v0.9"\n', encoding="utf-8")
    sentence, _ = refused(rfm("run", orders))
    assert "`duckdb.storage_version`" in sentence
    assert "v1.0.0" in sentence


OtherDuckDB = Callable[..., str]
"""Runs a Python program with another version of DuckDB; takes the program and returns its stdout."""


@pytest.fixture(scope="module", params=["1.4.4", "1.5.5"])
def other_duckdb(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> OtherDuckDB:
    """An earlier version of DuckDB in a folder of its own."""
    uv, folder = shutil.which("uv"), tmp_path_factory.mktemp("duckdb")
    if uv is None:
        pytest.skip("uv is not installed")
    command = [uv, "pip", "install", "--quiet", "--python", sys.executable, "--target", str(folder)]
    installed = subprocess.run(
        [*command, f"duckdb=={request.param}"], capture_output=True, text=True, timeout=300, check=False
    )
    if installed.returncode:
        pytest.skip(f"no package index is reachable: {installed.stderr[-200:]}")

    def run(program: str) -> str:
        header = f"import duckdb\nassert duckdb.__version__ == '{request.param}'\n"
        ended = subprocess.run(
            [sys.executable, "-c", header + program],
            env={"PYTHONPATH": str(folder)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    return run


@pytest.mark.slow
def test_duckdb_1_reads_a_new_destination(
    other_duckdb: OtherDuckDB, rfm: Rfm, orders: Path, tmp_path: Path
) -> None:
    for day in ("2024-03-01", "2024-04-01"):
        assert rfm("run", orders, "--as-of", day, "--output", "segments.parquet").code == 0
    file, output = tmp_path / "rfm.duckdb", tmp_path / "segments.parquet"
    query = "SELECT customer_id, monetary::VARCHAR, segment FROM {} ORDER BY ALL"
    program = f"""
import json
connection = duckdb.connect({str(file)!r}, read_only=True)
for relation in ("rfm_segments", "rfm_segments_history", "rfm_segments_runs", "{output}"):
    assert connection.sql(f"FROM '{{relation}}'").fetchall()
print(json.dumps(connection.sql({query.format("rfm_segments")!r}).fetchall()))
"""
    with database(file) as connection:
        rows = connection.sql(query.format("rfm_segments")).fetchall()
    assert [tuple(row) for row in json.loads(other_duckdb(program))] == rows


@pytest.mark.slow
def test_files_of_duckdb_1_are_a_source_and_a_destination(
    other_duckdb: OtherDuckDB, rfm: Rfm, orders: Path, tmp_path: Path
) -> None:
    shop, own = tmp_path / "shop.duckdb", tmp_path / "own.duckdb"
    other_duckdb(f"""
duckdb.connect({str(shop)!r}).execute("CREATE TABLE orders AS FROM read_csv('{orders}', all_varchar = true)")
duckdb.connect({str(own)!r}).execute("CREATE TABLE notes AS SELECT 1 AS note")
""")
    ended = rfm(
        "run", f"duckdb:{shop}#orders", "--to", f"duckdb:{own}", "--date-format", "%Y-%m-%d", "--json"
    )
    assert ended.code == 0, ended.stderr
    assert ended.json["customers"] == 4
    program = f"connection = duckdb.connect({str(own)!r}, read_only=True)\n"
    program += "print(connection.sql('SELECT COUNT(*) FROM rfm_segments, notes').fetchall())"
    assert other_duckdb(program) == "[(4,)]\n"
