"""The query of a source that is a .sql file: read and validated before an engine is opened."""

from __future__ import annotations

import glob
from pathlib import Path
from typing import TYPE_CHECKING

from rfm_pipeline.config.destination_location import BigQueryDestinationLocation
from rfm_pipeline.config.settings import Settings
from rfm_pipeline.config.source_location import SqlFile

if TYPE_CHECKING:
    from rfm_pipeline.source.sql_query import SqlQuery


def source_query(settings: Settings) -> SqlQuery | None:
    """Return the query that is the source, which runs where the destination is; None for another source.

    Raises:
        SourceError: If the file can't be read, or is not one SELECT in the dialect of the engine.
    """
    location = settings.source
    if not isinstance(location, SqlFile):
        return None
    # Imported late: they load sqlglot and DuckDB.
    from rfm_pipeline.source.sql_query import SqlQuery, read_sql_file
    from rfm_pipeline.sql.validation.source_query import file_patterns, validate_source_query

    dialect = "bigquery" if isinstance(settings.to, BigQueryDestinationLocation) else "duckdb"
    name = location.file.name
    text = validate_source_query(read_sql_file(location), name, dialect)
    patterns = file_patterns(text) if dialect == "duckdb" else ()
    # `Path.glob` does not accept absolute patterns.
    paths = {path for pattern in patterns for path in glob.glob(pattern, recursive=True)}  # noqa: PTH207
    return SqlQuery(text, name, tuple(map(Path, sorted(paths))), patterns)
