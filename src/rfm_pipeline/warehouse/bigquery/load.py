"""`rfm load`: files into a table of BigQuery by one load job, all of them or none."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from msgspec import Struct

from rfm_pipeline.config.engines import BigQuerySettings
from rfm_pipeline.config.source_location import BigQueryTable
from rfm_pipeline.errors import DestinationError, WarehouseError
from rfm_pipeline.warehouse.bigquery.client import connect
from rfm_pipeline.warehouse.bigquery.errors import translate_bigquery_errors
from rfm_pipeline.warehouse.bigquery.jobs import JobRunner, Limits
from rfm_pipeline.warehouse.bigquery.local_files import Field, LocalFiles, schema_fields
from rfm_pipeline.warehouse.bigquery.schema import schema_differences, type_name

if TYPE_CHECKING:
    from google.cloud.bigquery import LoadJobConfig, Table

_DROP_SECONDS = 10.0
Mode = Literal["create", "append", "replace"]


class Loaded(Struct, frozen=True):
    """What a load did.

    Attributes:
        source: What a person calls the files.
        table: The table, likewise.
        fields: Its columns, as they were inferred.
        rows: How many rows came in.
        rows_now: How many there are now.
        notes: What was found out about the files.
    """

    source: str
    table: str
    fields: tuple[Field, ...]
    rows: int
    rows_now: int | None
    notes: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """One object with plain values."""
        return {
            "source": self.source,
            "table": self.table,
            "columns": {field.name: field.type for field in self.fields},
            "rows": self.rows,
            "rows_now": self.rows_now,
            "notes": list(self.notes),
        }


def load_files(
    files: LocalFiles, table: BigQueryTable, mode: Mode, settings: BigQuerySettings, run_id: str
) -> Loaded:
    """Loads files into a table; it is made where there is none.

    Args:
        files: The files; they are opened here, and closed by the caller.
        table: The table.
        mode: What becomes of the rows that are there; `create` refuses a table that has any.
        settings: Who pays, where and for how long.
        run_id: Names the job.

    Raises:
        DestinationError: The table is there and nobody said what becomes of its rows, or has other columns.
        RfmError: The files can't be read, or the job failed; the table is as it was.
    """
    files.open()
    jobs = runner(settings, table.project, run_id)
    name = f"{table.project}.{table.dataset}.{table.table}"
    try:
        jobs.location = settings.location or place_of(jobs, table.project, table.dataset)
        standing = find(jobs, name)
        if standing is not None:
            _check(standing, name, files.fields, mode)
        path, rows = files.written()
        if standing is None:
            make(jobs, name, files.fields)
        upload(jobs, "load", path, name, rows, replaces=mode == "replace", fields=files.fields)
        now = find(jobs, name)
    finally:
        jobs.client.close()  # type: ignore[no-untyped-call]
    return Loaded(files.label, name, files.fields, rows, now.num_rows if now else None, files.notes)


def runner(settings: BigQuerySettings, project: str, run_id: str) -> JobRunner:
    """What runs the jobs, by the settings."""
    return JobRunner(connect(settings, project).client, run_id, settings.location, limits_of(settings))


def limits_of(settings: BigQuerySettings) -> Limits:
    """How long things may take, and how much may be read, by the settings."""
    return Limits(
        job=settings.job_timeout,
        retry=settings.retry_timeout,
        request=settings.request_timeout,
        bytes_billed=settings.byte_limit,
    )


def place_of(jobs: JobRunner, project: str, dataset: str) -> str | None:
    """Where a dataset is, such as `EU`.

    Raises:
        DestinationError: There is none.
    """
    from google.api_core.exceptions import NotFound
    from google.cloud.bigquery import DatasetReference

    def get() -> str | None:
        found: Any = jobs.client.get_dataset(
            DatasetReference(project, dataset),
            retry=None,  # type: ignore[arg-type]
            timeout=jobs.request_timeout,
        )
        location: str | None = found.location
        return location

    doing = f"look at the dataset {project}.{dataset}"
    with translate_bigquery_errors(doing):
        try:
            return jobs.patience.ask(get, doing)
        except NotFound:
            raise DestinationError(
                f"There is no dataset {project}.{dataset} in BigQuery, or no permission to see it.",
                f"make it where the data is to be, as in `bq mk --location=EU {project}:{dataset}`.",
            ) from None


def find(jobs: JobRunner, name: str) -> Table | None:
    """A table by its name; None where there is none."""
    from google.api_core.exceptions import NotFound

    def get() -> Table:
        return jobs.client.get_table(
            reference(name),
            retry=None,  # type: ignore[arg-type]
            timeout=jobs.request_timeout,
        )

    with translate_bigquery_errors(f"look at {name}"):
        try:
            return jobs.patience.ask(get, f"look at {name}")
        except NotFound:
            return None


def make(jobs: JobRunner, name: str, fields: tuple[Field, ...], expires: datetime | None = None) -> None:
    """Makes a table; one that is there stays as it is."""
    from google.cloud.bigquery import Table

    table = Table(reference(name), schema=schema_fields(fields))
    table.expires = expires
    table.labels = {"created_by": "rfm-pipeline"}

    def create() -> Table:
        return jobs.client.create_table(
            table,
            exists_ok=True,
            retry=None,  # type: ignore[arg-type]
            timeout=jobs.request_timeout,
        )

    with translate_bigquery_errors(f"make {name}"):
        jobs.patience.ask(create, f"make {name}")


def drop(jobs: JobRunner, name: str, within: float | None = None) -> None:
    """Drops a table; one that is not there is as good as dropped.

    Args:
        jobs: How BigQuery is asked.
        name: The table by its full name.
        within: Seconds for which it is tried; None is as long as anything.
    """

    def delete() -> None:
        jobs.client.delete_table(
            reference(name),
            not_found_ok=True,
            retry=None,  # type: ignore[arg-type]
            timeout=min(_DROP_SECONDS, jobs.request_timeout),
        )

    with translate_bigquery_errors(f"drop {name}"):
        jobs.patience.ask(delete, f"drop {name}", within=within)


def upload(
    jobs: JobRunner,
    step: str,
    path: Path,
    name: str,
    rows: int,
    *,
    replaces: bool,
    fields: tuple[Field, ...],
) -> None:
    """Loads a Parquet file into a table that is there, and counts what came in.

    Raises:
        WarehouseError: The job failed, or took in another number of rows.
    """
    disposition = "WRITE_TRUNCATE" if replaces else "WRITE_APPEND"

    def submit(job_id: str, config: LoadJobConfig) -> Any:
        config.source_format = "PARQUET"
        config.write_disposition = disposition
        config.schema = schema_fields(fields)
        with path.open("rb") as lines:
            return jobs.client.load_table_from_file(
                lines,
                reference(name),
                num_retries=0,
                job_id=job_id,
                location=jobs.location,
                job_config=config,
                # A chunk takes longer than a question.
                timeout=max(300.0, jobs.request_timeout),
            )

    job = jobs.load(step, f"{name} {disposition} {rows}", submit)
    if job.output_rows is not None and job.output_rows != rows:
        raise WarehouseError(
            f"{rows:,} rows were sent to {name}, and BigQuery took in {job.output_rows:,}.",
            f"look at {jobs.link(job.job_id)}",
        )


def _check(table: Table, name: str, fields: tuple[Field, ...], mode: Mode) -> None:
    if table.table_type not in (None, "TABLE"):
        raise DestinationError(f"{name} is no table of its own.", "choose another name.")
    if mode == "create":
        raise DestinationError(
            f"There is a table {name}.", "say what becomes of its rows: --append, or --replace."
        )
    there = {field.name: type_name(field) for field in table.schema}
    if mode == "append" and (
        difference := schema_differences(there, {field.name: field.type for field in fields})
    ):
        raise DestinationError(
            f"The table {name} does not have the columns of the files: it {difference}.",
            "choose another table, or --replace it.",
        )


def reference(name: str) -> Any:
    """A table by its full name, as Google's client takes it."""
    from google.cloud.bigquery import TableReference

    project, dataset, table = name.rsplit(".", 2)
    return TableReference.from_api_repr({"projectId": project, "datasetId": dataset, "tableId": table})
