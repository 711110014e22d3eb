"""`rfm export` of a result in the BigQuery emulator equals the export of a DuckDB file."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.bigquery_proxy import Proxy
from support.bigquery_shop import Shop
from support.cli import Rfm
from support.orders import ORDERS

pytestmark = pytest.mark.xdist_group("bigquery")

CONTACTS = "id,email\n7,seven@example.com\n007,bond@example.com\nann,Ann@Example.com\nbob,none\n"


@pytest.fixture
def destinations(bigquery_shop: Shop, rfm: Rfm, proxy: Proxy, tmp_path: Path) -> tuple[str, str]:
    """The same result on BigQuery and in a DuckDB file."""
    (tmp_path / "orders.csv").write_text(ORDERS, encoding="utf-8")
    (tmp_path / "contacts.csv").write_text(CONTACTS, encoding="utf-8")
    source = bigquery_shop.create_table()
    for lines, to in ((source, bigquery_shop.destination), ("orders.csv", "duckdb:rfm.duckdb")):
        ended = rfm("run", lines, "--to", to, "--quiet")
        assert ended.code == 0, ended.stderr
    return bigquery_shop.destination, "duckdb:rfm.duckdb"


def test_the_exported_files_are_those_of_duckdb(
    destinations: tuple[str, str], rfm: Rfm, tmp_path: Path
) -> None:
    columns = "customer_id,monetary,avg_order_value,last_order_date,frequency,segment,previous_segment"
    exports = {
        "plain": ("--columns", columns),
        "hashed": ("--format", "google", "--contacts", "contacts.csv"),
    }
    for name, flags in exports.items():
        files, summaries = [], []
        for number, to in enumerate(destinations):
            file = tmp_path / f"{name}{number}.csv"
            ended = rfm("export", "--to", to, *flags, "-o", file, "--json")
            assert ended.code == 0, ended.stderr
            files.append(file.read_text(encoding="utf-8"))
            summaries.append({k: v for k, v in ended.json.items() if k not in {"file", "source"}})
        assert files[0] == files[1]
        assert len(files[0].splitlines()) > 1
        assert summaries[0] == summaries[1]


def test_segments_are_filtered_on_bigquery(
    destinations: tuple[str, str], rfm: Rfm, bigquery_shop: Shop, tmp_path: Path
) -> None:
    segment = bigquery_shop.published_rows()[0][11]
    expected = [row[0] for row in bigquery_shop.published_rows() if row[11] == segment]
    arguments = ("--segment", segment, "--columns", "customer_id", "-o", "some.csv")
    assert rfm("export", "--to", bigquery_shop.destination, *arguments).code == 0
    assert (tmp_path / "some.csv").read_text().split() == ["customer_id", *expected]


def test_a_missing_result_is_an_error(bigquery_shop: Shop, rfm: Rfm, proxy: Proxy) -> None:
    ended = rfm("export", "--to", bigquery_shop.destination, "-o", "x.csv")
    assert ended.code == 2
    assert f"There is no result at {bigquery_shop.destination}.rfm_segments" in ended.stderr
