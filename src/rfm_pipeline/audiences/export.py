"""From the current result to the file of an audience, with every customer accounted for."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import Struct, field

from rfm_pipeline.audiences import normalization as normalise
from rfm_pipeline.audiences.contacts import Contacts, ids_are_addresses, open_contacts
from rfm_pipeline.audiences.customers import CurrentResult, stage_customers
from rfm_pipeline.audiences.matching import (
    REASONS,
    audience_sql,
    contacts_sql,
    plain_sql,
    roles_of,
    upload_sql,
)
from rfm_pipeline.audiences.request import Order, Request, checked, chosen_segments
from rfm_pipeline.common.formatting import format_bytes, format_count, lower_first
from rfm_pipeline.config.loader import Configuration
from rfm_pipeline.config.segment_map import SegmentMap
from rfm_pipeline.config.settings import Settings
from rfm_pipeline.errors import ConfigurationError, UsageError, WarehouseError
from rfm_pipeline.pipeline.progress import RunObserver
from rfm_pipeline.results.tables import RESULT_COLUMNS

if TYPE_CHECKING:
    from rfm_pipeline.common.duckdb_engine import duckdb


class Exported(Struct, frozen=True):
    """What was exported; exported and left out are together the customers of the segments.

    Attributes:
        format: The format's name.
        path: The file.
        source: The table that it comes from, as a person writes it.
        as_of: The as-of date of the result; None where it is empty.
        segments: The segments that were asked for.
        customers: How many customers they have.
        exported: How many of them are in the file.
        left_out: The others, by reason.
        contacts: What a person calls the contacts; None where none were used.
        columns: By role, their columns.
        unused: Contacts of no customer in the segments.
        several: Customers with several addresses, of which one was taken.
        unusable: By role, how many values the network can't use, of those who are in the file: blank there.
        hashed: Headings of the columns that hold hashes.
        notes: What a person wants to know besides.
    """

    format: str
    path: Path
    source: str
    as_of: date | None
    segments: tuple[str, ...]
    customers: int
    exported: int
    left_out: Mapping[str, int] = field(default_factory=dict)
    contacts: str | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    unused: int = 0
    several: int = 0
    unusable: Mapping[str, int] = field(default_factory=dict)
    hashed: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """One object with plain values, as `rfm export --json` prints it."""
        return {
            "format": self.format,
            "file": str(self.path),
            "source": self.source,
            "as_of": self.as_of.isoformat() if self.as_of else None,
            "segments": list(self.segments),
            "customers": self.customers,
            "exported": self.exported,
            "left_out": dict(self.left_out),
            "contacts": None
            if self.contacts is None
            else {
                "source": self.contacts,
                "columns": dict(self.columns),
                "unused": self.unused,
                "several_addresses": self.several,
                "unusable": dict(self.unusable),
            },
            "hashed": list(self.hashed),
            "notes": list(self.notes),
        }


def export(configuration: Configuration, request: Request, watcher: RunObserver) -> Exported:
    """Writes the customers of some segments to a file that only its owner can read.

    It is written beside its place and moved there, over an earlier one. No more is held in memory than DuckDB
    may have.

    Args:
        configuration: All layers of settings.
        request: What is asked for.
        watcher: Told what is going on.

    Raises:
        RfmError: The first thing that is wrong; no file was written, and an earlier one is as it was.
    """
    from rfm_pipeline.warehouse.duckdb.connection import SpillDirectory, connect
    from rfm_pipeline.warehouse.duckdb.export import check_output

    settings = configuration.settings()
    order = checked(request, settings.export)
    check_output(request.path)
    with (
        SpillDirectory(settings.duckdb.temp_directory) as scratch,
        closing(connect(settings.duckdb, scratch)) as db,
    ):
        watcher.step("Reading the result")

        def choose(standing: CurrentResult) -> tuple[str, ...]:
            return chosen_segments(request.segments, _known(settings, standing))

        standing, segments = stage_customers(db, settings, _needed(order), choose, scratch)
        work = _Work(settings, order, db, scratch, watcher)
        return work.plain(standing, segments) if order.upload is None else work.uploaded(standing, segments)


class _Work:
    """One export, once the customers are staged."""

    def __init__(
        self,
        settings: Settings,
        order: Order,
        connection: duckdb.DuckDBPyConnection,
        scratch: Path,
        watcher: RunObserver,
    ) -> None:
        self._settings = settings
        self._order = order
        self._connection = connection
        self._scratch = scratch
        self._watcher = watcher

    def plain(self, standing: CurrentResult, segments: tuple[str, ...]) -> Exported:
        """Columns of the result."""
        order, request = self._order, self._order.request
        if "customer_id" in order.columns and not request.clear:
            self._refuse_addresses_in_clear()
        is_text = order.format == "csv"
        money = [name for name in order.columns if RESULT_COLUMNS[name].holds == "money"]
        places = {name: self._places(name) for name in money} if is_text else {}
        self._write(plain_sql(order.columns, places, is_text=is_text, raw=request.raw))
        customers = self._count("customers")
        return Exported(
            order.format, request.path, standing.label, standing.as_of, segments, customers, customers
        )

    def uploaded(self, standing: CurrentResult, segments: tuple[str, ...]) -> Exported:
        """What a network takes."""
        from rfm_pipeline.warehouse.duckdb.errors import translate_duckdb_errors

        order, upload, request = self._order, self._order.upload, self._order.request
        assert upload is not None  # who asks has looked
        self._watcher.step("Joining the contacts")
        with translate_duckdb_errors("read the contacts"):
            contacts = self._contacts()
        with translate_duckdb_errors("read the contacts", contacts.opened):
            self._create("contacts", contacts_sql(contacts, upload))
        with translate_duckdb_errors("join the contacts"):
            self._create("audience", audience_sql(contacts, upload))
        self._write(upload_sql(contacts, upload, order.columns, raw=request.raw))
        roles = roles_of(contacts, upload)
        left_out = {reason: self._count("audience", f"left_out = '{reason}'") for reason in REASONS}
        unusable = {
            role: self._count("audience", f"left_out IS NULL AND {role} IS NULL AND {role}_given")
            for role in roles
            if role != "email"
        }
        is_joined = contacts.opened is not None
        return Exported(
            format=order.format,
            path=request.path,
            source=standing.label,
            as_of=standing.as_of,
            segments=segments,
            customers=self._count("customers"),
            exported=self._count("audience", "left_out IS NULL"),
            left_out={reason: number for reason, number in left_out.items() if number},
            contacts=contacts.label if is_joined else None,
            columns={role: column.name for role, column in contacts.columns.items()} if is_joined else {},
            unused=self._count("contacts ANTI JOIN customers USING (customer_id)"),
            several=self._count("audience", "has_several"),
            unusable={role: number for role, number in unusable.items() if number},
            hashed=tuple(upload.fields[role].heading for role in roles if upload.fields[role].is_hashed),
            notes=self._notes(),
        )

    def _contacts(self) -> Contacts:
        settings, upload = self._settings.export, self._order.upload
        assert upload is not None  # who asks has looked
        if settings.contacts is None:
            return ids_are_addresses("customers")
        contacts = open_contacts(settings, frozenset(upload.fields), self._connection, self._scratch)
        read = contacts.opened.files if contacts.opened else ()
        if self._order.request.path.resolve() in {path.resolve() for path in read}:
            raise ConfigurationError(
                f"The output {self._order.request.path} is among the contacts.", "write it somewhere else."
            )
        return contacts

    def _create(self, name: str, select: str) -> None:
        from rfm_pipeline.common.duckdb_engine import watched

        watched(self._connection, f"CREATE TABLE {name} AS\n{select}", self._watcher.progress)

    def _write(self, select: str) -> None:
        from rfm_pipeline.warehouse.duckdb.export import write_private

        path = self._order.request.path
        self._watcher.step("Writing")
        draft = write_private(self._connection, select, path, self._scratch)
        try:
            draft.move()
        except OSError as error:
            raise WarehouseError(
                f"The output {path} can't be written: {lower_first(error.strerror or str(error))}.",
                "look at what is there.",
            ) from error
        finally:
            draft.cleanup()

    def _refuse_addresses_in_clear(self) -> None:
        addresses = self._count("customers", f"{normalise.email('customer_id')} IS NOT NULL")
        if addresses:
            ids = format_count(
                addresses, "customer id is an e-mail address", "customer ids are e-mail addresses"
            )
            raise UsageError(
                f"{ids}, and would be in the file in clear.",
                "give --clear where they may be, or leave customer_id out of --columns.",
            )

    def _places(self, column: str) -> int:
        """As many decimals as the money of a column has, at least two: 4310.00, not 4310.000000000."""
        decimals = f"LENGTH(RTRIM(SPLIT_PART(CAST({column} AS VARCHAR), '.', 2), '0'))"
        row = self._connection.execute(f"SELECT MAX({decimals}) FROM customers").fetchone()
        return max(2, row[0] or 0) if row else 2

    def _count(self, table: str, condition: str = "TRUE") -> int:
        row = self._connection.execute(f"SELECT COUNT(*) FROM {table} WHERE {condition}").fetchone()
        assert row is not None  # an aggregate always has a row
        return int(row[0])

    def _notes(self) -> tuple[str, ...]:
        upload, path = self._order.upload, self._order.request.path
        most, taken = upload.most_bytes if upload else None, path.stat().st_size
        if most is None or taken <= most:
            return ()
        assert upload is not None  # it has a limit
        return (
            f"the file has {format_bytes(taken)}, and {upload.label} takes {format_bytes(most)} at once: split it",
        )


def _known(settings: Settings, standing: CurrentResult) -> tuple[str, ...]:
    """The segments of the map that is configured, and those of the result that it does not have."""
    mapped = SegmentMap.from_config(settings.segments, settings.scoring.bins_by_dimension).segments
    return tuple(dict.fromkeys([*(segment.name for segment in mapped), *standing.segments]))


def _needed(order: Order) -> tuple[str, ...]:
    """The columns of the result that an export reads."""
    if order.upload is None:
        return order.columns
    return tuple(dict.fromkeys(["customer_id", "monetary", *order.columns]))
