"""The `rfm compare` use case: two segmentations of the same customers, side by side.

The sides are two configurations for the same lines, which are read once, or two tables of segmented
customers. Customers are counted by the segments of both sides, so that the number of rows fetched does not
grow with the number of customers, unless customers are asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from msgspec import Struct, field
from msgspec.structs import replace

from rfm_pipeline.common.customer_mask import mask_addresses
from rfm_pipeline.common.date_formats import parse_iso_date
from rfm_pipeline.common.merged_order import merge_orders
from rfm_pipeline.comparison.agreement import names_on_side_a
from rfm_pipeline.comparison.columns import COMPARED
from rfm_pipeline.comparison.configurations import open_configurations
from rfm_pipeline.comparison.result import (
    SegmentComparison,
    SideTotals,
    combine_flows,
    count_customers,
    total,
)
from rfm_pipeline.comparison.sides import ComparedSides, Engine, Side, find_side
from rfm_pipeline.comparison.tables import Options, open_tables
from rfm_pipeline.config.column_mapping import flag, list_columns
from rfm_pipeline.config.loader import Configuration
from rfm_pipeline.errors import ColumnError, UsageError
from rfm_pipeline.pipeline.configurations import parse_choice
from rfm_pipeline.pipeline.progress import RunObserver
from rfm_pipeline.results.tables import RESULT_COLUMNS
from rfm_pipeline.sql.comparison_queries import customers_sql, pairs_sql
from rfm_pipeline.sql.dialects.registry import dialect_of

if TYPE_CHECKING:
    from rfm_pipeline.source.base import SourceOpener

OPTION = "--with"
_EXAMPLES = (
    "for example rfm compare orders.csv --with preset=grid, rfm compare duckdb:rfm.duckdb old.csv, or"
    " rfm compare duckdb:rfm.duckdb --with as_of=2025-11-30."
)


class Request(Struct, frozen=True):
    """What to compare.

    Attributes:
        a: Side A: a table, or the source whose lines are segmented twice; None for that of the configuration.
        b: Side B; None if it is side A with what `changes` says.
        changes: What is different on side B: `preset`, `bins` and `method`, or `as_of`.
        columns: Names of columns of the tables by role: `customer_id`, `segment`, `monetary`.
        renamed: Names of segments on side A, by their names on side B.
        opens: Opens the source `a` if it is a data frame.
    """

    a: str | Side | None = None
    b: str | Side | None = None
    changes: str | Mapping[str, Any] | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    renamed: Mapping[str, str] = field(default_factory=dict)
    opens: SourceOpener | None = None


class OpenComparison(Struct, frozen=True):
    """A comparison whose engine is open.

    Attributes:
        result: Customers and money by segments, and columns that differ.
    """

    result: SegmentComparison
    _engine: Engine
    _sides: tuple[str, str]
    _names: Mapping[str, str]

    def customers(self, column: str, limit: int | None = None) -> Iterator[Sequence[dict[str, Any]]]:
        """Yield pages of the customers whose values of a column differ, those with the most money first.

        A row has `customer_id`, `segment_a`, `segment_b`, `revenue_a`, `revenue_b`, and for other columns
        than `segment` and `monetary` the two values. Customers of one side only differ in `segment`.

        Args:
            column: A column that was compared.
            limit: Number of customers; None for all.

        Raises:
            UsageError: If the column was not compared.
        """
        if column not in self.result.columns:
            raise UsageError(
                f"`{column}` is not among the columns that were compared.",
                f"choose one of {list_columns(list(self.result.columns), 20)}.",
            )
        dialect = dialect_of(self._engine.engine)
        select = customers_sql(self._sides, column, self._names, dialect, limit=limit)
        for page in self._engine.pages(select):
            yield [{name: _whole(name, value) for name, value in row.items()} for row in page]


def _whole(name: str, value: object) -> object:
    """Return a value of a column of whole numbers as an int; other values as they are."""
    about = RESULT_COLUMNS.get(name.removesuffix("_a").removesuffix("_b"))
    is_whole = about is not None and about.holds in {"integer", "small"}
    return int(value) if is_whole and isinstance(value, Decimal) and value == int(value) else value


@contextmanager
def open_comparison(
    configuration: Configuration, request: Request, observer: RunObserver, *, today: date | None = None
) -> Iterator[OpenComparison]:
    """Compare two segmentations, and keep the engine open inside the `with` block. Nothing is published.

    Args:
        configuration: All layers of settings.
        request: What to compare.
        observer: Receives the progress.
        today: As for `open_plan`.

    Raises:
        UsageError: If there is nothing to compare, or a table is not one of segmented customers.
        RfmError: If a side can't be read.
    """
    changes = parse_choice(request.changes, OPTION, ("as_of",)) if request.changes else {}
    if request.b is None and changes and "as_of" not in changes:
        if "segment" in request.columns:
            raise UsageError(
                f"{flag('segment')} is a column of tables of segmented customers, and two configurations are"
                " compared for transaction lines.",
                "leave it out.",
            )
        if request.a is not None:
            flags = {**configuration.flags, "source": request.a}
            configuration = replace(configuration, flags=flags)
        sides = open_configurations(
            configuration, request.changes or "", observer, today=today, opens=request.opens
        )
    else:
        sides = _open_tables(configuration, request, changes, observer)
    with sides as opened:
        observer.step("Comparing")
        yield compare_sides(opened, request.renamed)


@contextmanager
def _open_tables(
    configuration: Configuration, request: Request, changes: Mapping[str, Any], observer: RunObserver
) -> Iterator[ComparedSides]:
    settings = configuration.settings
    a, b = _find_sides(configuration, request, changes)
    with open_tables((a, b), Options(request.columns, settings), observer) as (engine, opened):
        for role, name in request.columns.items():
            if not any(role in side.named for side in opened):
                raise ColumnError(
                    f"{flag(role)} names the column `{name}`, which neither {a.name} nor {b.name} has.",
                    "give the name of a column of one of the two tables.",
                )
        common = [name for name in COMPARED if all(name in side.columns for side in opened)]
        yield ComparedSides(
            engine=engine,
            selects=(opened[0].select, opened[1].select),
            names=(a.name, b.name),
            as_of=(a.as_of, b.as_of),
            columns=tuple(sorted(common, key=lambda name: name != "segment")),
            orders=(a.segments, b.segments),
            notes=(*opened[0].notes, *opened[1].notes),
        )


def _find_sides(
    configuration: Configuration, request: Request, changes: Mapping[str, Any]
) -> tuple[Side, Side]:
    """Return both sides.

    Raises:
        UsageError: If there is nothing to compare, or a side is no table.
    """
    configured = [name for name in changes if name != "as_of"]
    if configured:
        other = "a second table" if request.b is not None else "a date"
        raise UsageError(
            f"'{configured[0]}' is for two configurations of the same lines, and does not go with {other}.",
            "give one source of transaction lines, and preset, bins or method alone.",
        )
    if request.a is None or (request.b is None and not changes):
        raise UsageError("A comparison takes two sides.", _EXAMPLES)
    settings, flags = configuration.settings, configuration.flags
    # An as-of date of rfm.toml is one of runs.
    first = settings.as_of if "as_of" in flags and isinstance(settings.as_of, date) else None
    second = _date(changes["as_of"]) if "as_of" in changes else first
    a, b = request.a, request.a if request.b is None else request.b
    side_a = a if isinstance(a, Side) else find_side(a, settings, first)
    side_b = b if isinstance(b, Side) else find_side(b, settings, second)
    if request.b is None and side_a.as_of == side_b.as_of:
        raise UsageError(
            f"Both sides are {side_a.name}.", "give another date to side B; --as-of is that of side A."
        )
    return side_a, side_b


def _date(value: object) -> date:
    if isinstance(value, date):
        return value
    try:
        return parse_iso_date(str(value))
    except ValueError as error:
        raise UsageError(f"as_of: {error}.", "write year, month and day.") from None


def compare_sides(sides: ComparedSides, renamed: Mapping[str, str]) -> OpenComparison:
    """Count the customers of two sides by their segments.

    Args:
        sides: The sides.
        renamed: Names of segments on side A, by their names on side B.

    Raises:
        UsageError: If a side has no segment of a name in `renamed`.
    """
    dialect = dialect_of(sides.engine.engine)
    values = [name for name in sides.columns if name != "segment"]
    pairs = sides.engine.rows(pairs_sql(sides.selects, values, dialect))
    segments = [{row[side] for row in pairs if row[side] is not None} for side in ("segment_a", "segment_b")]
    names = names_on_side_a(segments[0], segments[1], renamed)
    order_b = tuple(dict.fromkeys(names.get(name, name) for name in sides.orders[1]))
    flows, order = combine_flows(pairs, names, merge_orders(sides.orders[0], order_b))
    totals = [
        SideTotals(
            sides.names[number],
            sides.as_of[number],
            count_customers(on_side),
            total(flow.revenue_b if number else flow.revenue_a for flow in on_side),
        )
        for number in (0, 1)
        for on_side in [[flow for flow in flows if (flow.b if number else flow.a) is not None]]
    ]
    both = [row for row in pairs if row["segment_a"] is not None and row["segment_b"] is not None]
    columns = {"segment": sum(flow.customers for flow in flows if flow.is_move)}
    columns |= {name: sum(int(row[f"differs_{name}"]) for row in both) for name in values}
    same_name = [
        mask_addresses(f"'{b}' of side B is '{a}' of side A") for b, a in names.items() if b not in renamed
    ]
    result = SegmentComparison(
        totals[0],
        totals[1],
        sides.engine.engine,
        order,
        flows,
        {name: columns[name] for name in sides.columns},
        (*sides.notes, *same_name),
    )
    return OpenComparison(result, sides.engine, sides.selects, names)
