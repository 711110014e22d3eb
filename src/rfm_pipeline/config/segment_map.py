"""Segment maps: ordered rules over the scores that assign exactly one segment to each score cell.

The first rule that covers a cell determines its segment. A `SegmentMap` can only be constructed if every cell
has a segment and every rule is the first match of at least one cell.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from functools import cached_property
from typing import Annotated, ClassVar

from msgspec import Meta, Struct

from rfm_pipeline.config.base import SettingsTable, strip_text
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
    def _segments_by_cell(self) -> dict[ScoreTriple, str]:
        return _assign_segments(self)

    @cached_property
    def segments(self) -> tuple[Segment, ...]:
        """Segments without repetition from best to worst, the fallback last.

        The best segment has the highest mean score over its cells, of which recency is one half; segments
        with equal means are in the order of their first rule. If several rules name a segment, its
        description and its action are the first that are not blank.
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

    def _mean_scores(self) -> dict[str, float]:
        """Return the mean of `2 r + f + m` over each segment's cells, in one unit; of the fallback -1."""
        r_top, f_top, m_top = (bins - 1 for bins in self.bins)
        scores: dict[str, list[int]] = {}
        for (r, f, m), segment in self.cells().items():
            # Scores as shares of the bins, times the product of all bins: integers, so that ties are ties.
            score = 2 * (r - 1) * f_top * m_top + (f - 1) * r_top * m_top + (m - 1) * r_top * f_top
            scores.setdefault(segment, []).append(score)
        means = {segment: sum(values) / len(values) for segment, values in scores.items()}
        return means if self.fallback is None else {**means, self.fallback: -1.0}

    @property
    def uses_m(self) -> bool:
        """Whether the segment of a cell depends on its monetary score."""
        return any(segment != self.segment_of(r, f, 1) for (r, f, _), segment in self.cells().items())

    def segment_of(self, r: int, f: int, m: int) -> str:
        """Return the name of a cell's segment.

        Raises:
            KeyError: If a score lies outside the bins.
        """
        return self._segments_by_cell[r, f, m]

    def cells(self) -> dict[ScoreTriple, str]:
        """Return the segment name of every cell, in ascending order of r, f and m."""
        return dict(self._segments_by_cell)


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


def _assign_segments(segment_map: SegmentMap) -> dict[ScoreTriple, str]:
    """Return the segment of each cell, or raise a SegmentMapError that lists all problems of the map."""
    rules, fallback, bins = segment_map.rules, segment_map.fallback, segment_map.bins
    scores_r, scores_f, scores_m = (range(1, count + 1) for count in bins)
    covering: dict[ScoreTriple, list[int]] = {
        cell: [number for number, rule in enumerate(rules) if rule.covers(*cell)]
        for cell in itertools.product(scores_r, scores_f, scores_m)
    }
    holes = [cell for cell, numbers in covering.items() if not numbers]
    winners = {numbers[0] for numbers in covering.values() if numbers}

    problems: list[str] = []
    hints: list[str] = []
    if holes and fallback is None:
        problems.append(f"no rule covers {_listing([cell_text(cell, bins) for cell in holes])}")
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


def _reason(covered_by: dict[ScoreTriple, int], segment_map: SegmentMap) -> str:
    """Explain why a rule is never reached, given the first rule that covers each of its cells."""
    if not covered_by:
        return "no cell meets all of its conditions"
    numbers = sorted(set(covered_by.values()))
    rules = [_where(number + 1, segment_map.rules[number].segment) for number in numbers]
    cells = _listing([cell_text(cell, segment_map.bins) for cell in covered_by])
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
