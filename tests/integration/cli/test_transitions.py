"""`rfm transitions` on a small shop: the movements between segments and their causes."""

from __future__ import annotations

import csv
import io
import re
from contextlib import closing
from pathlib import Path

import duckdb
import pytest

from support.cli import Rfm
from support.moving_shop import EARLIER, LATER, ORDERS, RULES
from support.orders import refused
from support.shops import remove_checksums


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    lines = [
        f"{customer},{customer} {number},{day},10"
        for customer, days in ORDERS.items()
        for number, day in enumerate(days)
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
    result = rfm("transitions", "--json").json
    assert result["flows"] == [
        flow("Best", "Recent", 2, 40, 30, time=1, edges=1),
        flow("Best", "Slipping", 1, 30, 30, time=1),
        flow("Recent", "Recent", 1, 10, 20),
        flow("Gone", "Best", 1, 10, 40, behaviour=1),
        flow("Gone", None, 1, 10, 0),
        flow(None, "Recent", 1, 0, 10),
    ]
    assert (result["stayed"], result["moved"], result["new"], result["lapsed"]) == (1, 4, 1, 1)
    assert result["causes"] == {"time": 2, "behaviour": 1, "edges": 1, "rules": 0}
    assert result["segments"] == ["Best", "Recent", "Slipping", "Gone"]
    runs = {run["as_of_date"]: run["run_id"] for run in rfm("runs", "--json").json["runs"]}
    assert result["from"] == {
        "as_of": EARLIER, "run_id": runs[EARLIER], "customers": 6, "revenue": "100.00",
    }  # fmt: skip
    assert result["to"] == {"as_of": LATER, "run_id": runs[LATER], "customers": 6, "revenue": "130.00"}


@pytest.mark.slow
def test_a_changed_segment_map_has_the_cause_rules(shop: Path, rfm: Rfm) -> None:
    assert rfm("run", "orders.csv", "--as-of", EARLIER).code == 0
    (shop / "rfm.toml").write_text(RULES.format(recent="Fresh"))
    assert rfm("run", "orders.csv", "--as-of", LATER).code == 0
    result = rfm("transitions", "--json").json
    assert flow("Recent", "Fresh", 1, 10, 20, rules=1) in result["flows"]
    assert flow("Best", "Fresh", 2, 40, 30, rules=2) in result["flows"]
    assert flow("Gone", "Best", 1, 10, 40, behaviour=1) in result["flows"]
    assert result["segments"] == ["Best", "Fresh", "Recent", "Slipping", "Gone"]


@pytest.mark.slow
def test_a_changed_number_of_bins_has_the_cause_rules(shop: Path, rfm: Rfm) -> None:
    assert rfm("run", "orders.csv", "--as-of", EARLIER).code == 0
    (shop / "other.toml").write_text('window = "90 days"\npreset = "grid"\n')
    assert rfm("run", "orders.csv", "--as-of", LATER, "-c", "other.toml").code == 0
    result = rfm("transitions", "--json").json
    assert result["causes"]["edges"] == 0
    assert result["causes"]["rules"] > 0
    assert sum(result["causes"].values()) == result["moved"]


@pytest.mark.slow
def test_with_frozen_edges_no_move_has_the_cause_edges(shop: Path, rfm: Rfm) -> None:
    assert rfm("run", "orders.csv", "--as-of", EARLIER).code == 0
    (run,) = rfm("runs", "--json").json["runs"]
    assert rfm("run", "orders.csv", "--as-of", LATER, "--freeze", run["run_id"]).code == 0
    result = rfm("transitions", "--json").json
    assert result["causes"] == {"time": 2, "behaviour": 2, "edges": 0, "rules": 0}
    # By the edge of the earlier date, two orders get the high score.
    assert flow("Recent", "Best", 1, 10, 20, behaviour=1) in result["flows"]


@pytest.mark.slow
def test_with_ntile_every_move_has_a_cause(shop: Path, rfm: Rfm) -> None:
    (shop / "ranks.toml").write_text(
        RULES.format(recent="Recent").replace(
            'recency = { method = "fixed", edges = [30] }', 'method = "ntile"'
        )
    )
    for as_of in (EARLIER, LATER):
        assert rfm("run", "orders.csv", "--as-of", as_of, "-c", "ranks.toml").code == 0
    result = rfm("transitions", "--json").json
    assert sum(result["causes"].values()) == result["moved"] > 0
    # NTILE ranks all customers, so other customers' orders can move a customer.
    moves = [entry for entry in result["flows"] if entry["causes"]]
    assert {cause for entry in moves for cause in entry["causes"]} <= {"time", "behaviour", "edges"}


@pytest.mark.slow
def test_the_terminal_shows_segments_causes_and_moves(
    published: Path, rfm: Rfm, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = rfm("transitions").stdout.splitlines()
    assert lines[0].startswith(f"{EARLIER} → {LATER}  duckdb:rfm.duckdb")
    assert re.findall(r"\d+", lines[1]) == ["6", "1", "1", "6", "4"]
    assert [line.split() for line in lines[3:9]] == [
        ["Segment", "Before", "Came", "New", "Left", "Lapsed", "Now", "Revenue"],
        ["Best", "3", "+1", "0", "−3", "0", "1", "40.00"],
        ["Recent", "1", "+2", "+1", "0", "0", "4", "60.00"],
        ["Slipping", "0", "+1", "0", "0", "0", "1", "30.00"],
        ["Gone", "2", "0", "0", "−1", "−1", "0", "0.00"],
        ["Total", "6", "+4", "+1", "−4", "−1", "6", "130.00"],
    ]
    assert re.findall(r"[\d.]+", lines[10]) == ["4", "2", "50.0", "1", "25.0", "1", "25.0"]
    assert [re.split(r" {2,}", line) for line in lines[12:]] == [
        ["Move", "Customers", "Revenue", "Time", "Behaviour", "Edges", "Rules"],
        ["Gone → Best", "1", "40.00", "·", "1", "·", "·"],
        ["Best → Recent", "2", "30.00", "1", "·", "1", "·"],
        ["Best → Slipping", "1", "30.00", "1", "·", "·", "·"],
        ["Total", "4", "100.00", "2", "1", "1", "·"],
    ]
    monkeypatch.setenv("COLUMNS", "60")
    # A narrow terminal drops the causes that no customer has.
    narrow = rfm("transitions").stdout.splitlines()
    (header,) = [line.split() for line in narrow if line.startswith("Move ")]
    assert header == ["Move", "Customers", "Revenue", "Time", "Behaviour", "Edges"]


def test_csv_has_every_movement(published: Path, rfm: Rfm) -> None:
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


@pytest.mark.slow
def test_only_dates_with_an_active_result_can_be_compared(published: Path, rfm: Rfm) -> None:
    assert rfm("run", "orders.csv", "--as-of", "2024-02-15").code == 0
    result = rfm("transitions", "--json").json
    assert (result["from"]["as_of"], result["to"]["as_of"]) == ("2024-02-15", LATER)
    result = rfm("transitions", "--from", EARLIER, "--until", "2024-02-15", "--json").json
    assert (result["from"]["as_of"], result["to"]["as_of"]) == (EARLIER, "2024-02-15")
    assert rfm("transitions", "--from", EARLIER, "--until", LATER, "--to", "duckdb:rfm.duckdb").code == 0
    assert rfm("rollback").code == 0
    sentence, hint = refused(rfm("transitions", "--until", LATER))
    assert sentence == f"duckdb:rfm.duckdb#rfm_segments has no result as of {LATER}."
    assert hint == f"the nearest dates with a result are {EARLIER}, 2024-02-15."
    assert rfm("transitions", "--json").json["to"]["as_of"] == "2024-02-15"


def test_missing_or_reversed_dates_are_errors(shop: Path, rfm: Rfm) -> None:
    sentence, hint = refused(rfm("transitions"))
    assert sentence == "duckdb:rfm.duckdb#rfm_segments has no history to compare."
    assert "rfm run" in hint
    assert rfm("run", "orders.csv", "--as-of", LATER).code == 0
    sentence, hint = refused(rfm("transitions"))
    assert sentence == f"duckdb:rfm.duckdb#rfm_segments has no result before {LATER} to compare with."
    assert "rfm backfill" in hint
    assert rfm("run", "orders.csv", "--as-of", EARLIER).code == 0
    sentence, _ = refused(rfm("transitions", "--from", LATER, "--until", EARLIER))
    assert sentence == f"--from is {LATER}, which is not before the later date, {EARLIER}."
    sentence, _ = refused(rfm("transitions", "--csv", "--json"))
    assert "--csv and --json" in sentence
    assert refused(rfm("transitions", "--from", "yesterday"))[0].startswith("--from is 'yesterday'")


@pytest.mark.slow
def test_changed_fixed_edges_have_the_cause_rules(shop: Path, rfm: Rfm) -> None:
    assert rfm("run", "orders.csv", "--as-of", EARLIER).code == 0
    (shop / "rfm.toml").write_text(RULES.format(recent="Recent").replace("[30]", "[9]"))
    assert rfm("run", "orders.csv", "--as-of", LATER).code == 0
    result = rfm("transitions", "--json").json
    assert result["causes"] == {"time": 1, "behaviour": 1, "edges": 0, "rules": 2}
    # By the earlier edge of 30 days, their recency score would not have changed.
    assert flow("Best", "Gone", 2, 40, 30, rules=2) in result["flows"]


@pytest.mark.slow
def test_with_ntile_a_changed_number_of_bins_has_the_cause_rules(shop: Path, rfm: Rfm) -> None:
    (shop / "ranks.toml").write_text('preset = "classic"\n[scoring]\nmethod = "ntile"\n')
    (shop / "finer.toml").write_text('preset = "grid"\n[scoring]\nmethod = "ntile"\n')
    assert rfm("run", "orders.csv", "--as-of", EARLIER, "-c", "ranks.toml").code == 0
    assert rfm("run", "orders.csv", "--as-of", LATER, "-c", "finer.toml").code == 0
    result = rfm("transitions", "--json").json
    assert result["moved"] > 0
    assert result["causes"] == {"time": 0, "behaviour": 0, "edges": 0, "rules": result["moved"]}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "found"),
    [
        ("DELETE FROM rfm_segments_rows", "5 customers with 100.00"),
        ("UPDATE rfm_segments_rows SET monetary = 31", "6 customers with 131.00"),
    ],
    ids=["rows", "money"],
)
def test_an_edited_history_without_a_checksum_is_not_compared(
    published: Path, rfm: Rfm, change: str, found: str
) -> None:
    with closing(duckdb.connect(str(published / "rfm.duckdb"))) as connection:
        connection.execute(f"{change} WHERE segment = 'Slipping'")
        remove_checksums(connection)
    sentence, hint = refused(rfm("transitions"))
    assert sentence.startswith(f"The history has {found} as of {LATER}, and the run ")
    assert sentence.endswith(" wrote 6 customers with 130.00: the rows were edited.")
    assert hint == f"compute them again: rfm run --as-of {LATER}."


@pytest.mark.slow
def test_rules_that_another_version_recorded_are_an_error(published: Path, rfm: Rfm) -> None:
    with closing(duckdb.connect(str(published / "rfm.duckdb"))) as connection:
        connection.execute(
            "UPDATE rfm_segments_runs SET rules = replace(rules::VARCHAR, '\"recomputed\"', '\"fresh\"')"
            f" WHERE as_of_date = DATE '{EARLIER}'"
        )
    sentence, hint = refused(rfm("transitions"))
    assert f", as of {EARLIER}, were recorded by another version" in sentence
    assert f"rfm run --as-of {EARLIER}" in hint
