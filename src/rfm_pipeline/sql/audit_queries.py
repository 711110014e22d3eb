"""What audits ask of the staged result: a user's own query, and the rows that a failed audit is about."""

from __future__ import annotations

from collections.abc import Sequence

from rfm_pipeline.results.tables import RESULT_COLUMNS
from rfm_pipeline.sql.dialects.base import Dialect
from rfm_pipeline.sql.query_spec import select

MOST_ROWS = 5
"""How many rows are shown of those that an audit is about."""


def audit_sql(text: str, name: str, segments: str | None, previous: str | None, dialect: Dialect) -> str:
    """The query that finds what a user's audit finds, up to one row more than is shown.

    Args:
        text: The user's SELECT over `segments` and `previous`.
        name: The name that it was configured under, for messages.
        segments: The staged result, as it stands behind FROM; None is one without rows.
        previous: What stands at the destination, likewise.
        dialect: The engine that reads it; the text is in that engine's own words.

    Raises:
        ExpressionError: The text is not one SELECT over these two.
    """
    # Parsing takes a library that takes a while to load, and most runs have no SQL of their own.
    from rfm_pipeline.sql.validation.audit_query import validate_audit_query

    asked = text.strip().removesuffix(";").rstrip()
    validate_audit_query(asked, name, dialect.name)
    # A table may have the name that it is given here: in two steps, it is not its own source.
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
{asked}
) AS found
LIMIT {MOST_ROWS + 1}"""


def _rows(relation: str | None, dialect: Dialect) -> str:
    """The rows of a relation; without one, the columns of a result."""
    if relation is not None:
        return select(["*"], relation)
    kinds = {
        name: "integer" if column.holds == "small" else column.holds
        for name, column in RESULT_COLUMNS.items()
    }
    columns = [f"{dialect.cast('NULL', kind)} AS {name}" for name, kind in kinds.items()]
    return f"{select(columns, '')}\nLIMIT 0"


def offenders_sql(audit: str, staged: str, bins: Sequence[int]) -> str | None:
    """The query that finds the customers that a failed audit of ours is about; None where it is about none.

    Args:
        audit: Its name.
        staged: The staged result, as it stands behind FROM.
        bins: Of recency, frequency and monetary.
    """
    scores = ("r_score", "f_score", "m_score")
    match audit:
        case "customers_unique":
            columns = ["customer_id", "COUNT(*) AS copies"]
            found = f"{select(columns, staged, group=1)}\nHAVING COUNT(*) > 1"
        case "scores_in_range":
            wrong = "\n   OR ".join(
                f"COALESCE({score} NOT BETWEEN 1 AND {most}, TRUE)"
                for score, most in zip(scores, bins, strict=True)
            )
            found = f"{select(('customer_id', *scores), staged)}\nWHERE {wrong}"
        case "segments_total":
            found = f"{select(('customer_id', 'rfm_score'), staged)}\nWHERE segment IS NULL"
        case _:
            return None
    return f"{found}\nORDER BY customer_id\nLIMIT {MOST_ROWS}"
