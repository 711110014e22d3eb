"""Execution of BigQuery jobs such that each one ends: it succeeds once, fails for good, or is cancelled.

- A **request** that fails on its way is sent again. Job ids are generated here, so BigQuery responds with 409
  if an earlier request had arrived; the runner then attaches to that job, after comparing its label with the
  hash of the SQL.
- A **job** that fails with a transient reason (see `warehouse.bigquery.retry`) runs again under the id of the
  next attempt, once its state is DONE. Every statement must therefore be idempotent.
- On a **signal or timeout** the job is cancelled. Its id is recorded before the job is submitted, so that a
  signal at any moment finds it.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from rfm_pipeline.common.cancellation import raise_if_cancelled
from rfm_pipeline.errors import RfmError, WarehouseError
from rfm_pipeline.results.statistics import Usage
from rfm_pipeline.warehouse.base import Progress
from rfm_pipeline.warehouse.bigquery.errors import job_error, translate_bigquery_errors
from rfm_pipeline.warehouse.bigquery.job_options import DryRun, JobOptions, label_value
from rfm_pipeline.warehouse.bigquery.retry import (
    Clock,
    RetryDecision,
    RetryPolicy,
    UnreachableError,
    decision_for,
    is_transient,
)

if TYPE_CHECKING:
    from google.cloud.bigquery import Client, LoadJobConfig

_log = logging.getLogger(__name__)

_CANCEL_TIMEOUT_S = 10.0


class JobRunner:
    """Executes the jobs of one run.

    Attributes:
        client: Google's client.
        location: Location of the jobs, such as `EU`; None until it is known.
        usage: Resources that the jobs have used so far.
        retry_policy: Retry policy for all requests.

    Args:
        client: Google's client; its project is billed for the jobs.
        run_id: Id of the run, part of every job's id and labels.
        location: As the attribute.
        options: Limits, labels and other options of the jobs.
        clock: Time source and jitter; None for the real ones.
    """

    def __init__(
        self,
        client: Client,
        run_id: str,
        location: str | None,
        options: JobOptions,
        clock: Clock | None = None,
    ) -> None:
        self.client = client
        self.location = location
        self.usage = Usage(bytes_processed=0, bytes_billed=0, slot_ms=0)
        self._run_id = run_id
        self._options = options
        self._limits = options.limits
        self._clock = clock or Clock()
        self.retry_policy = RetryPolicy(options.limits.retry, self._clock)

    def query(self, step: str, sql: str, progress: Progress | None = None, *, commits: bool = False) -> Any:
        """Execute one statement or script, and wait for its end.

        Args:
            step: Name of the step in the job's id; unique within the run.
            sql: The statement; must be idempotent.
            progress: Receives the completed share.
            commits: Whether the job publishes. If such a job has succeeded when it is to be cancelled, it
                counts as a success, because a commit can't be undone.

        Returns:
            Google's job object, with state DONE.

        Raises:
            RfmError: If the job failed for good, exceeded its time, or BigQuery could not be reached.
            KeyboardInterrupt: If a signal was received; the job is then cancelled.
        """
        labels = self._labels(step, sql)

        def submit(job_id: str) -> Any:
            return self.client.query(
                sql,
                job_id=job_id,
                job_config=self._options.query_config(labels),
                location=self.location,
                timeout=self._limits.request,
                retry=None,  # type: ignore[arg-type]
                job_retry=None,
            )

        return self._run(step, submit, labels, progress, commits=commits)

    def load(self, step: str, text: str, submit: Callable[[str, LoadJobConfig], Any]) -> Any:
        """Execute one load job, and wait for its end.

        Args:
            step: Name of the step in the job's id; unique within the run.
            text: Text that identifies the load; its hash becomes a label, as for a statement.
            submit: Submits the job, given its id and configuration.

        Raises:
            RfmError: As for `query`.
            KeyboardInterrupt: As for `query`.
        """
        labels = self._labels(step, text)
        config = self._options.load_config(labels)
        return self._run(step, lambda job_id: submit(job_id, config), labels, None, commits=False)

    def dry_run(self, sql: str, step: str = "dry-run") -> DryRun:
        """Validate a query and estimate the bytes it reads; nothing is executed or billed.

        Raises:
            google.api_core.exceptions.GoogleAPICallError: If BigQuery rejects the query.
            UnreachableError: If BigQuery could not be reached.
        """
        config = self._options.dry_run_config(self._labels(step, sql))

        def submit() -> Any:
            return self.client.query(
                sql,
                job_config=config,
                location=self.location,
                timeout=self._limits.request,
                retry=None,  # type: ignore[arg-type]
                job_retry=None,
            )

        job = self.retry_policy.call(submit, "estimate the cost")
        return DryRun.of(job)

    def rows(self, job: Any) -> list[dict[str, Any]]:
        """Return all rows of a finished query."""

        def fetch() -> list[dict[str, Any]]:
            rows = job.result(retry=None, job_retry=None, timeout=self._limits.request)
            return [dict(row.items()) for row in rows]

        with translate_bigquery_errors("read the result of a query"):
            return self.retry_policy.call(fetch, "read the result of a query")

    def pages(self, job: Any, size: int = 20_000) -> Iterator[list[dict[str, Any]]]:
        """Yield the rows of a finished query in pages of `size` rows; a page that fails is fetched again."""

        def fetch(start: int) -> list[dict[str, Any]]:
            rows = job.result(
                start_index=start, max_results=size, retry=None, job_retry=None, timeout=self._limits.request
            )
            return [dict(row.items()) for row in rows]

        start = 0
        while True:
            with translate_bigquery_errors("read the result"):
                page = self.retry_policy.call(partial(fetch, start), "read the result")
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
            self.usage = replace(self.usage, jobs=(*self.usage.jobs, job_id))
            job = self._run_attempt(job_id, step, submit, labels, progress, commits=commits)
            failure = job.error_result
            if not failure:
                return job
            if decision_for(failure.get("reason", "")) is not RetryDecision.RETRY:
                raise job_error(failure, step, self.link(job_id))
            deadline = deadline or self._clock.now() + self._limits.retry
            self.retry_policy.wait_before_retry(
                attempt - 1, deadline, job_error(failure, step, self.link(job_id)), f"run {step}"
            )
        raise AssertionError  # `count` has no end

    def _run_attempt(
        self,
        job_id: str,
        step: str,
        submit: Callable[[str], Any],
        labels: Mapping[str, str],
        progress: Progress | None,
        *,
        commits: bool,
    ) -> Any:
        fields = {"event": "job", "job": step, "job_id": job_id, "link": self.link(job_id)}
        _log.info("%s %s", step, fields["link"], extra={"fields": fields})
        may_exist = True
        try:
            with translate_bigquery_errors(f"run {step}", self.link(job_id)):
                try:
                    job = self.retry_policy.call(
                        lambda: self._submit_or_attach(job_id, submit, labels), f"submit {step}"
                    )
                except Exception as error:
                    # After an error response there is no job; without any response, there may be one.
                    may_exist = isinstance(error, UnreachableError)
                    raise
                job = self._wait_until_done(job, step, progress)
        except BaseException as error:
            cancelled = self._cancel(job_id) if may_exist else None
            if cancelled is None and commits and may_exist:
                raise _unknown_outcome_error(error) from error
            if cancelled is None or not commits or not _succeeded(cancelled):
                raise
            _log.info("%s had succeeded before it was to be cancelled (%s)", step, type(error).__name__)
            job = cancelled
        self._add_usage(job)
        return job

    def _submit_or_attach(self, job_id: str, submit: Callable[[str], Any], labels: Mapping[str, str]) -> Any:
        from google.api_core.exceptions import Conflict, NotFound

        try:
            return submit(job_id)
        except Conflict:
            # An earlier request had arrived, and its response was lost. The job may not be visible at once.
            job = self.retry_policy.call(lambda: self._get_job(job_id), f"read the job {job_id}", NotFound)
        if (job.labels or {}).get("rfm_sql") != labels["rfm_sql"]:
            raise WarehouseError(
                f"A job {job_id} exists that this run did not submit.",
                "run again: the next run has another id.",
            )
        return job

    def _wait_until_done(self, job: Any, step: str, progress: Progress | None) -> Any:
        deadline = self._clock.now() + self._limits.job
        pause = 0.1
        while job.state != "DONE":
            if self._clock.now() > deadline:
                raise WarehouseError(
                    f"BigQuery was still running {step} after {self._limits.job:,.0f} seconds; the job was"
                    " cancelled.",
                    f"raise bigquery.job_timeout, or look at the job: {self.link(job.job_id)}",
                )
            self._clock.sleep(pause)
            raise_if_cancelled()
            pause = min(pause * 1.5, 5.0)
            job = self.retry_policy.call(partial(self._get_job, job.job_id), f"read the state of {step}")
            if progress and (share := _completed_share(job)) is not None:
                progress(share)
        return job

    def _get_job(self, job_id: str) -> Any:
        return self.client.get_job(
            job_id,
            location=self.location,
            timeout=self._limits.request,
            retry=None,  # type: ignore[arg-type]
        )

    def _cancel(self, job_id: str) -> Any:
        """Cancel a job, wait briefly for its end, and return it; None if it was not seen to end."""
        deadline = self._clock.now() + min(_CANCEL_TIMEOUT_S, self._limits.retry)
        for pause in (0.1 * 1.5**attempt for attempt in count()):
            try:
                self.client.cancel_job(
                    job_id,
                    location=self.location,
                    timeout=min(_CANCEL_TIMEOUT_S, self._limits.request),
                    retry=None,  # type: ignore[arg-type]
                )
                job = self._get_job(job_id)
                if job.state == "DONE":
                    return job
            except Exception as error:  # noqa: BLE001 - the caller raises the reason of the cancellation
                if not is_transient(error):
                    return None
            if self._clock.now() + pause > deadline:
                return None
            self._clock.sleep(pause)
        return None

    # Attributes of jobs

    @property
    def request_timeout(self) -> float:
        """Seconds to wait for the response to one request."""
        return self._limits.request

    def link(self, job_id: str) -> str:
        """Return the URL of a job in the Google Cloud console."""
        location = f"{self.location}:" if self.location else ""
        return (
            f"https://console.cloud.google.com/bigquery?project={self.client.project}"
            f"&j=bq:{location}{job_id}&page=queryresults"
        )

    def _labels(self, step: str, text: str) -> dict[str, str]:
        return {
            "rfm_run": label_value(self._run_id),
            "rfm_step": label_value(step),
            "rfm_sql": hashlib.sha256(text.encode()).hexdigest()[:32],
        }

    def _add_usage(self, job: Any) -> None:
        usage = self.usage
        # Load jobs have none of these attributes.
        self.usage = replace(
            usage,
            bytes_processed=(usage.bytes_processed or 0) + (getattr(job, "total_bytes_processed", None) or 0),
            bytes_billed=(usage.bytes_billed or 0) + (getattr(job, "total_bytes_billed", None) or 0),
            slot_ms=(usage.slot_ms or 0) + (getattr(job, "slot_millis", None) or 0),
        )


def _unknown_outcome_error(error: BaseException) -> BaseException:
    """Return the error for a publishing job that was submitted and whose end was not seen."""
    unknown = "it is unknown whether the result was published"
    if isinstance(error, RfmError):
        return WarehouseError(
            f"{error.message.rstrip('.')}, and {unknown}.",
            "`rfm runs` shows it once BigQuery responds; running again does no harm.",
        )
    if isinstance(error, KeyboardInterrupt):
        return KeyboardInterrupt(f"Stopped, and {unknown}: `rfm runs` shows it.")
    return error


def _succeeded(job: Any) -> bool:
    return job.state == "DONE" and not job.error_result


def _completed_share(job: Any) -> float | None:
    timeline = getattr(job, "timeline", None)
    if not timeline:
        return None
    last = timeline[-1]
    done = last.completed_units or 0
    total = done + (last.active_units or 0) + (last.pending_units or 0)
    return done / total if total else None
