"""The job runner by itself: its table of failures, how long it waits, and when it gives up."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
import requests
from google.api_core import exceptions

from rfm_pipeline.errors import CostLimitError, WarehouseError
from rfm_pipeline.warehouse.bigquery.errors import ROLES, translate_bigquery_error
from rfm_pipeline.warehouse.bigquery.jobs import JobRunner, Limits, label_value
from rfm_pipeline.warehouse.bigquery.retry import (
    RETRY_RULES,
    TRANSIENT_STATUS_CODES,
    Clock,
    RetryDecision,
    RetryPolicy,
    UnreachableError,
    is_transient,
)

AGAIN = {
    "rateLimitExceeded", "backendError", "internalError", "badGateway", "jobBackendError", "jobInternalError",
    "jobRateLimitExceeded",
}  # fmt: skip
NEVER = {"invalidQuery", "accessDenied", "notFound", "quotaExceeded", "resourcesExceeded"}


@dataclass
class Time:
    """A clock that is later only when somebody sleeps."""

    at: float = 0.0
    slept: list[float] = field(default_factory=list)
    chance: float = 1.0

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.at += seconds

    @property
    def clock(self) -> Clock:
        return Clock(lambda: self.at, self.sleep, lambda: self.chance)


def answer(status: int, reason: str = "", said: str = "m") -> exceptions.GoogleAPICallError:
    errors = [{"reason": reason, "message": said}] if reason else []
    made: exceptions.GoogleAPICallError
    made = exceptions.from_http_status(status, said, errors=errors)  # type: ignore[no-untyped-call]
    return made


def test_the_matrix_is_that_of_the_design() -> None:
    verdicts = {rule.reason: rule.decision for rule in RETRY_RULES}
    assert len(verdicts) == len(RETRY_RULES)
    assert {reason for reason, verdict in verdicts.items() if verdict is RetryDecision.RETRY} == AGAIN
    assert {reason for reason, verdict in verdicts.items() if verdict is RetryDecision.FAIL} >= NEVER
    assert {429, 500, 502, 503, 504} == TRANSIENT_STATUS_CODES
    assert all(rule.why for rule in RETRY_RULES)


@pytest.mark.parametrize(
    ("error", "does"),
    [
        *((answer(status), True) for status in (429, 500, 502, 503, 504)),
        *((answer(status), False) for status in (400, 401, 403, 404, 409, 412)),
        *((answer(403, reason), True) for reason in sorted(AGAIN)),
        # The reason decides, and not the status that it comes with.
        *((answer(503, reason), False) for reason in sorted(NEVER)),
        (requests.ConnectionError(), True),
        (requests.ReadTimeout(), True),
        (requests.exceptions.ChunkedEncodingError(), True),
        (requests.exceptions.InvalidURL(), False),
        (ConnectionResetError(), True),
        (ValueError(), False),
    ],
)
def test_what_passes_is_told_from_what_stays(error: Exception, does: bool) -> None:
    assert is_transient(error) is does


def test_each_wait_is_twice_as_long_up_to_half_a_minute_and_all_end_at_the_deadline() -> None:
    time = Time()

    def fail() -> None:
        raise answer(503)

    with pytest.raises(UnreachableError, match="could not be reached to try: m"):
        RetryPolicy(120, time.clock).ask(fail, "try")
    assert time.slept == [0.5, 1, 2, 4, 8, 16, 32, 32]
    assert sum(time.slept) <= 120


def test_waits_differ_by_chance_and_are_never_less_than_half() -> None:
    time = Time(chance=0.0)
    with pytest.raises(UnreachableError):
        RetryPolicy(10, time.clock).ask(lambda: (_ for _ in ()).throw(answer(500)), "try")
    assert time.slept[:3] == [0.25, 0.5, 1]


def test_what_stays_is_not_tried_again() -> None:
    time = Time()
    tried = []

    def fail() -> None:
        tried.append(1)
        raise answer(403, "accessDenied")

    with pytest.raises(exceptions.Forbidden):
        RetryPolicy(120, time.clock).ask(fail, "try")
    assert (len(tried), time.slept) == (1, [])


@dataclass
class Job:
    """A job as Google's client has it."""

    job_id: str
    labels: dict[str, str]
    states: Iterator[tuple[str, dict[str, str] | None]]
    state: str = "PENDING"
    error_result: dict[str, str] | None = None
    timeline: tuple[Any, ...] = ()
    total_bytes_processed: int = 10

    def moved(self) -> Job:
        self.state, self.error_result = next(self.states)
        return self


