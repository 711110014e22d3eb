"""What a sale is, as the profile decided: the statuses that are none, and the currencies of the amounts."""

from __future__ import annotations

from decimal import Decimal

from msgspec import Struct

from rfm_pipeline.common.schema import Column

NOT_A_SALE = "not_a_sale"
"""Exclusion reason of lines whose status is no sale."""
OTHER_CURRENCY = "other_currency"
"""Exclusion reason of lines in a currency that was not chosen; `other_currency_usd` where it is known."""
UNEXPECTED_CURRENCY = "currency "
"""Prefix, before the currency, of the exclusion reason of lines in a currency that the sample does not have.

A run that finds such a line fails.
"""


class StatusRule(Struct, frozen=True):
    """A column that says which lines are no sale.

    Attributes:
        column: The column.
        no_sale: Its values that are no sale, as `status_text` writes them, sorted; empty if any value is.
        kept: Frequent values that are kept, as they are written, which need no further look.
    """

    column: Column
    no_sale: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()


class Currency(Struct, frozen=True):
    """One currency of a column.

    Attributes:
        code: Code of ISO 4217; or the text in the column if it has none.
        texts: How the column writes it, in capitals.
        rate: Factor to the base currency; None if amounts are not converted.
        is_excluded: Whether lines in it are excluded.
    """

    code: str
    texts: tuple[str, ...]
    rate: Decimal | None = None
    is_excluded: bool = False

    @property
    def reason(self) -> str:
        """Exclusion reason of lines in this currency, if they are excluded."""
        is_code = len(self.code) == 3 and self.code.isascii() and self.code.isalpha()
        return f"{OTHER_CURRENCY}_{self.code.lower()}" if is_code else OTHER_CURRENCY


class CurrencyRule(Struct, frozen=True):
    """The currencies of the amounts. Lines without a currency are in the expected one.

    Attributes:
        column: The column of the currency; or that of the amounts, if the currency is written beside them.
        currencies: The currencies that are expected; empty if the lines of the sample have none.
        stops_at_others: Whether a line in another currency fails the run; if not, it is excluded.
        is_in_amount: Whether the currency is written beside the amounts.
        as_written: How the column writes the first currency, which needs no further look.
    """

    column: Column
    currencies: tuple[Currency, ...]
    stops_at_others: bool = True
    is_in_amount: bool = False
    as_written: tuple[str, ...] = ()

    @property
    def counted(self) -> tuple[Currency, ...]:
        """The currencies whose lines count."""
        return tuple(currency for currency in self.currencies if not currency.is_excluded)


class RefundLines(Struct, frozen=True):
    """Lines of refunds whose amounts have no minus sign, and which are subtracted.

    Attributes:
        column: The column of the types of lines.
        types: Its values that are refunds, in lower case, sorted.
    """

    column: Column
    types: tuple[str, ...]


class SaleRules(Struct, frozen=True):
    """What a sale is.

    Attributes:
        statuses: Columns that say which lines are no sale.
        currency: The currencies of the amounts; None if nothing is known of them.
        nets_refunds: Whether refunds are lines of their own, which are subtracted.
        refund_lines: Lines of refunds that have no minus sign; None if there are none.
    """

    statuses: tuple[StatusRule, ...] = ()
    currency: CurrencyRule | None = None
    nets_refunds: bool = False
    refund_lines: RefundLines | None = None


def status_text(text: str) -> str:
    """Return a status as rules compare it: in lower case, with a blank for `_` and `-`.

    >>> status_text(" Partially_Refunded ")
    'partially refunded'
    """
    return text.strip().lower().replace("_", " ").replace("-", " ")
