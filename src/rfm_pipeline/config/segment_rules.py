"""The rules of a segment map: which score cells each covers, and how a configuration writes that down.

A **cell** is one combination of the three scores, `(r, f, m)`. With 4 bins a side there are 64.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import ClassVar, Literal

from msgspec import Struct

from rfm_pipeline.config.base import SettingsError, SettingsTable, stripped
from rfm_pipeline.errors import ConfigurationError

Cell = tuple[int, int, int]
"""One combination of scores: `(r, f, m)`."""

Bins = tuple[int, int, int]
"""The number of bins of recency, frequency and monetary value."""

RuleDimension = Literal["r", "f", "m", "fm"]
"""What a condition looks at. `fm` is the mean of f and m, rounded up."""

DIMENSIONS: tuple[RuleDimension, ...] = ("r", "f", "m", "fm")

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
    """One `[[segments.rules]]` of a configuration file: a segment, and the cells that belong to it.

    Attributes:
        segment: The segment's name. Several rules may name the same segment.
        description: Who is in the segment, in one line.
        action: What to do with them, in one line.
        r: The recency scores that the rule covers: `4`, `"2-4"`, `">=3"` or `"<=2"`. None covers all.
        f: The frequency scores, likewise.
        m: The monetary scores, likewise.
        fm: The mean of frequency and monetary score, rounded up, likewise.
        cells: In place of the four above, the cells one by one: `"444"`, or `"10-10-10"`.
    """

    FORMS: ClassVar = {"segment": stripped, **dict.fromkeys(DIMENSIONS, _scores)}

    segment: str
    description: str = ""
    action: str = ""
    r: _Scores = None
    f: _Scores = None
    m: _Scores = None
    fm: _Scores = None
    cells: tuple[str, ...] | None = None


class Range(Struct, frozen=True):
    """Scores from `low` to `high`, both included.

    >>> 3 in Range(2, 4), str(Range(2, 4)), str(Range(4, 4))
    (True, '2-4', '4')
    """

    low: int
    high: int

    def __contains__(self, score: int) -> bool:
        return self.low <= score <= self.high

    def __str__(self) -> str:
        return str(self.low) if self.low == self.high else f"{self.low}-{self.high}"


class Rule(Struct, frozen=True):
    """A segment, and the cells that the rule covers.

    A cell is covered when all ranges hold and, where `cells` is given, when it is among them.
    """

    segment: str
    description: str = ""
    action: str = ""
    r: Range | None = None
    f: Range | None = None
    m: Range | None = None
    fm: Range | None = None
    cells: frozenset[Cell] | None = None

    @property
    def ranges(self) -> tuple[tuple[RuleDimension, Range], ...]:
        """The ranges that the rule has, in the order r, f, m, fm."""
        given: tuple[tuple[RuleDimension, Range | None], ...]
        given = (("r", self.r), ("f", self.f), ("m", self.m), ("fm", self.fm))
        return tuple((dimension, scores) for dimension, scores in given if scores is not None)

    def covers(self, r: int, f: int, m: int) -> bool:
        """Tell whether the cell `(r, f, m)` meets the rule's conditions."""
        scores = {"r": r, "f": f, "m": m, "fm": frequency_monetary(f, m)}
        if self.cells is not None and (r, f, m) not in self.cells:
            return False
        return all(scores[dimension] in allowed for dimension, allowed in self.ranges)


def frequency_monetary(f: int, m: int) -> int:
    """Average the frequency and the monetary score, rounded up.

    >>> frequency_monetary(2, 5)
    4
    """
    return (f + m + 1) // 2


def highest_scores(bins: Bins) -> dict[RuleDimension, int]:
    """Give the highest score that each dimension reaches."""
    return dict(zip(DIMENSIONS, (*bins, frequency_monetary(bins[1], bins[2])), strict=True))


def rule_of(number: int, config: RuleConfig, bins: Bins) -> Rule:
    """Read a configured rule.

    Args:
        number: The rule's place in its map, from 1; for messages.
        config: The rule as configured.
        bins: The number of bins of recency, frequency and monetary value; an open range ends there.

    Raises:
        ConfigurationError: The rule has no condition, or one that is no range of scores.
    """
    where = f'Rule {number} ("{config.segment}")'
    highest = highest_scores(bins)
    given: dict[RuleDimension, int | str | None]
    given = {"r": config.r, "f": config.f, "m": config.m, "fm": config.fm}
    ranges: dict[str, Range] = {
        dimension: _range(where, dimension, value, highest[dimension])
        for dimension, value in given.items()
        if value is not None
    }
    if ranges and config.cells is not None:
        raise ConfigurationError(
            f"{where} has both cells and {' and '.join(ranges)}; expected one or the other.",
            "keep the cells, or the ranges; two rules may name the same segment.",
        )
    if not ranges and not config.cells:
        raise ConfigurationError(
            f"{where} has no condition; expected r, f, m, fm or cells.",
            "for the cells that no other rule covers, set fallback under [segments] and delete the rule.",
        )
    cells = None if config.cells is None else _cells(where, config.cells)
    return Rule(
        config.segment,
        config.description,
        config.action,
        r=ranges.get("r"),
        f=ranges.get("f"),
        m=ranges.get("m"),
        fm=ranges.get("fm"),
        cells=cells,
    )


def _range(where: str, dimension: RuleDimension, value: int | str, highest: int) -> Range:
    found = f"{where} has {dimension} = {json.dumps(value, ensure_ascii=False)}"
    match = _RANGE.fullmatch(str(value).strip())
    if match is None:
        raise ConfigurationError(f"{found}, which is not a score or a range of scores.", _RANGE_HINT)
    scores = {form: int(digits) for form, digits in match.groupdict().items() if digits is not None}
    if 0 in scores.values():
        raise ConfigurationError(f"{found}, but scores start at 1.", _RANGE_HINT)
    if "at_least" in scores:
        # Above the bins, the range keeps what was asked for, so that the proof can report it.
        return Range(scores["at_least"], max(scores["at_least"], highest))
    if "at_most" in scores:
        return Range(1, scores["at_most"])
    if "only" in scores:
        return Range(scores["only"], scores["only"])
    if scores["low"] > scores["high"]:
        raise ConfigurationError(
            f"{found}, a range that ends before it starts.", f'write "{scores["high"]}-{scores["low"]}".'
        )
    return Range(scores["low"], scores["high"])


def _cells(where: str, texts: Sequence[str]) -> frozenset[Cell]:
    cells: set[Cell] = set()
    for text in texts:
        found = f"{where} lists the cell {json.dumps(text, ensure_ascii=False)}"
        match = _CELL.fullmatch(text.strip())
        if match is None:
            raise ConfigurationError(f"{found}, which is not three scores.", _CELL_HINT)
        r, f, m = (int(digits) for digits in match.groups() if digits is not None)
        if 0 in (r, f, m):
            raise ConfigurationError(f"{found}, but scores start at 1.", _CELL_HINT)
        if (r, f, m) in cells:
            raise ConfigurationError(
                f"{found} twice.", "delete one, or correct it: it may stand for another."
            )
        cells.add((r, f, m))
    return frozenset(cells)
