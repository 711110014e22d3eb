"""The unit of amounts: whether they are in cents, by the name of their column."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal

from rfm_pipeline.common.number_format import POINT, NumberSeparators
from rfm_pipeline.config.column_mapping import ColumnMapping
from rfm_pipeline.config.settings import Settings
from rfm_pipeline.config.vocabulary import load
from rfm_pipeline.source.profile.number_forms import value_of
from rfm_pipeline.source.profile.sample import Sample

_ONE = Decimal(1)
# Prices of a shop are hardly ever all whole and 100 or more; a few lines may be.
_LEAST_CENTS, _LEAST_VALUES = 100, 5
_WHOLE = re.compile(r"-?[0-9]+(?:\.0+)?")
_NAME_PARTS = re.compile(r"[A-Z]?[^\W\dA-Z_]+|[A-Z]+(?![^\W\dA-Z_])")


def amount_unit(
    mapping: ColumnMapping, sample: Sample, separators: Mapping[str, NumberSeparators], settings: Settings
) -> tuple[Decimal, list[str]]:
    """Return what amounts are multiplied by, and notes for the user.

    Args:
        mapping: Column of each role.
        sample: The first rows of the source.
        separators: How the numbers of each role with a column of text are written.
        settings: The merged settings: `unit` is obeyed.
    """
    roles = mapping.roles()
    role = next((role for role in ("amount", "unit_price") if role in roles), None)
    if settings.unit is not None or role is None:
        return settings.unit or _ONE, []
    column = roles[role]
    texts, named = sample.filled(column), unit_in_name(column.name)
    # Reading all numbers takes time, and numbers with fractions need not be read.
    if named is None and not all(map(_WHOLE.fullmatch, texts)):
        return _ONE, []
    values = [value_of(text, column, separators.get(role, POINT)) for text in texts]
    sizes = [abs(value) for value in values if value is not None]
    if named:
        if all(size == int(size) for size in sizes):
            return named, [f"amounts in `{column.name}` multiplied by {named}, as its name says"]
        return _ONE, [f"amounts in `{column.name}` not multiplied by {named}, as they have fractions"]
    if len(set(sizes)) >= _LEAST_VALUES and min(sizes) >= _LEAST_CENTS:
        span = f"whole numbers from {int(min(sizes)):,} to {int(max(sizes)):,}"
        return _ONE, [f"amounts in `{column.name}` are {span}; --unit 0.01 reads them as cents"]
    return _ONE, []


def unit_in_name(name: str) -> Decimal | None:
    """Return the unit that the name of a column states; None if it states none.

    >>> unit_in_name("amount_cents"), unit_in_name("PriceInCents"), unit_in_name("percent")
    (Decimal('0.01'), Decimal('0.01'), None)
    """
    parts = {part.casefold() for part in _NAME_PARTS.findall(name)}
    for unit, words in load("smallest_units").items():
        if parts & set(words):
            return Decimal(unit)
    return None
