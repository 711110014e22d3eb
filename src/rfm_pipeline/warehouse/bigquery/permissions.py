"""Permission check for BigQuery, used by `rfm check`: the account, its permissions, and the roles it lacks.

The check changes nothing: it reads metadata, and uses dry runs for permissions that metadata does not show.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from rfm_pipeline.common.formatting import format_count
from rfm_pipeline.config.destination_location import BigQueryDestinationLocation
from rfm_pipeline.config.engines import BigQuerySettings
from rfm_pipeline.config.source_location import BigQueryTable
from rfm_pipeline.errors import WarehouseError
from rfm_pipeline.results.tables import SUFFIXES
from rfm_pipeline.warehouse.bigquery import statements
from rfm_pipeline.warehouse.bigquery.connection import connect
from rfm_pipeline.warehouse.bigquery.errors import (
    BILLING_HINT,
    ROLES_BY_PERMISSION,
    find_permission,
    lacks_billing,
    translate_bigquery_errors,
)
from rfm_pipeline.warehouse.bigquery.job_options import JobOptions
from rfm_pipeline.warehouse.bigquery.jobs import JobRunner
from rfm_pipeline.warehouse.bigquery.tables import find_table

if TYPE_CHECKING:
    from google.cloud.bigquery import Dataset, Table

_SANDBOX_EXPIRATION_MS = 60 * 86_400_000
"""Expiration of tables in BigQuery without billing: 60 days."""


class Permission(Struct, frozen=True):
    """A permission that a run needs.

    Attributes:
        name: Google's name of the permission.
        on: Project, dataset or table that the permission is needed on.
        is_granted: Whether the account has the permission; None if unknown.
    """

    name: str
    on: str
    is_granted: bool | None

    @property
    def role(self) -> str:
        """Role that grants the permission, and the resource to grant the role on."""
        return ROLES_BY_PERMISSION[self.name]


class Access(Struct, frozen=True):
    """Account and permissions of a run.

    Attributes:
        principal: E-mail address or description of the account.
        project: Project that is billed for the jobs.
        location: Location of the destination's dataset; None if unknown.
        permissions: Permissions that the run needs.
        has_billing: Whether BigQuery executes DML, which needs billing; None if unknown.
        notes: Remarks about the destination's dataset.
    """

    principal: str
    project: str
    location: str | None
    permissions: tuple[Permission, ...]
    has_billing: bool | None = None
    notes: tuple[str, ...] = ()

    @property
    def missing(self) -> tuple[Permission, ...]:
        """Permissions that the account lacks."""
        return tuple(permission for permission in self.permissions if permission.is_granted is False)

    def to_json(self) -> dict[str, Any]:
        """Return the access as plain values."""
        return {
            "principal": self.principal,
            "project": self.project,
            "location": self.location,
            "billing": self.has_billing,
            "notes": list(self.notes),
            "permissions": [
                {
                    "permission": permission.name,
                    "on": permission.on,
                    "granted": permission.is_granted,
                    "role": permission.role,
                }
                for permission in self.permissions
            ],
        }

    def raise_if_missing(self) -> None:
        """Raise an error that names the missing permissions, if there are any.

        Raises:
            WarehouseError: If a permission is missing, or the project has no billing.
        """
        if self.has_billing is False:
            raise WarehouseError(
                f"The project {self.project} has no billing, and without it BigQuery executes no DML, which"
                " publishes a result.",
                BILLING_HINT,
            )
        if self.missing:
            named = ", ".join(f"{permission.name} on {permission.on}" for permission in self.missing)
            roles = "; ".join(dict.fromkeys(permission.role for permission in self.missing))
            subject = "A permission is" if len(self.missing) == 1 else f"{len(self.missing)} permissions are"
            raise WarehouseError(f"{subject} missing for {self.principal}: {named}.", f"grant {roles}.")


def check_access(
    source: BigQueryTable | None,
    destination: BigQueryDestinationLocation,
    settings: BigQuerySettings,
    run_id: str,
) -> Access:
    """Check the account and its permissions.

    Args:
        source: Table to read; None if files are loaded.
        destination: Project, dataset and table to publish to.
        settings: Settings with billing project, location and limits.
        run_id: Id that labels the requests.

    Raises:
        RfmError: If there are no credentials, or BigQuery can't be reached.
    """
    connection = connect(settings, destination.project)
    jobs = JobRunner(connection.client, run_id, settings.location, JobOptions.of(settings))
    try:
        dataset, dataset_permission = _dataset_permission(jobs, destination)
        location = dataset.location if dataset else None
        jobs.location = settings.location or location
        permissions = [
            _check_dry_run(jobs, "bigquery.jobs.create", connection.client.project, "SELECT 1 AS one"),
            dataset_permission,
        ]
        if source is not None:
            permissions += _source_permissions(jobs, source)
        permissions.append(_create_permission(jobs, destination))
        name = f"{destination.project}.{destination.dataset}.{destination.table}"
        published: list[Table] = []
        permission = _check_request(
            lambda: published.extend(_published_tables(jobs, name)), "bigquery.tables.get", name
        )
        permissions.append(permission)
        has_billing = None
        if published:
            permission, has_billing = check_dml(jobs, published[0])
            permissions.append(permission)
    finally:
        connection.client.close()  # type: ignore[no-untyped-call]
    return Access(
        connection.principal,
        connection.client.project,
        location,
        tuple(permissions),
        has_billing,
        (*(expiration_notes(dataset) if dataset else ()), *map(expiry_note, filter(expires, published))),
    )


def expiration_notes(dataset: Dataset) -> tuple[str, ...]:
    """Return remarks about the default expirations of the destination's dataset."""
    periods = {
        "a table": dataset.default_table_expiration_ms,
        "a partition": dataset.default_partition_expiration_ms,
    }
    named = [f"{noun} after {_format_days(period)}" for noun, period in periods.items() if period]
    if not named:
        return ()
    notes = [
        f"the dataset drops {' and '.join(named)} unless the table states otherwise, as those of a result do"
    ]
    if dataset.default_table_expiration_ms == _SANDBOX_EXPIRATION_MS:
        notes.append(
            "BigQuery's sandbox has that default, and executes no DML: a run needs billing to publish"
        )
    return tuple(notes)


