"""What is wrong with a configuration, in one sentence that names the setting and where it was given."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from itertools import takewhile
from pathlib import Path
from typing import Any

from msgspec import Struct

from rfm_pipeline.config.base import SettingPath, SettingsError, SettingsTable
from rfm_pipeline.errors import ConfigurationError

Layer = Mapping[str, Any]


class Layers(Struct, frozen=True):
    """What was configured, by where it was.

    Attributes:
        flags: What the command line gave, in the shape of the file.
        environment: The same of the `RFM_*` variables.
        file: The same of the configuration file.
        origin: The configuration file.
    """

    flags: Layer
    environment: Layer
    file: Layer
    origin: Path

    def place(self, location: SettingPath) -> str | None:
        """Where a person finds a setting to mend it: a flag, a variable, or a name in the file."""
        names = _names(location)
        if not names:
            return None
        layers = (self.flags, self.environment, self.file)
        shorter = [_found(layer, names[:-1]) for layer in layers]
        if all(_found(layer, names) is None for layer in layers) and any(map(_is_short, shorter)):
            # A table was given in a shorter form, and what is wrong stands nowhere by itself.
            names = names[:-1]
        given = _found(self.flags, names)
        if given is not None and names[0] == "exclude":
            # An exclusion's own name is part of what its flag is given.
            return "--exclude"
        if isinstance(given, str | int | list):
            return f"--{names[-1].replace('_', '-')}"
        if _found(self.environment, names) is not None:
            return f"RFM_{'__'.join(names).upper()}"
        if _found(self.file, names) is not None:
            return f"`{'.'.join(names)}` in {self.origin}"
        return f"`{'.'.join(names)}`"


def to_configuration_error(error: SettingsError, layers: Layers) -> ConfigurationError:
    """What is wrong with the settings that were made of some layers."""
    location = error.location
    place = layers.place(location)
    if error.known:
        return _unknown(location, error.known, layers)
    if error.sentence:
        message = error.sentence.rstrip(".")
        return ConfigurationError(
            f"{message[0].upper()}{message[1:]}.", f"look at {place}." if place else None
        )
    if error.expected:
        shown = "a table" if isinstance(error.value, Mapping | SettingsTable) else _shown(error.value)
        return ConfigurationError(
            f"{_written(location)} is {shown}, and must be {error.expected}.", f"look at {place}."
        )
    return ConfigurationError(
        f"{_written(location)} is missing in {layers.origin}.",
        "`rfm init` writes a file with every setting, `rfm presets classic --toml` a segment map.",
    )


def _unknown(location: SettingPath, known: Sequence[str], layers: Layers) -> ConfigurationError:
    close = difflib.get_close_matches(str(location[-1]), known, n=1)
    names = _names(location)
    if _found(layers.environment, names) is not None:
        prefix = "".join(f"{name}__" for name in names[:-1])
        meant = f"did you mean {f'RFM_{prefix}{close[0]}'.upper()}?" if close else None
        message = f"The environment variable {f'RFM_{prefix}{names[-1]}'.upper()} names no setting."
    else:
        meant = f"did you mean `{close[0]}`?" if close else None
        written = _written(location).removeprefix("The setting ")
        message = f"{layers.origin} has {written}, which is no setting."
    return ConfigurationError(message, meant or f"what there is: {', '.join(known)}.")


def _written(location: SettingPath) -> str:
    """A location as a sentence begins: The setting `scoring.bins`, Number 2 of `scoring.recency.edges`."""
    names = _names(location)
    setting = f"`{'.'.join(names)}`"
    rest = location[len(names) :]
    if not rest:
        return f"The setting {setting}"
    inside = f"The setting `{'.'.join(map(str, rest[1:]))}` in number" if rest[1:] else "Number"
    return f"{inside} {int(rest[0]) + 1} of {setting}"


def _names(location: SettingPath) -> list[str]:
    """The names of a location, from the table inwards, up to a place in a list."""
    return [str(part) for part in takewhile(lambda part: isinstance(part, str), location)]


def _shown(value: object) -> str:
    """A value as the file has it."""
    return str(value).lower() if isinstance(value, bool) else repr(value)


def _is_short(value: object) -> bool:
    return value is not None and not isinstance(value, Mapping)


def _found(layer: Layer, names: Sequence[str]) -> Any:
    value: Any = layer
    for name in names:
        if not isinstance(value, Mapping) or name not in value:
            return None
        value = value[name]
    return value
