"""Dates in options of the command line."""

from __future__ import annotations

from datetime import date, timedelta

from rfm_pipeline.common.date_formats import parse_iso_date
from rfm_pipeline.errors import UsageError


def as_of_date(flag: str, text: str, today: date | None = None) -> date:
    """Return the date of an option's text.

    Args:
        flag: Name of the option, for the message.
        text: Its value, such as `2025-12-31`.
        today: Date of `today`; `yesterday` is the day before. None if the option takes neither.

    Raises:
        UsageError: If the text is no date in this form.
    """
    if today and text in {"today", "yesterday"}:
        return today - timedelta(days=text == "yesterday")
    try:
        return parse_iso_date(text)
    except ValueError:
        raise UsageError(
            f"{flag} is '{text}', which is not a date such as 2025-12-31.", "write year, month and day."
        ) from None
