"""Data frames as sources: DuckDB scans them in place, and copies only streams that can be read once."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

from rfm_pipeline.common.duckdb_engine import duckdb
from rfm_pipeline.common.duckdb_types import schema_of
from rfm_pipeline.errors import SourceError, UsageError
from rfm_pipeline.source.base import OpenedSource, SourceOpener
from rfm_pipeline.source.headers import unique_column_names

_RELATION = "frame"
# Planning takes a few milliseconds per slice.
_MAX_SLICES = 256
# Smaller frames, in bytes, are not sliced: copying one into a single chunk is faster than planning slices.
_LARGE = 2**26
# Classes that can export their rows repeatedly; a stream of any other class may be exhausted after one scan.
_REPEATABLE = {
    ("polars", "DataFrame"), ("pyarrow", "Table"), ("pyarrow", "RecordBatch"), ("pandas", "DataFrame"),
}  # fmt: skip


def dataframe_opener(frame: Any) -> SourceOpener:
    """Return an opener for a data frame.

    Args:
        frame: A pandas or Polars frame, an Arrow table or stream, a DuckDB relation, or any other object with
            the method `__arrow_c_stream__` (the Arrow PyCapsule interface).

    Raises:
        UsageError: If `frame` is no such object.
    """
    kind = _kind_of(frame)
    if kind == ("polars", "LazyFrame"):
        frame, kind = frame.collect(), ("polars", "DataFrame")
    if kind != ("pandas", "DataFrame") and not hasattr(frame, "__arrow_c_stream__"):
        raise UsageError(
            f"A {'.'.join(kind)} is not a source.",
            "give a path, a pandas or Polars data frame, an Arrow table, or a DuckDB relation.",
        )
    return _DataFrameOpener(frame, kind)


def _kind_of(frame: Any) -> tuple[str, str]:
    """Return the package and the name of the frame's class, or of its base class in `_REPEATABLE`."""
    names = [(class_.__module__.partition(".")[0], class_.__name__) for class_ in type(frame).__mro__]
    return next((name for name in names if name in _REPEATABLE), names[0])


class _ArrowStream:
    """Wrapper that exposes only the Arrow stream, so that DuckDB converts no known class with pyarrow."""

    def __init__(self, frame: Any) -> None:
        self._frame = frame

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        return self._frame.__arrow_c_stream__(requested_schema)


class _DataFrameOpener:
    """Opener that drops its reference to the frame, so that a result does not keep the input in memory."""

    def __init__(self, frame: Any, kind: tuple[str, str]) -> None:
        self._frame = frame
        self._kind = kind

    def __call__(self, connection: duckdb.DuckDBPyConnection, _scratch: Path) -> OpenedSource:
        frame, self._frame = self._frame, None
        return _open(frame, self._kind, connection)


class _PolarsSlice:
    """Rows of a Polars frame; the buffers that Polars allocates for the stream are freed with the stream."""

    def __init__(self, frame: Any, start: int, length: int) -> None:
        self._frame = frame
        self._rows = (start, length)

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        return self._frame.slice(*self._rows).__arrow_c_stream__(requested_schema)


def _open(frame: Any, kind: tuple[str, str], connection: duckdb.DuckDBPyConnection) -> OpenedSource:
    # The package registers the scanners of frames; the extension module alone has none.
    import duckdb as _package  # noqa: F401

    label = f"a {'.'.join(kind)}"
    if kind == ("pandas", "DataFrame"):
        frame = _with_index_columns(frame)
    _check_names(frame, kind, label)
    try:
        registered = [_RELATION]
        if kind == ("pandas", "DataFrame"):
            if _has_decimals(frame):
                # DuckDB infers the width of Decimal objects from 1,000 of them, and fails at a wider one.
                connection.execute(f"SET pandas_analyze_sample = {len(frame)}")
            connection.register(_RELATION, frame)
        elif kind == ("polars", "DataFrame"):
            registered = _register_slices(frame, connection)
        elif kind in _REPEATABLE:
            connection.register(_RELATION, _ArrowStream(frame))
        else:
            connection.register("stream", _ArrowStream(frame))
            connection.execute(f"CREATE TABLE {_RELATION} AS FROM stream")
            connection.unregister("stream")
            registered = []
        if kind in _REPEATABLE:
            rows = len(frame)
        else:
            (rows,) = connection.execute(f"SELECT COUNT(*) FROM {_RELATION}").fetchall()[0]
        schema = schema_of(connection, _RELATION)
    except duckdb.Error as error:
        reason = str(error).strip().splitlines()[0]
        column = _unreadable_column(frame, kind, connection)
        raise SourceError(
            f"DuckDB can't read {f'column {column!r} of ' if column else ''}{label}: {reason}",
            "convert such columns to dates, numbers or text, or leave them out.",
        ) from error
    if not schema or not rows:
        raise SourceError(
            f"The frame, {label}, has no {'rows' if schema else 'columns'}.", "look at where it comes from."
        )
    return OpenedSource(
        label=label, relation=_RELATION, schema=schema, format="frame", files=(),
        size_bytes=None, rows=rows, notes=(), copies=dict.fromkeys(registered, label),
    )  # fmt: skip


