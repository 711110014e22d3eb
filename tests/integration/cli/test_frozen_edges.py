"""Frozen edges: `rfm calibrate`, runs that score by an earlier run's edges, and the drift of edges."""

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
from rfm_pipeline.results.statistics import DimensionScores
from support.audit_statistics import EMPTY
from support.cli import Rfm
from support.orders import ORDERS, published, refused, without_run_id

# Customers with more orders, higher revenue and newer orders than those of ORDERS.
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


@pytest.mark.slow
def test_a_calibration_is_recorded_with_its_edges_and_publishes_nothing(
    rfm: Rfm, orders: Path, tmp_path: Path, on_record: Sequence[RunRecord]
) -> None:
    (tmp_path / "rfm.toml").write_text('output = "segments.csv"\n', encoding="utf-8")
    result = rfm("calibrate", orders, "--json").json
    assert (result["status"], result["outputs"]) == ("calibrated", [])
    (run,) = on_record
    assert (run.run_id, run.kind, run.status) == (result["run_id"], "calibration", "calibrated")
    assert run.statistics
    assert (run.as_of_date, run.statistics.rows_read, run.statistics.rows_kept) == (date(2024, 3, 1), 11, 7)
    assert (run.customers, run.statistics.orders, run.statistics.revenue) == (4, 6, Decimal("163.4999"))
    assert run.started_at <= run.finished_at
    edges = {scores.name: scores.edges for scores in run.edges}
    assert edges["monetary"] == tuple(map(Decimal, result["edges"]["monetary"]))
    assert [entry["segment"] for entry in result["segments"]] == [
        figures.segment for figures in run.statistics.segments
    ]
    assert run.config_hash == Configuration().settings.config_hash
    assert {path.name for path in tmp_path.iterdir()} == {"orders.csv", "rfm.toml", "rfm.duckdb"}
    assert published(tmp_path / "rfm.duckdb") == []


@pytest.mark.slow
def test_a_calibration_prints_the_command_that_uses_it(
    rfm: Rfm, orders: Path, on_record: Sequence[RunRecord]
) -> None:
    ended = rfm("calibrate", orders)
    run_id = on_record[0].run_id
    assert f"rfm run --freeze {run_id}\n" in ended.stdout
    assert "Published" not in ended.stdout
    assert rfm("calibrate", orders, "--quiet").stdout == ""


@pytest.mark.slow
def test_a_calibration_recomputes_edges_that_are_configured_as_frozen(
    rfm: Rfm, orders: Path, later: Path, tmp_path: Path, on_record: Sequence[RunRecord]
) -> None:
    rfm("calibrate", orders)
    (tmp_path / "rfm.toml").write_text(
        f'[scoring]\nedges = "frozen"\ncalibration = "{on_record[0].run_id}"\n', encoding="utf-8"
    )
    result = rfm("calibrate", later, "--json").json
    assert result["edges_from"] is None
    fresh = rfm("run", later, "--config", "/dev/null", "--json").json
    assert result["edges"] == fresh["edges"]
    assert on_record[1].rules["scoring"]["edges"] == "recomputed"


def test_a_calibration_that_fails_an_audit_is_not_recorded(
    rfm: Rfm, orders: Path, on_record: Sequence[RunRecord]
) -> None:
    sentence, _ = refused(rfm("calibrate", orders, "--since", "2024-03-02"), code=3)
    assert sentence.startswith("Nothing was published, because an audit failed")
    assert list(on_record) == []


def test_there_is_nothing_to_calibrate_without_quantiles(rfm: Rfm, orders: Path) -> None:
    sentence, _ = refused(rfm("calibrate", orders, "--method", "ntile"))
    assert sentence.startswith("There is nothing to calibrate: no dimension is scored by method = 'quantile'")


# Runs with frozen edges


@pytest.mark.slow
@pytest.mark.guarantee("frozen-edges")
def test_a_run_frozen_to_its_own_edges_publishes_the_same_rows(
    rfm: Rfm, orders: Path, tmp_path: Path, on_record: Sequence[RunRecord]
) -> None:
    calibrated = rfm("calibrate", orders, "--json").json
    fresh = rfm("run", orders, "--to", "duckdb:fresh.duckdb", "--json").json
    frozen = rfm("run", orders, "--freeze", calibrated["run_id"], "--json").json
    assert without_run_id(tmp_path / "rfm.duckdb") == without_run_id(tmp_path / "fresh.duckdb")
    assert frozen["edges"] == frozen["recomputed_edges"] == fresh["edges"]
    assert (frozen["edges_from"], frozen["customers_rescored"]) == (calibrated["run_id"], 0)
    assert {fresh[name] for name in ("edges_from", "recomputed_edges", "customers_rescored")} == {None}


