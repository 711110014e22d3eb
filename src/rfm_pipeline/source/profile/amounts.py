"""The amounts of the sample's lines, which questions and notes show as totals."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from decimal import Decimal, InvalidOperation
from functools import cached_property

from msgspec import Struct

from rfm_pipeline.common.number_format import POINT, NumberSeparators, parse_number
from rfm_pipeline.common.schema import Column, Kind, Schema
from rfm_pipeline.config.column_mapping import ColumnMapping
from rfm_pipeline.config.settings import Settings
from rfm_pipeline.source.profile.sample import SAMPLE_ROWS, Sample

_SIGN = re.compile("[-−–(]")
_PLAIN = re.compile(r"-?[0-9]+(\.[0-9]+)?")

Amounts = tuple[Decimal | None, ...]
"""The amount of each line; None if it is missing or unreadable."""


class SampledLines(Struct, frozen=True, dict=True):
    """What the decisions about sales look at.

    Attributes:
        schema: The columns of the source.
        sample: Its first rows.
        settings: The merged settings.
        mapping: Column of each role.
        separators: How the numbers of each role are written.
    """

    schema: Schema
    sample: Sample
    settings: Settings
    mapping: ColumnMapping
    separators: Mapping[str, NumberSeparators]

    @cached_property
    def amounts(self) -> Amounts:
        """The amounts of the sample's lines, before refunds are subtracted; most sources need none."""
        return line_amounts(self.sample, self.mapping, self.separators)

    @cached_property
    def negative(self) -> set[int]:
        """The lines of the sample with a negative amount."""
        mapping, sample = self.mapping, self.sample
        columns = [column for column in (mapping.amount, mapping.quantity, mapping.unit_price) if column]
        # Signs are rare, and numbers take long to parse.
        signed = any(
            _SIGN.search(value) for column in columns for value in sample.of(column) if value is not None
        )
        if not signed:
            return set()
        return {line for line, amount in enumerate(self.amounts) if amount is not None and amount < 0}

    @cached_property
    def role_paths(self) -> set[tuple[str, ...]]:
        """The paths of the columns that have a role."""
        return {column.path for column in self.mapping.roles().values()}

    @property
    def scope(self) -> str:
        """Words that say of which lines a count or a total is; empty if it is of all."""
        return "" if self.sample.is_whole else f" in the first {SAMPLE_ROWS:,} lines"

    def total(self, lines: Iterable[int] | None = None) -> Decimal:
        """Return what some lines, or all, amount to in a result; unreadable amounts count as 0.

        Negative amounts are left out unless the settings subtract them.
        """
        chosen = range(self.sample.rows) if lines is None else lines
        if self.settings.returns != "net":
            chosen = [line for line in chosen if line not in self.negative]
        return self.sum_of(chosen)

    def sum_of(self, lines: Iterable[int]) -> Decimal:
        """Return the sum of the amounts of some lines; unreadable amounts count as 0."""
        return sum((self.amounts[line] or Decimal(0) for line in lines), Decimal(0))


def line_amounts(
    sample: Sample, mapping: ColumnMapping, separators: Mapping[str, NumberSeparators]
) -> Amounts:
    """Return the amount of each line of the sample, before refunds are subtracted.

    Args:
        sample: The first rows of the source.
        mapping: Column of each role.
        separators: How the numbers of each role are written.
    """

    def values(role: str, column: Column) -> Amounts:
        return numbers(sample, column, separators.get(role, NumberSeparators()))

    if mapping.amount:
        return values("amount", mapping.amount)
    if mapping.quantity and mapping.unit_price:
        quantities, prices = (
            values("quantity", mapping.quantity),
            values("unit_price", mapping.unit_price),
        )
        return tuple(
            None if quantity is None or price is None else quantity * price
            for quantity, price in zip(quantities, prices, strict=True)
        )
    return (None,) * sample.rows


def numbers(sample: Sample, column: Column, separators: NumberSeparators) -> Amounts:
    """Return the numbers of a column of the sample."""
    values = sample.of(column)
    # Numbers recur, and take long to parse.
    parsed = {
        value: None if value is None else number(value, column.kind, separators) for value in set(values)
    }
    return tuple(map(parsed.__getitem__, values))


def number(value: str, kind: Kind, separators: NumberSeparators) -> Decimal | None:
    """Return a value of a column as a number; None if it is none."""
    if kind is Kind.TEXT and not (separators == POINT and _PLAIN.fullmatch(value)):
        return parse_number(value, separators)
    try:
        parsed = Decimal(value)
    except InvalidOperation:
        return None
    return parsed if parsed.is_finite() else None
