"""Local files for BigQuery: read by the DuckDB readers, and converted into one Parquet file to load."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import Struct
from msgspec.structs import replace

from rfm_pipeline.common.duckdb_quoting import identifier, text_literal
from rfm_pipeline.common.schema import Column, Kind, Schema
from rfm_pipeline.common.source_files import SourceFiles
from rfm_pipeline.config.engines import DuckDBSettings
from rfm_pipeline.config.source import SourceOptions
from rfm_pipeline.config.source_location import SourceLocation
from rfm_pipeline.errors import SourceError
from rfm_pipeline.source.profile.sample import Sample, ValueCounter

if TYPE_CHECKING:
    from rfm_pipeline.common.duckdb_engine import duckdb
    from rfm_pipeline.warehouse.duckdb.connection import SpillDirectory

_TYPES = {
    Kind.TEXT: "STRING",
    Kind.INTEGER: "INT64",
    Kind.FLOAT: "FLOAT64",
    Kind.BOOLEAN: "BOOL",
    Kind.DATE: "DATE",
    Kind.TIMESTAMP: "DATETIME",
    Kind.TIMESTAMPTZ: "TIMESTAMP",
}
_WIDE_INTEGERS = {"HUGEINT", "UHUGEINT", "UBIGINT"}
_DECIMAL = re.compile(r"DECIMAL\((?P<precision>\d+),\s*(?P<scale>\d+)\)")
# Characters that a column name in BigQuery can't contain.
_INVALID_NAME_CHARACTER = re.compile(r"""[!"$()*,./;?@\[\\\]^`{}~\x00-\x1f]""")


class ParquetField(Struct, frozen=True):
    """Column of the table that files are loaded into.

    Attributes:
        name: Name of the column in BigQuery.
        type: BigQuery type.
        expression: DuckDB expression of the column's values.
    """

    name: str
    type: str
    expression: str


