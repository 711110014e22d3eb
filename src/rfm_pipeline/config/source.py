"""Settings of `[read]`: the format of source files, where detection is wrong."""

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
    # Codecs such as `rot13` and `zip` are no text encodings.
    if codec is None or not getattr(codec, "_is_text_encoding", True):
        raise ValueError(f"{value!r} is not an encoding such as 'utf-8', 'windows-1252' or 'utf-16'")
    return codec.name


class SourceOptions(SettingsTable, frozen=True):
    r"""Format of source files. A setting overrides what is detected in the file; None to detect it.

    Attributes:
        delimiter: Character between values; also `tab`, `\t` and other names of delimiters.
        quote: Character around values; empty if quotes are ordinary characters.
        escape: Character before a quote inside a quoted value: the quote itself, or a backslash.
        encoding: Any text encoding that Python supports.
        header: Whether there is a header row. Without one, the columns are `column1`, `column2`, ...
        skip_lines: Number of lines above the header row (in a workbook: of rows, blank ones at the top not
            counted); 0 to detect them.
        sheet: Name of the only sheet of a workbook to read; None to read the sheets with known columns.
    """

    PARSERS: ClassVar = {"delimiter": _one_character, "encoding": _codec, "header": parse_bool}

    delimiter: str | None = None
    quote: Annotated[str, Meta(max_length=1)] | None = None
    escape: Annotated[str, Meta(min_length=1, max_length=1)] | None = None
    encoding: str | None = None
    header: bool = True
    skip_lines: Annotated[int, Meta(ge=0)] = 0
    sheet: str | None = None
