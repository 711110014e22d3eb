from __future__ import annotations

from hypothesis import given, settings

from engines import Question, ask_duckdb, ask_google
from generated import questions
from reference import expected
import pytest
pytestmark = pytest.mark.xdist_group("googlesql")
def by_id(rows): return {r['customer_id']: r for r in rows}

@settings(max_examples=60)
@given(questions())
def test_agree(q: Question) -> None:
    d = ask_duckdb(q)
    e = expected(q.columns, q.rows, q.settings, q.today)
    assert d.excluded == e.excluded
    assert by_id(d.segments) == by_id(e.segments)
    g = ask_google(q)
    assert d.tables['customers'] == g.tables['customers']
    assert d.segments == g.segments
