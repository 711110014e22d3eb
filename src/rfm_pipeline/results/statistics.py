"""Statistics of a run: lines read, kept and excluded, customers scored, audits, and what the run cost."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from msgspec import Struct

from rfm_pipeline.common.customer_mask import mask_customer
from rfm_pipeline.results.json_values import plain_edges, to_plain
from rfm_pipeline.results.tables import RESULT_COLUMNS


class Excluded(Struct, frozen=True):
    """The lines that were excluded for one reason.

    Attributes:
        reason: Name of the exclusion, such as `missing_customer`.
        lines: Number of lines.
        amount: Sum of the amounts that could be read; None if none could.
        example: A value that could not be read, as written in the source. It is shown, never recorded.
        more_examples: Other such values, from the first rows of the source.
    """

    reason: str
    lines: int
    amount: Decimal | None = None
    example: str | None = None
    more_examples: tuple[str, ...] = ()

    @property
    def examples(self) -> tuple[str, ...]:
        """Up to three values that could not be read, without those that are blank."""
        written = dict.fromkeys(text for text in (self.example, *self.more_examples) if text and text.strip())
        return tuple(written)[:3]


class DimensionScores(Struct, frozen=True, rename={"name": "dimension"}):
    """How one dimension was scored.

    Attributes:
        name: `recency`, `frequency` or `monetary`.
        method: `quantile`, `fixed` or `ntile`.
        edges: The edges in the form that `[scoring]` takes; None for `ntile`, which has none.
        customers: Number of customers per score, from score 1 up.
        edges_from: Id of the run that frozen edges come from; None if the edges are not frozen.
        recomputed: The edges that today's customers would give; None if the edges are not frozen.
    """

    name: str
    method: str
    edges: tuple[Decimal, ...] | None
    customers: tuple[int, ...]
    edges_from: str | None = None
    recomputed: tuple[Decimal, ...] | None = None

    @property
    def collapsed(self) -> tuple[int, ...]:
        """The scores that no customer has, because equal values get equal scores."""
        return tuple(score for score, count in enumerate(self.customers, start=1) if count == 0)

    def to_json(self) -> dict[str, Any]:
        """Return plain values: edges in money are decimal strings, the others integers."""
        edges = {name: plain_edges(self.name, getattr(self, name)) for name in ("edges", "recomputed")}
        return {**to_plain(self), **edges}


class Drift(Struct, frozen=True):
    """How far frozen edges are from the edges of today's customers.

    Attributes:
        run_id: Id of the run that the frozen edges come from.
        as_of: As-of date of that run.
        customers: Number of customers whose scores would differ with recomputed edges.
    """

    run_id: str
    as_of: date | None
    customers: int


class SegmentFigures(Struct, frozen=True):
    """Customers, orders and revenue of one segment."""

    segment: str
    customers: int
    orders: int
    revenue: Decimal


class Audit(Struct, frozen=True):
    """Result of one audit.

    Attributes:
        name: Name of the audit.
        status: `passed`, `warning`, `failed` (nothing is published then), or `not_compared`: the audit
            compares with an earlier run, and there was none to compare with.
        detail: The finding, one sentence.
        rows: A few rows that show the problem; none if the audit passed. Only a terminal shows them.
    """

    name: str
    status: str
    detail: str
    rows: tuple[Mapping[str, Any], ...] = ()

    @property
    def masked_rows(self) -> tuple[Mapping[str, Any], ...]:
        """The rows for everything but a terminal: numbers and dates of the result, and masked forms."""
        return tuple({name: _masked(name, value) for name, value in row.items()} for row in self.rows)


def _masked(name: str, value: object) -> object:
    # The user's query may give any name to a customer's id; a text is masked in each column.
    is_measure = name in RESULT_COLUMNS and not isinstance(value, str)
    return value if value is None or is_measure else mask_customer(value)


PART_NOUNS: Mapping[str, str] = {"duckdb": "file", "bigquery": "partition"}
"""What a part of a source is, by the name of the engine."""


class PartsRead(Struct, frozen=True):
    """What an incremental run read of the parts of its source, which are files or partitions.

    Attributes:
        read: Number of parts that were read.
        kept: Number of parts whose orders were kept from earlier runs.
        why_all: Why all parts were read, as a clause; None if those that changed were enough.
        different: Number of unchanged parts whose kept orders were not those that are in the part; None if
            they were not compared.
    """

    read: int
    kept: int
    why_all: str | None = None
    different: int | None = None


class RunStatistics(Struct, frozen=True):
    """What a run computed, as its result and its record hold it. The names are those of the runs table.

    Attributes:
        rows_read: Lines of the source.
        rows_kept: Lines that count.
        amount_kept: Sum of the amounts of the kept lines.
        exclusions: The other lines by reason, the most frequent reason first.
        customers: Distinct customers of the result.
        orders: Distinct orders of these customers.
        revenue: Sum of the customers' monetary values.
        newest_order_date: Date of the newest order; None if there is no order.
        edges: How each dimension was scored: recency, frequency, monetary.
        segments: Every segment of the map, empty ones too, from best to worst.
        largest_customer: Orders of the customer with the most.
        repeated_total: Money of repeats of orders' totals, which count once; None if each line counts.
        due: Customers who are longer without an order than their mean gap; None if the run is on record
            only, as for `revenue_at_risk`.
        revenue_at_risk: Sum of the monetary values of the customers who are due.
        parts: What an incremental run read; None of other runs.
        unscored: Customers none of whose orders has a positive amount, so that they are not scored; None if
            they are not counted, or the run is on record only.
    """

    rows_read: int
    rows_kept: int
    amount_kept: Decimal
    exclusions: tuple[Excluded, ...]
    customers: int
    orders: int
    revenue: Decimal
    newest_order_date: date | None
    edges: tuple[DimensionScores, ...]
    segments: tuple[SegmentFigures, ...]
    largest_customer: int = 0
    repeated_total: Decimal | None = None
    due: int | None = None
    revenue_at_risk: Decimal | None = None
    parts: PartsRead | None = None
    unscored: int | None = None


class Usage(Struct, frozen=True):
    """Resources that a run used in the warehouse.

    Attributes:
        bytes_processed: Bytes read; None if unknown, as on DuckDB.
        bytes_billed: Bytes paid for; None if unknown.
        slot_ms: Milliseconds of all BigQuery slots together; None if unknown.
        jobs: Ids of the jobs, in order.
    """

    bytes_processed: int | None = None
    bytes_billed: int | None = None
    slot_ms: int | None = None
    jobs: tuple[str, ...] = ()
