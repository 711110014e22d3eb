"""Interface of a destination: the published tables on any engine."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

from rfm_pipeline.errors import LockedError
from rfm_pipeline.results.tables import Layout


class Destination(Protocol):
    """The published tables `current`, `history` and `runs` (see `results.tables`)."""

    @property
    def engine(self) -> str:
        """Name of the engine: `duckdb` or `bigquery`."""

    @property
    def layout(self) -> Layout:
        """How the tables are stored."""

    @property
    def label(self) -> str:
        """Table of the current result in the form that `--to` takes."""

    def table(self, name: str) -> str:
        """Return the quoted SQL identifier of the published table `name`."""

    def existing_tables(self) -> frozenset[str]:
        """Return which of `current`, `history` and `runs` exist.

        Raises:
            DestinationError: If a table of that name is not one of rfm, or a newer version wrote it.
            LockedError: If another process kept the destination locked until the timeout.
        """

    def rows(self, select: str) -> Sequence[dict[str, Any]]:
        """Return all rows of a SELECT over existing tables."""

    def check(self) -> None:
        """Check that the destination exists and is writable, before any work is done.

        Raises:
            DestinationError: If the folder or the dataset does not exist.
            WarehouseError: If the permission to write is missing.
        """

    def open_for_reading(self) -> AbstractContextManager[None]:
        """Keep the tables open for several reads, on an engine where opening them takes time.

        Raises:
            LockedError: If another process kept the destination locked until the timeout.
        """

    def lease(self, run_id: str) -> AbstractContextManager[None]:
        """Hold the destination's lease, which only one run at a time can hold.

        Raises:
            LockedError: If another run holds the lease.
        """

    def remove_orphans(self, run_id: str, spared: Collection[str]) -> None:
        """Remove what crashed runs left behind. The caller must hold the lease.

        Args:
            run_id: Id of the current run.
            spared: Ids of runs whose staged tables are retained.
        """

    def remove_retained(self, run_id: str) -> int:
        """Remove the retained tables of rejected runs; return of how many. The caller must hold the lease.

        Args:
            run_id: Id of the current run.
        """

    def apply(self, statements: Sequence[str], step: str) -> None:
        """Change the tables in one transaction; missing tables are created first.

        Args:
            statements: INSERT and DELETE statements, in order.
            step: Name of the step in job ids: `publish`, `record`, `rollback` or `forget`.

        Raises:
            LockedError: If the first statement found that another run has published meanwhile.
        """

    def close(self) -> None:
        """Release all resources."""


def published_meanwhile_error(label: str) -> LockedError:
    """Return the error for a publish that would replace what another run published since this one began."""
    return LockedError(
        f"Another run has published to {label} since this one began, so this one has published nothing.",
        "run again; `rfm runs` lists what was published.",
    )
