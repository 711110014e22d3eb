"""Queries of `rfm compare`: customers by their segments in two tables, side A and side B.

A side is a SELECT with one row per customer: `customer_id`, `segment`, which is '' for a customer without
one, `monetary`, which is NULL where the money is unknown, and other columns of a published result.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rfm_pipeline.common.schema import NUMBERS, Column, Kind
from rfm_pipeline.results.tables import RESULT_COLUMNS
from rfm_pipeline.sql.dialects.base import Dialect, case_expression
from rfm_pipeline.sql.pipeline import with_ctes
from rfm_pipeline.sql.query_spec import Cte, select

_NUMBER = (38, 9)
"""Precision and scale that all numbers are compared in."""
_BOTH = "side_b.customer_id = side_a.customer_id"


def kind_of(name: str) -> str:
    """Return the kind of a side's column, as `Dialect.cast` takes it: `text`, `money` or `date`."""
    holds = RESULT_COLUMNS[name].holds
    return holds if holds in {"text", "date"} else "money"


def can_hold(name: str, kind: Kind) -> bool:
    """Return whether a table's column of a kind can be the column `name` of a side."""
    if name == "customer_id" or kind_of(name) == "text":
        return kind is not Kind.OTHER
    dates = {Kind.DATE, Kind.TIMESTAMP, Kind.TIMESTAMPTZ}
    return kind is Kind.TEXT or kind in (dates if kind_of(name) == "date" else NUMBERS)


def value_sql(name: str, column: Column, dialect: Dialect, formats: Sequence[str], decimal: str) -> str:
    """Return a value of a table's column for comparison; NULL if it is blank or can't be read.

    Args:
        name: Name of the side's column.
        column: The table's column.
        dialect: The SQL dialect.
        formats: Formats of dates that are text.
        decimal: Decimal mark of numbers that are text.
    """
    value, kind = dialect.column(column), column.kind
    if name == "customer_id":
        return dialect.id_text(dialect.customer_key(value, kind), kind)
    text = dialect.trim(value) if kind is Kind.TEXT else value
    match kind_of(name):
        case "text":
            return f"NULLIF({dialect.trim(dialect.plain_text(value, kind))}, '')"
        case "date":
            return dialect.local_date(text, kind, "UTC", formats)
    if kind is Kind.TEXT:
        return dialect.text_number(text, _NUMBER, decimal)
    if kind is Kind.FLOAT:
        return dialect.float_number(dialect.numeric_column(column), _NUMBER)
    return dialect.exact_number(value, _NUMBER)


def side_sql(relation: str, values: Mapping[str, str], condition: str, dialect: Dialect) -> str:
    """Return the SELECT of a side.

    Args:
        relation: The table as SQL that can follow FROM.
        values: Expression of each column, with `customer_id` and `segment`.
        condition: Condition of the rows that count; empty for all.
        dialect: The SQL dialect.
    """
    columns = {
        "monetary": dialect.cast("NULL", "money"),
        **values,
        "segment": f"COALESCE({values['segment']}, '')",
    }
    conditions = [*filter(None, [condition]), f"{values['customer_id']} IS NOT NULL"]
    listed = [f"{value} AS {name}" for name, value in columns.items()]
    return f"{select(listed, relation)}\nWHERE {' AND '.join(conditions)}"


def checks_sql(
    relation: str,
    values: Mapping[str, str],
    written: Mapping[str, Column],
    condition: str,
    dialect: Dialect,
) -> str:
    """Return the SELECT of numbers of rows, ids, customers and segments, and of unreadable values by column.

    Args:
        relation: The table as SQL that can follow FROM.
        values: As for `side_sql`.
        written: The table's columns that are text and hold numbers or dates, by the names of `values`.
        condition: As for `side_sql`.
        dialect: The SQL dialect.
    """
    key = values["customer_id"]
    columns = [
        "COUNT(*) AS table_rows",
        f"COUNT({key}) AS ids",
        f"COUNT(DISTINCT {key}) AS customers",
        f"COUNT(DISTINCT {values['segment']}) AS segments",
    ]
    for name, column in written.items():
        is_blank = dialect.is_blank(dialect.column(column), column.kind)
        unreadable = f"NOT {is_blank} AND {values[name]} IS NULL"
        columns.append(f"COUNT(CASE WHEN {unreadable} THEN 1 END) AS unreadable_{name}")
    return select(columns, relation) + (f"\nWHERE {condition}" if condition else "")


def pairs_sql(sides: tuple[str, str], compared: Sequence[str], dialect: Dialect) -> str:
    """Return the SELECT of customers and money by the segments of both sides.

    The segment of a customer who is not on a side is NULL there. `differs_x` counts the customers of both
    sides whose values of the column x differ.

    Args:
        sides: SELECTs of side A and of side B.
        compared: Names of the columns to compare.
        dialect: The SQL dialect.
    """
    columns = [
        "side_a.segment AS segment_a",
        "side_b.segment AS segment_b",
        "COUNT(*) AS customers",
        "SUM(side_a.monetary) AS revenue_a",
        "SUM(side_b.monetary) AS revenue_b",
        *(f"COUNT(CASE WHEN {_differs(name)} THEN 1 END) AS differs_{name}" for name in compared),
    ]
    return with_ctes(_ctes(sides), select(columns, _joined("FULL JOIN"), group=2), dialect.name)


def customers_sql(
    sides: tuple[str, str],
    column: str,
    names: Mapping[str, str],
    dialect: Dialect,
    *,
    limit: int | None = None,
) -> str:
    """Return the SELECT of the customers whose values of a column differ, those with the most money first.

    Customers of one side only differ in `segment`.

    Args:
        sides: SELECTs of side A and of side B.
        column: Name of the column.
        names: The segments of side B whose names differ on side A, each with that name.
        dialect: The SQL dialect.
        limit: Number of customers; None for all.
    """
    columns = [
        "COALESCE(side_a.customer_id, side_b.customer_id) AS customer_id",
        "side_a.segment AS segment_a",
        "side_b.segment AS segment_b",
        "side_a.monetary AS revenue_a",
        "side_b.monetary AS revenue_b",
    ]
    join, differs = "JOIN", _differs(column)
    if column == "segment":
        renamed = [(f"side_b.segment = {dialect.literal(b)}", dialect.literal(a)) for b, a in names.items()]
        segment = case_expression(renamed, "side_b.segment") if renamed else "side_b.segment"
        join, differs = "FULL JOIN", f"side_a.segment IS DISTINCT FROM {segment}"
    elif column != "monetary":
        columns += [f"side_a.{column} AS {column}_a", f"side_b.{column} AS {column}_b"]
    listed = select(columns, f"{_joined(join)}\nWHERE {differs}")
    order = "\nORDER BY COALESCE(side_a.monetary, side_b.monetary, 0) DESC, 1"
    limited = "" if limit is None else f"\nLIMIT {limit}"
    return with_ctes(_ctes(sides), f"{listed}{order}{limited}", dialect.name)


def _differs(name: str) -> str:
    return f"side_a.{name} IS DISTINCT FROM side_b.{name}"


def _joined(join: str) -> str:
    return f"side_a\n{join} side_b\n  ON {_BOTH}"


def _ctes(sides: tuple[str, str]) -> list[Cte]:
    return [
        Cte(f"side_{letter}", f"One row per customer of side {letter.upper()}.", side)
        for letter, side in zip("ab", sides, strict=True)
    ]
