"""Interface of a warehouse: the engine that reads the source, stages tables and publishes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal, Protocol

from msgspec import Struct

from rfm_pipeline.common.atomic_file import AtomicFile
from rfm_pipeline.common.partitioned_query import PartitionedQuery
from rfm_pipeline.common.schema import Partition, Schema
from rfm_pipeline.common.source_files import SourceFiles
from rfm_pipeline.common.source_parts import CustomersRequest, PartsRequest, TakeOver
from rfm_pipeline.results.destination import Destination
from rfm_pipeline.results.statistics import PartsRead, Usage
from rfm_pipeline.source.parts import SourcePart
from rfm_pipeline.source.profile.sample import Sample

Progress = Callable[[float], None]
"""Callback that receives the completed share of a statement, from 0 to 1."""


Accuracy = Literal["about", "at least", "at most"]
"""Whether an estimate is exact up to changes of the table, or a bound."""


class Cost(Struct, frozen=True):
    """Estimated cost of reading the source.

    Attributes:
        bytes_processed: Bytes that BigQuery's dry run reports.
        dollars: Price of these bytes; None if the project pays for capacity, and not for bytes.
        accuracy: `at least` for external tables, and `at most` for clustered ones.
    """

    bytes_processed: int
    dollars: Decimal | None
    accuracy: Accuracy = "about"

    def to_json(self) -> dict[str, Any]:
        """Return the cost as plain values."""
        dollars = None if self.dollars is None else str(self.dollars.quantize(Decimal("0.0001")))
        return {"bytes_processed": self.bytes_processed, "dollars": dollars, "accuracy": self.accuracy}


class SourceTable(Struct, frozen=True):
    """A source that is ready to be queried.

    Attributes:
        label: Short name for messages.
        relation: SQL text that can follow FROM.
        schema: Columns of the source.
        notes: Remarks for the user about how the source is read.
        rows: Number of rows according to the source's metadata; None if unknown.
        size_bytes: Size of the source in bytes; None if unknown.
        is_temporary: Whether `relation` exists only until the warehouse is closed.
        setup_statement: Statement that another session has to run before it can use `relation`; often empty.
        partition: Partitioning of the table; None if the table is not partitioned.
        is_view: Whether the source is a view, which may read partitioned tables.
        format: Format of the source's files, such as `CSV`; None for a table of BigQuery.
        files: The files of a source of several files; `relation` has a column with each row's file.
        total_rows: Rows that are totals of other rows, and no orders: columns, each with its text.
        parts: The files that can be read one by one; empty for other sources.
        packed_relation: The rows of `relation`, faster to scan until the warehouse is closed; None if there
            is only `relation`.
    """

    label: str
    relation: str
    schema: Schema
    notes: tuple[str, ...] = ()
    rows: int | None = None
    size_bytes: int | None = None
    is_temporary: bool = False
    setup_statement: str = ""
    partition: Partition | None = None
    is_view: bool = False
    format: str | None = None
    files: SourceFiles | None = None
    total_rows: tuple[tuple[tuple[str, str], ...], ...] = ()
    parts: tuple[SourcePart, ...] = ()
    packed_relation: str | None = None


class Preview(Struct, frozen=True):
    """What an incremental run would read.

    Attributes:
        read: Number of parts that it would read.
        kept: Number of parts whose kept orders it would use.
        why_all: Why it would read all parts, as a clause; None if those that changed are enough.
        select: SELECT of the orders of the parts that it would read; None if it would read none.
        kept_bytes: Size in bytes of the kept orders that it would read at most.
    """

    read: int
    kept: int
    why_all: str | None
    select: str | None
    kept_bytes: int


class KeptOrders(Protocol):
    """The orders of each part of a source, and the customers of the run that last computed all customers."""

    def why_no_parts(self) -> str | None:
        """Return why the source has no parts that can be read one by one, as a clause; None if it has."""

    def why_not_kept(self, select: str) -> str | None:
        """Return why the rows of a SELECT can't be kept, as a clause; None if they can."""

    def preview(self, request: PartsRequest, select_of: Callable[[str], str], column: str) -> Preview | None:
        """Return what `update` would read; None where reading is free.

        Raises:
            RfmError: If the kept orders can't be read.
        """

    def update(
        self,
        request: PartsRequest,
        select_of: Callable[[str], str],
        column: str,
        progress: Progress | None = None,
    ) -> PartsRead:
        """Read the parts that are new or have changed; stage the orders of all parts as `part_orders`.

        All parts are read if the kept orders can't be used, and in every `request.check_every`-th run, which
        compares the orders with the kept ones. Later runs find what was read after `save` only.

        Args:
            request: The parts as they are now.
            select_of: Returns the SELECT of the orders, given the relation of the lines.
            column: Column of the relation with the number of each line's part.
            progress: Receives the completed share.

        Raises:
            RfmError: If the source can't be read, or the orders can't be kept.
        """

    def kept_customers(self, request: CustomersRequest) -> TakeOver | None:
        """Return the kept customers, with relations to read; None if there are none that can be taken over.

        The staged `part_orders` may afterwards have only the orders that the customers do not have.

        Args:
            request: How the run computes customers.

        Raises:
            RfmError: If they can't be read.
        """

    def keep_customers(self, key: str, last_day: date, customers: str, excluded: str) -> None:
        """Keep customers, and the excluded lines beside them, in place of those that were kept.

        Args:
            key: What the customers depend on beside the parts and the last day.
            last_day: The last date on which an order counts.
            customers: SELECT of the customers of all parts.
            excluded: SELECT of the excluded lines of all parts.

        Raises:
            RfmError: If they can't be kept.
        """

    def save(self) -> None:
        """Replace what was kept by what this run has read and kept.

        Raises:
            RfmError: If it can't be written.
        """


