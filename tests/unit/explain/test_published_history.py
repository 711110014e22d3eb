"""Tests of the published results in `rfm explain`: the active ones, and differences from the current one."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path

import duckdb
import pytest
from msgspec.structs import replace

from rfm_pipeline.config.loader import Configuration
from rfm_pipeline.explain.published_history import published_history
from rfm_pipeline.results.run_history import read_state
from rfm_pipeline.sql.dialects.registry import dialect_of
from rfm_pipeline.warehouse.factory import open_destination
from support.cli import Rfm
from support.databases import database
from support.orders import ORDERS

DATES = ("2024-01-15", "2024-02-15", "2024-02-28", "2024-03-01")
TABLE = "duckdb:rfm.duckdb#rfm_segments"


@pytest.fixture
def published(tmp_path: Path, rfm: Rfm) -> Rfm:
    """A destination with a result of each date."""
    (tmp_path / "orders.csv").write_text(ORDERS, encoding="utf-8")
    for as_of in DATES:
        assert rfm("run", "orders.csv", "--as-of", as_of, "--json").code == 0
    return rfm


def normalize_blanks(text: str) -> str:
    return " ".join(text.split())


def test_past_segments_are_listed(published: Rfm) -> None:
    explained = published("explain", "bob", "orders.csv", "--json").json
    assert [past["as_of"] for past in explained["history"]] == list(DATES)
    with database(Path("rfm.duckdb")) as connection:
        rows = connection.execute(
            "SELECT segment, rfm_score, run_id FROM rfm_segments_history"
            " WHERE customer_id = 'bob' ORDER BY as_of_date"
        ).fetchall()
    listed = [(past["segment"], past["rfm_score"], past["run_id"]) for past in explained["history"]]
    assert listed == rows
    assert len({segment for segment, _, _ in rows}) > 1
    printed = normalize_blanks(published("explain", "bob", "orders.csv").stdout).partition(
        "Segments so far "
    )[2]
    assert printed.startswith(f"2024-01-15 {rows[0][0]} {rows[0][1]}")
    changes = [rows[0]] + [new for old, new in pairwise(rows) if old[0] != new[0]]
    assert printed.count("2024-") == len(changes), "one date per change of segment"


@pytest.mark.slow
def test_only_active_results_are_listed(published: Rfm) -> None:
    settings = Configuration(flags={}).settings
    with open_destination(settings) as destination:
        state = read_state(destination)
        last = state.records[-1]
        rollback = replace(
            last,
            run_id="back",
            kind="rollback",
            as_of_date=date(2024, 2, 15),
            finished_at=last.finished_at + timedelta(seconds=1),
        )
        rolled_back = replace(state, records=(*state.records, rollback))
        past = published_history("bob", destination, rolled_back, dialect_of("duckdb"))
    assert [str(segment.as_of) for segment in past.history] == list(DATES[:2])


@pytest.mark.slow
def test_an_equal_published_row_is_not_mentioned(published: Rfm) -> None:
    explained = published("explain", "bob", "orders.csv", "--json").json
    assert explained["published"]["as_of"] == "2024-03-01"
    assert explained["published"]["segment"] == explained["segment"]
    assert explained["differences"] == []
    assert "!" not in published("explain", "bob", "orders.csv").stdout


@pytest.mark.slow
def test_differences_from_the_published_row_are_printed(published: Rfm) -> None:
    arguments = ("explain", "007", "orders.csv", "--as-of", "2024-02-28", "--preset", "grid")
    explained = published(*arguments, "--json").json
    assert (explained["published"]["as_of"], explained["as_of"]) == ("2024-03-01", "2024-02-28")
    segment, as_of, rules = explained["differences"]
    assert segment == f"{TABLE} has the customer in {explained['published']['segment']}, as of 2024-03-01."
    assert as_of == "It was published as of 2024-03-01; this explanation is as of 2024-02-28."
    assert rules.startswith("It was published with other rules (config hash ")
    assert rules.endswith(f", now {explained['config_hash']}).")
    assert f"! {as_of}" in normalize_blanks(published(*arguments).stdout)


@pytest.mark.slow
def test_a_result_without_the_customer_is_mentioned(published: Rfm, tmp_path: Path) -> None:
    (tmp_path / "orders.csv").write_text(f"{ORDERS}dee,F1,2024-03-01,1,5,FR\n", encoding="utf-8")
    explained = published("explain", "dee", "orders.csv", "--json").json
    assert explained["published"] is None
    assert explained["differences"] == [f"{TABLE} does not have this customer, as of 2024-03-01."]
    assert explained["history"] == []


@pytest.mark.slow
def test_a_source_in_the_file_of_the_destination_is_explained(published: Rfm) -> None:
    with duckdb.connect("rfm.duckdb") as connection:
        connection.execute("CREATE TABLE orders AS FROM read_csv('orders.csv', all_varchar = true)")
    explained = published("explain", "bob", "duckdb:rfm.duckdb#orders", "--json").json
    assert (len(explained["history"]), explained["differences"]) == (len(DATES), [])


@pytest.mark.slow
def test_an_unreadable_destination_does_not_prevent_the_explanation(published: Rfm) -> None:
    with duckdb.connect("other.duckdb") as connection:
        connection.execute("CREATE TABLE rfm_segments (customer_id VARCHAR)")
    finished = published("explain", "bob", "orders.csv", "--to", "duckdb:other.duckdb")
    assert finished.code == 0
    assert "bob" in finished.stdout
    assert "! The published results can't be read: rfm_segments" in normalize_blanks(finished.stdout)
    explained = published("explain", "bob", "orders.csv", "--to", "duckdb:other.duckdb", "--json").json
    assert explained["unread"].startswith("rfm_segments in other.duckdb")
    assert (explained["history"], explained["published"], explained["differences"]) == ([], None, [])
