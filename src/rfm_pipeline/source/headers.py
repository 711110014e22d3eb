"""Column names from header rows: checks for duplicates, names for unnamed columns, notes for the user."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from itertools import count

from msgspec import Struct

from rfm_pipeline.config import vocabulary
from rfm_pipeline.config.column_mapping import flag, normalize_name, shell_word
from rfm_pipeline.config.column_names import meaning_of, role_of_name
from rfm_pipeline.config.questions import question
from rfm_pipeline.errors import SourceError


class NamedColumns(Struct, frozen=True):
    """Column names of a header row.

    Attributes:
        names: One distinct name per column.
        notes: Notes on names that differ from the header row.
    """

    names: tuple[str, ...]
    notes: tuple[str, ...] = ()


def unique_column_names(
    raw: Sequence[str],
    file: str,
    configured: Mapping[str, str | None] | None = None,
    *,
    may_repeat: bool = False,
) -> NamedColumns:
    """Return the column names of a header row, spelled as in the file.

    An unnamed column is called `column<position>`, such as `column3`. A name that occurs again is numbered:
    the second `Name` is `Name_2`. As in SQL, names are compared case-insensitively.

    Args:
        raw: Header values in column order.
        file: Name of the file in error messages.
        configured: Column name by role, as in `[columns]`.
        may_repeat: Whether a name that no role needs may occur twice.

    Raises:
        SourceError: If a name occurs twice, and a role needs one of these columns or none may occur twice.

    >>> unique_column_names(["ID", "", "amount"], "orders.csv").names
    ('ID', 'column2', 'amount')
    """
    configured = configured or {}
    positions: dict[str, list[int]] = {}
    for position, name in enumerate(raw):
        if name.strip():
            positions.setdefault(name.lower(), []).append(position)
    names = list(raw)
    taken = set(positions)
    notes = []
    for repeated in (columns for columns in positions.values() if len(columns) > 1):
        # All columns are numbered if a role may need one of them, so that `Name_1` chooses the first.
        numbered = {
            column: _numbered(raw[column], number, taken) for number, column in enumerate(repeated, 1)
        }
        chosen = {name.casefold() for name in configured.values() if name}
        is_chosen = any(name.casefold() in chosen for name in numbered.values())
        needs_role = may_repeat and not is_chosen
        role = _needing_role(raw[repeated[0]], configured) if needs_role else None
        if role or not may_repeat:
            raise _duplicate_name_error(raw, repeated, list(numbered.values()), role, file)
        for column in repeated if is_chosen else repeated[1:]:
            names[column] = numbered[column]
            taken.add(numbered[column].lower())
            notes.append(
                f"column {column + 1}, another `{raw[column].strip()}`, is called `{numbered[column]}`"
            )
    for position, name in enumerate(names, start=1):
        if not name.strip():
            names[position - 1] = _unused_name(position, taken)
    return NamedColumns(tuple(names), tuple(notes[:3]))


def _numbered(name: str, number: int, taken: Collection[str]) -> str:
    candidates = (f"{name.strip()}_{number}" + "_" * n for n in count())
    return next(candidate for candidate in candidates if candidate.lower() not in taken)


def _needing_role(name: str, configured: Mapping[str, str | None]) -> str | None:
    """Return the role that would take a column of this name: as configured, or by its known name."""
    for role, column in configured.items():
        if column is not None and column.casefold() == name.casefold():
            return role
    role_by_name = role_of_name(name)
    return None if role_by_name is None or configured.get(role_by_name) else role_by_name


def _duplicate_name_error(
    raw: Sequence[str], positions: Sequence[int], numbered: Sequence[str], role: str | None, file: str
) -> SourceError:
    first, other = positions[:2]
    earlier, name = raw[first], raw[other]
    names = f"'{name}' twice" if earlier == name else f"'{earlier}' and a column '{name}'"
    if role is None:
        return SourceError(
            f"{file} has a column {names}: columns {first + 1} and {other + 1}.",
            "rename one of them; upper and lower case count as the same.",
        )
    return question(
        "duplicate_column",
        file=file,
        names=names,
        first=first + 1,
        other=other + 1,
        role=role,
        flag=flag(role),
        first_word=shell_word(numbered[0]),
        other_word=shell_word(numbered[1]),
    )


def names_by_position(configured: Mapping[str, str | None], header: Sequence[str]) -> str | None:
    """Return a configured name such as `column1` that only a file without a header row has; None if none.

    Args:
        configured: Column name by role.
        header: Cells of the first row.
    """
    names = {name.strip().casefold() for name in header}
    return next(
        (
            name
            for name in configured.values()
            if name and _POSITION.fullmatch(name) and name.casefold() not in names
        ),
        None,
    )


_POSITION = re.compile(r"column[1-9]\d*", re.IGNORECASE)


class UnitedHeaders(Struct, frozen=True):
    """Headers of several files, whose columns of one meaning have one name.

    Attributes:
        headers: Column names of each file.
        notes: Notes on columns that were renamed.
    """

    headers: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()


# Columns that mean the same under another known name. Two names of a customer may be two kinds of id.
_OTHER_AMOUNT = re.compile(r"net|gross|grand|brut|lord|tax|vat|mwst|[^\w\s.,#°/-]", re.IGNORECASE)
_UNITED_ROLES = ("order_id", "ordered_at", "amount", "quantity", "unit_price")


def unite_headers(
    headers: Sequence[Sequence[str]], configured: Mapping[str, str | None] | None = None
) -> UnitedHeaders:
    """Return the headers of files of one table with one spelling of each name, the first file's.

    Names are equal if they differ in case, blanks and punctuation only, or if in each file one column alone
    has a known name of the same role, such as `amount` and `Total`. A configured name takes precedence.

    Args:
        headers: Column names of each file.
        configured: Column name by role, as in `[columns]`.
    """
    united = [list(header) for header in headers]
    if len({tuple(header) for header in headers}) < 2:
        return UnitedHeaders(tuple(map(tuple, united)))
    chosen = {name.casefold() for name in (configured or {}).values() if name}
    renamed: dict[tuple[str, str], None] = {}
    for key, group in ((normalize_name, normalize_name), (_role_key, role_of_name)):
        targets = _new_names(united, key, group, chosen)
        for header in united:
            for column, name in enumerate(header):
                if name in targets:
                    renamed[name, targets[name]] = None
                    header[column] = targets[name]
    texts = [f"`{name}` is read as `{target}`" for name, target in renamed]
    more = f" and {len(texts) - 4} more" if texts[4:] else ""
    notes = (f"column names united: {', '.join(texts[:4])}{more}",) if texts else ()
    return UnitedHeaders(tuple(map(tuple, united)), notes)


def _new_names(
    headers: Sequence[Sequence[str]],
    key: Callable[[str], str],
    group: Callable[[str], str | None],
    chosen: Collection[str],
) -> dict[str, str]:
    """Return the new name of each column that has another name in an earlier file.

    Args:
        headers: Column names of each file.
        key: Returns what equal columns have in common; empty text for a column that is equal to none.
        group: Returns what columns have in common of which a file may have only one.
        chosen: Configured names, case-folded.
    """
    spellings: dict[str, list[str]] = {}
    ambiguous = set()
    for header in headers:
        counts = Counter(map(group, header))
        ambiguous |= {key(name) for name in header if counts[group(name)] > 1}
        for name in header:
            spellings.setdefault(key(name), []).append(name)
    targets: dict[str, str] = {}
    for text, names in spellings.items():
        # If a file has two columns of one meaning, none of them is certain.
        if text and text not in ambiguous:
            target = next((name for name in names if name.casefold() in chosen), names[0])
            targets |= {name: target for name in names if name.lower() != target.lower()}
    return targets


def _role_key(name: str) -> str:
    """Return the role and the kind of a name; empty if a currency or a tax in it makes it another amount."""
    meaning = meaning_of(name)
    if meaning is None or meaning.role not in _UNITED_ROLES:
        return ""
    words = {*re.split(r"[\W_]+", name.upper())}
    if _OTHER_AMOUNT.search(name) or not words.isdisjoint(vocabulary.load("currencies")["codes"]):
        return ""
    return f"{meaning.role} {meaning.kind}"


def _unused_name(position: int, taken: Collection[str]) -> str:
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
