"""A partitioned step gives the same rows as the whole step."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from hypothesis import assume, event, given
from hypothesis import strategies as st

from rfm_pipeline.common.partitioned_query import PARTITION_RELATION
from rfm_pipeline.warehouse.duckdb.partitioned import is_partitionable, materialize_partitioned
from support.engines import Question, connected, in_order, rows_of
from support.generated import questions


@given(question=questions(), count=st.integers(1, 7))
def test_the_rows_of_all_partitions_are_those_of_the_whole_step(question: Question, count: int) -> None:
    with connected(question) as connection, tempfile.TemporaryDirectory() as folder:
        partitioned_steps = 0
        for step in question.pipeline("duckdb").steps(lambda name: f"stage_{name}"):
            connection.execute(f"CREATE TABLE stage_{step.name} AS\n{step.select}")
            if step.partitioned is None:
                continue
            partitioned_steps += 1
            assume(is_partitionable(connection, step.partitioned))
            materialize_partitioned(
                connection, "whole", step.partitioned, count=count, folder=Path(folder) / step.name
            )
            tables = ("whole", f"stage_{step.name}")
            partitioned, whole = (in_order(rows_of(connection.execute(f"FROM {table}"))) for table in tables)
            assert merged(partitioned) == merged(whole)
            types, expected = (connection.execute(f"DESCRIBE {table}").fetchall() for table in tables)
            assert types == expected
            assert not list(Path(folder).iterdir())
        event(f"{partitioned_steps} steps were partitioned")
        assert partitioned_steps >= 1


def merged(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows with one for each reason of excluded lines, which partitions can have one each of.

    Orders that are excluded for their total are excluded in the partition of their customer.
    """
    kept = [row for row in rows if row["customer_id"] is not None]
    excluded: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in rows:
        if row["customer_id"] is None:
            key = (row.get("reason"), row.get("late_reason"))
            sums = excluded.setdefault(key, {"reason": key[0], "late_reason": key[1]})
            for name in ("lines", "amount", "monetary", "repeated"):
                if row.get(name) is not None:
                    sums[name] = sums.get(name, 0) + row[name]
    return [*kept, *(excluded[key] for key in sorted(excluded, key=str))]


@given(question=questions())
def test_the_group_count_is_between_the_rows_and_the_lines(question: Question) -> None:
    with connected(question) as connection:
        step = question.pipeline("duckdb").steps(lambda name: f"stage_{name}")[0]
        assert step.partitioned is not None
        connection.execute(f"CREATE TEMP TABLE {PARTITION_RELATION} AS\n{step.partitioned.input_sql}")
        ((groups,),) = connection.execute(step.partitioned.group_count_sql).fetchall()
        kept = f"FROM {PARTITION_RELATION} WHERE {step.partitioned.partition_key} IS NOT NULL"
        ((lines,),) = connection.execute(f"SELECT COUNT(*) {kept}").fetchall()
        ((rows,),) = connection.execute(
            f"SELECT COUNT(*) FROM (\n{step.partitioned.partition_sql}\n) WHERE customer_id IS NOT NULL"
        ).fetchall()
        assert rows <= groups <= lines
