"""Frozen edges on BigQuery, against a server: as on DuckDB."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from support.bigquery_shop import Shop
from support.cli import Rfm
from support.orders import ORDERS, without_run_id

pytestmark = pytest.mark.xdist_group("bigquery")

# The server keeps three decimals of a number in the query; Google's evaluator keeps all, in tests/sql.
TO_THE_CENT = ("--exclude", "fractions=customer_id = 'ann'")
SAME = ("as_of", "edges", "recomputed_edges", "customers_rescored", "segments", "audits")


@pytest.mark.usefixtures("proxy")
def test_a_calibration_and_a_run_by_its_edges_are_those_of_duckdb(
    bigquery_shop: Shop, rfm: Rfm, tmp_path: Path
) -> None:
    source = bigquery_shop.make()
    there, here = ("--to", bigquery_shop.destination), ("--to", "duckdb:rfm.duckdb")
    (tmp_path / "orders.csv").write_text(ORDERS, encoding="utf-8")
    for arguments in ((source, *there), ("orders.csv", *here)):
        ended = rfm("calibrate", *arguments, *TO_THE_CENT, "--as-of", "2024-02-20")
        assert ended.code == 0, ended.stderr
    on_bigquery, on_duckdb = (rfm("runs", *where, "--json").json["runs"][0] for where in (there, here))
    assert (on_bigquery["engine"], on_duckdb["engine"]) == ("bigquery", "duckdb")
    assert on_bigquery["edges"] == on_duckdb["edges"]
    assert on_bigquery["jobs"]
    assert bigquery_shop.published() == []
    of_bigquery = rfm("run", source, *there, *TO_THE_CENT, "--freeze", on_bigquery["run_id"], "--json").json
    of_duckdb = rfm("run", "orders.csv", *here, *TO_THE_CENT, "--freeze", on_duckdb["run_id"], "--json").json
    assert bigquery_shop.without_run_id() == without_run_id(tmp_path / "rfm.duckdb")
    assert {name: of_bigquery[name] for name in SAME} == {name: of_duckdb[name] for name in SAME}
    assert of_bigquery["edges"] != of_bigquery["recomputed_edges"]
    assert of_bigquery["customers_rescored"] > 0
    assert tuple(map(Decimal, of_bigquery["edges"]["monetary"])) == tuple(
        map(Decimal, on_bigquery["edges"][2]["edges"])
    )
