"""`rfm transitions` on a shop by hand: who moved, and why; each cause once, and every customer somewhere."""

from __future__ import annotations

import csv
import io
from contextlib import closing
from pathlib import Path

import duckdb
import pytest

from support.cli import Rfm
from support.orders import refused

EARLIER, LATER = "2024-01-31", "2024-02-29"
# Each order is worth 10. Two bins: recency by a fixed edge of 30 days, frequency by its median, which is 1
# order at the earlier date and 2 at the later one. Lines count for 90 days.
ORDERS: dict[str, tuple[str, ...]] = {
    "has orders that left the window": ("2023-11-10", "2024-01-31"),
    "is overtaken": ("2024-01-20", "2024-01-31"),
    "is silent": ("2024-01-05", "2024-01-10", "2024-01-29"),
    "is new": ("2024-02-10",),
    "lapses": ("2023-11-10",),
    "returns": ("2023-12-05", "2024-02-01", "2024-02-02", "2024-02-28"),
    "stays": ("2024-01-02", "2024-02-20"),
}
RULES = """\
window = "90 days"
[scoring]
bins = 2
recency = {{ method = "fixed", edges = [30] }}
[segments]
rules = [
  {{ segment = "Best", r = 2, f = 2 }},
  {{ segment = "{recent}", r = 2, f = 1 }},
  {{ segment = "Slipping", r = 1, f = 2 }},
  {{ segment = "Gone", r = 1, f = 1 }},
]
"""


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    lines = [
        f"{customer},{customer} {place},{day},10"
        for customer, days in ORDERS.items()
        for place, day in enumerate(days)
    ]
    (tmp_path / "orders.csv").write_text("\n".join(["customer_id,order_id,date,amount", *lines]))
    (tmp_path / "rfm.toml").write_text(RULES.format(recent="Recent"))
    return tmp_path


@pytest.fixture
def published(shop: Path, rfm: Rfm) -> Path:
    for as_of in (EARLIER, LATER):
        ended = rfm("run", "orders.csv", "--as-of", as_of)
        assert ended.code == 0, ended.stderr
    return shop


def flow(
    earlier: str | None, later: str | None, customers: int, before: int, now: int, **causes: int
) -> object:
    return {
        "from": earlier,
        "to": later,
        "customers": customers,
        "revenue_before": f"{before}.00",
        "revenue": f"{now}.00",
        "causes": causes or None,
    }


def test_each_customer_is_in_one_flow_and_each_move_has_its_cause(published: Path, rfm: Rfm) -> None:
    found = rfm("transitions", "--json").json
    assert found["flows"] == [
        flow("Best", "Recent", 2, 40, 30, time=1, edges=1),
        flow("Best", "Slipping", 1, 30, 30, time=1),
        flow("Recent", "Recent", 1, 10, 20),
        flow("Gone", "Best", 1, 10, 40, behaviour=1),
        flow("Gone", None, 1, 10, 0),
        flow(None, "Recent", 1, 0, 10),
    ]
    assert (found["stayed"], found["moved"], found["new"], found["lapsed"]) == (1, 4, 1, 1)
    assert found["causes"] == {"time": 2, "behaviour": 1, "edges": 1, "rules": 0}
    assert found["segments"] == ["Best", "Recent", "Slipping", "Gone"]
    runs = {run["as_of_date"]: run["run_id"] for run in rfm("runs", "--json").json["runs"]}
    assert found["from"] == {
        "as_of": EARLIER, "run_id": runs[EARLIER], "customers": 6, "revenue": "100.00",
    }  # fmt: skip
    assert found["to"] == {"as_of": LATER, "run_id": runs[LATER], "customers": 6, "revenue": "130.00"}


def test_another_map_is_a_cause_of_its_own(shop: Path, rfm: Rfm) -> None:
    assert rfm("run", "orders.csv", "--as-of", EARLIER).code == 0
    (shop / "rfm.toml").write_text(RULES.format(recent="Fresh"))
    assert rfm("run", "orders.csv", "--as-of", LATER).code == 0
    found = rfm("transitions", "--json").json
    assert flow("Recent", "Fresh", 1, 10, 20, rules=1) in found["flows"]
    assert flow("Best", "Fresh", 2, 40, 30, rules=2) in found["flows"]
    assert flow("Gone", "Best", 1, 10, 40, behaviour=1) in found["flows"]
    assert found["segments"] == ["Best", "Fresh", "Slipping", "Gone", "Recent"]


