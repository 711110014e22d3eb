"""Trimming of text dates in DuckDB: whitespace at both ends is removed, and nothing else."""

from __future__ import annotations

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rfm_pipeline.sql.dialects.registry import dialect_of

BLANKS = " \t\n\x0b\x0c\r\xa0"
TEXTS = st.text(
    alphabet=st.sampled_from([*BLANKS, "2", "-", "~", "!", "\x1f", "\x7f", "é", "\u2003"]), max_size=6
)


def trimmed(text: str | None) -> str | None:
    row = duckdb.execute(f"SELECT {dialect_of('duckdb').trim('written')} FROM (SELECT ? AS written)", [text])
    trimmed: str | None = (row.fetchone() or (None,))[0]
    return trimmed


@given(TEXTS)
def test_whitespace_at_the_ends_is_removed_and_nothing_else(text: str) -> None:
    assert trimmed(text) == text.strip(BLANKS)


@pytest.mark.parametrize(
    "text", [None, "", "2024-01-05", " 2024-01-05", "2024-01-05\xa0", "~2024", "é 2024 "]
)
def test_text_without_whitespace_at_its_ends_is_unchanged(text: str | None) -> None:
    assert trimmed(text) == (text if text is None else text.strip(BLANKS))
