"""What `rfm check` says of BigQuery: who we are, what we may do, and which role grants what is missing.

Nothing is made to find out. What can be asked for is asked for; what can only be tried is tried as a dry run.
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
from rfm_pipeline.warehouse.bigquery.client import connect
from rfm_pipeline.warehouse.bigquery.errors import ROLES, explanation, permission_in
from rfm_pipeline.warehouse.bigquery.jobs import JobRunner
from rfm_pipeline.warehouse.bigquery.load import find, limits_of


class Permission(Struct, frozen=True):
    """A permission that a run needs.

    Attributes:
        name: As Google calls it.
        on: The project, dataset or table that it is needed on.
        is_granted: Whether we have it; None where that could not be found out.
    """

    name: str
    on: str
    is_granted: bool | None

    @property
    def role(self) -> str:
        """The role that grants it, and where to grant it."""
        return ROLES[self.name]


class Access(Struct, frozen=True):
    """Who we are, and what we may do.

    Attributes:
        principal: The account, as a person knows it.
        project: The project that runs the jobs and pays.
        location: Where the destination's dataset is; None where that is not known.
        permissions: What a run needs.
    """

    principal: str
    project: str
    location: str | None
    permissions: tuple[Permission, ...]

    @property
    def missing(self) -> tuple[Permission, ...]:
        """What a run needs and we do not have."""
        return tuple(permission for permission in self.permissions if permission.is_granted is False)

    def to_json(self) -> dict[str, Any]:
        """The same as plain values."""
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

    def refuse_missing(self) -> None:
        """Ends here where a permission is missing.

        Raises:
            WarehouseError: One is.
        """
        if self.missing:
            named = ", ".join(f"{permission.name} on {permission.on}" for permission in self.missing)
            roles = "; ".join(dict.fromkeys(permission.role for permission in self.missing))
            what = "A permission is" if len(self.missing) == 1 else f"{len(self.missing)} permissions are"
            raise WarehouseError(f"{what} missing for {self.principal}: {named}.", f"grant {roles}.")


def look_at_access(
    source: BigQueryTable | None,
    destination: BigQueryDestinationLocation,
    settings: BigQuerySettings,
    run_id: str,
) -> Access:
    """Finds out who we are and what we may do.

    Args:
        source: The table to read; None where files are loaded.
        destination: The table to publish.
        settings: Who pays, where and for how long.
        run_id: Names what is asked.

    Raises:
        RfmError: There are no credentials, or BigQuery can't be reached.
    """
    connection = connect(settings, destination.project)
    jobs = JobRunner(connection.client, run_id, settings.location, limits_of(settings))
    try:
        location, found = _dataset(jobs, destination)
        jobs.location = settings.location or location
        permissions = [
            _tried(jobs, "bigquery.jobs.create", connection.client.project, "SELECT 1 AS one"),
            found,
        ]
        if source is not None:
            permissions += _of_source(jobs, source)
        permissions.append(_creating(jobs, destination))
        name = f"{destination.project}.{destination.dataset}.{destination.table}"
        permissions.append(_asked(lambda: find(jobs, name), "bigquery.tables.get", name))
    finally:
        connection.client.close()  # type: ignore[no-untyped-call]
    return Access(connection.principal, connection.client.project, location, tuple(permissions))


def _dataset(jobs: JobRunner, destination: BigQueryDestinationLocation) -> tuple[str | None, Permission]:
    from google.cloud.bigquery import DatasetReference

    name = f"{destination.project}.{destination.dataset}"
    found: list[str | None] = []

    def get() -> None:
        dataset: Any = jobs.client.get_dataset(
            DatasetReference(destination.project, destination.dataset),
            retry=None,  # type: ignore[arg-type]
            timeout=jobs.request_timeout,
        )
        found.append(dataset.location)

    permission = _asked(lambda: jobs.patience.ask(get, f"look at {name}"), "bigquery.datasets.get", name)
    return (found[0] if found else None), permission


def _of_source(jobs: JobRunner, source: BigQueryTable) -> list[Permission]:
    name = f"{source.project}.{source.dataset}.{source.table}"
    relation = statements.quoted(source.project, source.dataset, source.table)
    asked = []
    if not source.table.endswith("*"):
        asked.append(_asked(lambda: find(jobs, name), "bigquery.tables.get", name))
    return [*asked, _tried(jobs, "bigquery.tables.getData", name, f"SELECT *\nFROM {relation}")]


def _creating(jobs: JobRunner, destination: BigQueryDestinationLocation) -> Permission:
    probe = statements.quoted(destination.project, destination.dataset, f"{destination.table}__access")
    dataset = f"{destination.project}.{destination.dataset}"
    return _tried(
        jobs, "bigquery.tables.create", dataset, f"CREATE TABLE IF NOT EXISTS {probe} AS SELECT 1 AS one"
    )


def _tried(jobs: JobRunner, permission: str, on: str, sql: str) -> Permission:
    return _asked(lambda: jobs.dry_run(sql, "access"), permission, on)


def _asked(ask: Callable[[], object], permission: str, on: str) -> Permission:
    """What an answer says of a permission: a denial says no, and any other trouble says nothing."""
    from google.api_core.exceptions import ClientError, Forbidden

    with explanation("find out what we may do"):
        try:
            ask()
        except Forbidden as error:
            # A permission that was asked for along the way has a line of its own.
            is_other = permission_in(str(error)) not in (None, permission)
            return Permission(permission, on, None if is_other else False)
        except ClientError:
            return Permission(permission, on, None)
        except WarehouseError as error:
            if isinstance(error.__cause__, Forbidden):
                return Permission(permission, on, is_granted=False)
            raise
    return Permission(permission, on, is_granted=True)
