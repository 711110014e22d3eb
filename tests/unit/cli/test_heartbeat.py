"""Events of a step that takes long, with a clock of the test."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from rfm_pipeline.cli import json_log


class Ended(threading.Event):
    """An event that is set after some waits; `before_each` runs before a wait returns, as the run goes on.

    Attributes:
        now: The time, which a wait advances by the seconds that it is given.
    """

    def __init__(self, *before_each: Callable[[], object]) -> None:
        super().__init__()
        self._before_each = list(before_each)
        self.now = 1000.0

    def wait(self, timeout: float | None = None) -> bool:
        assert timeout == json_log.HEARTBEAT_S
        if not self._before_each:
            return True
        self.now += timeout
        self._before_each.pop(0)()
        return False


@pytest.fixture
def events(monkeypatch: pytest.MonkeyPatch) -> Sequence[dict[str, Any]]:
    """The `working` events that are written."""
    written: list[dict[str, Any]] = []

    def write(severity: str, event: str, message: str, **fields: Any) -> None:
        if event == "working":
            written.append({"severity": severity, "message": message, **fields})

    monkeypatch.setattr(json_log, "_write", write)
    return written


def nothing() -> None:
    """Let time pass, and no more."""


def test_a_long_step_is_reported_with_its_duration_and_its_progress(events: Sequence[dict[str, Any]]) -> None:
    ended = Ended(nothing, lambda: observer.progress(0.25))
    observer = json_log._EventObserver(lambda: ended.now)
    observer.step("Scoring")
    observer.heartbeat(ended)
    assert events == [
        {"severity": "INFO", "message": "Scoring, for 30 s", "step": "Scoring", "step_s": 30, "share": None},
        {"severity": "INFO", "message": "Scoring, for 60 s", "step": "Scoring", "step_s": 60, "share": 0.25},
    ]


def test_a_step_is_timed_from_its_own_start(events: Sequence[dict[str, Any]]) -> None:
    ended = Ended(lambda: observer.step("Publishing"), nothing)
    observer = json_log._EventObserver(lambda: ended.now)
    observer.step("Auditing")
    observer.progress(0.5)
    observer.heartbeat(ended)
    # At the first beat `Publishing` had just begun, which is not worth an event.
    assert [(event["message"], event["share"]) for event in events] == [("Publishing, for 30 s", None)]


def test_before_the_first_step_nothing_is_reported(events: Sequence[dict[str, Any]]) -> None:
    ended = Ended(nothing, nothing)
    json_log._EventObserver(lambda: ended.now).heartbeat(ended)
    assert events == []


def test_the_heartbeat_runs_beside_a_run_and_ends_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    begun, ends = threading.Event(), []

    def heartbeat(_: object, ended: threading.Event) -> None:
        begun.set()
        ends.append(ended.wait())

    monkeypatch.setattr(json_log._EventObserver, "heartbeat", heartbeat)
    with json_log.log_progress(quiet=True):
        assert begun.wait(60)
        assert ends == []
    assert ends == [True]
