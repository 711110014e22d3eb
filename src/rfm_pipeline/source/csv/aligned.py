"""Text whose columns are aligned by blanks, converted into values between tabs, which DuckDB reads."""

from __future__ import annotations

import io
import re
from pathlib import Path

from rfm_pipeline.config.source import SourceOptions
from rfm_pipeline.source.csv.dialect import DELIMITERS
from rfm_pipeline.source.file_type import open_decompressed
from rfm_pipeline.source.files import SourceFile
from rfm_pipeline.source.table_layout import MIN_COLUMNS, is_value

_MIN_LINES = 3
_MAX_LINES = 1_000
_EQUAL_SHARE = 0.98
# A single blank may be part of a value if columns are further apart.
_SEPARATORS = (re.compile(r"\s+"), re.compile(r"[ \t]{2,}|\t"))
_RULE = re.compile(r"[-=+\s]+")


def detect_separator(head: str, options: SourceOptions) -> re.Pattern[str] | None:
    """Return the pattern between values if the columns of a text are aligned by blanks; None otherwise.

    Nearly all lines must have the same number of values, at least three, and the values of a column must be
    numbers or dates, so that prose is not taken for a table.

    Args:
        head: First characters of the file.
        options: Settings of `[read]`.
    """
    if options.delimiter not in (None, " ") or options.quote or options.skip_lines:
        return None
    lines = [line for line in io.StringIO(head) if line.strip()][:_MAX_LINES]
    if len(lines) < _MIN_LINES or '"' in head or any(mark in lines[0] for mark in DELIMITERS):
        return None
    for separator in _SEPARATORS:
        rows = [separator.split(line.strip()) for line in lines if not _RULE.fullmatch(line)]
        width = len(rows[0]) if rows else 0
        below = [row for row in rows[1:] if len(row) == width]
        # A line that differs among many is an error that is reported with its number.
        is_table = width >= MIN_COLUMNS and len(below) >= _EQUAL_SHARE * (len(rows) - 1)
        if is_table and any(all(is_value(row[column]) for row in below) for column in range(width)):
            return separator
    return None


def write_with_tabs(
    file: SourceFile, path: Path, compression: str | None, separator: re.Pattern[str], target: Path
) -> None:
    """Write a copy with tabs between the values; the numbers of its lines are the file's.

    Args:
        file: The user's file, named in errors.
        path: Path to read: the file itself, or an earlier copy.
        compression: Compression of `path`.
        separator: Result of `detect_separator`.
        target: Path of the copy.

    Raises:
        SourceError: If the file can't be read.
    """
    with (
        open_decompressed(file, path, compression) as stream,
        # Invalid bytes are kept for the prescan, which reports them.
        io.TextIOWrapper(stream, encoding="utf-8-sig", errors="surrogateescape") as text,
        target.open("w", encoding="utf-8", errors="surrogateescape", newline="\n") as copy,
    ):
        for line in text:
            values = [] if _RULE.fullmatch(line) else separator.split(line.strip())
            copy.write("\t".join(values) + "\n")
