"""Error messages about invalid settings; they name the setting and the flag, variable or file that set it."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from itertools import takewhile
from pathlib import Path
from typing import Any

from msgspec import Struct

from rfm_pipeline.common.formatting import capitalize_first
from rfm_pipeline.config.base import SettingPath, SettingsError, SettingsTable
from rfm_pipeline.errors import ConfigurationError

Layer = Mapping[str, Any]

_FLAGS: Mapping[tuple[str, ...], str] = {
    ("currency", "code"): "--currency",
    ("currency", "column"): "--currency-column",
    ("status", "column"): "--status-column",
}
"""Flags that are not named like their setting."""


class Layers(Struct, frozen=True):
    """Settings by layer, as nested dicts in the structure of `rfm.toml`.

    Attributes:
        flags: Settings of the command line.
        environment: Settings of the `RFM_*` variables.
        file: Settings of the configuration file.
        origin: Path of the configuration file.
    """

    flags: Layer
    environment: Layer
    file: Layer
    origin: Path

    def describe_origin(self, location: SettingPath) -> str | None:
        """Return where the user can change a setting: a flag, a variable, or a name in the file.

        None if `location` has no name, that is, if the whole configuration is meant.
        """
        names = _names(location)
        if not names:
            return None
        layers = (self.flags, self.environment, self.file)
        tables = [_value_at(layer, names[:-1]) for layer in layers]
        if all(_value_at(layer, names) is None for layer in layers) and any(map(_is_short_form, tables)):
            # The table was written in its short form, in which the invalid setting has no name.
            names = names[:-1]
        flag_value = _value_at(self.flags, names)
        if flag_value is not None and names[0] == "exclude":
            # The flag's value contains the name of the exclusion: --exclude NAME=CONDITION.
            return "--exclude"
        if isinstance(flag_value, str | int | list):
            return _FLAGS.get(tuple(names), f"--{names[-1].replace('_', '-')}")
        if _value_at(self.environment, names) is not None:
            return f"RFM_{'__'.join(names).upper()}"
        if _value_at(self.file, names) is not None:
            return f"`{'.'.join(names)}` in {self.origin}"
        return f"`{'.'.join(names)}`"


def to_configuration_error(error: SettingsError, layers: Layers) -> ConfigurationError:
    """Return the error for the user, with a hint that names the layer of the invalid setting."""
    location = error.location
    origin = layers.describe_origin(location)
    if error.known:
        return _unknown_setting(location, error.known, layers)
    if error.sentence:
        message = capitalize_first(error.sentence.rstrip("."))
        return ConfigurationError(f"{message}.", f"look at {origin}." if origin else None)
    if error.expected:
        shown = "a table" if isinstance(error.value, Mapping | SettingsTable) else _as_toml(error.value)
        return ConfigurationError(
            f"{_describe(location)} is {shown}, and must be {error.expected}.", f"look at {origin}."
        )
    return ConfigurationError(
        f"{_describe(location)} is missing in {layers.origin}.",
        "`rfm init` writes a file with every setting, `rfm presets classic --toml` a segment map.",
    )


def _unknown_setting(location: SettingPath, known: Sequence[str], layers: Layers) -> ConfigurationError:
    close = difflib.get_close_matches(str(location[-1]), known, n=1)
    names = _names(location)
    if _value_at(layers.environment, names) is not None:
        prefix = "".join(f"{name}__" for name in names[:-1])
        hint = f"did you mean {f'RFM_{prefix}{close[0]}'.upper()}?" if close else None
        message = f"The environment variable {f'RFM_{prefix}{names[-1]}'.upper()} names no setting."
    else:
        hint = f"did you mean `{close[0]}`?" if close else None
        setting = _describe(location).removeprefix("The setting ")
        message = f"{layers.origin} has {setting}, which is no setting."
    return ConfigurationError(message, hint or f"settings: {', '.join(known)}.")


def _describe(location: SettingPath) -> str:
    """Return a location as the subject of a sentence.

    >>> _describe(("scoring", "bins")), _describe(("scoring", "recency", "edges", 1))
    ('The setting `scoring.bins`', 'Number 2 of `scoring.recency.edges`')
    """
    names = _names(location)
    setting = f"`{'.'.join(names)}`"
    rest = location[len(names) :]
    if not rest:
        return f"The setting {setting}"
    inside = f"The setting `{'.'.join(map(str, rest[1:]))}` in number" if rest[1:] else "Number"
    return f"{inside} {int(rest[0]) + 1} of {setting}"


def _names(location: SettingPath) -> list[str]:
    """Return the names of a location up to its first index."""
    return [str(part) for part in takewhile(lambda part: isinstance(part, str), location)]


def _as_toml(value: object) -> str:
    """Return a value as TOML writes it."""
    return str(value).lower() if isinstance(value, bool) else repr(value)


def _is_short_form(value: object) -> bool:
    """Return whether a table was written as a single value, such as `excluded_share = "off"`."""
    return value is not None and not isinstance(value, Mapping)


def _value_at(layer: Layer, names: Sequence[str]) -> Any:
    """Return the value of a setting in a layer; None if the layer does not set it."""
    value: Any = layer
    for name in names:
        if not isinstance(value, Mapping) or name not in value:
            return None
        value = value[name]
    return value
