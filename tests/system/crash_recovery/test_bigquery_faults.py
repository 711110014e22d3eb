"""Each request of a run in turn, and each fault that can befall it: the run recovers, or ends well.

RFM_EVERY_FAULT=1 tries each with each, and writes how each ended into build/faults.tsv; without it they
take turns, so that every request still meets a fault, or every other, and every fault a request.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from random import Random

import pytest

from rfm_pipeline.errors import RfmError
from support.bigquery_faults import TABLES, Scene, kept, torn
from support.bigquery_proxy import BROKEN, FAULTS, TERMINAL, TRANSIENT, Proxy, Request
from support.cli import Outcome, Rfm
from support.paths import ROOT

pytestmark = pytest.mark.xdist_group("bigquery")

EVERY = bool(os.environ.get("RFM_EVERY_FAULT"))
RECORD = ROOT / "build" / "faults.tsv"
PASSING = {*BROKEN, *(f"job {reason}" for reason in TRANSIENT)} - {"409"}
"""What passes: a run that meets it once must succeed."""
OF_JOBS = [fault for fault in FAULTS if fault.startswith("job ")]


def at(point: int, fault: str, proxy: Proxy) -> Callable[[Request], str | None]:
    """Lets a fault befall the request of that number, and no other."""
    proxy.forget()
    return lambda _: fault if len(proxy.requests) == point + 1 else None


def cases(requests: list[Request]) -> Iterator[tuple[int, str]]:
    of_jobs = [point for point, request in enumerate(requests) if request.kind in {"insert", "dry-run"}]
    for point, _ in enumerate(requests):
        for turn, fault in enumerate(BROKEN):
            if EVERY or (turn + point) % (2 * len(BROKEN)) == 0:
                yield point, fault
    for place, point in enumerate(of_jobs):
        for turn, fault in enumerate(OF_JOBS):
            if EVERY or turn % len(of_jobs) == place:
                yield point, fault


def test_a_fault_at_any_request_of_a_run_leaves_a_whole_result(
    scene: Scene, record_property: Callable[[str, object], None]
) -> None:
    ended: Counter[str] = Counter()
    wrong: list[str] = []
    tried = list(cases(scene.requests))
    # A record that is broken off is a sample, and not a beginning.
    Random(0).shuffle(tried)
    for point, fault in tried:
        request = scene.requests[point]
        scene.proxy.act = at(point, fault, scene.proxy)
        error = scene.run(request_timeout=2.5 if "hang" in fault else 30)
        where = f"{fault} at request {point}, {request.kind} {request.sql[:40]!r}: {error}"
        how = "succeeded" if error is None else f"exit {error.exit_code}"
        ended[how] += 1
        found = [f"{where}: {what}" for what in faults_of(scene, request, fault, error)]
        wrong += found
        if EVERY:
            with RECORD.open("a", encoding="utf-8") as record:
                record.write(f"{fault}\t{point}\t{request.kind}\t{how}\t{'; '.join(found)}\n")
        scene.restore()
    told = f"{len(scene.requests)} requests of a run, {len(tried)} faults: {dict(sorted(ended.items()))}"
    record_property("faults", told)
    assert wrong == []
    assert {fault for _, fault in tried} == set(FAULTS)


def faults_of(scene: Scene, request: Request, fault: str, error: RfmError | None) -> Iterator[str]:
    """What is wrong with the state that a run left behind."""
    rows = scene.shop.published()
    is_new = [row[:-1] for row in rows] == scene.expected
    if error is None:
        if not is_new:
            yield "it succeeded, and did not publish"
        if len({row[-1] for row in rows}) != 1:
            yield "rows of several runs"
    else:
        if error.exit_code not in {4, 6}:
            yield f"exit {error.exit_code}"
        if not re.fullmatch(r"[^\n]+[.!?…]", error.message) or not error.hint:
            yield f"not a sentence and a hint: {error.message!r}, {error.hint!r}"
        if rows != scene.before:
            yield "it failed, and the result is another"
    yield from torn(scene, rows, is_new=is_new)
    if fault in PASSING and error is not None:
        yield "it failed, and it would have passed"
    if fault.removeprefix("job ") in TERMINAL and request.kind == "insert" and error is None:
        yield "it succeeded, and it could not"
    if fault == "job bytesBilledLimitExceeded" and error is not None and error.exit_code != 6:
        yield f"exit {error.exit_code}"
    left = [name for name in scene.shop.tables() if "__" in name]
    if left and request.kind != "drop":
        yield f"left behind: {left}"
    staged = [sql for sql in scene.proxy.statements if sql.startswith("CREATE OR REPLACE TABLE")]
    if not all("expiration_timestamp" in sql for sql in staged):
        yield "staged without an expiry"
    reads = [sql for sql in scene.proxy.statements if scene.shop.name("orders") in sql]
    if not fault.startswith("job ") and len({job_of(scene, sql) for sql in reads}) > 1:
        yield "the source was read twice"


def job_of(scene: Scene, sql: str) -> str:
    return next(request.job_id for request in scene.proxy.requests if request.sql == sql)


@pytest.mark.parametrize("fault", [fault for fault in BROKEN if fault != "409"])
def test_what_never_passes_ends_in_time(fault: str, scene: Scene) -> None:
    """From some request on, nothing is answered any more."""
    proxy = scene.proxy
    for point in (0,) if "hang" in fault else (0, len(scene.requests) // 2):
        proxy.forget()
        proxy.act = partial(_from, point, fault, proxy)
        error = scene.run(request_timeout=0.3 if "hang" in fault else 30, retry_timeout=4)
        assert error is not None
        assert error.exit_code == 4
        assert error.message.startswith("BigQuery could not be reached to ")
        assert error.hint
        assert len(proxy.requests) < point + 30
        scene.proxy.act = lambda _: None
        assert scene.shop.published() == scene.before
        scene.restore()


def _from(point: int, fault: str, proxy: Proxy, _: Request) -> str | None:
    return fault if len(proxy.requests) > point else None


def test_jobs_that_fail_for_passing_reasons_run_again_under_the_next_attempt(scene: Scene) -> None:
    given: Counter[str] = Counter()

    def act(request: Request) -> str | None:
        if request.kind != "insert" or not request.job_id.endswith(("-a1", "-a2")):
            return None
        reason = TRANSIENT[given.total() % len(TRANSIENT)]
        given[reason] += 1
        return f"job {reason}"

    scene.proxy.act = act
    assert scene.run() is None
    assert set(given) == set(TRANSIENT)
    assert scene.shop.without_run_id() == scene.expected
    submitted = [request.job_id for request in scene.proxy.requests if request.kind == "insert"]
    assert [job_id[-2:] for job_id in submitted] == ["a1", "a2", "a3"] * (len(submitted) // 3)
    assert len({job_id[:-3] for job_id in submitted}) == len(submitted) // 3


@pytest.mark.parametrize("reason", TERMINAL)
def test_a_job_that_fails_for_good_is_not_run_again(reason: str, scene: Scene) -> None:
    scene.proxy.act = lambda request: f"job {reason}" if request.sql.startswith("CREATE") else None
    error = scene.run()
    assert error is not None
    assert error.exit_code == (6 if reason == "bytesBilledLimitExceeded" else 4)
    assert len([sql for sql in scene.proxy.statements if sql.startswith("CREATE")]) == 1
    assert scene.shop.published() == scene.before


@pytest.mark.parametrize("step", ["customers", "publish"])
def test_a_lost_answer_attaches_to_the_job_that_is_there(step: str, scene: Scene) -> None:
    lost: list[str] = []

    def act(request: Request) -> str | None:
        if request.kind != "insert" or f"-{step}-" not in request.job_id or request.job_id in lost:
            return None
        lost.append(request.job_id)
        return "reset after"

    scene.proxy.act = act
    assert scene.run() is None
    submitted = Counter(request.job_id for request in scene.proxy.requests if request.kind == "insert")
    assert [job_id for job_id, times in submitted.items() if times > 1] == lost
    assert lost[0].endswith(f"-{step}-a1")
    assert scene.shop.without_run_id() == scene.expected


def test_a_job_of_the_same_name_that_is_not_ours_is_left_alone(scene: Scene) -> None:
    def take(request: Request) -> None:
        if request.kind == "insert" and request.sql.startswith("CREATE"):
            known = scene.proxy._known(request)
            another = {**known["configuration"], "labels": {"rfm_sql": "another"}}
            scene.proxy.jobs[request.job_id] = {**known, "configuration": another, "failure": ""}

    scene.proxy.seen = take
    error = scene.run()
    assert error is not None
    assert re.fullmatch(r"There is a job rfm-\S+-customers-a1 that is not this run's\.", error.message)
    assert "cancel" not in {request.kind for request in scene.proxy.requests}
    assert scene.shop.published() == scene.before


def test_a_run_after_one_that_failed_is_clean(scene: Scene, rfm: Rfm) -> None:
    scene.proxy.act = lambda request: "job resourcesExceeded" if "BEGIN" in request.sql else None
    error = scene.run()
    assert error is not None
    assert "too few resources to run publish" in error.message
    scene.proxy.forget()
    arguments = (scene.shop.source(), "--to", scene.shop.destination, "--as-of", "2024-03-01", "--json")
    ended: Outcome = rfm("run", *arguments)
    assert ended.code == 0, ended.stderr
    assert scene.shop.without_run_id() == scene.expected
    assert scene.shop.tables() == sorted(["orders", *TABLES, *map(kept, TABLES)])
