"""Tables of a result outlive the default expirations of their dataset, on the emulator that inherits them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from support import bigquery_emulator
from support.bigquery_emulator import LOCAL_BIGQUERY
from support.bigquery_proxy import InstantClock, run_proxy
from support.bigquery_shop import PROJECT, Shop
from support.cli import Rfm

pytestmark = [pytest.mark.xdist_group("bigquery"), pytest.mark.long]

DAY_MS = 86_400_000


def test_tables_of_a_result_do_not_inherit_the_expirations_of_their_dataset(
    rfm: Rfm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rfm_pipeline.warehouse.bigquery.jobs.Clock", InstantClock)
    try:
        with bigquery_emulator.run_emulator(LOCAL_BIGQUERY) as address, run_proxy(address) as proxy:
            monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", proxy.address)
            shop = Shop(address)
            dataset = shop.client.get_dataset(f"{PROJECT}.{shop.dataset}")
            dataset.default_table_expiration_ms = 7 * DAY_MS
            dataset.default_partition_expiration_ms = 30 * DAY_MS
            shop.client.update_dataset(
                dataset, ["default_table_expiration_ms", "default_partition_expiration_ms"]
            )
            source = shop.create_table()
            soon = datetime.now(UTC) + timedelta(days=8)
            expiry = {"orders": shop.client.get_table(f"{PROJECT}.{shop.dataset}.orders").expires}
            assert expiry["orders"] is not None
            assert expiry["orders"] < soon, "the emulator inherits the default"
            checked = rfm("check", source, "--to", shop.destination, "--json")
            assert "drops a table after 7 days" in " ".join(checked.json["access"]["notes"])
            ended = rfm("run", source, "--to", shop.destination)
            assert ended.code == 0, ended.stderr
            for name in ("rfm_segments", "rfm_segments_history", "rfm_segments_runs"):
                table = shop.client.get_table(f"{PROJECT}.{shop.dataset}.{name}")
                assert table.expires is None or table.expires > soon + timedelta(days=365_000), name
                by_time = table.time_partitioning
                assert by_time is None or by_time.expiration_ms is None, name
            shop.close()
    except bigquery_emulator.UnavailableError as error:
        pytest.skip(f"no BigQuery server here: {error}")
