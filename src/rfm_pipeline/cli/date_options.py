"""Dates on the command line, and `--to`, which is one for the commands that go from a date to another."""

from __future__ import annotations

from collections.abc import Sequence
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


def date_and_destination(texts: Sequence[str]) -> tuple[date | None, str | None]:
    """What `--to` gives to a command with two dates: the later one, the destination, or both.

    A destination names a scheme or a file, which no date does, so that neither is taken for the other.

    Raises:
        UsageError: It gives one of the two twice, or something that is neither.
    """
    destinations = [
        text for text in texts if ":" in text or text.casefold().endswith((".duckdb", ".ddb", ".db"))
    ]
    dates = [as_of_date("--to", text) for text in texts if text not in destinations]
    for kind, given in (("dates", dates), ("destinations", destinations)):
        if len(given) > 1:
            listed = " and ".join(map(str, given))
            raise UsageError(
                f"--to gives two {kind}: {listed}.", "give one date, and one destination, at most."
            )
    return next(iter(dates), None), next(iter(destinations), None)
