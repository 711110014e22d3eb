"""Settings of `[report]`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, ClassVar

from msgspec import Meta

from rfm_pipeline.config.base import SettingsTable, strip_text

_LOCALE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*")
_CURRENCY = re.compile(r"[A-Z]{3}")


def _locale(value: object) -> object:
    if isinstance(value, str) and not _LOCALE.fullmatch(value):
        raise ValueError(f"'{value}' is not a locale such as en-GB")
    return value


def _currency(value: object) -> object:
    if isinstance(value, str):
        value = value.strip().upper()
        if not _CURRENCY.fullmatch(value):
            raise ValueError(f"'{value}' is not a currency such as GBP, in three letters")
    return value


class ReportSettings(SettingsTable, frozen=True):
    """Content and number format of the report.

    Attributes:
        shop: Name of the shop at the top of the report; None for none.
        title: Title of the report.
        currency: Three-letter currency code (ISO 4217); None to show amounts without a currency.
        locale: BCP 47 language tag by which the browser formats numbers; None for the format 1,234.50.
        top_customers: Number of customers listed for each segment; 0 for none.
        file: Path to which a run writes the report; None for no report.
    """

    PARSERS: ClassVar = {
        "currency": _currency,
        "locale": _locale,
        "shop": strip_text,
        "title": strip_text,
    }

    shop: Annotated[str, Meta(min_length=1, max_length=100)] | None = None
    title: Annotated[str, Meta(min_length=1, max_length=100)] = "Customer segments"
    currency: str | None = None
    locale: str | None = None
    top_customers: Annotated[int, Meta(ge=0, le=50)] = 10
    file: Path | None = None
