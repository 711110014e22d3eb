"""`rfm report` of a result in the BigQuery emulator equals the report of a DuckDB file."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from rfm_pipeline.config.loader import Configuration
from rfm_pipeline.report.data import ReportData, collect_report_data, report_source
from rfm_pipeline.results.run_history import read_state
from rfm_pipeline.warehouse.factory import open_destination
from support.bigquery_proxy import Proxy
from support.bigquery_shop import Shop
from support.cli import Rfm
from support.orders import ORDERS

pytestmark = pytest.mark.xdist_group("bigquery")


def report_data(to: str) -> ReportData:
    """Return the report's data in a fixed order."""
    with open_destination(Configuration(flags={"to": to}).settings) as destination:
        data = collect_report_data(report_source(destination, read_state(destination)), 10)
    values = sorted(data.values, key=lambda value: (value.dimension, value.segment, value.low))
    moves = sorted(data.moves, key=lambda move: (move.before or "", move.after or ""))
    return replace(data, values=tuple(values), moves=tuple(moves))


def test_the_report_data_are_those_of_duckdb(
    bigquery_shop: Shop, rfm: Rfm, proxy: Proxy, tmp_path: Path
) -> None:
    (tmp_path / "orders.csv").write_text(ORDERS, encoding="utf-8")
    source = bigquery_shop.create_table()
    runs = ((source, bigquery_shop.destination), ("orders.csv", "duckdb:rfm.duckdb"))
    for day in ("2024-02-25", "2024-03-01"):
        for lines, to in runs:
            ended = rfm("run", lines, "--to", to, "--as-of", day, "--quiet", "--report", "report.html")
            assert ended.code == 0, ended.stderr
    on_bigquery, on_duckdb = (report_data(to) for _, to in runs)
    assert on_duckdb.moves
    assert len(on_duckdb.top_customers) == on_duckdb.customers
    for part in (
        "as_of",
        "previous_as_of",
        "segments",
        "score_groups",
        "moves",
        "top_customers",
        "values",
        "periods",
    ):
        assert getattr(on_bigquery, part) == getattr(on_duckdb, part), part
    # Decimals of different scales are equal.
    assert on_bigquery.revenue == on_duckdb.revenue
