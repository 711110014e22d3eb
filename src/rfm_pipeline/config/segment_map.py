"""Segment maps: ordered rules over the scores that assign exactly one segment to each score cell.

The first rule that covers a cell determines its segment. A `SegmentMap` can only be constructed if every cell
has a segment and every rule is the first match of at least one cell. If rules have conditions on days, a cell
is a combination of three scores, an interval of days since the first order, and an interval of gaps, between
the bounds that the rules name.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from fractions import Fraction
from functools import cached_property
from typing import Annotated, Any, ClassVar

from msgspec import Meta, Struct, to_builtins

from rfm_pipeline.config.base import SettingsTable, strip_text
from rfm_pipeline.config.day_conditions import DayCell, Rhythm, day_cells, day_score, holds_in
from rfm_pipeline.config.segment_rules import (
    BinCounts,
    RuleConfig,
    ScoreTriple,
    SegmentRule,
    highest_scores,
    parse_rule,
)
from rfm_pipeline.errors import ConfigurationError, SegmentMapError


class SegmentsConfig(SettingsTable, frozen=True, kw_only=True):
    """The `[segments]` table of a configuration file: a segment map that is not validated yet.

    Attributes:
        name: Name of the map in messages and reports.
        description: Purpose of the map, in one line.
        rules: Rules in order of precedence.
        fallback: Segment of the cells that no rule covers; None if the rules must cover every cell.
        fallback_description: Description of the fallback segment's customers, in one line.
        fallback_action: Recommended action for the fallback segment, in one line.
    """

    PARSERS: ClassVar = {"name": strip_text, "fallback": strip_text}

    name: str = "custom"
    description: str = ""
    rules: Annotated[tuple[RuleConfig, ...], Meta(min_length=1)]
    fallback: str | None = None
    fallback_description: str = ""
    fallback_action: str = ""

    def without_texts(self) -> dict[str, Any]:
        """Return what decides the segments, in plain values: no texts, and no condition that is not set."""
        rules = [
            {
                name: value
                for name, value in to_builtins(rule).items()
                if value is not None and name not in ("description", "action")
            }
            for rule in self.rules
        ]
        return {"name": self.name, "rules": rules, "fallback": self.fallback}


class Segment(Struct, frozen=True):
    """Named group of customers, with a one-line description and a recommended action."""

    name: str
    description: str = ""
    action: str = ""


class SegmentMap(Struct, frozen=True, dict=True):
    """Valid segment map: each cell has exactly one segment, and each rule is the first match of some cell.

    The constructor validates the map; `from_config` constructs a map from a configuration.

    Attributes:
        name: Name of the map.
        rules: Rules in order of precedence.
        fallback: Segment of the cells that no rule covers; None if the rules cover every cell.
        bins: Numbers of bins of recency, frequency and monetary value.
        description: Purpose of the map, in one line.
        fallback_description: Description of the fallback segment's customers, in one line.
        fallback_action: Recommended action for the fallback segment, in one line.

    Raises:
        ConfigurationError: If a segment's name is blank, or two names differ in case or spaces only.
        SegmentMapError: If a cell has no segment, a rule or the fallback is never reached, or a rule has
            scores above the bins. The message lists all problems.
    """

    name: str
    rules: tuple[SegmentRule, ...]
    fallback: str | None
    bins: BinCounts
    description: str = ""
    fallback_description: str = ""
    fallback_action: str = ""

    def __post_init__(self) -> None:
        _check_names(self)
        self.cells()  # Raises an error if the map is invalid.

    @classmethod
    def from_config(cls, config: SegmentsConfig, bins: BinCounts) -> SegmentMap:
        """Parse and validate a configured map.

        Args:
            config: The configured map.
            bins: Numbers of bins of recency, frequency and monetary value.

        Raises:
            ConfigurationError: If a rule has no condition, a condition is no range of scores, a segment's
                name is blank, or two names differ in case or spaces only.
            SegmentMapError: If the map is invalid; see the class.
        """
        rules = tuple(parse_rule(number, rule, bins) for number, rule in enumerate(config.rules, start=1))
        if config.fallback is None and (config.fallback_description or config.fallback_action):
            raise ConfigurationError(
                f'The segment map "{config.name}" describes a fallback that it does not name.',
                'name it, as in fallback = "Others", or delete fallback_description and fallback_action.',
            )
        return cls(
            config.name,
            rules,
            config.fallback,
            bins,
            config.description,
            config.fallback_description,
            config.fallback_action,
        )

    @cached_property
    def _segments_by_cell(self) -> dict[_Cell, str]:
        return _assign_segments(self)

    @property
    def uses_first_order_days(self) -> bool:
        """Whether a rule has a condition on the days since the first order."""
        return any(rule.first_order_days is not None for rule in self.rules)

    @property
    def uses_gap(self) -> bool:
        """Whether a rule has a condition on the days since the last order in gaps between orders."""
        return any(rule.gap is not None for rule in self.rules)

    @property
    def uses_days(self) -> bool:
        """Whether a rule has a condition on days, so that scores alone do not give the segment."""
        return self.uses_first_order_days or self.uses_gap

    @cached_property
    def segments(self) -> tuple[Segment, ...]:
        """Segments without repetition from best to worst, the fallback last.

        The best segment has the highest mean score over its cells, of which recency is one half. An interval
        of gaps counts like a score of recency, one of days since the first order like half a score of
        frequency, and fewer days are better. Segments with equal means are in the order of their first rule.
        If several rules name a segment, its description and its action are the first that are not blank.
        """
        named = [Segment(rule.segment, rule.description, rule.action) for rule in self.rules]
        if self.fallback is not None:
            named.append(Segment(self.fallback, self.fallback_description, self.fallback_action))
        by_name: dict[str, Segment] = {}
        for segment in named:
            earlier = by_name.get(segment.name, segment)
            by_name[segment.name] = Segment(
                segment.name, earlier.description or segment.description, earlier.action or segment.action
            )
        ranks = self._mean_scores()
        return tuple(sorted(by_name.values(), key=lambda segment: -ranks[segment.name]))

    def _mean_scores(self) -> dict[str, Fraction]:
        """Return the mean of `2 r + f + m`, and of days, over each segment's cells; of the fallback -1.

        Scores are shares of the bins, and fractions, so that ties are ties.
        """
        tops = [bins - 1 for bins in self.bins]
        days = {cell: day_score(cell, self.day_cells) for cell in self.day_cells}
        sums: dict[str, tuple[int, int | Fraction]] = {}
        product = tops[0] * tops[1] * tops[2]
        for ((r, f, m), cell), segment in self._segments_by_cell.items():
            score = (
                2 * (r - 1) * tops[1] * tops[2] + (f - 1) * tops[0] * tops[2] + (m - 1) * tops[0] * tops[1]
            )
            count, total = sums.get(segment, (0, 0))
            sums[segment] = count + 1, total + score + days[cell] * product
        means = {segment: Fraction(total) / count for segment, (count, total) in sums.items()}
        return means if self.fallback is None else {**means, self.fallback: Fraction(-1)}

    @cached_property
    def day_cells(self) -> tuple[DayCell, ...]:
        """Combinations of days that rules tell apart; one if no rule has a condition on days."""
        return day_cells((rule.first_order_days, rule.gap) for rule in self.rules)

    @property
    def uses_m(self) -> bool:
        """Whether the segment of a cell depends on its monetary score."""
        cells = self._segments_by_cell
        return any(segment != cells[(r, f, 1), days] for ((r, f, _), days), segment in cells.items())

    def segment_of(self, r: int, f: int, m: int, rhythm: Rhythm | None = None) -> str:
        """Return the name of a customer's segment.

        Args:
            r: Recency score.
            f: Frequency score.
            m: Monetary score.
            rhythm: The customer's days; None only if the map has no conditions on days.

        Raises:
            KeyError: If a score lies outside the bins.
        """
        if not self.uses_days:
            return self._segments_by_cell[(r, f, m), DayCell()]
        match = self.first_match(r, f, m, rhythm)
        if match is not None:
            return match[1].segment
        assert self.fallback is not None  # the rules of a valid map cover every cell, or it has a fallback
        return self.fallback

    def first_match(
        self, r: int, f: int, m: int, rhythm: Rhythm | None = None
    ) -> tuple[int, SegmentRule] | None:
        """Return the first rule that matches a customer, with its number from 1; None for the fallback."""
        assert rhythm is not None or not self.uses_days
        for number, rule in enumerate(self.rules, start=1):
            is_met = rhythm is None or rhythm.meets(rule.first_order_days, rule.gap)
            if is_met and rule.covers(r, f, m):
                return number, rule
        return None

    def cells(self) -> dict[ScoreTriple, str]:
        """Return the segment of every cell of a map over scores only, in ascending order of r, f and m."""
        return {scores: segment for (scores, _), segment in self._segments_by_cell.items()}


_Cell = tuple[ScoreTriple, DayCell]


def cell_text(cell: ScoreTriple, bins: BinCounts) -> str:
    """Return a cell in the notation of the column `rfm_score`.

    >>> cell_text((4, 4, 1), (4, 4, 4)), cell_text((4, 4, 1), (10, 10, 10))
    ('441', '4-4-1')
    """
    return ("-" if max(bins) >= 10 else "").join(map(str, cell))


def _check_names(segment_map: SegmentMap) -> None:
    names = [(f"Rule {number}", rule.segment) for number, rule in enumerate(segment_map.rules, start=1)]
    if segment_map.fallback is not None:
        names.append(("The fallback", segment_map.fallback))
    spellings: dict[str, str] = {}
    for where, name in names:
        if not name.strip() or not name.isprintable():
            raise ConfigurationError(
                f"{where} has the segment name {json.dumps(name)}; expected printable text on one line.",
                'name the segment, as in segment = "Champions".',
            )
        first_spelling = spellings.setdefault(" ".join(name.split()).casefold(), name)
        if first_spelling != name:
            raise ConfigurationError(
                f'The segment names "{first_spelling}" and "{name}" differ in nothing but case or spaces.',
                "spell a segment's name the same way in each of its rules, or choose another name.",
            )


def _covering_rules(segment_map: SegmentMap) -> dict[_Cell, list[int]]:
    """Return the indexes of the rules that cover each cell."""
    scores_r, scores_f, scores_m = (range(1, count + 1) for count in segment_map.bins)
    by_days = {
        cell: {
            number
            for number, rule in enumerate(segment_map.rules)
            if holds_in(cell, rule.first_order_days, rule.gap)
        }
        for cell in segment_map.day_cells
    }
    covering: dict[_Cell, list[int]] = {}
    for scores in itertools.product(scores_r, scores_f, scores_m):
        numbers = [number for number, rule in enumerate(segment_map.rules) if rule.covers(*scores)]
        for cell, held in by_days.items():
            covering[scores, cell] = [number for number in numbers if number in held]
    return covering


def _assign_segments(segment_map: SegmentMap) -> dict[_Cell, str]:
    """Return the segment of each cell, or raise a SegmentMapError that lists all problems of the map."""
    rules, fallback, bins = segment_map.rules, segment_map.fallback, segment_map.bins
    covering = _covering_rules(segment_map)
    holes = [cell for cell, numbers in covering.items() if not numbers]
    winners = {numbers[0] for numbers in covering.values() if numbers}

    problems: list[str] = []
    hints: list[str] = []
    if holes and fallback is None:
        problems.append(f"no rule covers {_listing([_text(cell, bins) for cell in holes])}")
        hints.append(
            'add rules for these cells or a fallback, such as fallback = "Others" under [segments], '
            "or set the bins under [scoring] that the map was written for"
        )
    for number, rule in enumerate(rules):
        where = _where(number + 1, rule.segment)
        if above := _scores_above(rule, bins):
            problems.append(f"{where} requires {above}")
            hints.append("set the bins under [scoring] that the map was written for, or lower the scores")
        elif number not in winners:
            covered_by = {cell: numbers[0] for cell, numbers in covering.items() if number in numbers}
            problems.append(f"{where} is never reached, because {_reason(covered_by, segment_map)}")
            hints.append(
                "move a rule that is never reached above the rules that cover its cells, narrow those rules,"
                " or delete it"
            )
    if fallback is not None and not holes:
        problems.append(f'the fallback "{fallback}" is never reached, because the rules cover every cell')
        hints.append("delete the fallback")
    if problems:
        if maps := _presets_with_equal_bins(segment_map):
            hints.insert(
                0,
                f"choose a map for {bins[0]} bins, as in --preset {maps[0]} (for {bins[0]} bins there"
                f" {'is' if len(maps) == 1 else 'are'} {_listing(maps)})",
            )
        sizes = " x ".join(map(str, bins))
        raise SegmentMapError(
            f'The segment map "{segment_map.name}" does not fit its {sizes} score cells: '
            f"{'; '.join(problems)}.",
            f"{'; '.join(dict.fromkeys(hints))}.",
        )
    names = [rule.segment for rule in rules]
    return {
        cell: names[numbers[0]] if numbers or fallback is None else fallback
        for cell, numbers in covering.items()
    }


def _presets_with_equal_bins(segment_map: SegmentMap) -> list[str]:
    """Return the presets for the map's number of bins, if the map is a preset for another number."""
    from rfm_pipeline.config import presets

    if segment_map.name not in presets.names() or len(set(segment_map.bins)) > 1:
        return []
    maps = {name: presets.load_preset(name) for name in presets.names()}
    return [
        name
        for name, preset in maps.items()
        if "segments" in preset
        and name != segment_map.name
        and preset["scoring"]["bins"] == segment_map.bins[0]
    ]


