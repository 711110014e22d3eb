"""Presets: settings that come with the package, as TOML files beside this module.

A preset holds partial settings: a segment map with the scoring it was written for, or the columns of a
well-known export. Its own `[preset]` table says what it is, and is no setting.
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
    """What a preset is.

    Attributes:
        name: What it is chosen by, as in `preset = "grid"`.
        title: What it is called.
        description: What it holds and when to choose it.
        kind: "segments" for a segment map, "source" for the columns of an export.
        signature: Column names that identify the export when a source has all of them. Empty for a segment
            map, and for an export that its columns can't tell.
    """

    name: str
    title: str
    description: str
    kind: Literal["segments", "source"]
    signature: tuple[str, ...]


@cache
def names() -> tuple[str, ...]:
    """List the presets by name, in alphabetical order."""
    files = resources.files(__name__).iterdir()
    return tuple(sorted(file.name.removesuffix(_SUFFIX) for file in files if file.name.endswith(_SUFFIX)))


def load(name: str) -> dict[str, Any]:
    """Read a preset as it stands in its file, with its `[preset]` table.

    Raises:
        ConfigurationError: There is no preset of that name.
    """
    return deepcopy(_read(name))


def info(name: str) -> Preset:
    """Tell what a preset is.

    Raises:
        ConfigurationError: There is no preset of that name.
    """
    settings = _read(name)
    about = settings["preset"]
    return Preset(
        name,
        about["title"],
        about["description"],
        "segments" if "segments" in settings else "source",
        tuple(about.get("signature", ())),
    )


def recognise(columns: Collection[str]) -> str | None:
    """The preset of the export that has these columns, the most particular one if several fit; or None."""
    fitting = [
        preset
        for name in names()
        if (preset := info(name)).signature and set(preset.signature) <= set(columns)
    ]
    return max(fitting, key=lambda preset: len(preset.signature)).name if fitting else None


def text(name: str) -> str:
    """A preset's file as it stands.

    Raises:
        ConfigurationError: There is no preset of that name.
    """
    _read(name)
    return _text(name)


@cache
def _read(name: str) -> dict[str, Any]:
    known = names()
    if name not in known:
        closest = difflib.get_close_matches(name.lower(), known, n=1)
        meant = f'did you mean "{closest[0]}"? ' if closest else ""
        raise ConfigurationError(
            f'There is no preset "{name}".', f"{meant}there are {', '.join(known[:-1])} and {known[-1]}."
        )
    return tomllib.loads(_text(name))


def _text(name: str) -> str:
    return resources.files(__name__).joinpath(name + _SUFFIX).read_text(encoding="utf-8")
