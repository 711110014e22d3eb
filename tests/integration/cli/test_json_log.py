"""`--log-format json`: one event a line on stderr, and results on stdout as ever."""

from __future__ import annotations

import json
import logging
import re
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from rfm_pipeline.cli import json_log as events
from rfm_pipeline.pipeline import run as runner
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


def told(text: str) -> list[dict[str, Any]]:
    """Every event; each line is one, and has what all of them have."""
    found = [json.loads(line) for line in text.splitlines()]
    for event in found:
        moment = datetime.fromisoformat(event["time"])
        assert event["time"].endswith("Z")
        assert abs((datetime.now(UTC) - moment).total_seconds()) < 120
        assert event["severity"] in ("INFO", "WARNING", "ERROR")
        assert event["message"]
        assert event["elapsed_s"] >= 0
        assert None not in event.values()
    assert found == sorted(found, key=lambda event: event["elapsed_s"])
    return found


def test_a_run_tells_each_step_each_audit_and_what_it_published(rfm: Rfm, orders: Path) -> None:
    ended = rfm("run", orders, "--json", *JSON)
    said, found = ended.json, told(ended.stderr)
    assert ended.code == 0
    assert [event["event"] for event in found if event["event"] != "audit"] == [
        "begin", *["step"] * 6, "published",
    ]  # fmt: skip
    assert {event["run_id"] for event in found} == {said["run_id"]}
    assert [event["step"] for event in found if event["event"] == "step"] == [
        "Looking at the source", "Reading, cleaning and measuring", "Finding the edges",
        "Scoring and segmenting", "Auditing", "Publishing",
    ]  # fmt: skip
    audits = [event for event in found if event["event"] == "audit"]
    assert [(event["audit"], event["status"], event["message"]) for event in audits] == [
        (audit["name"], audit["status"], audit["detail"]) for audit in said["audits"]
    ]
    assert {event["severity"] for event in audits if event["status"] == "warning"} == {"WARNING"}
    last = found[-1]
    assert (last["customers"], last["rows_read"], last["rows_kept"]) == (4, 11, 7)
    assert (last["as_of"], last["destination"]) == (said["as_of"], said["destination"])


def test_a_run_tells_when_it_writes_outputs(rfm: Rfm, orders: Path) -> None:
    ended = rfm("run", orders, "--output", "segments.csv", "--json", *JSON)
    steps = [event["step"] for event in told(ended.stderr) if event["event"] == "step"]
    assert steps[-3:] == ["Auditing", "Writing the outputs", "Publishing"]


def test_results_are_printed_as_ever(rfm: Rfm, orders: Path) -> None:
    assert rfm("run", orders, *JSON).stdout.startswith("orders.csv  as of 2024-03-01\n")


def test_quiet_leaves_only_what_is_wrong(rfm: Rfm, orders: Path) -> None:
    ended = rfm("run", orders, "--quiet", *JSON)
    assert (ended.code, ended.stdout) == (0, "")
    assert [(event["event"], event["audit"]) for event in told(ended.stderr)] == [("audit", "bins_collapsed")]


def without_run_id(hint: str) -> str:
    """A hint without the id in the name of the file that keeps what was refused."""
    return re.sub(r"\.refused-\S+\.duckdb", ".refused-….duckdb", hint)


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
def test_an_error_is_an_event_with_its_hint_and_its_exit_code(
    arguments: list[str], rfm: Rfm, orders: Path
) -> None:
    plain, ended = rfm(*arguments), rfm(*arguments, *JSON)
    sentence, hint = refused(plain, code=plain.code)
    assert (ended.code, ended.stdout) == (plain.code, "")
    last = told(ended.stderr)[-1]
    assert (last["severity"], last["event"], last["exit_code"]) == ("ERROR", "error", plain.code)
    assert (last["message"], without_run_id(last["hint"])) == (sentence, without_run_id(hint))
    assert "stack_trace" not in last


