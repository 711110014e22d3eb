"""Queries of `rfm evaluate`: customers as they were scored on a date, and what they bought afterwards.

The orders are staged by day once. A row of `evaluated` is a customer scored on an origin, an as-of date in
the past, with the orders of the horizon, the days after it. All figures are aggregates of that table, so that
the number of rows fetched does not grow with the number of customers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date

from msgspec import Struct
from msgspec.structs import replace

from rfm_pipeline.common.staging_tables import StagingTable
from rfm_pipeline.sql.dialects.base import Dialect, case_expression
from rfm_pipeline.sql.pipeline import QueryPipeline, QueryStep, with_ctes
from rfm_pipeline.sql.query_spec import Cte, QuerySpec, select
from rfm_pipeline.sql.stages.clean import CLEAN, has_example

HASH_GROUPS = 256
"""Number of groups that `evaluated` puts customers in, by a hash of their ids."""
_KEPT = "reason IS NULL AND late_reason IS NULL"
_BOUGHT = "COUNT(CASE WHEN orders > 0 THEN 1 END) AS bought_again"
_TOTALS = ("COUNT(*) AS customers", _BOUGHT, "SUM(orders) AS orders", "SUM(revenue) AS revenue")


class OriginSteps(Struct, frozen=True):
    """The steps that score the customers of an origin: over the staged orders by day, or over staged lines.

    Orders by day are sums of lines, which can be added up to any origin. Two kinds of orders are no sums: one
    whose total is on each line, and one that is in several files. Of these the cleaned lines are staged.

    Attributes:
        spec: The query's specification, without an origin.
        table_of: Maps a staging table's name to its SQL identifier.
    """

    spec: QuerySpec
    table_of: Callable[[str], str]

    def scan(self) -> tuple[QueryStep, ...]:
        """Return the steps that read the source, and stage the orders by day."""
        pipeline = QueryPipeline.of(replace(self.spec, origin=self.spec.today))
        if not self.spec.aggregates_lines:
            return pipeline.steps(self.table_of)[:1]
        lines = pipeline.with_required_ctes(f"SELECT *\nFROM {CLEAN}", CLEAN)
        staged = pipeline.over_lines(f"SELECT *\nFROM {self.table_of(StagingTable.CLEAN_LINES)}")
        return QueryStep(StagingTable.CLEAN_LINES, lines), staged.steps(self.table_of)[0]

    def score(self, spec: QuerySpec, origin: date) -> tuple[QueryStep, QueryStep, QueryStep]:
        """Return the steps `customers`, `edges` and `segments` as of an origin.

        Args:
            spec: The specification, or one with another scoring and segment map.
            origin: The as-of date.
        """
        if not spec.aggregates_lines:
            steps = QueryPipeline.of(replace(spec, origin=origin)).steps(self.table_of)[1:]
        else:
            settings = replace(spec.settings, as_of=origin)
            pipeline = QueryPipeline.of(replace(spec, settings=settings)).over_lines(self._lines_on(origin))
            steps = pipeline.steps(self.table_of)
            if self._windows_orders:
                # The table of the orders by day is that of all lines: those of the origin are a CTE.
                name = StagingTable.CUSTOMERS
                customers = QueryStep(name, pipeline.with_required_ctes(f"SELECT *\nFROM {name}", name))
                return customers, steps[-2], steps[-1]
        customers, edges, segments = steps
        return customers, edges, segments

    @property
    def _windows_orders(self) -> bool:
        """Whether the window applies to orders and not to lines, which have one total then."""
        return self.spec.counts_totals and self.spec.settings.window is not None

    def _lines_on(self, origin: date) -> str:
        dialect, window = self.spec.dialect, self.spec.settings.window
        branches = [
            ("reason IS NOT NULL", "reason"),
            (f"order_date > {dialect.literal(origin)}", "'future_dated'"),
        ]
        if window and not self._windows_orders:
            oldest = dialect.window_start(dialect.literal(origin), window)
            branches.append((f"order_date <= {oldest}", "'outside_window'"))
        reason = case_expression(branches, "NULL" if self._windows_orders else "late_reason")
        return f"SELECT * REPLACE (\n  {reason} AS reason\n)\nFROM {self.table_of(StagingTable.CLEAN_LINES)}"


def lines_by_reason_sql(spec: QuerySpec, order_days: str) -> str:
    """Return the SELECT of lines, money and dates by exclusion reason; the reason of kept lines is NULL.

    Args:
        spec: The query's specification.
        order_days: SQL identifier of the staging table `order_days`.
    """
    columns = [
        "COALESCE(reason, late_reason) AS reason",
        "SUM(lines) AS lines",
        "SUM(amount) AS amount",
        "MIN(order_date) AS oldest",
        "MAX(order_date) AS newest",
        f"{'MIN(written)' if has_example(spec) else spec.dialect.cast('NULL', 'text')} AS example",
    ]
    return f"{select(columns, order_days, group=1)}\nORDER BY lines DESC, reason"


def buying_days_sql(spec: QuerySpec, order_days: str) -> str:
    """Return the SELECT of the staging table `buying_days`: one row per customer and day.

    An order is of the day of its first line with a positive amount, with all its money. `purchases` counts
    the orders that began on the day, `orders` those of them with a positive amount after all returns.

    Args:
        spec: The query's specification.
        order_days: SQL identifier of the staging table `order_days`.
    """
    customer = spec.dialect.id_text("customer_id", spec.kind_of("customer_id"))
    kept = f"{order_days}\nWHERE {_KEPT}"
    if not spec.mapping.order_id:
        sums = [
            f"{spec.dialect.cast('SUM(purchases)', 'integer')} AS {name}" for name in ("purchases", "orders")
        ]
        columns = [f"{customer} AS customer_id", "order_date", *sums, "SUM(amount) AS revenue"]
        return select(columns, kept, group=2)
    bought = "MIN(CASE WHEN purchases > 0 THEN order_date END)"
    keys = ["customer_id", "order_id"]
    customers: list[str] = []
    if spec.has_refund_lines:
        # A refund names its order, and has no customer of its own.
        keys, customers = ["order_id"], ["MAX(customer_id) AS customer_id"]
    columns = [
        *keys,
        *customers,
        f"{bought} AS bought_on",
        "MIN(order_date) AS first_line_on",
        "SUM(amount) AS amount",
    ]
    orders = Cte("orders", "One row per order.", select(columns, kept, group=len(keys)))
    columns = [
        f"{customer} AS customer_id",
        "COALESCE(bought_on, first_line_on) AS order_date",
        "COUNT(bought_on) AS purchases",
        "COUNT(CASE WHEN amount > 0 THEN 1 END) AS orders",
        "SUM(amount) AS revenue",
    ]
    attributed = "orders\nWHERE customer_id IS NOT NULL" if spec.has_refund_lines else "orders"
    return with_ctes([orders], select(columns, attributed, group=2), spec.dialect.name)


def evaluated_sql(scored: Sequence[str], buying_days: str, origin: date, end: date, dialect: Dialect) -> str:
    """Return the SELECT of the staging table `evaluated`: one row per customer scored on the origin.

    Args:
        scored: SQL identifiers of tables of `segments` with the same customers, one per configuration. The
            columns of the k-th, counted from 0, are `segment_k`, `r_k`, `f_k` and `m_k`.
        buying_days: SQL identifier of the staging table `buying_days`.
        origin: The as-of date of the scores.
        end: Last day of the horizon, whose first is the day after the origin.
        dialect: The SQL dialect.
    """
    days = f"order_date > {dialect.literal(origin)} AND order_date <= {dialect.literal(end)}"
    sums = [f"{dialect.cast('SUM(orders)', 'integer')} AS orders", "SUM(revenue) AS revenue"]
    outcomes = Cte(
        "outcomes",
        "One row per customer with an order in the horizon.",
        select(["customer_id", *sums], f"{buying_days}\nWHERE {days}", group=1),
    )
    columns = ["scored_0.customer_id AS customer_id"]
    for number in range(len(scored)):
        columns.append(f"scored_{number}.segment AS segment_{number}")
        columns += [f"scored_{number}.{initial}_score AS {initial}_{number}" for initial in "rfm"]
    columns += [
        f"{dialect.hash_group('scored_0.customer_id')} AS hash_group",
        "COALESCE(outcomes.orders, 0) AS orders",
        f"COALESCE(outcomes.revenue, {dialect.cast('0', 'money')}) AS revenue",
    ]
    source = f"{scored[0]} AS scored_0\nLEFT JOIN outcomes\n  ON outcomes.customer_id = scored_0.customer_id"
    for number, table in enumerate(scored[1:], start=1):
        same = f"scored_{number}.customer_id = scored_0.customer_id"
        source += f"\nJOIN {table} AS scored_{number}\n  ON {same}"
    return with_ctes([outcomes], select(columns, source), dialect.name)


def horizon_sql(buying_days: str, origin: date, end: date, dialect: Dialect) -> str:
    """Return the SELECT of all orders of the horizon, one row, with those of customers not scored.

    Args:
        buying_days: SQL identifier of the staging table `buying_days`.
        origin: The as-of date of the scores.
        end: Last day of the horizon.
        dialect: The SQL dialect.
    """
    days = f"order_date > {dialect.literal(origin)} AND order_date <= {dialect.literal(end)}"
    columns = ["COALESCE(SUM(orders), 0) AS orders", "COALESCE(SUM(revenue), 0) AS revenue"]
    return select(columns, f"{buying_days}\nWHERE {days}")


def cells_sql(evaluated: str, number: int, dialect: Dialect) -> str:
    """Return the SELECT of totals by segment and scores of a configuration.

    `rank_sum` adds up twice the mid-rank of each customer's revenue. Ranks count distinct values in groups of
    similar money, so that no window function sorts customers, or all values.

    Args:
        evaluated: SQL identifier of the staging table `evaluated`.
        number: Number of the configuration, from 0.
        dialect: The SQL dialect.
    """
    here = "customers_here"
    running = f"SUM({here}) OVER (ORDER BY coarse)"
    within = f"SUM(values_here.{here}) OVER (PARTITION BY values_here.coarse ORDER BY values_here.revenue)"
    ctes = [
        Cte(
            "values_here",
            "One row per value of the revenue.",
            select(
                ["revenue", f"{dialect.coarse('revenue')} AS coarse", f"COUNT(*) AS {here}"],
                evaluated,
                group=2,
            ),
        ),
        Cte(
            "coarse_values",
            "One row per coarse value, with its customers.",
            select(["coarse", f"SUM({here}) AS {here}"], "values_here", group=1),
            reads=("values_here",),
        ),
        Cte(
            "coarse_ranks",
            "One row per coarse value, with the customers below it.",
            select(["coarse", f"{running} - {here} AS below"], "coarse_values"),
            reads=("coarse_values",),
        ),
        Cte(
            "ranks",
            "One row per value of the revenue, with twice the mean rank of the customers who have it.",
            select(
                [
                    "values_here.revenue AS revenue",
                    f"2 * (coarse_ranks.below + {within}) - values_here.{here} + 1 AS doubled_rank",
                ],
                "values_here\nJOIN coarse_ranks\n  ON coarse_ranks.coarse = values_here.coarse",
            ),
            reads=("values_here", "coarse_ranks"),
        ),
    ]
    keys = [f"segment_{number} AS segment", *(f"{initial}_{number} AS {initial}" for initial in "rfm")]
    totals = [
        "COUNT(*) AS customers",
        _BOUGHT,
        "SUM(orders) AS orders",
        "SUM(evaluated.revenue) AS revenue",
        "SUM(doubled_rank) AS rank_sum",
    ]
    source = f"{evaluated} AS evaluated\nJOIN ranks\n  ON ranks.revenue = evaluated.revenue"
    return with_ctes(ctes, select([*keys, *totals], source, group=4), dialect.name)


def revenue_ties_sql(evaluated: str) -> str:
    """Return the SELECT of how many values of the revenue have how many customers: `ties` and `revenues`."""
    values = select(["revenue", "COUNT(*) AS ties"], evaluated, group=1).replace("\n", "\n  ")
    return select(["ties", "COUNT(*) AS revenues"], f"(\n  {values}\n) AS values_here", group=1)


def totals_sql(evaluated: str, number: int) -> str:
    """Return the SELECT of totals by segment of a configuration."""
    return select([f"segment_{number} AS segment", *_TOTALS], evaluated, group=1)


def groups_sql(evaluated: str, number: int) -> str:
    """Return the SELECT of totals by segment and group of customers, for a configuration."""
    keys = [f"segment_{number} AS segment", "hash_group"]
    return select([*keys, *_TOTALS], evaluated, group=2)


def pairs_sql(evaluated: str, number: int) -> str:
    """Return the SELECT of customers by the segments of configuration 0 and of another one."""
    keys = ["segment_0 AS segment", f"segment_{number} AS other_segment"]
    return select([*keys, "COUNT(*) AS customers", _BOUGHT], evaluated, group=2)


def histories_sql(evaluated: str, buying_days: str, origin: date, groups: int, dialect: Dialect) -> str:
    """Return the SELECT of customers by what BG/NBD needs to know of them, in days up to the origin.

    `repeats` is the number of days with an order after the first one, `recency` the days from the first to
    the last of them, and `age` the days from the first one to the origin.

    Args:
        evaluated: SQL identifier of the staging table `evaluated`.
        buying_days: SQL identifier of the staging table `buying_days`.
        origin: The as-of date of the scores.
        groups: Number of the `HASH_GROUPS` whose customers are selected.
        dialect: The SQL dialect.
    """
    first, last, at = "MIN(order_date)", "MAX(order_date)", dialect.literal(origin)
    histories = Cte(
        "histories",
        "One row per customer, with the days up to the origin.",
        select(
            [
                "customer_id",
                "COUNT(*) - 1 AS repeats",
                f"{dialect.days_between(first, last)} AS recency",
                f"{dialect.days_between(first, at)} AS age",
            ],
            f"{buying_days}\nWHERE purchases > 0 AND order_date <= {at}",
            group=1,
        ),
    )
    columns = ["repeats", "recency", "age", "COUNT(*) AS customers", _BOUGHT]
    source = f"{evaluated} AS evaluated\nJOIN histories\n  ON histories.customer_id = evaluated.customer_id"
    if groups < HASH_GROUPS:
        source += f"\nWHERE hash_group < {dialect.literal(f'{groups:02x}')}"
    return with_ctes([histories], select(columns, source, group=3), dialect.name)
