"""The sides of a comparison: a result of rfm as of any of its dates, or the table of another program."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import date
from typing import TYPE_CHECKING, Any, Protocol

from msgspec import Struct
from msgspec.structs import replace

from rfm_pipeline.config.destination_location import (
    BigQueryDestinationLocation,
    DestinationLocation,
    DuckDBDestinationLocation,
    ParquetDestinationLocation,
    parse_destination,
)
from rfm_pipeline.config.settings import Settings
from rfm_pipeline.config.source_location import (
    BigQueryTable,
    DuckDBTable,
    FileLocation,
    SourceLocation,
    parse_source,
)
from rfm_pipeline.errors import ConfigurationError, DestinationError, UsageError
from rfm_pipeline.pipeline.run_records import new_run_id
from rfm_pipeline.results.run_history import DestinationState, read_state
from rfm_pipeline.results.run_record import RunRecord
from rfm_pipeline.results.tables import SUFFIXES
from rfm_pipeline.warehouse.factory import open_destination

if TYPE_CHECKING:
    from rfm_pipeline.source.base import SourceOpener

_NEAREST = 4
"""How many dates a message lists."""


class Engine(Protocol):
    """What runs the queries of a comparison."""

    @property
    def engine(self) -> str:
        """Name of the engine: `duckdb` or `bigquery`."""

    def rows(self, select: str) -> Sequence[dict[str, Any]]:
        """Return all rows of a SELECT; meant for few rows."""

    def pages(self, select: str) -> Iterator[Sequence[dict[str, Any]]]:
        """Yield the rows of a SELECT page by page; meant for many rows."""


class ComparedSides(Struct, frozen=True):
    """Two sides that are ready to be compared.

    Attributes:
        engine: The engine that has both.
        selects: SELECTs of their rows, as `sql.comparison_queries` describes them.
        names: Their names.
        as_of: Their as-of dates; None if unknown.
        columns: Names of the columns to compare, the first of which is `segment`.
        orders: Names of the segments of each side from best to worst; empty if unknown.
        notes: Facts about the sides, one phrase each.
    """

    engine: Engine
    selects: tuple[str, str]
    names: tuple[str, str]
    as_of: tuple[date | None, date | None]
    columns: tuple[str, ...]
    orders: tuple[tuple[str, ...], tuple[str, ...]]
    notes: tuple[str, ...]


class Side(Struct, frozen=True):
    """A table of segmented customers that is not opened yet.

    Attributes:
        name: The table as the user named it, with the as-of date of a destination.
        location: Where the table is; None for a data frame.
        opens: Opens a data frame; None for a location.
        as_of: The as-of date; None if it is unknown.
        in_history: Whether the rows are those of `as_of` in the table of a history.
        segments: Names of the segments in the order of their map; empty if it is unknown.
    """

    name: str
    location: SourceLocation | None = None
    opens: SourceOpener | None = None
    as_of: date | None = None
    in_history: bool = False
    segments: tuple[str, ...] = ()


def find_side(text: str, settings: Settings, as_of: date | None) -> Side:
    """Return a side by its location.

    Args:
        text: A destination of rfm, or anything that a source can be.
        settings: Settings of the engines.
        as_of: As-of date of the result; None for the current result. Only a destination has dates.

    Raises:
        UsageError: If the text names no table, or a destination without a result as of the date.
        RfmError: If the destination can't be read.
    """
    location = _destination(text)
    refusal: DestinationError | None = None
    if location is not None:
        try:
            if side := _published(text, location, settings, as_of):
                return side
        except DestinationError as error:
            # The table of another program.
            refusal = error
    if as_of is not None:
        raise UsageError(
            f"{text} is no destination of rfm, so that it has no result as of {as_of}.",
            "leave the date out, or name the destination, such as duckdb:rfm.duckdb.",
        ) from refusal
    if isinstance(location, DuckDBDestinationLocation) and not text.startswith("duckdb:"):
        return Side(text, DuckDBTable(location.file, None, text))
    with suppress(UsageError):
        return Side(text, parse_source(text))
    if isinstance(location, BigQueryDestinationLocation):
        raise refusal or _no_result(text)
    return Side(text, parse_source(text))


def _destination(text: str) -> DestinationLocation | None:
    """Return the destination that a text can name; None if it can't name one."""
    try:
        return parse_destination(text)
    except ConfigurationError:
        return None


def _no_result(text: str) -> DestinationError:
    return DestinationError(f"There is no result of rfm at {text}.", "`rfm run` publishes one, with --to.")


def _published(
    text: str, location: DestinationLocation, settings: Settings, as_of: date | None
) -> Side | None:
    """Return the result at a destination; None if no result is there.

    Raises:
        DestinationError: If the table is not one of rfm.
        UsageError: If there is no result as of the date.
    """
    with open_destination(replace(settings, to=location), new_run_id()) as destination:
        if "current" not in destination.existing_tables():
            return None
        state = read_state(destination)
    day = as_of or state.as_of
    if day is None:
        raise UsageError(f"The result at {text} has no customers.", "`rfm run` publishes another one.")
    in_history = as_of is not None and as_of != state.as_of
    record = _record(state, day, text) if in_history else state.dates.get(day)
    return Side(
        f"{text} as of {day}",
        _table(location, day if in_history else None),
        as_of=day,
        in_history=in_history,
        segments=_segments(record),
    )


def _record(state: DestinationState, day: date, text: str) -> RunRecord:
    dates = state.dates if "history" in state.tables else {}
    if day in dates:
        return dates[day]
    near = sorted(sorted(dates, key=lambda other: abs(other - day))[:_NEAREST])
    listed = ", ".join(map(str, near))
    raise UsageError(
        f"{text} has no result as of {day}.",
        f"the nearest dates with a result are {listed}." if near else "`rfm backfill` fills the history.",
    )


def _segments(record: RunRecord | None) -> tuple[str, ...]:
    if record is None or record.statistics is None:
        return ()
    return tuple(figures.segment for figures in record.statistics.segments)


def _table(location: DestinationLocation, day: date | None) -> SourceLocation:
    """Return the table with the rows as of a date; None for the current result."""
    if isinstance(location, ParquetDestinationLocation):
        from rfm_pipeline.warehouse.parquet.files import PublishedFiles

        files = PublishedFiles(location.file)
        file = files.dated().get(day) if day else files.find(files.current)
        return FileLocation(str(file or files.history), str(location))
    table = f"{location.table}{SUFFIXES['history' if day else 'current']}"
    if isinstance(location, BigQueryDestinationLocation):
        return BigQueryTable(location.project, location.dataset, table, str(location))
    return DuckDBTable(location.file, f"main.{table}", str(location))
