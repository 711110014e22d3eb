"""Local files in the BigQuery emulator: `rfm load FILE... TABLE`, and `rfm run FILE --to bigquery://...`."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from rfm_pipeline.common.schema import Column, Kind
from rfm_pipeline.config.engines import DuckDBSettings
from rfm_pipeline.config.source import SourceOptions
from rfm_pipeline.config.source_location import parse_source
from rfm_pipeline.errors import SourceError
from rfm_pipeline.warehouse.bigquery.local_files import LocalFiles, to_bigquery_fields
from support.bigquery_proxy import REQUEST_FAULTS, Proxy
from support.bigquery_shop import PROJECT, Shop
from support.cli import Rfm
from support.orders import ORDERS, refused, without_run_id

pytestmark = pytest.mark.xdist_group("bigquery")


@pytest.fixture
def orders(tmp_path: Path) -> Path:
    (tmp_path / "orders.csv").write_text(ORDERS, encoding="utf-8")
    return tmp_path / "orders.csv"


def test_a_run_reads_a_loaded_table(
    bigquery_shop: Shop, proxy: Proxy, rfm: Rfm, orders: Path, tmp_path: Path
) -> None:
    table = bigquery_shop.source("raw")
    ended = rfm("load", "orders.csv", table)
    assert ended.code == 0, ended.stderr
    shown = " ".join(ended.stdout.split())
    assert "customer_id STRING" in shown
    assert shown.endswith(f"Loaded 11 rows into {PROJECT}.{bigquery_shop.dataset}.raw.")
    assert rfm("run", table, "--to", bigquery_shop.destination).code == 0
    assert rfm("run", "orders.csv").code == 0
    assert bigquery_shop.published_without_run_id() == without_run_id(tmp_path / "rfm.duckdb")


def test_existing_rows_are_kept_or_replaced_only_on_request(
    bigquery_shop: Shop, proxy: Proxy, rfm: Rfm, orders: Path, tmp_path: Path
) -> None:
    table = bigquery_shop.source("raw")
    assert rfm("load", "orders.csv", table).code == 0
    sentence, hint = refused(rfm("load", "orders.csv", table))
    assert sentence == f"The table {PROJECT}.{bigquery_shop.dataset}.raw exists."
    assert "--append" in hint
    assert "--replace" in hint
    (tmp_path / "more.csv").write_text("\n".join(ORDERS.splitlines()[:4]), encoding="utf-8")
    added = rfm("load", "more.csv", "orders.csv", table, "--append", "--json")
    assert added.code == 0, added.stderr
    assert (added.json["rows"], added.json["rows_now"]) == (14, 25)
    replaced = rfm("load", "more.csv", table, "--replace", "--json")
    assert replaced.code == 0, replaced.stderr
    assert (replaced.json["rows"], replaced.json["rows_now"]) == (3, 3)
    assert len(bigquery_shop.execute(f"SELECT * FROM {bigquery_shop.name('raw')}")) == 3
    assert len(refused(rfm("load", "more.csv", table, "--replace", "--append"))) == 2


def test_a_missing_dataset_is_named(bigquery_shop: Shop, proxy: Proxy, rfm: Rfm, orders: Path) -> None:
    sentence, hint = refused(rfm("load", "orders.csv", f"bigquery://{PROJECT}.nowhere.raw"))
    assert sentence.startswith(f"There is no dataset {PROJECT}.nowhere in BigQuery")
    assert "bq mk" in hint


def test_files_with_other_columns_are_not_appended(
    bigquery_shop: Shop, proxy: Proxy, rfm: Rfm, orders: Path, tmp_path: Path
) -> None:
    table = bigquery_shop.source("raw")
    assert rfm("load", "orders.csv", table).code == 0
    (tmp_path / "other.csv").write_text("customer_id,order_id,paid\nx,y,2\n", encoding="utf-8")
    sentence, _ = refused(rfm("load", "other.csv", table, "--append"))
    assert "does not have the columns of the files: it lacks paid" in sentence
    assert len(bigquery_shop.execute(f"SELECT * FROM {bigquery_shop.name('raw')}")) == 11


def test_column_types_are_preserved(bigquery_shop: Shop, proxy: Proxy, rfm: Rfm, tmp_path: Path) -> None:
    duckdb.connect().execute(
        "COPY (SELECT 7 AS customer_id, DATE '2024-01-02' AS day, TIMESTAMP '2024-01-02 03:04:05' AS at,"
        " 1.5::DOUBLE AS share, true AS paid, 12.345::DECIMAL(18, 3) AS amount, [1, 2] AS parts)"
        f" TO '{tmp_path / 'typed.parquet'}'"
    )
    ended = rfm("load", "typed.parquet", bigquery_shop.source("typed"), "--json")
    assert ended.code == 0, ended.stderr
    assert ended.json["columns"] == {
        "customer_id": "INT64",
        "day": "DATE",
        "at": "DATETIME",
        "share": "FLOAT64",
        "paid": "BOOL",
        "amount": "NUMERIC",
    }
    assert "left out, because nested or binary: parts" in ended.json["notes"]
    (row,) = bigquery_shop.execute(f"SELECT * FROM {bigquery_shop.name('typed')}")
    assert (row["customer_id"], str(row["at"]), row["amount"]) == (
        7,
        "2024-01-02 03:04:05",
        Decimal("12.345"),
    )


def test_invalid_names_and_unknown_types_are_converted() -> None:
    schema = (
        Column(("Price ($)",), Kind.DECIMAL, "DECIMAL(38,12)"),
        Column(("n",), Kind.INTEGER, "HUGEINT"),
        Column(("deep",), Kind.OTHER, "STRUCT(a INTEGER)"),
        Column(("deep", "a"), Kind.INTEGER, "INTEGER"),
    )
    assert [(field.name, field.type) for field in to_bigquery_fields(schema)] == [
        ("Price ___", "BIGNUMERIC"),
        ("n", "BIGNUMERIC"),
    ]
    with pytest.raises(SourceError, match="would both be called"):
        to_bigquery_fields((Column(("a$",), Kind.TEXT, "VARCHAR"), Column(("a?",), Kind.TEXT, "VARCHAR")))
    with pytest.raises(SourceError, match="No column of the source can be loaded"):
        to_bigquery_fields((Column(("blob",), Kind.OTHER, "BLOB"),))


def test_a_run_of_a_file_publishes_the_same_as_on_duckdb(
    bigquery_shop: Shop, proxy: Proxy, rfm: Rfm, real_orders: Path, tmp_path: Path
) -> None:
    on_bigquery = rfm("run", real_orders, "--to", bigquery_shop.destination, "--json")
    assert on_bigquery.code == 0, on_bigquery.stderr
    on_duckdb = rfm("run", real_orders, "--json")
    assert on_duckdb.code == 0
    assert bigquery_shop.published_without_run_id() == without_run_id(tmp_path / "rfm.duckdb")
    same = ("source", "as_of", "rows", "amount", "customers", "orders", "revenue", "edges", "segments")
    assert {name: on_bigquery.json[name] for name in same} == {name: on_duckdb.json[name] for name in same}
    assert bigquery_shop.tables() == ["rfm_segments", "rfm_segments_history", "rfm_segments_runs"]
    created = [request.json for request in proxy.requests if request.kind == "create"]
    assert [table["tableReference"]["tableId"].rpartition("__")[2] for table in created] == ["lease", "lines"]
    assert all(table["expirationTime"] for table in created)


@pytest.mark.usefixtures("proxy")
@pytest.mark.parametrize("size", ["small", "large"])
def test_files_that_overlap_are_counted_once_as_on_duckdb(
    size: str, bigquery_shop: Shop, rfm: Rfm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if size == "large":
        monkeypatch.setattr("rfm_pipeline.pipeline.shared_orders._ALWAYS_COMPARED_BYTES", 0)
    header, *lines = ORDERS.splitlines(keepends=True)
    folder = tmp_path / "in"
    folder.mkdir()
    for name, part in (("1", lines[:6]), ("2", lines[4:]), ("3", lines[:6])):
        (folder / f"{name}.csv").write_text(header + "".join(part), encoding="utf-8")
    on_bigquery = rfm("run", folder, "--to", bigquery_shop.destination, "--json", "--same-order", "last")
    assert on_bigquery.code == 0, on_bigquery.stderr
    on_duckdb = rfm("run", folder, "--json", "--same-order", "last")
    assert on_duckdb.json["rows"]["excluded"]["duplicate_file"] == 6
    assert on_duckdb.json["rows"]["excluded"]["duplicate_order"] >= 1
    same = ("source", "as_of", "rows", "amount", "customers", "orders", "revenue", "edges", "segments")
    assert {name: on_bigquery.json[name] for name in same} == {name: on_duckdb.json[name] for name in same}


def test_files_of_equal_content_are_loaded_and_named(
    bigquery_shop: Shop, proxy: Proxy, rfm: Rfm, orders: Path, tmp_path: Path
) -> None:
    (tmp_path / "in").mkdir()
    for name in ("1.csv", "2.csv"):
        (tmp_path / "in" / name).write_text(ORDERS, encoding="utf-8")
    loaded = rfm("load", "in", bigquery_shop.source("raw"), "--json")
    assert loaded.code == 0, loaded.stderr
    assert loaded.json["rows"] == 22
    assert "1 file of equal content loaded all the same: in/2.csv equals in/1.csv" in loaded.json["notes"]
    assert "rfm_file" not in loaded.json["columns"]


def test_a_check_of_a_file_loads_nothing(bigquery_shop: Shop, proxy: Proxy, rfm: Rfm, orders: Path) -> None:
    ended = rfm("check", "orders.csv", "--to", bigquery_shop.destination, "--exclude", "de=country = 'DE'")
    assert ended.code == 0, ended.stderr
    assert bigquery_shop.tables() == []
    assert {request.kind for request in proxy.requests} <= {"dataset", "table", "dry-run"}
    ended = rfm("check", "orders.csv", "--to", bigquery_shop.destination, "--exclude", "odd=NO_SUCH(country)")
    assert ended.code == 2
    assert "The exclusion `odd` is not usable" in ended.stderr


@pytest.mark.parametrize("fault", REQUEST_FAULTS)
def test_a_fault_in_an_upload_loads_the_rows_once_or_not_at_all(
    fault: str, bigquery_shop: Shop, proxy: Proxy, rfm: Rfm, orders: Path
) -> None:
    if "hang" in fault:
        pytest.skip("the timeout of an upload is minutes")
    table = bigquery_shop.source("raw")
    assert rfm("load", "orders.csv", table).code == 0
    uploads = len([request for request in proxy.requests if request.kind == "upload"])
    assert uploads >= 1
    for point in range(uploads):
        proxy.reset()
        proxy.fault_for = lambda request, point=point: (  # type: ignore[misc]
            fault
            if request.kind == "upload"
            and len([sent for sent in proxy.requests if sent.kind == "upload"]) == point + 1
            else None
        )
        ended = rfm("load", "orders.csv", table, "--replace")
        assert ended.code in (0, 4), ended.stderr
        if ended.code:
            refused(ended, code=4)
        assert len(bigquery_shop.execute(f"SELECT * FROM {bigquery_shop.name('raw')}")) == 11


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("orders.csv",), "is not a BigQuery table"),
        (("bigquery://a.b.c",), "is not a BigQuery table"),
        (("orders.csv", "duckdb:x.duckdb"), "is not a BigQuery table"),
        (("bigquery://a.b.c", "bigquery://a.b.d"), "can't be loaded into another one"),
        (("-", "orders.csv", "bigquery://a.b.d"), "Standard input can't be combined"),
    ],
)
def test_invalid_arguments_of_load_are_refused(
    arguments: tuple[str, ...], message: str, rfm: Rfm, orders: Path
) -> None:
    sentence, hint = refused(rfm("load", *arguments))
    assert message in sentence
    assert "rfm load orders.csv bigquery://project.dataset.table" in hint


def test_a_32_bit_float_becomes_the_double_of_its_shortest_text(tmp_path: Path) -> None:
    source = tmp_path / "lines.parquet"
    numbers = "SELECT UNNEST([9.99::FLOAT, 'inf'::FLOAT, NULL]) AS amount"
    duckdb.connect().execute(f"COPY ({numbers}) TO '{source}' (FORMAT parquet)")
    files = LocalFiles([parse_source(str(source))], SourceOptions(), DuckDBSettings())
    files.open()
    try:
        path, _ = files.write_parquet()
        assert duckdb.connect().read_parquet(str(path)).fetchall() == [(9.99,), (float("inf"),), (None,)]
    finally:
        files.close()
