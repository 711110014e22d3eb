"""Recognition of a destination by the mark in its tables' comments: role, destination and format version.

Tables that rfm wrote before it marked them have no mark. They are recognised by their columns, if the table
of their runs is among them, and marked by the next publish.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Protocol

from msgspec import Struct

from rfm_pipeline._version import __version__
from rfm_pipeline.common.installation import upgrade_hint
from rfm_pipeline.errors import DestinationError
from rfm_pipeline.results.tables import SUFFIXES, Layout, newer_version

KEPT_ORDERS = "orders"
"""Role of the table with the orders that incremental runs keep."""
_DESCRIPTIONS: Mapping[str, str] = {
    "current": "RFM segments: one row per customer, replaced by each run.",
    "history": "RFM segments as of each date: one row per customer and date.",
    "runs": "The runs that made the RFM segments beside this table, one row each.",
    "rows": "Rows behind the views of the RFM segments, stored once for each date.",
    "dates": "As-of dates of the RFM segments, one of which is current.",
    KEPT_ORDERS: "Orders of each partition of the source, which incremental runs of rfm keep.",
}
_HOLDS: Mapping[str, str] = {
    "current": "the current result",
    "history": "the history",
    "runs": "the runs",
    "rows": "the stored rows",
    "dates": "the stored dates",
    KEPT_ORDERS: "the kept orders",
}
_MARK = re.compile(r"\[rfm: (?P<role>[a-z]+) of (?P<destination>\w+), format (?P<format>\d{1,9})\]$")


class Mark(Struct, frozen=True):
    """The mark of a published table.

    Attributes:
        role: `current`, `history`, `runs`, `rows`, `dates` or `orders`.
        destination: Name of the table of the current result.
        format: Version of the tables' layout.
    """

    role: str
    destination: str
    format: int

    def is_of(self, role: str, destination: str) -> bool:
        """Return whether the mark is that of a role at a destination; the name's case does not matter."""
        return (self.role, self.destination.casefold()) == (role, destination.casefold())


def table_comment(role: str, destination: str, layout: Layout) -> str:
    """Return the comment of a published table: what a row of it is, and its mark.

    >>> from rfm_pipeline.results.tables import LAYOUTS
    >>> table_comment("history", "rfm_segments", LAYOUTS["bigquery"])[-46:]
    'date. [rfm: history of rfm_segments, format 1]'
    """
    return f"{_DESCRIPTIONS[role]} [rfm: {role} of {destination}, format {layout.format}]"


def read_mark(comment: str | None) -> Mark | None:
    """Return the mark in a table's comment; None if it has none."""
    match = _MARK.search(comment or "")
    return Mark(match["role"], match["destination"], int(match["format"])) if match else None


class ExistingTable(Struct, frozen=True):
    """A table in the destination's file or dataset.

    Attributes:
        kind: `table`, or what else it is, such as `view`.
        comment: Its comment; None if it has none.
        differences: How its columns differ from those of the role that it was looked up for; None if they
            are the same.
    """

    kind: str
    comment: str | None
    differences: str | None


class Catalog(Protocol):
    """The tables of a file or a dataset."""

    @property
    def layout(self) -> Layout:
        """The layout of the engine's tables."""

    def find(self, table: str, role: str) -> ExistingTable | None:
        """Return a table, compared with the columns of a role; None if there is no such table."""

    def describe(self, table: str) -> str:
        """Return a table's name and place, as messages have it."""

    def location(self, table: str) -> str:
        """Return the argument of --to that names a table."""

    def last_version(self) -> str | None:
        """Return the version of rfm that ran last at the destination; None if its runs table is not rfm's."""


def recognize_destination(destination: str, catalog: Catalog) -> dict[str, bool]:
    """Return the roles of the destination's tables that exist, each with whether its mark is up to date.

    Args:
        destination: Name of the table of the current result.
        catalog: The tables of the file or dataset.

    Raises:
        DestinationError: If one of the names belongs to a table that is not the destination's, or a newer
            version wrote it.
    """
    _refuse_name_of_sibling(destination, catalog)
    tables = {
        role: table
        for role, suffix in catalog.layout.suffixes.items()
        if (table := catalog.find(f"{destination}{suffix}", role)) is not None
    }
    has_views = any(_belongs_to_views(role, table, destination) for role, table in tables.items())
    if has_views:
        _check_tables_behind_views(tables, destination, catalog)
    elif not tables.keys().isdisjoint(SUFFIXES):
        # Until two tables are converted, another program's tables may have the names of those behind views.
        tables = {role: table for role, table in tables.items() if role in SUFFIXES}
    marks = {role: read_mark(table.comment) for role, table in tables.items()}
    for role, table in tables.items():
        kind = "view" if has_views and role in catalog.layout.views else "table"
        _check_table(role, table, destination, catalog, kind)
    is_marked = any(mark and mark.is_of(role, destination) for role, mark in marks.items())
    if tables and "runs" not in tables and not is_marked:
        raise DestinationError(
            f"{catalog.describe(destination)} is not a result of this pipeline: its comment has no mark of"
            f" rfm, and there is no table of its runs, {destination}{SUFFIXES['runs']}.",
            _another_table(catalog),
        )
    return {
        role: mark is not None and mark.is_of(role, destination) and mark.format == catalog.layout.format
        for role, mark in marks.items()
    }


