"""Files on their way to BigQuery: `rfm load FILE... TABLE`, and `rfm run FILE --to bigquery://...`."""

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
from rfm_pipeline.warehouse.bigquery.local_files import LocalFiles, fields_of
from support.bigquery_proxy import BROKEN, Proxy
from support.bigquery_shop import PROJECT, Shop
from support.cli import Rfm
from support.orders import ORDERS, refused, without_run_id

pytestmark = pytest.mark.xdist_group("bigquery")


@pytest.fixture
def orders(tmp_path: Path) -> Path:
    (tmp_path / "orders.csv").write_text(ORDERS, encoding="utf-8")
    return tmp_path / "orders.csv"


def test_files_become_a_table_that_a_run_reads(
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
    assert bigquery_shop.without_run_id() == without_run_id(tmp_path / "rfm.duckdb")


def test_rows_are_added_or_take_the_place_of_others_only_when_asked(
    bigquery_shop: Shop, proxy: Proxy, rfm: Rfm, orders: Path, tmp_path: Path
) -> None:
    table = bigquery_shop.source("raw")
    assert rfm("load", "orders.csv", table).code == 0
    sentence, hint = refused(rfm("load", "orders.csv", table))
    assert sentence == f"There is a table {PROJECT}.{bigquery_shop.dataset}.raw."
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


def test_a_dataset_that_is_not_there_is_named(
    bigquery_shop: Shop, proxy: Proxy, rfm: Rfm, orders: Path
) -> None:
    sentence, hint = refused(rfm("load", "orders.csv", f"bigquery://{PROJECT}.nowhere.raw"))
    assert sentence.startswith(f"There is no dataset {PROJECT}.nowhere in BigQuery")
    assert "bq mk" in hint


def test_files_of_other_columns_are_not_added(
    bigquery_shop: Shop, proxy: Proxy, rfm: Rfm, orders: Path, tmp_path: Path
) -> None:
    table = bigquery_shop.source("raw")
    assert rfm("load", "orders.csv", table).code == 0
    (tmp_path / "other.csv").write_text("customer_id,order_id,paid\nx,y,2\n", encoding="utf-8")
    sentence, _ = refused(rfm("load", "other.csv", table, "--append"))
    assert "does not have the columns of the files: it lacks paid" in sentence
    assert len(bigquery_shop.execute(f"SELECT * FROM {bigquery_shop.name('raw')}")) == 11


def test_types_survive(bigquery_shop: Shop, proxy: Proxy, rfm: Rfm, tmp_path: Path) -> None:
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
    assert "left out, being nested or binary: parts" in ended.json["notes"]
    (row,) = bigquery_shop.execute(f"SELECT * FROM {bigquery_shop.name('typed')}")
    assert (row["customer_id"], str(row["at"]), row["amount"]) == (
        7,
        "2024-01-02 03:04:05",
        Decimal("12.345"),
    )


def test_names_and_types_that_bigquery_does_not_have_are_taken_to_some_that_it_has() -> None:
    schema = (
        Column(("Price ($)",), Kind.DECIMAL, "DECIMAL(38,12)"),
        Column(("n",), Kind.INTEGER, "HUGEINT"),
        Column(("deep",), Kind.OTHER, "STRUCT(a INTEGER)"),
        Column(("deep", "a"), Kind.INTEGER, "INTEGER"),
    )
    assert [(field.name, field.type) for field in fields_of(schema)] == [
        ("Price ___", "BIGNUMERIC"),
        ("n", "BIGNUMERIC"),
    ]
    with pytest.raises(SourceError, match="would both be called"):
        fields_of((Column(("a$",), Kind.TEXT, "VARCHAR"), Column(("a?",), Kind.TEXT, "VARCHAR")))
    with pytest.raises(SourceError, match="no column that BigQuery could take"):
        fields_of((Column(("blob",), Kind.OTHER, "BLOB"),))


def test_a_run_of_a_file_publishes_what_it_publishes_on_duckdb(
    bigquery_shop: Shop, proxy: Proxy, rfm: Rfm, real_orders: Path, tmp_path: Path
) -> None:
    there = rfm("run", real_orders, "--to", bigquery_shop.destination, "--json")
    assert there.code == 0, there.stderr
    here = rfm("run", real_orders, "--json")
    assert here.code == 0
    assert bigquery_shop.without_run_id() == without_run_id(tmp_path / "rfm.duckdb")
    same = ("source", "as_of", "rows", "amount", "customers", "orders", "revenue", "edges", "segments")
    assert {name: there.json[name] for name in same} == {name: here.json[name] for name in same}
    assert bigquery_shop.tables() == ["rfm_segments", "rfm_segments_history", "rfm_segments_runs"]
    made = [request.json for request in proxy.requests if request.kind == "make"]
    assert [table["tableReference"]["tableId"].rpartition("__")[2] for table in made] == ["lease", "lines"]
    assert all(table["expirationTime"] for table in made)


def test_a_check_of_a_file_loads_nothing(bigquery_shop: Shop, proxy: Proxy, rfm: Rfm, orders: Path) -> None:
    ended = rfm("check", "orders.csv", "--to", bigquery_shop.destination, "--exclude", "de=country = 'DE'")
    assert ended.code == 0, ended.stderr
    assert bigquery_shop.tables() == []
    assert {request.kind for request in proxy.requests} <= {"dataset", "table", "dry-run"}
    ended = rfm("check", "orders.csv", "--to", bigquery_shop.destination, "--exclude", "odd=NO_SUCH(country)")
    assert ended.code == 2
    assert "The exclusion `odd` is not usable" in ended.stderr


@pytest.mark.parametrize("fault", BROKEN)
def test_a_fault_in_an_upload_adds_the_rows_once_or_not_at_all(
    fault: str, bigquery_shop: Shop, proxy: Proxy, rfm: Rfm, orders: Path
) -> None:
    if "hang" in fault:
        pytest.skip("an upload may take minutes: a server that hangs is waited for")
    table = bigquery_shop.source("raw")
    assert rfm("load", "orders.csv", table).code == 0
    uploads = len([request for request in proxy.requests if request.kind == "upload"])
    assert uploads >= 1
    for point in range(uploads):
        proxy.forget()
        proxy.act = lambda request, point=point: (  # type: ignore[misc]
            fault
            if request.kind == "upload"
            and len([each for each in proxy.requests if each.kind == "upload"]) == point + 1
            else None
        )
        ended = rfm("load", "orders.csv", table, "--replace")
        assert ended.code in (0, 4), ended.stderr
        if ended.code:
            refused(ended, code=4)
        assert len(bigquery_shop.execute(f"SELECT * FROM {bigquery_shop.name('raw')}")) == 11


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("orders.csv",), "is not a table of BigQuery"),
        (("bigquery://a.b.c",), "is not a table of BigQuery"),
        (("orders.csv", "duckdb:x.duckdb"), "is not a table of BigQuery"),
        (("bigquery://a.b.c", "bigquery://a.b.d"), "needs no loading"),
        (("-", "orders.csv", "bigquery://a.b.d"), "Standard input is loaded by itself"),
    ],
)
def test_what_can_not_be_loaded_is_refused(
    arguments: tuple[str, ...], said: str, rfm: Rfm, orders: Path
) -> None:
    sentence, hint = refused(rfm("load", *arguments))
    assert said in sentence
    assert "rfm load orders.csv bigquery://project.dataset.table" in hint


def test_a_number_of_32_bits_becomes_the_one_that_it_prints_as(tmp_path: Path) -> None:
    source = tmp_path / "lines.parquet"
    numbers = "SELECT UNNEST([9.99::FLOAT, 'inf'::FLOAT, NULL]) AS amount"
    duckdb.connect().execute(f"COPY ({numbers}) TO '{source}' (FORMAT parquet)")
    files = LocalFiles([parse_source(str(source))], SourceOptions(), DuckDBSettings())
    files.open()
    try:
        path, _ = files.written()
        assert duckdb.connect().read_parquet(str(path)).fetchall() == [(9.99,), (float("inf"),), (None,)]
    finally:
        files.close()
