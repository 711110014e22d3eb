"""CSV and its relatives: every value is read as text, so that none is lost or refused before cleaning."""

from __future__ import annotations

import codecs
from collections import Counter
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import BinaryIO

from msgspec import Struct

from rfm_pipeline.common.duckdb_engine import connect_in_memory
from rfm_pipeline.common.duckdb_quoting import columns_literal, identifier, paths_literal, text_literal
from rfm_pipeline.config.source import SourceOptions
from rfm_pipeline.source.base import Scan
from rfm_pipeline.source.csv.dialect import CsvDialect, find_dialect
from rfm_pipeline.source.csv.prescan import TextFacts, examine, place_of
from rfm_pipeline.source.csv.quoting import quotes_are_in_place
from rfm_pipeline.source.encoding import (
    HEAD,
    WINDOWS,
    find_encoding,
    is_utf8,
    not_utf8,
    nul_byte,
    recode,
    spoken,
)
from rfm_pipeline.source.errors import misplaced_quote, translate_read_errors
from rfm_pipeline.source.file_type import Identity, compression_argument, unpacked
from rfm_pipeline.source.files import SourceFile
from rfm_pipeline.source.headers import missing_columns
from rfm_pipeline.source.temp_files import temp_path

# Below Python's limit for one CSV value, 128 Ki characters.
_DIALECT_HEAD = 100_000


class _Prepared(Struct, frozen=True):
    """A file that DuckDB can read, and how: files with the same arguments are read by one call."""

    file: SourceFile
    path: Path
    dialect: CsvDialect
    arguments: tuple[str, ...]
    notes: tuple[str, ...]


def scan_delimited(
    files: Sequence[tuple[SourceFile, Identity]],
    options: SourceOptions,
    scratch: Path,
    *,
    searched: bool = False,
) -> Scan:
    """Prepares CSV files for DuckDB; columns are matched by name across files.

    Args:
        files: The files, with what they are.
        options: What the user said about them.
        scratch: A folder for copies.
        searched: Whether they were found in a folder, so that prose may be among them: it is left aside.

    Raises:
        SourceError: One of them can't be read.
    """
    prepared, copies = [], {}
    for file, identity in files:
        ready = _Preparation(file, identity, options, scratch).run()
        prepared.append(ready)
        if ready.path != file.path:
            copies[str(ready.path)] = file.name
    aside = _prose(prepared) if searched and options.header else []
    prepared = [ready for ready in prepared if ready not in aside]
    groups: dict[tuple[str, ...], list[_Prepared]] = {}
    for ready in prepared:
        groups.setdefault(ready.arguments, []).append(ready)
    calls = [
        f"read_csv({paths_literal(ready.path for ready in group)}, {', '.join(arguments)})"
        for arguments, group in groups.items()
    ]
    relation = calls[0] if len(calls) == 1 else _union(calls)
    return Scan(
        relation,
        (*_common_notes(prepared), *missing_columns([ready.dialect.names for ready in prepared])),
        copies,
        aside=tuple(ready.file for ready in aside),
    )


def _prose(prepared: Sequence[_Prepared]) -> list[_Prepared]:
    """What is no table of the source, such as a readme: it has no column in common with the other files.

    A file is only doubted where its name says that it is text, or nothing divides its lines: a table of other
    columns is told like any other file, and its lines are counted.
    """
    doubted = [
        ready
        for ready in prepared
        if len(ready.dialect.names) == 1 or ".txt" in Path(ready.file.path.name.lower()).suffixes
    ]
    headers = Counter(ready.dialect.names for ready in prepared)
    tables = [ready for ready in prepared if ready not in doubted] or [
        ready for ready in doubted if len(ready.dialect.names) > 1 and headers[ready.dialect.names] > 1
    ]
    columns = {name.lower() for ready in tables for name in ready.dialect.names}
    if not columns:
        return []
    return [ready for ready in doubted if columns.isdisjoint(name.lower() for name in ready.dialect.names)]


def _union(calls: Sequence[str]) -> str:
    return "(" + " UNION ALL BY NAME ".join(f"SELECT * FROM {call}" for call in calls) + ")"


def _common_notes(prepared: Sequence[_Prepared]) -> list[str]:
    counts = Counter(note for ready in prepared for note in ready.notes)
    every = len(prepared)
    return [
        note if times == every else f"{note} ({times} of {every} files)" for note, times in counts.items()
    ]


