"""Faults at each request of a run: the run recovers, or fails and leaves the earlier result.

The long lane injects every fault at every request, and appends the outcomes to build/faults.tsv. The other
lanes inject a sample: a fault at every fourth request, each fault at least once, and a few failures of jobs;
other tests contain each of these.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from random import Random

import pytest

from rfm_pipeline.errors import RfmError
from support.bigquery_faults import TABLES, Scene, backup_name, inconsistencies
from support.bigquery_proxy import (
    FAULTS,
    PERMANENT_REASONS,
    REQUEST_FAULTS,
    TRANSIENT_REASONS,
    Proxy,
    Request,
)
from support.cli import Outcome, Rfm
from support.lanes import sample_and_all
from support.paths import ROOT

pytestmark = pytest.mark.xdist_group("bigquery")

RECORD = ROOT / "build" / "faults.tsv"
RECOVERABLE = {*REQUEST_FAULTS, *(f"job {reason}" for reason in TRANSIENT_REASONS)} - {"409"}
"""Faults from which a run must recover if they occur once."""
JOB_FAULTS = [fault for fault in FAULTS if fault.startswith("job ")]


def at(point: int, fault: str, proxy: Proxy) -> Callable[[Request], str | None]:
    """Return a chooser that injects the fault only at the request with index `point`; reset the proxy."""
    proxy.reset()
    return lambda _: fault if len(proxy.requests) == point + 1 else None


def cases(requests: list[Request], *, every: bool) -> Iterator[tuple[int, str]]:
    of_jobs = [point for point, request in enumerate(requests) if request.kind in {"insert", "dry-run"}]
    for point, _ in enumerate(requests):
        for turn, fault in enumerate(REQUEST_FAULTS):
            if every or (point % 4 == 0 and point // 4 % len(REQUEST_FAULTS) == turn):
                yield point, fault
    for index, point in enumerate(of_jobs):
        for turn, fault in enumerate(JOB_FAULTS):
            if every or (turn % 4 == 0 and turn % len(of_jobs) == index):
                yield point, fault


@pytest.mark.guarantee("one-transaction", "exit-codes")
@sample_and_all
def test_a_fault_at_any_request_leaves_a_consistent_result(
    every: bool, scene: Scene, record_property: Callable[[str, object], None]
) -> None:
    outcomes: Counter[str] = Counter()
    problems: list[str] = []
    injected = list(cases(scene.requests, every=every))
    # Shuffled, so that the record of an interrupted test is a sample.
    Random(0).shuffle(injected)
    for point, fault in injected:
        request = scene.requests[point]
        scene.proxy.fault_for = at(point, fault, scene.proxy)
        # The other requests of the run have to be answered within this time on a busy machine, too.
        error = scene.run(request_timeout=10 if "hang" in fault else 30)
        where = f"{fault} at request {point}, {request.kind} {request.sql[:40]!r}: {error}"
        outcome = "succeeded" if error is None else f"exit {error.exit_code}"
        outcomes[outcome] += 1
        case_problems = [f"{where}: {problem}" for problem in problems_after(scene, request, fault, error)]
        problems += case_problems
        if every:
            RECORD.parent.mkdir(exist_ok=True)
            with RECORD.open("a", encoding="utf-8") as record:
                record.write(f"{fault}\t{point}\t{request.kind}\t{outcome}\t{'; '.join(case_problems)}\n")
        scene.restore()
    summary = (
        f"{len(scene.requests)} requests of a run, {len(injected)} faults: {dict(sorted(outcomes.items()))}"
    )
    record_property("faults", summary)
    assert not problems, "\n".join(problems)
    assert {fault for _, fault in injected} >= set(FAULTS if every else REQUEST_FAULTS)


def problems_after(scene: Scene, request: Request, fault: str, error: RfmError | None) -> Iterator[str]:
    """Yield each problem of the state after a run with a fault."""
    rows = scene.shop.published_rows()
    is_new = [row[:-1] for row in rows] == scene.expected
    if error is None:
        if not is_new:
            yield "succeeded without publishing"
        if len({row[-1] for row in rows}) != 1:
            yield "rows of several runs"
    else:
        if error.exit_code not in {4, 6}:
            yield f"exit {error.exit_code}"
        if not re.fullmatch(r"[^\n]+[.!?…]", error.message) or not error.hint:
            yield f"not a sentence and a hint: {error.message!r}, {error.hint!r}"
        if rows != scene.before:
            yield "failed, but changed the result"
    yield from inconsistencies(scene, rows, is_new=is_new)
    if fault in RECOVERABLE and error is not None:
        yield "did not recover"
    if fault.removeprefix("job ") in PERMANENT_REASONS and request.kind == "insert" and error is None:
        yield "succeeded despite a permanent failure"
    if fault == "job bytesBilledLimitExceeded" and error is not None and error.exit_code != 6:
        yield f"exit {error.exit_code}"
    remaining = [name for name in scene.shop.tables() if "__" in name]
    if remaining and request.kind != "drop":
        yield f"left behind: {remaining}"
    staged = [sql for sql in scene.proxy.statements if sql.startswith("CREATE OR REPLACE TABLE")]
    if not all("expiration_timestamp" in sql for sql in staged):
        yield "staged without an expiry"
    reads = [sql for sql in scene.proxy.statements if scene.shop.name("orders") in sql]
    if not fault.startswith("job ") and len({job_of(scene, sql) for sql in reads}) > 1:
        yield "the source was read twice"


def job_of(scene: Scene, sql: str) -> str:
    return next(request.job_id for request in scene.proxy.requests if request.sql == sql)


@pytest.mark.parametrize("fault", [fault for fault in REQUEST_FAULTS if fault != "409"])
def test_a_lasting_fault_ends_the_run_at_the_retry_deadline(fault: str, scene: Scene) -> None:
    """A lasting fault affects one request and all later requests."""
    proxy = scene.proxy
    for point in (0,) if "hang" in fault else (0, len(scene.requests) // 2):
        proxy.reset()
        proxy.fault_for = partial(_from, point, fault, proxy)
        error = scene.run(request_timeout=0.3 if "hang" in fault else 30, retry_timeout=4)
        assert error is not None
        assert error.exit_code == 4
        assert error.message.startswith("BigQuery could not be reached to ")
        assert error.hint
        assert len(proxy.requests) < point + 30
        scene.proxy.fault_for = lambda _: None
        assert scene.shop.published_rows() == scene.before
        scene.restore()


def _from(point: int, fault: str, proxy: Proxy, _: Request) -> str | None:
    return fault if len(proxy.requests) > point else None


def test_jobs_with_transient_failures_run_again_under_the_next_attempt(scene: Scene) -> None:
    injected: Counter[str] = Counter()

    def fault_for(request: Request) -> str | None:
        if request.kind != "insert" or not request.job_id.endswith(("-a1", "-a2")):
            return None
        reason = TRANSIENT_REASONS[injected.total() % len(TRANSIENT_REASONS)]
        injected[reason] += 1
        return f"job {reason}"

    scene.proxy.fault_for = fault_for
    assert scene.run() is None
    assert set(injected) == set(TRANSIENT_REASONS)
    assert scene.shop.published_without_run_id() == scene.expected
    submitted = [request.job_id for request in scene.proxy.requests if request.kind == "insert"]
    assert [job_id[-2:] for job_id in submitted] == ["a1", "a2", "a3"] * (len(submitted) // 3)
    assert len({job_id[:-3] for job_id in submitted}) == len(submitted) // 3


@pytest.mark.parametrize("reason", PERMANENT_REASONS)
def test_a_job_with_a_permanent_failure_does_not_run_again(reason: str, scene: Scene) -> None:
    scene.proxy.fault_for = lambda request: f"job {reason}" if request.sql.startswith("CREATE") else None
    error = scene.run()
    assert error is not None
    assert error.exit_code == (6 if reason == "bytesBilledLimitExceeded" else 4)
    assert len([sql for sql in scene.proxy.statements if sql.startswith("CREATE")]) == 1
    assert scene.shop.published_rows() == scene.before


@pytest.mark.parametrize("step", ["customers", "publish"])
def test_after_a_lost_response_the_runner_attaches_to_the_existing_job(step: str, scene: Scene) -> None:
    lost: list[str] = []

    def fault_for(request: Request) -> str | None:
        if request.kind != "insert" or f"-{step}-" not in request.job_id or request.job_id in lost:
            return None
        lost.append(request.job_id)
        return "reset after"

    scene.proxy.fault_for = fault_for
    assert scene.run() is None
    submitted = Counter(request.job_id for request in scene.proxy.requests if request.kind == "insert")
    assert [job_id for job_id, times in submitted.items() if times > 1] == lost
    assert lost[0].endswith(f"-{step}-a1")
    assert scene.shop.published_without_run_id() == scene.expected


def test_a_job_of_the_same_id_with_other_sql_is_not_touched(scene: Scene) -> None:
    def occupy_job_id(request: Request) -> None:
        if request.kind == "insert" and request.sql.startswith("CREATE"):
            job_state = scene.proxy._job_state(request)
            another = {**job_state["configuration"], "labels": {"rfm_sql": "another"}}
            scene.proxy.jobs[request.job_id] = {**job_state, "configuration": another, "failure": ""}

    scene.proxy.on_request = occupy_job_id
    error = scene.run()
    assert error is not None
    assert re.fullmatch(r"A job rfm-\S+-customers-a1 exists that this run did not submit\.", error.message)
    assert "cancel" not in {request.kind for request in scene.proxy.requests}
    assert scene.shop.published_rows() == scene.before


def test_the_run_after_a_failed_run_publishes_and_cleans_up(scene: Scene, rfm: Rfm) -> None:
    scene.proxy.fault_for = lambda request: "job resourcesExceeded" if "BEGIN" in request.sql else None
    error = scene.run()
    assert error is not None
    assert "too few resources to run publish" in error.message
    scene.proxy.reset()
    arguments = (scene.shop.source(), "--to", scene.shop.destination, "--as-of", "2024-03-01", "--json")
    outcome: Outcome = rfm("run", *arguments)
    assert outcome.code == 0, outcome.stderr
    assert scene.shop.published_without_run_id() == scene.expected
    assert scene.shop.tables() == sorted(["orders", *TABLES, *map(backup_name, TABLES)])