def _scores_above(rule: SegmentRule, bins: BinCounts) -> str:
    """Describe the scores of a rule that lie above the bins; an empty string if there are none."""
    highest = highest_scores(bins)
    descriptions = [
        f"{dimension} = {scores} ({dimension} ends at {highest[dimension]})"
        for dimension, scores in rule.ranges
        if scores.high > highest[dimension]
    ]
    cells = [
        cell for cell in sorted(rule.cells or ()) if any(s > top for s, top in zip(cell, bins, strict=True))
    ]
    if cells:
        highest_used: BinCounts = (
            max(c[0] for c in cells),
            max(c[1] for c in cells),
            max(c[2] for c in cells),
        )
        texts = [cell_text(cell, highest_used) for cell in cells]
        descriptions.append(f"{_listing(texts)} (the last cell is {cell_text(bins, bins)})")
    return " and ".join(descriptions)


def _text(cell: _Cell, bins: BinCounts) -> str:
    """Return a cell as text: `441`, or `441 (gap <=1)`."""
    days = cell[1].text()
    return f"{cell_text(cell[0], bins)} ({days})" if days else cell_text(cell[0], bins)


def _reason(covered_by: dict[_Cell, int], segment_map: SegmentMap) -> str:
    """Explain why a rule is never reached, given the first rule that covers each of its cells."""
    if not covered_by:
        return "no cell meets all of its conditions"
    numbers = sorted(set(covered_by.values()))
    rules = [_where(number + 1, segment_map.rules[number].segment) for number in numbers]
    cells = _listing([_text(cell, segment_map.bins) for cell in covered_by])
    return f"{_listing(rules)} already {'covers' if len(rules) == 1 else 'cover'} {cells}"


def _where(number: int, segment: str) -> str:
    return f"rule {number} ({segment})"


def _listing(items: Sequence[str], limit: int = 8) -> str:
    """Join items with commas and "and"; of more than `limit` items, show the first ones and count the others.

    >>> _listing(["411", "412", "413"]), _listing(["411", "412", "413"], limit=2)
    ('411, 412 and 413', '411, 412 and 1 more')
    """
    if len(items) > limit:
        return f"{', '.join(items[:limit])} and {len(items) - limit} more"
    *first, last = items
    return f"{', '.join(first)} and {last}" if first else last
