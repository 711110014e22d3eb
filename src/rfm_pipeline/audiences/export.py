"""The `rfm export` use case: the current result, joined with contacts, written as an audience file."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import Struct, field
from msgspec.structs import replace

from rfm_pipeline.audiences.contacts import Contacts, customer_ids_as_contacts, open_contacts
from rfm_pipeline.audiences.customers import Choice, CurrentResult, refuse_addresses, stage_customers
from rfm_pipeline.audiences.matching import (
    LEFT_OUT_REASONS,
    audience_sql,
    contact_rows_sql,
    contacts_sql,
    plain_sql,
    upload_sql,
    written_roles,
)
from rfm_pipeline.audiences.request import CheckedRequest, ExportRequest, check_request
from rfm_pipeline.common.formatting import format_bytes, lower_first
from rfm_pipeline.config.loader import Configuration
from rfm_pipeline.config.segment_map import SegmentMap
from rfm_pipeline.config.settings import Settings
from rfm_pipeline.errors import WarehouseError
from rfm_pipeline.pipeline.movers import Movers, find_audience
from rfm_pipeline.pipeline.output_paths import refuse_overwriting, refuse_recorded_sources
from rfm_pipeline.pipeline.progress import RunObserver
from rfm_pipeline.pipeline.segment_names import resolve_segments
from rfm_pipeline.results.destination import Destination
from rfm_pipeline.results.run_history import recorded_sources
from rfm_pipeline.results.tables import RESULT_COLUMNS

if TYPE_CHECKING:
    from rfm_pipeline.common.duckdb_engine import duckdb


class ExportResult(Struct, frozen=True):
    """Statistics of an export; `customers` is `exported` plus the sum of `left_out`.

    Attributes:
        format: Name of the format.
        path: The file.
        source: Table of the current result, as in messages.
        as_of: As-of date of the result; None if it is empty.
        segments: Names of the requested segments.
        customers: Customers in these segments; with `movers`, those of them who were chosen.
        exported: Customers in the file.
        left_out: Customers not in the file, by reason.
        contacts: Label of the contacts; None if none were used.
        columns: Columns of the contacts, by role.
        unused: Contacts of customers outside the segments.
        several: Customers with several addresses, of which one was chosen.
        unusable: Values of exported customers that the network can't use and that are blank in the file, by
            role.
        repeated: Values that are blank because another customer in the file has them, by role.
        hashed: Headings of the hashed columns.
        notes: Further messages for the user.
        movers: The movements and reasons by which customers were chosen; None if all of the segments were.
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
    repeated: Mapping[str, int] = field(default_factory=dict)
    hashed: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    movers: Movers | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the JSON object that `rfm export --json` prints."""
        return {
            "format": self.format,
            "file": str(self.path),
            "source": self.source,
            "as_of": self.as_of.isoformat() if self.as_of else None,
            "segments": list(self.segments),
            "movers": self._movers_json(),
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
                "repeated": dict(self.repeated),
            },
            "hashed": list(self.hashed),
            "notes": list(self.notes),
        }

    def _movers_json(self) -> dict[str, Any] | None:
        if self.movers is None:
            return None
        names = ("from", "to", "moved", "reasons", "left_out_by_rules")
        plain = self.movers.to_json()
        return {name: plain[name] for name in names}


def export(configuration: Configuration, request: ExportRequest, observer: RunObserver) -> ExportResult:
    """Write the customers of the requested segments to a file that only its owner can read.

    The file is written to a temporary sibling and renamed into place, replacing an existing file. Memory is
    limited by DuckDB's memory limit.

    Args:
        configuration: All layers of settings.
        request: The requested file.
        observer: Receives the progress.

    Raises:
        RfmError: If the export failed; no file was written, and an existing one is unchanged.
    """
    from rfm_pipeline.warehouse.duckdb.connection import SpillDirectory, connect
    from rfm_pipeline.warehouse.duckdb.export import check_output

    settings = configuration.settings
    checked = check_request(request, settings.export)
    check_output(request.path)
    refuse_overwriting([("output", request.path)], configuration)
    with (
        SpillDirectory(settings.duckdb.temp_directory) as scratch,
        closing(connect(settings.duckdb, scratch)) as db,
    ):
        observer.step("Reading the result")

        def choose(destination: Destination, current: CurrentResult) -> Choice:
            refuse_recorded_sources([("output", request.path)], recorded_sources(destination))
            segments = resolve_segments(request.segments, _segment_names(settings, current))
            if request.conditions.is_empty:
                return Choice(segments)
            audience = find_audience(destination, request.conditions, request.moved_from, settings)
            return Choice(segments, audience)

        current, choice = stage_customers(db, settings, _required_columns(checked), choose, scratch)
        writer = _Writer(settings, checked, db, scratch, observer)
        write = writer.write_plain if checked.upload is None else writer.write_upload
        result = write(current, choice.segments)
    return replace(result, movers=choice.audience.movers) if choice.audience else result


class _Writer:
    """Writes the file of an export after its customers have been staged in the table `customers`."""

    def __init__(
        self,
        settings: Settings,
        checked: CheckedRequest,
        connection: duckdb.DuckDBPyConnection,
        scratch: Path,
        observer: RunObserver,
    ) -> None:
        self._settings = settings
        self._checked = checked
        self._connection = connection
        self._scratch = scratch
        self._observer = observer

    def write_plain(self, current: CurrentResult, segments: tuple[str, ...]) -> ExportResult:
        """Write columns of the result."""
        checked, request = self._checked, self._checked.request
        if "customer_id" in checked.columns and not request.clear:
            refuse_addresses(self._connection, "leave customer_id out of --columns")
        is_text = checked.format == "csv"
        money = [name for name in checked.columns if RESULT_COLUMNS[name].holds == "money"]
        decimals = {name: self._decimals(name) for name in money} if is_text else {}
        self._write(plain_sql(checked.columns, decimals, is_text=is_text, raw=request.raw))
        customers = self._count("customers")
        return ExportResult(
            checked.format, request.path, current.label, current.as_of, segments, customers, customers
        )

    def write_upload(self, current: CurrentResult, segments: tuple[str, ...]) -> ExportResult:
        """Write the upload file of a network."""
        from rfm_pipeline.warehouse.duckdb.errors import translate_duckdb_errors

        checked, upload, request = self._checked, self._checked.upload, self._checked.request
        assert upload is not None  # the caller has checked it
        self._observer.step("Joining the contacts")
        with translate_duckdb_errors("read the contacts"):
            contacts = self._contacts()
        roles = written_roles(contacts, upload)
        with translate_duckdb_errors("read the contacts", contacts.opened):
            self._create("contact_rows", contact_rows_sql(contacts, upload))
        if "phone" in roles:
            self._observer.step("Parsing phone numbers")
            self._stage_phone_numbers()
        with translate_duckdb_errors("join the contacts"):
            self._create("contacts", contacts_sql(contacts, upload))
            self._create("audience", audience_sql(contacts, upload))
        self._write(upload_sql(contacts, upload, checked.columns, raw=request.raw))
        left_out = {reason: self._count("audience", f"left_out = '{reason}'") for reason in LEFT_OUT_REASONS}
        unusable = {role: self._count_members(f"{role} IS NULL AND {role}_given") for role in roles}
        repeated = {"phone": self._count_members("phone_repeated")}
        # A repeated phone number is blank too, but it can be used.
        unusable["phone"] = unusable.get("phone", 0) - repeated["phone"]
        is_joined = contacts.opened is not None
        return ExportResult(
            format=checked.format,
            path=request.path,
            source=current.label,
            as_of=current.as_of,
            segments=segments,
            customers=self._count("customers"),
            exported=self._count_members("TRUE"),
            left_out={reason: count for reason, count in left_out.items() if count},
            contacts=contacts.label if is_joined else None,
            columns={role: column.name for role, column in contacts.columns.items()} if is_joined else {},
            unused=self._count("contacts ANTI JOIN customers USING (customer_id)"),
            several=self._count("audience", "has_several"),
            unusable={role: count for role, count in unusable.items() if count},
            repeated={role: count for role, count in repeated.items() if count},
            hashed=tuple(upload.fields[role].heading for role in roles if upload.fields[role].is_hashed),
            notes=self._notes(),
        )

    def _contacts(self) -> Contacts:
        settings, upload = self._settings.export, self._checked.upload
        assert upload is not None  # the caller has checked it
        if settings.contacts is None:
            return customer_ids_as_contacts("customers", settings.default_country)
        return open_contacts(settings, frozenset(upload.fields), self._connection, self._scratch)

    def _stage_phone_numbers(self) -> None:
        from rfm_pipeline.audiences.phone_numbers import stage_phone_numbers
        from rfm_pipeline.warehouse.duckdb.errors import translate_duckdb_errors

        try:
            with translate_duckdb_errors("join the contacts"):
                stage_phone_numbers(self._connection, self._scratch)
        except OSError as error:
            raise WarehouseError(
                f"The phone numbers can't be kept in a file: {lower_first(error.strerror or str(error))}.",
                "set duckdb.temp_directory to a folder with more free space.",
            ) from error

    def _create(self, name: str, select: str) -> None:
        from rfm_pipeline.common.duckdb_engine import execute_interruptibly

        execute_interruptibly(self._connection, f"CREATE TABLE {name} AS\n{select}", self._observer.progress)

    def _write(self, select: str) -> None:
        from rfm_pipeline.warehouse.duckdb.export import write_private

        path = self._checked.request.path
        self._observer.step("Writing")
        draft = write_private(self._connection, select, path, self._scratch)
        try:
            draft.move()
        except OSError as error:
            raise WarehouseError(
                f"The output {path} can't be written: {lower_first(error.strerror or str(error))}.",
                "check the output path and its folder.",
            ) from error
        finally:
            draft.cleanup()

    def _decimals(self, column: str) -> int:
        """Return the largest number of significant decimals in a column, at least two."""
        decimals = f"LENGTH(RTRIM(SPLIT_PART(CAST({column} AS VARCHAR), '.', 2), '0'))"
        row = self._connection.execute(f"SELECT MAX({decimals}) FROM customers").fetchone()
        return max(2, row[0] or 0) if row else 2

    def _count(self, table: str, condition: str = "TRUE") -> int:
        row = self._connection.execute(f"SELECT COUNT(*) FROM {table} WHERE {condition}").fetchone()
        assert row is not None  # an aggregate always has a row
        return int(row[0])

    def _count_members(self, condition: str) -> int:
        return self._count("audience", f"left_out IS NULL AND {condition}")

    def _notes(self) -> tuple[str, ...]:
        upload, path = self._checked.upload, self._checked.request.path
        limit, size = upload.max_bytes if upload else None, path.stat().st_size
        if limit is None or size <= limit:
            return ()
        assert upload is not None  # only uploads have a limit
        accepted = f"{upload.label} takes at most {format_bytes(limit)}"
        return (f"the file has {format_bytes(size)}, and {accepted}: split it",)


def _segment_names(settings: Settings, current: CurrentResult) -> tuple[str, ...]:
    """Return the names of the configured segment map, then those that only the result has."""
    mapped = SegmentMap.from_config(settings.segments, settings.scoring.bins_by_dimension).segments
    return tuple(dict.fromkeys([*(segment.name for segment in mapped), *current.segments]))


def _required_columns(checked: CheckedRequest) -> tuple[str, ...]:
    """Return the columns of the result that an export reads."""
    if checked.upload is None:
        return checked.columns
    return tuple(dict.fromkeys(["customer_id", "monetary", *checked.columns]))
