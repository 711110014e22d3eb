"""How the user says a file must be read, where what is found in it is not what is meant."""

from __future__ import annotations

import codecs
from typing import Annotated, ClassVar

from msgspec import Meta

from rfm_pipeline.config.base import SettingsTable, parse_bool

_NAMED_DELIMITERS = {
    "tab": "\t",
    "\\t": "\t",
    "comma": ",",
    "semicolon": ";",
    "pipe": "|",
    "space": " ",
}


def _one_character(value: object) -> object:
    if not isinstance(value, str):
        return value
    delimiter = _NAMED_DELIMITERS.get(value.lower(), value)
    if len(delimiter) != 1 or delimiter in '\r\n"':
        raise ValueError(f"{value!r} is not a delimiter: one character, or 'tab'")
    return delimiter


def _codec(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        codec = codecs.lookup(value)
    except LookupError:
        codec = None
    # `rot13`, `zip` and their like are codecs too, and no text encodings.
    if codec is None or not getattr(codec, "_is_text_encoding", True):
        raise ValueError(f"{value!r} is not an encoding such as 'utf-8', 'windows-1252' or 'utf-16'")
    return codec.name


class SourceOptions(SettingsTable, frozen=True):
    r"""Settings that win over what is found in a file; None leaves it to be found.

    Attributes:
        delimiter: The character between values; `tab` and `\t` are understood.
        quote: The character around values; empty where quotes are ordinary characters.
        escape: The character before a quote inside a quoted value: the quote itself, or a backslash.
        encoding: Any text encoding that Python knows.
        header: Whether the first line names the columns. Without it they are `column1`, `column2`, ...
        skip_lines: How many lines stand above the header (in a workbook: filled rows).
        sheet: The one sheet of a workbook to read.
    """

    FORMS: ClassVar = {"delimiter": _one_character, "encoding": _codec, "header": parse_bool}

    delimiter: str | None = None
    quote: Annotated[str, Meta(max_length=1)] | None = None
    escape: Annotated[str, Meta(min_length=1, max_length=1)] | None = None
    encoding: str | None = None
    header: bool = True
    skip_lines: Annotated[int, Meta(ge=0)] = 0
    sheet: str | None = None
