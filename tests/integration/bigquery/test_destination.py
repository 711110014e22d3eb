"""Destinations in BigQuery: recognised by their marks, and published to only if nothing changed meanwhile."""

from __future__ import annotations

from pathlib import Path

import pytest
from google.cloud import bigquery

from rfm_pipeline.config.loader import load_configuration
from rfm_pipeline.errors import LockedError
from rfm_pipeline.pipeline.progress import NullObserver
from rfm_pipeline.pipeline.run import execute_run, start_run
from rfm_pipeline.results.recognition import read_mark
from rfm_pipeline.results.tables import SUFFIXES
from rfm_pipeline.warehouse.bigquery.statements import staging_table_name
from support.bigquery_proxy import Proxy
from support.bigquery_shop import PROJECT, Shop
from support.cli import Rfm
from support.orders import ORDERS, refused

pytestmark = pytest.mark.xdist_group("bigquery")


@pytest.fixture
def published(bigquery_shop: Shop, rfm: Rfm, proxy: Proxy) -> str:
    """Publish a result; return its SOURCE argument."""
    source = bigquery_shop.create_table()
    ended = rfm("run", source, "--to", bigquery_shop.destination)
    assert ended.code == 0, ended.stderr
    return source


def descriptions(shop: Shop) -> dict[str, str | None]:
    return {
        role: shop.client.get_table(f"{PROJECT}.{shop.dataset}.rfm_segments{suffix}").description
        for role, suffix in SUFFIXES.items()
    }


def remove_marks(shop: Shop) -> None:
    """Leave the tables as earlier versions wrote them."""
    for suffix in SUFFIXES.values():
        table = bigquery.Table(f"{PROJECT}.{shop.dataset}.rfm_segments{suffix}")
        table.description = "RFM segments."
        shop.client.update_table(table, ["description"])


def test_a_name_of_a_sibling_is_no_destination_with_and_without_marks(
    published: str, bigquery_shop: Shop, rfm: Rfm, tmp_path: Path
) -> None:
    before = bigquery_shop.published_rows("rfm_segments_history")
    (tmp_path / "orders.csv").write_text(ORDERS, encoding="utf-8")
    for has_marks in (True, False):
        if not has_marks:
            remove_marks(bigquery_shop)
        for sibling, held in (("_history", "the history"), ("_runs", "the runs")):
            table = f"{PROJECT}.{bigquery_shop.dataset}.rfm_segments{sibling}"
            for command in (("run", published), ("check", published, "--json"), ("rollback",), ("runs",)):
                sentence, hint = refused(rfm(*command, "--to", f"bigquery://{table}"))
                assert sentence == (
                    f"{table} is the table of {held} of rfm_segments, which is another destination."
                )
                assert f"--to '{bigquery_shop.destination}.rfm_segments'" in hint
            for mode in ("--append", "--replace"):
                sentence, _ = refused(rfm("load", "orders.csv", f"bigquery://{table}", mode))
                assert (
                    sentence == f"{table} belongs to the result rfm_segments, which only runs of rfm write."
                )
    assert bigquery_shop.published_rows("rfm_segments_history") == before
    assert bigquery_shop.tables() == ["orders", *(f"rfm_segments{suffix}" for suffix in SUFFIXES.values())]


def test_a_destination_without_marks_is_recognised_and_marked(
    published: str, bigquery_shop: Shop, rfm: Rfm
) -> None:
    marked = descriptions(bigquery_shop)
    assert [str(read_mark(text)) for text in marked.values()] == [
        f"Mark(role='{role}', destination='rfm_segments', format=1)" for role in SUFFIXES
    ]
    remove_marks(bigquery_shop)
    assert rfm("runs", "--to", bigquery_shop.destination).code == 0
    assert rfm("run", published, "--to", bigquery_shop.destination).code == 0
    assert descriptions(bigquery_shop) == marked
    assert len(bigquery_shop.execute(f"SELECT run_id FROM {bigquery_shop.name('rfm_segments_runs')}")) == 2


