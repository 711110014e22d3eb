"""Lease of a destination in BigQuery: an empty table with an expiry, which only one run at a time can create.

Creating a table is atomic, and BigQuery drops the table at its expiry, so the lease of a crashed run ends by
itself. A running process extends the expiry from a separate thread, which a long job does not delay.

A process can lose its lease while it is suspended, for example because the machine slept. Such a run can do
no harm afterwards: its publish fails if another run has published (`sql.publish.unchanged_sql`), and it
neither renews nor drops the lease of another run.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from rfm_pipeline.common.formatting import lower_first
from rfm_pipeline.config.destination_location import BigQueryDestinationLocation
from rfm_pipeline.config.engines import BigQuerySettings
from rfm_pipeline.errors import LockedError
from rfm_pipeline.warehouse.bigquery.errors import UNCHANGED, translate_bigquery_errors
from rfm_pipeline.warehouse.bigquery.job_options import label_value
from rfm_pipeline.warehouse.bigquery.jobs import JobRunner
from rfm_pipeline.warehouse.bigquery.statements import lease_name
from rfm_pipeline.warehouse.bigquery.tables import drop_table, find_table, table_reference

if TYPE_CHECKING:
    from google.cloud.bigquery import Table

_log = logging.getLogger(__name__)
_RELEASE_TIMEOUT_S = 10.0
_RENEWALS_PER_DURATION = 4


class Lease:
    """Exclusive right of one run to change a destination.

    Args:
        jobs: Job runner with the client.
        location: The destination.
        settings: Settings with the lease duration.
        run_id: Id of the run.
    """

    def __init__(
        self, jobs: JobRunner, location: BigQueryDestinationLocation, settings: BigQuerySettings, run_id: str
    ) -> None:
        self._jobs = jobs
        self._location = location
        self._duration = timedelta(seconds=settings.lease)
        self._run_id = run_id
        self._labels = {**settings.labels, "created_by": "rfm-pipeline", "rfm_run": label_value(run_id)}
        self._name = f"{location.project}.{location.dataset}.{lease_name(location.table)}"
        self._timeout = settings.request_timeout

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Acquire the lease, renew it in the background, and release it at the end.

        Raises:
            LockedError: If another run holds the lease.
        """
        self._acquire()
        released = threading.Event()
        renewal = threading.Thread(target=self._renew_until, args=(released,), name="lease", daemon=True)
        renewal.start()
        try:
            yield
        finally:
            released.set()
            renewal.join(self._timeout)
            with suppress(Exception):
                if self._is_own(find_table(self._jobs, self._name, timeout_s=_RELEASE_TIMEOUT_S)):
                    drop_table(self._jobs, self._name, timeout_s=_RELEASE_TIMEOUT_S)

    def _acquire(self) -> None:
        from google.api_core.exceptions import Conflict

        for is_last_attempt in (False, True):
            with translate_bigquery_errors(f"take the lease {self._name}"):
                try:
                    self._jobs.retry_policy.call(self._create_table, "take the lease")
                except Conflict:
                    pass
                else:
                    return
            existing = find_table(self._jobs, self._name)
            if existing is None:
                continue
            if self._is_own(existing):
                # An earlier attempt created the table, and its response was lost.
                return
            if is_last_attempt or existing.expires is None or existing.expires > datetime.now(UTC):
                raise self._held_error(existing)
            drop_table(self._jobs, self._name)

    def _is_own(self, existing: Table | None) -> bool:
        """Return whether this run has created the lease that exists."""
        if existing is None:
            return False
        is_labelled = (existing.labels or {}).get("rfm_run") == label_value(self._run_id)
        return is_labelled or self._run_id in (existing.description or "")

    def _create_table(self) -> Table:
        from google.cloud.bigquery import SchemaField, Table

        table = Table(table_reference(self._name), schema=[SchemaField("run_id", "STRING")])
        table.expires = datetime.now(UTC) + self._duration
        table.labels = self._labels
        table.description = (
            f"Held by the run {self._run_id} (process {os.getpid()} on {socket.gethostname()},"
            f" since {datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC)"
        )
        return self._jobs.client.create_table(
            table,
            retry=None,  # type: ignore[arg-type]
            timeout=self._timeout,
        )

    def _renew_until(self, released: threading.Event) -> None:
        from google.cloud.bigquery import Table

        while not released.wait(self._duration.total_seconds() / _RENEWALS_PER_DURATION):
            table = Table(table_reference(self._name))
            table.expires = datetime.now(UTC) + self._duration
            try:
                if not self._is_own(find_table(self._jobs, self._name)):
                    _log.info("the lease expired, and another run may have taken it")
                    return
                self._jobs.client.update_table(
                    table,
                    ["expires"],
                    retry=None,  # type: ignore[arg-type]
                    timeout=self._timeout,
                )
            except Exception as error:  # noqa: BLE001 - later renewals come before the expiry
                _log.info("the lease could not be renewed: %s", error)

    def _held_error(self, existing: Table) -> LockedError:
        expires = existing.expires
        expiry = f", and until {expires:%H:%M:%S} UTC unless it is renewed" if expires else ""
        holder = lower_first(existing.description or "Held by another run")
        label = f"bigquery://{self._location.project}.{self._location.dataset}.{self._location.table}"
        return LockedError(f"{label} is {holder}{expiry}.", f"wait for it to end, or stop it; {UNCHANGED}")
