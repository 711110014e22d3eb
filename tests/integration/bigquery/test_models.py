"""`rfm sql --for` of a table of BigQuery: a model reads the table, and fills one with the rows of a run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from rfm_pipeline.sql.models.model import MODEL_COLUMNS
from support import dbt_project
from support.bigquery_proxy import Proxy
from support.bigquery_shop import ORDER_LINES, PROJECT, Shop
from support.cli import Rfm

pytestmark = pytest.mark.xdist_group("bigquery")

TYPED_LINES = f"SELECT * REPLACE (SAFE_CAST(order_date AS DATE) AS order_date) FROM ({ORDER_LINES})"
RUN_TIME = "TIMESTAMP '2024-03-04 23:30:00+00'"


@pytest.mark.long
@pytest.mark.parametrize("history", [[], ["--history"]], ids=["current", "history"])
def test_a_scheduled_query_publishes_the_rows_of_a_run(
    history: list[str], bigquery_shop: Shop, rfm: Rfm, proxy: Proxy
) -> None:
    """It runs late in the evening in UTC, which is the next day in the shop's zone; and again."""
    source = bigquery_shop.create_table("lines", TYPED_LINES)
    options = ["--timezone", "Europe/Berlin", "--window", "2 months"]
    ended = rfm("sql", source, "--for", "scheduled-query", *history, *options)
    assert ended.code == 0, ended.stderr
    table = "rfm_segments_history" if history else "rfm_segments"
    assert f"`{PROJECT}`.`{bigquery_shop.dataset}`.`{table}`" in ended.stdout
    # The emulator knows no ASSERT, and keeps temporary tables.
    script = re.sub(r"^ASSERT .+?;\n", "", ended.stdout, flags=re.DOTALL | re.MULTILINE)
    script = script.replace("CREATE TEMP TABLE", "CREATE OR REPLACE TEMP TABLE")
    for _ in range(2):
        bigquery_shop.execute(script.replace("@run_time", RUN_TIME))
    rows = model_rows(bigquery_shop, table)
    run = rfm(
        "run", source, "--to", f"{bigquery_shop.destination}.published", "--as-of", "2024-03-05", *options
    )
    assert run.code == 0, run.stderr
    assert rows == model_rows(bigquery_shop, "published")
    assert rows


def test_a_model_reads_the_partitions_of_its_window(
    bigquery_shop: Shop, rfm: Rfm, proxy: Proxy, tmp_path: Path
) -> None:
    name = bigquery_shop.name("parts")
    bigquery_shop.execute(f"CREATE TABLE {name} PARTITION BY order_date AS {TYPED_LINES}")
    ended = rfm(
        "sql", bigquery_shop.source("parts"), "--for", "dbt", "--window", "24 months", "--since", "2024-01-01"
    )
    assert ended.code == 0, ended.stderr
    source = f"{{{{ source('{bigquery_shop.dataset}', 'parts') }}}}"
    first = "DATE_SUB(CURRENT_DATE('UTC'), INTERVAL 745 DAY)"
    assert f"FROM {source}" in ended.stdout
    assert f"WHERE (`order_date` >= {first} OR `order_date` IS NULL)\n" in ended.stdout
    assert "AND (`order_date` >= DATE '2023-12-31' OR `order_date` IS NULL)" in ended.stdout
    bigquery_shop.execute(dbt_project.rendered(ended.stdout, {f"{bigquery_shop.dataset}.parts": name}))


def test_a_scheduled_query_does_not_replace_what_a_run_publishes(
    bigquery_shop: Shop, rfm: Rfm, proxy: Proxy
) -> None:
    ended = rfm(
        "sql", bigquery_shop.create_table(), "--for", "scheduled-query", "--to", bigquery_shop.destination
    )
    assert ended.code == 2
    assert "which rfm run publishes" in ended.stderr


def model_rows(shop: Shop, table: str) -> list[dict[str, object]]:
    return shop.execute(f"SELECT {', '.join(MODEL_COLUMNS)} FROM {shop.name(table)} ORDER BY customer_id")
