"""Rules of a segment map, and their parsing from `[[segments.rules]]`.

A **cell** is one combination of the three scores, `(r, f, m)`. With 4 bins per dimension there are 64 cells.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import ClassVar, Literal

from msgspec import Struct

from rfm_pipeline.config.base import SettingsError, SettingsTable, strip_text
from rfm_pipeline.config.day_conditions import Gap, Interval, days_text, gap_text, parse_days, parse_gap
from rfm_pipeline.errors import ConfigurationError

ScoreTriple = tuple[int, int, int]
"""One combination of scores: `(r, f, m)`."""

BinCounts = tuple[int, int, int]
"""Numbers of bins of recency, frequency and monetary value, in this order."""

RuleDimension = Literal["r", "f", "m", "fm"]
"""Score that a condition tests; `fm` is the mean of f and m, rounded up."""

RULE_DIMENSIONS: tuple[RuleDimension, ...] = ("r", "f", "m", "fm")

_Scores = int | str | None

_RANGE = re.compile(
    r"(?P<low>[0-9]+)\s*-\s*(?P<high>[0-9]+)"
    r"|>=\s*(?P<at_least>[0-9]+)|<=\s*(?P<at_most>[0-9]+)|(?P<only>[0-9]+)"
)
_CELL = re.compile(r"([0-9])([0-9])([0-9])|([0-9]+)-([0-9]+)-([0-9]+)")
_RANGE_HINT = 'write scores as 4, "2-4", ">=3" or "<=2"; they start at 1, which is worst.'
_CELL_HINT = 'write cells as r, f and m: "444", or "10-10-10"; scores start at 1, which is worst.'


def _scores(value: object) -> object:
    if type(value) not in (int, str):
        raise SettingsError((), expected="a whole number or text", value=value)
    return value


class RuleConfig(SettingsTable, frozen=True):
    """One `[[segments.rules]]` of a configuration file: a segment, and conditions for its cells.

    Attributes:
        segment: Name of the segment; several rules may name the same segment.
        description: Description of the segment's customers, in one line.
        action: Recommended action, in one line.
        r: Recency scores that the rule covers: `4`, `"2-4"`, `">=3"` or `"<=2"`; None for all scores.
        f: Frequency scores, in the same notation.
        m: Monetary scores, in the same notation.
        fm: Means of the frequency and the monetary score, rounded up, in the same notation.
        cells: List of single cells, `"444"` or `"10-10-10"`, instead of the four conditions above.
        first_order_days: Days since the first order: `"<=30"`, `">=31"`, `"31-90"` or `0`; None for all.
        gap: Days since the last order over the customer's own median gap between days with an order:
            `"<=1.5"`, `"<1.5"`, `">1.5"` or `">=1.5"`, which hold for no customer with one such day; `"none"`
            holds for these only; None for all customers.
    """

    PARSERS: ClassVar = {
        "segment": strip_text,
        **dict.fromkeys((*RULE_DIMENSIONS, "first_order_days", "gap"), _scores),
    }

    segment: str
    description: str = ""
    action: str = ""
    r: _Scores = None
    f: _Scores = None
    m: _Scores = None
    fm: _Scores = None
    cells: tuple[str, ...] | None = None
    first_order_days: _Scores = None
    gap: _Scores = None


class Range(Struct, frozen=True):
    """Range of scores from `low` to `high`, both included.

    >>> 3 in Range(2, 4), str(Range(2, 4)), str(Range(4, 4))
    (True, '2-4', '4')
    """

    low: int
    high: int

    def __contains__(self, score: int) -> bool:
        return self.low <= score <= self.high

    def __str__(self) -> str:
        return str(self.low) if self.low == self.high else f"{self.low}-{self.high}"


class SegmentRule(Struct, frozen=True):
    """Parsed rule: a segment, and the cells that belong to it.

    The rule covers a cell if the scores lie in all ranges that are not None, and the cell is in `cells` if
    that is not None. It matches the customers of these cells who meet its conditions on days.
    """

    segment: str
    description: str = ""
    action: str = ""
    r: Range | None = None
    f: Range | None = None
    m: Range | None = None
    fm: Range | None = None
    cells: frozenset[ScoreTriple] | None = None
    first_order_days: Interval | None = None
    gap: Gap | None = None

    @property
    def ranges(self) -> tuple[tuple[RuleDimension, Range], ...]:
        """Ranges that are not None, in the order r, f, m, fm."""
        ranges: tuple[tuple[RuleDimension, Range | None], ...]
        ranges = (("r", self.r), ("f", self.f), ("m", self.m), ("fm", self.fm))
        return tuple((dimension, scores) for dimension, scores in ranges if scores is not None)

    def conditions(self) -> list[str]:
        """Return the conditions but `cells` as text, such as `r 3-4` and `gap <=1.5`."""
        texts = [f"{dimension} {scores}" for dimension, scores in self.ranges]
        if self.first_order_days is not None:
            texts.append(f"first_order_days {days_text(self.first_order_days)}")
        if self.gap is not None:
            texts.append(f"gap {gap_text(self.gap)}")
        return texts

    def covers(self, r: int, f: int, m: int) -> bool:
        """Return whether the rule covers the cell `(r, f, m)`."""
        return (
            (self.cells is None or (r, f, m) in self.cells)
            and (self.r is None or r in self.r)
            and (self.f is None or f in self.f)
            and (self.m is None or m in self.m)
            and (self.fm is None or frequency_monetary(f, m) in self.fm)
        )


def frequency_monetary(f: int, m: int) -> int:
    """Return the mean of the frequency and the monetary score, rounded up.

    >>> frequency_monetary(2, 5)
    4
    """
    return (f + m + 1) // 2


def highest_scores(bins: BinCounts) -> dict[RuleDimension, int]:
    """Return the highest score of each dimension."""
    return dict(zip(RULE_DIMENSIONS, (*bins, frequency_monetary(bins[1], bins[2])), strict=True))


def parse_rule(number: int, config: RuleConfig, bins: BinCounts) -> SegmentRule:
    """Return the parsed rule of a configured one.

    Args:
        number: Position of the rule in its map, from 1; for messages.
        config: The configured rule.
        bins: Numbers of bins of recency, frequency and monetary value, at which open ranges such as `>=3`
            end.

    Raises:
        ConfigurationError: If the rule has no condition, or a condition is no range of scores or days.
    """
    where = f'Rule {number} ("{config.segment}")'
    highest = highest_scores(bins)
    conditions: dict[RuleDimension, int | str | None]
    conditions = {"r": config.r, "f": config.f, "m": config.m, "fm": config.fm}
    ranges: dict[str, Range] = {
        dimension: _range(where, dimension, value, highest[dimension])
        for dimension, value in conditions.items()
        if value is not None
    }
    if ranges and config.cells is not None:
        raise ConfigurationError(
            f"{where} has both cells and {' and '.join(ranges)}; expected one or the other.",
            "keep the cells, or the ranges; two rules may name the same segment.",
        )
    days = None if config.first_order_days is None else parse_days(where, config.first_order_days)
    gap = None if config.gap is None else parse_gap(where, config.gap)
    if not ranges and not config.cells and days is None and gap is None:
        raise ConfigurationError(
            f"{where} has no condition; expected r, f, m, fm, cells, first_order_days or gap.",
            "for the cells that no other rule covers, set fallback under [segments] and delete this rule.",
        )
    cells = None if config.cells is None else _cells(where, config.cells)
    return SegmentRule(
        config.segment,
        config.description,
        config.action,
        r=ranges.get("r"),
        f=ranges.get("f"),
        m=ranges.get("m"),
        fm=ranges.get("fm"),
        cells=cells,
        first_order_days=days,
        gap=gap,
    )


def _range(where: str, dimension: RuleDimension, value: int | str, highest: int) -> Range:
    subject = f"{where} has {dimension} = {json.dumps(value, ensure_ascii=False)}"
    match = _RANGE.fullmatch(str(value).strip())
    if match is None:
        raise ConfigurationError(f"{subject}, which is not a score or a range of scores.", _RANGE_HINT)
    scores = {form: int(digits) for form, digits in match.groupdict().items() if digits is not None}
    if 0 in scores.values():
        raise ConfigurationError(f"{subject}, but scores start at 1.", _RANGE_HINT)
    if "at_least" in scores:
        # A lower end above the bins is kept, so that the validation of the map can report it.
        return Range(scores["at_least"], max(scores["at_least"], highest))
    if "at_most" in scores:
        return Range(1, scores["at_most"])
    if "only" in scores:
        return Range(scores["only"], scores["only"])
    if scores["low"] > scores["high"]:
        raise ConfigurationError(
            f"{subject}, a range that ends before it starts.", f'write "{scores["high"]}-{scores["low"]}".'
        )
    return Range(scores["low"], scores["high"])


def _cells(where: str, texts: Sequence[str]) -> frozenset[ScoreTriple]:
    cells: set[ScoreTriple] = set()
    for text in texts:
        subject = f"{where} lists the cell {json.dumps(text, ensure_ascii=False)}"
        match = _CELL.fullmatch(text.strip())
        if match is None:
            raise ConfigurationError(f"{subject}, which is not three scores.", _CELL_HINT)
        r, f, m = (int(digits) for digits in match.groups() if digits is not None)
        if 0 in (r, f, m):
            raise ConfigurationError(f"{subject}, but scores start at 1.", _CELL_HINT)
        if (r, f, m) in cells:
            raise ConfigurationError(
                f"{subject} twice.", "delete one of the two, or correct it if another cell was meant."
            )
        cells.add((r, f, m))
    return frozenset(cells)
