"""Segment maps: ordered rules over the scores, proved to give each score cell exactly one segment.

The first rule that covers a cell names its segment. A map exists only if every cell has a segment and every
rule has a cell of its own.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from functools import cached_property
from typing import Annotated, ClassVar

from msgspec import Meta, Struct

from rfm_pipeline.config.base import SettingsTable, stripped
from rfm_pipeline.config.segment_rules import (
    Bins,
    Cell,
    Range,
    Rule,
    RuleConfig,
    frequency_monetary,
    highest_scores,
    rule_of,
)
from rfm_pipeline.errors import ConfigurationError, SegmentMapError

__all__ = [
    "Bins",
    "Cell",
    "Dimension",
    "Range",
    "Rule",
    "RuleConfig",
    "Segment",
    "SegmentMap",
    "SegmentsConfig",
    "cell_text",
    "frequency_monetary",
]


class SegmentsConfig(SettingsTable, frozen=True, kw_only=True):
    """The `[segments]` table of a configuration file: a segment map that is not proved yet.

    Attributes:
        name: What the map is called in messages and reports.
        description: What the map is for, in one line.
        rules: The rules in their order: the first that covers a cell wins.
        fallback: The segment of the cells that no rule covers. None where the rules are to cover every cell.
        fallback_description: Who is in the fallback segment, in one line.
        fallback_action: What to do with them, in one line.
    """

    FORMS: ClassVar = {"name": stripped, "fallback": stripped}

    name: str = "custom"
    description: str = ""
    rules: Annotated[tuple[RuleConfig, ...], Meta(min_length=1)]
    fallback: str | None = None
    fallback_description: str = ""
    fallback_action: str = ""


class Segment(Struct, frozen=True):
    """A named group of customers, with a one-line description and a recommended action."""

    name: str
    description: str = ""
    action: str = ""


class SegmentMap(Struct, frozen=True, dict=True):
    """A segment map that has been proved: each cell has exactly one segment, and no rule is dead.

    To construct one is to prove it, so there is no other kind. `prove` makes it from a configuration.

    Attributes:
        name: What the map is called.
        rules: The rules in their order: the first that covers a cell wins.
        fallback: The segment of the cells that no rule covers. None where the rules cover every cell.
        bins: The number of bins of recency, frequency and monetary value.
        description: What the map is for, in one line.
        fallback_description: Who is in the fallback segment, in one line.
        fallback_action: What to do with them, in one line.

    Raises:
        ConfigurationError: A segment's name is blank, or spelt in two ways.
        SegmentMapError: The map has holes, dead rules, a dead fallback, or scores above the bins. The error
            names them all.
    """

    name: str
    rules: tuple[Rule, ...]
    fallback: str | None
    bins: Bins
    description: str = ""
    fallback_description: str = ""
    fallback_action: str = ""

    def __post_init__(self) -> None:
        _check_names(self)
        self.cells()  # which is the proof

    @classmethod
    def from_config(cls, config: SegmentsConfig, bins: Bins) -> SegmentMap:
        """Read a configured map, and prove it on all cells.

        Args:
            config: The map as configured.
            bins: The number of bins of recency, frequency and monetary value.

        Returns:
            The map, proved.

        Raises:
            ConfigurationError: A rule has no condition, or one that is no range of scores; a segment's name
                is blank, or spelt in two ways.
            SegmentMapError: The map has holes, dead rules, a dead fallback, or scores above the bins.
        """
        rules = tuple(rule_of(number, rule, bins) for number, rule in enumerate(config.rules, start=1))
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
    def _segments_by_cell(self) -> dict[Cell, str]:
        return _proof(self)

    @property
    def segments(self) -> tuple[Segment, ...]:
        """The segments, each once, in the order of their first rule, the fallback last.

        Where several rules name a segment, its description and its action are the first that are not blank.
        """
        named = [Segment(rule.segment, rule.description, rule.action) for rule in self.rules]
        if self.fallback is not None:
            named.append(Segment(self.fallback, self.fallback_description, self.fallback_action))
        found: dict[str, Segment] = {}
        for segment in named:
            before = found.get(segment.name, segment)
            found[segment.name] = Segment(
                segment.name, before.description or segment.description, before.action or segment.action
            )
        return tuple(found.values())

    @property
    def uses_m(self) -> bool:
        """Whether the monetary score can change a customer's segment."""
        return any(segment != self.segment_of(r, f, 1) for (r, f, _), segment in self.cells().items())

    def segment_of(self, r: int, f: int, m: int) -> str:
        """Name the segment of a cell.

        Raises:
            KeyError: A score lies outside the bins.
        """
        return self._segments_by_cell[r, f, m]

    def cells(self) -> dict[Cell, str]:
        """Name the segment of every cell, in ascending order of r, f and m."""
        return dict(self._segments_by_cell)


