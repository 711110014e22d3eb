"""What the runner asks of an engine, whichever it is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, Protocol

from msgspec import Struct

from rfm_pipeline.common.atomic_file import AtomicFile
from rfm_pipeline.common.partitioned_query import PartitionedQuery
from rfm_pipeline.common.schema import Partition, Schema
from rfm_pipeline.results.destination import Destination

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

    def materialize(
        self, name: str, select: str, progress: Progress | None = None, cut: PartitionedQuery | None = None
    ) -> None:
        """Stages the rows of a SELECT as a table.

        Args:
            name: The table.
            select: Its rows.
            progress: Told how far it is.
            cut: The same in parts, for an engine that has too little memory for the whole.
        """

    def copy_from_destination(self, name: str, select: str) -> None:
        """Makes a SELECT over the destination's tables a staged one."""

    def rows(self, select: str) -> Sequence[dict[str, Any]]:
        """The few rows of a SELECT over staged tables."""

    def check_condition(self, expression: str, relation: str) -> str | None:
        """What the engine objects to in a boolean expression over a relation; None when it accepts it."""

    def export(self, name: str, path: Path) -> AtomicFile:
        """Writes a staged table to a draft beside `path`, whose suffix tells the format; gives the draft."""

    def retain_staged_tables(self) -> str:
        """Keeps the staged tables for a while, for a person to look at; where they are, in words."""

    def close(self) -> None:
        """Lets go of everything; staged tables are gone, but those that are kept."""
