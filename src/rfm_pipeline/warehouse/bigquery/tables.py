"""Datasets and tables of BigQuery: look-up, creation and deletion through the API, with retries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from rfm_pipeline.common.schema import Schema
from rfm_pipeline.errors import DestinationError
from rfm_pipeline.source.profile.sample import SAMPLE_ROWS, Sample, build_sample, sampled_columns
from rfm_pipeline.warehouse.bigquery.errors import translate_bigquery_errors
from rfm_pipeline.warehouse.bigquery.jobs import JobRunner
from rfm_pipeline.warehouse.bigquery.local_files import ParquetField, to_schema_fields

if TYPE_CHECKING:
    from google.cloud.bigquery import SchemaField, Table

_DROP_TIMEOUT_S = 10.0


def dataset_location(jobs: JobRunner, project: str, dataset: str) -> str | None:
    """Return the location of a dataset, such as `EU`.

    Raises:
        DestinationError: If the dataset does not exist or is not visible.
    """
    from google.api_core.exceptions import NotFound
    from google.cloud.bigquery import DatasetReference

    def get() -> str | None:
        dataset_info: Any = jobs.client.get_dataset(
            DatasetReference(project, dataset),
            retry=None,  # type: ignore[arg-type]
            timeout=jobs.request_timeout,
        )
        location: str | None = dataset_info.location
        return location

    doing = f"read the dataset {project}.{dataset}"
    with translate_bigquery_errors(doing):
        try:
            return jobs.retry_policy.call(get, doing)
        except NotFound:
            raise DestinationError(
                f"There is no dataset {project}.{dataset} in BigQuery, or no permission to see it.",
                f"create it in the location of the data, as in `bq mk --location=EU {project}:{dataset}`.",
            ) from None


def find_table(jobs: JobRunner, name: str, timeout_s: float | None = None) -> Table | None:
    """Return a table's metadata; None if the table does not exist.

    Args:
        jobs: Job runner with the client.
        name: Full name of the table.
        timeout_s: Seconds after which a failing request is not retried; None for the policy's deadline.
    """
    from google.api_core.exceptions import NotFound

    def get() -> Table:
        return jobs.client.get_table(
            table_reference(name),
            retry=None,  # type: ignore[arg-type]
            timeout=jobs.request_timeout,
        )

    doing = f"read the table {name}"
    with translate_bigquery_errors(doing):
        try:
            return jobs.retry_policy.call(get, doing, timeout_s=timeout_s)
        except NotFound:
            return None


def list_tables(jobs: JobRunner, dataset: str) -> list[str]:
    """Return the names of a dataset's tables, given its full name `project.dataset`.

    Raises:
        RfmError: If the tables can't be listed.
    """

    def list_names() -> list[str]:
        tables = jobs.client.list_tables(
            dataset,
            retry=None,  # type: ignore[arg-type]
            timeout=jobs.request_timeout,
        )
        return [table.table_id for table in tables]

    doing = f"list the tables of {dataset}"
    with translate_bigquery_errors(doing):
        return jobs.retry_policy.call(list_names, doing)


def first_rows(jobs: JobRunner, table: Table, columns: Schema) -> Sample:
    """Return the first rows of a table, which BigQuery lists free of charge; none of a view.

    Rows of a table with protected columns are listed without them, and of one with row-level security not at
    all, unless the account may read everything.

    Args:
        jobs: Job runner with the client.
        table: Metadata of the table.
        columns: The columns of the table.

    Raises:
        RfmError: If the rows can't be read.
    """
    from google.api_core.exceptions import Forbidden

    if table.table_type != "TABLE":
        return Sample()
    readable = [field for field in table.schema if not is_protected(field)]
    doing = f"read the first rows of {table.full_table_id}"
    for fields in filter(None, (list(table.schema), readable)):
        names = {field.name for field in fields}
        sampled = tuple(column for column in sampled_columns(columns) if column.path[0] in names)

        def list_rows(
            fields: Sequence[SchemaField] = fields, sampled: Schema = sampled
        ) -> list[tuple[str | None, ...]]:
            rows: Any = jobs.client.list_rows(
                table,
                selected_fields=fields,
                max_results=SAMPLE_ROWS + 1,
                retry=None,  # type: ignore[arg-type]
                timeout=jobs.request_timeout,
            )
            return [tuple(_text_at(row, column.path) for column in sampled) for row in rows]

        with translate_bigquery_errors(doing):
            try:
                rows = jobs.retry_policy.call(list_rows, doing)
            except Forbidden:
                continue
        return build_sample(sampled, rows[:SAMPLE_ROWS], is_whole=len(rows) <= SAMPLE_ROWS)
    return Sample()


def is_protected(field: SchemaField) -> bool:
    """Return whether a column, or a field in it, has a policy tag or a data policy."""
    has_policy = field.policy_tags is not None or bool(field.to_api_repr().get("dataPolicies"))
    return has_policy or any(map(is_protected, field.fields))


def _text_at(row: Any, path: Sequence[str]) -> str | None:
    value = row
    for name in path:
        # The fields of a STRUCT that is repeated, or NULL, have no value of their own.
        value = None if value is None or isinstance(value, list) else value[name]
    return None if value is None or isinstance(value, list) else str(value)


def create_table(
    jobs: JobRunner,
    name: str,
    fields: tuple[ParquetField, ...],
    labels: Mapping[str, str],
    expires: datetime | None = None,
) -> None:
    """Create a table; an existing table stays unchanged.

    Args:
        jobs: Job runner with the client.
        name: Full name of the table.
        fields: Columns of the table.
        labels: Labels of the table.
        expires: Time at which BigQuery drops the table; None for never.
    """
    from google.cloud.bigquery import Table

    table = Table(table_reference(name), schema=to_schema_fields(fields))
    table.expires = expires
    table.labels = dict(labels)

    def create() -> Table:
        return jobs.client.create_table(
            table,
            exists_ok=True,
            retry=None,  # type: ignore[arg-type]
            timeout=jobs.request_timeout,
        )

    doing = f"create the table {name}"
    with translate_bigquery_errors(doing):
        jobs.retry_policy.call(create, doing)


def describe_table(jobs: JobRunner, name: str, description: str) -> None:
    """Change the description of an existing table, given its full name."""
    from google.cloud.bigquery import Table

    table = Table(table_reference(name))
    table.description = description

    def update() -> Table:
        return jobs.client.update_table(
            table,
            ["description"],
            retry=None,  # type: ignore[arg-type]
            timeout=jobs.request_timeout,
        )

    doing = f"describe the table {name}"
    with translate_bigquery_errors(doing):
        jobs.retry_policy.call(update, doing)


def drop_table(jobs: JobRunner, name: str, timeout_s: float | None = None) -> None:
    """Drop a table, if it exists.

    Args:
        jobs: Job runner with the client.
        name: Full name of the table.
        timeout_s: Seconds after which a failing request is not retried; None for the policy's deadline.
    """

    def delete() -> None:
        jobs.client.delete_table(
            table_reference(name),
            not_found_ok=True,
            retry=None,  # type: ignore[arg-type]
            timeout=min(_DROP_TIMEOUT_S, jobs.request_timeout),
        )

    doing = f"drop the table {name}"
    with translate_bigquery_errors(doing):
        jobs.retry_policy.call(delete, doing, timeout_s=timeout_s)


def table_reference(name: str) -> Any:
    """Return Google's reference object for a table, given its full name `project.dataset.table`."""
    from google.cloud.bigquery import TableReference

    # From the right, because a project id can contain a dot, as in `example.com:shop`.
    project, dataset, table = name.rsplit(".", 2)
    return TableReference.from_api_repr({"projectId": project, "datasetId": dataset, "tableId": table})
