"""The statements that stage and publish on BigQuery. Each may run twice, and is then as good as once."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from rfm_pipeline.layout import RESULT_COLUMNS

TYPES: Mapping[str, str] = {
    "text": "STRING",
    "integer": "INT64",
    "small": "INT64",
    "money": "NUMERIC",
    "date": "DATE",
}
"""BigQuery's types for what a column of the published table holds."""

ABOUT = "RFM segments: one row per customer, replaced by each run."


def quoted(*parts: str) -> str:
    """A table by the parts of its name, as it stands behind FROM.

    >>> quoted("shop", "sales", "events_*")
    '`shop`.`sales`.`events_*`'
    """
    return ".".join("`" + part.replace("\\", "\\\\").replace("`", "\\`") + "`" for part in parts)


def stage(table: str, select: str, expires: datetime, labels: Mapping[str, str]) -> str:
    """Stages the rows of a SELECT as a table that goes away by itself.

    Args:
        table: The table, quoted.
        select: Its rows.
        expires: When BigQuery is to drop it, should we not come to it; in UTC.
        labels: The table's labels.
    """
    return (
        f"CREATE OR REPLACE TABLE {table}\n"
        "OPTIONS (\n"
        f"  expiration_timestamp = TIMESTAMP '{expires:%Y-%m-%d %H:%M:%S}+00:00',\n"
        "  description = 'Staged by a run of rfm, and dropped at its end.',\n"
        f"  labels = [{_labels(labels)}]\n"
        ") AS\n"
        f"{select}"
    )


def make_result(table: str, labels: Mapping[str, str]) -> str:
    """Makes the published table where there is none: typed, described, labelled, clustered by segment."""
    columns = ",\n".join(
        f"  {name} {TYPES[column.holds]} OPTIONS (description = '{column.description}')"
        for name, column in RESULT_COLUMNS.items()
    )
    return (
        f"CREATE TABLE IF NOT EXISTS {table} (\n{columns}\n)\n"
        "CLUSTER BY segment\n"
        f"OPTIONS (description = '{ABOUT}', labels = [{_labels(labels)}])"
    )


def publish(replacements: Mapping[str, str]) -> str:
    """Replaces the rows of published tables by those of staged ones, all of them or none.

    Args:
        replacements: Published table to staged table, both quoted.
    """
    names = ", ".join(RESULT_COLUMNS)
    replaced = "".join(
        f"TRUNCATE TABLE {table};\nINSERT INTO {table} ({names})\nSELECT {names}\nFROM {staged};\n"
        for table, staged in replacements.items()
    )
    return f"BEGIN TRANSACTION;\n{replaced}COMMIT TRANSACTION;"


def standing(table: str) -> str:
    """What stands in a published table."""
    return f"SELECT MAX(as_of_date) AS as_of_date, COUNT(*) AS customers\nFROM {table}"


def _labels(labels: Mapping[str, str]) -> str:
    return ", ".join(f"('{key}', '{value}')" for key, value in labels.items())
