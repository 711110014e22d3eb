"""`--log-format json`: one event per line on stderr; stdout is unchanged."""

from __future__ import annotations

import json
import logging
import re
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from rfm_pipeline.pipeline import staging
from rfm_pipeline.warehouse.bigquery.retry import RetryPolicy
from support.cli import Outcome, Rfm
from support.orders import ORDERS, refused

JSON = ("--log-format", "json")


@pytest.fixture
def orders(tmp_path: Path) -> Path:
    path = tmp_path / "orders.csv"
    path.write_text(ORDERS, encoding="utf-8")
    return path


def read_events(text: str) -> list[dict[str, Any]]:
    """Return the events, one per line, after checking the fields that all events have."""
    events = [json.loads(line) for line in text.splitlines()]
    for event in events:
        moment = datetime.fromisoformat(event["time"])
        assert event["time"].endswith("Z")
        assert abs((datetime.now(UTC) - moment).total_seconds()) < 120
        assert event["severity"] in ("INFO", "WARNING", "ERROR")
        assert event["message"]
        assert event["elapsed_s"] >= 0
        assert None not in event.values()
    assert events == sorted(events, key=lambda event: event["elapsed_s"])
    return events


def test_a_run_logs_its_steps_its_audits_and_its_result(rfm: Rfm, orders: Path) -> None:
    ended = rfm("run", orders, "--json", *JSON)
    result, events = ended.json, read_events(ended.stderr)
    assert ended.code == 0
    assert [event["event"] for event in events if event["event"] != "audit"] == [
        "begin", *["step"] * 6, "published",
    ]  # fmt: skip
    assert {event["run_id"] for event in events} == {result["run_id"]}
    assert [event["step"] for event in events if event["event"] == "step"] == [
        "Looking at the source", "Reading, cleaning and measuring", "Finding the edges",
        "Scoring and segmenting", "Auditing", "Publishing",
    ]  # fmt: skip
    audits = [event for event in events if event["event"] == "audit"]
    assert [(event["audit"], event["status"], event["message"]) for event in audits] == [
        (audit["name"], audit["status"], audit["detail"]) for audit in result["audits"]
    ]
    assert {event["severity"] for event in audits if event["status"] == "warning"} == {"WARNING"}
    last = events[-1]
    assert (last["customers"], last["rows_read"], last["rows_kept"]) == (4, 11, 7)
    assert (last["as_of"], last["destination"]) == (result["as_of"], result["destination"])


@pytest.mark.slow
def test_an_incremental_run_logs_how_many_parts_it_read(rfm: Rfm, tmp_path: Path) -> None:
    (tmp_path / "orders").mkdir()
    for number in (1, 2):
        (tmp_path / "orders" / f"{number}.csv").write_text(
            ORDERS.replace("A1", f"A{number}0"), encoding="utf-8"
        )
        ended = rfm("run", "orders", "--incremental", "--same-order", "last", *JSON)
        (parts,) = [event["parts"] for event in read_events(ended.stderr) if event["event"] == "published"]
    assert parts == {"read": 1, "kept": 1}


def test_writing_outputs_is_a_step(rfm: Rfm, orders: Path) -> None:
    ended = rfm("run", orders, "--output", "segments.csv", "--json", *JSON)
    steps = [event["step"] for event in read_events(ended.stderr) if event["event"] == "step"]
    assert steps[-3:] == ["Auditing", "Writing the outputs", "Publishing"]


def test_the_result_is_printed_on_stdout(rfm: Rfm, orders: Path) -> None:
    assert rfm("run", orders, *JSON).stdout.startswith("orders.csv  as of 2024-03-01\n")


def test_quiet_keeps_only_warnings_and_errors(rfm: Rfm, orders: Path) -> None:
    ended = rfm("run", orders, "--quiet", *JSON)
    assert (ended.code, ended.stdout) == (0, "")
    assert [(event["event"], event["audit"]) for event in read_events(ended.stderr)] == [
        ("audit", name) for name in ("bins_collapsed", "dates_read", "excluded_share")
    ]


def without_run_id(hint: str) -> str:
    """Return a hint without the run id in the name of the file of a rejected result."""
    return re.sub(r"\.rejected-\S+\.duckdb", ".rejected-….duckdb", hint)


