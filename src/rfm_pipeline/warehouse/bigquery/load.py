"""Load jobs: Parquet files into a BigQuery table, and the `rfm load` use case."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from msgspec import Struct

from rfm_pipeline.config.engines import BigQuerySettings
from rfm_pipeline.config.source_location import BigQueryTable
from rfm_pipeline.errors import DestinationError, WarehouseError
from rfm_pipeline.warehouse.bigquery.catalog import refuse_published_table
from rfm_pipeline.warehouse.bigquery.connection import open_job_runner
from rfm_pipeline.warehouse.bigquery.jobs import JobRunner
from rfm_pipeline.warehouse.bigquery.local_files import LocalFiles, ParquetField, to_schema_fields
from rfm_pipeline.warehouse.bigquery.permissions import expires, expiry_note
from rfm_pipeline.warehouse.bigquery.schema import schema_differences, type_name
from rfm_pipeline.warehouse.bigquery.tables import (
    create_table,
    dataset_location,
    find_table,
    table_reference,
)

if TYPE_CHECKING:
    from google.cloud.bigquery import LoadJobConfig, Table

LoadMode = Literal["create", "append", "replace"]
"""What happens to existing rows; `create` refuses an existing table."""

# A request that uploads a chunk of a file takes longer than other requests.
_MIN_UPLOAD_TIMEOUT_S = 300.0


class LoadResult(Struct, frozen=True):
    """Result of a load.

    Attributes:
        source: Label of the files.
        table: Full name of the table.
        fields: Columns that were inferred from the files.
        rows: Number of loaded rows.
        rows_now: Number of rows in the table after the load; None if unknown.
        notes: Remarks for the user about the files.
    """

    source: str
    table: str
    fields: tuple[ParquetField, ...]
    rows: int
    rows_now: int | None
    notes: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the result as plain values."""
        return {
            "source": self.source,
            "table": self.table,
            "columns": {field.name: field.type for field in self.fields},
            "rows": self.rows,
            "rows_now": self.rows_now,
            "notes": list(self.notes),
        }


def load_files(
    files: LocalFiles, table: BigQueryTable, mode: LoadMode, settings: BigQuerySettings, run_id: str
) -> LoadResult:
    """Load files into a table with one job: all rows or none. A missing table is created.

    Args:
        files: The files; opened here, closed by the caller.
        table: The table.
        mode: What happens to existing rows.
        settings: Settings with billing project, location and limits.
        run_id: Id that job ids start with.

    Raises:
        DestinationError: If the table exists and `mode` is `create`, its columns differ from the files', or
            rfm has published it.
        RfmError: If the files can't be read, or the job failed; the table is then unchanged.
    """
    files.open()
    jobs = open_job_runner(settings, table.project, run_id)
    name = f"{table.project}.{table.dataset}.{table.table}"
    try:
        jobs.location = settings.location or dataset_location(jobs, table.project, table.dataset)
        refuse_published_table(jobs, f"{table.project}.{table.dataset}", table.table)
        existing = find_table(jobs, name)
        if existing is not None:
            _check_target(existing, name, files.fields, mode)
        path, rows = files.write_parquet()
        if existing is None:
            create_table(jobs, name, files.fields, {**settings.labels, "created_by": "rfm-pipeline"})
        load_parquet(jobs, "load", path, name, rows, replaces=mode == "replace", fields=files.fields)
        loaded = find_table(jobs, name)
    finally:
        jobs.client.close()  # type: ignore[no-untyped-call]
    # A new table has the default expiration of its dataset.
    notes = (expiry_note(loaded),) if loaded and expires(loaded) else ()
    rows_now = loaded.num_rows if loaded else None
    return LoadResult(files.label, name, files.fields, rows, rows_now, (*files.notes, *notes))


def load_parquet(
    jobs: JobRunner,
    step: str,
    path: Path,
    name: str,
    rows: int,
    *,
    replaces: bool,
    fields: tuple[ParquetField, ...],
) -> None:
    """Load a Parquet file into an existing table, and check the number of loaded rows.

    Args:
        jobs: Job runner.
        step: Name of the step in the job's id.
        path: The file.
        name: Full name of the table.
        rows: Number of rows in the file.
        replaces: Whether existing rows are replaced.
        fields: Columns of the file.

    Raises:
        WarehouseError: If the job failed or loaded another number of rows.
    """
    disposition = "WRITE_TRUNCATE" if replaces else "WRITE_APPEND"

    def submit(job_id: str, config: LoadJobConfig) -> Any:
        config.source_format = "PARQUET"
        config.write_disposition = disposition
        config.schema = to_schema_fields(fields)
        with path.open("rb") as file:
            return jobs.client.load_table_from_file(
                file,
                table_reference(name),
                num_retries=0,
                job_id=job_id,
                location=jobs.location,
                job_config=config,
                timeout=max(_MIN_UPLOAD_TIMEOUT_S, jobs.request_timeout),
            )

    job = jobs.load(step, f"{name} {disposition} {rows}", submit)
    if job.output_rows is not None and job.output_rows != rows:
        raise WarehouseError(
            f"{rows:,} rows were sent to {name}, and BigQuery loaded {job.output_rows:,}.",
            f"look at {jobs.link(job.job_id)}",
        )


def _check_target(table: Table, name: str, fields: tuple[ParquetField, ...], mode: LoadMode) -> None:
    if table.table_type not in (None, "TABLE"):
        kind = str(table.table_type).lower().replace("_", " ")
        raise DestinationError(f"{name} is a {kind}, not a table.", "choose another name.")
    if mode == "create":
        raise DestinationError(
            f"The table {name} exists.", "choose what happens to its rows: --append, or --replace."
        )
    existing = {field.name: type_name(field) for field in table.schema}
    expected = {field.name: field.type for field in fields}
    if mode == "append" and (differences := schema_differences(existing, expected)):
        raise DestinationError(
            f"The table {name} does not have the columns of the files: it {differences}.",
            "choose another table, or --replace it.",
        )