def expires(table: Table) -> bool:
    """Return whether BigQuery drops a table, or its partitions, at a time."""
    by_time = table.time_partitioning
    return table.expires is not None or (by_time is not None and bool(by_time.expiration_ms))


def expiry_note(table: Table) -> str:
    """Return when BigQuery drops a table or its partitions, and the statement that keeps them."""
    name = statements.qualified_name(table.project, table.dataset_id, table.table_id)
    if table.expires is not None:
        what, option = f"expires on {table.expires:%Y-%m-%d}", "expiration_timestamp"
    else:
        what = f"loses partitions after {_format_days(table.time_partitioning.expiration_ms)}"
        option = "partition_expiration_days"
    return f"{table.table_id} {what}; ALTER TABLE {name} SET OPTIONS ({option} = NULL) keeps it"


def _format_days(milliseconds: int) -> str:
    return format_count(max(1, round(milliseconds / 86_400_000)), "day")


def _published_tables(jobs: JobRunner, name: str) -> list[Table]:
    """Return the existing tables of the destination whose current result has the full name `name`."""
    found = (find_table(jobs, f"{name}{suffix}") for suffix in SUFFIXES.values())
    return [table for table in found if table is not None]


def check_dml(jobs: JobRunner, table: Table) -> tuple[Permission, bool | None]:
    """Return whether the account may change a table, and whether the project has the billing that DML needs.

    A dry run of a statement that changes no row tells. None for unknown.
    """
    from google.api_core.exceptions import ClientError, Forbidden

    name, on = "bigquery.tables.updateData", f"{table.project}.{table.dataset_id}.{table.table_id}"
    quoted = statements.qualified_name(table.project, table.dataset_id, table.table_id)
    try:
        jobs.dry_run(f"DELETE FROM {quoted}\nWHERE FALSE", "access")
    except ClientError as error:
        if lacks_billing(str(error)):
            return Permission(name, on, None), False
        is_denied = isinstance(error, Forbidden) and find_permission(str(error)) in {None, name}
        return Permission(name, on, False if is_denied else None), None
    return Permission(name, on, is_granted=True), True


def _dataset_permission(
    jobs: JobRunner, destination: BigQueryDestinationLocation
) -> tuple[Dataset | None, Permission]:
    from google.cloud.bigquery import DatasetReference

    name = f"{destination.project}.{destination.dataset}"
    datasets: list[Dataset] = []

    def get() -> None:
        dataset: Any = jobs.client.get_dataset(
            DatasetReference(destination.project, destination.dataset),
            retry=None,  # type: ignore[arg-type]
            timeout=jobs.request_timeout,
        )
        datasets.append(dataset)

    permission = _check_request(
        lambda: jobs.retry_policy.call(get, f"read the dataset {name}"), "bigquery.datasets.get", name
    )
    return (datasets[0] if datasets else None), permission


def _source_permissions(jobs: JobRunner, source: BigQueryTable) -> list[Permission]:
    name, relation = ".".join(source.parts), statements.qualified_name(*source.parts)
    # Columns are checked with the plan, whose query reads those that play a role.
    permissions = []
    if not source.table.endswith("*") and not source.is_in_catalog:
        permissions.append(_check_request(lambda: find_table(jobs, name), "bigquery.tables.get", name))
    return [
        *permissions,
        _check_dry_run(jobs, "bigquery.tables.getData", name, f"SELECT 1 AS one\nFROM {relation}"),
    ]


def _create_permission(jobs: JobRunner, destination: BigQueryDestinationLocation) -> Permission:
    probe = statements.qualified_name(
        destination.project, destination.dataset, f"{destination.table}__access"
    )
    dataset = f"{destination.project}.{destination.dataset}"
    return _check_dry_run(
        jobs, "bigquery.tables.create", dataset, f"CREATE TABLE IF NOT EXISTS {probe} AS SELECT 1 AS one"
    )


def _check_dry_run(jobs: JobRunner, permission: str, on: str, sql: str) -> Permission:
    return _check_request(lambda: jobs.dry_run(sql, "access"), permission, on)


def _check_request(request: Callable[[], object], permission: str, on: str) -> Permission:
    """Send a request that needs a permission: a denial means not granted, any other error means unknown."""
    from google.api_core.exceptions import ClientError, Forbidden

    with translate_bigquery_errors("check the permissions"):
        try:
            request()
        except Forbidden as error:
            # The request may lack another permission, which is checked separately.
            is_other = find_permission(str(error)) not in (None, permission)
            return Permission(permission, on, None if is_other else False)
        except ClientError:
            return Permission(permission, on, None)
        except WarehouseError as error:
            if isinstance(error.__cause__, Forbidden):
                return Permission(permission, on, is_granted=False)
            raise
    return Permission(permission, on, is_granted=True)
