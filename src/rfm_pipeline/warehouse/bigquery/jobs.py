"""Running jobs on BigQuery so that each ends: done once, failed for good, or cancelled.

Three kinds of trouble are told apart, because each has a remedy of its own:

- A **request** fails on its way: it is sent again. Whether the first one arrived does not matter, because we
  gave the job its id: BigQuery answers 409 to the second, and we attach to the job that is there, once the
  label with the hash of its text says that it is ours.
- A **job** fails although its statement is right (`bigquery_retry.py` has the matrix): it runs again
  under the next attempt's id, and only once its state is DONE. Every statement that comes here may run twice.
- We are **stopped**, or wait for too long: the job is cancelled. Its id was noted before it was submitted, so
  that there is no moment in which it could be forgotten.
"""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any, TypeVar

from msgspec import Struct, field

from rfm_pipeline.common.cancellation import raise_if_cancelled
from rfm_pipeline.errors import RfmError, WarehouseError
from rfm_pipeline.warehouse.base import Progress
from rfm_pipeline.warehouse.bigquery.errors import explanation, failed_job
from rfm_pipeline.warehouse.bigquery.retry import (
    Clock,
    RetryDecision,
    RetryPolicy,
    UnreachableError,
    decision_for,
    is_transient,
)

if TYPE_CHECKING:
    from google.cloud.bigquery import Client, LoadJobConfig, QueryJobConfig, SchemaField

T = TypeVar("T")
_log = logging.getLogger(__name__)


_NOT_IN_A_LABEL = re.compile(r"[^a-z0-9_-]")
_CANCEL_SECONDS = 10.0


class Limits(Struct, frozen=True):
    """How long things may take, in seconds, and how much a query may read.

    Attributes:
        job: From the submission of a job to its end.
        retry: From the first failure of a request, or of a job, to the last time that it is tried again.
        request: From a request to its answer.
        bytes_billed: The most that one query may be billed for.
    """

    job: float
    retry: float
    request: float
    bytes_billed: int


class Spent(Struct):
    """What the jobs of a run took so far."""

    bytes_processed: int = 0
    bytes_billed: int = 0
    slot_ms: int = 0
    jobs: list[str] = field(default_factory=list)


class DryRun(Struct, frozen=True):
    """What BigQuery says of a query that does not run: the bytes it would read, its columns."""

    bytes_processed: int
    schema: tuple[SchemaField, ...]


