"""Drift: who would score otherwise by the edges of today, where customers are scored by an earlier run's."""

from __future__ import annotations

from rfm_pipeline.sql.query_spec import QuerySpec
from rfm_pipeline.sql.stages.scores import INITIALS, recomputed_edge_names, score_by


def edge_drift_sql(spec: QuerySpec, result: str, edges: str) -> str:
    """The SELECT that counts them, as `customers`.

    Args:
        spec: What was asked, with frozen edges.
        result: The staged result, as it stands behind FROM.
        edges: The staged edges, likewise.
    """
    otherwise = "\n  OR ".join(
        f"{INITIALS[dimension.name]}_score <> {score_by(dimension, recomputed_edge_names(spec, dimension))}"
        for dimension in spec.settings.scoring.dimensions
        if dimension.name in spec.frozen
    )
    return f"SELECT\n  COUNT(*) AS customers\nFROM {result}\nCROSS JOIN {edges}\nWHERE\n  {otherwise}"
