"""The columns of the amount, chosen by their names and by the money that each reading gives."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from functools import cached_property

from msgspec import Struct, field

from rfm_pipeline.common.formatting import format_amount
from rfm_pipeline.common.schema import Column
from rfm_pipeline.config.column_mapping import list_choices, shell_word
from rfm_pipeline.config.column_names import fold_name
from rfm_pipeline.config.questions import question
from rfm_pipeline.config.vocabulary import load
from rfm_pipeline.errors import ColumnError
from rfm_pipeline.source.profile.evidence import Candidate, Evidence, Keys
from rfm_pipeline.source.profile.status_words import name_words

Money = Sequence[Decimal | None]
"""The amount of each line in the sample; None where it is unreadable."""

_TOLERANCE = Decimal("0.011")
"""Largest difference between a total in whole cents and the product that it was rounded from."""
_LEAST_LINES = 5
"""Lines of products in several quantities that prove what a price is of."""
_MOST = 0.9
_MAX_READINGS = 4
_NEGATIVE = ", without negative amounts (--returns net subtracts them)"
_AMOUNTS_OF_ANYTHING = {"amount", "amt", "sales"}
_FEW = 100
_MONEY_ROLES = ("amount", "unit_price", "price", "quantity")


class Reading:
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


class MoneyChoice(Struct, frozen=True):
    """The columns of the amount.

    Attributes:
        roles: Column of each role.
        notes: Why, where names alone did not decide.
    """

    roles: Mapping[str, Column] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def choose_money(evidence: Evidence, order: Column | None, decided: frozenset[str]) -> MoneyChoice:
    """Choose the columns of the amount.

    Args:
        evidence: Names and values of the columns.
        order: The column of the order; None if there is none.
        decided: Roles that are configured as no column.

    Raises:
        ColumnError: If several readings give different money, and nothing proves one of them.
    """
    readings = _readings(evidence, decided)
    if not evidence.has_values:
        return _by_name(evidence, readings)
    readings, notes = _proven(evidence, readings, order)
    if len(readings) > 1:
        raise _question(evidence, readings, order)
    if not readings:
        return MoneyChoice()
    return MoneyChoice(readings[0].roles, tuple(notes))


def choose_quantity(evidence: Evidence) -> Column | None:
    """Choose the quantity for a configured price: the first column with numbers."""
    candidates = evidence.candidates("quantity")
    with_numbers = [each for each in candidates if evidence.has_numbers(each.column)]
    return next((each.column for each in with_numbers or candidates), None)


def choose_price(evidence: Evidence, quantity: Column) -> Column | None:
    """Choose the price for a configured quantity.

    Raises:
        ColumnError: If several columns could be the price, and differ.
    """
    candidates = evidence.candidates("unit_price") or evidence.candidates("price")
    with_numbers = [each for each in candidates if evidence.has_numbers(each.column)] or candidates
    money = [evidence.numbers(each.column) for each in with_numbers]
    if len(with_numbers) > 1 and not (
        evidence.has_values and all(_are_equal(money[0], each) for each in money)
    ):
        names = [each.name for each in with_numbers]
        products = [Reading(evidence, "unit product", 4, each.column, quantity) for each in with_numbers]
        readings = [_labelled(evidence, each) for each in products]
        raise question(
            "several_prices",
            number=len(names),
            readings=f"{', '.join(readings[:-1])} or {readings[-1]}",
            scope=_scope(evidence, products),
            choices=list_choices("unit_price", names),
        )
    return next((each.column for each in with_numbers), None)


def _readings(evidence: Evidence, decided: frozenset[str]) -> list[Reading]:
    """Return the ways to read the amount, the most specific first."""
    named = {role: [] if role in decided else evidence.candidates(role) for role in _MONEY_ROLES}
    if "unit_price" in decided:
        named["price"] = []
    readings = _readings_of(evidence, named)
    if len(readings) < 2 or not evidence.has_values:
        return readings
    with_numbers = {
        role: [each for each in candidates if evidence.has_numbers(each.column)]
        for role, candidates in named.items()
    }
    return _readings_of(evidence, with_numbers) or readings


def _readings_of(evidence: Evidence, candidates: Mapping[str, Sequence[Candidate]]) -> list[Reading]:
    """Return the readings of an amount, or of a price with the quantity; of a price alone only if need be."""
    quantity = next(iter(candidates["quantity"]), None)
    if quantity is None and candidates["price"]:
        # `amount` beside `price` may be a number of pieces.
        pieces = (
            each for each in candidates["amount"] if each.kind == "amount" and _are_pieces(evidence, each)
        )
        quantity = next(pieces, None)
    readings = [Reading(evidence, each.kind, each.rank, each.column) for each in candidates["amount"]]
    for role, kind in (("unit_price", "unit"), ("price", "price")):
        for each in candidates[role]:
            if quantity:
                readings.append(Reading(evidence, f"{kind} product", 4, each.column, quantity.column))
            if not quantity or (kind == "price" and not candidates["amount"]):
                readings.append(Reading(evidence, kind, 5, each.column))
    return readings


def _are_pieces(evidence: Evidence, candidate: Candidate) -> bool:
    """Return whether a column named as an amount of anything has small whole numbers."""
    if fold_name(candidate.name) not in _AMOUNTS_OF_ANYTHING or not evidence.has_values:
        return False
    numbers = [number for number in evidence.numbers(candidate.column) if number is not None]
    return bool(numbers) and all(number == int(number) and abs(number) < _FEW for number in numbers)


def multiply(one: Money, other: Money) -> Money:
    """Return the product on each line; None where a factor is unreadable."""
    return [None if None in pair else pair[0] * pair[1] for pair in zip(one, other, strict=True)]  # type: ignore[operator]


def _by_name(evidence: Evidence, readings: list[Reading]) -> MoneyChoice:
    """Choose by names alone, for a source without a sample."""
    if not readings:
        return MoneyChoice()
    amounts = [each for each in readings if each.kind in {"line", "amount", "order", "subtotal"}]
    main = [each for each in amounts if each.kind != "subtotal"] or amounts
    others = [each for each in readings if each not in amounts]
    # A price beside a quantity is of one unit, as far as its name shows.
    products = [each for each in others if "quantity" in each.roles] or others
    if len(main) + len(products) > 1:
        raise _question(evidence, [*main, *products])
    return MoneyChoice((main or products)[0].roles)


def _proven(
    evidence: Evidence, readings: list[Reading], order: Column | None
) -> tuple[list[Reading], list[str]]:
    """Return the readings that remain after the values have been compared, and notes on those that do not."""
    notes: list[str] = []
    rules: tuple[Callable[..., Reading | None], ...] = (
        _same_money,
        _price_of_unit_or_line,
        _discounted,
        _total_of_lines,
    )
    for rule in rules:
        while len(readings) > 1 and (refuted := rule(evidence, readings, order, notes)):
            readings = [each for each in readings if each is not refuted]
    return readings, notes


def _same_money(
    evidence: Evidence, readings: list[Reading], order: Column | None, notes: list[str]
) -> Reading | None:
    """Return a reading that gives the same money on each line as a more specific one."""
    del order
    by_rank = sorted(readings, key=lambda each: each.rank)
    for index, one in enumerate(by_rank):
        for other in by_rank[index + 1 :]:
            if _are_equal(one.money, other.money):
                if {one.kind, other.kind} != {"price product", "price"}:
                    notes.append(
                        f"the amount is {one.label}; {other.label} is the same on each line{evidence.scope}"
                    )
                return other
    return None


def _price_of_unit_or_line(
    evidence: Evidence, readings: list[Reading], order: Column | None, notes: list[str]
) -> Reading | None:
    """Return the reading of a price that the prices of products refute.

    A price of one unit does not depend on the quantity; a line's price, divided by the quantity, doesn't.
    """
    del order
    for product in readings:
        line = next(
            (each for each in readings if each.kind == "price" and each.column is product.column),
            None,
        )
        if product.kind != "price product":
            continue
        price, quantity = product.column, product.roles["quantity"]
        share_of_units, share_of_lines = _constant_prices(evidence, price, quantity)
        if share_of_units >= _MOST > share_of_lines:
            if line is not None:
                notes.append(
                    f"`{price.name}` is the price of one unit: the same for any quantity{evidence.scope}"
                )
                return line
        elif share_of_lines >= _MOST > share_of_units:
            notes.append(
                f"`{price.name}` is the price of the line: it grows with the quantity{evidence.scope}"
            )
            return product
    return None


def _constant_prices(evidence: Evidence, price: Column, quantity: Column) -> tuple[float, float]:
    """Return how many lines show a price of one unit, and how many a price of the line, as shares.

    Compared are the lines of products that were sold in several quantities: their price, or their price
    divided by the quantity, is constant. Without a column of products, the one of the two that has at most
    half as many values as the other shows. A price without a minus sign beside a negative quantity is of one
    unit.
    """
    prices, quantities = evidence.numbers(price), evidence.numbers(quantity)
    returned = [
        amount for amount, count in zip(prices, quantities, strict=True) if amount and count and count < 0
    ]
    if returned and min(returned) > 0:
        return 1.0, 0.0
    best = (0.0, 0.0)
    for candidate in evidence.candidates("product"):
        lines: dict[str, list[tuple[Decimal, Decimal]]] = defaultdict(list)
        for key, amount, count in zip(evidence.values(candidate.column), prices, quantities, strict=True):
            if key is not None and amount and count:
                lines[key].append((amount, count))
        several = [pairs for pairs in lines.values() if len({count for _, count in pairs}) > 1]
        compared = sum(map(len, several))
        if compared < _LEAST_LINES:
            continue
        constant = sum(len(pairs) for pairs in several if len({amount for amount, _ in pairs}) == 1)
        growing = sum(len(pairs) for pairs in several if len({_quotient(*pair) for pair in pairs}) == 1)
        best = max(best, (constant / compared, growing / compared), key=max)
    if max(best) >= _MOST:
        return best
    pairs = [
        pair for pair in zip(prices, quantities, strict=True) if pair[0] and pair[1] and abs(pair[1]) > 1
    ]
    quotients = {_quotient(amount, abs(count)) for amount, count in pairs if amount and count}
    distinct = {amount for amount, _ in pairs}
    if len(pairs) >= 2 * _LEAST_LINES and 2 * len(quotients) <= len(distinct):
        return 0.0, 1.0
    if len(pairs) >= 2 * _LEAST_LINES and 2 * len(distinct) <= len(quotients):
        return 1.0, 0.0
    return best


def _quotient(amount: Decimal, count: Decimal) -> Decimal:
    return round(amount / count, 4)


def _discounted(
    evidence: Evidence, readings: list[Reading], order: Column | None, notes: list[str]
) -> Reading | None:
    """Return a reading that is another one before its discount."""
    del order
    for before in readings:
        for candidate in evidence.candidates("discount"):
            if not evidence.has_numbers(candidate.column):
                continue
            discounts = [number or Decimal(0) for number in evidence.numbers(candidate.column)]
            if not any(discounts):
                continue
            for after in readings:
                if after is before or after.kind == "price":
                    continue
                if any(_are_equal(after.money, money) for money in _less(before.money, discounts)):
                    notes.append(
                        f"the amount is {after.label}: {before.label} less `{candidate.name}`{evidence.scope}"
                    )
                    return before
    return None


def _less(money: Money, discounts: Sequence[Decimal]) -> list[Money]:
    """Return money less a discount: that is an amount, positive or negative, or a share."""
    pairs = list(zip(money, discounts, strict=True))
    return [
        [None if amount is None else amount - abs(discount) for amount, discount in pairs],
        [None if amount is None else amount * (1 - discount) for amount, discount in pairs],
        [None if amount is None else amount * (1 - discount / 100) for amount, discount in pairs],
    ]


def _total_of_lines(
    evidence: Evidence, readings: list[Reading], order: Column | None, notes: list[str]
) -> Reading | None:
    """Return a reading that repeats, on each line of an order, the sum of the order's lines."""
    if order is None:
        return None
    keys = _continued(evidence.keys(order))
    # The lines of the last order may continue after the sample.
    last = None if evidence.sample.is_whole else keys[-1]
    for repeated in readings:
        totals = _totals_of_orders(keys, repeated.money)
        for lines in readings:
            if lines is repeated or not totals:
                continue
            sums: dict[str, Decimal] = defaultdict(Decimal)
            for key, amount in zip(keys, lines.money, strict=True):
                if key is not None and amount is not None:
                    sums[key] += amount
            if set(sums) == set(totals) and all(
                abs(sums[key] - total) <= _TOLERANCE for key, total in totals.items() if key != last
            ):
                notes.append(
                    f"the amount is {lines.label}; {repeated.label} is the order's total{evidence.scope}"
                )
                return repeated
    return None


