"""What the runner asks of an engine, whichever it is."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager
from decimal import Decimal
from pathlib import Path
from typing import Any, Protocol

from msgspec import Struct

from rfm_pipeline.common.atomic_file import Draft
from rfm_pipeline.common.partitioned_query import Cut
from rfm_pipeline.common.schema import Partition, Schema

Progress = Callable[[float], None]
"""Told the share of a statement that is done, from 0 to 1."""


class Cost(Struct, frozen=True):
    """What a run would read, and what that costs.

    Attributes:
        bytes_processed: What BigQuery says that it would read.
        dollars: Its price.
    """

    bytes_processed: int
    dollars: Decimal


class Usage(Struct, frozen=True):
    """What a run took.

    Attributes:
        bytes_processed: What was read; None where that is not known.
        bytes_billed: What is paid for, likewise.
        slot_ms: The milliseconds of all workers together, likewise.
        jobs: The ids of its jobs, in their order.
    """

    bytes_processed: int | None = None
    bytes_billed: int | None = None
    slot_ms: int | None = None
    jobs: tuple[str, ...] = ()


class SourceTable(Struct, frozen=True):
    """A source that is ready to be read.

    Attributes:
        label: What a person calls it.
        relation: How it stands behind FROM.
        schema: Its columns.
        notes: What was found out about it that a person wants to know.
        rows: How many rows it says that it has, by its own metadata; None where it doesn't say.
        size_bytes: How large it is; None where that is not known.
        before: The statement by which another session comes to know what the relation names; mostly none.
        is_passing: Whether the relation names what is gone when the warehouse is closed.
        partition: How it is cut; None where it is not, or not by dates.
        written_as: The format of its files; None where it is a table of the engine.
    """

    label: str
    relation: str
    schema: Schema
    notes: tuple[str, ...] = ()
    rows: int | None = None
    size_bytes: int | None = None
    is_passing: bool = False
    before: str = ""
    partition: Partition | None = None
    written_as: str | None = None


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

    def present(self) -> frozenset[str]:
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

    def reading(self) -> AbstractContextManager[None]:
        """Holds the tables open for reading, where opening them takes time.

        Raises:
            LockedError: Another process holds the destination, and went on holding it.
        """

    def claimed(self, run_id: str) -> AbstractContextManager[None]:
        """Holds the lease: one run at a time works on the tables.

        Raises:
            LockedError: Another run holds it.
        """

    def sweep(self, run_id: str, spared: Collection[str]) -> None:
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


class Warehouse(Protocol):
    """An engine with a source, a place to stage tables, and a destination."""

    @property
    def engine(self) -> str:
        """Its name: `duckdb` or `bigquery`."""

    @property
    def destination(self) -> Destination:
        """Where it publishes."""

    def open_source(self) -> SourceTable:
        """Finds the source and its columns, without reading it through."""

    def estimate(self, select: str) -> Cost | None:
        """What the SELECT that reads the source would cost; None where reading costs nothing.

        Raises:
            CostLimitError: It is more than the configured limit.
        """

    def usage(self) -> Usage:
        """What was taken so far."""

    def table(self, name: str) -> str:
        """How a staged table stands behind FROM."""

    def create(
        self, name: str, select: str, progress: Progress | None = None, cut: Cut | None = None
    ) -> None:
        """Stages the rows of a SELECT as a table.

        Args:
            name: The table.
            select: Its rows.
            progress: Told how far it is.
            cut: The same in parts, for an engine that has too little memory for the whole.
        """

    def recall(self, name: str, select: str) -> None:
        """Makes a SELECT over the destination's tables a staged one."""

    def rows(self, select: str) -> Sequence[dict[str, Any]]:
        """The few rows of a SELECT over staged tables."""

    def check_condition(self, expression: str, relation: str) -> str | None:
        """What the engine objects to in a boolean expression over a relation; None when it accepts it."""

    def export(self, name: str, path: Path) -> Draft:
        """Writes a staged table to a draft beside `path`, whose suffix tells the format; gives the draft."""

    def keep(self) -> str:
        """Keeps the staged tables for a while, for a person to look at; where they are, in words."""

    def close(self) -> None:
        """Lets go of everything; staged tables are gone, but those that are kept."""
