"""Files on their way to BigQuery: read as they are read for DuckDB, and uploaded as one Parquet file."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from rfm_pipeline.common.schema import Column, Kind, Schema
from rfm_pipeline.config.engines import DuckDBSettings
from rfm_pipeline.config.source import SourceOptions
from rfm_pipeline.config.source_location import SourceLocation
from rfm_pipeline.errors import SourceError

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
_WIDE = {"HUGEINT", "UHUGEINT", "UBIGINT"}
_DECIMAL = re.compile(r"DECIMAL\((?P<precision>\d+),\s*(?P<scale>\d+)\)")
# What a column's name can't have in BigQuery.
_NOT_IN_A_NAME = re.compile(r"""[!"$()*,./;?@\[\\\]^`{}~\x00-\x1f]""")


class Field(Struct, frozen=True):
    """A column of the table that the files become.

    Attributes:
        name: Its name in BigQuery.
        type: Its type there.
        expression: What DuckDB writes into it.
    """

    name: str
    type: str
    expression: str


class LocalFiles:
    """Files that become one table.

    Args:
        locations: Where they are; several become one table, column by column.
        options: How they are written, where that was configured.
        settings: What DuckDB may use.
    """

    def __init__(
        self, locations: Sequence[SourceLocation], options: SourceOptions, settings: DuckDBSettings
    ) -> None:
        self._locations = locations
        self._options = options
        self._settings = settings
        self._scratch: SpillDirectory | None = None
        self._connection: duckdb.DuckDBPyConnection | None = None
        self._relation = ""
        self.label = ""
        self.notes: tuple[str, ...] = ()
        self.size_bytes: int | None = None
        self.written_as: str | None = None
        self.fields: tuple[Field, ...] = ()

    def open(self) -> None:
        """Finds the files and their columns, without reading them through.

        Raises:
            SourceError: They can't be read.
        """
        from rfm_pipeline.common.duckdb_engine import connect_in_memory
        from rfm_pipeline.common.duckdb_types import schema_of
        from rfm_pipeline.source.open import open_source
        from rfm_pipeline.warehouse.duckdb.connection import SpillDirectory
        from rfm_pipeline.warehouse.duckdb.errors import translate_duckdb_errors

        self._scratch = SpillDirectory(self._settings.temp_directory)
        connection = connect_in_memory({"temp_directory": str(self._scratch.path / "spill")})
        self._connection = connection
        connection.execute("SET TimeZone = 'UTC'")
        if self._settings.memory_limit:
            connection.execute(f"SET memory_limit = '{self._settings.memory_limit}'")
        if self._settings.threads:
            connection.execute(f"SET threads = {self._settings.threads}")
        opened = []
        for number, location in enumerate(self._locations):
            folder = self._scratch.path / str(number)
            folder.mkdir()
            with translate_duckdb_errors("read the source"):
                opened.append(open_source(location, self._options, connection, folder))
        self._relation = opened[0].relation
        if opened[1:]:
            together = " UNION ALL BY NAME ".join(f"SELECT * FROM {each.relation}" for each in opened)
            self._relation = f"({together})"
        with translate_duckdb_errors("read the source"):
            schema = schema_of(connection, self._relation)
        self.label = ", ".join(each.label for each in opened)
        self.written_as = opened[0].format
        sizes = [each.size_bytes for each in opened if each.size_bytes is not None]
        self.size_bytes = sum(sizes) if len(sizes) == len(opened) else None
        self.fields = fields_of(schema)
        self.notes = (*dict.fromkeys(note for each in opened for note in each.notes), *_changes(schema))

    @property
    def schema(self) -> Schema:
        """The columns of the table that the files become."""
        kinds = {type_: kind for kind, type_ in _TYPES.items()}
        return tuple(
            Column((field.name,), kinds.get(field.type, Kind.DECIMAL), field.type) for field in self.fields
        )

    def written(self) -> tuple[Path, int]:
        """The rows as one Parquet file, and how many they are."""
        from rfm_pipeline.warehouse.duckdb.errors import translate_duckdb_errors

        assert self._connection is not None  # the files were opened first
        assert self._scratch is not None
        path = self._scratch.path / "lines.parquet"
        columns = ", ".join(f"{field.expression} AS {_identifier(field.name)}" for field in self.fields)
        literal = str(path).replace("'", "''")
        with translate_duckdb_errors("read the source"):
            row = self._connection.execute(
                f"COPY (SELECT {columns} FROM {self._relation}) TO '{literal}'"
                " (FORMAT parquet, COMPRESSION zstd)"
            ).fetchone()
        assert row is not None  # COPY says how many
        return path, int(row[0])

    def close(self) -> None:
        """Lets go of the files, and of what was written on the way."""
        if self._connection is not None:
            self._connection.close()
        if self._scratch is not None:
            self._scratch.cleanup()


def fields_of(schema: Schema) -> tuple[Field, ...]:
    """The columns of a source as columns of BigQuery; nested ones are left out.

    Raises:
        SourceError: There are none, or two have one name there.
    """
    fields = [_field(column) for column in schema if len(column.path) == 1 and column.kind is not Kind.OTHER]
    if not fields:
        raise SourceError("The source has no column that BigQuery could take.", "look at its types.")
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


def _field(column: Column) -> Field:
    name, expression = _NOT_IN_A_NAME.sub("_", column.name)[:300], _identifier(column.name)
    if column.kind is Kind.TEXT:
        return Field(name, "STRING", f"CAST({expression} AS VARCHAR)")
    if column.kind is Kind.INTEGER:
        if column.declared in _WIDE:
            return Field(name, "BIGNUMERIC", f"CAST({expression} AS DECIMAL(38, 0))")
        return Field(name, "INT64", f"CAST({expression} AS BIGINT)")
    if column.kind is Kind.DECIMAL:
        match = _DECIMAL.match(column.declared)
        scale = int(match["scale"]) if match else 38
        whole = int(match["precision"]) - scale if match else 38
        return Field(name, "NUMERIC" if scale <= 9 and whole <= 29 else "BIGNUMERIC", expression)
    if column.kind is Kind.FLOAT:
        # In 32 bits 9.99 is 9.9899998, and a double would keep that; in its shortest text it is 9.99.
        written = f"CAST({expression} AS VARCHAR)" if column.declared == "FLOAT" else expression
        return Field(name, "FLOAT64", f"CAST({written} AS DOUBLE)")
    if column.kind is Kind.TIMESTAMP:
        return Field(name, "DATETIME", f"CAST({expression} AS TIMESTAMP)")
    return Field(name, _TYPES[column.kind], expression)


def _changes(schema: Schema) -> tuple[str, ...]:
    """What a person wants to know of the way from a file's columns to a table's."""
    top = [column for column in schema if len(column.path) == 1]
    left_out = [column.name for column in top if column.kind is Kind.OTHER]
    renamed = [column.name for column in top if _NOT_IN_A_NAME.search(column.name)]
    notes = [f"left out, being nested or binary: {', '.join(left_out)}"] if left_out else []
    if renamed:
        notes.append(f"renamed, for the signs in them: {', '.join(renamed)}")
    return tuple(notes)


def schema_fields(fields: Sequence[Field]) -> list[Any]:
    """The columns as Google's client takes them."""
    from google.cloud.bigquery import SchemaField

    return [SchemaField(field.name, field.type) for field in fields]


def _identifier(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
