"""Errors of BigQuery are translated into messages with hints and exit codes."""

from __future__ import annotations

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
