"""The ways to read the amount of a line: one column, or a quantity times a price."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from functools import cached_property

from rfm_pipeline.common.schema import Column
from rfm_pipeline.config.column_mapping import shell_word
from rfm_pipeline.source.profile.evidence import Evidence

Money = Sequence[Decimal | None]
"""The amount of each line in the sample; None where it is unreadable."""
TOLERANCE = Decimal("0.011")
"""Largest difference between a total in whole cents and the product that it was rounded from."""


class AmountReading:
    """A way to read the amount of a line.

    Args:
        evidence: The values of the columns.
        kind: Kind of the amount's name (`line`, `amount`, `order`, `subtotal`); or `unit`, `price`,
            `unit product`, `price product`.
        rank: Place among readings of the same money: the lowest is taken.
        column: The column of the amount, or of the price.
        quantity: The column that the price is multiplied by; None if the column alone is the amount.
    """

    def __init__(
        self, evidence: Evidence, kind: str, rank: int, column: Column, quantity: Column | None = None
    ) -> None:
        self._evidence = evidence
        self.kind = kind
        self.rank = rank
        self.column = column
        self.roles = {"quantity": quantity, "unit_price": column} if quantity else {"amount": column}

    @cached_property
    def money(self) -> Money:
        """The amounts of the sample's lines."""
        factors = [self._evidence.numbers(column) for column in self.roles.values()]
        return factors[0] if len(factors) == 1 else multiply(*factors)

    @property
    def label(self) -> str:
        """The columns, for a sentence."""
        return " × ".join(f"`{column.name}`" for column in self.roles.values())

    @property
    def flags(self) -> str:
        """The flags that choose this reading."""
        flag = {"amount": "--amount", "quantity": "--quantity", "unit_price": "--unit-price"}
        return " ".join(f"{flag[role]} {shell_word(column.name)}" for role, column in self.roles.items())

    @property
    def counted(self) -> Money:
        """The amounts that count in a result; None where a line is left out, as its amount is negative."""
        if self._evidence.nets_returns:
            return self.money
        factors = [self._evidence.numbers(column) for column in self.roles.values()]
        return [
            amount if all(number is not None and number >= 0 for number in numbers) else None
            for amount, *numbers in zip(self.money, *factors, strict=True)
        ]

    @property
    def total(self) -> Decimal:
        """The sum of the amounts that count."""
        return sum((amount for amount in self.counted if amount is not None), Decimal(0))

    @property
    def has_negative(self) -> bool:
        """Whether some amounts do not count as they are negative."""
        return not self._evidence.nets_returns and any(amount and amount < 0 for amount in self.money)


def multiply(one: Money, other: Money) -> Money:
    """Return the product on each line; None where a factor is unreadable."""
    return [None if None in pair else pair[0] * pair[1] for pair in zip(one, other, strict=True)]  # type: ignore[operator]


def are_equal(one: Money, other: Money) -> bool:
    """Return whether two readings give the same money on each line."""
    return all(
        first is second or (first is not None and second is not None and abs(first - second) <= TOLERANCE)
        for first, second in zip(one, other, strict=True)
    )