class Warehouse(Protocol):
    """An engine with one source, staged tables, and one destination."""

    @property
    def engine(self) -> str:
        """Name of the engine: `duckdb` or `bigquery`."""

    @property
    def destination(self) -> Destination:
        """The destination to publish to."""

    @property
    def kept_orders(self) -> KeptOrders:
        """What incremental runs keep beside the destination."""

    def open_source(self) -> SourceTable:
        """Find the source and its columns, without scanning all its rows.

        Raises:
            SourceError: If the source does not exist or can't be read.
        """

    def sample(self) -> Sample:
        """Return the first rows of the opened source; an empty sample where reading them costs money.

        Raises:
            SourceError: If the source can't be read.
        """

    def newest_partition(self, up_to: date) -> date | None:
        """Return the first day of the opened source's newest partition that has rows; None if unknown.

        Args:
            up_to: Partitions after this day are not considered.
        """

    def estimate(self, select: str, *, limited: bool = True) -> Cost | None:
        """Return the cost of a SELECT over the source; None if reading is free.

        Args:
            select: The SELECT.
            limited: Whether the configured limit holds.

        Raises:
            CostLimitError: If the SELECT would read more than the limit.
        """

    def usage(self) -> Usage:
        """Return the resources used so far."""

    def table(self, name: str) -> str:
        """Return the quoted SQL identifier of the staged table `name`."""

    def materialize(
        self,
        name: str,
        select: str,
        progress: Progress | None = None,
        partitioned: PartitionedQuery | None = None,
    ) -> None:
        """Stage the rows of `select` as table `name`.

        Args:
            name: Name of the staged table.
            select: SELECT of its rows.
            progress: Receives the completed share.
            partitioned: The same step per partition, for an engine whose memory the whole step may exceed.
        """

    def copy_from_destination(self, name: str, select: str) -> None:
        """Stage the rows of `select`, which reads destination tables, as table `name`."""

    def rows(self, select: str) -> Sequence[dict[str, Any]]:
        """Return all rows of a SELECT over staged tables; meant for few rows."""

    def pages(self, select: str) -> Iterator[Sequence[dict[str, Any]]]:
        """Yield the rows of a SELECT over staged tables page by page; meant for millions of rows."""

    def check_condition(self, expression: str, relation: str) -> str | None:
        """Return why `expression` is not a valid boolean condition over `relation`; None if it is valid."""

    def export(self, name: str, path: Path) -> AtomicFile:
        """Write the staged table `name` to a temporary file that can replace `path`.

        Args:
            name: Name of the staged table.
            path: Target path; its suffix selects the format.

        Raises:
            WarehouseError: If the file can't be written.
        """

    def retain_staged_tables(self) -> str:
        """Keep the staged tables for some time for inspection; return a clause that says where they are."""

    def close(self) -> None:
        """Release all resources and drop the staged tables, except retained ones."""
