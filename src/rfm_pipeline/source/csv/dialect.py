"""How a CSV is written: what stands between its values and around them, and where its header is.

Found here rather than by DuckDB's sniffer, which also guesses at types, comments and lines to leave out:
each of those guesses can take a row away. This looks for nothing but the delimiter and the quotes, and what
it finds is written out in the query.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from itertools import islice

from msgspec import Struct

from rfm_pipeline.config.source import SourceOptions
from rfm_pipeline.errors import SourceError
from rfm_pipeline.source.headers import checked_names, header_notes

# At equal merit the earlier one: where both `;` and `,` cut evenly, the comma is a decimal mark.
DELIMITERS = "\t|;,"
_SPOKEN = {"\t": "tabs", "|": "vertical bars", ";": "semicolons", " ": "spaces"}
_RECORDS = 200
_EXCEL_HINT = re.compile(r'"?sep=(.)"?\s*', re.IGNORECASE)


class CsvDialect(Struct, frozen=True):
    """How a CSV is written.

    Attributes:
        delimiter: The character between values.
        quote: The character around values; empty where there is none.
        escape: The character before a quote inside a quoted value.
        skip: How many lines stand above the header.
        header: Whether there is one.
        names: The columns.
    """

    delimiter: str
    quote: str
    escape: str
    skip: int
    header: bool
    names: tuple[str, ...]


def find_dialect(head: str, name: str, options: SourceOptions) -> tuple[CsvDialect, list[str]]:
    """Finds how a CSV is written; what the options say wins.

    Args:
        head: The beginning of the file, shorter than Python's limit of 128 Ki for one value.
        name: What to call the file.
        options: What the user said.

    Returns:
        The dialect, and notes for a person.

    Raises:
        SourceError: There is no header, a column name comes twice, or the given delimiter is the wrong one.
    """
    skip, body, told = _above_the_header(head, options.skip_lines)
    if not body.strip():
        raise SourceError(f"{name} holds nothing but blank lines.", "look at how it was exported.")
    quote = '"' if options.quote is None else options.quote
    delimiter = options.delimiter or told or _best_delimiter(body, quote)
    if options.quote is None and _in_single_quotes(body, delimiter):
        quote = "'"
    escape = options.escape or _escape(body, delimiter, quote)
    records = list(_records(body, delimiter, quote, escape))
    if not records:
        raise SourceError(
            f"The header of {name} can't be read: a quote in it is never closed.",
            "if quotes are ordinary characters in it, set read.quote = '' in rfm.toml.",
        )
    _refuse_wrong_delimiter(records[0], delimiter, name, options)
    if len(records[0]) == 1:
        _refuse_title(body, quote, skip, name)
    notes = [f"{_SPOKEN.get(delimiter, repr(delimiter))} between values"] if delimiter != "," else []
    if quote == "'":
        notes.append("values in single quotes")
    if options.header:
        names = checked_names(records[0], name)
        notes += header_notes(records[0])
    else:
        names = tuple(f"column{position}" for position in range(1, len(records[0]) + 1))
    return CsvDialect(delimiter, quote, escape, skip, options.header, names), notes


def _above_the_header(head: str, skip_lines: int) -> tuple[int, str, str | None]:
    """How many lines to pass over, what follows, and the delimiter where Excel's `sep=` line tells it."""
    lines = list(io.StringIO(head, newline=""))
    skip = skip_lines
    while skip < len(lines) and not lines[skip].strip():
        skip += 1
    told = None
    if skip < len(lines) and (hint := _EXCEL_HINT.fullmatch(lines[skip])):
        told = hint[1]
        skip += 1
    return skip, "".join(lines[skip:]), told


def _records(
    body: str, delimiter: str, quote: str, escape: str, *, strict: bool = False
) -> Iterator[list[str]]:
    """The first records that are not blank."""
    reader = csv.reader(
        io.StringIO(body, newline=""),
        delimiter=delimiter,
        quotechar=quote or None,
        quoting=csv.QUOTE_MINIMAL if quote else csv.QUOTE_NONE,
        doublequote=escape == quote,
        escapechar=None if escape == quote or not quote else escape,
        strict=strict,
    )
    filled = (record for record in reader if record)
    return islice(filled, _RECORDS)


def _best_delimiter(body: str, quote: str) -> str:
    """The delimiter that cuts most records like the header, fewest quotes in two, and into most values."""
    best, best_merit = ",", (0.0, -2.0, 1)
    for delimiter in DELIMITERS:
        try:
            records = list(_records(body, delimiter, quote, quote))
        except csv.Error:
            continue
        width = len(records[0]) if records else 0
        alike = sum(len(record) == width for record in records) / max(1, len(records))
        # A delimiter that stands inside of quoted values leaves half of their quotes on either side.
        torn = sum(any(value.count(quote) % 2 for value in record) for record in records) if quote else 0
        merit = (alike, -torn / max(1, len(records)), width)
        if width > 1 and merit > best_merit:
            best, best_merit = delimiter, merit
    return best


def _in_single_quotes(body: str, delimiter: str) -> bool:
    header = next(_records(body, delimiter, "", ""), [])
    return bool(header) and all(len(name) > 1 and name[0] == name[-1] == "'" for name in header)


def _escape(body: str, delimiter: str, quote: str) -> str:
    r"""The quote itself, doubled, unless there is a `\"` that must not close its value."""
    if not quote or f"\\{quote}" not in body:
        return quote
    try:
        for _ in _records(body, delimiter, quote, quote, strict=True):
            pass
    except csv.Error as error:
        # The head may end inside of a quoted value.
        return quote if "unexpected end" in str(error) else "\\"
    return quote


def _refuse_title(body: str, quote: str, skip: int, name: str) -> None:
    """A line of one value above many lines that are cut alike is no header."""
    for delimiter in DELIMITERS:
        widths = [len(record) for record in _records(body, delimiter, quote, quote)]
        usual = max(set(widths), key=widths.count)
        if usual >= 3 and widths.count(usual) > len(widths) / 2:
            above = skip + body[: body.index(delimiter)].count("\n")
            title = body.split("\n", 1)[0].strip()
            raise SourceError(
                f"{name} begins with {title[:80]!r}, which is no header: below it are {usual} values a line.",
                f"set read.skip_lines = {above} in rfm.toml, or remove the lines above the header.",
            )


def _refuse_wrong_delimiter(header: list[str], delimiter: str, name: str, options: SourceOptions) -> None:
    others = [other for other in DELIMITERS if other != delimiter and other in header[0]]
    if len(header) > 1 or not others or options.delimiter is None:
        return
    raise SourceError(
        f"With {delimiter!r} between values, {name} has a single column, {header[0][:80]!r}.",
        f"leave the delimiter to be found, or give --delimiter {others[0]!r}.",
    )
