"""The columns of an opened source: their names checked, their DuckDB types taken to kinds."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from itertools import count

from rfm_pipeline.errors import SourceError


def checked_names(raw: Sequence[str], file: str) -> tuple[str, ...]:
    """The column names of a header, exactly as they stand there.

    Args:
        raw: What the header holds, column by column.
        file: What to call the file in an error.

    Returns:
        The names; a column without one is called after its position, `column3`.

    Raises:
        SourceError: A name comes twice. Case does not tell two names apart, here as in SQL.
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
        name if name.strip() else _free_name(position, seen) for position, name in enumerate(raw, start=1)
    )


def _free_name(position: int, taken: dict[str, int]) -> str:
    candidates = (f"column{position}" + "_" * n for n in count())
    return next(name for name in candidates if name not in taken)


_DATA = re.compile(r"\s*[-+]?\d+([.,]\d+)*\s*|\s*\d{4}-\d\d-\d\d.*")


def header_notes(raw: Sequence[str]) -> list[str]:
    """What a person wants to know about a header: values in place of names, columns without a name."""
    notes = []
    if values := [name for name in raw if _DATA.fullmatch(name)]:
        notes.append(
            f"the first line was taken for column names, though {values[0].strip()!r} looks like a value"
        )
    if nameless := [str(position) for position, name in enumerate(raw, start=1) if not name.strip()]:
        notes.append(f"no name above column {', '.join(nameless)}")
    return notes


def missing_columns(headers: Sequence[Sequence[str]]) -> list[str]:
    """Notes on the columns that some of the files lack, whose rows have NULL there.

    Args:
        headers: The names in each file.
    """
    spellings = {name.lower(): name for header in reversed(headers) for name in reversed(header)}
    having = Counter(name.lower() for header in headers for name in header)
    every = len(headers)
    gaps = [
        f"{spellings[name]!r} is missing from {every - times} of {every} files"
        for name, times in having.items()
        if times < every
    ]
    return gaps[:3] + ([f"{len(gaps) - 3} more columns are not in every file"] if gaps[3:] else [])
