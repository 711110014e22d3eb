"""Output of `rfm presets`: the list, a segment map as a grid or as its rules, and JSON."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from rfm_pipeline.cli.render.run_result import console
from rfm_pipeline.config import presets
from rfm_pipeline.config.loader import Configuration
from rfm_pipeline.config.segment_map import SegmentMap, cell_text
from rfm_pipeline.results.descriptions import describe_edges
from rfm_pipeline.results.statistics import DimensionScores

_COLOURS = ("green", "cyan", "blue", "magenta", "yellow", "red", "bright_green", "bright_cyan", "bright_blue",
            "bright_magenta", "bright_yellow", "bright_red")  # fmt: skip

# A list of alternative columns in the preset of an export; a configuration file names one column.
_ALTERNATIVES = re.compile(r"""^(\w+ = \{ column = |\w+ = )\[("[^"]*")(?:, "[^"]*")+\]""", re.MULTILINE)

# The table that describes a preset, with its subtables.
_DESCRIPTION = re.compile(r"^\[preset[.\]].*?(?=^\[(?!preset[.\]])|\Z)", re.MULTILINE | re.DOTALL)


def segment_map(name: str) -> SegmentMap:
    """Return the validated segment map of a preset."""
    settings = Configuration(flags={"preset": [name]}).settings
    return SegmentMap.from_config(settings.segments, settings.scoring.bins_by_dimension)


def preset_json(name: str) -> dict[str, Any]:
    """Return a preset as plain values, for `--json`."""
    info = presets.info(name)
    values: dict[str, Any] = {"kind": info.kind, "title": info.title, "description": info.description}
    if info.kind == "segments":
        validated = segment_map(name)
        values["bins"] = list(validated.bins)
        values["notes"] = list(info.notes)
        values["segments"] = [
            {"segment": segment.name, "description": segment.description, "action": segment.action}
            for segment in validated.segments
        ]
    else:
        values |= {key: value for key, value in presets.load_preset(name).items() if key != "preset"}
    return values


def preset_settings(name: str) -> str:
    """Return a preset's TOML without its table `[preset]`, as the text of a configuration file."""
    above, below = _DESCRIPTION.split(presets.toml_text(name))
    return above + (below if presets.info(name).kind == "segments" else _ALTERNATIVES.sub(r"\1\2", below))


def print_list() -> None:
    """Print the names and titles of all presets, by kind."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for kind, heading in (("segments", "Segment maps"), ("source", "Export formats")):
        table.add_row(Text(heading, style="dim"), "")
        for name in presets.names():
            info = presets.info(name)
            if info.kind == kind:
                table.add_row(f"  {name}", info.title)
    console().print(table)
    console().print("\nShow one with `rfm presets NAME`; use one with `--preset NAME`.", style="dim")


def print_preset(name: str) -> None:
    """Print one preset: its segment map with notes, or its settings as TOML."""
    info = presets.info(name)
    out = console()
    out.print(Group(Text(info.title, style="bold"), Text(info.description), Text()))
    if info.kind == "segments":
        validated = segment_map(name)
        shown = _rules(validated) if validated.uses_days else _grid(validated, _fixed_ranges(name))
        notes = [Text(f"\n{note}") for note in info.notes]
        out.print(Group(shown, Text(), _segments(validated), *notes))
    else:
        # Without wrapping, which would break the TOML.
        out.print(Text(preset_settings(name).rstrip()), soft_wrap=True)


def _colours(validated: SegmentMap) -> dict[str, str]:
    return {segment.name: _COLOURS[i % len(_COLOURS)] for i, segment in enumerate(validated.segments)}


def _fixed_ranges(name: str) -> dict[str, dict[int, str]]:
    """Return the range of values of each score, for the dimensions that a preset scores by fixed edges."""
    dimensions = Configuration(flags={"preset": [name]}).settings.scoring.dimensions
    return {
        one.name: dict(describe_edges(DimensionScores(one.name, one.method, one.edges, (0,) * one.bins)))
        for one in dimensions
        if one.method == "fixed"
    }


def _grid(validated: SegmentMap, ranges: Mapping[str, Mapping[int, str]]) -> Table:
    """Return a grid of recency (rows) by frequency; cells list segments by monetary score if these differ.

    Args:
        validated: The segment map.
        ranges: Range of values of each score, by dimension, where it is fixed.
    """
    colours, cells = _colours(validated), validated.cells()
    recency, frequency, monetary = validated.bins
    table = Table(show_lines=True, title_justify="left", padding=(0, 1))
    table.add_column("", style="dim", no_wrap=True)
    for f in range(1, frequency + 1):
        table.add_column(_with_range(f"f {f}", ranges.get("frequency", {}).get(f)), overflow="fold")
    for r in range(recency, 0, -1):
        row: list[Text | str] = [_with_range(f"r {r}", ranges.get("recency", {}).get(r))]
        row += [
            _cell([cells[r, f, m] for m in range(1, monetary + 1)], colours) for f in range(1, frequency + 1)
        ]
        table.add_row(*row)
    return table


def _with_range(score: str, values: str | None) -> str:
    return f"{score}\n{values}" if values else score


def _rules(validated: SegmentMap) -> Table:
    """Return the rules in their order; the first one that matches a customer names the segment."""
    colours = _colours(validated)
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for heading in ("Rule", "Segment", "Conditions"):
        table.add_column(heading, overflow="fold")
    for number, rule in enumerate(validated.rules, start=1):
        conditions = rule.conditions()
        conditions += [cell_text(cell, validated.bins) for cell in sorted(rule.cells or ())]
        name = Text(rule.segment, style=colours[rule.segment])
        table.add_row(Text(str(number)), name, Text(", ".join(conditions)))
    if validated.fallback is not None:
        table.add_row("", Text(validated.fallback, style=colours[validated.fallback]), "all others")
    return table


def _cell(by_monetary: list[str], colours: dict[str, str]) -> Text:
    names = list(dict.fromkeys(reversed(by_monetary)))
    if len(names) == 1:
        return Text(names[0], style=colours[names[0]])
    text = Text()
    for position, name in enumerate(names):
        scores = [m for m, segment in enumerate(by_monetary, start=1) if segment == name]
        text.append("\n" if position else "")
        text.append(f"m {_span(scores)} ", style="dim")
        text.append(name, style=colours[name])
    return text


def _span(scores: list[int]) -> str:
    consecutive = scores == list(range(scores[0], scores[-1] + 1))
    if consecutive and len(scores) > 1:
        return f"{scores[0]}-{scores[-1]}"
    return ",".join(map(str, scores))


def _segments(validated: SegmentMap) -> Table:
    colours = _colours(validated)
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for segment in validated.segments:
        description = Text(segment.description)
        description.append(f" {segment.action}", style="dim")
        table.add_row(Text(segment.name, style=colours[segment.name]), description)
    return table
