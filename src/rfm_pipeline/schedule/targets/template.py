"""Files of `templates/`, filled with the values of a schedule.

A placeholder is `__NAME__`, which every format reads as plain text: each template is itself a file of its
format, apart from `dag.py.template`. The caller escapes the values, as each format has rules of its own; YAML
is escaped by its library, because the values are put into the loaded structure.

- A line (in YAML: a list item, a document, or a line of a block of text) with a placeholder whose value is a
  list is repeated, once for each element. It is left out if the list is empty.
- A line that contains `__IF_NAME__ ` is left out if the value `IF_NAME` is false.
- A line that begins with `##` is a comment on the template and is left out; in YAML all comments are.
- In YAML, an entry whose placeholder has the value None is left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from importlib.resources import files
from typing import Any

from rfm_pipeline.schedule import yaml_dump

_PLACEHOLDER = re.compile(r"__(?:(IF_[A-Z_]*[A-Z])__ |([A-Z](?:[A-Z_]*?[A-Z])?)__)")


def fill_text(name: str, values: Mapping[str, Any]) -> str:
    """Return the text of a template with its placeholders replaced by values that are already escaped.

    Args:
        name: File name in `templates/`.
        values: Text, a number, a list of these, or a bool for `IF_...`, by placeholder.
    """
    return _fill_lines(_read(name), values)


def fill_yaml(name: str, values: Mapping[str, Any]) -> str:
    """Return the text of a YAML template with its placeholders replaced.

    A scalar that is one placeholder takes a value of any type.

    Raises:
        UsageError: If PyYAML is not installed.
    """
    return yaml_dump.dump(*_fill(yaml_dump.load_documents(_read(name)), values))


def _read(name: str) -> str:
    return files(__package__).joinpath("templates", name).read_text(encoding="utf-8")


def _names(text: str) -> list[str]:
    return [condition or plain for condition, plain in _PLACEHOLDER.findall(text)]


def _substitute(text: str, values: Mapping[str, Any]) -> str:
    return _PLACEHOLDER.sub(lambda match: "" if match[1] else str(values[match[2]]), text)


def _copies(names: list[str], nested: list[str], values: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield the values for each copy of a line or list item.

    Args:
        names: Placeholders that decide how often it is repeated.
        nested: Placeholders of nested lists, which take the values of the copy if there is more than one.
        values: All values.
    """
    if not all(values[name] for name in names if name.startswith("IF_")):
        return
    if not any(isinstance(values[name], list) for name in names):
        yield values
        return
    lists = {name: values[name] for name in (*names, *nested) if isinstance(values[name], list)}
    for row in zip(*lists.values(), strict=True):
        yield {**values, **dict(zip(lists, row, strict=True))}


def _fill_lines(text: str, values: Mapping[str, Any]) -> str:
    return "".join(
        _substitute(line, copy)
        for line in text.splitlines(keepends=True)
        if not line.startswith("##")
        for copy in _copies(_names(line), [], values)
    )


def _fill(node: Any, values: Mapping[str, Any]) -> Any:
    """Return a loaded YAML node with its placeholders replaced."""
    match node:
        case dict():
            filled = {key: _fill(value, values) for key, value in node.items()}
            return {key: value for key, value in filled.items() if value is not None}
        case list():
            return [_fill(item, copy) for item in node for copy in _copies(*_names_of_item(item), values)]
        case str() if "\n" in node:
            return _fill_lines(node, values)
        case str() if whole := re.fullmatch(r"__([A-Z_]+)__", node):
            return values[whole[1]]
        case str():
            return _substitute(node, values)
        case _:
            return node


def _names_of_item(node: Any) -> tuple[list[str], list[str]]:
    """Return the placeholders of a list item: its own ones, and those of nested lists and blocks of text."""
    match node:
        case dict():
            parts = [_names_of_item(value) for value in node.values()]
            return [name for own, _ in parts for name in own], [
                name for _, nested in parts for name in nested
            ]
        case list():
            return [], [name for item in node for names in _names_of_item(item) for name in names]
        case str():
            return ([], _names(node)) if "\n" in node else (_names(node), [])
        case _:
            return [], []
