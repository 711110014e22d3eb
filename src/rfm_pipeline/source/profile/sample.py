"""The sample: the first rows of a source, as text, which all decisions of the profile share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from msgspec import Struct, field

from rfm_pipeline.common.duckdb_engine import duckdb
from rfm_pipeline.common.duckdb_quoting import identifier, text_literal
from rfm_pipeline.common.schema import Column, Kind, Schema
from rfm_pipeline.common.source_files import SourceFiles

SAMPLE_ROWS = 2000
"""Rows of a sample. Measured on 8 columns of Parquet and CSV, a sample of 2,000 rows takes 10 to 20 ms."""

ValueCounter = Callable[[Column, Mapping[str, str]], Mapping[str, int]]
"""Counts, over the whole source, the lines whose value of a column matches each pattern.

The arguments are the column and regular expressions (RE2 syntax) by name; values are compared as text without
surrounding whitespace. It reads the column as a whole, so it is called only for what the sample can't decide.
"""


class Sample(Struct, frozen=True):
    """The first rows of a source.

    Attributes:
        values: Values by the name of their column (`Column.name`), in the order of the rows: text without
            surrounding whitespace; None is NULL or blank. Columns of the kind `OTHER` are absent.
        rows: Number of rows.
        is_whole: Whether these are all rows of the source.
        count: Counts values of the whole source; None where reading costs money, as in BigQuery.
        files: Name of the file of each row; empty unless the source has several files.
    """

    values: Mapping[str, tuple[str | None, ...]] = field(default_factory=dict)
    rows: int = 0
    is_whole: bool = False
    count: ValueCounter | None = None
    files: tuple[str, ...] = ()

    def of(self, column: Column) -> tuple[str | None, ...]:
        """Return the values of a column; empty if the sample lacks the column."""
        return self.values.get(column.name, ())

    def filled(self, column: Column) -> list[str]:
        """Return the values of a column that are not blank."""
        return [value for value in self.of(column) if value is not None]


def build_sample(
    columns: Schema,
    rows: list[tuple[str | None, ...]],
    *,
    is_whole: bool,
    count: ValueCounter | None = None,
    files: tuple[str, ...] = (),
) -> Sample:
    """Return the sample of rows of text, whose values are in the order of `columns`."""
    transposed = zip(*rows, strict=True) if rows else (() for _ in columns)
    values = {
        column.name: tuple([None if text is None else text.strip() or None for text in texts])
        for column, texts in zip(columns, transposed, strict=True)
    }
    return Sample(values, len(rows), is_whole, count, files)


def sampled_columns(schema: Schema) -> Schema:
    """Return the columns of a schema that a sample contains."""
    return tuple(column for column in schema if column.kind is not Kind.OTHER)


def sample_relation(
    connection: duckdb.DuckDBPyConnection, relation: str, schema: Schema, files: SourceFiles | None = None
) -> Sample:
    """Return the sample of a relation in DuckDB, without the rows that a file has in common with another one.

    Args:
        connection: The connection in which the relation exists.
        relation: SQL text that can follow FROM.
        schema: Its columns.
        files: The files of the rows, if they are several.

    Raises:
        duckdb.Error: If the rows can't be read.
    """
    columns = sampled_columns(schema)
    if not columns:
        return Sample()
    texts = ", ".join(f"CAST({_quoted(column)} AS VARCHAR)" for column in columns)
    number = f", {identifier(files.column)}" if files else ""
    rows = connection.execute(f"SELECT {texts}{number} FROM {relation} LIMIT {SAMPLE_ROWS + 1}").fetchall()

    def count(column: Column, patterns: Mapping[str, str]) -> Mapping[str, int]:
        return count_matches(connection, relation, column, patterns)

    is_whole, rows = len(rows) <= SAMPLE_ROWS, rows[:SAMPLE_ROWS]
    names: tuple[str, ...] = ()
    if files:
        rows = _without_copies(rows)
        names = tuple(files.names[number - 1] for *_, number in rows)
        rows = [tuple(values) for *values, _ in rows]
    return build_sample(columns, rows, is_whole=is_whole, count=count, files=names)


def _without_copies(numbered: Sequence[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Return the rows of several files without those that an earlier file has as often.

    Exports overlap, and what is in two of them would look like lines of one order that repeat its amount.

    Args:
        numbered: Rows that end with the number of their file.
    """
    by_file: dict[int, Counter[tuple[str | None, ...]]] = {}
    for *values, file in numbered:
        by_file.setdefault(file, Counter())[tuple(values)] += 1
    seen: Counter[tuple[str | None, ...]] = Counter()
    copies: dict[tuple[int, tuple[str | None, ...]], int] = {}
    for file, counts in sorted(by_file.items()):
        copies |= {(file, row): min(count, seen[row]) for row, count in counts.items() if seen[row]}
        seen |= counts
    rows = []
    for *values, file in numbered:
        row = tuple(values)
        if copies.get((file, row)):
            copies[file, row] -= 1
        else:
            rows.append((*row, file))
    return rows


def count_matches(
    connection: duckdb.DuckDBPyConnection, relation: str, column: Column, patterns: Mapping[str, str]
) -> Mapping[str, int]:
    """Return the number of rows of a relation in DuckDB whose value matches each pattern (`ValueCounter`)."""
    matches = ", ".join(
        f"COUNT(*) FILTER (REGEXP_MATCHES(value, {text_literal(pattern)}))" for pattern in patterns.values()
    )
    text = f"SELECT TRIM(CAST({_quoted(column)} AS VARCHAR)) AS value FROM {relation}"
    (counts,) = connection.execute(f"SELECT {matches} FROM ({text})").fetchall()
    return dict(zip(patterns, counts, strict=True))


def _quoted(column: Column) -> str:
    return ".".join(identifier(part) for part in column.path)
