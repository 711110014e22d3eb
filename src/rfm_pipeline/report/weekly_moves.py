"""What to do this week: the groups of customers with the most money, and the commands that export them.

A group has the conditions that `rfm export` takes, so that its command exports exactly the customers that are
counted. The advice depends on why the customers moved, how many they are, and what one of them is worth.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from decimal import Decimal

from msgspec import Struct

from rfm_pipeline.common import formatting
from rfm_pipeline.common.decimals import exact_sum
from rfm_pipeline.report.changes import MoverGroup
from rfm_pipeline.report.data import ReportData
from rfm_pipeline.report.number_format import FormattedNumber, NumberFormatter, Phrase

_ARROWS = re.compile(r"->|→|^\*$")
MOVES = 5
"""Number of groups that the report lists."""
_PERSONAL_CUSTOMERS = 50
"""So many customers can be called within a week."""
_VALUABLE = 3
"""A customer with so many times the average revenue is worth a personal message."""
_BY_CAUSE = {
    "time": (
        "because time passed since the last order",
        "Remind them of what they buy, before any discount.",
    ),
    "behaviour": ("because of their orders or returns", "Look at these, and ask what was missing."),
    "edges": ("because other customers bought more", "Offer a bundle, or free delivery above an amount."),
}


class WeeklyMove(Struct, frozen=True):
    """A group of customers to write to.

    Attributes:
        reason: Reason to write, of `sql.movers.REASONS`.
        segment: The segment that they slipped from, for the reason `slipped`; else their segment now.
        groups: The customers.
        options: Options of `rfm export` that choose them.
    """

    reason: str
    segment: str
    groups: tuple[MoverGroup, ...]
    options: tuple[str, ...]

    @property
    def title(self) -> str:
        """What the customers have in common."""
        return {
            "slipped": f"Slipped from {self.segment}",
            "woke_up": f"Came back, now {self.segment}",
            "new_at_top": f"New among {self.segment}",
            "due": f"Due: {self.segment}",
        }[self.reason]

    @property
    def customers(self) -> int:
        """Number of customers."""
        return sum(group.customers for group in self.groups)

    @property
    def revenue(self) -> Decimal:
        """Sum of their monetary values."""
        return exact_sum(group.revenue for group in self.groups)

    def command(self, to: str) -> str:
        """Return the command that exports the customers, for a POSIX shell.

        Args:
            to: The destination in the form that `--to` takes.
        """
        slug = re.sub(r"[^a-z0-9]+", "-", f"{self.reason} {self.segment}".casefold()).strip("-")
        return shlex.join(["rfm", "export", *self.options, "--to", to, "-o", f"{slug}.csv"])

    def advice(self, data: ReportData, formatter: NumberFormatter) -> Phrase:
        """Return what to do, by the causes, the number and the value of the customers."""
        return Phrase((self._finding(data), *self._channel(data, formatter)))

    def _finding(self, data: ReportData) -> str:
        if self.reason == "slipped":
            return self._slip()
        if self.reason == "new_at_top":
            return self._arrival(data)
        if self.reason == "woke_up":
            return "They ordered again after a long silence. Ask what brought them back."
        days = sum(group.recency_days for group in self.groups) // self.customers
        slipped = sum(group.customers for group in self.groups if "slipped" in group.reasons)
        finding = (
            f"Silent for {formatting.format_count(days, 'day')} on average, longer than their usual gap."
        )
        if slipped:
            return f"{finding} {_part(slipped, self.customers)} have also slipped a segment: begin with them."
        return f"{finding} Propose the next order while the habit lasts."

    def _slip(self) -> str:
        by_cause = dict.fromkeys(_BY_CAUSE, 0)
        for group in self.groups:
            if group.cause in by_cause:
                by_cause[group.cause] += group.customers
        cause = max(by_cause, key=lambda cause: by_cause[cause])
        why, advice = _BY_CAUSE[cause]
        return f"{_part(by_cause[cause], self.customers)} slipped {why}. {advice}"

    def _arrival(self, data: ReportData) -> str:
        new = sum(group.customers for group in self.groups if group.from_segment is None)
        if new * 2 > self.customers:
            part = _part(new, self.customers)
            return f"{part} are new since {data.previous_as_of}. Welcome them, and make the next order easy."
        part = _part(self.customers - new, self.customers)
        return f"{part} rose from another segment. Tell them what their new status gives them."

    def _channel(self, data: ReportData, formatter: NumberFormatter) -> Iterator[str | FormattedNumber]:
        each = self.revenue / self.customers
        yield " Each is worth "
        yield formatter.whole(each)
        mean = data.revenue / data.customers
        if mean > 0 and each >= _VALUABLE * mean:
            yield f", {each / mean:.0f} times the average"
        if self.customers <= _PERSONAL_CUSTOMERS:
            yield ": few enough to call."
        elif mean > 0 and each >= _VALUABLE * mean:
            yield ": a personal message pays."
        elif mean > 0 and each >= mean:
            yield ": a message of their own pays."
        else:
            yield ": an automatic message is enough."


def _part(customers: int, whole: int) -> str:
    return f"All {whole:,}" if customers == whole else f"{customers:,} of {whole:,}"


def weekly_moves(data: ReportData, segment: str | None = None) -> list[WeeklyMove]:
    """Return the groups of customers with the most money, highest first.

    A customer can be in several groups. Without a previous result, only customers who are due are known.

    Args:
        data: Data of the report.
        segment: Segment that the groups have to concern; None for all.
    """
    candidates = [move for move in _candidates(data) if segment in {None, move.segment} and move.revenue > 0]
    return sorted(candidates, key=lambda move: (-move.revenue, move.title))[:MOVES]


def _option(name: str, value: str) -> tuple[str, ...]:
    # A value that begins with a dash would be read as an option.
    return (f"{name}={value}",) if value.startswith("-") else (name, value)


def _candidates(data: ReportData) -> Iterator[WeeklyMove]:
    chosen: dict[tuple[str, str], list[MoverGroup]] = {}
    for group in _groups(data):
        for reason in group.reasons:
            segment = group.from_segment if reason == "slipped" else group.segment
            assert segment is not None  # who slipped had a segment
            chosen.setdefault((reason, segment), []).append(group)
    for (reason, segment), groups in chosen.items():
        options = _option("--reason", reason)
        if reason == "slipped":
            if _ARROWS.search(segment):
                continue  # `--moved` can't take the name
            options = (*_option("--moved", f"{segment} -> *"), *options)
        else:
            options = (*options, *_option("--segment", segment))
        yield WeeklyMove(reason, segment, tuple(groups), options)


def _groups(data: ReportData) -> tuple[MoverGroup, ...]:
    if data.changes is not None and data.changes.groups is not None:
        return data.changes.groups
    return tuple(
        MoverGroup(
            None, group.segment, None, frozenset({"due"}), group.due, 0, group.due_days, group.revenue_at_risk
        )
        for group in data.score_groups
        if group.due
    )