def _continued(keys: Keys) -> Keys:
    """Return the order of each line; a line without one continues the order above."""
    orders: list[str | None] = []
    for key in keys:
        orders.append(key if key is not None or not orders else orders[-1])
    return orders


def _totals_of_orders(keys: Keys, money: Money) -> dict[str, Decimal]:
    """Return the amount of each order if all lines of an order have one amount or none; otherwise nothing.

    At least one order must have several lines.
    """
    totals: dict[str, Decimal] = {}
    for key, amount in zip(keys, money, strict=True):
        if key is not None and amount is not None and totals.setdefault(key, amount) != amount:
            return {}
    return totals if len(totals) < sum(key is not None for key in keys) else {}


def _are_equal(one: Money, other: Money) -> bool:
    """Return whether two readings give the same money on each line."""
    return all(
        first is second or (first is not None and second is not None and abs(first - second) <= _TOLERANCE)
        for first, second in zip(one, other, strict=True)
    )


def _question(evidence: Evidence, readings: Sequence[Reading], order: Column | None = None) -> ColumnError:
    shown = readings[:_MAX_READINGS]
    keys = evidence.keys(order) if order else ()
    column, code = _mixed_currency(evidence, shown)
    of_code = f" --currency {code}" if column else ""
    choices = [
        _labelled(evidence, each, keys)
        if column is None or _is_converted(each)
        else f"{each.label} ({_total_of_code(evidence, each, column, code)} in {code}, beside others)"
        for each in shown
    ]
    hidden = [each.label for each in readings[_MAX_READINGS:]]
    others = f", or {len(hidden)} others" if hidden else ""
    return question(
        "ambiguous_amount",
        readings=f"{', '.join(choices[:-1])} or {choices[-1]}{others}",
        scope=_scope(evidence, shown),
        choices=", or ".join(f"{each.flags}{'' if _is_converted(each) else of_code}" for each in shown),
    )


