"""Translation of DuckDB errors into `RfmError`s: one plain sentence and a hint."""

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
from rfm_pipeline.source.errors import to_source_error

UNCHANGED = "the earlier result is unchanged."

# Message of the operating system, which DuckDB appends, inside JSON or as plain text.
_SYSTEM_MESSAGE = re.compile(
    r'"\\?: (?P<reason>[A-Z][a-z][\w \-()]+?)\\?["}.]|"\\?: (?P<last>[A-Z][a-z][\w \-()]+)$'
)
_CAST_FAILURE = re.compile(
    r"Could not convert string '(?P<value>.*)' to (?P<type>\w+)"
    r"(?: when casting from source column (?P<column>.*))?"
)
_TYPE_MISMATCH = re.compile(r"Cannot compare values of type (?P<one>\S+) and type (?P<other>\S+)")
_UNKNOWN_FUNCTION = re.compile(r'Function with name "?(?P<name>\w+)"? (does not exist|is not in the catalog)')
_DAMAGED_FILE = re.compile(r"corrupt|checksum|read enough bytes", re.IGNORECASE)
_MEMORY_LIMIT = re.compile(r"/(?P<limit>[\d.]+ \w+) used\)")
_WRONG_ARGUMENTS = re.compile(r"given name and argument types '(?P<call>[^']+)'")
_TABLE_FUNCTION = re.compile(r'"(?P<name>\w+)" is a table function')


@contextmanager
def translate_duckdb_errors(
    doing: str, source: OpenedSource | None = None, file: Path | None = None
) -> Iterator[None]:
    """Raise an `RfmError` in place of an error that DuckDB raises in the `with` block.

    Args:
        doing: What the block does, to complete the sentence `DuckDB could not ...`.
        source: The source, if the block reads it; the error may be about one of its files.
        file: The destination file, if the block reads or writes it.

    Raises:
        WarehouseError: If memory or disk space ran out, or DuckDB failed for another reason.
        SourceError: If the source can't be read to its end.
        KeyboardInterrupt: If DuckDB was interrupted.
    """
    try:
        yield
    except RuntimeError as error:
        # DuckDB reports Ctrl-C as a RuntimeError.
        if str(error) == "Query interrupted":
            raise KeyboardInterrupt from None
        raise
    except duckdb.OutOfMemoryException as error:
        raise _out_of_memory_error(error, doing) from error
    except duckdb.Error as error:
        if file and _DAMAGED_FILE.search(str(error)):
            raise _damaged_file_error(file) from error
        source_error = to_source_error(error, source) if source else None
        raise source_error or to_rfm_error(error, doing) from error


def to_rfm_error(error: duckdb.Error, doing: str) -> RfmError:
    """Return the `RfmError` for an error that is not about memory and names no file of the source."""
    if cast := _CAST_FAILURE.search(str(error)):
        column = f" in the column `{cast['column'].strip()}`" if cast["column"] else ""
        return SourceError(
            f"The text '{cast['value']}'{column} can't be cast to {cast['type']}, as a condition requires.",
            "write TRY_CAST in place of CAST in the exclusion: it returns NULL for such values.",
        )
    if isinstance(error, duckdb.OutOfRangeException):
        problem = lower_first(first_sentence(error)).partition(". ")[0].rstrip(".")
        return SourceError(
            f"A number is too large to {doing}: {problem}.",
            "look for amounts of more than eighteen digits, and check the arithmetic in exclusions.",
        )
    if isinstance(error, duckdb.InvalidInputException | duckdb.ConversionException):
        return SourceError(
            f"The source can't be read to the end: {lower_first(first_sentence(error))}",
            "check how the file was exported.",
        )
    reason = system_reason(error)
    if reason:
        return WarehouseError(
            f"DuckDB could not {doing}: {reason}.",
            f"check the disk's free space and the permissions; {UNCHANGED}",
        )
    return WarehouseError(
        f"DuckDB could not {doing}: {lower_first(first_sentence(error))}",
        "`rfm --debug` shows DuckDB's whole message.",
    )


