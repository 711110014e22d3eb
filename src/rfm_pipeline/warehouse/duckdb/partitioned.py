"""Steps whose groups exceed the memory: the input is partitioned by customer and aggregated per partition.

DuckDB also spills groups that exceed the memory, but writes and reads them repeatedly, and fails if they
take many times the memory. Here the lines of each partition are written once and read once.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from math import ceil
from pathlib import Path

from rfm_pipeline.common.duckdb_engine import duckdb, execute_interruptibly
from rfm_pipeline.common.duckdb_quoting import paths_literal, text_literal
from rfm_pipeline.common.duckdb_types import describe_columns
from rfm_pipeline.common.partitioned_query import PARTITION_RELATION, PartitionedQuery
from rfm_pipeline.source.base import OpenedSource
from rfm_pipeline.source.file_suffix import has_compressed_suffix
from rfm_pipeline.warehouse.base import Progress

BYTES_PER_GROUP = 120
"""Memory per order while lines are aggregated: two ids, a hash, dates, the amount and counts."""

# Up to this multiple of the memory limit, DuckDB's own spilling is faster: 100 million lines within 5 GB.
_SPILL_FACTOR = 2
# Share of the memory for the groups of one partition; the finished customers need memory too.
_PARTITION_SHARE = 1 / 3
_MAX_PARTITIONS = 1000
# Lines per order are estimated from the first lines, as the lines of an order are adjacent. A sample of few
# lines is not used.
_SAMPLE_LINES, _MIN_SAMPLE_LINES = 100_000, 1_000
# Lower bounds of a line's size in text files; compression rarely saves more than four fifths.
_BYTES_PER_LINE, _COMPRESSED_BYTES_PER_LINE = 30, 6
_UNITS = {"bytes": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40, "PiB": 2**50}
# Types whose values are unchanged after they are written to Parquet and read again.
_ROUND_TRIP_TYPES = {
    "VARCHAR", "BOOLEAN", "DATE", "FLOAT", "DOUBLE", "UUID",
    "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT",
}  # fmt: skip


def estimate_line_count(source: OpenedSource) -> int | None:
    """Return the number of lines: as the source states it, or estimated from its size; None if unknown."""
    if source.rows is not None or source.size_bytes is None:
        return source.rows
    compressed = any(has_compressed_suffix(file.name) for file in source.files)
    return source.size_bytes // (_COMPRESSED_BYTES_PER_LINE if compressed else _BYTES_PER_LINE)


def required_partition_count(
    connection: duckdb.DuckDBPyConnection, partitioned: PartitionedQuery, lines: int | None
) -> int:
    """Return the number of partitions a step needs to fit into memory; 1 to compute the step as a whole.

    Args:
        connection: Connection that the step runs on.
        partitioned: The step.
        lines: Approximate number of input lines; None if unknown, which gives 1.

    Raises:
        duckdb.Error: If the source can't be read.
    """
    memory = _memory_limit(connection)
    # Upper bound of the need; only the few sources above it are sampled.
    if (
        lines is None
        or lines * BYTES_PER_GROUP <= _SPILL_FACTOR * memory
        or not is_partitionable(connection, partitioned)
    ):
        return 1
    execute_interruptibly(
        connection,
        f"CREATE OR REPLACE TEMP TABLE {PARTITION_RELATION} AS\n"
        f"{partitioned.input_sql}\nLIMIT {_SAMPLE_LINES}",
    )
    kept = f"SELECT COUNT(*) FROM {PARTITION_RELATION} WHERE {partitioned.partition_key} IS NOT NULL"
    ((groups, sampled),) = connection.execute(f"SELECT ({partitioned.group_count_sql}), ({kept})").fetchall()
    connection.execute(f"DROP TABLE {PARTITION_RELATION}")
    groups_per_line = groups / sampled if sampled >= _MIN_SAMPLE_LINES else 1
    need = lines * BYTES_PER_GROUP * groups_per_line
    if need <= _SPILL_FACTOR * memory:
        return 1
    return min(_MAX_PARTITIONS, ceil(need / (_PARTITION_SHARE * memory)))


def is_partitionable(connection: duckdb.DuckDBPyConnection, partitioned: PartitionedQuery) -> bool:
    """Return whether the lines survive a round trip through Parquet, and equal keys have equal hashes."""
    if not all(keeps_values(str(type_)) for _, type_ in describe_columns(connection, partitioned.input_sql)):
        return False
    # Under a collation, equal texts can have different hashes. A column's type does not show its collation;
    # only the CREATE statements do.
    definitions = (
        "SELECT sql FROM duckdb_tables() UNION ALL SELECT sql FROM duckdb_views() WHERE NOT internal"
    )
    return not connection.execute(
        f"FROM ({definitions}) WHERE CONTAINS(LOWER(sql), 'collate') LIMIT 1"
    ).fetchall()


def keeps_values(type_: str) -> bool:
    """Return whether the values of a type are unchanged after they are written to Parquet and read again."""
    return type_ in _ROUND_TRIP_TYPES or type_.startswith("DECIMAL")


def materialize_partitioned(
    connection: duckdb.DuckDBPyConnection,
    name: str,
    partitioned: PartitionedQuery,
    *,
    count: int,
    folder: Path,
    progress: Progress | None = None,
) -> None:
    """Create the table of a step, one partition after the other.

    Args:
        connection: Connection that the step runs on.
        name: Name of the table.
        partitioned: The step.
        count: Number of partitions.
        folder: Path of a directory for the lines of the partitions; it exists only during the call.
        progress: Receives the completed share.

    Raises:
        duckdb.Error: If a statement fails.
    """
    # Small row groups and few buffered rows, because each partition keeps a row group in memory until it is
    # full. Ids rarely repeat within a row group, so dictionaries don't pay; version 2 of Parquet takes a
    # seventh less disk space.
    options = "ROW_GROUP_SIZE 30720, DICTIONARY_SIZE_LIMIT 1, PARQUET_VERSION v2"
    connection.execute("SET partitioned_write_flush_threshold = 8192")
    try:
        execute_interruptibly(
            connection,
            f"COPY (\nSELECT *, CAST(hash({partitioned.partition_key}) % {count} AS SMALLINT) AS part\n"
            f"FROM (\n{partitioned.input_sql}\n)\n)"
            f" TO {text_literal(str(folder))} (FORMAT parquet, PARTITION_BY (part), {options})",
            _scaled(progress, 0, 0.6),
        )
        # Over no rows first: this gives the table its column types.
        _create_partition_view(connection, f"(\n{partitioned.input_sql}\n) LIMIT 0")
        connection.execute(f"CREATE OR REPLACE TABLE {name} AS\n{partitioned.partition_sql}")
        partitions = sorted(folder.iterdir())
        for index, partition in enumerate(partitions):
            files = paths_literal(sorted(partition.glob("*.parquet")))
            _create_partition_view(connection, f"read_parquet({files}, hive_partitioning = false)")
            execute_interruptibly(
                connection,
                f"INSERT INTO {name}\n{partitioned.partition_sql}",
                _scaled(progress, 0.6 + 0.4 * index / len(partitions), 0.4 / len(partitions)),
            )
            shutil.rmtree(partition)
        connection.execute(f"DROP VIEW {PARTITION_RELATION}")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _create_partition_view(connection: duckdb.DuckDBPyConnection, relation: str) -> None:
    connection.execute(f"CREATE OR REPLACE TEMP VIEW {PARTITION_RELATION} AS FROM {relation}")


def _memory_limit(connection: duckdb.DuckDBPyConnection) -> float:
    """Return the limit in bytes; DuckDB prints it rounded, such as `4.6 GiB`."""
    ((limit,),) = connection.execute("SELECT current_setting('memory_limit')").fetchall()
    number, unit = limit.split()
    return float(number) * _UNITS[unit]


def _scaled(progress: Progress | None, begin: float, share: float) -> Callable[[float], None] | None:
    """Return a callback that maps the progress of one part of the work to that of the whole.

    Args:
        progress: Receives the progress of the whole; None for no callback.
        begin: Share of the whole that is done when the part begins.
        share: Share of the whole that the part is.
    """
    return None if progress is None else lambda done: progress(begin + share * done)