def test_other_bins_are_other_rules_and_no_edges_that_moved(shop: Path, rfm: Rfm) -> None:
    assert rfm("run", "orders.csv", "--as-of", EARLIER).code == 0
    (shop / "other.toml").write_text('window = "90 days"\npreset = "grid"\n')
    assert rfm("run", "orders.csv", "--as-of", LATER, "-c", "other.toml").code == 0
    found = rfm("transitions", "--json").json
    assert found["causes"]["edges"] == 0
    assert found["causes"]["rules"] > 0
    assert sum(found["causes"].values()) == found["moved"]


def test_frozen_edges_do_not_move(shop: Path, rfm: Rfm) -> None:
    assert rfm("run", "orders.csv", "--as-of", EARLIER).code == 0
    (run,) = rfm("runs", "--json").json["runs"]
    assert rfm("run", "orders.csv", "--as-of", LATER, "--freeze", run["run_id"]).code == 0
    found = rfm("transitions", "--json").json
    assert found["causes"] == {"time": 2, "behaviour": 2, "edges": 0, "rules": 0}
    # By the edge of the earlier date, two orders are many.
    assert flow("Recent", "Best", 1, 10, 20, behaviour=1) in found["flows"]


def test_ranks_among_all_move_who_did_nothing_by_the_others(shop: Path, rfm: Rfm) -> None:
    (shop / "ranks.toml").write_text(
        RULES.format(recent="Recent").replace(
            'recency = { method = "fixed", edges = [30] }', 'method = "ntile"'
        )
    )
    for as_of in (EARLIER, LATER):
        assert rfm("run", "orders.csv", "--as-of", as_of, "-c", "ranks.toml").code == 0
    found = rfm("transitions", "--json").json
    assert sum(found["causes"].values()) == found["moved"] > 0
    # A rank is among all: time alone, which passes for everybody, changes none.
    moves = [entry for entry in found["flows"] if entry["causes"]]
    assert {cause for entry in moves for cause in entry["causes"]} <= {"time", "behaviour", "edges"}


def test_the_terminal_tells_segments_causes_and_moves(published: Path, rfm: Rfm) -> None:
    told = rfm("transitions").stdout.splitlines()
    assert told[0].startswith(f"{EARLIER} → {LATER}  duckdb:rfm.duckdb")
    assert told[1] == "6 customers + 1 new − 1 lapsed = 6, 4 of them in another segment"
    assert [line.split() for line in told[3:8]] == [
        ["Segment", "Before", "Came", "New", "Left", "Lapsed", "Now", "Revenue"],
        ["Best", "3", "+1", "0", "−3", "0", "1", "40.00"],
        ["Recent", "1", "+2", "+1", "0", "0", "4", "60.00"],
        ["Slipping", "0", "+1", "0", "0", "0", "1", "30.00"],
        ["Gone", "2", "0", "0", "−1", "−1", "0", "0.00"],
    ]
    assert told[9] == (
        "4 customers moved: 2 as time passed (50.0 %), 1 by what they did (25.0 %), 1 as edges moved (25.0 %)"
    )
    assert [line.split("  ")[0] for line in told[12:]] == ["Gone → Best", "Best → Recent", "Best → Slipping"]
    assert told[13].endswith("1 as time passed, 1 as edges moved")


def test_csv_has_every_flow(published: Path, rfm: Rfm) -> None:
    rows = list(csv.DictReader(io.StringIO(rfm("transitions", "--csv").stdout)))
    assert len(rows) == 6
    assert rows[0] == {
        "from": "Best", "to": "Recent", "customers": "2", "revenue_before": "40.00", "revenue": "30.00",
        "time": "1", "behaviour": "0", "edges": "1", "rules": "0",
    }  # fmt: skip
    assert [(row["from"], row["to"], row["time"]) for row in rows[-2:]] == [
        ("Gone", "", ""),
        ("", "Recent", ""),
    ]


