"""Query steps that can be computed per hash partition of their input, used when the input exceeds memory."""

from __future__ import annotations

from msgspec import Struct

PARTITION_RELATION = "part_of_lines"
"""Relation that `PartitionedQuery.partition_sql` reads: the input lines of one partition."""


class PartitionedQuery(Struct, frozen=True):
    """SQL to compute one step partition by partition; the union of all partitions equals the step's rows.

    Attributes:
        input_sql: SELECT of all input lines.
        partition_key: SQL expression over the columns of `input_sql`. Lines with equal keys belong to the
            same partition; the key is NULL for excluded lines.
        group_count_sql: SELECT of one integer, `groups`: the number of distinct groups among the kept lines
            in `PARTITION_RELATION`.
        partition_sql: SELECT of the step that reads `PARTITION_RELATION` in place of `input_sql`.
        row_count_table: Staged table with one row per input line; None if the input is the source.
    """

    input_sql: str
    partition_key: str
    group_count_sql: str
    partition_sql: str
    row_count_table: str | None = None