class LocalFiles:
    """Files that are loaded into one table. The attributes have their values after `open`.

    Attributes:
        label: Short name of the files, for messages.
        notes: Remarks for the user about how the files are read and converted.
        size_bytes: Size of the files in bytes; None if unknown.
        format: Format of the files, such as `CSV`.
        fields: Columns of the table.
        total_rows: Rows that are totals of other rows, by the names of the columns in BigQuery.
        numbered_files: The files, if rows are numbered by file; the column is not among `fields`.

    Args:
        locations: Locations of the files; columns of several locations are matched by name.
        options: Configured reading options.
        settings: Limits of memory and threads for DuckDB.
        columns: Column name by role, as in `[columns]`.
        numbers_files: Whether the table gets a column with the number of each row's file, if one location
            has several files.
    """

    def __init__(
        self,
        locations: Sequence[SourceLocation],
        options: SourceOptions,
        settings: DuckDBSettings,
        columns: Mapping[str, str | None] | None = None,
        *,
        numbers_files: bool = False,
    ) -> None:
        self._numbers_files = numbers_files
        self._columns = columns
        self._locations = locations
        self._options = options
        self._settings = settings
        self._temp_directory: SpillDirectory | None = None
        self._connection: duckdb.DuckDBPyConnection | None = None
        self._relation = ""
        self._schema: Schema = ()
        self.label = ""
        self.notes: tuple[str, ...] = ()
        self.size_bytes: int | None = None
        self.format: str | None = None
        self.fields: tuple[ParquetField, ...] = ()
        self.total_rows: tuple[tuple[tuple[str, str], ...], ...] = ()
        self.numbered_files: SourceFiles | None = None

    def open(self) -> None:
        """Find the files and their columns, without scanning all rows.

        Raises:
            SourceError: If the files can't be read.
        """
        from rfm_pipeline.common.duckdb_engine import connect_in_memory
        from rfm_pipeline.common.duckdb_types import schema_of
        from rfm_pipeline.source.open import open_source
        from rfm_pipeline.warehouse.duckdb.connection import SpillDirectory
        from rfm_pipeline.warehouse.duckdb.errors import translate_duckdb_errors

        self._temp_directory = SpillDirectory(self._settings.temp_directory)
        connection = connect_in_memory({"temp_directory": str(self._temp_directory.path / "spill")})
        self._connection = connection
        connection.execute("SET TimeZone = 'UTC'")
        if self._settings.memory_limit:
            connection.execute(f"SET memory_limit = '{self._settings.memory_limit}'")
        if self._settings.threads:
            connection.execute(f"SET threads = {self._settings.threads}")
        opened = []
        for number, location in enumerate(self._locations):
            folder = self._temp_directory.path / str(number)
            folder.mkdir()
            with translate_duckdb_errors("read the source"):
                opened.append(open_source(location, self._options, connection, folder, columns=self._columns))
        self._relation = opened[0].relation
        if opened[1:]:
            selects = (f"SELECT * FROM {source.relation}" for source in opened)
            self._relation = f"({' UNION ALL BY NAME '.join(selects)})"
        with translate_duckdb_errors("read the source"):
            schema = schema_of(connection, self._relation)
        numbered = [source.numbered_files for source in opened if source.numbered_files]
        number_columns = {files.column for files in numbered}
        schema = tuple(column for column in schema if column.name not in number_columns)
        self.label = ", ".join(source.label for source in opened)
        self.format = opened[0].format
        sizes = [source.size_bytes for source in opened if source.size_bytes is not None]
        self.size_bytes = sum(sizes) if len(sizes) == len(opened) else None
        self._schema = schema
        self.fields = to_bigquery_fields(schema)
        self.total_rows = tuple(
            tuple((_name(column), text) for column, text in cells)
            for source in opened
            for cells in source.total_rows
        )
        notes = dict.fromkeys(note for source in opened for note in source.notes)
        self.notes = (*notes, *_conversion_notes(schema))
        if self._numbers_files:
            self.numbered_files = numbered[0] if numbered else None
        else:
            for files in numbered:
                self.notes += files.duplicate_notes("of equal content loaded all the same")

    @property
    def table_fields(self) -> tuple[ParquetField, ...]:
        """Columns of the table, with that of the number of each row's file if there is one."""
        if self.numbered_files is None:
            return self.fields
        column = self.numbered_files.column
        return (*self.fields, ParquetField(column, "INT64", f"CAST({identifier(column)} AS BIGINT)"))

    @property
    def schema(self) -> Schema:
        """Columns of the table that the files are loaded into."""
        kinds = {type_: kind for kind, type_ in _TYPES.items()}
        return tuple(
            Column((field.name,), kinds.get(field.type, Kind.DECIMAL), field.type) for field in self.fields
        )

    def sample(self) -> Sample:
        """Return the first rows, by the names of the columns in BigQuery.

        Raises:
            SourceError: If the files can't be read.
        """
        from rfm_pipeline.source.profile.sample import sample_relation
        from rfm_pipeline.warehouse.duckdb.errors import translate_duckdb_errors

        assert self._connection is not None  # the files were opened first
        top_level = tuple(column for column in self._schema if len(column.path) == 1)
        with translate_duckdb_errors("read the source"):
            sample = sample_relation(self._connection, self._relation, top_level, self.numbered_files)
        columns = {_field(column).name: column for column in top_level if column.name in sample.values}
        values = {name: sample.values[column.name] for name, column in columns.items()}
        return replace(sample, values=values, count=_renamed_counter(sample.count, columns))

    def write_parquet(self) -> tuple[Path, int]:
        """Write all rows to one Parquet file; return its path and the number of rows."""
        from rfm_pipeline.warehouse.duckdb.errors import translate_duckdb_errors

        assert self._connection is not None  # the files were opened first
        assert self._temp_directory is not None
        path = self._temp_directory.path / "lines.parquet"
        columns = ", ".join(f"{field.expression} AS {identifier(field.name)}" for field in self.table_fields)
        with translate_duckdb_errors("read the source"):
            row = self._connection.execute(
                f"COPY (SELECT {columns} FROM {self._relation}) TO {text_literal(str(path))}"
                " (FORMAT parquet, COMPRESSION zstd)"
            ).fetchone()
        assert row is not None  # COPY returns the number of rows
        return path, int(row[0])

    def close(self) -> None:
        """Release the files and remove the temporary ones."""
        if self._connection is not None:
            self._connection.close()
        if self._temp_directory is not None:
            self._temp_directory.cleanup()