class _Preparation:
    """What must happen to one file before DuckDB reads it: mostly nothing, sometimes a copy."""

    def __init__(self, file: SourceFile, identity: Identity, options: SourceOptions, scratch: Path) -> None:
        self._file = file
        self._compression = identity.compression
        self._options = options
        self._scratch = scratch
        self._path = file.path
        self._notes: list[str] = []

    def run(self) -> _Prepared:
        head, whole = self._head()
        codec = self._options.encoding or find_encoding(head, self._file.name, whole=whole)
        if not is_utf8(codec):
            self._copy(codec)
            head, whole = self._head()
        dialect, notes = find_dialect(_text(head, whole=whole), self._file.name, self._options)
        side_by_side = self._reads_side_by_side(dialect)
        arguments = self._arguments(dialect, self._path, self._compression, side_by_side=side_by_side)
        return _Prepared(self._file, self._path, dialect, tuple(arguments), (*self._notes, *notes))

    @staticmethod
    def _arguments(
        dialect: CsvDialect, path: Path, compression: str | None, *, side_by_side: bool = False
    ) -> list[str]:
        return [
            "auto_detect = false",
            f"header = {str(dialect.header).lower()}",
            *([f"skip = {dialect.skip}"] if dialect.skip else []),
            f"delim = {text_literal(dialect.delimiter)}",
            f"quote = {text_literal(dialect.quote)}",
            f"escape = {text_literal(dialect.escape)}",
            *([] if side_by_side else ["parallel = false"]),
            *compression_argument(path, compression),
            # A folder called `day=2024-01-01` would otherwise put its own value over the column `day`.
            "hive_partitioning = false",
            f"columns = {columns_literal((name, 'VARCHAR') for name in dialect.names)}",
        ]

    def _reads_side_by_side(self, dialect: CsvDialect) -> bool:
        """Whether DuckDB may cut the file into pieces; it is made readable on the way, if it is not."""
        facts = self._facts(dialect)
        if facts.mixed_line_ends:
            self._copy("utf-8-sig", line_ends=True)
            self._notes.append("line ends of several kinds, made one")
            facts = self._facts(dialect)
        # With backslashes before quotes, counting quotes tells nothing.
        if not facts.quoted_line_breaks and dialect.escape == dialect.quote:
            return True
        self._refuse_unclosed_quote(dialect, facts)
        return False

    def _facts(self, dialect: CsvDialect) -> TextFacts:
        facts = self._examine(dialect)
        if facts.invalid_at is not None and facts.ascii_before and self._options.encoding is None:
            self._copy(WINDOWS)
            facts = self._examine(dialect)
        at = facts.nul_at if facts.invalid_at is None else facts.invalid_at
        if at is None:
            return facts
        with self._opened() as stream:
            line, byte = place_of(stream, at)
        if facts.nul_at is not None:
            raise nul_byte(self._file.name, line)
        raise not_utf8(f"{self._file.name}, line {line:,}", byte)

    def _examine(self, dialect: CsvDialect) -> TextFacts:
        with self._opened() as stream:
            return examine(stream, dialect.quote)

    def _refuse_unclosed_quote(self, dialect: CsvDialect, facts: TextFacts) -> None:
        """Refuses a file that DuckDB would leave the end of out (see `quotes.py`)."""
        if dialect.escape == dialect.quote:
            with self._opened() as stream:
                if quotes_are_in_place(stream, dialect.delimiter, dialect.quote):
                    return
        # DuckDB itself is to say where values end: with a record after the last one, does that one arrive?
        probe = temp_path(self._scratch, self._file.path.name, ".csv")
        recode(self._file, self._path, "utf-8-sig", probe, compression=self._compression)
        sentinel = "\x01"
        with probe.open("ab") as copy:
            copy.write(next(iter(facts.line_ends), b"\n"))
            copy.write(dialect.delimiter.join([sentinel] * len(dialect.names)).encode())
        call = f"read_csv({paths_literal([probe])}, {', '.join(self._arguments(dialect, probe, None))})"
        first = identifier(dialect.names[0])
        arrived = f"COUNT(*) FILTER ({first} = {text_literal(sentinel)})"
        copies = {str(probe): self._file.name}
        with (
            translate_read_errors("CSV", copies, self._file.name, unit="record"),
            connect_in_memory() as connection,
        ):
            row = connection.execute(f"SELECT COUNT(*), {arrived} FROM {call}").fetchone()
        probe.unlink()
        assert row is not None  # an aggregate always has a row
        if not row[1]:
            raise misplaced_quote(f"{self._file.name}, record {row[0] + 1 + dialect.header:,}")

    def _opened(self) -> AbstractContextManager[BinaryIO]:
        return unpacked(self._file, self._path, self._compression)

    def _head(self) -> tuple[bytes, bool]:
        """The first bytes, unpacked, and whether they are all."""
        with self._opened() as stream:
            head = stream.read(HEAD)
        return head, len(head) < HEAD

    def _copy(self, codec: str, *, line_ends: bool = False) -> None:
        target = temp_path(self._scratch, self._file.path.name, ".csv")
        recode(self._file, self._path, codec, target, compression=self._compression, line_ends=line_ends)
        self._path, self._compression = target, None
        if not is_utf8(codec):
            self._notes.append(f"read as {spoken(codec)}")


def _text(head: bytes, *, whole: bool) -> str:
    """The head as text, cut after a line unless it is the whole file."""
    decoder = codecs.getincrementaldecoder("utf-8-sig")(errors="replace")
    text = decoder.decode(head, final=whole)
    if whole and len(text) <= _DIALECT_HEAD:
        return text
    text = text[:_DIALECT_HEAD]
    return text[: text.rfind("\n") + 1] or text
