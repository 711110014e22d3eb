"""Frozen edges: `rfm calibrate`, runs that score by an earlier run's edges, and what has drifted since."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from rfm_pipeline.config.loader import Configuration
from rfm_pipeline.errors import ConfigurationError
from rfm_pipeline.pipeline.frozen_edges import frozen_edges
from rfm_pipeline.results.run_record import RunRecord
from rfm_pipeline.results.run_result import DimensionScores
from support.cli import Rfm
from support.orders import ORDERS, published, refused, without_run_id

# Better customers than there were: more orders, more money, and newer.
NEWCOMERS = "".join(f"new{n},N{n}{order},2024-03-01,1,{90 + n},DE\n" for n in range(6) for order in "abc")
SCORES = "SELECT customer_id, r_score, f_score, m_score, segment FROM rfm_segments ORDER BY 1"


@pytest.fixture
def orders(tmp_path: Path) -> Path:
    path = tmp_path / "orders.csv"
    path.write_text(ORDERS, encoding="utf-8")
    return path


@pytest.fixture
def later(tmp_path: Path) -> Path:
    path = tmp_path / "later.csv"
    path.write_text(ORDERS + NEWCOMERS, encoding="utf-8")
    return path


# rfm calibrate


def test_a_calibration_is_on_record_with_its_edges_and_publishes_nothing(
    rfm: Rfm, orders: Path, tmp_path: Path, on_record: Sequence[RunRecord]
) -> None:
    (tmp_path / "rfm.toml").write_text('output = "segments.csv"\n', encoding="utf-8")
    said = rfm("calibrate", orders, "--json").json
    assert (said["status"], said["outputs"]) == ("calibrated", [])
    (run,) = on_record
    assert (run.run_id, run.kind, run.status) == (said["run_id"], "calibration", "calibrated")
    assert (run.as_of_date, run.rows_read, run.rows_kept) == (date(2024, 3, 1), 11, 7)
    assert (run.customers, run.orders, run.revenue) == (4, 6, Decimal("163.4999"))
    assert run.started_at <= run.finished_at
    edges = {scores.name: scores.edges for scores in run.edges}
    assert edges["monetary"] == tuple(map(Decimal, said["edges"]["monetary"]))
    assert [entry["segment"] for entry in said["segments"]] == [figures.segment for figures in run.segments]
    assert run.config_hash == Configuration().settings().config_hash
    assert {path.name for path in tmp_path.iterdir()} == {"orders.csv", "rfm.toml", "rfm.duckdb"}
    assert published(tmp_path / "rfm.duckdb") == []


def test_a_calibration_says_how_it_is_used(rfm: Rfm, orders: Path, on_record: Sequence[RunRecord]) -> None:
    ended = rfm("calibrate", orders)
    run_id = on_record[0].run_id
    assert f"\nCalibrated run {run_id} is on record for duckdb:rfm.duckdb#rfm_segments\n" in ended.stdout
    assert f"\nNext: rfm run --freeze {run_id}\n" in ended.stdout
    assert "Published" not in ended.stdout
    assert rfm("calibrate", orders, "--quiet").stdout == ""


def test_what_is_frozen_is_calibrated_anew_by_the_edges_of_the_day(
    rfm: Rfm, orders: Path, later: Path, tmp_path: Path, on_record: Sequence[RunRecord]
) -> None:
    rfm("calibrate", orders)
    (tmp_path / "rfm.toml").write_text(
        f'[scoring]\nedges = "frozen"\ncalibration = "{on_record[0].run_id}"\n', encoding="utf-8"
    )
    said = rfm("calibrate", later, "--json").json
    assert said["edges_from"] is None
    fresh = rfm("run", later, "--config", "/dev/null", "--json").json
    assert said["edges"] == fresh["edges"]
    assert on_record[1].rules["scoring"]["edges"] == "recomputed"


def test_a_calibration_that_fails_an_audit_is_not_on_record(
    rfm: Rfm, orders: Path, on_record: Sequence[RunRecord]
) -> None:
    sentence, _ = refused(rfm("calibrate", orders, "--since", "2024-03-02"), code=3)
    assert sentence.startswith("Nothing was published, because an audit failed")
    assert list(on_record) == []


def test_there_is_nothing_to_calibrate_without_quantiles(rfm: Rfm, orders: Path) -> None:
    sentence, _ = refused(rfm("calibrate", orders, "--method", "ntile"))
    assert sentence.startswith("There is nothing to calibrate: no dimension is scored by method = 'quantile'")


# Runs with frozen edges


def test_frozen_to_its_own_edges_a_run_publishes_what_it_published(
    rfm: Rfm, orders: Path, tmp_path: Path, on_record: Sequence[RunRecord]
) -> None:
    calibrated = rfm("calibrate", orders, "--json").json
    fresh = rfm("run", orders, "--to", "duckdb:fresh.duckdb", "--json").json
    frozen = rfm("run", orders, "--freeze", calibrated["run_id"], "--json").json
    assert without_run_id(tmp_path / "rfm.duckdb") == without_run_id(tmp_path / "fresh.duckdb")
    assert frozen["edges"] == frozen["recomputed_edges"] == fresh["edges"]
    assert (frozen["edges_from"], frozen["customers_rescored"]) == (calibrated["run_id"], 0)
    assert {fresh[name] for name in ("edges_from", "recomputed_edges", "customers_rescored")} == {None}


def test_scores_stay_when_better_customers_come_and_the_drift_is_told(
    rfm: Rfm, orders: Path, later: Path, tmp_path: Path, on_record: Sequence[RunRecord]
) -> None:
    rfm("run", orders, "--to", "duckdb:before.duckdb")
    calibrated = rfm("calibrate", orders, "--json").json
    fresh = rfm("run", later, "--to", "duckdb:fresh.duckdb", "--json").json
    frozen = rfm("run", later, "--freeze", "latest", "--json").json
    before, now, other = (
        {row[0]: row[1:] for row in published(tmp_path / file, SCORES)}
        for file in ("before.duckdb", "rfm.duckdb", "fresh.duckdb")
    )
    assert before == {customer: now[customer] for customer in before}
    assert frozen["edges"] == calibrated["edges"]
    assert frozen["recomputed_edges"] == fresh["edges"] != frozen["edges"]
    moved = [customer for customer, scores in now.items() if scores[:3] != other[customer][:3]]
    assert 3 <= len(moved) < len(now) == 10
    assert frozen["customers_rescored"] == len(moved)


def test_the_terminal_tells_the_drift_below_the_edges(
    rfm: Rfm, orders: Path, later: Path, on_record: Sequence[RunRecord]
) -> None:
    rfm("calibrate", orders)
    run_id = on_record[0].run_id
    told = " ".join(rfm("run", orders, "--freeze", run_id).stdout.split())
    assert "score recency (frozen) frequency (frozen) monetary (frozen)" in told
    assert f"Edges of run {run_id}, as of 2024-03-01; recomputed edges would be the same. Segment" in told
    ended = rfm("run", later, "--freeze", run_id, "--json").json
    told = " ".join(rfm("run", later, "--freeze", run_id).stdout.split())
    fresh = ended["recomputed_edges"]
    days, orders_, money = (
        ", ".join(map(str, fresh[name])) for name in ("recency_days", "frequency", "monetary")
    )
    moved = ended["customers_rescored"]
    assert (
        f"recomputed edges would be: recency {days} days; frequency {orders_} orders; monetary {money}."
        f" {moved} customers ({moved * 10}.0 %) would score otherwise."
    ) in told
    assert "recomputed edges" not in rfm("run", later).stdout


def test_the_newest_calibration_is_taken_where_none_is_named(
    rfm: Rfm, orders: Path, later: Path, tmp_path: Path, on_record: Sequence[RunRecord]
) -> None:
    rfm("calibrate", orders)
    second = rfm("calibrate", later, "--json").json
    (tmp_path / "rfm.toml").write_text('[scoring]\nedges = "frozen"\n', encoding="utf-8")
    assert rfm("run", orders, "--json").json["edges_from"] == second["run_id"]


def test_only_quantiles_are_frozen(
    rfm: Rfm, orders: Path, later: Path, tmp_path: Path, on_record: Sequence[RunRecord]
) -> None:
    (tmp_path / "rfm.toml").write_text(
        '[scoring.recency]\nmethod = "fixed"\nedges = [30, 90, 365]\n[scoring.frequency]\nmethod = "ntile"\n',
        encoding="utf-8",
    )
    rfm("calibrate", orders)
    fresh = rfm("run", later, "--json").json
    said = rfm("run", later, "--freeze", "latest", "--json").json
    assert said["edges"]["recency_days"] == [30, 90, 365]
    assert said["recomputed_edges"] == {
        "recency_days": None,
        "frequency": None,
        "monetary": fresh["edges"]["monetary"],
    }
    assert "recency (fixed)  " in (text := rfm("run", later, "--freeze", "latest").stdout)
    assert "monetary (frozen)" in text


def test_a_score_that_nobody_has_by_frozen_edges_is_no_matter_of_ties(
    rfm: Rfm, orders: Path, tmp_path: Path, on_record: Sequence[RunRecord]
) -> None:
    rfm("calibrate", orders)
    (tmp_path / "rich.csv").write_text(ORDERS.splitlines()[0] + "\n" + NEWCOMERS, encoding="utf-8")
    audits = rfm("run", "rich.csv", "--freeze", "latest", "--json").json["audits"]
    (told,) = [audit["detail"] for audit in audits if audit["name"] == "bins_collapsed"]
    assert told.endswith(
        "no customer has a monetary score of 1 or 2 or 3: edges are those of an earlier run."
    )


def test_a_check_and_the_printed_query_have_the_frozen_edges(
    rfm: Rfm, orders: Path, on_record: Sequence[RunRecord]
) -> None:
    rfm("calibrate", orders)
    run_id = on_record[0].run_id
    rules = rfm("check", orders, "--freeze", run_id, "--json").json["rules"]
    assert rules["edges"] == f"frozen, of run {run_id}, as of 2024-03-01"
    text = rfm("sql", orders, "--freeze", run_id, "--dialect", "bigquery").stdout
    assert f"--   edges: frozen, of run {run_id}, as of 2024-03-01\n" in text
    assert "NUMERIC '7.00' AS m_edge_2" in text
    assert "AS m_recomputed_2" in text
    assert "edges" not in rfm("check", orders, "--json").json["rules"]


# What can't be meant


def test_a_run_that_is_not_on_record_is_refused_with_those_that_are(
    rfm: Rfm, orders: Path, on_record: Sequence[RunRecord]
) -> None:
    sentence, hint = refused(rfm("run", orders, "--freeze", "20250101T000000-abcdef"))
    assert sentence == (
        "There is no run '20250101T000000-abcdef' on record at duckdb:rfm.duckdb to take edges from."
    )
    assert hint == "`rfm calibrate` makes a calibration with these settings."
    for _ in range(7):
        rfm("calibrate", orders)
    ids = [run.run_id for run in sorted(on_record, key=lambda run: run.finished_at, reverse=True)]
    _, hint = refused(rfm("run", orders, "--freeze", "january"))
    assert hint.endswith(f"; or name a run, the newest of which are {', '.join(ids[:5])}.")


def test_there_must_be_a_calibration_to_take_the_newest(
    rfm: Rfm, orders: Path, on_record: Sequence[RunRecord]
) -> None:
    sentence, hint = refused(rfm("run", orders, "--freeze", "latest"))
    assert sentence == "`scoring.edges` is 'frozen', and no calibration is on record at duckdb:rfm.duckdb."
    assert hint == "`rfm calibrate` makes a calibration with these settings."


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (
            ("--preset", "grid"),
            "`scoring.recency` is 5 bins by quantile edges, and the run had 4 bins by quantile",
        ),
        (
            ("--preset", "klaviyo"),
            "`scoring.frequency` is 3 bins by quantile edges, and the run had 4 bins by",
        ),
    ],
)
def test_edges_of_other_bins_are_refused(
    asked: tuple[str, ...], told: str, rfm: Rfm, orders: Path, on_record: Sequence[RunRecord]
) -> None:
    rfm("calibrate", orders)
    sentence, _ = refused(rfm("run", orders, *asked, "--freeze", "latest"))
    assert sentence.startswith(f"Run {on_record[0].run_id} can't be frozen to: {told}")


def test_edges_of_another_method_are_refused(
    rfm: Rfm, orders: Path, tmp_path: Path, on_record: Sequence[RunRecord]
) -> None:
    (tmp_path / "ntile.toml").write_text('[scoring.recency]\nmethod = "ntile"\n', encoding="utf-8")
    rfm("calibrate", orders, "--config", "ntile.toml")
    sentence, _ = refused(rfm("run", orders, "--freeze", "latest"))
    assert sentence.endswith("is 4 bins by quantile edges, and the run had 4 bins by ntile edges.")


@pytest.mark.parametrize(
    ("scoring", "told"),
    [
        (
            'calibration = "x"',
            "`scoring.calibration` is the run 'x', and with edges = 'recomputed' no run's edges are",
        ),
        (
            'edges = "frozen"\nmethod = "ntile"',
            "`scoring.edges` is 'frozen', and no dimension has edges to freeze",
        ),
        (
            'edges = "melted"',
            "The setting `scoring.edges` is 'melted', and must be 'recomputed' or 'frozen'.",
        ),
    ],
)
def test_settings_that_contradict_each_other_are_refused(
    scoring: str, told: str, rfm: Rfm, orders: Path, tmp_path: Path
) -> None:
    (tmp_path / "rfm.toml").write_text(f"[scoring]\n{scoring}\n", encoding="utf-8")
    sentence, _ = refused(rfm("run", orders))
    assert sentence.startswith(told)


def test_the_newest_has_three_ways_to_be_said_and_one_hash() -> None:
    def scoring(**given: str) -> Any:
        return Configuration(file={"scoring": {"edges": "frozen", **given}}).settings()

    assert scoring() == scoring(calibration="latest") == scoring(calibration=" ")
    hashes = {
        scoring().config_hash,
        scoring(calibration="x").config_hash,
        Configuration().settings().config_hash,
    }
    assert len(hashes) == 3


# Which record is chosen

EDGES = tuple(
    DimensionScores(name, "quantile", (Decimal(1), Decimal(2), Decimal("3.5")), (1, 1, 1, 1))
    for name in ("recency", "frequency", "monetary")
)


def on(day: int, status: str, **given: Any) -> RunRecord:
    moment = datetime.fromisoformat(f"2025-01-{day:02}T06:00")
    kind = "calibration" if status == "calibrated" else "run"
    record = RunRecord(f"run-{day}", kind, status, moment, moment, date(2025, 1, day), edges=EDGES)
    return replace(record, **given)


def frozen_to(run: str | None = None) -> Any:
    scoring = {"edges": "frozen", **({"calibration": run} if run else {})}
    return Configuration(file={"scoring": scoring}).settings()


def test_a_newer_run_is_no_newer_calibration_and_can_be_named() -> None:
    records = [on(3, "published"), on(2, "calibrated"), on(1, "calibrated"), on(4, "rejected")]
    assert frozen_edges(records, frozen_to()).run_id == "run-2"
    found = frozen_edges(records, frozen_to("run-3"))
    assert (found.run_id, found.as_of_date) == ("run-3", date(2025, 1, 3))
    assert found.edges == {scores.name: scores.edges for scores in EDGES}


@pytest.mark.parametrize(
    "given", [{"status": "rejected"}, {"status": "failed"}, {"kind": "rollback", "edges": ()}]
)
def test_a_run_that_came_to_no_result_has_no_edges(given: dict[str, Any]) -> None:
    records = [on(1, "published"), replace(on(2, "published"), **given)]
    with pytest.raises(
        ConfigurationError, match="Run run-2 has no edges to freeze: it is on record as a"
    ) as error:
        frozen_edges(records, frozen_to("run-2"))
    assert (error.value.hint or "").endswith("; or name a run, which are run-1.")


def test_edges_go_to_the_table_of_runs_and_come_back() -> None:
    frozen = replace(EDGES[2], edges_from="run-1", recomputed=(Decimal("0.10"), Decimal(2), Decimal(10**20)))
    ntile = DimensionScores("frequency", "ntile", None, (2, 2))
    # In days, edges are whole.
    recency = replace(EDGES[0], edges=(Decimal(1), Decimal(2), Decimal(3)))
    record = on(5, "published", edges=(recency, ntile, frozen))
    row = record.to_row()
    assert json.loads(row["edges"])[2]["recomputed"] == ["0.10", "2.00", "100000000000000000000.00"]
    assert RunRecord.from_row(row) == replace(record, rules={})
