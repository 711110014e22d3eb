"""Base class of the settings tables: converts TOML, JSON and text to typed values, and validates them.

Weighed and not used: pydantic-settings takes four to eight times as long to import as msgspec, which every
command would pay; dynaconf returns untyped values. Own code also lets a message name the layer that has the
invalid value: the flag, the variable or the file (`config.diagnostics`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, Literal, Self, get_args, get_origin

import msgspec

from rfm_pipeline.errors import ConfigurationError

SettingPath = tuple[str | int, ...]
"""Location of a value: setting names from the outermost table inwards, and indexes in lists, from 0."""

# Type names in msgspec's messages -> words for users.
_TYPE_WORDS: Mapping[str, str] = {
    "int": "a whole number",
    "float": "a number",
    "decimal": "a number",
    "bool": "true or false",
    "str": "text",
    "object": "a table",
    "array": "a list",
}
_BOUND_WORDS: Mapping[str, str] = {">=": "at least", ">": "above", "<=": "at most"}
_BOOL_WORDS: Mapping[str, bool] = {
    **dict.fromkeys(("1", "on", "t", "true", "y", "yes"), True),
    **dict.fromkeys(("0", "off", "f", "false", "n", "no"), False),
}


MAX_NESTING = 20
"""Maximum number of tables and lists inside one another; no setting needs more than six."""


_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")


def is_address(path: str | Path) -> bool:
    """Return whether a path is written as an address, such as `https://...` or `s3://...`."""
    return bool(_ADDRESS.match(str(path)))


def refuse_address(what: str, path: Path) -> None:
    """Raise if the path of a file to write is an address.

    Args:
        what: What the file is, such as `output`.
        path: The path, which has lost the second slash of `https://`.

    Raises:
        ConfigurationError: If it is one.
    """
    if is_address(path):
        address = str(path).replace(":/", "://", 1)
        raise ConfigurationError(
            f"The {what} {address} is an address, and files are written on this machine.",
            "name a file, and copy it afterwards.",
        )


def is_nested_too_deeply(value: object) -> bool:
    """Return whether tables and lists are inside one another more than `MAX_NESTING` times."""
    level = [value]
    for _ in range(MAX_NESTING + 1):
        level = [
            inner
            for outer in level
            if isinstance(outer, Mapping | list)
            for inner in (outer.values() if isinstance(outer, Mapping) else outer)
        ]
    return bool(level)


class SettingsError(ValueError):
    """Invalid value of a setting. If only `location` is given, a required setting is missing.

    Attributes:
        location: Location of the setting in the table.
        sentence: Complete message of a validation function; empty if the message is built from the other
            attributes.
        expected: Description of a valid value, such as "a whole number".
        value: The invalid value.
        known: Valid names, if the last name of `location` is not one of them.
    """

    def __init__(
        self,
        location: SettingPath,
        *,
        sentence: str = "",
        expected: str = "",
        value: object = None,
        known: tuple[str, ...] = (),
    ) -> None:
        super().__init__(location, sentence, expected, value, known)
        self.location = location
        self.sentence = sentence
        self.expected = expected
        self.value = value
        self.known = known


class SettingsTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Base class of a table of settings, such as `[scoring]`. Instances made by `of` are valid.

    Attributes:
        PARSERS: Functions by setting name that convert the accepted spellings of a value to its type. A
            parser returns a value that it does not recognize unchanged, for the type check; it raises
            ValueError with a message, or SettingsError with a location relative to the value.
    """

    PARSERS: ClassVar[Mapping[str, Callable[[Any], Any]]] = {}

    @classmethod
    def of(cls, raw: Mapping[str, Any]) -> Self:
        """Return the validated table of parsed TOML; numbers may be text, as in environment variables.

        Raises:
            SettingsError: If a value is invalid: for the first unknown name, or else for the first invalid
                value.
            ConfigurationError: If a validation function rejects the values.
        """
        problems: list[SettingsError] = []
        table = _read(raw, cls, (), problems)
        if problems:
            # A misspelt name may also cause a missing one; the message about the misspelling helps more.
            raise min(problems, key=lambda problem: not problem.known)
        assert isinstance(table, cls)
        return table


def parse_bool(value: object) -> object:
    """Return True or False for text such as `yes` or `off`; any other value unchanged."""
    return _BOOL_WORDS.get(value.casefold(), value) if isinstance(value, str) else value


def strip_text(value: object) -> object:
    """Return text without surrounding whitespace; any other value unchanged."""
    return value.strip() if isinstance(value, str) else value


@cache
def field_types(table: type[SettingsTable]) -> Mapping[str, Any]:
    """Return the type of each setting of a table, by name."""
    return {field.name: field.type for field in msgspec.structs.fields(table)}


def type_at(kind: Any, location: SettingPath) -> Any:
    """Return the type of the setting at `location` inside the type `kind`; None if there is no such setting.

    An index does not change the type: a list's element has the same settings table as the list.
    """
    for part in location:
        if get_origin(kind) is dict:
            kind = get_args(kind)[1]
        elif isinstance(part, str):
            inner = settings_table_in(kind)
            kind = field_types(inner).get(part) if inner else None
    return kind


