"""How far back something goes, as it is written: `24 months`."""

from __future__ import annotations

import calendar
import re
from datetime import date, timedelta
from typing import Literal, Self

from rfm_pipeline.tables import Table


class Window(Table, frozen=True):
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

    def before(self, day: date) -> date:
        """The day that is so long before another; the last one of its month where that is shorter.

        >>> Window.parse("1 month").before(date(2024, 3, 31))
        datetime.date(2024, 2, 29)
        """
        try:
            if self.unit in ("day", "week"):
                return day - timedelta(days=self.count * (7 if self.unit == "week" else 1))
            months = day.year * 12 + day.month - 1 - self.count * (12 if self.unit == "year" else 1)
            year, month = divmod(months, 12)
            return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))
        except (OverflowError, ValueError):
            return date.min

    def __str__(self) -> str:
        return f"{self.count} {self.unit}{'s' if self.count > 1 else ''}"


def window(value: object) -> object:
    """A window in the form in which it is written."""
    return value if value is None or isinstance(value, Window) else Window.parse(str(value))
