"""Presets on the terminal: a list, and a segment map as a grid."""

from __future__ import annotations

import re
from typing import Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from rfm_pipeline.cli.render.run_result import console
from rfm_pipeline.config import presets
from rfm_pipeline.config.loader import Configuration
from rfm_pipeline.config.segment_map import SegmentMap

_COLOURS = ("green", "cyan", "blue", "magenta", "yellow", "red", "bright_green", "bright_cyan", "bright_blue",
            "bright_magenta", "bright_yellow", "bright_red")  # fmt: skip


def segment_map(name: str) -> SegmentMap:
    """The proved map of a preset."""
    settings = Configuration(flags={"preset": [name]}).settings()
    return SegmentMap.from_config(settings.segments, settings.scoring.bins_by_dimension)


def described(name: str) -> dict[str, Any]:
    """A preset as plain values, for `--json`."""
    about = presets.info(name)
    described: dict[str, Any] = {
        "kind": about.kind,
        "title": about.title,
        "description": about.description,
    }
    if about.kind == "segments":
        proved = segment_map(name)
        described["bins"] = list(proved.bins)
        described["segments"] = [
            {"segment": segment.name, "description": segment.description, "action": segment.action}
            for segment in proved.segments
        ]
    else:
        loaded = presets.load(name)
        described |= {key: value for key, value in loaded.items() if key != "preset"}
    return described


def settings_text(name: str) -> str:
    """A preset's file as a configuration file: without the table that tells what the preset is."""
    above, _, below = presets.text(name).partition("[preset]\n")
    return above + below[re.search(r"^\[|\Z", below, re.MULTILINE).start() :]  # type: ignore[union-attr]


def print_list() -> None:
    """Every preset, a line each."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for kind, heading in (("segments", "Segment maps"), ("source", "Well-known exports")):
        table.add_row(Text(heading, style="dim"), "")
        for name in presets.names():
            about = presets.info(name)
            if about.kind == kind:
                table.add_row(f"  {name}", about.title)
    console().print(table)
    console().print("\nShow one with `rfm presets NAME`; use one with `--preset NAME`.", style="dim")


def print_preset(name: str) -> None:
    """One preset: its map as a grid with its segments, or its columns and exclusions."""
    about = presets.info(name)
    out = console()
    out.print(Group(Text(about.title, style="bold"), Text(about.description), Text()))
    if about.kind == "segments":
        proved = segment_map(name)
        out.print(Group(_grid(proved), Text(), _segments(proved)))
    else:
        # As it is written: a line of TOML that is broken in two is none.
        out.print(Text(settings_text(name).rstrip()), soft_wrap=True)


def _colours(proved: SegmentMap) -> dict[str, str]:
    return {segment.name: _COLOURS[i % len(_COLOURS)] for i, segment in enumerate(proved.segments)}


def _grid(proved: SegmentMap) -> Table:
    """Recency down, frequency across; a cell whose segment depends on monetary names each."""
    colours, cells = _colours(proved), proved.cells()
    recency, frequency, monetary = proved.bins
    table = Table(show_lines=True, title_justify="left", padding=(0, 1))
    table.add_column("", style="dim", no_wrap=True)
    for f in range(1, frequency + 1):
        table.add_column(f"f {f}", overflow="fold")
    for r in range(recency, 0, -1):
        row: list[Text | str] = [f"r {r}"]
        row += [
            _cell([cells[r, f, m] for m in range(1, monetary + 1)], colours) for f in range(1, frequency + 1)
        ]
        table.add_row(*row)
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


def _segments(proved: SegmentMap) -> Table:
    colours = _colours(proved)
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for segment in proved.segments:
        told = Text(segment.description)
        told.append(f" {segment.action}", style="dim")
        table.add_row(Text(segment.name, style=colours[segment.name]), told)
    return table
