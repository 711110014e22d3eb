"""Data frames as sources: DuckDB scans them where they are, and copies only what can be read just once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rfm_pipeline.common.duckdb_engine import duckdb
from rfm_pipeline.common.duckdb_types import schema_of
from rfm_pipeline.errors import SourceError, UsageError
from rfm_pipeline.source.base import OpenedSource, Opener
from rfm_pipeline.source.headers import checked_names

_RELATION = "frame"
# Planning takes a few milliseconds for each piece, which a small copy does not.
_MOST_PIECES = 256
_LARGE = 2**26
# What gives a stream of its rows as often as it is asked; any other stream may be over after the first time.
_REPEATABLE = {
    ("polars", "DataFrame"), ("pyarrow", "Table"), ("pyarrow", "RecordBatch"), ("pandas", "DataFrame"),
}  # fmt: skip


def opener_of(frame: Any) -> Opener:
    """What opens a frame: of pandas or Polars, an Arrow table or stream, or a relation of DuckDB's.

    Anything else that has `__arrow_c_stream__`, the interface of Arrow's for tables, will do too.

    Raises:
        UsageError: It is no frame.
    """
    kind = _kind_of(frame)
    if kind == ("polars", "LazyFrame"):
        frame, kind = frame.collect(), ("polars", "DataFrame")
    if kind != ("pandas", "DataFrame") and not hasattr(frame, "__arrow_c_stream__"):
        raise UsageError(
            f"A {'.'.join(kind)} is no source.",
            "give a path, a data frame of pandas or Polars, an Arrow table, or a relation of DuckDB's.",
        )
    return _Opener(frame, kind)


def _kind_of(frame: Any) -> tuple[str, str]:
    """The package and the name of a frame's class, or of the class that it is made from."""
    names = [(made.__module__.partition(".")[0], made.__name__) for made in type(frame).__mro__]
    return next((name for name in names if name in _REPEATABLE), names[0])


class _Stream:
    """A frame with nothing but the interface of Arrow's: DuckDB would convert what it knows with pyarrow."""

    def __init__(self, frame: Any) -> None:
        self._frame = frame

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        return self._frame.__arrow_c_stream__(requested_schema)


class _Opener:
    """Opens a frame, and holds it no longer: whoever has the result need not have the lines."""

    def __init__(self, frame: Any, kind: tuple[str, str]) -> None:
        self._frame = frame
        self._kind = kind

    def __call__(self, connection: duckdb.DuckDBPyConnection, _scratch: Path) -> OpenedSource:
        frame, self._frame = self._frame, None
        return _opened(frame, self._kind, connection)


class _Piece:
    """Some rows of a Polars frame; what Polars makes of them for a stream is gone with the stream."""

    def __init__(self, frame: Any, start: int, length: int) -> None:
        self._frame = frame
        self._rows = (start, length)

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        return self._frame.slice(*self._rows).__arrow_c_stream__(requested_schema)


def _opened(frame: Any, kind: tuple[str, str], connection: duckdb.DuckDBPyConnection) -> OpenedSource:
    import duckdb as _bridges  # noqa: F401 - the package brings what scans frames, which the engine alone can't

    label = f"a {'.'.join(kind)}"
    _check_names(frame, kind, label)
    try:
        registered = [_RELATION]
        if kind == ("pandas", "DataFrame"):
            connection.register(_RELATION, frame)
        elif kind == ("polars", "DataFrame"):
            registered = _register_pieces(frame, connection)
        elif kind in _REPEATABLE:
            connection.register(_RELATION, _Stream(frame))
        else:
            connection.register("stream", _Stream(frame))
            connection.execute(f"CREATE TABLE {_RELATION} AS FROM stream")
            connection.unregister("stream")
            registered = []
        if kind in _REPEATABLE:
            rows = len(frame)
        else:
            (rows,) = connection.execute(f"SELECT COUNT(*) FROM {_RELATION}").fetchall()[0]
        schema = schema_of(connection, _RELATION)
    except duckdb.Error as error:
        what = str(error).strip().splitlines()[0]
        raise SourceError(
            f"DuckDB can't read {label}: {what}",
            "look at the types of its columns; dates, numbers and text do.",
        ) from error
    if not schema or not rows:
        raise SourceError(
            f"The frame, {label}, has no {'rows' if schema else 'columns'}.", "look at where it comes from."
        )
    return OpenedSource(
        label=label, relation=_RELATION, schema=schema, format="frame", files=(),
        size_bytes=None, rows=rows, notes=(), copies=dict.fromkeys(registered, label),
    )  # fmt: skip


def _register_pieces(frame: Any, connection: duckdb.DuckDBPyConnection) -> list[str]:
    """Makes a Polars frame known piece by piece; gives the names of the pieces.

    Polars copies a frame that is in several pieces into one before it gives a stream of it.
    """
    is_large = frame.width and frame.estimated_size() > _LARGE
    lengths = frame.get_columns()[0].chunk_lengths() if is_large else [len(frame)]
    together = -(-len(lengths) // _MOST_PIECES)
    names, start = [], 0
    for place in range(0, len(lengths), together):
        length = sum(lengths[place : place + together])
        names.append(f"{_RELATION}_{place}")
        connection.register(names[-1], _Piece(frame, start, length))
        start += length
    pieces = " UNION ALL ".join(f"FROM {name}" for name in names)
    connection.execute(f"CREATE TEMP VIEW {_RELATION} AS {pieces}")
    return names


def _check_names(frame: Any, kind: tuple[str, str], label: str) -> None:
    """Columns have names, each its own. Pandas has labels, which may be anything."""
    names = list(getattr(frame, "columns", ())) if kind[0] in {"pandas", "polars"} else []
    for name in names:
        if not isinstance(name, str):
            raise SourceError(
                f"The column {name!r} of {label} has no name, but a {type(name).__name__}.",
                "name it, as in frame.columns = [...].",
            )
    checked_names(names, label)


def is_frame(source: Any) -> bool:
    """Whether it is a frame, and not a path."""
    return not isinstance(source, str) and not hasattr(source, "__fspath__")