def test_a_copy_of_a_result_is_no_destination(published: str, bigquery_shop: Shop, rfm: Rfm) -> None:
    copy, result = bigquery_shop.name("backup"), bigquery_shop.name("rfm_segments")
    bigquery_shop.execute(f"CREATE TABLE {copy} AS SELECT * FROM {result}")
    sentence, _ = refused(rfm("run", published, "--to", f"{bigquery_shop.destination}.backup"))
    assert "there is no table of its runs, backup_runs" in sentence
    assert len(bigquery_shop.execute(f"SELECT * FROM {copy}")) == 4


@pytest.mark.parametrize(
    "table", ["rfm_segments__lease", staging_table_name("rfm_segments", "20251231T060000-1f9c3a", "edges")]
)
def test_a_name_that_runs_make_and_drop_is_no_destination(
    table: str, bigquery_shop: Shop, rfm: Rfm, proxy: Proxy
) -> None:
    source = bigquery_shop.create_table()
    for command in (("run", source), ("check", source, "--json")):
        sentence, _ = refused(rfm(*command, "--to", f"{bigquery_shop.destination}.{table}"))
        assert sentence.endswith(f"{table} has the name of a table that runs of rfm make and drop.")
    assert bigquery_shop.tables() == ["orders"]


def test_a_run_that_lost_its_lease_publishes_nothing_over_a_newer_result(
    bigquery_shop: Shop, rfm: Rfm, proxy: Proxy
) -> None:
    source, to = bigquery_shop.create_table(), bigquery_shop.destination
    flags = {"source": source, "to": to, "as_of": "2024-03-05"}
    lease = f"{PROJECT}.{bigquery_shop.dataset}.rfm_segments__lease"
    with start_run(load_configuration(flags), NullObserver(), kind="run") as (start, plan):
        bigquery_shop.client.delete_table(lease)
        ended = rfm("run", source, "--to", to, "--as-of", "2024-03-09")
        assert ended.code == 0, ended.stderr
        newer = bigquery_shop.published_rows()
        with pytest.raises(LockedError, match=r"has published to bigquery://.* since this one began"):
            execute_run(start, plan, NullObserver())
    assert bigquery_shop.published_rows() == newer
    assert bigquery_shop.published_rows("rfm_segments_history") == newer


def test_a_run_that_lost_its_lease_leaves_the_lease_of_another_run(
    bigquery_shop: Shop, rfm: Rfm, proxy: Proxy
) -> None:
    flags = {"source": bigquery_shop.create_table(), "to": bigquery_shop.destination}
    lease = f"{PROJECT}.{bigquery_shop.dataset}.rfm_segments__lease"
    with start_run(load_configuration(flags), NullObserver(), kind="run"):
        bigquery_shop.client.delete_table(lease)
        taken = bigquery.Table(lease, schema=[bigquery.SchemaField("run_id", "STRING")])
        taken.description = "Held by the run 20260101T000000-abc123"
        bigquery_shop.client.create_table(taken)
    assert "rfm_segments__lease" in bigquery_shop.tables()


@pytest.mark.long
def test_a_dropped_history_is_no_error_of_bigquery(published: str, bigquery_shop: Shop, rfm: Rfm) -> None:
    to = ("--to", bigquery_shop.destination)
    before = bigquery_shop.published_rows()
    bigquery_shop.execute(f"DROP TABLE {bigquery_shop.name('rfm_segments_history')}")
    sentence, hint = refused(rfm("rollback", rfm("runs", "-q", *to).stdout.strip(), *to))
    assert sentence.startswith("The history has no rows as of ")
    assert hint.startswith("compute them again: rfm run --as-of ")
    assert bigquery_shop.published_rows() == before
    assert rfm("backfill", published, "--every", "stored", *to).code == 0
    assert len(bigquery_shop.published_rows("rfm_segments_history")) == len(before)
    bigquery_shop.execute(f"DROP TABLE {bigquery_shop.name('rfm_segments_history')}")
    assert rfm("forget", "ann", *to, "--json").json["current"] == 1
    assert len(bigquery_shop.published_rows()) == len(before) - 1
