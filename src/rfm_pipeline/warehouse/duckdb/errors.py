"""What DuckDB says when a statement fails, as errors of ours: without its vocabulary, and with a hint."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rfm_pipeline.common.duckdb_engine import duckdb
from rfm_pipeline.common.duckdb_types import kind_of
from rfm_pipeline.common.formatting import lower_first
from rfm_pipeline.errors import DestinationError, LockedError, RfmError, SourceError, WarehouseError
from rfm_pipeline.source.base import OpenedSource
from rfm_pipeline.source.errors import explain_failure

UNCHANGED = "the earlier result is unchanged."

# What the operating system said, which DuckDB quotes at the end, within JSON or without.
_SYSTEM = re.compile(r'"\\?: (?P<reason>[A-Z][a-z][\w \-()]+?)\\?["}.]|"\\?: (?P<last>[A-Z][a-z][\w \-()]+)$')
_CAST = re.compile(
    r"Could not convert string '(?P<value>.*)' to (?P<type>\w+)"
    r"(?: when casting from source column (?P<column>.*))?"
)
_COMPARED = re.compile(r"Cannot compare values of type (?P<one>\S+) and type (?P<other>\S+)")
_NO_FUNCTION = re.compile(r'Function with name "?(?P<name>\w+)"? (does not exist|is not in the catalog)')
_DAMAGED = re.compile(r"corrupt|checksum|read enough bytes", re.IGNORECASE)
_LIMIT = re.compile(r"/(?P<limit>[\d.]+ \w+) used\)")
_NOT_SO_CALLED = re.compile(r"given name and argument types '(?P<call>[^']+)'")
_TABLE_FUNCTION = re.compile(r'"(?P<name>\w+)" is a table function')


@contextmanager
def translate_duckdb_errors(
    doing: str, source: OpenedSource | None = None, file: Path | None = None
) -> Iterator[None]:
    """Turns what DuckDB says into an error of ours.

    Args:
        doing: What is being done, as in `DuckDB could not ...`.
        source: The source, where a statement reads it: what is said may be about one of its files.
        file: The destination, where a statement reads or writes it.

    Raises:
        WarehouseError: Memory or disk ran out, or DuckDB failed for another reason.
        SourceError: The source can't be read to its end.
    """
    try:
        yield
    except RuntimeError as error:
        # What DuckDB makes of Ctrl-C.
        if str(error) == "Query interrupted":
            raise KeyboardInterrupt from None
        raise
    except duckdb.OutOfMemoryException as error:
        raise _out_of_memory(error, doing) from error
    except duckdb.Error as error:
        if file and _DAMAGED.search(str(error)):
            raise _damaged(file) from error
        about_source = explain_failure(error, source) if source else None
        raise about_source or _explanation(error, doing) from error


def _explanation(error: duckdb.Error, doing: str) -> RfmError:
    if cast := _CAST.search(str(error)):
        column = f" in the column `{cast['column'].strip()}`" if cast["column"] else ""
        return SourceError(
            f"The text '{cast['value']}'{column} can't be cast to {cast['type']}, as a condition asks.",
            "write TRY_CAST in place of CAST in the exclusion: it gives NULL where CAST fails.",
        )
    if isinstance(error, duckdb.OutOfRangeException):
        return SourceError(
            f"A number is too large to {doing}: {lower_first(first_line(error)).partition('. ')[0].rstrip('.')}.",
            "look for amounts of more than eighteen digits, and at arithmetic in exclusions.",
        )
    if isinstance(error, duckdb.InvalidInputException | duckdb.ConversionException):
        return SourceError(
            f"The source can't be read to the end: {lower_first(first_line(error))}",
            "look at how it was exported.",
        )
    reason = system_reason(error)
    if reason:
        return WarehouseError(
            f"DuckDB could not {doing}: {reason}.", f"look at the disk's room and permissions; {UNCHANGED}"
        )
    return WarehouseError(
        f"DuckDB could not {doing}: {lower_first(first_line(error))}", "`rfm --debug` shows all that it said."
    )


def _out_of_memory(error: duckdb.Error, doing: str) -> WarehouseError:
    limit = _LIMIT.search(str(error))
    # What did not fit into memory did not fit onto the disk either.
    if limit and "max_temp_directory_size" in str(error):
        return WarehouseError(
            f"DuckDB has too little room on disk to {doing}: its temporary folder holds {limit['limit']}.",
            "set duckdb.temp_directory to a folder with more room, or raise --memory-limit.",
        )
    why = f"its limit is {limit['limit']}." if limit else lower_first(first_line(error))
    return WarehouseError(
        f"DuckDB has too little memory to {doing}: {why}",
        "raise --memory-limit, or give duckdb.temp_directory more room.",
    )


def unopened(file: Path, error: duckdb.Error) -> RfmError:
    """Why a destination can't be opened."""
    if isinstance(error, duckdb.OutOfMemoryException):
        return _out_of_memory(error, f"open {file}")
    message = first_line(error)
    if _DAMAGED.search(message):
        return _damaged(file)
    if "valid DuckDB database" in message or "not a DuckDB database" in message:
        what = "is empty, and" if not file.stat().st_size else "is"
        return DestinationError(f"{file} {what} not a DuckDB database.", "choose another file with --to.")
    if "newer version" in message or "storage version" in message.casefold():
        return DestinationError(
            f"{file} was written by another version of DuckDB: {lower_first(message)}",
            "choose another file with --to, or bring duckdb to that version.",
        )
    reason = system_reason(error)
    return WarehouseError(
        f"{file} can't be opened: {reason or lower_first(message.rstrip('.'))}.",
        f"look at its permissions and at the disk, or choose another file with --to; {UNCHANGED}",
    )


