"""The lease of a destination in BigQuery: an empty table that one run at a time can make.

That a table is made is atomic, and BigQuery drops it by itself once its time is up: a run that died holds
nothing for long. Whoever lives puts the end off, from a thread of its own, so that no long job delays it.

A run that was taken for dead and was not, because its machine slept, say, can do no harm: who takes its lease
drops its staged tables (`DestinationDataset.sweep`), and a publish that finds none changes nothing.
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

from rfm_pipeline.config.destination_location import BigQueryDestinationLocation
from rfm_pipeline.config.engines import BigQuerySettings
from rfm_pipeline.errors import LockedError
from rfm_pipeline.warehouse.bigquery.errors import explanation
from rfm_pipeline.warehouse.bigquery.jobs import JobRunner, label_value
from rfm_pipeline.warehouse.bigquery.load import drop, find, reference

if TYPE_CHECKING:
    from google.cloud.bigquery import Table

_log = logging.getLogger(__name__)
_RELEASING_SECONDS = 10.0


class Lease:
    """The right to change a destination.

    Args:
        jobs: How BigQuery is asked.
        place: The destination.
        settings: How long a lease lasts that nobody puts off.
        run_id: Who is to hold it.
    """

    def __init__(
        self, jobs: JobRunner, place: BigQueryDestinationLocation, settings: BigQuerySettings, run_id: str
    ) -> None:
        self._jobs = jobs
        self._place = place
        self._lasts = timedelta(seconds=settings.lease)
        self._run_id = run_id
        self._name = f"{place.project}.{place.dataset}.{place.table}__lease"
        self._timeout = settings.request_timeout

    @contextmanager
    def held(self) -> Iterator[None]:
        """Holds the lease, and lets go of it at the end.

        Raises:
            LockedError: Another run holds it.
        """
        self._take()
        ended = threading.Event()
        renewing = threading.Thread(target=self._renew, args=(ended,), name="lease", daemon=True)
        renewing.start()
        try:
            yield
        finally:
            ended.set()
            renewing.join(self._timeout)
            with suppress(Exception):
                drop(self._jobs, self._name, within=_RELEASING_SECONDS)

    def _take(self) -> None:
        from google.api_core.exceptions import Conflict

        for is_last in (False, True):
            with explanation(f"take the lease {self._name}"):
                try:
                    self._jobs.patience.ask(self._make, "take the lease")
                except Conflict:
                    pass
                else:
                    return
            holder = find(self._jobs, self._name)
            if holder is None:
                continue
            if (holder.labels or {}).get("rfm_run") == label_value(self._run_id) or (
                self._run_id in (holder.description or "")
            ):
                # It had been made before, and only the answer was lost.
                return
            if is_last or holder.expires is None or holder.expires > datetime.now(UTC):
                raise self._refusal(holder)
            drop(self._jobs, self._name)

    def _make(self) -> Table:
        from google.cloud.bigquery import SchemaField, Table

        table = Table(reference(self._name), schema=[SchemaField("run_id", "STRING")])
        table.expires = datetime.now(UTC) + self._lasts
        table.labels = {"created_by": "rfm-pipeline", "rfm_run": label_value(self._run_id)}
        table.description = (
            f"Held by the run {self._run_id} (process {os.getpid()} on {socket.gethostname()},"
            f" since {datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC)"
        )
        return self._jobs.client.create_table(
            table,
            retry=None,  # type: ignore[arg-type]
            timeout=self._timeout,
        )

    def _renew(self, ended: threading.Event) -> None:
        from google.cloud.bigquery import Table

        while not ended.wait(self._lasts.total_seconds() / 4):
            table = Table(reference(self._name))
            table.expires = datetime.now(UTC) + self._lasts
            try:
                self._jobs.client.update_table(
                    table,
                    ["expires"],
                    retry=None,  # type: ignore[arg-type]
                    timeout=self._timeout,
                )
            except Exception as error:  # noqa: BLE001 - the next time may do, and three are left
                _log.info("the lease could not be put off: %s", error)

    def _refusal(self, holder: Table) -> LockedError:
        until = f", and until {holder.expires:%H:%M:%S} UTC unless it lives" if holder.expires else ""
        said = holder.description or "Held by another run"
        label = f"bigquery://{self._place.project}.{self._place.dataset}.{self._place.table}"
        return LockedError(
            f"{label} is {said[0].lower()}{said[1:]}{until}.",
            "wait for it to end, or stop it; the earlier result is unchanged.",
        )
