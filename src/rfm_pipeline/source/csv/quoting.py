"""Check that every quote of a CSV file opens or closes a value.

If values contain line breaks, DuckDB must read a CSV file with `parallel = false`; DuckDB 2.0 then drops a
quoted value that is never closed, and all that follows it, without an error. Counting quotes shows whether
the last value is closed, provided that no quote is inside an unquoted value. The check takes 3 to 5 s per
gigabyte.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import BinaryIO

_CHUNK_SIZE = 1 << 18


def has_well_formed_quotes(stream: BinaryIO, delimiter: str, quote: str) -> bool:
    """Return whether each quoted value starts after a delimiter, ends before one, and the last one is closed.

    Args:
        stream: Text in UTF-8.
        delimiter: Character between values; a line end also separates values.
        quote: Character around values, doubled inside them.
    """
    mark = quote.encode()
    separators = re.escape(delimiter.encode() + mark) + rb"\r\n"
    # In the text outside of quoted values: a quote with something else than a separator beside it.
    misplaced = re.compile(
        b"%b(?:(?<=[^%b]%b)|(?=[^%b]))" % (re.escape(mark), separators, re.escape(mark), separators)
    )
    is_inside = 0
    for lines in _whole_lines(stream):
        parts = lines.split(mark)
        ends_inside = (is_inside + len(parts) - 1) % 2
        # Each quoted value is replaced by one quote, including values that continue across these lines.
        outside = mark * is_inside + mark.join(parts[is_inside::2]) + mark * ends_inside
        if misplaced.search(outside):
            return False
        is_inside = ends_inside
    return not is_inside


def _whole_lines(stream: BinaryIO) -> Iterator[bytes]:
    """Yield chunks that end at a line end, so that each quote is in one chunk with its neighbours."""
    pending = b""
    while chunk := stream.read(_CHUNK_SIZE):
        pending += chunk
        end = max(pending.rfind(b"\n"), pending.rfind(b"\r")) + 1
        if end:
            yield pending[:end]
            pending = pending[end:]
    if pending:
        yield pending
