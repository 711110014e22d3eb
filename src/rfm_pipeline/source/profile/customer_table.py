"""A table that has one line per customer: its columns count orders and sum up what each customer spent."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from functools import cache

from msgspec import Struct, field

from rfm_pipeline.common.formatting import format_amount
from rfm_pipeline.common.schema import Column, Schema
from rfm_pipeline.config.column_mapping import (
    NO_COLUMN,
    find_column,
    flag,
    list_choices,
    list_columns,
    shell_word,
)
from rfm_pipeline.config.column_names import fold_name, meaning_of
from rfm_pipeline.config.questions import question
from rfm_pipeline.config.vocabulary import load
from rfm_pipeline.errors import ColumnError
from rfm_pipeline.source.profile.sample import Sample
from rfm_pipeline.source.profile.shapes import loose_numbers

_FEWEST_CUSTOMERS = 3
_NEARLY_ALL = 0.95
# `order_num_total_ever_online`, `total_number_of_orders_2023`: the words of a count beside those of an order.
_ORDER_WORD = re.compile(r"(^|_)(orders?|purchases?|transactions?|invoices?)(_|$)")
_COUNT_WORDS = re.compile(
    r"(^|_)(count|number_of|no_of|nb_of|num_total|total_num|total_number|total_count|num_orders)(_|$)"
)
_VALUE_WORDS = re.compile(r"(^|_)(total_spen[dt]|value_total|total_value|total_revenue|lifetime_value)(_|$)")
_LAST_WORDS = re.compile(
    r"(^|_)(last|latest|most_recent)_(order|purchase|transaction|invoice|visit|sale)s?(_|$)"
)


class CustomerTable(Struct, frozen=True):
    """The columns of a table that has one line per customer.

    Attributes:
        columns: Names of columns by role, as in `[columns]`, beside those that are configured; empty if the
            table has order lines.
        notes: What was decided, one phrase each.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def find_customer_table(
    schema: Schema, sample: Sample, configured: Mapping[str, str | None]
) -> CustomerTable:
    """Return the columns of a table that has one line per customer.

    Args:
        schema: The columns of the source.
        sample: Its first rows.
        configured: Column names by role, as in `[columns]`.

    Raises:
        ColumnError: If the roles that are configured contradict each other, if the first rows alone can't
            decide, or if several columns could be the money or the number of orders.
    """
    names = {role: name for role, name in configured.items() if name is not None}
    _check_configured(names)
    frequency = names.get("frequency")
    if frequency is None and not {"order_id", "quantity", "unit_price"} & names.keys():
        return _detected(schema, sample, names)
    if frequency is None or frequency.casefold() == NO_COLUMN:
        return CustomerTable()
    return _with_roles(schema, sample, names, frequency)


def columns_of_lines(configured: Mapping[str, str | None], table: CustomerTable) -> dict[str, str | None]:
    """Return the configured columns with those of a customer table, whose money is the amount of a line."""
    columns = {**configured, **table.columns}
    money = columns.pop("monetary", None)
    return {**columns, "amount": money} if money else columns


def _check_configured(names: Mapping[str, str]) -> None:
    """Raise if the configured roles contradict each other."""
    if "monetary" in names and names.keys() & {"amount", "quantity", "unit_price"}:
        amount = [names[role] for role in ("amount", "quantity", "unit_price") if role in names]
        raise question("monetary_and_amount", monetary=names["monetary"], amount="` × `".join(amount))
    has_frequency = names.get("frequency", NO_COLUMN).casefold() != NO_COLUMN
    if has_frequency and names.get("order_id", NO_COLUMN).casefold() != NO_COLUMN:
        raise question("frequency_and_order", frequency=names["frequency"], order=names["order_id"])
    if "monetary" in names and names.get("frequency", "").casefold() == NO_COLUMN:
        raise _needs_frequency(names["monetary"])


def _detected(schema: Schema, sample: Sample, names: Mapping[str, str]) -> CustomerTable:
    counts = [column for column in schema if _is_frequency(column.name) and _has_counts(sample, column)]
    meanings = [meaning_of(column.name) for column in schema] if counts else []
    has_orders = any(meaning and meaning.role == "order_id" for meaning in meanings)
    customer = _customer(schema, sample, names) if counts and not has_orders else None
    if customer is None:
        if "monetary" in names:
            raise _needs_frequency(names["monetary"])
        return CustomerTable()
    known = [column for column in counts if _is_known("frequency", column.name)]
    candidates = known or counts
    if len(candidates) > 1:
        columns = [column.name for column in candidates]
        raise question(
            "several_frequencies",
            customer=customer.name,
            number=len(columns),
            columns=list_columns(columns),
            choices=list_choices("frequency", columns),
        )
    frequency = candidates[0].name
    if not sample.is_whole:
        others = {"customer_id": customer.name, **_with_roles(schema, sample, names, frequency).columns}
        flags = [
            f" {flag(role)} {shell_word(name)}"
            for role, name in others.items()
            if role not in names and role not in {"frequency", "order_id"}
        ]
        as_lines = "".join(flags).replace("--monetary", "--amount")
        raise question(
            "maybe_customer_table",
            column=frequency,
            rows=f"{sample.rows:,}",
            customer=customer.name,
            as_customers=f"--frequency {shell_word(frequency)}{''.join(flags)}",
            as_orders=f"--frequency {NO_COLUMN}{as_lines}",
        )
    table = _with_roles(schema, sample, {**names, "customer_id": customer.name}, frequency)
    return CustomerTable({"customer_id": customer.name, **table.columns}, table.notes)


