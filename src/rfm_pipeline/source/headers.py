"""Column names from header rows: checks for duplicates, names for unnamed columns, notes for the user."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from itertools import count

from rfm_pipeline.errors import SourceError


def unique_column_names(raw: Sequence[str], file: str) -> tuple[str, ...]:
    """Return the column names of a header row, spelled as in the file.

    Args:
        raw: Header values in column order.
        file: Name of the file in error messages.

    Returns:
        One name per column. An unnamed column is called `column<position>`, such as `column3`.

    Raises:
        SourceError: If a name occurs twice; as in SQL, names are compared case-insensitively.

    >>> unique_column_names(["ID", "", "amount"], "orders.csv")
    ('ID', 'column2', 'amount')
    """
    seen: dict[str, int] = {}
    for position, name in enumerate(raw, start=1):
        if not name.strip():
            continue
        first = seen.setdefault(name.lower(), position)
        if first != position:
            earlier = raw[first - 1]
            names = f"'{name}' twice" if earlier == name else f"'{earlier}' and a column '{name}'"
            raise SourceError(
                f"{file} has a column {names}: columns {first} and {position}.",
                "rename one of them in the file; upper and lower case count as the same.",
            )
    return tuple(
        name if name.strip() else _unused_name(position, seen) for position, name in enumerate(raw, start=1)
    )


def _unused_name(position: int, taken: dict[str, int]) -> str:
    candidates = (f"column{position}" + "_" * n for n in count())
    return next(name for name in candidates if name not in taken)


_VALUE = re.compile(r"\s*[-+]?\d+([.,]\d+)*\s*|\s*\d{4}-\d\d-\d\d.*")


def header_notes(raw: Sequence[str]) -> list[str]:
    """Return notes on header cells that look like values, and on columns without a name."""
    notes = []
    if values := [name for name in raw if _VALUE.fullmatch(name)]:
        notes.append(
            f"the first line was read as column names, although {values[0].strip()!r} looks like a value"
        )
    if unnamed := [str(position) for position, name in enumerate(raw, start=1) if not name.strip()]:
        notes.append(f"columns without a name: {', '.join(unnamed)}")
    return notes


def missing_column_notes(headers: Sequence[Sequence[str]]) -> list[str]:
    """Return up to four notes on columns that some files lack; their rows have NULL there.

    Args:
        headers: Column names of each file.
    """
    spellings = {name.lower(): name for header in reversed(headers) for name in reversed(header)}
    file_counts = Counter(name.lower() for header in headers for name in header)
    total = len(headers)
    notes = [
        f"{spellings[name]!r} is missing from {total - files} of {total} files"
        for name, files in file_counts.items()
        if files < total
    ]
    return notes[:3] + ([f"{len(notes) - 3} more columns are not in every file"] if notes[3:] else [])
