"""What the query is to answer: everything that the stages need to know."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal

from msgspec import Struct, field

from rfm_pipeline.common.date_formats import ISO
from rfm_pipeline.common.schema import Kind, Schema
from rfm_pipeline.config.column_mapping import ColumnMapping
from rfm_pipeline.config.segment_map import SegmentMap
from rfm_pipeline.config.settings import Settings
from rfm_pipeline.sql.dialects.base import Dialect


class Cte(Struct, frozen=True):
    """One common table expression.

    Attributes:
        name: Its name in the query, and of its table where it is materialised.
        row: What a row of it is, for the comment above it.
        sql: Its SELECT.
    """

    name: str
    row: str
    sql: str


class QuerySpec(Struct, frozen=True):
    """What the query is to answer.

    Attributes:
        settings: All that was configured.
        schema: The columns of the source, which exclusions may use.
        mapping: Which column plays which role.
        relation: The source as it stands behind FROM, in the dialect's own quoting.
        segment_map: The proved map.
        today: The local date of the run, after which nothing can have been ordered.
        dialect: How the engine says things.
        frozen: By the name of a dimension whose method is `quantile`, an earlier run's edges, in the form
            that `[scoring]` takes. Customers are scored by them, and the edges of today stand beside them.
    """

    settings: Settings
    schema: Schema
    mapping: ColumnMapping
    relation: str
    segment_map: SegmentMap
    today: date
    dialect: Dialect
    frozen: Mapping[str, tuple[Decimal, ...]] = field(default_factory=dict)

    @property
    def as_of(self) -> date | None:
        """The given as-of date; None is the newest kept order's."""
        return self.settings.as_of if isinstance(self.settings.as_of, date) else None

    @property
    def window_moves(self) -> bool:
        """Whether the window can only be known once the newest order is."""
        return self.settings.window is not None and self.as_of is None

    @property
    def order_dates_are_text(self) -> bool:
        """Whether a date has to be read out of text."""
        return self.mapping.ordered_at.kind in {Kind.TEXT, Kind.INTEGER}

    @property
    def may_be_ambiguous(self) -> bool:
        """Whether a date can be written in a way that is read in two: nobody said how dates are written."""
        return self.order_dates_are_text and self.settings.date_format == (ISO,)

    @property
    def splits_ties(self) -> bool:
        """Whether a dimension is scored as older pipelines do it."""
        return any(dimension.method == "ntile" for dimension in self.settings.scoring.dimensions)

    @property
    def nets_returns(self) -> bool:
        """Whether negative lines are taken off the monetary value."""
        return self.settings.returns == "net"


def select(columns: Sequence[str], source: str, group: int = 0) -> str:
    """A SELECT as it is to be read: one column a line.

    Args:
        columns: Expressions with their aliases.
        source: What follows FROM; empty where nothing is read.
        group: How many of the columns, from the first, rows are grouped by.
    """
    listed = ",\n".join(f"  {column}" for column in columns)
    read = f"\nFROM {source}" if source else ""
    grouped = f"\nGROUP BY {', '.join(str(key) for key in range(1, group + 1))}" if group else ""
    return f"SELECT\n{listed}{read}{grouped}"
