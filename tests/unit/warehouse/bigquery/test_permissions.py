"""What `rfm check` says of a dataset's default expirations, and of tables that expire."""

from __future__ import annotations

from typing import Any

from google.cloud.bigquery import Dataset, Table

from rfm_pipeline.warehouse.bigquery.permissions import expiration_notes, expires, expiry_note

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
