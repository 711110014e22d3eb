"""More lines than there is memory for: cut into parts by customer, which are added up one after the other.

What DuckDB groups may outgrow the memory, but then it writes and reads its groups again and again, and where
they are many times the memory it gives up. The lines of a part are written once and read once.
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
from rfm_pipeline.source.file_suffix import is_compressed
from rfm_pipeline.warehouse.base import Progress

BYTES_A_GROUP = 120
"""What an order takes while lines are added up: two ids, its hash, dates, the amount, the lines."""

# Up to so many times the memory DuckDB's own way is the faster one: 100 million lines within 5 GB.
_SPILLS_WELL = 2
# Of the memory a part may take so much: the customers that are done are in it as well.
_SHARE = 1 / 3
_MOST_PARTS = 1000
# The lines that come first tell how many an order has, as an order's stand together. A few tell nothing.
_HEAD, _FEW = 100_000, 1_000
# A line of text is seldom shorter, and compressed seldom less than a fifth of it.
_BYTES_A_LINE, _COMPRESSED_BYTES_A_LINE = 30, 6
_UNITS = {"bytes": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40, "PiB": 2**50}
# Types that come back from Parquet as they were.
_SAME = {
    "VARCHAR", "BOOLEAN", "DATE", "FLOAT", "DOUBLE", "UUID",
    "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT",
}  # fmt: skip


def estimated_lines(source: OpenedSource) -> int | None:
    """How many lines a source has: as it says, or about so many by its size; None where nothing tells."""
    if source.rows is not None or source.size_bytes is None:
        return source.rows
    compressed = any(is_compressed(file.name) for file in source.files)
    return source.size_bytes // (_COMPRESSED_BYTES_A_LINE if compressed else _BYTES_A_LINE)


def parts_needed(connection: duckdb.DuckDBPyConnection, cut: PartitionedQuery, lines: int | None) -> int:
    """Into how many parts a step has to be cut; 1 is the whole at once.

    Args:
        connection: Where it runs.
        cut: The step.
        lines: About how many lines it reads; None where nobody knows, and then it is not cut.

    Raises:
        duckdb.Error: The source can't be read.
    """
    memory = _memory_limit(connection)
    # Seldom can a source be that large, and no other is looked at.
    if lines is None or lines * BYTES_A_GROUP <= _SPILLS_WELL * memory or not comes_back(connection, cut):
        return 1
    execute_interruptibly(
        connection, f"CREATE OR REPLACE TEMP TABLE {PARTITION_RELATION} AS\n{cut.input_sql}\nLIMIT {_HEAD}"
    )
    kept = f"SELECT COUNT(*) FROM {PARTITION_RELATION} WHERE {cut.partition_key} IS NOT NULL"
    ((groups, head),) = connection.execute(f"SELECT ({cut.group_count_sql}), ({kept})").fetchall()
    connection.execute(f"DROP TABLE {PARTITION_RELATION}")
    need = lines * BYTES_A_GROUP * (groups / head if head >= _FEW else 1)
    return 1 if need <= _SPILLS_WELL * memory else min(_MOST_PARTS, ceil(need / (_SHARE * memory)))


def comes_back(connection: duckdb.DuckDBPyConnection, cut: PartitionedQuery) -> bool:
    """Whether the lines come back from a file as they went there, and are hashed as they are compared."""
    types = [str(type_) for _, type_ in describe_columns(connection, cut.input_sql)]
    if not all(type_ in _SAME or type_.startswith("DECIMAL") for type_ in types):
        return False
    # A text's type does not tell its collation; the statements that made the tables do.
    made = "SELECT sql FROM duckdb_tables() UNION ALL SELECT sql FROM duckdb_views() WHERE NOT internal"
    return not connection.execute(f"FROM ({made}) WHERE CONTAINS(LOWER(sql), 'collate') LIMIT 1").fetchall()


def create_in_parts(
    connection: duckdb.DuckDBPyConnection,
    name: str,
    cut: PartitionedQuery,
    *,
    count: int,
    folder: Path,
    progress: Progress | None = None,
) -> None:
    """Makes the table of a step, a part after the other.

    Args:
        connection: Where it runs.
        name: The table.
        cut: The step.
        count: How many parts.
        folder: For the lines of the parts; it is there meanwhile.
        progress: Told the share that is done.

    Raises:
        duckdb.Error: It failed.
    """
    # Small pieces, as each part's is in memory until it is full, and few rows held back for one.
    # Hardly an id comes twice in a piece; the second version of the format takes a seventh less disk.
    pieces = "ROW_GROUP_SIZE 30720, DICTIONARY_SIZE_LIMIT 1, PARQUET_VERSION v2"
    connection.execute("SET partitioned_write_flush_threshold = 8192")
    try:
        execute_interruptibly(
            connection,
            f"COPY (\nSELECT *, CAST(hash({cut.partition_key}) % {count} AS SMALLINT) AS part\n"
            f"FROM (\n{cut.input_sql}\n)\n)"
            f" TO {text_literal(str(folder))} (FORMAT parquet, PARTITION_BY (part), {pieces})",
            _within(progress, 0, 0.6),
        )
        # The table, and its types, before there is a row.
        connection.execute(
            f"CREATE OR REPLACE TEMP VIEW {PARTITION_RELATION} AS FROM (\n{cut.input_sql}\n) LIMIT 0"
        )
        connection.execute(f"CREATE OR REPLACE TABLE {name} AS\n{cut.partition_sql}")
        parts = sorted(folder.iterdir())
        for place, part in enumerate(parts):
            files = paths_literal(sorted(part.glob("*.parquet")))
            connection.execute(
                f"CREATE OR REPLACE TEMP VIEW {PARTITION_RELATION} AS FROM read_parquet({files}, hive_partitioning = false)"
            )
            within = _within(progress, 0.6 + 0.4 * place / len(parts), 0.4 / len(parts))
            execute_interruptibly(connection, f"INSERT INTO {name}\n{cut.partition_sql}", within)
            shutil.rmtree(part)
        connection.execute(f"DROP VIEW {PARTITION_RELATION}")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _memory_limit(connection: duckdb.DuckDBPyConnection) -> float:
    """In bytes; DuckDB says it as a person does: `4.6 GiB`."""
    ((said,),) = connection.execute("SELECT current_setting('memory_limit')").fetchall()
    number, unit = said.split()
    return float(number) * _UNITS[unit]


def _within(progress: Progress | None, begin: float, share: float) -> Callable[[float], None] | None:
    return None if progress is None else lambda done: progress(begin + share * done)
