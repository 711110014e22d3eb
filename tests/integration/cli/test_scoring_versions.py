"""Destinations with results that an earlier version of the scoring rule scored.

`tests/data/destinations/scoring_version_1` is such a destination: a calibration as of 2026-08-15, and results
as of 2026-10-01 and 2026-11-01, of the subscriptions in `tests/data/cases/subscription.csv`.
"""

from __future__ import annotations

import re
import shlex
from contextlib import closing
from pathlib import Path

import duckdb
import pytest

from rfm_pipeline.config.notifications import WEBHOOK_VARIABLE
from support.chat_server import run_chat
from support.cli import Rfm
from support.databases import database
from support.paths import TEST_DATA

EARLIER, LATER = "2026-10-01", "2026-11-01"
SUBSCRIPTIONS = str(TEST_DATA / "cases" / "subscription.csv")
FILES = TEST_DATA / "destinations" / "scoring_version_1"
PREVIOUS_AUDIT = """
[audits.queries]
moved = "SELECT * FROM segments JOIN previous USING (customer_id) WHERE segments.segment <> previous.segment"
"""


@pytest.fixture
def destination(tmp_path: Path) -> Path:
    """The earlier destination, in the directory of the command under the default name."""
    file = tmp_path / "rfm.duckdb"
    with closing(duckdb.connect(str(file))) as connection:
        connection.execute((FILES / "schema.sql").read_text(encoding="utf-8"))
        for table in ("rfm_segments", "rfm_segments_history", "rfm_segments_runs"):
            connection.execute(
                f"COPY {table} FROM '{FILES / table}.csv' (HEADER, ALLOW_QUOTED_NULLS false, QUOTE '\"')"
            )
    return file


@pytest.mark.slow
def test_moves_across_two_versions_are_due_to_rules_until_the_dates_are_scored_again(
    destination: Path, rfm: Rfm
) -> None:
    before = rfm("transitions", "--json").json
    assert before["causes"]["rules"] == 0
    ran = rfm("run", SUBSCRIPTIONS, "--json")
    assert ran.code == 0, ran.stderr
    audits = {audit["name"]: audit["status"] for audit in ran.json["audits"]}
    assert audits["segment_shares"] == "not_compared"
    assert set(audits.values()) <= {"passed", "warning", "not_compared"}
    moves = rfm("transitions", "--json").json
    assert moves["moved"] > 0
    assert moves["causes"] == {"time": 0, "behaviour": 0, "edges": 0, "rules": moves["moved"]}
    movers = rfm("movers", "--json").json
    assert (movers["left_out_by_rules"], movers["by_reason"]["slipped"]["customers"]) == (moves["moved"], 0)
    (note,) = [note for note in ran.json["notes"] if "rule for tied values" in note]
    (command,) = re.findall(r"`rfm (.*?)`", note)
    again = rfm(*shlex.split(command), "--json")
    assert [run["as_of"] for run in again.json["published"]] == [EARLIER, LATER]
    assert rfm("transitions", "--json").json["causes"]["rules"] == 0
    assert rfm("movers", "--json").json["left_out_by_rules"] == 0
    assert not [note for note in rfm("run", SUBSCRIPTIONS, "--json").json["notes"] if "tied" in note]


@pytest.mark.slow
def test_moves_across_two_versions_are_in_no_audience_and_no_digest(
    destination: Path, rfm: Rfm, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(duckdb.connect(str(destination))) as connection:
        # A digest is due if no run has published in the current week.
        connection.execute("UPDATE rfm_segments_runs SET finished_at = finished_at - INTERVAL 7 DAY")
    Path("rfm.toml").write_text('[notify]\ndigest = "weekly"\non = "failure"\n', encoding="utf-8")
    with run_chat() as chat:
        monkeypatch.setenv(WEBHOOK_VARIABLE, chat.address)
        assert rfm("run", SUBSCRIPTIONS, "--quiet").code == 0
        (message,) = chat.messages
    moved = rfm("transitions", "--json").json["moved"]
    assert moved > 0
    _, growth, slips, _ = message.splitlines()[1:5]
    assert "gained the most" not in growth
    expected = f"No customer slipped to a worse segment; 0 rose to a better one; {moved} moves are due to"
    assert expected in slips
    ended = rfm("export", "--moved", "* -> *", "--columns", "customer_id", "-o", "audience.csv", "--json")
    assert ended.code == 0, ended.stderr
    assert (ended.json["customers"], ended.json["movers"]["left_out_by_rules"]) == (0, moved)
    assert Path("audience.csv").read_text(encoding="utf-8").split() == ["customer_id"]


@pytest.mark.slow
def test_an_audit_that_compares_with_the_current_result_is_not_compared(destination: Path, rfm: Rfm) -> None:
    Path("rfm.toml").write_text(PREVIOUS_AUDIT)
    audits = {audit["name"]: audit for audit in rfm("run", SUBSCRIPTIONS, "--json").json["audits"]}
    assert audits["moved"]["status"] == "not_compared"
    audits = {audit["name"]: audit for audit in rfm("run", SUBSCRIPTIONS, "--json").json["audits"]}
    assert audits["moved"]["status"] == "passed"


@pytest.mark.slow
def test_frozen_edges_of_an_earlier_version_score_as_they_did(destination: Path, rfm: Rfm) -> None:
    (calibration,) = [run for run in rfm("runs", "--json").json["runs"] if run["kind"] == "calibration"]
    ran = rfm("run", SUBSCRIPTIONS, "--freeze", calibration["run_id"], "--as-of", EARLIER, "--json")
    assert ran.code == 0, ran.stderr
    assert not [note for note in ran.json["notes"] if "tied" in note]
    edges = {scores["dimension"]: scores["edges"] for scores in calibration["edges"]}
    assert ran.json["edges"] == edges_by_measure(edges)
    with database(destination) as connection:
        rows = connection.execute(
            "SELECT recency_days, frequency, monetary, r_score, f_score, m_score FROM rfm_segments_history"
            f" WHERE as_of_date = DATE '{EARLIER}'"
        ).fetchall()
    assert len(rows) == 100
    for days, orders, money, r, f, m in rows:
        assert r == 1 + sum(days <= edge for edge in edges["recency"])
        assert f == 1 + sum(orders > edge for edge in edges["frequency"])
        assert m == 1 + sum(money > float(edge) for edge in edges["monetary"])


def edges_by_measure(edges: dict[str, list[object]]) -> dict[str, list[object]]:
    return {"recency_days" if name == "recency" else name: values for name, values in edges.items()}


@pytest.mark.slow
def test_the_stored_dates_can_be_bounded_and_have_to_exist(destination: Path, rfm: Rfm) -> None:
    bounded = rfm("backfill", SUBSCRIPTIONS, "--every", "stored", "--until", EARLIER, "--json")
    assert [run["as_of"] for run in bounded.json["published"]] == [EARLIER]
    none = rfm("backfill", SUBSCRIPTIONS, "--every", "stored", "--from", "2026-11-02")
    assert none.code == 2
    assert "has no such dates" in none.stderr
