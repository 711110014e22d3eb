"""Queries of audits over the staged result: a user's own query, and sample rows of a built-in audit."""

from __future__ import annotations

from collections.abc import Sequence

from rfm_pipeline.results.tables import RESULT_COLUMNS
from rfm_pipeline.sql.dialects.base import Dialect
from rfm_pipeline.sql.query_spec import select

MAX_SAMPLE_ROWS = 5
"""Maximum number of invalid rows that a failed audit shows."""


def audit_sql(text: str, name: str, segments: str | None, previous: str | None, dialect: Dialect) -> str:
    """Return the query of a user's audit, limited to one row more than is shown.

    Args:
        text: The user's SELECT over `segments` and `previous`, in the engine's dialect.
        name: Name of the audit, for messages.
        segments: The staged result as SQL that can follow FROM; None for an empty relation.
        previous: The current result as SQL that can follow FROM; None for an empty relation.
        dialect: The SQL dialect.

    Raises:
        ExpressionError: If the text is not one SELECT over these two.
    """
    # Imports sqlglot, which takes half a second; most runs have no SQL of a user.
    from rfm_pipeline.sql.validation.audit_query import validate_audit_query

    query = text.strip().removesuffix(";").rstrip()
    validate_audit_query(query, name, dialect.name)
    # Two levels of CTEs, because a staged table may itself be named `segments` or `previous`.
    return f"""\
WITH
staged_result AS (
{_rows(segments, dialect)}
),
standing_result AS (
{_rows(previous, dialect)}
),
segments AS (SELECT * FROM staged_result),
previous AS (SELECT * FROM standing_result)
SELECT *
FROM (
{query}
) AS found
LIMIT {MAX_SAMPLE_ROWS + 1}"""


def _rows(relation: str | None, dialect: Dialect) -> str:
    """Return the SELECT of a relation's rows; of no rows with the columns of a result if it is None."""
    if relation is not None:
        return select(["*"], relation)
    types = {
        name: "integer" if column.holds == "small" else column.holds
        for name, column in RESULT_COLUMNS.items()
    }
    columns = [f"{dialect.cast('NULL', kind)} AS {name}" for name, kind in types.items()]
    return f"{select(columns, '')}\nLIMIT 0"


def failing_rows_sql(audit: str, staged: str, bins: Sequence[int]) -> str | None:
    """Return the query of the customers that violate a built-in audit; None if the audit has no such rows.

    Args:
        audit: Name of the audit.
        staged: SQL identifier of the staged result.
        bins: Numbers of bins of recency, frequency and monetary.
    """
    scores = ("r_score", "f_score", "m_score")
    match audit:
        case "customers_unique":
            columns = ["customer_id", "COUNT(*) AS copies"]
            query = f"{select(columns, staged, group=1)}\nHAVING COUNT(*) > 1"
        case "scores_in_range":
            is_invalid = "\n   OR ".join(
                f"COALESCE({score} NOT BETWEEN 1 AND {highest}, TRUE)"
                for score, highest in zip(scores, bins, strict=True)
            )
            query = f"{select(('customer_id', *scores), staged)}\nWHERE {is_invalid}"
        case "segments_total":
            query = f"{select(('customer_id', 'rfm_score'), staged)}\nWHERE segment IS NULL"
        case _:
            return None
    return f"{query}\nORDER BY customer_id\nLIMIT {MAX_SAMPLE_ROWS}"
