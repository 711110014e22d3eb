"""Query of the drift of frozen edges: customers whose scores would differ by the recomputed edges."""

from __future__ import annotations

from rfm_pipeline.sql.query_spec import QuerySpec
from rfm_pipeline.sql.stages.scores import INITIALS, recomputed_edge_names, score_case


def edge_drift_sql(spec: QuerySpec, result: str, edges: str) -> str:
    """Return the SELECT of one integer, `customers`: the customers with a score that would differ.

    Args:
        spec: The query's specification, with frozen edges.
        result: SQL identifier of the staged result.
        edges: SQL identifier of the staged edges.
    """
    differs = "\n  OR ".join(
        f"{INITIALS[dimension.name]}_score <> {score_case(dimension, recomputed_edge_names(spec, dimension))}"
        for dimension in spec.settings.scoring.dimensions
        if dimension.name in spec.frozen
    )
    return f"SELECT\n  COUNT(*) AS customers\nFROM {result}\nCROSS JOIN {edges}\nWHERE\n  {differs}"
