"""Frozen edges on the BigQuery emulator equal those on DuckDB."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from support.bigquery_shop import Shop
from support.cli import Rfm
from support.orders import ORDERS, without_run_id

pytestmark = pytest.mark.xdist_group("bigquery")

# The emulator keeps three decimals of a literal; tests/integration/googlesql covers the others.
TO_THE_CENT = ("--exclude", "fractions=customer_id = 'ann'")
SAME = ("as_of", "edges", "recomputed_edges", "customers_rescored", "segments", "audits")


@pytest.mark.usefixtures("proxy")
def test_calibration_and_a_run_with_frozen_edges_equal_those_on_duckdb(
    bigquery_shop: Shop, rfm: Rfm, tmp_path: Path
) -> None:
    source = bigquery_shop.create_table()
    bigquery, duckdb = ("--to", bigquery_shop.destination), ("--to", "duckdb:rfm.duckdb")
    (tmp_path / "orders.csv").write_text(ORDERS, encoding="utf-8")
    for arguments in ((source, *bigquery), ("orders.csv", *duckdb)):
        ended = rfm("calibrate", *arguments, *TO_THE_CENT, "--as-of", "2024-02-20")
        assert ended.code == 0, ended.stderr
    calibrated_bigquery, calibrated_duckdb = (
        rfm("runs", *destination, "--json").json["runs"][0] for destination in (bigquery, duckdb)
    )
    assert (calibrated_bigquery["engine"], calibrated_duckdb["engine"]) == ("bigquery", "duckdb")
    assert calibrated_bigquery["edges"] == calibrated_duckdb["edges"]
    assert calibrated_bigquery["jobs"]
    assert bigquery_shop.published_rows() == []
    frozen_bigquery = rfm(
        "run", source, *bigquery, *TO_THE_CENT, "--freeze", calibrated_bigquery["run_id"], "--json"
    ).json
    frozen_duckdb = rfm(
        "run", "orders.csv", *duckdb, *TO_THE_CENT, "--freeze", calibrated_duckdb["run_id"], "--json"
    ).json
    assert bigquery_shop.published_without_run_id() == without_run_id(tmp_path / "rfm.duckdb")
    assert {name: frozen_bigquery[name] for name in SAME} == {name: frozen_duckdb[name] for name in SAME}
    assert frozen_bigquery["edges"] != frozen_bigquery["recomputed_edges"]
    assert frozen_bigquery["customers_rescored"] > 0
    assert tuple(map(Decimal, frozen_bigquery["edges"]["monetary"])) == tuple(
        map(Decimal, calibrated_bigquery["edges"][2]["edges"])
    )
