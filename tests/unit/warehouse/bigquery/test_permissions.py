"""What `rfm check` says of billing, of a dataset's default expirations, and of tables that expire."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from google.api_core.exceptions import BadRequest, Forbidden
from google.cloud.bigquery import Dataset, Table

from rfm_pipeline.cli.render.check import print_access
from rfm_pipeline.errors import WarehouseError
from rfm_pipeline.warehouse.bigquery.job_options import JobOptions, Limits
from rfm_pipeline.warehouse.bigquery.jobs import JobRunner
from rfm_pipeline.warehouse.bigquery.permissions import (
    Access,
    Permission,
    check_dml,
    expiration_notes,
    expires,
    expiry_note,
)
from support.bigquery_fakes import FakeTime

DAY_MS = 86_400_000
REFERENCE = {"projectId": "shop", "datasetId": "sales", "tableId": "rfm_segments_history"}


def dataset(**resource: Any) -> Dataset:
    reference = {"projectId": "shop", "datasetId": "sales"}
    return Dataset.from_api_repr({"datasetReference": reference, **resource})


def test_the_default_expirations_of_the_dataset_are_named() -> None:
    assert expiration_notes(dataset()) == ()
    (note,) = expiration_notes(
        dataset(defaultTableExpirationMs=str(30 * DAY_MS), defaultPartitionExpirationMs=str(7 * DAY_MS))
    )
    assert note.startswith("the dataset drops a table after 30 days and a partition after 7 days unless")


def test_the_default_of_the_sandbox_is_recognised() -> None:
    notes = expiration_notes(dataset(defaultTableExpirationMs=str(60 * DAY_MS)))
    assert "a run needs billing to publish" in notes[-1]


def test_a_table_that_expires_is_named_with_the_statement_that_keeps_it() -> None:
    lasting = Table.from_api_repr({"tableReference": REFERENCE, "timePartitioning": {"type": "DAY"}})
    assert not expires(lasting)
    table = Table.from_api_repr({"tableReference": REFERENCE, "expirationTime": "1767225600000"})
    assert expires(table)
    assert expiry_note(table) == (
        "rfm_segments_history expires on 2026-01-01; ALTER TABLE `shop`.`sales`.`rfm_segments_history`"
        " SET OPTIONS (expiration_timestamp = NULL) keeps it"
    )
    partitioned = {"type": "DAY", "field": "as_of_date", "expirationMs": str(90 * DAY_MS)}
    table = Table.from_api_repr({"tableReference": REFERENCE, "timePartitioning": partitioned})
    assert expires(table)
    assert "loses partitions after 90 days" in expiry_note(table)
    assert "(partition_expiration_days = NULL)" in expiry_note(table)


NO_BILLING = "Billing has not been enabled for this project. DML queries are not allowed in the free tier."


DENIED = "Access Denied: Table a:b.c: Permission {} denied on table a:b.c (or it may not exist)."


@pytest.mark.parametrize(
    ("error", "is_granted", "has_billing"),
    [
        (None, True, True),
        (Forbidden(NO_BILLING), None, False),  # type: ignore[no-untyped-call]
        (BadRequest(NO_BILLING), None, False),  # type: ignore[no-untyped-call]
        (Forbidden(DENIED.format("bigquery.tables.updateData")), False, None),  # type: ignore[no-untyped-call]
        (Forbidden(DENIED.format("bigquery.jobs.create")), None, None),  # type: ignore[no-untyped-call]
        (BadRequest("Syntax error"), None, None),  # type: ignore[no-untyped-call]
    ],
)
def test_a_dry_run_that_changes_no_row_tells_whether_dml_is_executed(
    error: Exception | None, is_granted: bool | None, has_billing: bool | None
) -> None:
    statements: list[str] = []

    def query(sql: str, **options: Any) -> Any:
        assert options["job_config"].dry_run
        statements.append(sql)
        if error:
            raise error
        return SimpleNamespace(total_bytes_processed=0, schema=())

    client: Any = SimpleNamespace(query=query, project="shop")
    jobs = JobRunner(client, "check", "EU", JobOptions(Limits(60, 60, 60, 1)), FakeTime().clock)
    table = "shop.sales.rfm_segments_history"
    assert check_dml(jobs, Table.from_api_repr({"tableReference": REFERENCE})) == (
        Permission("bigquery.tables.updateData", table, is_granted),
        has_billing,
    )
    assert statements == ["DELETE FROM `shop`.`sales`.`rfm_segments_history`\nWHERE FALSE"]


def test_a_project_without_billing_ends_the_check() -> None:
    access = Access("me", "shop", "EU", (), has_billing=False)
    with pytest.raises(WarehouseError, match="The project shop has no billing") as error:
        access.raise_if_missing()
    assert error.value.exit_code == 4
    assert "link the project to a billing account" in (error.value.hint or "")


def test_a_log_has_the_permissions_as_a_whole(capsys: pytest.CaptureFixture[str]) -> None:
    table = f"shop.sales.{'a_long_name_' * 12}"
    permissions = (Permission("bigquery.tables.getData", table, is_granted=False),)
    print_access(Access("me", "shop", "EU", permissions, notes=("the dataset drops a table after 60 days",)))
    shown = capsys.readouterr().out
    assert f"bigquery.tables.getData  {table}" in shown
    assert "granted by roles/bigquery.dataViewer on the source's dataset" in shown
    assert "the dataset drops a table after 60 days" in shown
