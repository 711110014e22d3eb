"""The first rows of tables whose columns or rows are protected."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from google.api_core.exceptions import Forbidden
from google.cloud.bigquery import Table

from rfm_pipeline.warehouse.bigquery.job_options import JobOptions, Limits
from rfm_pipeline.warehouse.bigquery.jobs import JobRunner
from rfm_pipeline.warehouse.bigquery.schema import schema_of
from rfm_pipeline.warehouse.bigquery.tables import first_rows
from support.bigquery_fakes import FakeTime

FIELDS = [
    {"name": "customer_id", "type": "STRING"},
    {"name": "email", "type": "STRING", "policyTags": {"names": ["projects/shop/pii"]}},
    {
        "name": "address",
        "type": "RECORD",
        "fields": [{"name": "street", "type": "STRING", "policyTags": {"names": ["projects/shop/pii"]}}],
    },
]
VALUES = {"customer_id": "007", "email": "a@example.com", "address": {"street": "Main"}}


@dataclass
class FakeClient:
    """Google's client: lists rows, and denies those columns.

    Attributes:
        denied: Columns whose rows may not be listed.
        listed: Columns of each request.
    """

    denied: set[str]
    listed: list[list[str]] = field(default_factory=list)

    def list_rows(self, _: Table, *, selected_fields: Any, **options: Any) -> list[dict[str, Any]]:
        assert options["retry"] is None
        names = [column.name for column in selected_fields]
        self.listed.append(names)
        if self.denied & set(names):
            raise Forbidden("Access Denied")  # type: ignore[no-untyped-call]
        return [{name: VALUES[name] for name in names}]


def sampled(denied: set[str]) -> tuple[dict[str, Any], list[list[str]]]:
    reference = {"projectId": "shop", "datasetId": "sales", "tableId": "orders"}
    table = Table.from_api_repr({"tableReference": reference, "schema": {"fields": FIELDS}, "type": "TABLE"})
    client: Any = FakeClient(denied)
    client.project = "shop"
    jobs = JobRunner(client, "run", "EU", JobOptions(Limits(60, 60, 60, 1)), FakeTime().clock)
    sample = first_rows(jobs, table, schema_of(table.schema))
    return dict(sample.values), client.listed


def test_all_columns_are_listed_where_the_account_may_read_them() -> None:
    values, listed = sampled(set())
    assert values == {"customer_id": ("007",), "email": ("a@example.com",), "address.street": ("Main",)}
    assert len(listed) == 1


def test_protected_columns_are_left_out_where_the_account_may_not_read_them() -> None:
    values, listed = sampled({"email"})
    assert values == {"customer_id": ("007",)}
    assert listed == [["customer_id", "email", "address"], ["customer_id"]]


def test_protected_rows_are_not_listed() -> None:
    assert sampled({"customer_id"})[0] == {}