@pytest.mark.parametrize(
    "arguments",
    [
        ["run", "missing.csv"],
        ["run", "orders.csv", "--as-of", "1999-01-01"],
        ["run", "orders.csv", "--bins", "99"],
        ["run", "orders.csv", "--binz", "3"],
        ["run"],
        ["run", "orders.csv", "-c", "missing.toml"],
    ],
    ids=" ".join,
)
def test_an_error_event_has_the_hint_and_the_exit_code(arguments: list[str], rfm: Rfm, orders: Path) -> None:
    plain, ended = rfm(*arguments), rfm(*arguments, *JSON)
    sentence, hint = refused(plain, code=plain.code)
    assert (ended.code, ended.stdout) == (plain.code, "")
    last = read_events(ended.stderr)[-1]
    assert (last["severity"], last["event"], last["exit_code"]) == ("ERROR", "error", plain.code)
    assert (last["message"], without_run_id(last["hint"])) == (sentence, without_run_id(hint))
    assert "stack_trace" not in last


def test_an_error_event_contains_the_traceback_with_debug(
    rfm: Rfm, orders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RFM_DEBUG", "")
    monkeypatch.setattr(staging, "run_audits", None)
    last = read_events(rfm("--debug", "run", orders, *JSON).stderr)[-1]
    monkeypatch.setenv("RFM_DEBUG", "")
    assert (last["event"], last["exit_code"]) == ("error", 1)
    assert last["message"].startswith("A bug in rfm: TypeError")
    assert last["stack_trace"].startswith("Traceback (most recent call last)")


def test_a_message_with_a_line_break_is_one_line(rfm: Rfm) -> None:
    (last,) = [
        event for event in read_events(rfm("run", 'a\nb"c.csv', *JSON).stderr) if event["event"] == "error"
    ]
    assert 'b"c.csv' in last["message"]


# Choice of the format


@pytest.mark.parametrize(
    ("arguments", "variable", "is_json"),
    [
        (["run", "--log-format", "json"], "", True),
        (["run", "--log-format=json"], "", True),
        (["run"], "json", True),
        (["check"], "json", True),
        (["run", "--log-format", "text"], "json", False),
        (["run"], "", False),
        (["schedule", "cron", "--at", "x", "--", "run", "--log-format", "json"], "", False),
    ],
)
def test_an_option_or_a_variable_chooses_the_format(
    arguments: list[str], variable: str, is_json: bool, rfm: Rfm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RFM_LOG_FORMAT", variable)
    ended = rfm(*arguments)
    assert ended.code == 2
    assert (read_events(ended.stderr)[-1]["event"] == "error") if is_json else refused(ended)


def test_an_unknown_format_is_an_error(rfm: Rfm, orders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "'xml' is not one of 'text', 'json'" in refused(rfm("run", orders, "--log-format", "xml"))[0]
    monkeypatch.setenv("RFM_LOG_FORMAT", "xml")
    assert "RFM_LOG_FORMAT" in refused(rfm("run", orders))[0]


def test_text_is_the_default(rfm: Rfm, orders: Path) -> None:
    assert rfm("run", orders, "--quiet") == Outcome(0, "", "")


def test_log_records_of_the_warehouse_are_events(
    rfm: Rfm, orders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Clock:
        def now(self) -> float:
            return 0.0

        def sleep(self, seconds: float) -> None: ...

        def jitter(self) -> float:
            return 1.0

    collect_statistics = vars(staging)["collect_statistics"]

    def log_and_collect(*arguments: Any) -> Any:
        policy = RetryPolicy(60, Clock())  # type: ignore[arg-type]
        policy.wait_before_retry(0, 60, ConnectionError("reset"), "look")
        logging.getLogger("rfm_pipeline.elsewhere").info("read %s", "this")
        return collect_statistics(*arguments)

    monkeypatch.setattr(staging, "collect_statistics", log_and_collect)
    events = read_events(rfm("run", orders, "--json", *JSON).stderr)
    (retry,) = [event for event in events if event["event"] == "retry"]
    assert retry["pause_s"] == 0.5
    assert "look" in retry["message"]
    assert [event["message"] for event in events if event["event"] == "note"] == ["read this"]


def test_a_closed_stderr_does_not_fail_a_run(rfm: Rfm, orders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class ClosedStream:
        def __init__(self, kind: type[OSError]) -> None:
            self.kind = kind

        def write(self, text: str) -> Callable[..., None]:
            raise self.kind

        def flush(self) -> None: ...

    monkeypatch.setattr(sys, "stderr", ClosedStream(BrokenPipeError))
    ended = rfm("run", orders, "--json", *JSON)
    assert ended.code == 0
    assert ended.json["customers"] == 4
