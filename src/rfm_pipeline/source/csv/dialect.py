r"""CSV dialect of a file: delimiter, quote, escape character and position of the header row.

Weighed: DuckDB's `sniff_csv`, `csv.Sniffer` and clevercsv. The first two divide `12,50;a` at the comma, and
`sniff_csv` skips lines without an error. clevercsv found the delimiters of all 34 samples, as this module
does, but takes 0.4 s instead of 0.01 s for 100,000 characters, and gives no quote if these contain none.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from msgspec import Struct

from rfm_pipeline.config.questions import question
from rfm_pipeline.config.source import SourceOptions
from rfm_pipeline.errors import SourceError
from rfm_pipeline.source.headers import header_notes, names_by_position, unique_column_names
from rfm_pipeline.source.table_layout import find_header, is_value, title_note

# In order of preference: if `;` and `,` divide all lines alike, the comma is a decimal mark.
DELIMITERS = "\t|;,"
_DELIMITER_LABELS = {"\t": "tabs", "|": "vertical bars", ";": "semicolons", " ": "spaces"}
TABS_NOTE = "tabs between values"
_MAX_RECORDS = 200
_SEP_LINE = re.compile(r'"?sep=(.)"?\s*', re.IGNORECASE)


class CsvDialect(Struct, frozen=True):
    """Dialect and columns of a CSV file.

    Attributes:
        delimiter: Character between values.
        quote: Character around values; empty if values are never quoted.
        escape: Character before a quote inside a quoted value; equal to `quote` if quotes are doubled.
        skip_lines: Number of lines above the header row.
        has_header: Whether the file has a header row.
        column_names: Column names in file order.
    """

    delimiter: str
    quote: str
    escape: str
    skip_lines: int
    has_header: bool
    column_names: tuple[str, ...]


def detect_dialect(
    head: str, name: str, options: SourceOptions, configured: Mapping[str, str | None] | None = None
) -> tuple[CsvDialect, list[str]]:
    """Return the dialect of a CSV file, and notes for the user.

    Args:
        head: First characters of the file, fewer than Python's limit of 128 Ki for one value.
        name: Name of the file in error messages.
        options: Settings of `[read]`; they take precedence over detection.
        configured: Column name by role, as in `[columns]`.

    Raises:
        SourceError: If there is no header row, a column name that a role needs occurs twice, or the
            configured delimiter does not divide the header.
    """
    configured = configured or {}
    skip_lines, body, sep_delimiter = _skip_to_header(head, options.skip_lines)
    if not body.strip():
        raise SourceError(f"{name} holds nothing but blank lines.", "look at how it was exported.")
    quote = '"' if options.quote is None else options.quote
    delimiter = options.delimiter or sep_delimiter or _best_delimiter(body, quote)
    notes = []
    if options.header and not options.skip_lines:
        known_delimiters = options.delimiter or sep_delimiter or delimiter + DELIMITERS.replace(delimiter, "")
        if titles := _find_titles(body, known_delimiters, quote):
            skip_lines, body, delimiter = skip_lines + titles.skip_lines, titles.body, titles.delimiter
            notes.append(title_note(titles.rows))
    if options.quote is None and _has_single_quoted_names(body, delimiter):
        quote = "'"
    escape = options.escape or _detect_escape(body, delimiter, quote)
    records = list(_records(body, delimiter, quote, escape))
    if not records:
        raise SourceError(
            f"The header of {name} can't be read: a quote in it is never closed.",
            "if quotes are ordinary characters in it, set read.quote = '' in rfm.toml.",
        )
    _check_delimiter(records[0], delimiter, name, options)
    position = names_by_position(configured, records[0]) if options.header else None
    has_header = options.header and position is None
    if len(records[0]) == 1:
        _check_title(body, quote, skip_lines, name)
    if delimiter != ",":
        notes.append(f"{_DELIMITER_LABELS.get(delimiter, repr(delimiter))} between values")
    if quote == "'":
        notes.append("values in single quotes")
    if has_header:
        named = unique_column_names(records[0], name, configured, may_repeat=True)
        names = named.names
        notes += [*header_notes(records[0]), *named.notes]
    else:
        names = tuple(f"column{number}" for number in range(1, len(records[0]) + 1))
        notes += [f"the first line is data, as no column is called {position!r}"] if position else []
    return CsvDialect(delimiter, quote, escape, skip_lines, has_header, names), notes


class _Titles(Struct, frozen=True):
    """Lines above the header row.

    Attributes:
        rows: Their cells.
        skip_lines: Number of these lines, blank ones included.
        delimiter: Delimiter of the header row and the records.
        body: The text from the header row on.
    """

    rows: list[list[str]]
    skip_lines: int
    delimiter: str
    body: str


def _find_titles(body: str, delimiters: str, quote: str) -> _Titles | None:
    """Return the lines above the header row if it is certain where the header row is; None if there are none.

    Args:
        body: Text from the first line that is not blank.
        delimiters: Delimiters to try; if the first one finds the header row in the first line, the others
            are not tried.
        quote: Quote character.
    """
    best, best_share = None, 0.0
    for delimiter in delimiters:
        rows = list(_lines_of_records(body, delimiter, quote))
        position = find_header([row for _, row in rows])
        if position == 0 and delimiter == delimiters[0]:
            return None
        if not position:
            continue
        end = rows[position - 1][0]
        lines = io.StringIO(body, newline="").readlines()
        above = lines[:end]
        # DuckDB counts a quoted line break as part of its line, and an unclosed quote hides the header row.
        if end != position or any(quote and line.count(quote) % 2 for line in above):
            continue
        widths = [len(row) for _, row in rows[position:] if row]
        share = widths.count(len(rows[position][1])) / len(widths)
        if share > best_share:
            titles = [row for _, row in rows[:position]]
            best, best_share = _Titles(titles, end, delimiter, "".join(lines[end:])), share
    return best


def _lines_of_records(body: str, delimiter: str, quote: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the first records, blank ones included, each with the number of lines up to its end."""
    reader = _reader(body, delimiter, quote, quote)
    try:
        for record in islice(reader, _MAX_RECORDS):
            yield reader.line_num, record
    except csv.Error:
        return


