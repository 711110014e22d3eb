"""The input of the SQL stages: the query's specification, and the CTE that each stage returns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal

from msgspec import Struct, field

from rfm_pipeline.common.schema import NUMBERS, Kind, Schema
from rfm_pipeline.common.source_files import SourceFiles
from rfm_pipeline.common.source_parts import TakeOver
from rfm_pipeline.config.column_mapping import ColumnMapping
from rfm_pipeline.config.reading import Reading
from rfm_pipeline.config.segment_map import SegmentMap
from rfm_pipeline.config.settings import Settings
from rfm_pipeline.results.forgotten import Forgotten
from rfm_pipeline.sql.dialects.base import Dialect


class Cte(Struct, frozen=True):
    """A common table expression.

    Attributes:
        name: Name of the CTE, and of its staging table if a run materializes it.
        description: Sentence that says what a row is; printed as a comment above the CTE.
        sql: SELECT of the CTE.
        reads: Names of the CTEs that `sql` reads. Tables are not listed.
    """

    name: str
    description: str
    sql: str
    reads: tuple[str, ...] = ()


class RunDates(Struct, frozen=True):
    """Dates of a query that is printed once and runs on many days, as SQL of the dialect.

    Attributes:
        today: Date of the run in the shop's time zone.
        as_of: The as-of date; None if `settings.as_of` has it, or it is the date of the newest order.
    """

    today: str
    as_of: str | None = None


class QuerySpec(Struct, frozen=True):
    """Everything that the stages need to build the query.

    Attributes:
        settings: The merged settings.
        schema: The source's columns, which exclusions may use.
        reading: How the lines are read: the column of each role, the formats of dates and numbers.
        relation: The source as SQL that can follow FROM, quoted in the dialect.
        segment_map: The validated segment map.
        today: The run's local date; later orders are excluded as `future_dated`.
        dialect: The engine's SQL dialect.
        frozen: Frozen edges by dimension name, in the order of `[scoring]`; only dimensions with the method
            `quantile` can have them. Customers are scored by the frozen edges, and the table `edges` has
            the recomputed ones besides.
        total_rows: Lines that are totals of other lines: columns, each with the text of its cell.
        files: The files of a source of several files; None for any other source.
        compares_files: Whether orders in several files are compared. If not, they are only counted.
        origin: As-of date of the metrics where the orders are staged by day once for several dates; later
            orders do not count, and `settings.as_of` is `latest`. None for a run.
        forgotten: The customers whose lines are excluded, because they were forgotten.
        run_dates: The dates of a query that another scheduler runs; None if `today` and `settings.as_of`
            hold.
        keeps_orders: Whether lines are aggregated per part of the source first, as incremental runs keep
            them.
        takes_over: The kept customers, which are taken over; None if all customers are computed.
    """

    settings: Settings
    schema: Schema
    reading: Reading
    relation: str
    segment_map: SegmentMap
    today: date
    dialect: Dialect
    frozen: Mapping[str, tuple[Decimal, ...]] = field(default_factory=dict)
    total_rows: tuple[tuple[tuple[str, str], ...], ...] = ()
    files: SourceFiles | None = None
    compares_files: bool = False
    origin: date | None = None
    forgotten: Forgotten = Forgotten()
    run_dates: RunDates | None = None
    keeps_orders: bool = False
    takes_over: TakeOver | None = None

    @property
    def mapping(self) -> ColumnMapping:
        """The column of each role."""
        return self.reading.mapping

    @property
    def as_of(self) -> date | None:
        """The configured as-of date; None if it is the date of the newest kept order."""
        return self.settings.as_of if isinstance(self.settings.as_of, date) else None

    @property
    def as_of_sql(self) -> str | None:
        """SQL of the as-of date; None if it is the date of the newest kept order."""
        if self.run_dates and self.run_dates.as_of:
            return self.run_dates.as_of
        return self.dialect.literal(self.as_of) if self.as_of else None

    @property
    def last_day_sql(self) -> str:
        """SQL of the last date whose orders count: the as-of date, or else the date of the run."""
        today = self.run_dates.today if self.run_dates else self.dialect.literal(self.today)
        return self.as_of_sql or today

    @property
    def last_day(self) -> date:
        """The last date on which an order counts; later ones are excluded as `future_dated`."""
        return self.as_of or self.today

    @property
    def window_moves(self) -> bool:
        """Whether lines can't be compared with the window one by one, so that orders are staged by day.

        The time window ends on the newest order, there are several as-of dates, or the lines of an order have
        one total, which counts on the order's date.
        """
        is_late = self.as_of is None or self.counts_totals
        return self.origin is not None or (self.settings.window is not None and is_late)

    @property
    def order_dates_are_text(self) -> bool:
        """Whether order dates must be parsed: from text, or from numbers such as 20240131."""
        return self.mapping.ordered_at.kind in {Kind.TEXT, *NUMBERS}

    @property
    def may_be_ambiguous(self) -> bool:
        """Whether dates are text without a configured format, so that 03/04/2024 could mean two days."""
        return self.reading.dates_may_be_ambiguous

    @property
    def has_adjusted_totals(self) -> bool:
        """Whether a column has what is left of an order's total after a refund."""
        return self.mapping.total is not None and self.mapping.adjusted_total is not None

    @property
    def has_refunds(self) -> bool:
        """Whether refunds of a line are subtracted from its amount."""
        return self.mapping.refund is not None or self.has_adjusted_totals

    @property
    def has_refund_lines(self) -> bool:
        """Whether refunds are lines of their own, which name the order that they refund."""
        return self.mapping.refund_of is not None and self.mapping.order_id is not None

    def kind_of(self, role: str) -> Kind:
        """Return the kind of a role's values in the CTE `source`; the role must have a column."""
        in_two_columns = role == "customer_id" and self.mapping.customer_fallback is not None
        if in_two_columns or (role in {"order_id", "refund_of"} and self.has_refund_lines):
            return Kind.TEXT
        return self.mapping.roles()[role].kind

    @property
    def counts_totals(self) -> bool:
        """Whether the amount is the total of an order, repeated on each of its lines, and counts once."""
        return self.reading.amount_of == "order" and self.mapping.order_id is not None

    @property
    def aggregates_lines(self) -> bool:
        """Whether the rows that are aggregated to orders are aggregates, with `lines` and `purchases`."""
        return self.compares_files or self.counts_totals or self.keeps_orders

    @property
    def keeps_extremes(self) -> bool:
        """Whether kept orders have their smallest and largest amounts, to compare copies in other files."""
        can_have_copies = self.dialect.name == "duckdb" and self.settings.same_order != "both"
        return can_have_copies and self.mapping.order_id is not None

    @property
    def may_share_orders(self) -> bool:
        """Whether an order can be in several files, and then counts once."""
        several = self.files is not None and self.files.distinct > 1
        return several and self.mapping.order_id is not None and self.settings.same_order != "both"

    @property
    def counts_shared_orders(self) -> bool:
        """Whether `customers` has the column `shared_orders`, the number of orders in several files."""
        return self.may_share_orders and not self.compares_files

    @property
    def numbers_files(self) -> bool:
        """Whether the CTEs have the column `source_file`."""
        return self.may_share_orders or (self.files is not None and bool(self.files.duplicates))

    @property
    def splits_ties(self) -> bool:
        """Whether a dimension uses the method `ntile`, which gives equal customers different scores."""
        return any(dimension.method == "ntile" for dimension in self.settings.scoring.dimensions)

    @property
    def nets_returns(self) -> bool:
        """Whether negative lines are subtracted from the monetary value instead of being excluded."""
        return self.settings.returns == "net" or self.reading.sales.nets_refunds


def select(columns: Sequence[str], source: str, group: int = 0) -> str:
    """Return a SELECT with one column per line.

    Args:
        columns: Expressions with their aliases.
        source: SQL that follows FROM; empty for a SELECT without FROM.
        group: Number of leading columns to group by; 0 for no GROUP BY.

    >>> print(select(["segment", "COUNT(*) AS customers"], "result", group=1))
    SELECT
      segment,
      COUNT(*) AS customers
    FROM result
    GROUP BY 1
    """
    listed = ",\n".join(f"  {column}" for column in columns)
    from_clause = f"\nFROM {source}" if source else ""
    positions = ", ".join(str(position) for position in range(1, group + 1))
    group_by = f"\nGROUP BY {positions}" if group else ""
    return f"SELECT\n{listed}{from_clause}{group_by}"
