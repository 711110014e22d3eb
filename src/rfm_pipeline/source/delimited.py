"""CSV and its relatives: every value is read as text, so that none is lost or refused before cleaning."""

from __future__ import annotations

import codecs
import gzip
import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from rfm_pipeline.errors import SourceError
from rfm_pipeline.source.columns import missing_columns
from rfm_pipeline.source.dialect import Dialect, find_dialect
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
from rfm_pipeline.source.files import SourceFile, reading
from rfm_pipeline.source.formats import Identity, compression_argument, damaged, read_head
from rfm_pipeline.source.lines import TextFacts, examine, line_of
from rfm_pipeline.source.literals import columns_literal, paths_literal, text_literal
from rfm_pipeline.source.opened import Scan
from rfm_pipeline.source.options import SourceOptions
from rfm_pipeline.source.scratch import scratch_path
from rfm_pipeline.source.zstd import is_whole

# Below Python's limit for one CSV value, 128 Ki characters.
_DIALECT_HEAD = 100_000


@dataclass(frozen=True, slots=True)
class _Prepared:
    """A file that DuckDB can read, and how: `reading` is the same for files that one call reads together."""

    path: Path
    dialect: Dialect
    arguments: tuple[str, ...]
    notes: tuple[str, ...]


def scan_delimited(
    files: Sequence[tuple[SourceFile, Identity]],
    options: SourceOptions,
    connection: duckdb.DuckDBPyConnection,
    scratch: Path,
) -> Scan:
    """Prepares CSV files for DuckDB; columns are matched by name across files.

    Raises:
        SourceError: One of them can't be read.
    """
    prepared, copies = [], {}
    for file, identity in files:
        ready = _Preparation(file, identity, options, connection, scratch).run()
        prepared.append(ready)
        if ready.path != file.path:
            copies[str(ready.path)] = file.name
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
    )


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

    def __init__(
        self,
        file: SourceFile,
        identity: Identity,
        options: SourceOptions,
        connection: duckdb.DuckDBPyConnection,
        scratch: Path,
    ) -> None:
        self._file = file
        self._compression = identity.compression
        self._options = options
        self._connection = connection
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
        return _Prepared(
            self._path,
            dialect,
            tuple(self._arguments(dialect, side_by_side=side_by_side)),
            (*self._notes, *notes),
        )

    def _arguments(self, dialect: Dialect, *, side_by_side: bool) -> list[str]:
        header = [f"header = {str(dialect.header).lower()}"]
        header += [f"skip = {dialect.skip}"] if dialect.skip else []
        return [
            "auto_detect = false",
            *header,
            f"delim = {text_literal(dialect.delimiter)}",
            f"quote = {text_literal(dialect.quote)}",
            f"escape = {text_literal(dialect.escape)}",
            *([] if side_by_side else ["parallel = false"]),
            *compression_argument(self._path, self._compression),
            # A folder called `day=2024-01-01` would otherwise put its own value over the column `day`.
            "hive_partitioning = false",
            f"columns = {columns_literal((name, 'VARCHAR') for name in dialect.names)}",
        ]

    def _reads_side_by_side(self, dialect: Dialect) -> bool:
        """Whether the file may be cut into pieces; it is made readable on the way, if it is not."""
        if self._compression:
            # Looking through it would cost as much as reading it, so it is read in one piece.
            if self._compression == "zstd":
                with reading(self._file.name), self._path.open("rb") as stream:
                    if not is_whole(stream):
                        raise damaged(self._file.name)
            return False
        facts = self._facts(dialect)
        if facts.mixed_line_ends:
            self._copy("utf-8-sig", line_ends=True)
            self._notes.append("line ends of several kinds, made one")
            facts = self._facts(dialect)
        # With backslashes before quotes, counting quotes tells nothing.
        return not facts.quoted_line_breaks and dialect.escape == dialect.quote

    def _facts(self, dialect: Dialect) -> TextFacts:
        with reading(self._file.name):
            facts = examine(self._path, dialect.quote)
            if facts.invalid_at is not None and facts.ascii_before and self._options.encoding is None:
                self._copy(WINDOWS)
                facts = examine(self._path, dialect.quote)
            at = facts.nul_at if facts.invalid_at is None else facts.invalid_at
            if at is None:
                return facts
            line = line_of(self._path, at)
            if facts.nul_at is not None:
                raise nul_byte(self._file.name, line)
            with self._path.open("rb") as stream:
                stream.seek(at)
                raise not_utf8(f"{self._file.name}, line {line:,}", stream.read(1)[0])

    def _copy(self, codec: str, *, line_ends: bool = False) -> None:
        if self._compression == "zstd":
            raise SourceError(f"{self._file.name} is {spoken(codec)} inside zstd.", "unpack it first.")
        target = scratch_path(self._scratch, self._file.path.name, ".csv")
        gzipped = self._compression == "gzip"
        recode(self._file, self._path, codec, target, gzipped=gzipped, line_ends=line_ends)
        self._path, self._compression = target, None
        if not is_utf8(codec):
            self._notes.append(f"read as {spoken(codec)}")

    def _head(self) -> tuple[bytes, bool]:
        """The first bytes, unpacked, and whether they are all."""
        if self._compression == "zstd":
            return self._head_of_zstd()
        file = SourceFile(self._path, self._file.name)
        if self._compression is None:
            head = read_head(file, HEAD)
        else:
            try:
                with reading(self._file.name), gzip.open(self._path) as stream:
                    head = stream.read(HEAD)
            except (EOFError, gzip.BadGzipFile, zlib.error):
                raise damaged(self._file.name) from None
        return head, len(head) < HEAD

    def _head_of_zstd(self) -> tuple[bytes, bool]:
        lines = (
            f"read_csv({paths_literal([self._path])}, auto_detect = false, header = false, delim = '\x01',"
        )
        lines += " quote = '', escape = '', compression = 'zstd', columns = {'line': 'VARCHAR'})"
        rows = self._connection.execute(f"SELECT line FROM {lines} LIMIT 1000").fetchall()
        return "\n".join(line or "" for (line,) in rows).encode(), False


def _text(head: bytes, *, whole: bool) -> str:
    """The head as text, cut after a line unless it is the whole file."""
    decoder = codecs.getincrementaldecoder("utf-8-sig")(errors="replace")
    text = decoder.decode(head, final=whole)
    if whole and len(text) <= _DIALECT_HEAD:
        return text
    text = text[:_DIALECT_HEAD]
    return text[: text.rfind("\n") + 1] or text
