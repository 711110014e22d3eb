"""The retry policy: which failures are transient, the pauses between attempts, and the deadline."""

from __future__ import annotations

import pytest
import requests
from google.api_core import exceptions

from rfm_pipeline.warehouse.bigquery.retry import (
    RETRY_RULES,
    TRANSIENT_STATUS_CODES,
    RetryDecision,
    RetryPolicy,
    UnreachableError,
    is_transient,
)
from support.bigquery_fakes import PERMANENT_REASONS, RETRIED_REASONS, FakeTime, api_error


def test_retry_rules_are_those_of_the_design() -> None:
    decisions = {rule.reason: rule.decision for rule in RETRY_RULES}
    assert len(decisions) == len(RETRY_RULES)
    assert {
        reason for reason, decision in decisions.items() if decision is RetryDecision.RETRY
    } == RETRIED_REASONS
    assert {
        reason for reason, decision in decisions.items() if decision is RetryDecision.FAIL
    } >= PERMANENT_REASONS
    assert {429, 500, 502, 503, 504} == TRANSIENT_STATUS_CODES
    assert all(rule.why for rule in RETRY_RULES)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        *((api_error(status), True) for status in (429, 500, 502, 503, 504)),
        *((api_error(status), False) for status in (400, 401, 403, 404, 409, 412)),
        *((api_error(403, reason), True) for reason in sorted(RETRIED_REASONS)),
        # The reason takes precedence over the status.
        *((api_error(503, reason), False) for reason in sorted(PERMANENT_REASONS)),
        (requests.ConnectionError(), True),
        (requests.ReadTimeout(), True),
        (requests.exceptions.ChunkedEncodingError(), True),
        (requests.exceptions.InvalidURL(), False),
        (ConnectionResetError(), True),
        (ValueError(), False),
    ],
)
def test_transient_failures_are_distinguished_from_permanent_ones(error: Exception, expected: bool) -> None:
    assert is_transient(error) is expected


def test_backoff_doubles_up_to_32_seconds_and_ends_at_the_deadline() -> None:
    time = FakeTime()

    def fail() -> None:
        raise api_error(503)

    policy = RetryPolicy(120, time.clock)
    with pytest.raises(UnreachableError, match="could not be reached to try: m"):
        policy.call(fail, "try")
    assert time.pauses == [0.5, 1, 2, 4, 8, 16, 32, 32]
    assert sum(time.pauses) <= 120
    assert policy.is_exhausted


def test_jitter_shortens_each_pause_by_at_most_half() -> None:
    time = FakeTime(jitter=0.0)
    with pytest.raises(UnreachableError):
        RetryPolicy(10, time.clock).call(lambda: (_ for _ in ()).throw(api_error(500)), "try")
    assert time.pauses[:3] == [0.25, 0.5, 1]


def test_permanent_failures_are_not_retried() -> None:
    time = FakeTime()
    attempts = []

    def fail() -> None:
        attempts.append(1)
        raise api_error(403, "accessDenied")

    with pytest.raises(exceptions.Forbidden):
        RetryPolicy(120, time.clock).call(fail, "try")
    assert (len(attempts), time.pauses) == (1, [])
