"""Whether each quote of a CSV stands where it should.

Where values hold line breaks, DuckDB must read a CSV in one piece (`parallel = false`), and then DuckDB 2.0
leaves out a quoted value that is never closed, and all that follows it, without a word. Counting quotes shows
that the last one is closed, if every quote stands where it should; to see that takes 3 to 5 s a gigabyte.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import BinaryIO

_CHUNK = 1 << 18


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
        ends_inside = (inside + len(parts) - 1) % 2
        # What is outside, with a quote for each quoted value, also for those that lines begin or end in.
        outside = mark * inside + mark.join(parts[inside::2]) + mark * ends_inside
        if stray.search(outside):
            return False
        inside = ends_inside
    return not inside


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
