"""`rfm report` of a result in BigQuery, against a server: as of one in a DuckDB file."""

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


def figures(to: str) -> ReportData:
    with open_destination(Configuration(flags={"to": to}).settings) as destination:
        found = collect_report_data(report_source(destination, read_state(destination)), 10)
    # In one order; a decimal of another scale is the same number.
    values = sorted(found.values, key=lambda value: (value.dimension, value.segment, value.low))
    moves = sorted(found.moves, key=lambda move: (move.before or "", move.after or ""))
    return replace(found, values=tuple(values), moves=tuple(moves))


def test_the_figures_are_the_same(bigquery_shop: Shop, rfm: Rfm, proxy: Proxy, tmp_path: Path) -> None:
    (tmp_path / "orders.csv").write_text(ORDERS, encoding="utf-8")
    source = bigquery_shop.make()
    places = ((source, bigquery_shop.destination), ("orders.csv", "duckdb:rfm.duckdb"))
    for day in ("2024-02-25", "2024-03-01"):
        for lines, to in places:
            ended = rfm("run", lines, "--to", to, "--as-of", day, "--quiet", "--report", "report.html")
            assert ended.code == 0, ended.stderr
    there, here = (figures(to) for _, to in places)
    assert here.moves
    assert len(here.top_customers) == here.customers
    for part in ("as_of", "previous_as_of", "segments", "score_groups", "moves", "top_customers", "values"):
        assert getattr(there, part) == getattr(here, part), part
    assert there.revenue == here.revenue