def _mixed_currency(evidence: Evidence, readings: Sequence[Reading]) -> tuple[Column | None, str]:
    """Return the column of several currencies and the most frequent one.

    The column is None if the source has no such column, or not just some amounts are in one currency by name.
    """
    if len({_is_converted(each) for each in readings}) == 1:
        return None, ""
    for column in evidence.schema:
        if fold_name(column.name) in load("currency_columns")["names"]:
            counts = Counter(value.upper() for value in evidence.values(column) if value)
            if len(counts) > 1 and set(counts) <= set(load("currencies")["codes"]):
                return column, min(counts, key=lambda code: (-counts[code], code))
    return None, ""


def _total_of_code(evidence: Evidence, reading: Reading, column: Column, code: str) -> str:
    """Return what the lines in one currency amount to."""
    pairs = zip(reading.counted, evidence.values(column), strict=True)
    return format_amount(
        sum((amount or Decimal(0) for amount, value in pairs if (value or "").upper() == code), Decimal(0))
    )


def _is_converted(reading: Reading) -> bool:
    return bool(set(name_words(reading.column.name)) & set(load("currency_columns")["converted"]))


def _scope(evidence: Evidence, readings: Sequence[Reading]) -> str:
    """Return the words that say of which lines the totals of readings are."""
    if not evidence.has_values:
        return ""
    return evidence.scope + (_NEGATIVE if any(each.has_negative for each in readings) else "")


def _labelled(evidence: Evidence, reading: Reading, keys: Keys = ()) -> str:
    """Return a reading with the sum of its amounts; a total that an order repeats counts once."""
    if not evidence.has_values:
        return reading.label
    if keys and (totals := _totals_of_orders(keys, reading.money)):
        counted = [total for total in totals.values() if evidence.nets_returns or total > 0]
        return f"{reading.label} ({format_amount(sum(counted, Decimal(0)))} in all, once per order)"
    return f"{reading.label} ({format_amount(reading.total)} in all)"