def test_a_traceback_is_part_of_its_event(rfm: Rfm, orders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RFM_DEBUG", "")
    monkeypatch.setattr(staging, "audits_of", None)
    last = told(rfm("--debug", "run", orders, *JSON).stderr)[-1]
    monkeypatch.setenv("RFM_DEBUG", "")
    assert (last["event"], last["exit_code"]) == ("error", 1)
    assert last["message"].startswith("A bug in rfm: TypeError")
    assert last["stack_trace"].startswith("Traceback (most recent call last)")


def test_a_text_of_several_lines_stays_on_one(rfm: Rfm) -> None:
    (last,) = [event for event in told(rfm("run", 'a\nb"c.csv', *JSON).stderr) if event["event"] == "error"]
    assert 'b"c.csv' in last["message"]


# How it is chosen


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
def test_a_flag_or_a_variable_chooses_the_format(
    arguments: list[str], variable: str, is_json: bool, rfm: Rfm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RFM_LOG_FORMAT", variable)
    ended = rfm(*arguments)
    assert ended.code == 2
    assert (told(ended.stderr)[-1]["event"] == "error") if is_json else refused(ended)


def test_a_format_that_is_none_is_an_error(rfm: Rfm, orders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "'xml' is not one of 'text', 'json'" in refused(rfm("run", orders, "--log-format", "xml"))[0]
    monkeypatch.setenv("RFM_LOG_FORMAT", "xml")
    assert "RFM_LOG_FORMAT" in refused(rfm("run", orders))[0]


def test_text_is_the_default(rfm: Rfm, orders: Path) -> None:
    assert rfm("run", orders, "--quiet") == Outcome(0, "", "")


# While something takes long


def test_a_step_that_takes_long_gives_signs_of_life(
    rfm: Rfm, orders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "HEARTBEAT", 0.01)
    seen = threading.Event()
    write = events._write

    def noted(severity: Any, event: str, message: str, **fields: Any) -> None:
        write(severity, event, message, **fields)
        if event == "working" and fields["step"] == "Publishing":
            seen.set()

    def publishing(self: Any, statements: Any, step: str) -> None:
        # It goes on once a sign of life was seen.
        assert seen.wait(60)
        apply(self, statements, step)

    from rfm_pipeline.warehouse.duckdb.destination import DuckDBDestination

    apply = DuckDBDestination.apply
    monkeypatch.setattr(events, "_write", noted)
    monkeypatch.setattr(DuckDBDestination, "apply", publishing)
    ended = rfm("run", orders, "--json", *JSON)
    working = [event for event in told(ended.stderr) if event["event"] == "working"]
    assert {event["step"] for event in working} >= {"Publishing"}
    assert all(event["step_s"] >= 0.005 for event in working)
    assert all(event["message"].startswith(f"{event['step']}, for ") for event in working)


def test_what_the_warehouse_notes_are_events(rfm: Rfm, orders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Clock:
        def now(self) -> float:
            return 0.0

        def sleep(self, seconds: float) -> None: ...

        def jitter(self) -> float:
            return 1.0

    cells_of = vars(runner)["cells_of"]

    def counted(plan: Any) -> Any:
        RetryPolicy(60, Clock()).pause(0, 60, ConnectionError("reset"), "look")  # type: ignore[arg-type]
        logging.getLogger("rfm_pipeline.elsewhere").info("said %s", "so")
        return cells_of(plan)

    monkeypatch.setattr(staging, "cells_of", counted)
    found = told(rfm("run", orders, "--json", *JSON).stderr)
    (retry,) = [event for event in found if event["event"] == "retry"]
    assert retry["pause_s"] == 0.5
    assert "look" in retry["message"]
    assert [event["message"] for event in found if event["event"] == "note"] == ["said so"]


def test_a_log_that_nobody_takes_does_not_fail_a_run(
    rfm: Rfm, orders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Gone:
        def __init__(self, kind: type[OSError]) -> None:
            self.kind = kind

        def write(self, text: str) -> Callable[..., None]:
            raise self.kind

        def flush(self) -> None: ...

    monkeypatch.setattr(sys, "stderr", Gone(BrokenPipeError))
    ended = rfm("run", orders, "--json", *JSON)
    assert ended.code == 0
    assert ended.json["customers"] == 4
