"""Figures as the page writes them: exact in an attribute for the browser, and readable without it."""

from __future__ import annotations

import html
from decimal import ROUND_HALF_UP, Context, Decimal

from msgspec import Struct, field

from rfm_pipeline.common import formatting
from rfm_pipeline.config.report import ReportSettings
from rfm_pipeline.results.run_result import money

_SIGNS = {"GBP": "£", "EUR": "€", "USD": "$", "JPY": "¥", "INR": "₹"}
_WIDE = Context(prec=76)
_SHORT = ((Decimal(10**12), "T"), (Decimal(10**9), "B"), (Decimal(10**6), "M"), (Decimal(10**3), "k"))


def escaped(text: str) -> str:
    """Text from data or settings as it stands in HTML, SVG and their attributes.

    >>> escaped('<b title="x">')
    '&lt;b title=&quot;x&quot;&gt;'
    """
    # What XML can't hold at all would make a picture that no program opens.
    return html.escape(formatting.replace_unprintable(text))


class FormattedNumber(Struct, frozen=True):
    """A figure: how it is written without a browser's help, and what a browser is told to write it anew.

    Attributes:
        text: As it is written, not escaped.
        kind: `money`, `short` (money in few characters), `count`, `share`, or empty where it stays as it is.
        value: The exact figure.
    """

    text: str
    kind: str = ""
    value: str = ""

    @property
    def attributes(self) -> str:
        """What an element with nothing but the figure carries."""
        return f' data-{self.kind}="{self.value}"' if self.kind else ""

    @property
    def html(self) -> str:
        """The figure as an element of its own."""
        return f"<span{self.attributes}>{escaped(self.text)}</span>" if self.kind else escaped(self.text)


class NumberFormatter(Struct, frozen=True):
    """How figures are written: by the settings of the report.

    >>> Says(ReportSettings(currency="GBP")).money(Decimal("-8911407.904")).text
    '−£8,911,407.90'
    """

    settings: ReportSettings = field(default_factory=ReportSettings)

    def money(self, value: Decimal) -> FormattedNumber:
        """Money to two decimals, with all of them in its attribute."""
        return FormattedNumber(
            self._signed(formatting.format_amount(abs(value)), value), "money", money(value)
        )

    def short(self, value: Decimal) -> FormattedNumber:
        """Money in few characters, for a label: `8.9M`."""
        size = abs(value)
        for unit, letter in _SHORT:
            if size >= unit:
                scaled = (size / unit).quantize(
                    Decimal("0.1") if size < 100 * unit else Decimal(1), ROUND_HALF_UP, _WIDE
                )
                return FormattedNumber(
                    self._signed(f"{scaled}".removesuffix(".0") + letter, value), "short", money(value)
                )
        decimals = Decimal(1) if size >= 10 or size == int(size) else Decimal("0.01")
        return FormattedNumber(
            self._signed(f"{size.quantize(decimals, ROUND_HALF_UP)}", value), "short", money(value)
        )

    def count(self, number: int) -> FormattedNumber:
        """A whole number."""
        return FormattedNumber(f"{number:,}", "count", str(number))

    def share(self, part: Decimal | int, whole: Decimal | int) -> FormattedNumber:
        """A part of the whole in percent, to one decimal; a dash where the whole is nothing."""
        if not whole:
            return FormattedNumber("–")
        exact = _WIDE.divide(Decimal(part), Decimal(whole)).quantize(
            Decimal("0.000001"), ROUND_HALF_UP, _WIDE
        )
        return FormattedNumber(formatting.format_percent(part, whole), "share", f"{exact:f}")

    def _signed(self, digits: str, value: Decimal) -> str:
        currency = self.settings.currency
        sign = "" if currency is None else _SIGNS.get(currency, f"{currency} ")
        return f"{'−' if value < 0 and digits.strip('0.,') else ''}{sign}{digits}"