def _renamed_counter(count: ValueCounter | None, columns: Mapping[str, Column]) -> ValueCounter | None:
    """Return a counter for the columns of BigQuery that counts in the files."""

    def counter(column: Column, patterns: Mapping[str, str]) -> Mapping[str, int]:
        assert count is not None  # a sample of files has a counter
        return count(columns[column.name], patterns)

    return counter if count else None


def to_bigquery_fields(schema: Schema) -> tuple[ParquetField, ...]:
    """Return the columns of a source as columns of BigQuery; nested and binary columns are omitted.

    Raises:
        SourceError: If no column is left, or two columns would get the same name.
    """
    fields = [_field(column) for column in schema if len(column.path) == 1 and column.kind is not Kind.OTHER]
    if not fields:
        raise SourceError(
            "No column of the source can be loaded into BigQuery.", "check the types of its columns."
        )
    seen: dict[str, str] = {}
    for field in fields:
        if field.name.casefold() in seen:
            raise SourceError(
                f"The columns {seen[field.name.casefold()]} and {field.expression} would both be called"
                f" `{field.name}` in BigQuery.",
                "rename one of them.",
            )
        seen[field.name.casefold()] = field.expression
    return tuple(fields)


def _name(column: str) -> str:
    return _INVALID_NAME_CHARACTER.sub("_", column)[:300]


def _field(column: Column) -> ParquetField:
    name, expression = _name(column.name), identifier(column.name)
    if column.kind is Kind.TEXT:
        return ParquetField(name, "STRING", f"CAST({expression} AS VARCHAR)")
    if column.kind is Kind.INTEGER:
        if column.declared in _WIDE_INTEGERS:
            return ParquetField(name, "BIGNUMERIC", f"CAST({expression} AS DECIMAL(38, 0))")
        return ParquetField(name, "INT64", f"CAST({expression} AS BIGINT)")
    if column.kind is Kind.DECIMAL:
        match = _DECIMAL.match(column.declared)
        scale = int(match["scale"]) if match else 38
        whole = int(match["precision"]) - scale if match else 38
        return ParquetField(name, "NUMERIC" if scale <= 9 and whole <= 29 else "BIGNUMERIC", expression)
    if column.kind is Kind.FLOAT:
        # A direct cast of the 32-bit 9.99 gives the double 9.9899998; its shortest text is 9.99.
        text = f"CAST({expression} AS VARCHAR)" if column.declared == "FLOAT" else expression
        return ParquetField(name, "FLOAT64", f"CAST({text} AS DOUBLE)")
    if column.kind is Kind.TIMESTAMP:
        return ParquetField(name, "DATETIME", f"CAST({expression} AS TIMESTAMP)")
    return ParquetField(name, _TYPES[column.kind], expression)


def _conversion_notes(schema: Schema) -> tuple[str, ...]:
    """Return remarks for the user about omitted and renamed columns."""
    top_level = [column for column in schema if len(column.path) == 1]
    omitted = [column.name for column in top_level if column.kind is Kind.OTHER]
    renamed = [column.name for column in top_level if _INVALID_NAME_CHARACTER.search(column.name)]
    notes = [f"left out, because nested or binary: {', '.join(omitted)}"] if omitted else []
    if renamed:
        notes.append(f"renamed, because of special characters: {', '.join(renamed)}")
    return tuple(notes)


def to_schema_fields(fields: Sequence[ParquetField]) -> list[Any]:
    """Return the columns as objects of Google's client."""
    from google.cloud.bigquery import SchemaField

    return [SchemaField(field.name, field.type) for field in fields]
