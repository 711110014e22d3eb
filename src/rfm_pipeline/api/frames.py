"""Tables of a result as frames: of pandas, Polars or Arrow, as the source was, or as relations of DuckDB."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

from rfm_pipeline.common.duckdb_quoting import text_literal
from rfm_pipeline.common.installation import package_hint
from rfm_pipeline.errors import UsageError

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl
    import pyarrow as pa

FrameKind = Literal["pandas", "polars", "arrow", "duckdb"]
KINDS: tuple[FrameKind, ...] = ("pandas", "polars", "arrow", "duckdb")
"""Kinds of frames: of three packages, and relations of DuckDB, which need none."""

_KIND_OF_PACKAGE: Mapping[str, FrameKind] = {"pandas": "pandas", "polars": "polars", "pyarrow": "arrow"}
_SEGMENT = "segment"


def frame_kind(source: Any, requested: str | None) -> FrameKind:
    """Return the kind of frames for a source.

    Args:
        source: A data frame, a stream, a relation, or a path.
        requested: A kind; None for that of the source. A path and what is of no such package have relations.

    Raises:
        UsageError: If there is no kind of the requested name.
    """
    if requested is not None:
        for kind in KINDS:
            if kind == requested:
                return kind
        raise UsageError(
            f"`frames` is {requested!r}, which is no kind of frame.", f"give one of {', '.join(KINDS)}."
        )
    packages = (base.__module__.partition(".")[0] for base in type(source).__mro__)
    return next((_KIND_OF_PACKAGE[name] for name in packages if name in _KIND_OF_PACKAGE), "duckdb")


def select_ordered(select: str, columns: Sequence[str], segments: Sequence[str]) -> str:
    """Return a query of `columns` whose segment is an ENUM, from the worst segment to the best.

    Args:
        select: Query without its SELECT list: the relation after FROM, and ORDER BY.
        columns: Names of the columns; `segment` may be one of them.
        segments: Names of all segments from best to worst.
    """
    enum = f"ENUM({', '.join(map(text_literal, reversed(segments)))})"
    chosen = [f"CAST({name} AS {enum}) AS {name}" if name == _SEGMENT else name for name in columns]
    return f"SELECT {', '.join(chosen)} FROM {select}"


def create_table(
    connection: Any, name: str, columns: Mapping[str, str], rows: Iterable[Sequence[Any]]
) -> None:
    """Create a table with a first column `position`, the number of the row.

    Args:
        connection: A connection of DuckDB.
        name: Name of the table; it and `columns` are the package's own.
        columns: DuckDB type by name of each further column.
        rows: Values of each row in the order of the columns.
    """
    declared = ", ".join(f"{column} {kind}" for column, kind in columns.items())
    connection.execute(f"CREATE TABLE {name} (position INTEGER, {declared})")
    places = ", ".join("?" for _ in range(len(columns) + 1))
    for position, row in enumerate(rows):
        connection.execute(f"INSERT INTO {name} VALUES ({places})", [position, *row])


def to_frame(relation: Any, kind: FrameKind, segments: Sequence[str]) -> Any:
    """Convert a relation of DuckDB.

    Args:
        relation: The relation; its column `segment`, if it has one, is an ENUM of `select_ordered`.
        kind: Kind of the frame.
        segments: Names of all segments from best to worst.

    Raises:
        UsageError: If the package of the kind is not installed.
    """
    if kind == "pandas":
        return to_pandas(relation)
    if kind == "polars":
        return to_polars(relation, segments)
    return to_arrow(relation) if kind == "arrow" else relation


def to_pandas(relation: Any) -> pd.DataFrame:
    """Return a pandas data frame; an ENUM is an ordered Categorical, a decimal a float."""
    with _needs("pandas"):
        frame: pd.DataFrame = relation.df()
        return frame


def to_polars(relation: Any, segments: Sequence[str]) -> pl.DataFrame:
    """Return a Polars data frame whose segment is an Enum from the worst segment to the best."""
    with _needs("polars"):
        import polars as pl

        frame = pl.DataFrame(_Stream(relation))
        if _SEGMENT not in frame.columns:
            return frame
        return frame.with_columns(pl.col(_SEGMENT).cast(pl.Enum(list(reversed(segments)))))


def to_arrow(relation: Any) -> pa.Table:
    """Return a pyarrow table; an ENUM is an ordered dictionary."""
    with _needs("pyarrow"):
        import pyarrow as pa

        table = pa.table(_Stream(relation))
        if _SEGMENT not in table.column_names:
            return table
        # DuckDB exports the order of an ENUM, and does not set the mark that it is one.
        place = table.column_names.index(_SEGMENT)
        source = table.schema.field(place)
        kind = pa.dictionary(source.type.index_type, source.type.value_type, ordered=True)
        chunks = [
            pa.DictionaryArray.from_arrays(chunk.indices, chunk.dictionary, ordered=True)
            for chunk in table.column(place).chunks
        ]
        return table.set_column(place, source.with_type(kind), pa.chunked_array(chunks, kind))


class _Stream:
    """A relation's Arrow stream alone, so that no package converts the relation in another way."""

    def __init__(self, relation: Any) -> None:
        self._relation = relation

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        return self._relation.__arrow_c_stream__(requested_schema)


@contextmanager
def _needs(package: str) -> Iterator[None]:
    """Raise an error with an installation hint if the body can't import `package`."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise UsageError(
            f"{package} is not installed.",
            f'{package_hint(package)}, or choose another kind, as in frames="duckdb".',
        ) from error