@dataclass
class Client:
    """Google's client, of which each attempt goes as it is told."""

    attempts: list[list[tuple[str, dict[str, str] | None]]]
    project: str = "pays"
    jobs: dict[str, Job] = field(default_factory=dict)
    cancelled: list[str] = field(default_factory=list)

    def query(self, _: str, *, job_id: str, job_config: Any, **more: Any) -> Job:
        assert more["retry"] is None
        assert more["job_retry"] is None
        assert job_id not in self.jobs
        states = iter(self.attempts[len(self.jobs)])
        self.jobs[job_id] = Job(job_id, job_config.labels, states)
        return self.jobs[job_id]

    def get_job(self, job_id: str, **_: Any) -> Job:
        return self.jobs[job_id].moved()

    def cancel_job(self, job_id: str, **_: Any) -> None:
        self.cancelled.append(job_id)
        self.jobs[job_id].states = iter([("DONE", {"reason": "stopped", "message": "cancelled"})])


def runner(client: Any, time: Time) -> JobRunner:
    limits = Limits(job=60, retry=30, request=5, bytes_billed=1000)
    return JobRunner(client, "20260101T000000-abc", "EU", limits, time.clock)


def test_a_job_is_run_again_only_once_it_is_done() -> None:
    failed = {"reason": "backendError", "message": "m"}
    # A passing error of a job that still runs is the server's to mend.
    client = Client([[("RUNNING", failed), ("DONE", failed)], [("RUNNING", None), ("DONE", None)]])
    jobs = runner(client, Time())
    assert jobs.query("customers", "SELECT 1").job_id == "rfm-20260101T000000-abc-customers-a2"
    assert jobs.spent.jobs == [f"rfm-20260101T000000-abc-customers-a{attempt}" for attempt in (1, 2)]
    assert client.cancelled == []


def test_a_job_that_goes_on_failing_is_given_up_at_the_deadline_with_its_own_error() -> None:
    failed = {"reason": "rateLimitExceeded", "message": "Too many."}
    client = Client([[("DONE", failed)]] * 50)
    time = Time()
    with pytest.raises(WarehouseError, match="BigQuery could not run customers: too many"):
        runner(client, time).query("customers", "SELECT 1")
    assert len(client.jobs) == 6
    assert time.at <= 30 + 6


def test_a_job_that_does_not_end_is_cancelled_in_time() -> None:
    client = Client([[("RUNNING", None)] * 1000])
    time = Time()
    with pytest.raises(WarehouseError, match="still running customers after 60 seconds"):
        runner(client, time).query("customers", "SELECT 1")
    assert client.cancelled == ["rfm-20260101T000000-abc-customers-a1"]
    assert 60 < time.at < 75


def test_how_far_a_job_is_is_told_from_its_timeline() -> None:
    client = Client([[("RUNNING", None), ("RUNNING", None), ("DONE", None)]])
    told: list[float] = []
    units = [(0, 0, 0), (1, 1, 2), (4, 0, 0)]
    moved = client.get_job

    def get(job_id: str, **named: Any) -> Job:
        job = moved(job_id, **named)
        done, active, pending = units.pop(0)
        entry = SimpleNamespace(completed_units=done, active_units=active, pending_units=pending)
        job.timeline = (entry,)
        return job

    client.get_job = get  # type: ignore[method-assign]
    runner(client, Time()).query("customers", "SELECT 1", told.append)
    assert told == [0.25, 1.0]


def test_a_stop_at_any_moment_cancels_the_job_that_was_noted() -> None:
    for moment in ("query", "get_job"):
        client = Client([[("RUNNING", None)] * 10])
        whole = getattr(client, moment)

        def stop(*arguments: Any, whole: Any = whole, **named: Any) -> None:
            whole(*arguments, **named)
            raise KeyboardInterrupt

        setattr(client, moment, stop)
        jobs = runner(client, Time())
        with pytest.raises(KeyboardInterrupt):
            jobs.query("customers", "SELECT 1")
        assert client.cancelled == jobs.spent.jobs[:1] * len(client.cancelled)
        assert client.cancelled


def test_labels_are_what_bigquery_takes() -> None:
    assert label_value("Größe: A/B " + "x" * 80) == "gr_sse__a_b_" + "x" * 51


def test_a_missing_permission_is_named_with_the_role_that_grants_it() -> None:
    for permission, role in ROLES.items():
        said = f"Access Denied: Table a:b.c: Permission {permission} denied on table a:b.c"
        error = translate_bigquery_error(answer(403, "accessDenied", said), "read it")
        assert (error.exit_code, permission in error.message) == (4, True)
        assert error.hint == f"grant {role}."


def test_a_breach_of_the_limit_has_an_exit_code_of_its_own() -> None:
    said = "Query exceeded limit for bytes billed: 1000. 2000 or higher required."
    error = translate_bigquery_error(answer(400, "bytesBilledLimitExceeded", said), "read")
    assert isinstance(error, CostLimitError)
    assert "2000 or higher required" in error.message