def release_dataframe(opened: OpenedSource, connection: duckdb.DuckDBPyConnection) -> None:
    """Free a data frame that was opened on a connection, which can then open another one."""
    for registered in opened.copies:
        connection.unregister(registered)
    if _RELATION not in opened.copies:
        connection.execute(f"DROP {'VIEW' if opened.copies else 'TABLE'} {_RELATION}")


def _with_index_columns(frame: Any) -> Any:
    """Return a pandas frame with the named levels of its index as columns, which DuckDB would not read.

    A level without a name, or with the name of a column, is left out.
    """
    levels = [name for name in frame.index.names if isinstance(name, str) and name not in frame.columns]
    return frame.reset_index(level=levels) if levels else frame


def _unreadable_column(
    frame: Any, kind: tuple[str, str], connection: duckdb.DuckDBPyConnection
) -> str | None:
    """Return the first column of a pandas or Polars frame that DuckDB can't read; None if it is unknown."""
    if kind[0] not in {"pandas", "polars"}:
        return None
    for name in frame.columns:
        column = frame[[name]]
        try:
            connection.register("column", column if kind[0] == "pandas" else _ArrowStream(column))
            schema_of(connection, '"column"')
        except duckdb.Error:
            return str(name)
        finally:
            connection.unregister("column")
    return None


def _has_decimals(frame: Any) -> bool:
    """Return whether the first present value of a column of a pandas frame is a Decimal object."""
    values = (column.dropna().iloc[:1] for _, column in frame.items() if column.dtype == object)
    return any(isinstance(value, Decimal) for first in values for value in first)


def _register_slices(frame: Any, connection: duckdb.DuckDBPyConnection) -> list[str]:
    """Register a Polars frame in slices along its chunks; return the relation names of the slices.

    Polars copies a frame of several chunks into one chunk before it exports a stream.
    """
    is_large = frame.width and frame.estimated_size() > _LARGE
    lengths = frame.get_columns()[0].chunk_lengths() if is_large else [len(frame)]
    chunks_per_slice = -(-len(lengths) // _MAX_SLICES)
    names, start = [], 0
    for index in range(0, len(lengths), chunks_per_slice):
        length = sum(lengths[index : index + chunks_per_slice])
        names.append(f"{_RELATION}_{index}")
        connection.register(names[-1], _PolarsSlice(frame, start, length))
        start += length
    union = " UNION ALL ".join(f"FROM {name}" for name in names)
    connection.execute(f"CREATE TEMP VIEW {_RELATION} AS {union}")
    return names


def _check_names(frame: Any, kind: tuple[str, str], label: str) -> None:
    """Raise SourceError unless the column names are unique strings; pandas allows labels of any type."""
    names = list(getattr(frame, "columns", ())) if kind[0] in {"pandas", "polars"} else []
    for name in names:
        if not isinstance(name, str):
            raise SourceError(
                f"The name of column {name!r} of {label} is not text but of type {type(name).__name__}.",
                "rename it, as in frame.columns = [...].",
            )
    unique_column_names(names, label)


def is_dataframe(source: Any) -> bool:
    """Return whether a source is an object such as a frame, and not a path."""
    return not isinstance(source, str) and not hasattr(source, "__fspath__")
