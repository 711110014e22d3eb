"""Names and texts with any characters are quoted in the same way as sqlglot quotes them."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from sqlglot import exp

from rfm_pipeline.sql.dialects.registry import DIALECTS, dialect_of

# Of the control characters only those that are valid in text: engines read the others unescaped.
TEXTS = st.text(st.one_of(st.characters(exclude_categories=["Cs", "Cc"]), st.sampled_from("\n\r\t")))


@pytest.mark.parametrize("name", DIALECTS)
@given(TEXTS)
@example("it's \"quoted\" `here` \\ \n 'end\\")
def test_a_text_is_quoted_as_sqlglot_does(name: str, text: str) -> None:
    assert dialect_of(name).quoted_text(text) == exp.Literal.string(text).sql(dialect=name)


@pytest.mark.parametrize("name", DIALECTS)
@given(TEXTS.filter(str.isprintable).filter(bool))
@example('a"b`c\\d.e f')
def test_a_name_is_quoted_as_sqlglot_does(name: str, text: str) -> None:
    assert dialect_of(name).quoted_name(text) == exp.to_identifier(text, quoted=True).sql(dialect=name)
