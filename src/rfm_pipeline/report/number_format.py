"""Numbers on the page: readable text, with the exact value in a `data-` attribute for the page's script."""

from __future__ import annotations

import html
from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import NoReturn

from msgspec import Struct, field

from rfm_pipeline.common import formatting
from rfm_pipeline.common.decimals import WIDE
from rfm_pipeline.common.untrusted_text import replace_unprintable
from rfm_pipeline.config.report import ReportSettings
from rfm_pipeline.results.json_values import money

_CURRENCY_SIGNS = {"GBP": "£", "EUR": "€", "USD": "$", "JPY": "¥", "INR": "₹"}
_WHOLE = 1000
_UNITS = ((Decimal(10**12), "T"), (Decimal(10**9), "B"), (Decimal(10**6), "M"), (Decimal(10**3), "k"))


def escape_html(text: str) -> str:
    """Escape text from data or settings for HTML, SVG and their attributes.

    >>> escape_html('<b title="x">')
    '&lt;b title=&quot;x&quot;&gt;'
    """
    # XML has no form for control characters: an SVG file with one could not be opened.
    return html.escape(replace_unprintable(text, "\u00a0"))


class NotText:
    """An object that is no text by itself, so that a template names the form that it needs: text or HTML."""

    __slots__ = ()

    def __format__(self, spec: str) -> NoReturn:
        raise TypeError(f"{type(self).__name__} in a template has to be .text or .html")


class FormattedNumber(NotText, Struct, frozen=True):
    """A number as text, with the exact value that the page's script formats again in the reader's locale.

    Attributes:
        text: Text shown without JavaScript or a locale, not escaped.
        kind: `money`, `whole` (money without decimals), `short` (money in few characters), `count`, `share`,
            `percent` (without decimals), `decimal` (one of them);
            empty if the text is final.
        value: The exact value as a decimal string; empty if `kind` is.
    """

    text: str
    kind: str = ""
    value: str = ""

    @property
    def attributes(self) -> str:
        """The `data-` attribute of an element that contains only this number, with a leading blank."""
        return f' data-{self.kind}="{self.value}"' if self.kind else ""

    @property
    def html(self) -> str:
        """The number as a `<span>`, or as text if it has no kind."""
        text = escape_html(self.text)
        return f"<span{self.attributes}>{text}</span>" if self.kind else text


class Phrase(NotText, Struct, frozen=True):
    """Text with numbers in it, which the page's script formats in the reader's locale.

    >>> Phrase(("Revenue is ", NumberFormatter().count(1200), ".")).text
    'Revenue is 1,200.'
    """

    parts: tuple[str | FormattedNumber, ...] = ()

    @property
    def text(self) -> str:
        """The text as shown without JavaScript or a locale, not escaped."""
        return "".join(part if isinstance(part, str) else part.text for part in self.parts)

    @property
    def html(self) -> str:
        """The text as HTML."""
        return "".join(escape_html(part) if isinstance(part, str) else part.html for part in self.parts)


class NumberFormatter(Struct, frozen=True):
    """Formats numbers with the currency of the report's settings.

    >>> NumberFormatter(ReportSettings(currency="GBP")).money(Decimal("-8911407.904")).text
    '−£8,911,407.90'
    """

    settings: ReportSettings = field(default_factory=ReportSettings)

    def money(self, value: Decimal) -> FormattedNumber:
        """Format an amount with two decimals; `value` keeps all of them."""
        return FormattedNumber(
            self._signed(formatting.format_amount(abs(value)), value), "money", money(value)
        )

    def whole(self, value: Decimal) -> FormattedNumber:
        """Format an amount without decimals, or with two below 1,000, for sentences and totals."""
        if abs(value) < _WHOLE:
            return self.money(value)
        return self._rounded(value)

    def column(self, values: Sequence[Decimal]) -> list[FormattedNumber]:
        """Format the amounts of a table's column with one number of decimals: none if one reaches 1,000.

        >>> [number.text for number in NumberFormatter().column([Decimal("999.5"), Decimal(20000)])]
        ['1,000', '20,000']
        """
        if any(abs(value) >= _WHOLE for value in values):
            return [self._rounded(value) for value in values]
        return [self.money(value) for value in values]

    def short(self, value: Decimal) -> FormattedNumber:
        """Format an amount in few characters, for a label: `8.9M`."""
        size = abs(value)
        for unit, letter in _UNITS:
            if size >= unit:
                scaled = (size / unit).quantize(
                    Decimal("0.1") if size < 100 * unit else Decimal(1), ROUND_HALF_UP, WIDE
                )
                return FormattedNumber(
                    self._signed(f"{scaled}".removesuffix(".0") + letter, value), "short", money(value)
                )
        decimals = Decimal(1) if size >= 10 or size == int(size) else Decimal("0.01")
        return FormattedNumber(
            self._signed(f"{size.quantize(decimals, ROUND_HALF_UP)}", value), "short", money(value)
        )

    def count(self, number: int) -> FormattedNumber:
        """Format a whole number with thousands separators."""
        return FormattedNumber(f"{number:,}", "count", str(number))

    def decimal(self, value: float) -> FormattedNumber:
        """Format a mean with one decimal."""
        return FormattedNumber(f"{value:,.1f}", "decimal", f"{value:.6f}")

    def percent(self, number: int) -> FormattedNumber:
        """Format a whole number of percent."""
        return FormattedNumber(f"{number}\u00a0%", "percent", f"{number / 100:.2f}")

    def share(self, part: Decimal | int, whole: Decimal | int) -> FormattedNumber:
        """Format `part / whole` in percent, to one decimal; a dash if `whole` is 0."""
        if not whole:
            return FormattedNumber("–")
        exact = WIDE.divide(Decimal(part), Decimal(whole)).quantize(Decimal("0.000001"), ROUND_HALF_UP, WIDE)
        text = formatting.format_percent(part, whole).replace(" ", "\u00a0").replace("-", "−")
        return FormattedNumber(text, "share", f"{exact:f}")

    def _rounded(self, value: Decimal) -> FormattedNumber:
        digits = f"{abs(value).quantize(Decimal(1), ROUND_HALF_UP, WIDE):,}"
        return FormattedNumber(self._signed(digits, value), "whole", money(value))

    def _signed(self, digits: str, value: Decimal) -> str:
        currency = self.settings.currency
        sign = "" if currency is None else _CURRENCY_SIGNS.get(currency, f"{currency}\u00a0")
        return f"{'−' if value < 0 and digits.strip('0.,') else ''}{sign}{digits}"