@pytest.mark.guarantee("frozen-edges")
def test_frozen_scores_do_not_change_with_new_customers_and_the_drift_is_reported(
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


@pytest.mark.slow
def test_the_terminal_shows_the_drift_below_the_edges(
    rfm: Rfm, orders: Path, later: Path, on_record: Sequence[RunRecord]
) -> None:
    rfm("calibrate", orders)
    run_id = on_record[0].run_id
    text = " ".join(rfm("run", orders, "--freeze", run_id).stdout.split())
    assert "score recency (frozen) frequency (frozen) monetary (frozen)" in text
    assert f"{run_id}, as of 2024-03-01" in text
    ended = rfm("run", later, "--freeze", run_id, "--json").json
    text = " ".join(rfm("run", later, "--freeze", run_id).stdout.split())
    fresh = ended["recomputed_edges"]
    days, orders_, money = (
        ", ".join(map(str, fresh[name])) for name in ("recency_days", "frequency", "monetary")
    )
    moved = ended["customers_rescored"]
    assert f"recency {days} days; frequency {orders_} orders; monetary {money}." in text
    assert f"{moved} customers ({moved * 10}.0 %)" in text
    assert "recomputed edges" not in rfm("run", later).stdout


@pytest.mark.slow
def test_the_newest_calibration_is_the_default(
    rfm: Rfm, orders: Path, later: Path, tmp_path: Path, on_record: Sequence[RunRecord]
) -> None:
    rfm("calibrate", orders)
    second = rfm("calibrate", later, "--json").json
    (tmp_path / "rfm.toml").write_text('[scoring]\nedges = "frozen"\n', encoding="utf-8")
    assert rfm("run", orders, "--json").json["edges_from"] == second["run_id"]


@pytest.mark.slow
def test_only_quantiles_are_frozen(
    rfm: Rfm, orders: Path, later: Path, tmp_path: Path, on_record: Sequence[RunRecord]
) -> None:
    (tmp_path / "rfm.toml").write_text(
        '[scoring.recency]\nmethod = "fixed"\nedges = [30, 90, 365]\n[scoring.frequency]\nmethod = "ntile"\n',
        encoding="utf-8",
    )
    rfm("calibrate", orders)
    fresh = rfm("run", later, "--json").json
    result = rfm("run", later, "--freeze", "latest", "--json").json
    assert result["edges"]["recency_days"] == [30, 90, 365]
    assert result["recomputed_edges"] == {
        "recency_days": None,
        "frequency": None,
        "monetary": fresh["edges"]["monetary"],
    }
    assert "recency (fixed)  " in (text := rfm("run", later, "--freeze", "latest").stdout)
    assert "monetary (frozen)" in text


@pytest.mark.slow
def test_an_empty_score_with_frozen_edges_is_not_attributed_to_ties(
    rfm: Rfm, orders: Path, tmp_path: Path, on_record: Sequence[RunRecord]
) -> None:
    rfm("calibrate", orders)
    (tmp_path / "rich.csv").write_text(ORDERS.splitlines()[0] + "\n" + NEWCOMERS, encoding="utf-8")
    audits = rfm("run", "rich.csv", "--freeze", "latest", "--json").json["audits"]
    (detail,) = [audit["detail"] for audit in audits if audit["name"] == "bins_collapsed"]
    assert detail.endswith(
        "no customer has a monetary score of 1 or 2 or 3: edges are those of an earlier run."
    )


@pytest.mark.slow
def test_check_and_sql_show_the_frozen_edges(rfm: Rfm, orders: Path, on_record: Sequence[RunRecord]) -> None:
    rfm("calibrate", orders)
    run_id = on_record[0].run_id
    rules = rfm("check", orders, "--freeze", run_id, "--json").json["rules"]
    assert rules["edges"] == f"frozen, of run {run_id}, as of 2024-03-01"
    text = rfm("sql", orders, "--freeze", run_id, "--dialect", "bigquery").stdout
    assert f"--   edges: frozen, of run {run_id}, as of 2024-03-01\n" in text
    assert "NUMERIC '7.00' AS m_edge_2" in text
    assert "AS m_recomputed_2" in text
    assert "edges" not in rfm("check", orders, "--json").json["rules"]


# Errors


@pytest.mark.slow
def test_an_unknown_run_is_an_error_that_lists_recorded_runs(
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


def test_freezing_to_the_latest_calibration_without_one_is_an_error(
    rfm: Rfm, orders: Path, on_record: Sequence[RunRecord]
) -> None:
    sentence, hint = refused(rfm("run", orders, "--freeze", "latest"))
    assert sentence == "`scoring.edges` is 'frozen', and no calibration is on record at duckdb:rfm.duckdb."
    assert hint == "`rfm calibrate` makes a calibration with these settings."


@pytest.mark.parametrize(
    ("flags", "reason"),
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
def test_edges_with_another_number_of_bins_are_an_error(
    flags: tuple[str, ...], reason: str, rfm: Rfm, orders: Path, on_record: Sequence[RunRecord]
) -> None:
    rfm("calibrate", orders)
    sentence, _ = refused(rfm("run", orders, *flags, "--freeze", "latest"))
    assert sentence.startswith(f"Run {on_record[0].run_id} can't be frozen to: {reason}")


def test_edges_of_another_method_are_an_error(
    rfm: Rfm, orders: Path, tmp_path: Path, on_record: Sequence[RunRecord]
) -> None:
    (tmp_path / "ntile.toml").write_text('[scoring.recency]\nmethod = "ntile"\n', encoding="utf-8")
    rfm("calibrate", orders, "--config", "ntile.toml")
    sentence, _ = refused(rfm("run", orders, "--freeze", "latest"))
    assert sentence.endswith("is 4 bins by quantile edges, and the run had 4 bins by ntile edges.")


@pytest.mark.parametrize(
    ("scoring", "message"),
    [
        (
            'calibration = "x"',
            "`scoring.calibration` is the run 'x', but edges = 'recomputed' uses no edges of",
        ),
        (
            'edges = "frozen"\nmethod = "ntile"',
            "`scoring.edges` is 'frozen', but no dimension has method = 'quantile'",
        ),
        (
            'edges = "melted"',
            "The setting `scoring.edges` is 'melted', and must be 'recomputed' or 'frozen'.",
        ),
    ],
)
def test_contradictory_settings_are_an_error(
    scoring: str, message: str, rfm: Rfm, orders: Path, tmp_path: Path
) -> None:
    (tmp_path / "rfm.toml").write_text(f"[scoring]\n{scoring}\n", encoding="utf-8")
    sentence, _ = refused(rfm("run", orders))
    assert sentence.startswith(message)


def test_the_latest_calibration_can_be_written_in_three_ways_with_one_hash() -> None:
    def scoring(**settings: str) -> Any:
        return Configuration(file={"scoring": {"edges": "frozen", **settings}}).settings

    assert scoring() == scoring(calibration="latest") == scoring(calibration=" ")
    hashes = {
        scoring().config_hash,
        scoring(calibration="x").config_hash,
        Configuration().settings.config_hash,
    }
    assert len(hashes) == 3


# Choice of the record

EDGES = tuple(
    DimensionScores(name, "quantile", (Decimal(1), Decimal(2), Decimal("3.5")), (1, 1, 1, 1))
    for name in ("recency", "frequency", "monetary")
)


def on(day: int, status: str, **given: Any) -> RunRecord:
    moment = datetime.fromisoformat(f"2025-01-{day:02}T06:00")
    kind = "calibration" if status == "calibrated" else "run"
    record = RunRecord(f"run-{day}", kind, status, moment, moment, date(2025, 1, day))
    edges = given.pop("edges", EDGES)
    return replace(record, statistics=replace(EMPTY, edges=edges), **given)


def frozen_to(run: str | None = None) -> Any:
    scoring = {"edges": "frozen", **({"calibration": run} if run else {})}
    return Configuration(file={"scoring": scoring}).settings


def test_a_run_can_be_named_but_is_not_the_newest_calibration() -> None:
    records = [on(3, "published"), on(2, "calibrated"), on(1, "calibrated"), on(4, "rejected")]
    assert frozen_edges(records, frozen_to()).run_id == "run-2"
    frozen = frozen_edges(records, frozen_to("run-3"))
    assert (frozen.run_id, frozen.as_of_date) == ("run-3", date(2025, 1, 3))
    assert frozen.edges == {scores.name: scores.edges for scores in EDGES}


@pytest.mark.parametrize(
    "given", [{"status": "rejected"}, {"status": "failed"}, {"kind": "rollback", "edges": ()}]
)
def test_a_run_without_a_result_has_no_edges(given: dict[str, Any]) -> None:
    records = [on(1, "published"), on(2, given.pop("status", "published"), **given)]
    with pytest.raises(
        ConfigurationError, match="Run run-2 has no edges to freeze: it is on record as a"
    ) as error:
        frozen_edges(records, frozen_to("run-2"))
    assert (error.value.hint or "").endswith("; or name a run, which are run-1.")


def test_edges_survive_a_round_trip_through_the_run_log() -> None:
    frozen = replace(EDGES[2], edges_from="run-1", recomputed=(Decimal("0.10"), Decimal(2), Decimal(10**20)))
    ntile = DimensionScores("frequency", "ntile", None, (2, 2))
    # Edges in days are integers.
    recency = replace(EDGES[0], edges=(Decimal(1), Decimal(2), Decimal(3)))
    record = on(5, "published", edges=(recency, ntile, frozen))
    row = record.to_row()
    assert json.loads(row["edges"])[2]["recomputed"] == ["0.10", "2.00", "100000000000000000000.00"]
    assert RunRecord.from_row(row) == replace(record, rules={})
