"""Scores of `rfm evaluate` on a date in the past are those that a run as of that date gives."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from hypothesis import event, given
from hypothesis import strategies as st

from rfm_pipeline.sql.evaluation_queries import OriginSteps
from support.engines import Question, connected, in_order, rows_of
from support.generated import START, questions
from support.lanes import max_examples


@max_examples(25)
@given(questions(), st.integers(0, 50))
def test_customers_are_scored_as_a_run_on_that_date_scores_them(question: Question, day: int) -> None:
    origin = min(START + timedelta(days=day), question.today)
    settings = {name: value for name, value in question.settings.items() if name != "as_of"}
    since = settings.get("since")
    if since and str(since) > str(origin):
        del settings["since"]
    asked = Question(question.columns, question.rows, settings, question.today, question.frozen)
    as_of = Question(
        question.columns, question.rows, {**settings, "as_of": str(origin)}, question.today, question.frozen
    )
    with connected(asked) as connection:
        spec = asked.spec("duckdb")
        steps = OriginSteps(spec, lambda name: f"stage_{name}")
        staged: list[dict[str, Any]] = []
        for step in (*steps.scan(), *steps.score(spec, origin)):
            connection.execute(f"CREATE TABLE stage_{step.name} AS\n{step.select}")
        staged = rows_of(connection.execute("FROM stage_segments"))
        run = rows_of(connection.execute(as_of.pipeline("duckdb").query()))
    event(f"customers: {min(len(run), 5)}, lines staged: {spec.aggregates_lines}")
    assert in_order(staged) == in_order(run)
