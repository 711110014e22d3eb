"""Whether the last quoted value of a CSV is ever closed.

Where values hold line breaks, DuckDB must read a CSV in one piece (`parallel = false`), and then DuckDB 2.0
leaves out a quoted value that is never closed, and all that follows it, without a word. So such a file is
looked at once more. If every quote stands where it should, which takes 3 to 5 s a gigabyte to see, then
counting them is enough; otherwise Python's parser decides, at 12 s.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from itertools import chain
from typing import BinaryIO

_CHUNK = 1 << 18
_SENTINEL = "\x01end\x01"


def quotes_are_in_place(stream: BinaryIO, delimiter: str, quote: str) -> bool:
    """Whether each quoted value begins after a delimiter, ends before one, and the last one ends at all.

    Args:
        stream: The text in UTF-8.
        delimiter: The character between values; a line end serves as well.
        quote: The character around values, doubled inside of them.
    """
    mark = quote.encode()
    beside = re.escape(delimiter.encode() + mark) + rb"\r\n"
    # Between the quoted values: a quote with something else than a delimiter next to it.
    stray = re.compile(b"%b(?:(?<=[^%b]%b)|(?=[^%b]))" % (re.escape(mark), beside, re.escape(mark), beside))
    inside = 0
    for lines in _whole_lines(stream):
        parts = lines.split(mark)
        if stray.search(mark.join(parts[inside::2])):
            return False
        inside = (inside + len(parts) - 1) % 2
    return not inside


def unclosed_quote(stream: BinaryIO, delimiter: str, quote: str, escape: str) -> int | None:
    """The line in which the last record begins, if that record holds a quoted value that is never closed.

    Args:
        stream: The text in UTF-8.
        delimiter: The character between values.
        quote: The character around values.
        escape: The character before a quote inside of them.

    Returns:
        The number of the line, counted from 1; None where all is well.
    """
    text = io.TextIOWrapper(stream, "utf-8-sig", errors="replace", newline="")

    # The parser ends a record with each line that it is given, unless a quoted value is open.
    reader = csv.reader(
        chain(text, [_SENTINEL]),
        delimiter=delimiter,
        quotechar=quote,
        doublequote=escape == quote,
        escapechar=None if escape == quote else escape,
        # DuckDB, too, takes a quote after blanks for an opening one.
        skipinitialspace=True,
    )
    begins, last = 1, []
    try:
        while True:
            line = reader.line_num + 1
            last = next(reader)
            begins = line
    except StopIteration:
        return None if last == [_SENTINEL] else begins
    except csv.Error:
        # A value of more than 128 Ki characters.
        return line
    finally:
        text.detach()


def _whole_lines(stream: BinaryIO) -> Iterator[bytes]:
    """The text in pieces that end at a line end, so that no quote is cut off from what stands beside it."""
    held = b""
    while chunk := stream.read(_CHUNK):
        held += chunk
        cut = max(held.rfind(b"\n"), held.rfind(b"\r")) + 1
        if cut:
            yield held[:cut]
            held = held[cut:]
    if held:
        yield held
