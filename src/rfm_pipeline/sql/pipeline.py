"""The query as an ordered list of CTEs: printed as one query, or split into steps that each fill a table."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from msgspec import Struct, field
from msgspec.structs import replace

from rfm_pipeline.common.partitioned_query import PARTITION_RELATION, PartitionedQuery
from rfm_pipeline.common.staging_tables import StagingTable
from rfm_pipeline.sql.query_spec import Cte, QuerySpec
from rfm_pipeline.sql.stages.clean import CLEAN, clean_ctes
from rfm_pipeline.sql.stages.duplicates import ORDER_COPIES, duplicates_ctes
from rfm_pipeline.sql.stages.kept_customers import changed_orders_ctes
from rfm_pipeline.sql.stages.metrics import ATTRIBUTED, WINDOWED, metrics_ctes
from rfm_pipeline.sql.stages.order_totals import TOTALS_OF_LINES, order_totals_ctes
from rfm_pipeline.sql.stages.part_orders import DATED_ORDERS, PART_ORDERS, part_orders_ctes
from rfm_pipeline.sql.stages.scores import scores_ctes
from rfm_pipeline.sql.stages.segments import segments_ctes
from rfm_pipeline.sql.stages.unscored import has_customer, has_customer_on_day

STAGES = (
    clean_ctes,
    part_orders_ctes,
    changed_orders_ctes,
    order_totals_ctes,
    duplicates_ctes,
    metrics_ctes,
    scores_ctes,
    segments_ctes,
)
"""The stages in their order; each is a function from the spec to its CTEs."""


# A line break inside quotes belongs to a name or a value and must not be indented. A backslash escapes the
# next character in BigQuery; in DuckDB only within E'...'.
_ESCAPED = r"'(?:[^'\\]|\\.)*'"
_QUOTED_OR_BREAK = {
    "duckdb": re.compile(rf"""(?<!\w)[eE]{_ESCAPED}|'[^']*'|"[^"]*"|\n""", re.DOTALL),
    "bigquery": re.compile(rf"""{_ESCAPED}|"(?:[^"\\]|\\.)*"|`[^`]*`|\n""", re.DOTALL),
}


class QueryStep(Struct, frozen=True):
    """One statement of a run: a staging table, and the SELECT that fills it.

    Attributes:
        name: Name of the staging table.
        select: SELECT of its rows.
        partitioned: The same step partition by partition; None if the step does not aggregate order lines.
    """

    name: StagingTable
    select: str
    partitioned: PartitionedQuery | None = None


