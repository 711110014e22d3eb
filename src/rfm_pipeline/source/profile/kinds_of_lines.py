"""Kinds of lines: events that are no purchases, and totals of orders among the lines that they add up."""

from __future__ import annotations

import shlex
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal

from msgspec import Struct

from rfm_pipeline.common.formatting import format_amount, format_count
from rfm_pipeline.common.schema import Column, Kind
from rfm_pipeline.config.column_mapping import shell_word
from rfm_pipeline.config.column_names import meaning_of
from rfm_pipeline.config.questions import question
from rfm_pipeline.config.vocabulary import load
from rfm_pipeline.errors import ColumnError
from rfm_pipeline.source.profile.amounts import SampledLines
from rfm_pipeline.source.profile.own_exclusions import excluded_by_settings, exclusions_of
from rfm_pipeline.source.profile.status_words import fold

_NEARLY_ALL = 0.95
_FEWEST_ORDERS = 3
_FEWEST_LINES = 3
"""Lines of an order from which on one of them can be the total of at least two others."""
_ROUNDING = Decimal("0.01")
_MOST_KINDS = 40
_MOST_MARKS = 3
_SHOWN = 6


def refuse_other_events(lines: SampledLines) -> None:
    """Raise if lines are events of several kinds, of which some are purchases.

    Args:
        lines: The sampled lines.

    Raises:
        ColumnError: If there are such lines; the error shows the total of each kind.
    """
    if lines.settings.line_types == "all":
        return
    words = load("events")
    purchases, others = set(words["purchases"]), set(words["others"])
    for column in lines.schema:
        name = fold(column.name)
        is_plain = name in words["columns"]
        if not (is_plain or name in words["weak"]) or column.kind is not Kind.TEXT:
            continue
        if column.path in lines.role_paths or exclusions_of(column, lines.settings):
            continue
        kinds = _by_value(lines, column)
        bought = [kind for kind in kinds if fold(kind) in purchases]
        if not bought or len(bought) == len(kinds) or len(kinds) > _MOST_KINDS:
            continue
        order = _order_of(lines, [line for kind in bought for line in kinds[kind]])
        has_ids = order is not None and not _is_blank_elsewhere(lines, order, kinds, bought)
        if order == lines.mapping.order_id and order is not None and not has_ids:
            # Lines without an order id are excluded anyway.
            continue
        if is_plain or {fold(kind) for kind in kinds} & others or (order is not None and not has_ids):
            raise _other_events(lines, column, kinds, bought, order)


def _by_value(lines: SampledLines, column: Column) -> dict[str, list[int]]:
    """Return the lines of each value of a column."""
    by_value: dict[str, list[int]] = defaultdict(list)
    for line, value in enumerate(lines.sample.of(column)):
        if value is not None:
            by_value[value].append(line)
    return dict(by_value)


def _order_of(lines: SampledLines, purchases: Sequence[int]) -> Column | None:
    """Return the column of the order, or one that is filled on all purchases; None if there is none."""
    if lines.mapping.order_id:
        return lines.mapping.order_id
    for column in lines.schema:
        meaning = meaning_of(column.name)
        values = lines.sample.of(column)
        if meaning and meaning.role == "order_id" and values and all(values[line] for line in purchases):
            return column
    return None


def _is_blank_elsewhere(
    lines: SampledLines, order: Column, kinds: Mapping[str, Sequence[int]], bought: Collection[str]
) -> bool:
    """Return whether no line of another kind than a purchase has an order id."""
    values = lines.sample.of(order)
    return not any(values[line] for kind in kinds if kind not in bought for line in kinds[kind])


def _other_events(
    lines: SampledLines,
    column: Column,
    kinds: Mapping[str, Sequence[int]],
    bought: Sequence[str],
    order: Column | None,
) -> ColumnError:
    shown = [
        f"{kind} {format_amount(lines.total(of_kind))} ({format_count(len(of_kind), 'line')})"
        for kind, of_kind in kinds.items()
    ]
    more = f" and {len(shown) - _SHOWN} more" if len(shown) > _SHOWN else ""
    orders = lines.sample.of(lines.mapping.order_id) if lines.mapping.order_id else ()
    counted = [line for line in range(lines.sample.rows) if not orders or orders[line]]
    with_order = "" if lines.mapping.order_id or order is None else f" --order-id {shell_word(order.name)}"
    return question(
        "other_events",
        column=column.name,
        totals=", ".join(shown[:_SHOWN]) + more,
        scope=lines.scope,
        exclusion=exclusion_flag("other_event", f"{_sql_name(column)} NOT IN ({_texts(bought)})")
        + with_order,
        purchases=format_amount(lines.total(line for kind in bought for line in kinds[kind])),
        everything=format_amount(lines.total(counted)),
    )


