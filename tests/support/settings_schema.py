"""docs/reference/rfm.schema.json: the JSON Schema of rfm.toml for editors, from the types of the settings."""

from __future__ import annotations

import json
import re
from types import NoneType, UnionType
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin

from rfm_pipeline.config.base import SettingsTable, field_types
from rfm_pipeline.config.settings import Settings
from rfm_pipeline.config.template import render_template

_SCALARS: Final = {bool: "boolean", int: "integer", float: "number", str: "string"}
# A parser accepts other spellings than the type: a list as one value, a table as its short form.
_SPELLINGS: Final = {"type": ["string", "number", "boolean", "array"]}


def descriptions() -> dict[tuple[str, ...], str]:
    """Return the comment of each setting in the file that `rfm init` writes, by its path."""
    found: dict[tuple[str, ...], str] = {}
    table: tuple[str, ...] = ()
    for line in render_template({}, {}).splitlines():
        if heading := re.fullmatch(r"#? ?\[([\w.]+)\](?: +# (.+))?", line):
            table = tuple(heading[1].split("."))
            found[table] = heading[2] or ""
        elif setting := re.fullmatch(r"(?:# )?(\w+) = .+?  # (.+)", line):
            found[*table, setting[1]] = setting[2].strip()
    return found


def schema() -> dict[str, Any]:
    """Return the JSON Schema of rfm.toml."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "rfm.toml",
        **_table(Settings, (), descriptions()),
    }


def text() -> str:
    """Return the schema as the file has it."""
    return json.dumps(schema(), indent=1, ensure_ascii=False) + "\n"


def _table(
    table: type[SettingsTable], at: tuple[str, ...], about: dict[tuple[str, ...], str]
) -> dict[str, Any]:
    properties = {}
    for name, kind in field_types(table).items():
        setting = _value(kind, (*at, name), about)
        if name in table.PARSERS:
            setting = {"anyOf": [setting, _SPELLINGS]} if setting else {}
        if comment := about.get((*at, name)):
            setting = {"description": comment, **setting}
        properties[name] = setting
    # Nothing is required: a preset or a flag may give it.
    return {"type": "object", "properties": properties, "additionalProperties": False}


def _value(kind: Any, at: tuple[str, ...], about: dict[tuple[str, ...], str]) -> dict[str, Any]:
    """Return the schema of a type; a type that only a parser makes has none."""
    origin, parts = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return _value(parts[0], at, about)
    if origin in (Union, UnionType):
        options = [_value(part, at, about) for part in parts if part is not NoneType]
        return {} if {} in options else options[0] if len(options) == 1 else {"anyOf": options}
    if origin is Literal:
        return {"enum": list(parts)}
    if origin is tuple:
        return {"type": "array", "items": _value(parts[0], at, about)}
    if origin is dict:
        return {"type": "object", "additionalProperties": _value(parts[1], at, about)}
    if isinstance(kind, type) and issubclass(kind, SettingsTable):
        return _table(kind, at, about)
    return {"type": _SCALARS[kind]} if kind in _SCALARS else {}
