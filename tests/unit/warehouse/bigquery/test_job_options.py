"""Options of jobs that the settings define, and the accuracy of a dry run."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from rfm_pipeline.config.base import SettingsError
from rfm_pipeline.config.engines import BigQuerySettings
from rfm_pipeline.warehouse.bigquery.connection import connect
from rfm_pipeline.warehouse.bigquery.job_options import DryRun, JobOptions

RESERVATION = "projects/shop/locations/EU/reservations/daily"


def query(settings: BigQuerySettings) -> dict[str, Any]:
    """Return the configuration of a query as it is sent."""
    sent: dict[str, Any] = JobOptions.of(settings).query_config({"rfm_step": "edges"}).to_api_repr()
    return sent


def test_by_default_a_query_has_a_limit_and_the_labels_of_rfm() -> None:
    sent = query(BigQuerySettings())
    assert sent["labels"] == {"rfm_step": "edges"}
    assert sent["query"]["maximumBytesBilled"] == str(2**40)
    assert "priority" not in sent["query"]
    assert "reservation" not in sent


def test_own_labels_a_reservation_and_the_priority_are_sent() -> None:
    settings = BigQuerySettings.of(
        {"labels": {"team": "crm"}, "reservation": RESERVATION, "priority": "batch"}
    )
    sent = query(settings)
    assert sent["labels"] == {"team": "crm", "rfm_step": "edges"}
    assert sent["query"]["priority"] == "BATCH"
    assert sent["reservation"] == RESERVATION
    assert JobOptions.of(settings).load_config({}).to_api_repr()["labels"] == {"team": "crm"}
    assert JobOptions.of(settings).dry_run_config({}).to_api_repr()["labels"] == {"team": "crm"}


def test_a_limit_below_the_minimum_that_is_billed_lets_small_queries_run() -> None:
    settings = BigQuerySettings.of({"max_bytes": "1 MB"})
    assert settings.byte_limit == 1_000_000
    assert int(query(settings)["query"]["maximumBytesBilled"]) == 100 * 2**20


@pytest.mark.parametrize(
    ("reported", "accuracy"),
    [("PRECISE", "about"), ("LOWER_BOUND", "at least"), ("UPPER_BOUND", "at most"), (None, "about")],
)
def test_a_dry_run_says_how_accurate_it_is(reported: str | None, accuracy: str) -> None:
    from google.cloud.bigquery import QueryJob

    statistics: dict[str, Any] = {"query": {"totalBytesProcessed": "7", "schema": {"fields": []}}}
    if reported:
        statistics["query"]["totalBytesProcessedAccuracy"] = reported
    client: Any = SimpleNamespace(project="shop", location=None)
    resource = {
        "jobReference": {"projectId": "shop", "jobId": "1"},
        "configuration": {"query": {"query": "SELECT 1"}},
        "statistics": statistics,
    }
    assert DryRun.of(QueryJob.from_api_repr(resource, client)) == DryRun(7, (), accuracy)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "given",
    [
        {"labels": {"Team": "crm"}},
        {"labels": {"team": "CRM"}},
        {"labels": {"rfm_run": "mine"}},
        {"labels": {"created_by": "me"}},
        {"reservation": "daily"},
        {"scopes": "drive"},
        {"pricing": "flat"},
        {"priority": "low"},
        {"wildcard": "some"},
    ],
)
def test_a_value_that_bigquery_would_refuse_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises((SettingsError, ValueError)):
        BigQuerySettings.of(given)


def test_scopes_are_requested_besides_that_of_google_cloud(monkeypatch: pytest.MonkeyPatch) -> None:
    import google.auth
    from google.auth.credentials import AnonymousCredentials

    requested: list[str] = []

    def default(scopes: list[str]) -> tuple[Any, None]:
        requested.extend(scopes)
        return AnonymousCredentials(), None  # type: ignore[no-untyped-call]

    monkeypatch.delenv("BIGQUERY_EMULATOR_HOST", raising=False)
    monkeypatch.setattr(google.auth, "default", default)
    drive = "https://www.googleapis.com/auth/drive.readonly"
    connect(BigQuerySettings.of({"scopes": drive}), "shop")
    assert requested == ["https://www.googleapis.com/auth/cloud-platform", drive]