def test_dates_are_chosen_and_what_does_not_stand_is_no_date(published: Path, rfm: Rfm) -> None:
    assert rfm("run", "orders.csv", "--as-of", "2024-02-15").code == 0
    found = rfm("transitions", "--json").json
    assert (found["from"]["as_of"], found["to"]["as_of"]) == ("2024-02-15", LATER)
    found = rfm("transitions", "--from", EARLIER, "--until", "2024-02-15", "--json").json
    assert (found["from"]["as_of"], found["to"]["as_of"]) == (EARLIER, "2024-02-15")
    assert rfm("transitions", "--from", EARLIER, "--until", LATER, "--to", "duckdb:rfm.duckdb").code == 0
    assert rfm("rollback").code == 0
    sentence, hint = refused(rfm("transitions", "--until", LATER))
    assert sentence == f"duckdb:rfm.duckdb#rfm_segments has no result as of {LATER}."
    assert hint == f"the nearest dates with a result are {EARLIER}, 2024-02-15."
    assert rfm("transitions", "--json").json["to"]["as_of"] == "2024-02-15"


def test_what_can_not_be_compared_is_said(shop: Path, rfm: Rfm) -> None:
    sentence, hint = refused(rfm("transitions"))
    assert sentence == "duckdb:rfm.duckdb#rfm_segments has no history to compare."
    assert "rfm run" in hint
    assert rfm("run", "orders.csv", "--as-of", LATER).code == 0
    sentence, hint = refused(rfm("transitions"))
    assert sentence == f"duckdb:rfm.duckdb#rfm_segments has no result before {LATER} to compare with."
    assert "rfm backfill" in hint
    assert rfm("run", "orders.csv", "--as-of", EARLIER).code == 0
    sentence, _ = refused(rfm("transitions", "--from", LATER, "--until", EARLIER))
    assert sentence == f"--from is {LATER}, and --until, {EARLIER}, is not after it."
    sentence, _ = refused(rfm("transitions", "--csv", "--json"))
    assert sentence == "--csv and --json are two forms of one output."
    assert refused(rfm("transitions", "--from", "yesterday"))[0].startswith("--from is 'yesterday'")


def test_fixed_edges_that_were_set_otherwise_are_other_rules(shop: Path, rfm: Rfm) -> None:
    assert rfm("run", "orders.csv", "--as-of", EARLIER).code == 0
    (shop / "rfm.toml").write_text(RULES.format(recent="Recent").replace("[30]", "[9]"))
    assert rfm("run", "orders.csv", "--as-of", LATER).code == 0
    found = rfm("transitions", "--json").json
    assert found["causes"] == {"time": 1, "behaviour": 1, "edges": 0, "rules": 2}
    # They are as recent as they were, by the 30 days of the earlier date.
    assert flow("Best", "Gone", 2, 40, 30, rules=2) in found["flows"]


def test_ranks_of_other_bins_are_other_rules(shop: Path, rfm: Rfm) -> None:
    (shop / "ranks.toml").write_text('preset = "classic"\n[scoring]\nmethod = "ntile"\n')
    (shop / "finer.toml").write_text('preset = "grid"\n[scoring]\nmethod = "ntile"\n')
    assert rfm("run", "orders.csv", "--as-of", EARLIER, "-c", "ranks.toml").code == 0
    assert rfm("run", "orders.csv", "--as-of", LATER, "-c", "finer.toml").code == 0
    found = rfm("transitions", "--json").json
    assert found["moved"] > 0
    assert found["causes"] == {"time": 0, "behaviour": 0, "edges": 0, "rules": found["moved"]}


@pytest.mark.parametrize(
    ("change", "has"),
    [
        ("DELETE FROM rfm_segments_history", "5 customers with 100.00"),
        ("UPDATE rfm_segments_history SET monetary = 31", "6 customers with 131.00"),
    ],
    ids=["rows", "money"],
)
def test_a_history_that_somebody_changed_is_not_compared(
    published: Path, rfm: Rfm, change: str, has: str
) -> None:
    with closing(duckdb.connect(str(published / "rfm.duckdb"))) as connection:
        connection.execute(f"{change} WHERE segment = 'Slipping'")
    sentence, hint = refused(rfm("transitions"))
    assert sentence.startswith(f"The history has {has} as of {LATER}, and the run ")
    assert sentence.endswith(" wrote 6 customers with 130.00: the rows were edited.")
    assert hint == f"compute them again: rfm run --as-of {LATER}."