def _out_of_memory_error(error: duckdb.Error, doing: str) -> WarehouseError:
    limit = _MEMORY_LIMIT.search(str(error))
    # DuckDB had to spill because the memory was full, and the disk was full too.
    if limit and "max_temp_directory_size" in str(error):
        return WarehouseError(
            f"DuckDB has too little disk space to {doing}: its temporary folder holds {limit['limit']}.",
            "set duckdb.temp_directory to a folder with more free space, or raise --memory-limit.",
        )
    detail = f"its limit is {limit['limit']}." if limit else lower_first(first_sentence(error))
    return WarehouseError(
        f"DuckDB has too little memory to {doing}: {detail}",
        "raise --memory-limit, or set duckdb.temp_directory to a folder with more free space.",
    )


def attach_error(file: Path, error: duckdb.Error) -> RfmError:
    """Return the error for a destination file that can't be attached."""
    if isinstance(error, duckdb.OutOfMemoryException):
        return _out_of_memory_error(error, f"open {file}")
    message = first_sentence(error)
    if _DAMAGED_FILE.search(message):
        return _damaged_file_error(file)
    if "valid DuckDB database" in message or "not a DuckDB database" in message:
        is_empty = not file.stat().st_size
        return DestinationError(
            f"{file} is {'empty, and ' if is_empty else ''}not a DuckDB database.",
            "choose another file with --to.",
        )
    if "newer version" in message or "storage version" in message.casefold():
        return DestinationError(
            f"{file} was written by another version of DuckDB: {lower_first(message)}",
            "choose another file with --to, or install that version of duckdb.",
        )
    reason = system_reason(error)
    return WarehouseError(
        f"{file} can't be opened: {reason or lower_first(message.rstrip('.'))}.",
        f"check its permissions and the disk, or choose another file with --to; {UNCHANGED}",
    )


def _damaged_file_error(file: Path) -> WarehouseError:
    return WarehouseError(
        f"{file} is damaged or incomplete.", "restore it from a backup, or choose another file with --to."
    )


def file_locked_error(file: Path, holder: str) -> LockedError:
    """Return the error for a file that another process kept locked until the timeout."""
    return LockedError(f"{file} is held by {holder}.", f"wait for it to end, or close it; {UNCHANGED}")


def describe_condition_error(error: duckdb.Error) -> str:
    """Return the reason why DuckDB rejects a condition, as a clause that follows a colon."""
    text = str(error)
    if match := _TYPE_MISMATCH.search(text):
        return f"it compares {_type_label(match['one'])} with {_type_label(match['other'])}"
    if match := _UNKNOWN_FUNCTION.search(text):
        return f"there is no function {match['name']}"
    if match := _WRONG_ARGUMENTS.search(text):
        return f"there is no {_with_plain_types(match['call'])}"
    if match := _TABLE_FUNCTION.search(text):
        return f"{match['name']} reads a table; a condition can use only values of its own line"
    if re.search(r"cannot contain (aggregates|window)|UNNEST not supported", text):
        return "it reads several lines; a condition can use only values of its own line"
    reason = lower_first(first_sentence(error)).rstrip(".").removesuffix(" - an explicit cast is required")
    return _with_plain_types(reason)


def describe_non_boolean(duckdb_type: str) -> str:
    """Return the reason why a condition of this type is rejected."""
    return f"its value is {_type_label(duckdb_type)}, not true or false"


def first_sentence(error: Exception) -> str:
    """Return the first line of DuckDB's message as a sentence, without the error class before it."""
    line = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    line = re.sub(r"^[A-Z][A-Za-z ]* Error: ", "", line)
    return line if line.endswith((".", "!", "?")) else f"{line}."


def system_reason(error: Exception) -> str | None:
    """Return the operating system's message in an error, such as `no space left on device`, or None."""
    match = _SYSTEM_MESSAGE.search(str(error).splitlines()[0]) if str(error) else None
    return lower_first(match["reason"] or match["last"]) if match else None


def _with_plain_types(text: str) -> str:
    """Return a text of DuckDB with `number` and `text` in place of the names that users do not write."""
    return re.sub(
        r"(?P<literal>\w+)_LITERAL|VARCHAR",
        lambda match: "number" if match["literal"] in {"INTEGER", "DECIMAL"} else "text",
        text,
    )


def _type_label(duckdb_type: str) -> str:
    if duckdb_type.endswith("_LITERAL"):
        return "a number" if duckdb_type.startswith(("INTEGER", "DECIMAL")) else "text"
    kind = str(kind_of(duckdb_type))
    return {"text": "text", "other": duckdb_type}.get(
        kind, "a number" if kind in {"integer", "decimal", "float"} else f"a {kind}"
    )
