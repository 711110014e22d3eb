"""What DuckDB says when a file can't be read, in one sentence."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from rfm_pipeline.common.duckdb_engine import duckdb
from rfm_pipeline.errors import SourceError
from rfm_pipeline.source.base import OpenedSource
from rfm_pipeline.source.encoding import not_utf8
from rfm_pipeline.source.file_suffix import Format
from rfm_pipeline.source.file_type import damaged

_FILES = (
    re.compile(r"^\s*file = (?P<path>.+)$", re.MULTILINE),
    re.compile(r"\bfile \"(?P<path>[^\"\n]+)\""),
    re.compile(r"\bFile '(?P<path>[^\n]+)'", re.IGNORECASE),
    re.compile(r"stream: (?P<path>.+)$", re.MULTILINE),
    re.compile(r"the pattern \"(?P<path>[^\n]+)\"$", re.MULTILINE),
)
_CSV_LINE = re.compile(r"CSV Error on Line: (?P<line>\d+)")
_WIDTH = re.compile(r"Expected Number of Columns: (?P<expected>\d+) Found: (?P<found>\d+)")
_JSON_PLACE = re.compile(r"in (?:line|record/value) (\d+)")
_JSON_TYPE = re.compile(r"Expected OBJECT, but got \w+: (?P<value>.*)")
_PARQUET = re.compile(
    r"parquet|thrift|snappy|zstd|decompress|TProtocol|page header|don't know what type", re.IGNORECASE
)


def explain_failure(error: Exception, source: OpenedSource) -> SourceError | None:
    """What a failed scan of a source says about the source.

    Args:
        error: What DuckDB raised while a query read `source.relation`.
        source: The source.

    Returns:
        The error for the user; None where the source is not at fault.
    """
    name = str(source.files[0]) if len(source.files) == 1 else source.label
    # Where values hold line breaks, DuckDB's number of a line is that of a record.
    unit = "record" if "parallel = false" in source.relation else "line"
    return _explanation(str(error), source.format, source.copies, name, unit)


@contextmanager
def translate_read_errors(
    format_: str, copies: Mapping[str, str], name: str, unit: str = "line"
) -> Iterator[None]:
    """Turns what DuckDB says about a file that is being opened into one sentence.

    Args:
        format_: The format that the file has.
        copies: The user's name for each file in the scratch folder.
        name: What to call the file where DuckDB does not name it.
        unit: What DuckDB counts in a CSV: `line` or `record`.

    Raises:
        SourceError: DuckDB can't read it.
    """
    try:
        yield
    except duckdb.OutOfMemoryException:
        raise  # says nothing of the file
    except duckdb.Error as error:
        known = _explanation(str(error), format_, copies, name, unit)
        raise known or SourceError(
            f"{name} can't be read as {format_}.", "look at how it was exported."
        ) from error


def _explanation(
    text: str, format_: str, copies: Mapping[str, str], name: str, unit: str
) -> SourceError | None:
    if places := [match for pattern in _FILES for match in pattern.finditer(text)]:
        # The line of the file that is printed, too, may hold such words; what DuckDB says comes after it.
        path = places[-1]["path"].strip()
        name = copies.get(path, path)
    if "No files found that match" in text:
        return SourceError(f"{name} is not there any more.", "something removed it during the run.")
    if re.search(r"GZIP stream|frame descriptor|ZSTD", text):
        return damaged(name)
    if format_ == Format.CSV:
        return _csv(text, name, unit)
    if format_ == Format.JSON:
        return _json(text, name)
    if format_ == Format.PARQUET and _PARQUET.search(text):
        return damaged(name)
    return None


def _csv(text: str, name: str, unit: str) -> SourceError | None:
    if "state machine reached an invalid state" in text:
        return SourceError(f"{name} ends its lines in different ways.", "save it with one kind of line end.")
    # A query's CAST is done by the reader, which then blames the line.
    if "Error when converting column" in text or not (place := _CSV_LINE.search(text)):
        return None
    where = f"{name}, {unit} {int(place['line']):,}"
    if width := _WIDTH.search(text):
        return _wrong_width(where, int(width["found"]), int(width["expected"]))
    if "unterminated quote" in text:
        return misplaced_quote(where)
    if "Invalid unicode" in text:
        return not_utf8(where)
    if re.search(r"maximum line size|line size of", text, re.IGNORECASE):
        return SourceError(
            f"{where}: it is longer than 2 MB.",
            "a quote that is never closed makes a line of all that follows it.",
        )
    return SourceError(f"{where}: it can't be read.", "look at its quotes and its delimiters.")


def misplaced_quote(where: str) -> SourceError:
    """The error for a quote that opens and never closes, or closes in the middle of a value.

    Args:
        where: The file and the line.
    """
    return SourceError(
        f"{where}: a quoted value does not end where it should.",
        "a quote inside of a quoted value is doubled; where quotes are ordinary characters, set"
        " read.quote = '' in rfm.toml, and where a backslash stands before them, read.escape = '\\'.",
    )


def _wrong_width(where: str, found: int, expected: int) -> SourceError:
    if found > expected:
        # DuckDB stops counting at the first value that is too much.
        return SourceError(
            f"{where}: it has more values than the {expected} of the header.",
            "a value that holds a delimiter must stand in quotes; a given --delimiter may be wrong.",
        )
    return SourceError(
        f"{where}: it has {found} of the {expected} values of the header.",
        "a missing value must be there as an empty one; or the line is cut off, or holds no data at all.",
    )


def _json(text: str, name: str) -> SourceError | None:
    place = _JSON_PLACE.search(text)
    # DuckDB counts objects, and one too many where one can't be parsed.
    number = int(place[1]) - ("Malformed" in text) if place else 0
    where = f"{name}, record {number:,}" if place else name
    if "maximum_object_size" in text:
        return SourceError(
            f"{name} holds an object of more than 16 MB.",
            "a source has one object a row; take the list of rows out of the object around it.",
        )
    if "expected records" in text:
        return SourceError(
            f"{name} does not hold objects.", 'a source has one object a row: [{"order_id": ...}, ...].'
        )
    if nested := _JSON_TYPE.search(text):
        value = nested["value"].splitlines()[0][:60]
        return SourceError(f"{where}: an object was expected, and {value} found.", "mend that record.")
    if "uplicate" in text:
        return SourceError(f"{where}: an object has a key twice.", "upper and lower case count as the same.")
    if "invalid UTF-8" in text:
        return not_utf8(where)
    if "Malformed JSON" in text:
        # Below what DuckDB says may stand the query that it was asked.
        said = text[text.index("Malformed JSON") :].splitlines()[0]
        reason = said.rpartition(": ")[2].rstrip(". ")
        return SourceError(
            f"{where}: it is not valid JSON ({reason}).", "the file may be cut off; export it again."
        )
    return SourceError(f"{where} can't be read as JSON.", "export it again.") if place else None
