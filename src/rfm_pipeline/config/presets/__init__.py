"""Presets: partial settings that come with the package, as TOML files beside this module.

A preset is a segment map with the scoring for which it was written, or the columns of a well-known export.
Its table `[preset]` describes it and is no setting.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Collection
from copy import deepcopy
from functools import cache
from importlib import resources
from typing import Any, Literal

from msgspec import Struct

from rfm_pipeline.errors import ConfigurationError

_SUFFIX = ".toml"


class Preset(Struct, frozen=True):
    """Description of a preset.

    Attributes:
        name: Name that selects it, as in `preset = "grid"`.
        title: Display name.
        description: Content of the preset, and when to choose it.
        kind: "segments" for a segment map, "source" for the columns of an export.
        signature: Column names that identify the export: a source that has all of them is recognised. Empty
            for a segment map, and for an export without distinctive columns.
    """

    name: str
    title: str
    description: str
    kind: Literal["segments", "source"]
    signature: tuple[str, ...]


@cache
def names() -> tuple[str, ...]:
    """Return the names of all presets in alphabetical order."""
    files = resources.files(__name__).iterdir()
    return tuple(sorted(file.name.removesuffix(_SUFFIX) for file in files if file.name.endswith(_SUFFIX)))


def load_preset(name: str) -> dict[str, Any]:
    """Return the parsed file of a preset, including its `[preset]` table.

    Raises:
        ConfigurationError: If there is no preset of that name.
    """
    return deepcopy(_read(name))


def info(name: str) -> Preset:
    """Return the description of a preset.

    Raises:
        ConfigurationError: If there is no preset of that name.
    """
    settings = _read(name)
    table = settings["preset"]
    return Preset(
        name,
        table["title"],
        table["description"],
        "segments" if "segments" in settings else "source",
        tuple(table.get("signature", ())),
    )


def recognise(columns: Collection[str]) -> str | None:
    """Return the preset whose signature is in `columns`, the longest if several are; None if none is."""
    matches = [
        preset
        for name in names()
        if (preset := info(name)).signature and set(preset.signature) <= set(columns)
    ]
    return max(matches, key=lambda preset: len(preset.signature)).name if matches else None


def toml_text(name: str) -> str:
    """Return the unparsed text of a preset's file.

    Raises:
        ConfigurationError: If there is no preset of that name.
    """
    _read(name)
    return _text(name)


@cache
def _read(name: str) -> dict[str, Any]:
    existing = names()
    if name not in existing:
        closest = difflib.get_close_matches(name.lower(), existing, n=1)
        suggestion = f'did you mean "{closest[0]}"? ' if closest else ""
        raise ConfigurationError(
            f'There is no preset "{name}".',
            f"{suggestion}there are {', '.join(existing[:-1])} and {existing[-1]}.",
        )
    return tomllib.loads(_text(name))


def _text(name: str) -> str:
    return resources.files(__name__).joinpath(name + _SUFFIX).read_text(encoding="utf-8")