def cell_text(cell: Cell, bins: Bins) -> str:
    """Write a cell as `rfm_score` has it.

    >>> cell_text((4, 4, 1), (4, 4, 4)), cell_text((4, 4, 1), (10, 10, 10))
    ('441', '4-4-1')
    """
    return ("-" if max(bins) >= 10 else "").join(map(str, cell))


def _check_names(segment_map: SegmentMap) -> None:
    names = [(f"Rule {number}", rule.segment) for number, rule in enumerate(segment_map.rules, start=1)]
    if segment_map.fallback is not None:
        names.append(("The fallback", segment_map.fallback))
    spelling: dict[str, str] = {}
    for where, name in names:
        if not name.strip() or not name.isprintable():
            raise ConfigurationError(
                f"{where} has the segment name {json.dumps(name)}; expected printable text on one line.",
                'name the segment, as in segment = "Champions".',
            )
        before = spelling.setdefault(" ".join(name.split()).casefold(), name)
        if before != name:
            raise ConfigurationError(
                f'The segment names "{before}" and "{name}" differ in nothing but case or spaces.',
                "spell a segment's name the same way in each of its rules, or choose another name.",
            )


def _proof(segment_map: SegmentMap) -> dict[Cell, str]:
    """Give each cell its segment, or raise an error that names everything that is wrong with the map."""
    rules, fallback, bins = segment_map.rules, segment_map.fallback, segment_map.bins
    scores_r, scores_f, scores_m = (range(1, count + 1) for count in bins)
    covering: dict[Cell, list[int]] = {
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
        if above := _above(rule, bins):
            problems.append(f"{where} asks for {above}")
            hints.append("set the bins under [scoring] that the map was written for, or lower the scores")
        elif number not in winners:
            taken = {cell: numbers[0] for cell, numbers in covering.items() if number in numbers}
            problems.append(f"{where} is never reached, because {_reason(taken, segment_map)}")
            hints.append("move a dead rule above the rules that take its cells, narrow those, or delete it")
    if fallback is not None and not holes:
        problems.append(f'the fallback "{fallback}" is never reached, because the rules cover every cell')
        hints.append("delete the fallback")
    if problems:
        if maps := _maps_for(segment_map):
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


def _maps_for(segment_map: SegmentMap) -> list[str]:
    """The presets for its bins, where it is a preset that was written for others."""
    from rfm_pipeline.config import presets

    if segment_map.name not in presets.names() or len(set(segment_map.bins)) > 1:
        return []
    maps = {name: presets.load(name) for name in presets.names()}
    return [
        name
        for name, preset in maps.items()
        if "segments" in preset
        and name != segment_map.name
        and preset["scoring"]["bins"] == segment_map.bins[0]
    ]


def _above(rule: Rule, bins: Bins) -> str:
    """Say which of a rule's scores lie above the bins; nothing if none does."""
    highest = highest_scores(bins)
    found = [
        f"{dimension} = {scores} ({dimension} ends at {highest[dimension]})"
        for dimension, scores in rule.ranges
        if scores.high > highest[dimension]
    ]
    cells = [
        cell for cell in sorted(rule.cells or ()) if any(s > top for s, top in zip(cell, bins, strict=True))
    ]
    if cells:
        reach: Bins = (max(c[0] for c in cells), max(c[1] for c in cells), max(c[2] for c in cells))
        texts = [cell_text(cell, reach) for cell in cells]
        found.append(f"{_listing(texts)} (the last cell is {cell_text(bins, bins)})")
    return " and ".join(found)


def _reason(taken: dict[Cell, int], segment_map: SegmentMap) -> str:
    if not taken:
        return "no cell meets all of its conditions"
    takers = [_where(number + 1, segment_map.rules[number].segment) for number in sorted(set(taken.values()))]
    cells = _listing([cell_text(cell, segment_map.bins) for cell in taken])
    return f"{_listing(takers)} {'takes' if len(takers) == 1 else 'take'} {cells}"


def _where(number: int, segment: str) -> str:
    return f"rule {number} ({segment})"


def _listing(items: Sequence[str], longest: int = 8) -> str:
    """Join items as prose, the first eight of them where there are more.

    >>> _listing(["411", "412", "413"]), _listing(["411", "412", "413"], longest=2)
    ('411, 412 and 413', '411, 412 and 1 more')
    """
    if len(items) > longest:
        return f"{', '.join(items[:longest])} and {len(items) - longest} more"
    *first, last = items
    return f"{', '.join(first)} and {last}" if first else last