def _with_roles(schema: Schema, sample: Sample, names: Mapping[str, str], frequency: str) -> CustomerTable:
    """Return the roles that are not configured, given the column of the number of orders."""
    columns = {"frequency": frequency, "order_id": NO_COLUMN}
    for role in ("monetary", "ordered_at"):
        is_configured = role in names or (role == "monetary" and "amount" in names)
        if not is_configured and (name := _choice(schema, sample, role, names)):
            columns[role] = name
    last = names.get("ordered_at") or columns.get("ordered_at")
    dates = f"; `{last}` is read as the date of the first order, too" if last else ""
    note = f"one line per customer: `{frequency}` is the number of orders{dates}"
    return CustomerTable(columns, (note,))


def _customer(schema: Schema, sample: Sample, names: Mapping[str, str]) -> Column | None:
    """Return the column whose values identify the lines; None if the table has no such column."""
    if sample.rows < _FEWEST_CUSTOMERS:
        return None
    if "customer_id" in names:
        column = find_column(schema, names["customer_id"])
        return column if column and _is_unique(sample, column) else None
    return next((column for column in _customer_candidates(schema) if _is_unique(sample, column)), None)


def _customer_candidates(schema: Schema) -> Iterator[Column]:
    """Yield the columns that could be the customer, the most likely first."""
    meanings = [(column, meaning_of(column.name)) for column in schema if len(column.path) == 1]
    customers = [
        (column, meaning) for column, meaning in meanings if meaning and meaning.role == "customer_id"
    ]
    for kind in ("id", "email", "phone"):
        yield from (column for column, meaning in customers if meaning.kind == kind)
    if any(meaning.kind in {"id", "email"} for _, meaning in customers):
        return
    # An order id that is unique would make the table one of orders.
    for column, meaning in meanings:
        if meaning is None and fold_name(column.name).endswith(("id", "key", "email")):
            yield column


def _is_unique(sample: Sample, column: Column) -> bool:
    values = [value for value in sample.filled(column) if value]
    return len(values) >= _NEARLY_ALL * sample.rows and len(set(values)) == len(values)


def _choice(schema: Schema, sample: Sample, role: str, names: Mapping[str, str]) -> str | None:
    """Return the only column that could have a role; None if there is none.

    Raises:
        ColumnError: If there are several.
    """
    fits: Callable[[str], bool] = _is_monetary if role == "monetary" else _is_last_date
    taken = {name.casefold() for name in names.values()}
    candidates = [
        column.name
        for column in schema
        if fits(column.name)
        and column.name.casefold() not in taken
        and (role != "monetary" or _has_numbers(sample, column))
    ]
    known = [name for name in candidates if _is_known(role, name)]
    candidates = known or candidates
    if len(candidates) > 1:
        choices = list_choices(role, candidates)
        if role == "ordered_at":
            columns = list_columns(candidates)
            raise question("several_last_dates", number=len(candidates), columns=columns, choices=choices)
        raise question(
            "several_monetaries",
            number=len(candidates),
            columns=", ".join(f"`{name}` ({_total(schema, sample, name)} in all)" for name in candidates),
            scope="" if sample.is_whole else f" in the first {sample.rows:,} lines",
            choices=choices,
        )
    return candidates[0] if candidates else None


@cache
def _known(role: str) -> frozenset[str]:
    return frozenset(map(fold_name, load("customer_table")[role]))


def _is_known(role: str, name: str) -> bool:
    return fold_name(name) in _known(role)


def _is_frequency(name: str) -> bool:
    words = _words(name)
    is_count = _ORDER_WORD.search(words) and _COUNT_WORDS.search(words)
    return _is_known("frequency", name) or is_count is not None


def _is_monetary(name: str) -> bool:
    return _is_known("monetary", name) or _VALUE_WORDS.search(_words(name)) is not None


def _is_last_date(name: str) -> bool:
    return _is_known("ordered_at", name) or _LAST_WORDS.search(_words(name)) is not None


def _words(name: str) -> str:
    """Return the words of a name in lower case, with `_` between them."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name)
    return re.sub(r"[\W_]+", "_", spaced).casefold()


def _has_counts(sample: Sample, column: Column) -> bool:
    """Return whether nearly all values are whole numbers from 0 up, and some customer has an order."""
    numbers = [number for number in loose_numbers(sample.of(column)) if number is not None]
    whole = [number for number in numbers if number >= 0 and number == number.to_integral_value()]
    filled = len(sample.filled(column))
    return filled > 0 and len(whole) >= _NEARLY_ALL * filled and any(whole)


def _has_numbers(sample: Sample, column: Column) -> bool:
    numbers = [number for number in loose_numbers(sample.of(column)) if number is not None]
    filled = len(sample.filled(column))
    return filled > 0 and len(numbers) >= _NEARLY_ALL * filled


def _total(schema: Schema, sample: Sample, name: str) -> str:
    numbers = [loose_numbers(sample.of(column)) for column in schema if column.name == name]
    return format_amount(sum((number for number in numbers[0] if number is not None), Decimal(0)))


def _needs_frequency(monetary: str) -> ColumnError:
    return question("monetary_without_frequency", monetary=monetary, word=shell_word(monetary))