def read_records(body: str, dialect: CsvDialect) -> Iterator[tuple[int, list[str]]]:
    """Yield the records of a text, blank ones included, each with the number of lines up to its end.

    Args:
        body: Text that begins with a record.
        dialect: Its dialect.

    Raises:
        csv.Error: If a record can't be read.
    """
    reader = _reader(body, dialect.delimiter, dialect.quote, dialect.escape)
    for record in reader:
        yield reader.line_num, record


def _skip_to_header(head: str, skip_lines: int) -> tuple[int, str, str | None]:
    """Return the number of lines above the header, the text from the header on, and the delimiter of `sep=`.

    Excel writes the line `sep=;` above the header; the delimiter is None without such a line.
    """
    lines = list(io.StringIO(head, newline=""))
    skipped = skip_lines
    while skipped < len(lines) and not lines[skipped].strip():
        skipped += 1
    delimiter = None
    if skipped < len(lines) and (sep_line := _SEP_LINE.fullmatch(lines[skipped])):
        delimiter = sep_line[1]
        skipped += 1
    return skipped, "".join(lines[skipped:]), delimiter


def _records(
    body: str, delimiter: str, quote: str, escape: str, *, strict: bool = False
) -> Iterator[list[str]]:
    """Yield the first records that are not blank; `strict` raises csv.Error at misplaced quotes."""
    not_blank = (record for record in _reader(body, delimiter, quote, escape, strict=strict) if record)
    return islice(not_blank, _MAX_RECORDS)


def _reader(body: str, delimiter: str, quote: str, escape: str, *, strict: bool = False) -> Any:
    arguments = csv_arguments(delimiter, quote, escape)
    return csv.reader(io.StringIO(body, newline=""), strict=strict, **arguments)


def csv_arguments(delimiter: str, quote: str, escape: str) -> dict[str, Any]:
    """Return a dialect as arguments of Python's `csv.reader` and `csv.writer`."""
    return {
        "delimiter": delimiter,
        "quotechar": quote or None,
        "quoting": csv.QUOTE_MINIMAL if quote else csv.QUOTE_NONE,
        "doublequote": escape == quote,
        "escapechar": None if escape == quote or not quote else escape,
    }


def _best_delimiter(body: str, quote: str) -> str:
    """Return the delimiter with the best score; a comma if none divides the header.

    The score compares, in this order: the share of records with as many values as the header, the number of
    values that hold an odd number of quotes (fewer is better), and the number of values in the header.
    """
    best, best_score = ",", (0.0, -2.0, 1)
    for delimiter in DELIMITERS:
        try:
            records = list(_records(body, delimiter, quote, quote))
        except csv.Error:
            continue
        total = max(1, len(records))
        width = len(records[0]) if records else 0
        same_width = sum(len(record) == width for record in records) / total
        # A delimiter that occurs inside quoted values splits them, which leaves one quote in each part.
        split_values = (
            sum(any(value.count(quote) % 2 for value in record) for record in records) if quote else 0
        )
        score = (same_width, -split_values / total, width)
        if width > 1 and score > best_score:
            best, best_score = delimiter, score
    return best


def _has_single_quoted_names(body: str, delimiter: str) -> bool:
    header = next(_records(body, delimiter, "", ""), [])
    return bool(header) and all(len(name) > 1 and name[0] == name[-1] == "'" for name in header)


def _detect_escape(body: str, delimiter: str, quote: str) -> str:
    r"""Return the quote itself (quotes are doubled), or a backslash if some `\"` can't close its value."""
    if not quote or f"\\{quote}" not in body:
        return quote
    try:
        for _ in _records(body, delimiter, quote, quote, strict=True):
            pass
    except csv.Error as error:
        # The head may end inside a quoted value, which is no reason to assume backslashes.
        return quote if "unexpected end" in str(error) else "\\"
    return quote


def _check_title(body: str, quote: str, skip_lines: int, name: str) -> None:
    """Raise SourceError if the first line is a title: one value above records of equal width."""
    for delimiter in DELIMITERS:
        records = list(_records(body, delimiter, quote, quote))
        widths = [len(record) for record in records]
        usual_width = max(set(widths), key=widths.count)
        if usual_width >= 3 and widths.count(usual_width) > len(widths) / 2:
            lines_above = skip_lines + body[: body.index(delimiter)].count("\n")
            title = body.split("\n", 1)[0].strip()
            first = records[widths.index(usual_width)]
            no_header = " --no-header" if 2 * sum(map(is_value, first)) >= usual_width else ""
            raise question(
                "title_row",
                file=name,
                title=repr(title[:80]),
                width=usual_width,
                flags=f"--skip-lines {lines_above}{no_header}",
            )


def _check_delimiter(header: list[str], delimiter: str, name: str, options: SourceOptions) -> None:
    """Raise SourceError if the configured delimiter does not divide the header but another one does."""
    others = [other for other in DELIMITERS if other != delimiter and other in header[0]]
    if len(header) > 1 or not others or options.delimiter is None:
        return
    raise SourceError(
        f"With {delimiter!r} between values, {name} has a single column, {header[0][:80]!r}.",
        f"leave the delimiter out, so that it is detected, or give --delimiter {others[0]!r}.",
    )