class _Totals(Struct, frozen=True):
    """Totals of orders in the sample.

    Attributes:
        orders: Number of orders in which at least two lines could add up to another one.
        totals: The line of each of these orders that is the sum of the others, if one is.
        parts: The other lines of these orders.
    """

    orders: int
    totals: Sequence[int]
    parts: Sequence[int]


def refuse_totals_among_lines(lines: SampledLines) -> None:
    """Raise if orders have their total as a line of its own, so that they would count twice.

    Args:
        lines: The sampled lines.

    Raises:
        ColumnError: If in nearly all orders of several lines, one line is the sum of the others.
    """
    if lines.mapping.order_id is None or lines.settings.line_types == "all" or lines.settings.amount_of:
        return
    found = _totals(lines)
    if len(found.totals) < _FEWEST_ORDERS or len(found.totals) < _NEARLY_ALL * found.orders:
        return
    facts = {
        "number": f"{len(found.totals):,}",
        "orders": format_count(found.orders, "order"),
        "scope": lines.scope,
        "everything": format_amount(lines.total()),
    }
    columns = [column for column in lines.schema if column.path not in lines.role_paths]
    marks = [(column, marks) for column in columns if (marks := _marks(lines, column, found))]
    if any(exclusions_of(column, lines.settings) for column, _ in marks):
        return
    if not marks:
        totals, parts = lines.total(found.totals), lines.total(found.parts)
        raise question(
            "totals_without_mark", totals=format_amount(totals), parts=format_amount(parts), **facts
        )
    # A column with words says more than one that is blank, or that has many other values.
    column, values = min(marks, key=lambda mark: (None in mark[1], len(set(lines.sample.of(mark[0])))))
    totals = lines.total(line for line, value in enumerate(lines.sample.of(column)) if value in values)
    raise question(
        "totals_among_lines",
        totals=format_amount(totals),
        parts=format_amount(lines.total() - totals),
        column=column.name,
        values=" or ".join("blank" if value is None else repr(value) for value in values),
        exclusion=exclusion_flag("order_total", _condition(column, values)),
        **facts,
    )


def _totals(lines: SampledLines) -> _Totals:
    """Return the totals among the lines of the sample, without the lines that settings exclude."""
    by_order: dict[tuple[str | None, str], list[int]] = defaultdict(list)
    assert lines.mapping.order_id is not None
    customers, orders = (lines.sample.of(key) for key in (lines.mapping.customer_id, lines.mapping.order_id))
    excluded = excluded_by_settings(lines)
    for line, (customer, order) in enumerate(zip(customers, orders, strict=True)):
        if order is not None and not excluded[line]:
            by_order[customer, order].append(line)
    several = [each for each in by_order.values() if len(each) >= _FEWEST_LINES]
    counted, totals, parts = 0, [], []
    # Most sources have fewer orders of so many lines, and need no amounts.
    for of_order in several if len(several) >= _FEWEST_ORDERS else ():
        money = {line: amount for line in of_order if (amount := lines.amounts[line])}
        if len(money) < _FEWEST_LINES or min(money.values()) < 0:
            continue
        counted += 1
        whole = max(money, key=lambda line: money[line])
        if abs(sum(money.values()) - 2 * money[whole]) <= _ROUNDING:
            totals.append(whole)
            parts += [line for line in of_order if line != whole]
    return _Totals(counted, totals, parts)


def _marks(lines: SampledLines, column: Column, found: _Totals) -> tuple[str | None, ...]:
    """Return the values of a column that totals have and no other line; none if it does not tell them."""
    values = lines.sample.of(column)
    if not values:
        return ()
    marks = list(dict.fromkeys(values[line] for line in found.totals))
    if len(marks) > _MOST_MARKS or {values[line] for line in found.parts} & set(marks):
        return ()
    return tuple(marks)


def _condition(column: Column, values: Sequence[str | None]) -> str:
    """Return the condition that is true on the lines with one of some values."""
    name, texts = _sql_name(column), [value for value in values if value is not None]
    conditions = []
    if texts:
        conditions.append(f"{name} IN ({_texts(texts)})" if len(texts) > 1 else f"{name} = {_texts(texts)}")
    if len(texts) < len(values):
        conditions.append(f"COALESCE({name}, '') = ''" if column.kind is Kind.TEXT else f"{name} IS NULL")
    return " OR ".join(conditions)


def _texts(values: Sequence[str]) -> str:
    return ", ".join("'" + value.replace("'", "''") + "'" for value in values)


def _sql_name(column: Column) -> str:
    return column.name if column.name.isidentifier() else '"' + column.name.replace('"', '""') + '"'


def exclusion_flag(name: str, condition: str) -> str:
    r"""Return the flag that excludes the lines of a condition in SQL.

    >>> exclusion_flag("order_total", "kind = 'H'")
    '--exclude "order_total=kind = \'H\'"'
    """
    text = f"{name}={condition}"
    is_plain = not set(text) & set('"$`\\!')
    return f'--exclude "{text}"' if is_plain else f"--exclude {shlex.quote(text)}"