class QueryPipeline(Struct, frozen=True):
    """The CTEs of the whole query, in order.

    Attributes:
        ctes: The CTEs; each reads only earlier ones.
        window_moves: Whether the time window ends on the newest order.
        dialect: Name of the SQL dialect.
        keeps_orders: Whether the first step fills the orders of each part.
        takes_over: Whether customers of an earlier run are taken over.
        has_customer: Condition on the lines of each step that aggregates lines that they have a customer.
    """

    ctes: tuple[Cte, ...]
    window_moves: bool
    dialect: str
    keeps_orders: bool = False
    takes_over: bool = False
    has_customer: Mapping[StagingTable, str] = field(default_factory=dict)

    @classmethod
    def of(cls, spec: QuerySpec) -> QueryPipeline:
        """Return the pipeline of `spec`."""
        ctes = tuple(cte for stage in STAGES for cte in stage(spec))
        conditions = {
            StagingTable.ORDER_DAYS: has_customer_on_day(spec),
            StagingTable.CUSTOMERS: has_customer(spec),
        }
        return cls(
            ctes,
            spec.window_moves,
            spec.dialect.name,
            spec.keeps_orders,
            spec.takes_over is not None,
            conditions,
        )

    @property
    def staging_tables(self) -> tuple[StagingTable, ...]:
        """The CTEs that become a step each, in order.

        Only the first step reads the source; the others read the tables of earlier steps, so that the source
        is scanned once. A run computes the last step, `SEGMENTS`, as a part of its result.
        """
        parts = (StagingTable.PART_ORDERS,) if self.keeps_orders else ()
        days = (StagingTable.ORDER_DAYS,) if self.window_moves else ()
        return (*parts, *days, StagingTable.CUSTOMERS, StagingTable.EDGES, StagingTable.SEGMENTS)

    def query(self) -> str:
        """Return the whole as one query that runs without staging tables."""
        return with_ctes(self.ctes, "SELECT *\nFROM segments\nORDER BY customer_id", self.dialect)

    def with_required_ctes(self, select: str, *reads: str) -> str:
        """Return `select` as one query with the CTEs that it needs.

        Args:
            select: A SELECT over the pipeline's CTEs.
            reads: Names of the CTEs that `select` reads.
        """
        return with_ctes(_required(self.ctes, reads), select, self.dialect)

    def over_lines(self, select: str) -> QueryPipeline:
        """Return the pipeline over lines that are cleaned already, in place of those of the source.

        Args:
            select: SELECT of the lines, with the columns of the CTE `clean`.
        """
        lines = "One row per source line, cleaned before; NULL as reason means that it is kept."
        return self._over(Cte(CLEAN, lines, select))

    def over_part_orders(self, table: str) -> QueryPipeline:
        """Return the pipeline over the orders of all parts, which a run that keeps orders has staged."""
        return self._over(Cte(PART_ORDERS, "The orders of all parts.", f"SELECT *\nFROM {table}"))

    def _over(self, input_: Cte) -> QueryPipeline:
        """Return the pipeline with another CTE in place of one, and without those before it."""
        names = [cte.name for cte in self.ctes]
        return replace(self, ctes=(input_, *self.ctes[names.index(input_.name) + 1 :]))

    def steps(self, table_of: Callable[[str], str]) -> tuple[QueryStep, ...]:
        """Return one SELECT for each of `staging_tables`, over the tables of the steps before it.

        Args:
            table_of: Maps a staging table's name to its SQL identifier.
        """
        steps: list[QueryStep] = []
        earlier: list[Cte] = []
        for cte in self.ctes:
            if cte.name not in self.staging_tables:
                earlier.append(cte)
                continue
            name = StagingTable(cte.name)
            select = with_ctes(_required(earlier, cte.reads), cte.sql, self.dialect)
            steps.append(QueryStep(name, select, self._partitioned(earlier, cte, table_of)))
            if (table := table_of(name)) != name:
                earlier.append(Cte(name, f"The rows of the table {name}.", f"SELECT *\nFROM {table}"))
        return tuple(steps)

    def _partitioned(
        self, earlier: Sequence[Cte], step: Cte, table_of: Callable[[str], str]
    ) -> PartitionedQuery | None:
        """Return a step that aggregates lines, partitioned by customer; excluded lines form one partition."""
        if step.name not in {StagingTable.ORDER_DAYS, StagingTable.CUSTOMERS}:
            return None
        if self.takes_over:
            # Few orders are left, and customers of an earlier run are joined to them.
            return None
        if any(cte.name == ATTRIBUTED for cte in self.ctes):
            # A refund is a line without a customer: partitions by customer would separate it from its sale.
            return None
        over_order_days = self.window_moves and step.name == StagingTable.CUSTOMERS
        lines = WINDOWED if over_order_days else DATED_ORDERS if self.keeps_orders else CLEAN
        names = [cte.name for cte in earlier]
        before, after = earlier[: names.index(lines) + 1], earlier[names.index(lines) + 1 :]
        partition = Cte(lines, "One row per line of the partition.", f"SELECT *\nFROM {PARTITION_RELATION}")
        grouped = [*after, step][0]
        key = f"CASE WHEN {self.has_customer[StagingTable(step.name)]} THEN customer_id END"
        count = f"SELECT COUNT(*) AS groups\nFROM {grouped.name}\nWHERE customer_id IS NOT NULL"

        def over(ctes: Sequence[Cte], select: str, reads: Sequence[str]) -> str:
            return with_ctes(_required(ctes, reads), select, self.dialect)

        if grouped.name in {ORDER_COPIES, *TOTALS_OF_LINES}:
            # Copies of an order are compared, and totals counted once, whether their lines are kept or not.
            key = "customer_id"
        counted = StagingTable.PART_ORDERS if self.keeps_orders else None
        counted = StagingTable.ORDER_DAYS if over_order_days else counted
        return PartitionedQuery(
            input_sql=over(before, f"SELECT *\nFROM {lines}", [lines]),
            partition_key=key,
            group_count_sql=over([partition, grouped], count, [grouped.name]),
            partition_sql=over([partition, *after], step.sql, step.reads),
            row_count_table=table_of(counted) if counted else None,
        )


def with_ctes(ctes: Sequence[Cte], select: str, dialect: str) -> str:
    """Return `select` below a WITH clause of `ctes`, each with its description as a comment above it."""
    if not ctes:
        return select
    return "WITH\n" + ",\n\n".join(_definition(cte, dialect) for cte in ctes) + "\n\n" + select


def _definition(cte: Cte, dialect: str) -> str:
    body = _QUOTED_OR_BREAK[dialect].sub(lambda match: "\n  " if match[0] == "\n" else match[0], cte.sql)
    return f"-- {cte.description}\n{cte.name} AS (\n  {body}\n)"


def _required(ctes: Sequence[Cte], reads: Sequence[str]) -> tuple[Cte, ...]:
    """Return those of `ctes`, in their order, that are named in `reads` or read by another required CTE."""
    required = set(reads)
    for cte in reversed(ctes):
        if cte.name in required:
            required.update(cte.reads)
    return tuple(cte for cte in ctes if cte.name in required)
