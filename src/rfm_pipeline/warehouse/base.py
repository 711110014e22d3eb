"""What the runner asks of an engine, whichever it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any, Protocol

from rfm_pipeline.schema import Partition, Schema

Progress = Callable[[float], None]
"""Told the share of a statement that is done, from 0 to 1."""


@dataclass(frozen=True, slots=True)
class ResultColumn:
    """A column of the published table: what it holds, and means.

    It holds `text`, `integer`, `small` (an integer that is never large), `money` or `date`.
    """

    holds: str
    description: str


RESULT_COLUMNS: Mapping[str, ResultColumn] = {
    "customer_id": ResultColumn("text", "The customer."),
    "recency_days": ResultColumn("small", "Days from the last order to the as-of date."),
    "frequency": ResultColumn("integer", "Number of distinct orders."),
    "monetary": ResultColumn("money", "What the customer spent."),
    "avg_order_value": ResultColumn("money", "monetary / frequency."),
    "first_order_date": ResultColumn("date", "Date of the first order."),
    "last_order_date": ResultColumn("date", "Date of the last order."),
    "r_score": ResultColumn("small", "Recency score, 1 is worst."),
    "f_score": ResultColumn("small", "Frequency score, 1 is worst."),
    "m_score": ResultColumn("small", "Monetary score, 1 is worst."),
    "rfm_score": ResultColumn("text", "The three scores side by side, such as 444."),
    "segment": ResultColumn("text", "The segment that the scores lead to."),
    "previous_segment": ResultColumn("text", "The segment at the as-of date before this one."),
    "segment_since": ResultColumn("date", "The as-of date since which the segment is the same."),
    "as_of_date": ResultColumn("date", "The date from which recency is counted."),
    "run_id": ResultColumn("text", "The run that published this row."),
}
"""The columns of the published table in their order."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What a run would read, and what that costs.

    Attributes:
        bytes_processed: What BigQuery says that it would read.
        dollars: Its price.
    """

    bytes_processed: int
    dollars: Decimal


@dataclass(frozen=True, slots=True)
class Usage:
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


@dataclass(frozen=True, slots=True)
class SourceTable:
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


@dataclass(frozen=True, slots=True)
class Published:
    """What stands at the destination before a run.

    Attributes:
        as_of: The as-of date of the current result; None where there is none.
        customers: How many customers it has.
    """

    as_of: date | None = None
    customers: int = 0


class Warehouse(Protocol):
    """An engine with a source, a place to stage tables, and a destination."""

    @property
    def engine(self) -> str:
        """Its name: `duckdb` or `bigquery`."""

    @property
    def destination(self) -> str:
        """The table that it publishes, as a person writes it."""

    def open_source(self) -> SourceTable:
        """Finds the source and its columns, without reading it through."""

    def published(self) -> Published:
        """Looks up what stands at the destination, which is the table `previous` from then on.

        Raises:
            DestinationError: A table of that name is there, and is not one of ours.
            LockedError: Another process holds the destination, and went on holding it.
        """

    def estimate(self, select: str) -> Cost | None:
        """What the SELECT that reads the source would cost; None where reading costs nothing.

        Raises:
            CostLimitError: It is more than the configured limit.
        """

    def usage(self) -> Usage:
        """What was taken so far."""

    def table(self, name: str) -> str:
        """How a staged table stands behind FROM."""

    def create(self, name: str, select: str, progress: Progress | None = None) -> None:
        """Stages the rows of a SELECT as a table."""

    def rows(self, select: str) -> Sequence[dict[str, Any]]:
        """The few rows of a SELECT over staged tables."""

    def check_condition(self, expression: str, relation: str) -> str | None:
        """What the engine objects to in a boolean expression over a relation; None when it accepts it."""

    def publish(self, name: str) -> None:
        """Replaces the current result by a staged table, in one transaction."""

    def export(self, name: str, path: Path) -> Path:
        """Writes a staged table to a draft beside `path`, whose suffix tells the format; gives the draft."""

    def close(self) -> None:
        """Lets go of everything; staged tables are gone."""
