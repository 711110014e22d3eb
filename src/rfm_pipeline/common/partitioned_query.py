"""How a step can be cut into parts that need nothing of one another, where its lines outgrow the memory."""

from __future__ import annotations

from msgspec import Struct

PARTITION_RELATION = "part_of_lines"
"""The relation that a cut step reads: the lines of one part."""


class PartitionedQuery(Struct, frozen=True):
    """A step as parts: the rows of all parts together are the rows of the step.

    Attributes:
        lines: The SELECT of the lines, which reads what the step reads.
        key: An expression over their columns; lines of which it is equal belong to one part. NULL where a
            line is excluded.
        groups: A SELECT of how many groups the kept lines in `PART` are first added up to, as `groups`.
        select: The SELECT of the step over the lines in `PART`.
        table: The table of an earlier step that has as many rows as there are lines; None is the source.
    """

    input_sql: str
    partition_key: str
    group_count_sql: str
    partition_sql: str
    row_count_table: str | None = None
