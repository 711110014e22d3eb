"""A source that is ready to be scanned."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct, field

from rfm_pipeline.common.schema import Schema
from rfm_pipeline.source.files import SourceFile

Opener = Callable[[Any, Path], "OpenedSource"]
"""Opens a source on a connection of DuckDB's, with a folder for what lives as long as the source is used."""


class Scan(Struct, frozen=True):
    """What a format's reader found out: the text that scans the files, and what it took to get there.

    Attributes:
        relation: Text for FROM.
        notes: What a person wants to know.
        copies: For each file that is scanned in place of the user's (recoded, unpacked, spooled), the path in
            the scratch folder, and the name of the user's file.
        rows: How many rows the files say that they have; None for text, which doesn't say.
        aside: Which of the files are not scanned.
    """

    relation: str
    notes: tuple[str, ...] = ()
    copies: Mapping[str, str] = field(default_factory=dict)
    rows: int | None = None
    aside: tuple[SourceFile, ...] = ()


class OpenedSource(Struct, frozen=True):
    """A source that DuckDB can scan, on the connection that it was opened with.

    Attributes:
        label: Short, for a terminal: `orders export.csv`, `3 files in exports`.
        relation: Text for FROM. It names only files and an attached database, so it runs on any cursor of the
            connection, and by hand as long as the scratch folder is there.
        schema: The columns; fields of a struct follow it.
        format: `CSV`, `JSON`, `Parquet`, `Excel` or `DuckDB`.
        files: The user's files; none for standard input.
        size_bytes: Their size on disk; None where that says nothing about the table.
        rows: How many rows the source says that it has; None for text and views, which don't say.
        notes: What was found that a person wants to know: `semicolons between values`.
        copies: Scratch files that are scanned instead, with the name of the user's file.
        before: What another session has to run first, to know what the relation names; a whole statement.
    """

    label: str
    relation: str
    schema: Schema
    format: str
    files: tuple[Path, ...]
    size_bytes: int | None
    rows: int | None
    notes: tuple[str, ...]
    copies: Mapping[str, str] = field(default_factory=dict)
    before: str = ""
