"""Time windows such as `24 months`, counted back from a date."""

from __future__ import annotations

import re
from calendar import monthrange
from datetime import date, timedelta
from typing import Literal, Self

from rfm_pipeline.config.base import SettingsTable


class Window(SettingsTable, frozen=True):
    """Time window of `count` units that ends on a given last day, which it includes."""

    count: int
    unit: Literal["day", "week", "month", "year"]

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse text such as `365 days`, `24 months`, `2 years`, `90d` or `52w`.

        Raises:
            ValueError: If the text has another form or the number is out of range.
        """
        match = re.fullmatch(r"\s*(\d{1,5})\s*(d|w|m|y|days?|weeks?|months?|years?)\s*", text.casefold())
        # The engines' dates do not reach far before year 1.
        limit = 1_000 if match and match[2].startswith("y") else 10_000
        if match is None or not 0 < int(match[1]) <= limit:
            raise ValueError(
                f"'{text}' is not a window such as '24 months', of up to 10,000 days, weeks or months or"
                " 1,000 years"
            )
        units: dict[str, Literal["day", "week", "month", "year"]]
        units = {"d": "day", "w": "week", "m": "month", "y": "year"}
        return cls(count=int(match[1]), unit=units[match[2][0]])

    def first_day(self, last: date) -> date:
        """Return the first day of the window whose last day is `last`.

        >>> str(Window.parse("1 month").first_day(date(2025, 3, 31)))
        '2025-03-01'
        """
        if self.unit in {"day", "week"}:
            days = self.count * (7 if self.unit == "week" else 1)
            return last - timedelta(days=min(days, last.toordinal()) - 1)
        months = self.count * (12 if self.unit == "year" else 1)
        year, month = divmod(last.year * 12 + last.month - 1 - months, 12)
        if year < 1:
            return date.min
        day = min(last.day, monthrange(year, month + 1)[1])
        return date(year, month + 1, day) + timedelta(days=1)

    def expires_on(self, day: date) -> date:
        """Return the first date on which `day` is no longer in the window that ends on that date.

        >>> str(Window.parse("1 month").expires_on(date(2023, 1, 31)))
        '2023-03-01'
        """
        if self.unit in {"day", "week"}:
            return day + timedelta(days=self.count * (7 if self.unit == "week" else 1))
        months = self.count * (12 if self.unit == "year" else 1)
        year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
        month_length = monthrange(year, month + 1)[1]
        # If the month has no such day, the first day of the next month.
        return date(year, month + 1, min(day.day, month_length)) + timedelta(days=day.day > month_length)

    def __str__(self) -> str:
        return f"{self.count} {self.unit}{'s' if self.count > 1 else ''}"


def parse_window(value: object) -> object:
    """Parse a window from its text; return None and a `Window` unchanged."""
    return value if value is None or isinstance(value, Window) else Window.parse(str(value))
