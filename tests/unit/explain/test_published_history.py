"""What `rfm explain` tells of earlier results: which stand, and in what the published one differs."""

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
from support.orders import ORDERS

DATES = ("2024-01-15", "2024-02-15", "2024-02-28", "2024-03-01")
TABLE = "duckdb:rfm.duckdb#rfm_segments"


@pytest.fixture
def published(tmp_path: Path, rfm: Rfm) -> Rfm:
    """A shop with a result of each date."""
    (tmp_path / "orders.csv").write_text(ORDERS, encoding="utf-8")
    for as_of in DATES:
        assert rfm("run", "orders.csv", "--as-of", as_of, "--json").code == 0
    return rfm


def words(text: str) -> str:
    return " ".join(text.split())


def test_the_segments_so_far_are_told(published: Rfm) -> None:
    found = published("explain", "bob", "orders.csv", "--json").json
    assert [past["as_of"] for past in found["history"]] == list(DATES)
    with duckdb.connect("rfm.duckdb", read_only=True) as connection:
        rows = connection.execute(
            "SELECT segment, rfm_score, run_id FROM rfm_segments_history"
            " WHERE customer_id = 'bob' ORDER BY as_of_date"
        ).fetchall()
    told = [(past["segment"], past["rfm_score"], past["run_id"]) for past in found["history"]]
    assert told == rows
    assert len({segment for segment, _, _ in rows}) > 1
    printed = words(published("explain", "bob", "orders.csv").stdout).partition("Segments so far ")[2]
    assert printed.startswith(f"2024-01-15 {rows[0][0]} {rows[0][1]}")
    changes = [rows[0]] + [new for old, new in pairwise(rows) if old[0] != new[0]]
    assert printed.count("2024-") == len(changes), "a date for each segment that was another one before"


def test_only_results_that_stand_are_told(published: Rfm) -> None:
    settings = Configuration(flags={}).settings()
    with open_destination(settings) as destination:
        standing = read_state(destination)
        last = standing.records[-1]
        back = replace(
            last,
            run_id="back",
            kind="rollback",
            as_of_date=date(2024, 2, 15),
            finished_at=last.finished_at + timedelta(seconds=1),
        )
        rolled_back = replace(standing, records=(*standing.records, back))
        past = published_history("bob", destination, rolled_back, dialect_of("duckdb"))
    assert [str(segment.as_of) for segment in past.history] == list(DATES[:2])


def test_a_published_row_that_is_the_same_is_not_spoken_of(published: Rfm) -> None:
    found = published("explain", "bob", "orders.csv", "--json").json
    assert found["published"]["as_of"] == "2024-03-01"
    assert found["published"]["segment"] == found["segment"]
    assert found["differences"] == []
    assert "!" not in published("explain", "bob", "orders.csv").stdout


def test_in_what_a_published_row_differs_is_told_with_the_reason(published: Rfm) -> None:
    asked = ("explain", "007", "orders.csv", "--as-of", "2024-02-28", "--preset", "grid")
    found = published(*asked, "--json").json
    assert (found["published"]["as_of"], found["as_of"]) == ("2024-03-01", "2024-02-28")
    where, when, rules = found["differences"]
    assert where == f"{TABLE} has the customer in {found['published']['segment']}, as of 2024-03-01."
    assert when == "It was published as of 2024-03-01, and this is as of 2024-02-28."
    assert rules.startswith("It was published by other rules (")
    assert rules.endswith(f", and these are {found['config_hash']}).")
    assert f"! {when}" in words(published(*asked).stdout)


def test_a_result_without_the_customer_is_told(published: Rfm, tmp_path: Path) -> None:
    (tmp_path / "orders.csv").write_text(f"{ORDERS}dee,F1,2024-03-01,1,5,FR\n", encoding="utf-8")
    found = published("explain", "dee", "orders.csv", "--json").json
    assert found["published"] is None
    assert found["differences"] == [f"{TABLE} does not have this customer, as of 2024-03-01."]
    assert found["history"] == []


def test_a_source_in_the_file_of_the_destination_is_explained(published: Rfm) -> None:
    with duckdb.connect("rfm.duckdb") as connection:
        connection.execute("CREATE TABLE orders AS FROM read_csv('orders.csv', all_varchar = true)")
    found = published("explain", "bob", "duckdb:rfm.duckdb#orders", "--json").json
    assert (len(found["history"]), found["differences"]) == (len(DATES), [])


def test_a_destination_that_can_not_be_read_takes_nothing_from_the_rest(published: Rfm) -> None:
    with duckdb.connect("other.duckdb") as connection:
        connection.execute("CREATE TABLE rfm_segments (customer_id VARCHAR)")
    ended = published("explain", "bob", "orders.csv", "--to", "duckdb:other.duckdb")
    assert ended.code == 0
    assert "bob" in ended.stdout
    assert "! What was published is not known: The table rfm_segments" in words(ended.stdout)
    found = published("explain", "bob", "orders.csv", "--to", "duckdb:other.duckdb", "--json").json
    assert found["unread"].startswith("The table rfm_segments")
    assert (found["history"], found["published"], found["differences"]) == ([], None, [])