def _damaged(file: Path) -> WarehouseError:
    return WarehouseError(
        f"{file} is damaged or incomplete.", "restore it from a copy, or choose another file with --to."
    )


def held(file: Path, holder: str) -> LockedError:
    """The error for a file that another process went on holding."""
    return LockedError(f"{file} is held by {holder}.", f"wait for it to end, or close it; {UNCHANGED}")


def objection(error: duckdb.Error) -> str:
    """What is wrong with a condition that DuckDB does not accept."""
    text = str(error)
    if match := _COMPARED.search(text):
        return f"it compares {_kind(match['one'])} with {_kind(match['other'])}"
    if match := _NO_FUNCTION.search(text):
        return f"there is no function {match['name']}"
    if match := _NOT_SO_CALLED.search(text):
        return f"there is no {match['call']}"
    if match := _TABLE_FUNCTION.search(text):
        return f"{match['name']} reads a table, and only values of the line itself can decide"
    if re.search(r"cannot contain (aggregates|window)|UNNEST not supported", text):
        return "it looks at several lines, and only values of the line itself can decide"
    return lower_first(first_line(error)).rstrip(".")


def not_boolean(duckdb_type: str) -> str:
    """What is wrong with a condition that is of another type."""
    return f"its value is {_kind(duckdb_type)}, not true or false"


def first_line(error: Exception) -> str:
    """The sentence in which DuckDB says what is wrong, without the name of its class."""
    line = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    line = re.sub(r"^[A-Z][A-Za-z ]* Error: ", "", line)
    return line if line.endswith((".", "!", "?")) else f"{line}."


def system_reason(error: Exception) -> str | None:
    """What the operating system said, in lower case: `no space left on device`."""
    match = _SYSTEM.search(str(error).splitlines()[0]) if str(error) else None
    return lower_first(match["reason"] or match["last"]) if match else None


def _kind(duckdb_type: str) -> str:
    if duckdb_type.endswith("_LITERAL"):
        return "a number" if duckdb_type.startswith(("INTEGER", "DECIMAL")) else "text"
    kind = str(kind_of(duckdb_type))
    return {"text": "text", "other": duckdb_type}.get(
        kind, "a number" if kind in {"integer", "decimal", "float"} else f"a {kind}"
    )
