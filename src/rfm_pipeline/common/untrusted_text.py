"""Text from outside (values, names of columns and files, settings, errors of engines), made safe to show.

Control characters could move the cursor of a terminal, forge lines of a log, or reverse the order of letters.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_REPLACEMENT = "\ufffd"
_LINE_SEPARATORS = "\u2028\u2029"


def replace_unprintable(text: str, keep: str = "") -> str:
    r"""Return text without control characters, line breaks and invisible characters such as U+202E.

    Each becomes `�`; a space of another width, such as U+00A0, becomes a space.

    Args:
        text: Text from outside.
        keep: Control characters that stay as they are, such as line breaks that the package wrote.

    >>> replace_unprintable("a\nb\x1b[2J"), replace_unprintable("1\u00a0234")
    ('a�b�[2J', '1 234')
    """
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() or character in keep else _substitute(character)
        for character in text
    )


def replace_unprintable_in(value: Any) -> Any:
    r"""Return a Struct or a container in which `replace_unprintable` was applied to each text.

    A value without unprintable text is returned itself, not a copy.

    >>> replace_unprintable_in({"segment": ["a\nb", 3]})
    {'segment': ['a�b', 3]}
    """
    if isinstance(value, str):
        return value if value.isprintable() else replace_unprintable(value)
    if isinstance(value, Mapping):
        items = {replace_unprintable_in(name): replace_unprintable_in(inner) for name, inner in value.items()}
        is_equal = all(name in items and items[name] is inner for name, inner in value.items())
        return value if is_equal else items
    if isinstance(value, list | tuple):
        inner_values = [replace_unprintable_in(inner) for inner in value]
        if all(new is old for new, old in zip(inner_values, value, strict=True)):
            return value
        return inner_values if isinstance(value, list) else tuple(inner_values)
    if names := getattr(value, "__struct_fields__", ()):
        fields = {name: getattr(value, name) for name in names}
        changed = {
            name: new for name, old in fields.items() if (new := replace_unprintable_in(old)) is not old
        }
        if changed:
            from msgspec.structs import replace

            return replace(value, **changed)
    return value


def _substitute(character: str) -> str:
    is_space = character.isspace() and character >= "\u00a0" and character not in _LINE_SEPARATORS
    return " " if is_space else _REPLACEMENT
