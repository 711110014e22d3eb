"""Presets: partial settings that come with the package, as TOML files beside this module.

A preset is a segment map with the scoring for which it was written, or the columns and rules of a well-known
export (folder `exports`). Its table `[preset]` describes it and is no setting.

An export differs from shop to shop: apps, versions and options add, leave out and rename columns. Where the
preset of an export names a column, it may therefore name a list: the first column that the source has counts.
A rule of `[skip]` or `[exclude]` whose column the source lacks does not apply.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Collection, Iterator, Mapping
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any, Literal

from msgspec import Struct

from rfm_pipeline.config.column_mapping import normalize_name
from rfm_pipeline.errors import ConfigurationError

_SUFFIX = ".toml"
_SIGNATURES = r"(?m)^signatures = \[((?:\s*\[[^\]]*\],?)+)\s*\]"
_SIGNATURE, _COLUMN = r"\[([^\]]*)\]", r'"([^"]*)"'


class Question(Struct, frozen=True):
    """What a user must answer before an export can be read.

    Attributes:
        role: Role whose column the user has to choose.
        id: Id of the question in `config/questions.toml`, which has its texts.
    """

    role: str
    id: str


class Preset(Struct, frozen=True):
    """Description of a preset.

    Attributes:
        name: Name that selects it, as in `preset = "grid"`.
        title: Display name.
        description: Content of the preset, and when to choose it.
        kind: "segments" for a segment map, "source" for the columns of an export.
        signatures: Sets of column names that identify the export: a source that has all names of one set is
            recognised; case, spaces and punctuation do not matter. Empty for a segment map.
        notes: Facts about the export that its user should know, one phrase each; of a segment map, where its
            names mislead and where it differs from its original, a paragraph each.
        question: Role that the export has no usable column for, and the question about it; None for most
            exports.
    """

    name: str
    title: str
    description: str
    kind: Literal["segments", "source"]
    signatures: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()
    question: Question | None = None


@cache
def names() -> tuple[str, ...]:
    """Return the names of all presets in alphabetical order."""
    return tuple(sorted(_files()))


def load_preset(name: str, columns: Collection[str] | None = None) -> dict[str, Any]:
    """Return the parsed file of a preset, including its `[preset]` table.

    Args:
        name: Name of the preset.
        columns: Column names of the source, which decide between alternative columns of an export; None to
            take the first alternative.

    Raises:
        ConfigurationError: If there is no preset of that name.
    """
    settings = deepcopy(_read(name))
    spellings = None if columns is None else {normalize_name(column): column for column in columns}
    roles = {role: _existing(names, spellings) for role, names in settings.get("columns", {}).items()}
    if roles:
        settings["columns"] = {role: column for role, column in roles.items() if column is not None}
    for table in ("skip", "exclude"):
        for reason, condition in settings.pop(table, {}).items():
            if (column := _existing(condition["column"], spellings)) is not None:
                settings.setdefault(table, {})[reason] = {**condition, "column": column}
    return settings


def _existing(names: str | list[str], spellings: Mapping[str, str] | None) -> str | None:
    """Return the first of alternative columns that the source has, as the source spells it; None if none."""
    alternatives = [names] if isinstance(names, str) else names
    if spellings is None:
        return alternatives[0]
    # The field of a nested column has a dot in its name; the source lists it in the same form.
    return next((spellings[key] for name in alternatives if (key := normalize_name(name)) in spellings), None)


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
        tuple(map(tuple, table.get("signatures", ()))),
        tuple(table.get("notes", ())),
        Question(**table["question"]) if "question" in table else None,
    )


def recognise(columns: Collection[str]) -> str | None:
    """Return the export whose signature is in `columns`, the longest if several are; None if none is."""
    normalized = {normalize_name(column) for column in columns}
    matches = [
        (len(signature), name)
        for name in names()
        for signature in _signatures(name)
        if {normalize_name(column) for column in signature} <= normalized
    ]
    return max(matches)[1] if matches else None


def _signatures(name: str) -> Iterator[list[str]]:
    """Yield the signatures of a preset from its text; parsing all files takes several times as long."""
    if match := re.search(_SIGNATURES, _text(name)):
        for columns in re.findall(_SIGNATURE, match[1]):
            yield re.findall(_COLUMN, columns)


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
            f"{suggestion}`rfm presets` lists them.",
        )
    return tomllib.loads(_text(name))


def _text(name: str) -> str:
    return _files()[name].read_text(encoding="utf-8")


@cache
def _files() -> Mapping[str, Path]:
    """Return the file of each preset."""
    folder = Path(__file__).parent
    return {
        file.name.removesuffix(_SUFFIX): file
        for files in (folder.iterdir(), folder.joinpath("exports").iterdir())
        for file in files
        if file.name.endswith(_SUFFIX)
    }
