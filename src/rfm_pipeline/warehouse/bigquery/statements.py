"""The statements that stage and publish on BigQuery. Each may run twice, and is then as good as once."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime

from rfm_pipeline.results.tables import COLUMNS

TYPES: Mapping[str, str] = {
    "text": "STRING",
    "integer": "INT64",
    "small": "INT64",
    "money": "NUMERIC",
    "date": "DATE",
    "instant": "TIMESTAMP",
}
"""BigQuery's types for what a column of a published table holds."""

ABOUT: Mapping[str, tuple[str, str]] = {
    "current": ("CLUSTER BY segment", "RFM segments: one row per customer, replaced by each run."),
    "history": (
        "PARTITION BY as_of_date\nCLUSTER BY segment",
        "RFM segments as of each date: one row per customer and date.",
    ),
    "runs": ("", "The runs that made the RFM segments beside this table, one row each."),
}
"""How each published table is cut and clustered, and what it is."""
_STAGED = re.compile(r"__(?P<run>\d{8}T\d{6}_[0-9a-f]{6})__[a-z_]+")


def quoted(*parts: str) -> str:
    """A table by the parts of its name, as it stands behind FROM.

    >>> quoted("shop", "sales", "events_*")
    '`shop`.`sales`.`events_*`'
    """
    return ".".join("`" + part.replace("\\", "\\\\").replace("`", "\\`") + "`" for part in parts)


def create_staging_table_sql(table: str, select: str, expires: datetime, labels: Mapping[str, str]) -> str:
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


def make_table(name: str, table: str, labels: Mapping[str, str]) -> str:
    """Makes a published table where there is none: typed, described, labelled, cut and clustered.

    Args:
        name: Which one: `current`, `history` or `runs`.
        table: The table, quoted.
        labels: The table's labels.
    """
    columns = ",\n".join(
        f"  {column} {TYPES[about.holds]} OPTIONS (description = '{about.description}')"
        for column, about in COLUMNS[name].items()
    )
    cut, description = ABOUT[name]
    return (
        f"CREATE TABLE IF NOT EXISTS {table} (\n{columns}\n)\n"
        f"{cut}{cut and chr(10)}"
        f"OPTIONS (description = '{description}', labels = [{_labels(labels)}])"
    )


def transaction(changes: Sequence[str]) -> str:
    """Changes that are made all of them, or none."""
    return ";\n".join(["BEGIN TRANSACTION", *changes, "COMMIT TRANSACTION;"])


def staged_name(table: str, run_id: str, name: str) -> str:
    """What a run's staged table is called: `rfm_segments__20251231T060000_1f9c3a__customers`."""
    return f"{table}__{run_id.replace('-', '_')}__{name}"


def staged_by(table: str, found: str) -> str | None:
    """The run that staged a table for a destination; None where it is none of those.

    >>> staged_by("rfm_segments", "rfm_segments__20251231T060000_1f9c3a__edges")
    '20251231T060000-1f9c3a'
    """
    match = _STAGED.fullmatch(found.removeprefix(table)) if found.startswith(table) else None
    return match["run"].replace("_", "-") if match else None


def _labels(labels: Mapping[str, str]) -> str:
    return ", ".join(f"('{key}', '{value}')" for key, value in labels.items())
