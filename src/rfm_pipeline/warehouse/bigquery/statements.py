"""SQL statements that stage and publish on BigQuery; each is idempotent, as a failed job may run again."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime

from rfm_pipeline.results.tables import PUBLISHED_COLUMNS
from rfm_pipeline.warehouse.bigquery.schema import COLUMN_TYPES

_LAYOUTS: Mapping[str, str] = {
    "current": "CLUSTER BY segment",
    "history": "PARTITION BY as_of_date\nCLUSTER BY segment",
    "runs": "",
}
_LEASE_SUFFIX = "__lease"
_STAGING_SUFFIX = re.compile(r"__(?P<run>\d{8}T\d{6}_[0-9a-f]{6})__[a-z_]+$")


def qualified_name(*parts: str) -> str:
    """Return the quoted name of a table or a column, given its parts.

    >>> qualified_name("shop", "sales", "events_*")
    '`shop`.`sales`.`events_*`'
    """
    return ".".join("`" + part.replace("\\", "\\\\").replace("`", "\\`") + "`" for part in parts)


def string_literal(value: str) -> str:
    r"""Return a text as a literal.

    >>> print(string_literal("the customer's last order"))
    'the customer\'s last order'
    """
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def create_staging_table_sql(table: str, select: str, expires: datetime, labels: Mapping[str, str]) -> str:
    """Return a statement that stages the rows of a SELECT in a table with an expiry.

    Args:
        table: Quoted name of the table.
        select: SELECT of its rows.
        expires: Time in UTC at which BigQuery drops the table, if the run has not dropped it by then.
        labels: Labels of the table.
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


def create_published_table_sql(name: str, table: str, comment: str, labels: Mapping[str, str]) -> str:
    """Return a statement that creates a published table with types, descriptions, labels and clustering.

    Args:
        name: `current`, `history` or `runs`.
        table: Quoted name of the table.
        comment: Description of the table, with its mark.
        labels: Labels of the table.
    """
    columns = ",\n".join(
        f"  {column} {COLUMN_TYPES[about.holds]} OPTIONS (description = {string_literal(about.description)})"
        for column, about in PUBLISHED_COLUMNS[name].items()
    )
    layout = _LAYOUTS[name]
    return (
        f"CREATE TABLE IF NOT EXISTS {table} (\n{columns}\n)\n"
        f"{layout}{layout and chr(10)}"
        f"OPTIONS (description = {string_literal(comment)}, labels = [{_labels(labels)}])"
    )


def keep_published_table_sql(name: str, table: str) -> str:
    """Return a statement after which a published table and its partitions never expire.

    CREATE TABLE ignores options that are NULL, so a new table has the default expirations of its dataset, and
    loses partitions that are older at once.

    Args:
        name: `current`, `history` or `runs`.
        table: Quoted name of the table.
    """
    options = ["expiration_timestamp = NULL"]
    if "PARTITION BY" in _LAYOUTS[name]:
        options.append("partition_expiration_days = NULL")
    return f"ALTER TABLE {table} SET OPTIONS ({', '.join(options)})"


def create_kept_orders_sql(
    table: str, columns: Mapping[str, str], comment: str, labels: Mapping[str, str], clustered_by: str | None
) -> str:
    """Return statements that make the table of kept orders anew, without rows, and which never expires.

    Args:
        table: Quoted name of the table.
        columns: Type of each column, by its name.
        comment: Description of the table, with its mark.
        labels: Labels of the table.
        clustered_by: Column by which the table is clustered; None if its type does not allow it.
    """
    typed = ",\n".join(f"  {name} {type_}" for name, type_ in columns.items())
    layout = "PARTITION BY part" + (f"\nCLUSTER BY {clustered_by}" if clustered_by else "")
    # A table can't be replaced by one with other partitions or clusters.
    return (
        f"DROP TABLE IF EXISTS {table};\n"
        f"CREATE TABLE {table} (\n{typed}\n)\n{layout}\n"
        f"OPTIONS (description = {string_literal(comment)}, labels = [{_labels(labels)}]);\n"
        f"ALTER TABLE {table} SET OPTIONS (expiration_timestamp = NULL, partition_expiration_days = NULL)"
    )


def date_literal(day: date) -> str:
    """Return a date as a literal.

    >>> date_literal(date(2024, 1, 31))
    "DATE '2024-01-31'"
    """
    return f"DATE '{day.isoformat()}'"


def date_list(days: Iterable[date]) -> str:
    """Return dates as literals, separated by commas."""
    return ", ".join(map(date_literal, days))


def transaction_sql(statements: Sequence[str]) -> str:
    """Return a script that executes all statements in one transaction."""
    return ";\n".join(["BEGIN TRANSACTION", *statements, "COMMIT TRANSACTION;"])


def staging_table_name(table: str, run_id: str, name: str) -> str:
    """Return the name of a staged table.

    Args:
        table: Name of the destination's table.
        run_id: Id of the run.
        name: Name of the staged table within the run.

    >>> staging_table_name("rfm_segments", "20251231T060000-1f9c3a", "edges")
    'rfm_segments__20251231T060000_1f9c3a__edges'
    """
    return f"{table}__{run_id.replace('-', '_')}__{name}"


def lease_name(table: str) -> str:
    """Return the name of the lease of the destination's table."""
    return f"{table}{_LEASE_SUFFIX}"


def is_temporary_name(table: str) -> bool:
    """Return whether a table has the name of a lease or of a staged table, of whatever destination.

    >>> is_temporary_name("rfm_segments__lease"), is_temporary_name("rfm_segments")
    (True, False)
    """
    return table.casefold().endswith(_LEASE_SUFFIX) or _STAGING_SUFFIX.search(table) is not None


def staging_run_id(table: str, candidate: str) -> str | None:
    """Return the id of the run that staged the table `candidate`; None if it is no staged table of `table`.

    >>> staging_run_id("rfm_segments", "rfm_segments__20251231T060000_1f9c3a__edges")
    '20251231T060000-1f9c3a'
    """
    if not candidate.startswith(table):
        return None
    match = _STAGING_SUFFIX.fullmatch(candidate.removeprefix(table))
    return match["run"].replace("_", "-") if match else None


def _labels(labels: Mapping[str, str]) -> str:
    return ", ".join(f"('{key}', '{value}')" for key, value in labels.items())
