"""Errors of BigQuery are translated into messages with hints and exit codes."""

from __future__ import annotations

import pytest

from rfm_pipeline.errors import CostLimitError
from rfm_pipeline.warehouse.bigquery.errors import ROLES_BY_PERMISSION, to_rfm_error
from support.bigquery_fakes import api_error


def test_a_missing_permission_is_named_with_the_role_that_grants_it() -> None:
    for permission, role in ROLES_BY_PERMISSION.items():
        message = f"Access Denied: Table a:b.c: Permission {permission} denied on table a:b.c"
        error = to_rfm_error(api_error(403, "accessDenied", message), "read it")
        assert (error.exit_code, permission in error.message) == (4, True)
        assert error.hint == f"grant {role}."


def test_a_breach_of_the_bytes_billed_limit_has_its_own_exit_code() -> None:
    message = "Query exceeded limit for bytes billed: 1000. 2000 or higher required."
    error = to_rfm_error(api_error(400, "bytesBilledLimitExceeded", message), "read")
    assert isinstance(error, CostLimitError)
    assert "2000 or higher required" in error.message


def test_a_protected_column_is_named_with_the_role_of_its_policy_tag() -> None:
    message = (
        "Access Denied: BigQuery BigQuery: User has neither fine-grained reader nor masked get permission to"
        ' get data protected by policy tag "pii : high" on columns sales.orders.email, sales.orders.phone.'
    )
    error = to_rfm_error(api_error(403, "accessDenied", message), "estimate the cost")
    assert error.exit_code == 4
    assert error.hint == (
        "grant roles/datacatalog.categoryFineGrainedReader (Fine-Grained Reader) on the policy tag of email,"
        " phone, or choose columns without one."
    )


@pytest.mark.parametrize(
    ("reason", "message"),
    [
        ("billingNotEnabled", "Billing is off."),
        (
            "accessDenied",
            "Access Denied: Billing has not been enabled for this project. DML queries are not allowed",
        ),
    ],
)
def test_a_project_without_billing_is_named_as_the_cause(reason: str, message: str) -> None:
    error = to_rfm_error(api_error(403, reason, message), "run publish")
    assert error.exit_code == 4
    assert error.hint == "link the project to a billing account: https://console.cloud.google.com/billing"


def test_a_table_in_a_sheet_needs_another_scope() -> None:
    message = "Access Denied: BigQuery BigQuery: Permission denied while getting Drive credentials."
    error = to_rfm_error(api_error(403, "accessDenied", message), "estimate the cost")
    assert error.exit_code == 4
    assert error.hint == (
        'set bigquery.scopes = ["https://www.googleapis.com/auth/drive.readonly"],'
        " and share the sheet with the account."
    )
