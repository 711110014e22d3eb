"""CSV files with the header row of an earlier file, whose dialect and layout follow from that file's.

Detecting the dialect and the layout of a small file takes many times as long as reading it, and the files of
a folder usually differ in their records only. A few properties of the records prove that detection would find
what it found in the earlier file: every line has as many values as the header row, none has a quote, the
order's keys are filled, and no value is the label of a total. Detection looks at every other file.
"""

from __future__ import annotations

import codecs
from collections.abc import Mapping

from msgspec import Struct

from rfm_pipeline.config.source import SourceOptions
from rfm_pipeline.source.base import PlainLines
from rfm_pipeline.source.csv.dialect import DELIMITERS, CsvDialect
from rfm_pipeline.source.table_layout import (
    MIN_COLUMNS,
    Row,
    filled_columns,
    find_key_columns,
    is_header,
    is_total_label,
)

_MAX_RECORDS = 999
"""Most records of a file that the detection of the layout looks at as a whole."""


class KnownHeader(Struct, frozen=True):
    """A header row that decides the dialect and the layout of a file with plain records.

    Attributes:
        line: Its bytes, with the line end and the byte order mark.
        cells: Its values: distinct names, at least three.
        delimiter: Character between values.
        keys: Positions of the order, the customer and the date, as far as they are known.
    """

    line: bytes
    cells: Row
    delimiter: str
    keys: tuple[int, ...]

    @classmethod
    def of(
        cls, content: bytes, dialect: CsvDialect, options: SourceOptions, configured: Mapping[str, str | None]
    ) -> KnownHeader | None:
        """Return the header row of a file; None if the dialect of a file with this row may be another one.

        Args:
            content: The file.
            dialect: Its dialect, as detected.
            options: Settings of `[read]`.
            configured: Column name by role, as in `[columns]`.
        """
        line, line_end, _ = content.partition(b"\n")
        if options.encoding is not None or not line_end or b'"' in line or b"'" in line:
            return None
        try:
            text = line.removeprefix(codecs.BOM_UTF8).decode().removesuffix("\r")
        except UnicodeDecodeError:
            return None
        cells = text.split(dialect.delimiter)
        is_plain = (
            (dialect.quote, dialect.escape, dialect.skip_lines, dialect.has_header) == ('"', '"', 0, True)
            # Another delimiter in the header row might divide the records better.
            and [mark for mark in DELIMITERS if mark in text] == [dialect.delimiter]
            and len(cells) >= MIN_COLUMNS
            # The first record then is no row of names below a row of groups, which would be fewer.
            and len({cell.casefold() for cell in cells if cell.strip()}) == len(cells)
            and "\r" not in text
        )
        keys = find_key_columns(dialect.column_names, configured).positions
        header = cls(line + line_end, cells, dialect.delimiter, keys)
        return header if is_plain and header.decides(content) else None

    def decides(self, content: bytes) -> bool:
        """Return whether detection finds in a file with this header row what follows from the row alone.

        Args:
            content: A file that begins with `line`.
        """
        rows = self._plain_records(content)
        if not rows or len(rows) > _MAX_RECORDS:
            return False
        for row in rows:
            if len(row) != len(self.cells) or any(map(is_total_label, row)):
                return False
            if "" in row or any(map(str.isspace, row)):
                filled = filled_columns(row)
                if len(filled) < MIN_COLUMNS or not set(self.keys).issubset(filled):
                    return False
        return is_header(self.cells, rows)

    def plain_lines(self, content: bytes, columns: tuple[str, ...]) -> PlainLines:
        """Return the records of a file that this header row decides.

        Args:
            content: The file.
            columns: Its column names, which may be other ones than in the header row.
        """
        text = content[len(self.line) :].replace(b"\r\n", b"\n").removesuffix(b"\n")
        return PlainLines(text + b"\n", self.delimiter, columns)

    def _plain_records(self, content: bytes) -> list[list[str]]:
        """Return the values of each line below the header row; nothing if a line may be no record."""
        if b'"' in content or b"\0" in content:
            return []
        try:
            text = content[len(self.line) :].decode()
        except UnicodeDecodeError:
            return []
        if returns := text.count("\r"):
            has_one_kind = self.line.endswith(b"\r\n") and returns == text.count("\r\n") == text.count("\n")
            if not has_one_kind:
                return []
            text = text.replace("\r\n", "\n")
        elif self.line.endswith(b"\r\n") and "\n" in text:
            return []
        return [line.split(self.delimiter) for line in text.removesuffix("\n").split("\n")]
