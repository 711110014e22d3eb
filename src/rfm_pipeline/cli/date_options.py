"""Dates on the command line."""

from __future__ import annotations

from datetime import date

from rfm_pipeline.errors import UsageError


def as_of_date(flag: str, text: str) -> date:
    """A date as a flag gives it.

    Raises:
        UsageError: It is none.
    """
    try:
        # Python also reads forms that nobody expects, such as 2025-W52-1.
        if len(text) == len("2025-12-31") and text[4] + text[7] == "--":
            return date.fromisoformat(text)
    except ValueError:
        pass
    raise UsageError(
        f"{flag} is '{text}', which is not a date such as 2025-12-31.", "write year, month and day."
    )
