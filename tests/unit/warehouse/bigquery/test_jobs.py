"""The job runner with a fake client: attempts, deadlines, progress and cancellation."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from rfm_pipeline.errors import WarehouseError
from rfm_pipeline.warehouse.bigquery.job_options import JobOptions, Limits, label_value
from rfm_pipeline.warehouse.bigquery.jobs import JobRunner
from support.bigquery_fakes import FakeTime

State = tuple[str, dict[str, str] | None]
"""State of a job, and its error result."""


@dataclass
class FakeJob:
    """A job as Google's client returns it; each look at it moves it to its next state."""

    job_id: str
    labels: dict[str, str]
    states: Iterator[State]
    state: str = "PENDING"
    error_result: dict[str, str] | None = None
    timeline: tuple[Any, ...] = ()
    total_bytes_processed: int = 10

    def advance(self) -> FakeJob:
        self.state, self.error_result = next(self.states)
        return self


@dataclass
class FakeClient:
    """Google's client, with the states that the job of each attempt goes through."""

    attempts: list[list[State]]
    project: str = "billing-project"
    jobs: dict[str, FakeJob] = field(default_factory=dict)
    cancelled: list[str] = field(default_factory=list)

    def query(self, _: str, *, job_id: str, job_config: Any, **options: Any) -> FakeJob:
        assert options["retry"] is None
        assert options["job_retry"] is None
        assert job_id not in self.jobs
        states = iter(self.attempts[len(self.jobs)])
        self.jobs[job_id] = FakeJob(job_id, job_config.labels, states)
        return self.jobs[job_id]

    def get_job(self, job_id: str, **_: Any) -> FakeJob:
        return self.jobs[job_id].advance()

    def cancel_job(self, job_id: str, **_: Any) -> None:
        self.cancelled.append(job_id)
        self.jobs[job_id].states = iter([("DONE", {"reason": "stopped", "message": "cancelled"})])


def job_runner(client: Any, time: FakeTime) -> JobRunner:
    options = JobOptions(Limits(job=60, retry=30, request=5, bytes_billed=1000))
    return JobRunner(client, "20260101T000000-abc", "EU", options, time.clock)


def test_a_job_runs_again_only_after_it_is_done() -> None:
    failure = {"reason": "backendError", "message": "m"}
    # A transient error of a running job is left to BigQuery.
    client = FakeClient([[("RUNNING", failure), ("DONE", failure)], [("RUNNING", None), ("DONE", None)]])
    jobs = job_runner(client, FakeTime())
    assert jobs.query("customers", "SELECT 1").job_id == "rfm-20260101T000000-abc-customers-a2"
    assert jobs.usage.jobs == tuple(f"rfm-20260101T000000-abc-customers-a{attempt}" for attempt in (1, 2))
    assert jobs.usage.bytes_processed == 20
    assert client.cancelled == []


def test_a_job_that_keeps_failing_ends_at_the_deadline_with_its_own_error() -> None:
    failure = {"reason": "rateLimitExceeded", "message": "Too many."}
    client = FakeClient([[("DONE", failure)]] * 50)
    time = FakeTime()
    with pytest.raises(WarehouseError, match="BigQuery could not run customers: too many"):
        job_runner(client, time).query("customers", "SELECT 1")
    assert len(client.jobs) == 6
    assert time.now <= 30 + 6


def test_a_job_that_exceeds_its_time_is_cancelled() -> None:
    client = FakeClient([[("RUNNING", None)] * 1000])
    time = FakeTime()
    with pytest.raises(WarehouseError, match="still running customers after 60 seconds"):
        job_runner(client, time).query("customers", "SELECT 1")
    assert client.cancelled == ["rfm-20260101T000000-abc-customers-a1"]
    assert 60 < time.now < 75


def test_progress_is_computed_from_the_timeline() -> None:
    client = FakeClient([[("RUNNING", None), ("RUNNING", None), ("DONE", None)]])
    shares: list[float] = []
    units = [(0, 0, 0), (1, 1, 2), (4, 0, 0)]
    original_get_job = client.get_job

    def get_job(job_id: str, **options: Any) -> FakeJob:
        job = original_get_job(job_id, **options)
        completed, active, pending = units.pop(0)
        entry = SimpleNamespace(completed_units=completed, active_units=active, pending_units=pending)
        job.timeline = (entry,)
        return job

    client.get_job = get_job  # type: ignore[method-assign]
    job_runner(client, FakeTime()).query("customers", "SELECT 1", shares.append)
    assert shares == [0.25, 1.0]


@pytest.mark.parametrize("request_name", ["query", "get_job"])
def test_an_interruption_during_any_request_cancels_the_recorded_job(request_name: str) -> None:
    client = FakeClient([[("RUNNING", None)] * 10])
    original = getattr(client, request_name)

    def interrupt(*arguments: Any, **options: Any) -> None:
        original(*arguments, **options)
        raise KeyboardInterrupt

    setattr(client, request_name, interrupt)
    jobs = job_runner(client, FakeTime())
    with pytest.raises(KeyboardInterrupt):
        jobs.query("customers", "SELECT 1")
    assert client.cancelled
    assert set(client.cancelled) == set(jobs.usage.jobs[:1])


def test_label_values_have_only_valid_characters_and_at_most_63() -> None:
    assert label_value("Größe: A/B " + "x" * 80) == "gr_sse__a_b_" + "x" * 51