class JobRunner:
    """Runs the jobs of one run.

    Args:
        client: Google's client; its project is the one that the jobs run in and that is billed.
        run_id: The run's id, which every job's id and labels carry.
        location: Where the jobs run, such as `EU`; None until it is known.
        limits: How long and how much.
        clock: Time and chance.
    """

    def __init__(
        self, client: Client, run_id: str, location: str | None, limits: Limits, clock: Clock | None = None
    ) -> None:
        self.client = client
        self.location = location
        self.spent = Spent()
        self._run_id = run_id
        self._limits = limits
        self._clock = clock or Clock()
        self.patience = RetryPolicy(limits.retry, self._clock)

    def query(self, step: str, sql: str, progress: Progress | None = None, *, commits: bool = False) -> Any:
        """Runs one statement, or one script, to its end.

        Args:
            step: What it is for; unique within the run.
            sql: Its text. Running it twice must be as good as running it once.
            progress: Told the share that is done.
            commits: Whether it publishes: a stop signal that comes after the commit can't undo it, so that a
                job which is found done is a job well done.

        Returns:
            The finished job, as Google's client has it.

        Raises:
            RfmError: It failed for good, took too long, or BigQuery could not be reached.
            KeyboardInterrupt: We were stopped; the job was cancelled.
        """
        labels = self._labels(step, sql)

        def submit(job_id: str) -> Any:
            return self.client.query(
                sql,
                job_id=job_id,
                job_config=self._query_config(labels),
                location=self.location,
                timeout=self._limits.request,
                retry=None,  # type: ignore[arg-type]
                job_retry=None,
            )

        return self._run(step, submit, labels, progress, commits=commits)

    def load(self, step: str, text: str, submit: Callable[[str, LoadJobConfig], Any]) -> Any:
        """Runs one load job to its end.

        Args:
            step: What it is for; unique within the run.
            text: What tells this load from any other, for its label.
            submit: Sends it, under the id and with the configuration that it is given.

        Raises:
            RfmError: As for `query`.
            KeyboardInterrupt: As for `query`.
        """
        from google.cloud.bigquery import LoadJobConfig

        labels = self._labels(step, text)
        config = LoadJobConfig(labels=labels, job_timeout_ms=int(self._limits.job * 1000))
        return self._run(step, lambda job_id: submit(job_id, config), labels, None, commits=False)

    def dry_run(self, sql: str, step: str = "dry-run") -> DryRun:
        """Asks what a query would read and give; nothing runs, and nothing is billed.

        Raises:
            google.api_core.exceptions.GoogleAPICallError: BigQuery objects to it.
            UnreachableError: BigQuery could not be reached.
        """
        from google.cloud.bigquery import QueryJobConfig

        # An answer from the cache would read nothing, and the run would not have it.
        config = QueryJobConfig(dry_run=True, use_query_cache=False, labels=self._labels(step, sql))

        def submit() -> Any:
            return self.client.query(
                sql,
                job_config=config,
                location=self.location,
                timeout=self._limits.request,
                retry=None,  # type: ignore[arg-type]
                job_retry=None,
            )

        job = self.patience.ask(submit, "estimate the cost")
        return DryRun(job.total_bytes_processed or 0, tuple(job.schema or ()))

    def rows(self, job: Any) -> list[dict[str, Any]]:
        """The rows of a finished query."""

        def fetch() -> list[dict[str, Any]]:
            found = job.result(retry=None, job_retry=None, timeout=self._limits.request)
            return [dict(row.items()) for row in found]

        with explanation("read the result of a query"):
            return self.patience.ask(fetch, "read the result of a query")

    def pages(self, job: Any, size: int = 20_000) -> Iterator[list[dict[str, Any]]]:
        """The rows of a finished query, some at a time: what fails is fetched again from where it failed."""

        def fetch(start: int) -> list[dict[str, Any]]:
            found = job.result(
                start_index=start, max_results=size, retry=None, job_retry=None, timeout=self._limits.request
            )
            return [dict(row.items()) for row in found]

        start = 0
        while True:
            with explanation("read the result"):
                page = self.patience.ask(partial(fetch, start), "read the result")
            if page:
                yield page
            start += len(page)
            if len(page) < size:
                return

    # One job

    def _run(
        self,
        step: str,
        submit: Callable[[str], Any],
        labels: Mapping[str, str],
        progress: Progress | None,
        *,
        commits: bool,
    ) -> Any:
        deadline: float | None = None
        for attempt in count(1):
            job_id = f"rfm-{self._run_id}-{step}-a{attempt}"
            self.spent.jobs.append(job_id)
            job = self._attempt(job_id, step, submit, labels, progress, commits=commits)
            failure = job.error_result
            if not failure:
                return job
            if decision_for(failure.get("reason", "")) is not RetryDecision.RETRY:
                raise failed_job(failure, step, self.link(job_id))
            deadline = deadline or self._clock.now() + self._limits.retry
            self.patience.pause(
                attempt - 1, deadline, failed_job(failure, step, self.link(job_id)), f"run {step}"
            )
        raise AssertionError  # `count` has no end

    def _attempt(
        self,
        job_id: str,
        step: str,
        submit: Callable[[str], Any],
        labels: Mapping[str, str],
        progress: Progress | None,
        *,
        commits: bool,
    ) -> Any:
        job = {"event": "job", "job": step, "job_id": job_id, "link": self.link(job_id)}
        _log.info("%s %s", step, job["link"], extra={"fields": job})
        may_be_there = True
        try:
            with explanation(f"run {step}", self.link(job_id)):
                try:
                    job = self.patience.ask(lambda: self._submitted(job_id, submit, labels), f"submit {step}")
                except Exception as error:
                    # An answer that stays means that there is no job; silence, that there may be one.
                    may_be_there = isinstance(error, UnreachableError)
                    raise
                job = self._finished(job, step, progress)
        except BaseException as error:
            ended = self._cancelled(job_id) if may_be_there else None
            if ended is None and commits and may_be_there:
                raise _uncertain(error) from error
            if ended is None or not commits or not _succeeded(ended):
                raise
            _log.info("%s had been done when it was to be stopped (%s)", step, type(error).__name__)
            job = ended
        self._add(job)
        return job

    def _submitted(self, job_id: str, submit: Callable[[str], Any], labels: Mapping[str, str]) -> Any:
        from google.api_core.exceptions import Conflict, NotFound

        try:
            return submit(job_id)
        except Conflict:
            # It had arrived before, and only its answer was lost. BigQuery may take a moment to find it.
            job = self.patience.ask(lambda: self._job(job_id), f"look at the job {job_id}", NotFound)
        if (job.labels or {}).get("rfm_sql") != labels["rfm_sql"]:
            raise WarehouseError(
                f"There is a job {job_id} that is not this run's.",
                "run again: the next run has an id of its own.",
            )
        return job

    def _finished(self, job: Any, step: str, progress: Progress | None) -> Any:
        deadline = self._clock.now() + self._limits.job
        pause = 0.1
        while job.state != "DONE":
            if self._clock.now() > deadline:
                raise WarehouseError(
                    f"BigQuery was still running {step} after {self._limits.job:,.0f} seconds; it was"
                    " cancelled.",
                    f"raise bigquery.job_timeout, or look at the job: {self.link(job.job_id)}",
                )
            self._clock.sleep(pause)
            raise_if_cancelled()
            pause = min(pause * 1.5, 5.0)
            job = self.patience.ask(partial(self._job, job.job_id), f"look at {step}")
            if progress and (share := _share(job)) is not None:
                progress(share)
        return job

    def _job(self, job_id: str) -> Any:
        return self.client.get_job(
            job_id,
            location=self.location,
            timeout=self._limits.request,
            retry=None,  # type: ignore[arg-type]
        )

    def _cancelled(self, job_id: str) -> Any:
        """Cancels a job, and waits for its end, but not for long; None where that was not seen."""
        patience = self._clock.now() + min(_CANCEL_SECONDS, self._limits.retry)
        for pause in (0.1 * 1.5**turn for turn in count()):
            try:
                self.client.cancel_job(
                    job_id,
                    location=self.location,
                    timeout=min(_CANCEL_SECONDS, self._limits.request),
                    retry=None,  # type: ignore[arg-type]
                )
                job = self._job(job_id)
                if job.state == "DONE":
                    return job
            except Exception as error:  # noqa: BLE001 - what made us stop is what is to be told
                if not is_transient(error):
                    return None
            if self._clock.now() + pause > patience:
                return None
            self._clock.sleep(pause)
        return None

    # What goes with a job

    @property
    def request_timeout(self) -> float:
        """Seconds to wait for the answer to one request."""
        return self._limits.request

    def link(self, job_id: str) -> str:
        """Where a person sees the job in the console."""
        place = f"{self.location}:" if self.location else ""
        return (
            f"https://console.cloud.google.com/bigquery?project={self.client.project}"
            f"&j=bq:{place}{job_id}&page=queryresults"
        )

    def _query_config(self, labels: dict[str, str]) -> QueryJobConfig:
        from google.cloud.bigquery import QueryJobConfig

        return QueryJobConfig(
            labels=labels,
            maximum_bytes_billed=self._limits.bytes_billed,
            job_timeout_ms=int(self._limits.job * 1000),
        )

    def _labels(self, step: str, text: str) -> dict[str, str]:
        return {
            "rfm_run": label_value(self._run_id),
            "rfm_step": label_value(step),
            "rfm_sql": hashlib.sha256(text.encode()).hexdigest()[:32],
        }

    def _add(self, job: Any) -> None:
        # A load job has no bytes of this kind.
        self.spent.bytes_processed += getattr(job, "total_bytes_processed", None) or 0
        self.spent.bytes_billed += getattr(job, "total_bytes_billed", None) or 0
        self.spent.slot_ms += getattr(job, "slot_millis", None) or 0


def label_value(text: str) -> str:
    """A text as BigQuery takes it for a label: lower-case letters, digits, `_` and `-`, 63 at most.

    >>> label_value("20251231T060000-1f9c3a")
    '20251231t060000-1f9c3a'
    """
    return _NOT_IN_A_LABEL.sub("_", text.casefold())[:63]


def _uncertain(error: BaseException) -> BaseException:
    """What to say where a change was sent, and then nothing was heard of it any more."""
    unknown = "whether the result was published could not be found out"
    if isinstance(error, RfmError):
        return WarehouseError(
            f"{error.message.rstrip('.')}, and {unknown}.",
            "`rfm runs` tells once BigQuery answers; to run again does no harm.",
        )
    if isinstance(error, KeyboardInterrupt):
        return KeyboardInterrupt(f"Stopped, and {unknown}: `rfm runs` tells.")
    return error


def _succeeded(job: Any) -> bool:
    return job.state == "DONE" and not job.error_result


def _share(job: Any) -> float | None:
    timeline = getattr(job, "timeline", None)
    if not timeline:
        return None
    last = timeline[-1]
    done = last.completed_units or 0
    every = done + (last.active_units or 0) + (last.pending_units or 0)
    return done / every if every else None
