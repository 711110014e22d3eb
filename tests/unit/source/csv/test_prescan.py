"""The prescan agrees with a character-by-character parser for every chunk size."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rfm_pipeline.source.csv import prescan as prescan_module
from rfm_pipeline.source.csv import quoting
from support.lanes import max_examples


def parse_line_breaks(text: str) -> tuple[bool, set[bytes]]:
    """Return whether a quoted value contains a line break, and the kinds of line end outside of quotes."""
    inside = quoted = False
    ends = set()
    position = 0
    while position < len(text):
        character = text[position]
        if character == '"':
            inside = not inside
        elif character in "\r\n":
            end = "\r\n" if text[position : position + 2] == "\r\n" else character
            if inside:
                quoted = True
            else:
                ends.add(end.encode())
            position += len(end) - 1
        position += 1
    return quoted, ends


VALUE = st.text(st.sampled_from('ab,"\r\n'), max_size=8).map(lambda text: '"' + text.replace('"', '""') + '"')
LINE = st.lists(st.one_of(st.sampled_from(["", "x", "longer text"]), VALUE), min_size=1, max_size=4).map(
    ",".join
)
ANYTHING = st.text(st.sampled_from('a,"""\n\r'), max_size=14)
CSV = st.lists(st.tuples(LINE, st.sampled_from(["\n", "\n", "\r\n"])), max_size=20)


@pytest.mark.parametrize("size", [1, 3, 7, 1 << 18])
@max_examples(60)
@given(records=CSV)
def test_line_breaks_are_classified_as_by_a_character_parser(
    monkeypatch: pytest.MonkeyPatch, size: int, records: list[tuple[str, str]]
) -> None:
    monkeypatch.setattr(prescan_module, "_CHUNK_SIZE", size)
    text = "".join(line + end for line, end in records)
    result = prescan_module.prescan(io.BytesIO(text.encode()), '"')
    assert (result.quoted_line_breaks, set(result.line_ends)) == parse_line_breaks(text)


@pytest.mark.parametrize("size", [1, 2, 5, 1 << 18])
@max_examples(60)
@given(content=st.binary(max_size=30) | st.text(max_size=10).map(str.encode))
def test_the_first_byte_that_is_not_utf8_is_located(
    monkeypatch: pytest.MonkeyPatch, size: int, content: bytes
) -> None:
    monkeypatch.setattr(prescan_module, "_CHUNK_SIZE", size)
    content = content.replace(b"\0", b"x")
    result = prescan_module.prescan(io.BytesIO(content), '"')
    try:
        content.decode()
        expected = None
    except UnicodeDecodeError as error:
        expected = error.start
        assert result.ascii_before == content[:expected].isascii()
    assert result.invalid_at == expected


@pytest.mark.parametrize("size", [1, 3, 7, 10])
@max_examples(60)
@given(lines=st.lists(st.tuples(st.integers(0, 14), st.sampled_from(["\n", "\r\n", "\r"])), max_size=8))
def test_the_first_line_that_is_too_long_is_located(
    monkeypatch: pytest.MonkeyPatch, size: int, lines: list[tuple[int, str]]
) -> None:
    monkeypatch.setattr(prescan_module, "_CHUNK_SIZE", size)
    monkeypatch.setattr(prescan_module, "LONGEST_LINE", 10)
    offset, expected = 0, None
    for length, end in lines:
        if length > 10:
            expected = offset
            break
        offset += length + len(end)
    content = "".join("x" * length + end for length, end in lines).rstrip("\r\n").encode()
    assert prescan_module.prescan(io.BytesIO(content), '"').long_line_at == expected


def parse_quotes(text: str) -> bool:
    """Return whether each quoted value is closed and has a separator or nothing on both sides."""
    position, inside = 0, False
    while position < len(text):
        if text[position] == '"':
            after = text[position + 1 : position + 2]
            if inside and after == '"':
                position += 1
            elif (after if inside else text[:position][-1:]) not in ["", *",\r\n"]:
                return False
            else:
                inside = not inside
        position += 1
    return not inside


@pytest.mark.parametrize("size", [1, 3, 7, 1 << 18])
@max_examples(100)
@given(
    text=st.text(st.sampled_from('a,"""\n\r'), max_size=14)
    | CSV.map(lambda rows: "".join(map("".join, rows)))
)
def test_quotes_are_checked_as_by_a_character_parser(
    monkeypatch: pytest.MonkeyPatch, size: int, text: str
) -> None:
    monkeypatch.setattr(quoting, "_CHUNK_SIZE", size)
    assert quoting.has_well_formed_quotes(io.BytesIO(text.encode()), ",", '"') == parse_quotes(text)