def settings_table_in(kind: Any) -> type[SettingsTable] | None:
    """Return the settings table inside a type such as `tuple[RuleConfig, ...]`; None if there is none."""
    return next(
        (part for part in _parts(kind) if isinstance(part, type) and issubclass(part, SettingsTable)), None
    )


def is_compound(kind: Any) -> bool:
    """Return whether a value of the type may be a table or a list."""
    return settings_table_in(kind) is not None or get_origin(kind) is dict or _is_list(kind)


def _is_list(kind: Any) -> bool:
    return any(get_origin(part) is tuple for part in _parts(kind))


def _parts(kind: Any) -> Iterator[Any]:
    """Yield a type and all types that it is composed of, such as the members of a union."""
    yield kind
    for part in get_args(kind):
        yield from _parts(part)


def _read(raw: Any, kind: Any, at: SettingPath, problems: list[SettingsError]) -> Any:
    prepared = _prepared(raw, kind, at, problems)
    if problems:
        return None
    try:
        return msgspec.convert(prepared, kind, strict=False, dec_hook=_decode_path)
    except msgspec.ValidationError as error:
        problems.append(_to_settings_error(error, prepared, kind, at))


def _prepared(raw: Any, kind: Any, at: SettingPath, problems: list[SettingsError]) -> Any:
    """Return a value with all nested settings converted by their parsers."""
    if _is_list(kind):
        if not isinstance(raw, list | tuple):
            return raw
        return [
            _prepared(value, settings_table_in(kind), (*at, index), problems)
            for index, value in enumerate(raw)
        ]
    if isinstance(raw, str) and any(part in (int, float) for part in _parts(kind)):
        return raw.strip()
    if not isinstance(raw, Mapping):
        return raw
    if get_origin(kind) is dict:
        # One by one, because msgspec's message does not name the key of the invalid value.
        return {name: _read(value, get_args(kind)[1], (*at, name), problems) for name, value in raw.items()}
    table = settings_table_in(kind)
    return raw if table is None else _prepared_table(raw, table, at, problems)


def _prepared_table(
    raw: Mapping[str, Any], table: type[SettingsTable], at: SettingPath, problems: list[SettingsError]
) -> dict[str, Any]:
    prepared, types = {}, field_types(table)
    for name, value in raw.items():
        here = (*at, name)
        if name not in types:
            problems.append(SettingsError(here, known=tuple(sorted(types))))
            continue
        try:
            parsed = table.PARSERS[name](value) if name in table.PARSERS else value
        except SettingsError as error:
            error.location = (*here, *error.location)
            problems.append(error)
        except ValueError as error:
            problems.append(SettingsError(here, sentence=str(error)))
        else:
            prepared[name] = _prepared(parsed, types[name], here, problems)
    return prepared


def _decode_path(kind: type, value: Any) -> Any:
    """Convert text to a path: msgspec's hook for types that it does not support."""
    if isinstance(value, kind):
        return value
    if kind is Path and isinstance(value, str | Path) and not is_address(value):
        return Path(value)
    raise TypeError("a path on this machine" if kind is Path else f"of type {kind}")


def _to_settings_error(
    error: msgspec.ValidationError, prepared: Any, kind: Any, at: SettingPath
) -> SettingsError:
    message, _, path = str(error).partition(" - at `$")
    steps: SettingPath = tuple(
        int(index) if index else name for name, index in re.findall(r"\.(\w+)|\[(\d+)\]", path)
    )
    if missing := re.fullmatch(r"Object missing required field `(\w+)`", message):
        return SettingsError((*at, *steps, missing[1]))
    if isinstance(error.__cause__, ValueError):
        return SettingsError((*at, *steps), sentence=str(error.__cause__))
    value = prepared
    for step in steps:
        value = value[step]
    expected = str(error.__cause__ or _expected_words(message, type_at(kind, steps)))
    return SettingsError((*at, *steps), expected=expected, value=value)


def _expected_words(message: str, kind: Any) -> str:
    """Describe a valid value, given msgspec's message, such as "Expected `int | null`, got `str`"."""
    options = [
        repr(option) for part in _parts(kind) if get_origin(part) is Literal for option in get_args(part)
    ]
    if options:
        return " or ".join([", ".join(options[:-1]), options[-1]])
    if "of length" in message:
        return "a list with something in it" if "array" in message else "one character"
    if bound := re.search(r"(>=|>|<=) ([\d.]+)$", message):
        return f"{_BOUND_WORDS[bound[1]]} {float(bound[2]):,.0f}"
    expected = re.search(r"`(.+?)`", message)
    # msgspec's message about an invalid decimal is the only one without a type in backticks.
    names = expected[1].split(" | ") if expected else ["decimal"]
    return " or ".join(_TYPE_WORDS.get(name, name) for name in names if name != "null")
