"""Translation of DuckDB's errors about source files into one sentence for the user."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from rfm_pipeline.common.duckdb_engine import duckdb
from rfm_pipeline.errors import SourceError
from rfm_pipeline.source.base import OpenedSource
from rfm_pipeline.source.encoding import not_utf8_error
from rfm_pipeline.source.file_suffix import FileFormat
from rfm_pipeline.source.file_type import damaged_file_error

_FILE_PATTERNS = (
    re.compile(r"^\s*file = (?P<path>.+)$", re.MULTILINE),
    re.compile(r"\bfile \"(?P<path>[^\"\n]+)\""),
    re.compile(r"\bFile '(?P<path>[^\n]+)'", re.IGNORECASE),
    re.compile(r"stream: (?P<path>.+)$", re.MULTILINE),
    re.compile(r"the pattern \"(?P<path>[^\n]+)\"$", re.MULTILINE),
)
_CSV_LINE = re.compile(r"CSV Error on Line: (?P<line>\d+)")
_CSV_WIDTH = re.compile(r"Expected Number of Columns: (?P<expected>\d+) Found: (?P<actual>\d+)")
_JSON_RECORD = re.compile(r"in (?:line|record/value) (\d+)")
_JSON_TYPE = re.compile(r"Expected OBJECT, but got \w+: (?P<value>.*)")
_PARQUET_ERROR = re.compile(
    r"parquet|thrift|snappy|zstd|decompress|TProtocol|page header|don't know what type", re.IGNORECASE
)

_CAST_FAILURE = re.compile(r"Could not convert string '(?P<value>.*)' to (?P<type>\w+)")

SQL_FORMAT = "SQL"
"""`OpenedSource.format` of a query."""


def to_source_error(error: Exception, source: OpenedSource) -> SourceError | None:
    """Return the error for the user if a failed query failed because of its source.

    Args:
        error: DuckDB's error, raised while a query read `source.relation`.
        source: Source of the query.

    Returns:
        The error to raise, or None if the source is not the cause.
    """
    name = str(source.files[0]) if len(source.files) == 1 else source.label
    # If values contain line breaks, DuckDB reports record numbers as line numbers.
    unit = "record" if "parallel = false" in source.relation else "line"
    return _translate(str(error), source.format, source.copies, name, unit)


@contextmanager
def translate_read_errors(
    format_: str, copies: Mapping[str, str], name: str, unit: str = "line"
) -> Iterator[None]:
    """Translate DuckDB's errors about a file that is being opened.

    Args:
        format_: Format of the file.
        copies: Name of the user's file by the path of its temporary copy.
        name: Name of the file if DuckDB's message does not contain one.
        unit: What DuckDB's line numbers count in a CSV file: `line` or `record`.

    Raises:
        SourceError: If DuckDB can't read the file.
    """
    try:
        yield
    except duckdb.OutOfMemoryException:
        raise  # not caused by the file
    except duckdb.Error as error:
        translated = _translate(str(error), format_, copies, name, unit)
        raise translated or SourceError(
            f"{name} can't be read as {format_}.", "look at how it was exported."
        ) from error


def _translate(
    text: str, format_: str, copies: Mapping[str, str], name: str, unit: str
) -> SourceError | None:
    if matches := [match for pattern in _FILE_PATTERNS for match in pattern.finditer(text)]:
        # DuckDB prints the line at fault, which may match too; its own file name comes last.
        path = matches[-1]["path"].strip()
        name = copies.get(path, path)
    if "No files found that match" in text:
        return SourceError(f"{name} was removed during the run.", "run again when the file is back.")
    if re.search(r"GZIP stream|frame descriptor|ZSTD", text):
        return damaged_file_error(name)
    if format_ == FileFormat.CSV:
        return _csv_error(text, name, unit)
    if format_ == FileFormat.JSON:
        return _json_error(text, name)
    if format_ == FileFormat.PARQUET and _PARQUET_ERROR.search(text):
        return damaged_file_error(name)
    if format_ == SQL_FORMAT:
        return _query_error(text, copies, name)
    return None


def _query_error(text: str, copies: Mapping[str, str], name: str) -> SourceError | None:
    """Return the error for a file that a query reads, or for a failed cast; the message tells the format."""
    formats = [FileFormat.CSV, FileFormat.PARQUET]
    formats += [FileFormat.JSON] if "json" in text.casefold() else []
    for format_ in formats:
        if error := _translate(text, format_, copies, name, "line"):
            return error
    if cast := _CAST_FAILURE.search(text):
        return SourceError(
            f"{name}: the text '{cast['value']}' can't be cast to {cast['type']}.",
            "write TRY_CAST in place of CAST in the query or the exclusion: it returns NULL for such values.",
        )
    return None


def _csv_error(text: str, name: str, unit: str) -> SourceError | None:
    if "Parallel CSV Reader" in text:
        return SourceError(
            f"{name} holds 32 MB without a record.", "remove the blank lines between and below its records."
        )
    if "state machine reached an invalid state" in text:
        return SourceError(
            f"{name} has more than one kind of line end.", "save it with one kind of line end."
        )
    # DuckDB pushes a query's CAST into the reader, which then reports a failed cast as an error of the line.
    if "Error when converting column" in text or not (location := _CSV_LINE.search(text)):
        return None
    where = f"{name}, {unit} {int(location['line']):,}"
    if width := _CSV_WIDTH.search(text):
        return width_error(where, int(width["actual"]), int(width["expected"]))
    if "unterminated quote" in text:
        return unclosed_quote_error(where)
    if "Invalid unicode" in text:
        return not_utf8_error(where)
    if re.search(r"maximum line size|line size of", text, re.IGNORECASE):
        return long_line_error(where)
    return SourceError(f"{where}: it can't be read.", "look at its quotes and its delimiters.")


def unclosed_quote_error(where: str) -> SourceError:
    """Return the error for a quote that is never closed, or closes in the middle of a value.

    Args:
        where: File and line.
    """
    return SourceError(
        f"{where}: a quoted value does not end where it should.",
        "double each quote inside a quoted value; if quotes are ordinary characters, set read.quote = ''"
        " in rfm.toml, and if a backslash precedes each quote inside a value, read.escape = '\\'.",
    )


def long_line_error(where: str) -> SourceError:
    """Return the error for a line that is longer than DuckDB reads.

    Args:
        where: File and line.
    """
    return SourceError(
        f"{where}: it is longer than 2 MB.",
        "look for missing line breaks, or for a quote that is never closed: it joins all that follows into"
        " one line.",
    )


def width_error(where: str, actual: int, expected: int) -> SourceError:
    """Return the error for a line with more or fewer values than the header.

    Args:
        where: File and line.
        actual: Number of values of the line.
        expected: Number of columns.
    """
    if actual > expected:
        # DuckDB stops counting at the first surplus value, so `actual` is too low to be shown.
        return SourceError(
            f"{where}: it has more values than the {expected} columns of the header.",
            "put values that contain the delimiter in quotes; if another character is between values, name it"
            " with --delimiter CHARACTER.",
        )
    return SourceError(
        f"{where}: it has {actual} of the {expected} values of the header.",
        "write missing values as empty values, or remove the line if it is cut off or holds no data.",
    )


def _json_error(text: str, name: str) -> SourceError | None:
    location = _JSON_RECORD.search(text)
    # DuckDB counts objects, and counts one too many if an object can't be parsed.
    number = int(location[1]) - ("Malformed" in text) if location else 0
    where = f"{name}, record {number:,}" if location else name
    if "maximum_object_size" in text:
        return SourceError(
            f"{name} contains an object of more than 16 MB.",
            "write one object per row; extract the list of rows from the object around it.",
        )
    if "expected records" in text:
        return SourceError(
            f"{name} does not contain objects.", 'write one object per row: [{"order_id": ...}, ...].'
        )
    if nested := _JSON_TYPE.search(text):
        value = nested["value"].splitlines()[0][:60]
        return SourceError(f"{where}: an object was expected, and {value} found.", "correct that record.")
    if "uplicate" in text:
        return SourceError(
            f"{where}: an object has a key twice.",
            "rename one of them; upper and lower case count as the same.",
        )
    if "invalid UTF-8" in text:
        return not_utf8_error(where)
    if "Malformed JSON" in text:
        # DuckDB may append the query in further lines.
        message = text[text.index("Malformed JSON") :].splitlines()[0]
        reason = message.rpartition(": ")[2].rstrip(". ")
        return SourceError(
            f"{where}: it is not valid JSON ({reason}).", "the file may be cut off; export it again."
        )
    return SourceError(f"{where} can't be read as JSON.", "export it again.") if location else None
