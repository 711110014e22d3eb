"""The query as an ordered list of CTEs: printed as one text, or run in steps that each make a table."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from msgspec import Struct

from rfm_pipeline.common.partitioned_query import PARTITION_RELATION, PartitionedQuery
from rfm_pipeline.sql.query_spec import Cte, QuerySpec
from rfm_pipeline.sql.stages.clean import clean_ctes
from rfm_pipeline.sql.stages.metrics import metrics_ctes
from rfm_pipeline.sql.stages.scores import scores_ctes
from rfm_pipeline.sql.stages.segments import segments_ctes

STAGES = (clean_ctes, metrics_ctes, scores_ctes, segments_ctes)
"""The stages in their order; each is a function from the spec to its CTEs."""


# A line break inside quotes belongs to a name or a value, and takes no indentation. A backslash escapes what
# follows it in BigQuery; in DuckDB only where the quote is an E'...'.
_ESCAPED = r"'(?:[^'\\]|\\.)*'"
_QUOTED_OR_BREAK = {
    "duckdb": re.compile(rf"""(?<!\w)[eE]{_ESCAPED}|'[^']*'|"[^"]*"|\n""", re.DOTALL),
    "bigquery": re.compile(rf"""{_ESCAPED}|"(?:[^"\\]|\\.)*"|`[^`]*`|\n""", re.DOTALL),
}


class QueryStep(Struct, frozen=True):
    """One statement of a run: a table, and the SELECT that fills it.

    Attributes:
        name: The table.
        select: Its rows.
        cut: How it can be cut into parts; None where it adds up no lines.
    """

    name: str
    select: str
    partitioned: PartitionedQuery | None = None


class QueryPipeline(Struct, frozen=True):
    """The CTEs of the whole query, in order."""

    ctes: tuple[Cte, ...]
    window_moves: bool
    dialect: str

    @classmethod
    def of(cls, spec: QuerySpec) -> QueryPipeline:
        """The pipeline that answers `spec`."""
        ctes = tuple(cte for stage in STAGES for cte in stage(spec))
        return cls(ctes, spec.window_moves, spec.dialect.name)

    @property
    def materialised(self) -> tuple[str, ...]:
        """The CTEs that become a step each: a table, but for the last, whose rows a run puts into its result.

        The first of them reads the source, and the later ones only read tables, so the source is read once.
        """
        first = ("order_days",) if self.window_moves else ()
        return (*first, "customers", "edges", self.ctes[-1].name)

    def query(self) -> str:
        """The whole as one query that runs as it stands."""
        return with_ctes(self.ctes, "SELECT *\nFROM segments\nORDER BY customer_id", self.dialect)

    def reading(self, select: str) -> str:
        """A SELECT over the CTEs as one query, with those of them that it reads."""
        return with_ctes(_needed(list(self.ctes), select), select, self.dialect)

    def steps(self, table_of: Callable[[str], str]) -> tuple[QueryStep, ...]:
        """One SELECT for each materialised CTE, over the tables of the steps before it.

        Args:
            table_of: The table, as it stands behind FROM, that a materialised CTE becomes.
        """
        steps: list[QueryStep] = []
        known: list[Cte] = []
        for cte in self.ctes:
            if cte.name in self.materialised:
                select = with_ctes(_needed(known, cte.sql), cte.sql, self.dialect)
                steps.append(QueryStep(cte.name, select, self._cut(known, cte, table_of)))
                table = table_of(cte.name)
                known.append(Cte(cte.name, f"The table of {cte.name}.", f"SELECT *\nFROM {table}"))
            else:
                known.append(cte)
        return tuple(steps)

    def _cut(
        self, known: Sequence[Cte], step: Cte, table_of: Callable[[str], str]
    ) -> PartitionedQuery | None:
        """A step that adds lines up, cut by customer; the lines that are excluded are one part's."""
        if step.name not in {"order_days", "customers"}:
            return None
        read = "windowed" if self.window_moves and step.name == "customers" else "clean"
        kept = "reason IS NULL AND late_reason IS NULL" if step.name == "order_days" else "reason IS NULL"
        names = [cte.name for cte in known]
        before, after = known[: names.index(read) + 1], known[names.index(read) + 1 :]
        part = Cte(read, "One part of the lines.", f"SELECT *\nFROM {PARTITION_RELATION}")
        first = [*after, step][0]

        def over(select: str, *ctes: Cte) -> str:
            return with_ctes(_needed(ctes, select), select, self.dialect)

        return PartitionedQuery(
            input_sql=over(f"SELECT *\nFROM {read}", *before),
            partition_key=f"CASE WHEN {kept} THEN customer_id END",
            group_count_sql=over(
                f"SELECT COUNT(*) AS groups\nFROM {first.name}\nWHERE customer_id IS NOT NULL", part, first
            ),
            partition_sql=over(step.sql, part, *after),
            row_count_table=table_of("order_days") if read == "windowed" else None,
        )


def with_ctes(ctes: Sequence[Cte], select: str, dialect: str) -> str:
    """A SELECT over CTEs as one query, each below a comment that says what a row of it is."""
    if not ctes:
        return select
    return "WITH\n" + ",\n\n".join(_definition(cte, dialect) for cte in ctes) + "\n\n" + select


def _definition(cte: Cte, dialect: str) -> str:
    body = _QUOTED_OR_BREAK[dialect].sub(lambda found: "\n  " if found[0] == "\n" else found[0], cte.sql)
    return f"-- {cte.row}\n{cte.name} AS (\n  {body}\n)"


def _needed(known: Sequence[Cte], select: str) -> tuple[Cte, ...]:
    """Those of `known` that `select` reads, directly or through one another, in their order."""
    wanted = _read_by(select)
    for cte in reversed(known):
        if cte.name in wanted:
            wanted |= _read_by(cte.sql)
    return tuple(cte for cte in known if cte.name in wanted)


def _read_by(select: str) -> set[str]:
    return set(re.findall(r"\b(?:FROM|JOIN)\s+([a-z_]+)\b", select))
