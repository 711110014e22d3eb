"""Forgetting customers gives the result of a source without them."""

from __future__ import annotations

from hypothesis import assume, given
from hypothesis import strategies as st
from msgspec.structs import replace

from rfm_pipeline.results.forgotten import Forgotten
from rfm_pipeline.sql.pipeline import QueryPipeline
from rfm_pipeline.sql.query_spec import QuerySpec
from rfm_pipeline.sql.stages.metrics import FORGOTTEN
from support.engines import Question, connected, in_order, rows_of
from support.generated import questions
from support.lanes import max_examples


def without_lines(spec: QuerySpec, customers: list[str]) -> QuerySpec:
    """Return the spec over the lines of the source that are not of some customers."""
    kind, dialect = spec.kind_of("customer_id"), spec.dialect
    key = dialect.customer_key(dialect.column(spec.mapping.customer_id), kind, spec.reading.placeholders)
    ids = ", ".join(map(dialect.literal, customers))
    condition = f"COALESCE({dialect.id_text(f'({key})', kind)} NOT IN ({ids}), TRUE)"
    return replace(spec, relation=f"(SELECT * FROM {spec.relation} WHERE {condition}) AS remaining")


@max_examples(40)
@given(question=questions(), data=st.data())
def test_forgotten_customers_are_as_if_they_had_no_line(question: Question, data: st.DataObject) -> None:
    spec = question.spec("duckdb")
    assume(spec.mapping.customer_fallback is None)
    with connected(question) as connection:
        everyone = [row["customer_id"] for row in rows_of(connection.execute(QueryPipeline.of(spec).query()))]
        assume(everyone)
        customers = data.draw(st.lists(st.sampled_from(everyone), min_size=1, max_size=3, unique=True))
        salted = Forgotten("salt")
        forgotten = Forgotten("salt", tuple(map(salted.hash_of, customers)))
        pipeline = QueryPipeline.of(replace(spec, forgotten=forgotten))
        expected = QueryPipeline.of(without_lines(spec, customers)).query()
        remaining = in_order(rows_of(connection.execute(pipeline.query())))
        assert remaining == in_order(rows_of(connection.execute(expected)))
        # Each line and its money is still accounted for.
        sums = "SELECT SUM(lines) AS lines, SUM(monetary) AS money FROM customers"
        counted, whole = (
            rows_of(connection.execute(each.with_required_ctes(sums, "customers")))
            for each in (pipeline, QueryPipeline.of(spec))
        )
        assert counted == whole
        reasons = "SELECT DISTINCT reason, customer_id IS NULL AS is_nobody FROM customers"
        found = rows_of(connection.execute(pipeline.with_required_ctes(reasons, "customers")))
        assert {"reason": FORGOTTEN, "is_nobody": True} in found
        assert {"reason": FORGOTTEN, "is_nobody": False} not in found