def published_by(table: str, catalog: Catalog) -> str | None:
    """Return the destination that a table belongs to; None if it is no published table.

    Args:
        table: Name of the table.
        catalog: The tables of its file or dataset.
    """
    for suffix in catalog.layout.suffixes.values():
        destination = table.removesuffix(suffix)
        if table == f"{destination}{suffix}" and destination and _is_destination(destination, catalog):
            return destination
    kept = catalog.layout.kept_suffix
    if kept and table.endswith(kept) and (found := catalog.find(table, KEPT_ORDERS)) is not None:
        mark, destination = read_mark(found.comment), table.removesuffix(kept)
        return destination if mark and mark.is_of(KEPT_ORDERS, destination) else None
    return None


def _check_table(role: str, table: ExistingTable, destination: str, catalog: Catalog, kind: str) -> None:
    """Raise if a table is not that of a role at a destination, or not of the kind that rfm made."""
    name = catalog.describe(f"{destination}{catalog.layout.suffixes[role]}")
    mark = read_mark(table.comment)
    if mark and mark.role != role:
        held = f"{_HOLDS.get(mark.role, mark.role)} of {mark.destination}"
        raise DestinationError(
            f"{name} holds {held}, not {_HOLDS[role]} of {destination}.", _another_table(catalog)
        )
    if table.kind != kind:
        raise DestinationError(f"{name} is a {table.kind}, not a {kind} of rfm.", _another_table(catalog))
    is_newer_format = mark is not None and mark.format > catalog.layout.format
    if not table.differences and not is_newer_format:
        return
    has_runs = catalog.find(f"{destination}{SUFFIXES['runs']}", "runs") is not None
    if newer := newer_version(catalog.last_version() if has_runs else None):
        raise DestinationError(
            f"{name} was written by rfm {newer}, which is newer than this one, {__version__}.",
            upgrade_hint(),
        )
    if is_newer_format:
        raise DestinationError(
            f"{name} was written by a version of rfm that is newer than this one, {__version__}.",
            upgrade_hint(),
        )
    raise DestinationError(
        f"{name} is not a result of this pipeline: it {table.differences}.", _another_table(catalog)
    )


def refuse_taken_names(destination: str, catalog: Catalog) -> None:
    """Raise if another program's table has the name of a table that is about to be made behind the views.

    Raises:
        DestinationError: If there is such a table.
    """
    for role, suffix in catalog.layout.suffixes.items():
        table = f"{destination}{suffix}"
        if role not in SUFFIXES and catalog.find(table, role) is not None:
            raise DestinationError(
                f"{catalog.describe(table)} is not a table of rfm, which needs its name for {_HOLDS[role]} of"
                f" {destination}.",
                f"rename it with ALTER TABLE, or {_another_table(catalog)}",
            )


def _belongs_to_views(role: str, table: ExistingTable, destination: str) -> bool:
    """Return whether a table is one behind the views of the destination, or one of the views.

    A database that was exported and imported has no comments: its tables are recognised by their columns.
    """
    is_behind = role not in SUFFIXES
    if (mark := read_mark(table.comment)) is not None:
        return mark.is_of(role, destination) and (is_behind or table.kind == "view")
    return is_behind and table.kind == "table" and not table.differences


def _check_tables_behind_views(
    tables: Mapping[str, ExistingTable], destination: str, catalog: Catalog
) -> None:
    """Raise if the views of a destination are without a table that they read."""
    for role, suffix in catalog.layout.suffixes.items():
        if role not in tables and role not in SUFFIXES:
            raise DestinationError(
                f"{catalog.describe(destination)} lacks its table {destination}{suffix}.",
                f"restore it from a backup, or {_another_table(catalog)}",
            )


def _refuse_name_of_sibling(destination: str, catalog: Catalog) -> None:
    """Raise if the name is that of the history or the runs of another destination."""
    for role, suffix in catalog.layout.suffixes.items():
        other = destination[: -len(suffix)] if suffix else ""
        if suffix not in SUFFIXES.values() and _is_destination(destination, catalog):
            # Made by a version whose destinations had no tables behind views.
            continue
        if destination.casefold().endswith(suffix) and other and _is_destination(other, catalog):
            raise DestinationError(
                f"{catalog.describe(destination)} is the table of {_HOLDS[role]} of {other}, which is another"
                " destination.",
                f"give --to '{catalog.location(other)}', or {_another_table(catalog)}",
            )


def _is_destination(name: str, catalog: Catalog) -> bool:
    """Return whether a name is that of a destination: its runs are there, or a table is marked as its own."""
    for role, suffix in SUFFIXES.items():
        table = catalog.find(f"{name}{suffix}", role)
        if table is None:
            continue
        mark = read_mark(table.comment)
        is_unmarked_runs = mark is None and role == "runs" and table.kind == "table" and not table.differences
        if is_unmarked_runs or (mark and mark.is_of(role, name)):
            return True
    return False


def _another_table(catalog: Catalog) -> str:
    return f"choose another table, as in --to '{catalog.location('rfm_segments_2')}'."
