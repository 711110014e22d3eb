"""What is wrong with a configuration, in one sentence that names the setting and where it was given."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from rfm_pipeline.errors import ConfigurationError

Layer = Mapping[str, Any]

# What pydantic found wrong, by its own name for it, and what was expected.
_EXPECTED: Mapping[str, str] = {
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "decimal_type": "a number",
    "decimal_parsing": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "string_type": "text",
    "path_type": "a path",
    "model_type": "a table",
    "dict_type": "a table",
    "tuple_type": "a list",
    "too_short": "a list with something in it",
    "string_too_long": "one character",
    "string_too_short": "one character",
}
# How it says that a number is out of bounds: its name of the bound, and ours.
_BOUNDS: Mapping[str, str] = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below"}


@dataclass(frozen=True, slots=True)
class Layers:
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

    def place(self, location: Sequence[str | int]) -> str | None:
        """Where a person finds a setting to mend it: a flag, a variable, or a name in the file."""
        names = _names(location)
        if not names:
            return None
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


def explained(error: ValidationError, settings: type[BaseModel], layers: Layers) -> ConfigurationError:
    """The first thing that is wrong.

    Args:
        error: What pydantic objects to.
        settings: What it was to build.
        layers: What it was to build it from.
    """
    problems = [
        {**problem, "loc": tuple(_without_branches(problem["loc"]))} for problem in _of_one_branch(error)
    ]
    # A name that is misspelt is also one that is missing: the first tells more.
    problem = min(problems, key=lambda problem: problem["type"] != "extra_forbidden")
    location = problem["loc"]
    place = layers.place(location)
    if problem["type"] == "extra_forbidden":
        return _unknown(location, settings, layers)
    if problem["type"] == "missing":
        return ConfigurationError(
            f"{_written(location)} is missing in {layers.origin}.",
            "`rfm init` writes a file with every setting, `rfm presets classic --toml` a segment map.",
        )
    if cause := problem.get("ctx", {}).get("error"):
        message = str(cause).rstrip(".")
        return ConfigurationError(
            f"{message[0].upper()}{message[1:]}.", f"look at {place}." if place else None
        )
    wanted = dict.fromkeys(_expected(other) for other in problems if other["loc"] == location)
    value = problem["input"]
    shown = "a table" if isinstance(value, dict | BaseModel) else _shown(value)
    return ConfigurationError(
        f"{_written(location)} is {shown}, and must be {' or '.join(wanted)}.", f"look at {place}."
    )


def _unknown(location: Sequence[str | int], settings: type[BaseModel], layers: Layers) -> ConfigurationError:
    known = _known_names(settings, location[:-1])
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


def _expected(problem: Mapping[str, Any]) -> str:
    context = problem.get("ctx", {})
    if known := _EXPECTED.get(problem["type"]):
        return known
    if "expected" in context:
        return str(context["expected"])
    bounds = [f"{words} {context[bound]:,}" for bound, words in _BOUNDS.items() if bound in context]
    return bounds[0] if bounds else f"another: {problem['msg'][0].lower()}{problem['msg'][1:]}"


def _of_one_branch(error: ValidationError) -> list[dict[str, Any]]:
    """The problems of the setting that comes first; of a value that may be text or a table, as what it is."""
    problems: list[dict[str, Any]] = [dict(problem) for problem in error.errors(include_url=False)]
    first = problems[0]
    if first["loc"][-1:] == ("str",) and isinstance(first["input"], Mapping):
        setting = first["loc"][:-1]
        of_table = [other for other in problems[1:] if other["loc"][: len(setting)] == setting]
        return of_table or problems
    return problems


def _without_branches(location: Sequence[str | int]) -> Iterator[str | int]:
    """A location without the names that pydantic gives to the branches of a union."""
    return (part for part in location if not re.fullmatch(r"str|int|(.+\[.*)?ColumnCondition\]?", str(part)))


def _written(location: Sequence[str | int]) -> str:
    """A location as a sentence begins: The setting `scoring.bins`, Number 2 of `scoring.recency.edges`."""
    names = _names(location)
    setting = f"`{'.'.join(names)}`"
    rest = location[len(names) :]
    if not rest:
        return f"The setting {setting}"
    inside = f"The setting `{'.'.join(map(str, rest[1:]))}` in number" if rest[1:] else "Number"
    return f"{inside} {int(rest[0]) + 1} of {setting}"


def _names(location: Sequence[str | int]) -> list[str]:
    """The names of a location, from the table inwards, up to a place in a list."""
    return [str(part) for part in takewhile(lambda part: isinstance(part, str), location)]


def _shown(value: object) -> str:
    """A value as the file has it."""
    return str(value).lower() if isinstance(value, bool) else repr(value)


def _found(layer: Layer, names: Sequence[str]) -> Any:
    value: Any = layer
    for name in names:
        if not isinstance(value, Mapping) or name not in value:
            return None
        value = value[name]
    return value


def _known_names(settings: type[BaseModel], location: Sequence[str | int]) -> list[str]:
    """The settings that there are at a location."""
    models = [settings]
    for part in location:
        inner = [
            model
            for outer in models
            if isinstance(part, str) and part in outer.model_fields
            for model in _models(outer.model_fields[part].annotation)
        ]
        models = inner or models
    return sorted({name for model in models for name in model.model_fields})


def _models(annotation: Any) -> list[type[BaseModel]]:
    """The models that an annotation speaks of, however deep."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in get_args(annotation) for model in _models(part)]
