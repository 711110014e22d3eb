"""The query as a scheduled query of BigQuery: a script that builds, checks and publishes the rows."""

from __future__ import annotations

from rfm_pipeline.errors import UsageError
from rfm_pipeline.sql.dialects.bigquery import BigQuery
from rfm_pipeline.sql.models.model import MODEL_COLUMNS, Model, ModelFile

RUN_DATE_NOTE = """\
-- A scheduled query of BigQuery. Leave the destination of the schedule empty: the script has its own. A start
-- off the hour, such as 05:33, is not repeated by BigQuery. @run_time is when the run was scheduled, also in
-- a backfill. To try the script:
-- bq query --use_legacy_sql=false --parameter=run_time:TIMESTAMP:'2025-12-31 05:33:00' < FILE"""
_STAGED = "rfm_scored"
_TYPES = {"small": "integer"}


def scheduled_query_files(model: Model) -> tuple[ModelFile, ...]:
    """Return the script.

    Raises:
        UsageError: If the table that it reads or fills has no dataset, or it would replace what it reads.
    """
    if model.source and model.source.dataset is None:
        raise UsageError(
            f"'{model.source.table}' names no dataset, and BigQuery knows tables by it.",
            "give --table project.dataset.table.",
        )
    if not 2 <= len(model.name.split(".")) <= 3:
        raise UsageError(
            f"'{model.name}' names no dataset for the result.", "give --name project.dataset.table."
        )
    if model.source and ".".join(model.source.parts) == model.name:
        raise UsageError(
            f"The scheduled query would replace {model.name}, which it reads.",
            "name another table for the result with --name.",
        )
    dialect = BigQuery()
    query = model.query
    if model.source:
        query = query.replace(model.placeholder, dialect.table(".".join(model.source.parts)))
    statements = [
        f"CREATE TEMP TABLE {_STAGED} AS\n{query}",
        *_assertions(model),
        *_publish(model, dialect.table(model.name)),
    ]
    text = f"{RUN_DATE_NOTE}\n--\n{model.comment}\n" + ";\n\n".join(statements) + ";\n"
    return (ModelFile(f"{model.table}.sql", text, text),)


def _assertions(model: Model) -> list[str]:
    """Return the statements that stop the script before it publishes rows that are wrong."""
    literal = BigQuery().quoted_text
    segments = ", ".join(map(literal, model.segments))
    scores = [f"{initial}_score BETWEEN 1 AND {bins}" for initial, bins in model.bins.items()]
    valid = "\n    AND ".join([f"segment IN ({segments})", *scores])
    checks = {
        "no line counts: nothing is published": "COUNT(*) > 0",
        "a customer has several rows: nothing is published": "COUNT(*) = COUNT(DISTINCT customer_id)",
        "a segment or a score is not valid: nothing is published": f"COUNT(*) = COUNTIF(\n    {valid}\n  )",
    }
    return [
        f"ASSERT (\n  SELECT {condition}\n  FROM {_STAGED}\n) AS {literal(message)}"
        for message, condition in checks.items()
    ]


def _publish(model: Model, table: str) -> list[str]:
    names = ",\n  ".join(MODEL_COLUMNS)
    rows = f"SELECT\n  {names}\nFROM {_STAGED}"
    if not model.keeps_history:
        return [f"CREATE OR REPLACE TABLE {table} (\n{_columns()}\n)\n{_options(model)}\nAS\n{rows}"]
    return [
        f"CREATE TABLE IF NOT EXISTS {table} (\n{_columns()}\n)\nPARTITION BY as_of_date\n{_options(model)}",
        "BEGIN TRANSACTION",
        f"DELETE FROM {table}\nWHERE as_of_date IN (SELECT as_of_date FROM {_STAGED})",
        f"INSERT INTO {table} (\n  {names}\n)\n{rows}",
        "COMMIT TRANSACTION",
    ]


def _columns() -> str:
    dialect = BigQuery()
    return ",\n".join(
        f"  {name} {dialect.types[_TYPES.get(column.holds, column.holds)]}"
        f" OPTIONS (description = {dialect.quoted_text(column.description)})"
        for name, column in MODEL_COLUMNS.items()
    )


def _options(model: Model) -> str:
    literal = BigQuery().quoted_text
    labels = ", ".join(f"({literal(name)}, {literal(value)})" for name, value in model.labels.items())
    return (
        f"CLUSTER BY {', '.join(model.cluster_by)}\n"
        f"OPTIONS (\n  description = {literal(model.description)},\n  labels = [{labels}]\n)"
    )
