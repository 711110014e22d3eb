"""Settings for what a sale is: statuses, currencies and types of lines."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import ClassVar

import msgspec

from rfm_pipeline.config.base import SettingsTable, strip_text

_CODE = re.compile(r"[A-Z]{3}")
_RATE_DIGITS = 9


def _words(value: object) -> object:
    return tuple(part.strip() for part in value.split(",")) if isinstance(value, str) else value


def _code(value: object) -> object:
    if not isinstance(value, str):
        return value
    code = value.strip().upper()
    if not _CODE.fullmatch(code):
        raise ValueError(f"'{value}' is not a currency's code of three letters, such as 'EUR'")
    return code


def _rates(value: object) -> object:
    if not isinstance(value, Mapping):
        return value
    return {_code(name): rate for name, rate in value.items()}


class StatusSettings(SettingsTable, frozen=True):
    """Which statuses are no sale.

    Attributes:
        column: Name of the order's or payment's status column; None to detect it, `none` for no rule.
        sale: Statuses that are a sale, besides the known ones.
        no_sale: Statuses that are no sale, besides the known ones.
    """

    PARSERS: ClassVar = {"column": strip_text, "sale": _words, "no_sale": _words}

    column: str | None = None
    sale: tuple[str, ...] = ()
    no_sale: tuple[str, ...] = ()


class CurrencySettings(SettingsTable, frozen=True):
    """Which currency the amounts are in.

    Attributes:
        code: Code of the one currency whose lines count; None if all lines have one currency. With rates, the
            currency that amounts are converted to.
        column: Name of the currency column; None to detect it, `none` if amounts are in one currency.
        rates: Factor by which amounts in each currency are multiplied; the base currency has the rate 1.
    """

    PARSERS: ClassVar = {"code": _code, "column": strip_text, "rates": _rates}

    code: str | None = None
    column: str | None = None
    rates: dict[str, Decimal] = msgspec.field(default_factory=dict)

    def __post_init__(self) -> None:
        for code, rate in self.rates.items():
            if not rate.is_finite() or rate <= 0:
                raise ValueError(f"the rate of {code} is {rate}, and must be a positive number")
            exponent = rate.normalize().as_tuple().exponent
            if isinstance(exponent, int) and exponent < -_RATE_DIGITS:
                raise ValueError(f"the rate of {code} has more than {_RATE_DIGITS} decimals")
        if self.rates and self.code and self.rates.get(self.code) != 1:
            raise ValueError(f"the rate of {self.code} must be 1, as it is the currency to convert to")
