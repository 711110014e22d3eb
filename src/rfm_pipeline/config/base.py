"""Tables of settings: what TOML, JSON or text must hold to be one, and what is wrong where it does not."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, Literal, Self, get_args, get_origin

import msgspec

SettingPath = tuple[str | int, ...]
"""Where a value is: names from the outermost table inwards, and places in lists."""

# What msgspec expects, by its own name for it.
_EXPECTED: Mapping[str, str] = {
    "int": "a whole number",
    "float": "a number",
    "decimal": "a number",
    "bool": "true or false",
    "str": "text",
    "object": "a table",
    "array": "a list",
}
_BOUNDS: Mapping[str, str] = {">=": "at least", ">": "above", "<=": "at most"}
_TRUTHS: Mapping[str, bool] = {
    **dict.fromkeys(("1", "on", "t", "true", "y", "yes"), True),
    **dict.fromkeys(("0", "off", "f", "false", "n", "no"), False),
}


class SettingsError(ValueError):
    """What is wrong with a value in a table. With nothing but a location, there is no value, and must be.

    Attributes:
        location: Where it is.
        sentence: What is wrong, where a check of ours says it.
        expected: What it must be, in words.
        value: What it is instead.
        known: The names that there are, where the location ends in none of them.
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
    """A table of settings. What `of` made has been checked.

    Attributes:
        FORMS: By the name of a setting, what reads the forms in which it may be written. It passes on what it
            does not know, and raises ValueError with a sentence, or TableError with a place in its value.
    """

    FORMS: ClassVar[Mapping[str, Callable[[Any], Any]]] = {}

    @classmethod
    def of(cls, raw: Mapping[str, Any]) -> Self:
        """Makes a table of what TOML gives. Text will do for a number, as variables have nothing else.

        Raises:
            TableError: The first thing that is wrong; a name that is not known comes before all else.
            ConfigurationError: A check says so.
        """
        problems: list[SettingsError] = []
        table = _read(raw, cls, (), problems)
        if problems:
            # A name that is misspelt is also one that is missing: the first tells more.
            raise min(problems, key=lambda problem: not problem.known)
        assert isinstance(table, cls)
        return table


def parse_bool(value: object) -> object:
    """True or false in words, as variables have it: `yes`, `off`."""
    return _TRUTHS.get(value.casefold(), value) if isinstance(value, str) else value


def stripped(value: object) -> object:
    """A text without the spaces around it."""
    return value.strip() if isinstance(value, str) else value


@cache
def field_types(table: type[SettingsTable]) -> Mapping[str, Any]:
    """The settings of a table, each with its type."""
    return {field.name: field.type for field in msgspec.structs.fields(table)}


def type_at(kind: Any, location: SettingPath) -> Any:
    """The type of the setting at a location in another type, None where there is none.

    What is in a list has the list's own: it speaks of the same table.
    """
    for part in location:
        if get_origin(kind) is dict:
            kind = get_args(kind)[1]
        elif isinstance(part, str):
            inner = settings_table_in(kind)
            kind = field_types(inner).get(part) if inner else None
    return kind


def settings_table_in(kind: Any) -> type[SettingsTable] | None:
    """The table that a type speaks of, however deep."""
    return next(
        (part for part in _parts(kind) if isinstance(part, type) and issubclass(part, SettingsTable)), None
    )


def has_parts(kind: Any) -> bool:
    """Whether a value of a type may be a table or a list."""
    return settings_table_in(kind) is not None or get_origin(kind) is dict or _is_list(kind)


def _is_list(kind: Any) -> bool:
    return any(get_origin(part) is tuple for part in _parts(kind))


def _parts(kind: Any) -> Iterator[Any]:
    """A type, and all that it is made of."""
    yield kind
    for part in get_args(kind):
        yield from _parts(part)


def _read(raw: Any, kind: Any, at: SettingPath, problems: list[SettingsError]) -> Any:
    prepared = _prepared(raw, kind, at, problems)
    if problems:
        return None
    try:
        return msgspec.convert(prepared, kind, strict=False, dec_hook=_own_kind)
    except msgspec.ValidationError as error:
        problems.append(_explained(error, prepared, kind, at))


def _prepared(raw: Any, kind: Any, at: SettingPath, problems: list[SettingsError]) -> Any:
    """A value with all that is in it read from the forms in which it may be written."""
    if _is_list(kind):
        if not isinstance(raw, list | tuple):
            return raw
        return [
            _prepared(value, settings_table_in(kind), (*at, place), problems)
            for place, value in enumerate(raw)
        ]
    if isinstance(raw, str) and any(part in (int, float) for part in _parts(kind)):
        return raw.strip()
    if not isinstance(raw, Mapping):
        return raw
    if get_origin(kind) is dict:
        # One by one, as msgspec does not say in which of them a problem is.
        return {name: _read(value, get_args(kind)[1], (*at, name), problems) for name, value in raw.items()}
    table = settings_table_in(kind)
    return raw if table is None else _prepared_table(raw, table, at, problems)


def _prepared_table(
    raw: Mapping[str, Any], table: type[SettingsTable], at: SettingPath, problems: list[SettingsError]
) -> dict[str, Any]:
    prepared, known = {}, field_types(table)
    for name, value in raw.items():
        here = (*at, name)
        if name not in known:
            problems.append(SettingsError(here, known=tuple(sorted(known))))
            continue
        try:
            formed = table.FORMS[name](value) if name in table.FORMS else value
        except SettingsError as error:
            error.location = (*here, *error.location)
            problems.append(error)
        except ValueError as error:
            problems.append(SettingsError(here, sentence=str(error)))
        else:
            prepared[name] = _prepared(formed, known[name], here, problems)
    return prepared


def _own_kind(kind: type, value: Any) -> Any:
    """Makes what msgspec does not know by itself."""
    if isinstance(value, kind):
        return value
    if kind is Path and isinstance(value, str | Path):
        return Path(value)
    raise TypeError("a path" if kind is Path else f"of type {kind}")


def _explained(error: msgspec.ValidationError, prepared: Any, kind: Any, at: SettingPath) -> SettingsError:
    message, _, path = str(error).partition(" - at `$")
    steps: SettingPath = tuple(
        int(place) if place else name for name, place in re.findall(r"\.(\w+)|\[(\d+)\]", path)
    )
    if missing := re.fullmatch(r"Object missing required field `(\w+)`", message):
        return SettingsError((*at, *steps, missing[1]))
    if isinstance(error.__cause__, ValueError):
        return SettingsError((*at, *steps), sentence=str(error.__cause__))
    value = prepared
    for step in steps:
        value = value[step]
    expected = str(error.__cause__ or _in_words(message, type_at(kind, steps)))
    return SettingsError((*at, *steps), expected=expected, value=value)


def _in_words(message: str, kind: Any) -> str:
    """What was expected, from what msgspec says: Expected `int | null`, got `str`; Expected `int` >= 2."""
    options = [
        repr(option) for part in _parts(kind) if get_origin(part) is Literal for option in get_args(part)
    ]
    if options:
        return " or ".join([", ".join(options[:-1]), options[-1]])
    if "of length" in message:
        return "a list with something in it" if "array" in message else "one character"
    if bound := re.search(r"(>=|>|<=) ([\d.]+)$", message):
        return f"{_BOUNDS[bound[1]]} {float(bound[2]):,.0f}"
    expected = re.search(r"`(.+?)`", message)
    # What is no decimal is the one thing that it puts without quotes.
    names = expected[1].split(" | ") if expected else ["decimal"]
    return " or ".join(_EXPECTED.get(name, name) for name in names if name != "null")
