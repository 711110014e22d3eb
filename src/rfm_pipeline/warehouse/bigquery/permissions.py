"""Permission check for BigQuery, used by `rfm check`: the account, its permissions, and the roles it lacks.

The check changes nothing: it reads metadata, and uses dry runs for permissions that metadata does not show.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec import Struct

from rfm_pipeline.config.destination_location import BigQueryDestinationLocation
from rfm_pipeline.config.engines import BigQuerySettings
from rfm_pipeline.config.source_location import BigQueryTable
from rfm_pipeline.errors import WarehouseError
from rfm_pipeline.warehouse.bigquery import statements
from rfm_pipeline.warehouse.bigquery.connection import connect, job_limits
from rfm_pipeline.warehouse.bigquery.errors import (
    ROLES_BY_PERMISSION,
    find_permission,
    translate_bigquery_errors,
)
from rfm_pipeline.warehouse.bigquery.jobs import JobRunner
from rfm_pipeline.warehouse.bigquery.tables import find_table


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
    """

    principal: str
    project: str
    location: str | None
    permissions: tuple[Permission, ...]

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
            WarehouseError: If a permission is missing.
        """
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
    jobs = JobRunner(connection.client, run_id, settings.location, job_limits(settings))
    try:
        location, dataset_permission = _dataset_permission(jobs, destination)
        jobs.location = settings.location or location
        permissions = [
            _check_dry_run(jobs, "bigquery.jobs.create", connection.client.project, "SELECT 1 AS one"),
            dataset_permission,
        ]
        if source is not None:
            permissions += _source_permissions(jobs, source)
        permissions.append(_create_permission(jobs, destination))
        name = f"{destination.project}.{destination.dataset}.{destination.table}"
        permissions.append(_check_request(lambda: find_table(jobs, name), "bigquery.tables.get", name))
    finally:
        connection.client.close()  # type: ignore[no-untyped-call]
    return Access(connection.principal, connection.client.project, location, tuple(permissions))


def _dataset_permission(
    jobs: JobRunner, destination: BigQueryDestinationLocation
) -> tuple[str | None, Permission]:
    from google.cloud.bigquery import DatasetReference

    name = f"{destination.project}.{destination.dataset}"
    locations: list[str | None] = []

    def get() -> None:
        dataset: Any = jobs.client.get_dataset(
            DatasetReference(destination.project, destination.dataset),
            retry=None,  # type: ignore[arg-type]
            timeout=jobs.request_timeout,
        )
        locations.append(dataset.location)

    permission = _check_request(
        lambda: jobs.retry_policy.call(get, f"read the dataset {name}"), "bigquery.datasets.get", name
    )
    return (locations[0] if locations else None), permission


def _source_permissions(jobs: JobRunner, source: BigQueryTable) -> list[Permission]:
    name = f"{source.project}.{source.dataset}.{source.table}"
    relation = statements.qualified_name(source.project, source.dataset, source.table)
    permissions = []
    if not source.table.endswith("*"):
        permissions.append(_check_request(lambda: find_table(jobs, name), "bigquery.tables.get", name))
    return [*permissions, _check_dry_run(jobs, "bigquery.tables.getData", name, f"SELECT *\nFROM {relation}")]


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
