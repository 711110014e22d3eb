"""What a run asks of a destination, on any engine."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol


class Destination(Protocol):
    """The tables that runs publish: the current result, its history, the runs (`layout.py`)."""

    @property
    def engine(self) -> str:
        """The engine's name: `duckdb` or `bigquery`."""

    @property
    def label(self) -> str:
        """The current result's table, as a person writes it."""

    def table(self, name: str) -> str:
        """How `current`, `history` or `runs` stands behind FROM."""

    def existing_tables(self) -> frozenset[str]:
        """Which of the three are there.

        Raises:
            DestinationError: One of them is there, and is not ours, or of a newer version.
            LockedError: Another process holds the destination, and went on holding it.
        """

    def rows(self, select: str) -> Sequence[dict[str, Any]]:
        """The rows of a SELECT over tables that are there."""

    def check(self) -> None:
        """Says early that nothing can be written there, which would be found late.

        Raises:
            DestinationError: There is no such place.
            WarehouseError: It may not be written to.
        """

    def open_for_reading(self) -> AbstractContextManager[None]:
        """Holds the tables open for reading, where opening them takes time.

        Raises:
            LockedError: Another process holds the destination, and went on holding it.
        """

    def lease(self, run_id: str) -> AbstractContextManager[None]:
        """Holds the lease: one run at a time works on the tables.

        Raises:
            LockedError: Another run holds it.
        """

    def remove_orphans(self, run_id: str, spared: Collection[str]) -> None:
        """Removes what runs left behind that died. Whoever calls it holds the lease.

        Args:
            run_id: The run that lives.
            spared: Runs whose staged tables are kept for a while, by their ids.
        """

    def apply(self, statements: Sequence[str], step: str) -> None:
        """Changes the tables, all of it or nothing; those that are not there are made first.

        Args:
            statements: INSERT and DELETE, in their order.
            step: What it is, for a job's name: `publish`, `record`, `rollback`.
        """

    def close(self) -> None:
        """Lets go of everything."""
