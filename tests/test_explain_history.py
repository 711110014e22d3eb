"""What `rfm explain` tells of earlier results: which stand, and in what the published one differs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import Any, cast

import duckdb
import pytest

from by_hand import ORDERS
from rfm_pipeline.cli.terminal_explain import print_explanation
from rfm_pipeline.config import Configuration
from rfm_pipeline.errors import LockedError
from rfm_pipeline.explain.asking import explain
from rfm_pipeline.explain.explanation import Explanation
from rfm_pipeline.ledger import RunRecord

JANUARY, FEBRUARY, MARCH = date(2024, 1, 31), date(2024, 2, 29), date(2024, 3, 1)


class Destination:
    """The tables of a destination, in memory; those that have rows are there."""

    engine, label = "duckdb", "duckdb:rfm.duckdb#rfm_segments"

    def __init__(self, **rows: Sequence[tuple[Any, ...]]) -> None:
        self._connection = duckdb.connect()
        self._there = frozenset(rows)
        columns = "(customer_id VARCHAR, segment VARCHAR, rfm_score VARCHAR, as_of_date DATE, run_id VARCHAR)"
        for name in ("current", "history"):
            self._connection.execute(f"CREATE TABLE {name} {columns}")
            for row in rows.get(name, ()):
                self._connection.execute(f"INSERT INTO {name} VALUES (?, ?, ?, ?, ?)", row)
        self._runs = [record.to_row() for record in cast("Sequence[RunRecord]", rows.get("runs", ()))]

    def table(self, name: str) -> str:
        return name

    def present(self) -> frozenset[str]:
        return self._there

    @contextmanager
    def reading(self) -> Iterator[None]:
        yield

    def rows(self, select: str) -> Sequence[dict[str, Any]]:
        if select.endswith("FROM runs"):
            return self._runs
        found = self._connection.execute(select)
        names = [column[0] for column in found.description or ()]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


class Silent:
    def step(self, name: str) -> None: ...

    def progress(self, share: float) -> None: ...


def record(as_of: date, run_id: str, kind: str = "run", config_hash: str = "") -> RunRecord:
    ended = datetime(2024, 6, 1, int(run_id[-1]))  # noqa: DTZ001 - times of runs are naive, in UTC
    return RunRecord(run_id, kind, "published", ended, ended, as_of_date=as_of, config_hash=config_hash)


@pytest.fixture
def orders(tmp_path: Path) -> Path:
    path = tmp_path / "orders.csv"
    path.write_text(ORDERS, encoding="utf-8")
    return path


def explained(orders: Path, opener: Callable[..., Any], customer: str = "bob") -> Explanation:
    configuration = Configuration(flags={"source": str(orders), "to": "duckdb:rfm.duckdb"})
    return explain(configuration, customer, Silent(), open_destination=opener)


def holding(destination: Destination) -> Callable[..., Any]:
    @contextmanager
    def opener(settings: object) -> Iterator[Destination]:
        yield destination

    return opener


def test_the_segments_that_stand_are_told_in_order(orders: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [
        ("bob", "Champions", "444", FEBRUARY, "r2"),
        ("bob", "New Customers", "411", JANUARY, "r1"),
        ("ann", "Lost", "111", FEBRUARY, "r2"),
        # Withdrawn: a rollback went back to February.
        ("bob", "Lost", "111", MARCH, "r3"),
    ]
    runs = [record(JANUARY, "r1"), record(FEBRUARY, "r2"), record(MARCH, "r3")]
    runs.append(record(FEBRUARY, "r4", kind="rollback"))
    found = explained(orders, holding(Destination(history=rows, runs=runs)))  # type: ignore[arg-type]
    assert [(past.as_of, past.segment) for past in found.past.history] == [
        (JANUARY, "New Customers"),
        (FEBRUARY, "Champions"),
    ]
    assert found.to_json()["history"][0] == {
        "as_of": "2024-01-31",
        "segment": "New Customers",
        "rfm_score": "411",
        "run_id": "r1",
    }
    print_explanation(found)
    told = " ".join(capsys.readouterr().out.split())
    assert "Segments so far 2024-01-31 New Customers 411 2024-02-29 Champions 444" in told


def test_a_published_row_that_differs_is_told_with_the_reason(
    orders: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    current = [("bob", "Champions", "444", FEBRUARY, "r2")]
    runs = [record(FEBRUARY, "r2", config_hash="0123456789ab")]
    found = explained(orders, holding(Destination(current=current, runs=runs)))  # type: ignore[arg-type]
    assert found.to_json()["published"]["segment"] == "Champions"
    assert found.to_json()["differences"] == [
        "duckdb:rfm.duckdb#rfm_segments has the customer in Champions, as of 2024-02-29.",
        "It was published as of 2024-02-29, and this is as of 2024-03-01.",
        f"It was published by other rules (0123456789ab, and these are {found.config_hash}).",
    ]
    print_explanation(found)
    assert "! It was published as of 2024-02-29" in capsys.readouterr().out


def test_a_published_row_that_is_the_same_is_not_spoken_of(orders: Path) -> None:
    before = explained(orders, holding(Destination()))
    assert list(before.past.differences(before.row, before.config_hash)) == []
    row = ("bob", before.row["segment"], before.row["rfm_score"], MARCH, "r3")
    runs = [record(MARCH, "r3", config_hash=before.config_hash)]
    found = explained(orders, holding(Destination(current=[row], runs=runs)))  # type: ignore[arg-type]
    assert found.to_json()["differences"] == []
    assert found.to_json()["published"]["run_id"] == "r3"


def test_a_result_without_the_customer_is_told(orders: Path) -> None:
    current = [("ann", "Lost", "111", MARCH, "r3")]
    found = explained(orders, holding(Destination(current=current)))
    assert found.to_json()["differences"] == [
        "duckdb:rfm.duckdb#rfm_segments does not have this customer, as of 2024-03-01."
    ]


def test_a_destination_that_can_not_be_read_takes_nothing_from_the_rest(
    orders: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    @contextmanager
    def held(settings: object) -> Iterator[Destination]:
        raise LockedError("rfm.duckdb is held by another process.")
        yield

    found = explained(orders, held)
    assert (found.row["customer_id"], found.past.history) == ("bob", ())
    print_explanation(found)
    assert "! What was published is not known: rfm.duckdb is held" in capsys.readouterr().out
