"""How far back something goes, as it is written: `24 months`."""

from __future__ import annotations

import re
from calendar import monthrange
from datetime import date, timedelta
from typing import Literal, Self

from rfm_pipeline.config.base import SettingsTable


class Window(SettingsTable, frozen=True):
    """How far back from the as-of date lines count: the last `count` units, the as-of date included."""

    count: int
    unit: Literal["day", "week", "month", "year"]

    @classmethod
    def parse(cls, text: str) -> Self:
        """Reads `365 days`, `24 months`, `2 years`, `90d`, `52w`.

        Raises:
            ValueError: It is none of these.
        """
        match = re.fullmatch(r"\s*(\d{1,5})\s*(d|w|m|y|days?|weeks?|months?|years?)\s*", text.casefold())
        # No engine has dates long before our era.
        most = 1_000 if match and match[2].startswith("y") else 10_000
        if match is None or not 0 < int(match[1]) <= most:
            raise ValueError(
                f"'{text}' is not a window such as '24 months', of up to 10,000 days, weeks or months or"
                " 1,000 years"
            )
        units: dict[str, Literal["day", "week", "month", "year"]]
        units = {"d": "day", "w": "week", "m": "month", "y": "year"}
        return cls(count=int(match[1]), unit=units[match[2][0]])

    def first_day(self, last: date) -> date:
        """The first day that is inside, where `last` is the last one.

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
        """The first last day whose window a day no longer lies in.

        >>> str(Window.parse("1 month").leaves(date(2023, 1, 31)))
        '2023-03-01'
        """
        if self.unit in {"day", "week"}:
            return day + timedelta(days=self.count * (7 if self.unit == "week" else 1))
        months = self.count * (12 if self.unit == "year" else 1)
        year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
        longest = monthrange(year, month + 1)[1]
        # A month that is too short for the day ends before it; the next one begins behind it.
        return date(year, month + 1, min(day.day, longest)) + timedelta(days=day.day > longest)

    def __str__(self) -> str:
        return f"{self.count} {self.unit}{'s' if self.count > 1 else ''}"


def window(value: object) -> object:
    """A window in the form in which it is written."""
    return value if value is None or isinstance(value, Window) else Window.parse(str(value))
