"""Retry policy for BigQuery: which failures are transient, and how long to wait between attempts."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Mapping
from enum import Enum
from itertools import count
from typing import TypeVar

from msgspec import Struct

from rfm_pipeline.errors import RfmError, WarehouseError
from rfm_pipeline.warehouse.bigquery.errors import first_sentence, reason_of

T = TypeVar("T")
_log = logging.getLogger(__name__)

_FIRST_PAUSE_S, _MAX_PAUSE_S = 0.5, 32.0


class RetryDecision(Enum):
    """Decision after a failure."""

    RETRY = "retry"
    """The failure is transient."""
    FAIL = "fail"
    """The next attempt would fail too, or would cost again."""


class RetryRule(Struct, frozen=True):
    """Decision for one error reason of BigQuery, with its explanation."""

    reason: str
    decision: RetryDecision
    why: str


RETRY_RULES: tuple[RetryRule, ...] = (
    RetryRule("rateLimitExceeded", RetryDecision.RETRY, "too many requests at this moment"),
    RetryRule("jobRateLimitExceeded", RetryDecision.RETRY, "too many jobs at this moment"),
    RetryRule("backendError", RetryDecision.RETRY, "a backend of BigQuery failed"),
    RetryRule("jobBackendError", RetryDecision.RETRY, "a backend failed while the job ran"),
    RetryRule("internalError", RetryDecision.RETRY, "a fault inside BigQuery"),
    RetryRule("jobInternalError", RetryDecision.RETRY, "a fault inside BigQuery while the job ran"),
    RetryRule("badGateway", RetryDecision.RETRY, "a gateway in front of BigQuery failed"),
    RetryRule("invalidQuery", RetryDecision.FAIL, "the statement would be rejected again"),
    RetryRule("invalid", RetryDecision.FAIL, "the request would be rejected again"),
    RetryRule("accessDenied", RetryDecision.FAIL, "an administrator has to grant a permission"),
    RetryRule("notFound", RetryDecision.FAIL, "the resource has to be created"),
    RetryRule("duplicate", RetryDecision.FAIL, "the resource exists"),
    RetryRule("quotaExceeded", RetryDecision.FAIL, "a quota is refilled after up to a day"),
    RetryRule("billingNotEnabled", RetryDecision.FAIL, "an administrator has to enable billing"),
    RetryRule("resourcesExceeded", RetryDecision.FAIL, "the query would be too large again"),
    RetryRule("responseTooLarge", RetryDecision.FAIL, "the result would be too large again"),
    RetryRule("bytesBilledLimitExceeded", RetryDecision.FAIL, "the limit is the one that the run sets"),
    RetryRule("stopped", RetryDecision.FAIL, "a user cancelled the job"),
    RetryRule("timeout", RetryDecision.FAIL, "the job used the time that the run allows"),
)
"""Decisions by error reason. For other reasons the HTTP status decides."""

TRANSIENT_STATUS_CODES = frozenset({429, 500, 502, 503, 504})
"""HTTP status codes that are retried if the response has no reason of `RETRY_RULES`."""

_DECISIONS: Mapping[str, RetryDecision] = {rule.reason: rule.decision for rule in RETRY_RULES}


class Clock(Struct, frozen=True):
    """Injectable time source and jitter, replaced by fakes in tests.

    Attributes:
        now: Returns the current time in seconds; only differences matter.
        sleep: Sleeps for a number of seconds.
        jitter: Returns a random number from 0 to 1.
    """

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    jitter: Callable[[], float] = random.random


class UnreachableError(WarehouseError):
    """Requests to BigQuery failed until the retry deadline."""


class RetryPolicy:
    """Retries transient failures with exponential backoff (0.5 s doubling to 32 s), jitter and a deadline.

    Each pause is 50 % to 100 % of the backoff, so that clients that failed together don't retry together.

    Attributes:
        is_exhausted: Whether a request has failed until its deadline.

    Args:
        timeout_s: Seconds from the first failure to the last retry.
        clock: Time source and jitter.
    """

    def __init__(self, timeout_s: float, clock: Clock) -> None:
        self.timeout_s = timeout_s
        self.is_exhausted = False
        self._clock = clock

    def call(
        self,
        request: Callable[[], T],
        doing: str,
        *transient: type[Exception],
        timeout_s: float | None = None,
    ) -> T:
        """Send a request, and retry it while its failures are transient.

        Args:
            request: Sends the request once, without retries of its own.
            doing: What the request does, to complete the sentence `BigQuery could not be reached to ...`.
            transient: Further exceptions to treat as transient.
            timeout_s: Seconds from the first failure to the last retry, if shorter than the policy's.

        Returns:
            What `request` returns.

        Raises:
            UnreachableError: If the request failed until the deadline.
            google.api_core.exceptions.GoogleAPICallError: If BigQuery responded with a permanent error.
        """
        deadline: float | None = None
        timeout_s = self.timeout_s if timeout_s is None else min(timeout_s, self.timeout_s)
        for failures in count():
            try:
                return request()
            except Exception as error:
                if not is_transient(error) and not isinstance(error, transient):
                    raise
                deadline = deadline or self._clock.now() + timeout_s
                self.wait_before_retry(failures, deadline, error, doing)
        raise AssertionError  # `count` has no end

    def wait_before_retry(self, failures: int, deadline: float, error: Exception, doing: str) -> None:
        """Sleep before the next attempt.

        Args:
            failures: Number of failures before this one.
            deadline: Time of the clock after which no attempt is made.
            error: The failure.
            doing: As for `call`.

        Raises:
            RfmError: If the next attempt would be after the deadline: `error` itself if it is an `RfmError`,
                else an `UnreachableError`.
        """
        backoff = min(_MAX_PAUSE_S, _FIRST_PAUSE_S * 2.0**failures)
        pause = backoff * (0.5 + self._clock.jitter() / 2)
        if self._clock.now() + pause > deadline:
            if isinstance(error, RfmError):
                raise error
            self.is_exhausted = True
            raise UnreachableError(
                f"BigQuery could not be reached to {doing}: {_summary(error)}",
                f"rfm tried for {self.timeout_s:,.0f} seconds; check the network and"
                " https://status.cloud.google.com.",
            ) from error
        fields = {"event": "retry", "pause_s": round(pause, 1)}
        _log.info("retry in %.1f s: %s (%s)", pause, doing, _summary(error), extra={"fields": fields})
        self._clock.sleep(pause)


def decision_for(reason: str) -> RetryDecision | None:
    """Return the decision for an error reason; None if `RETRY_RULES` does not contain it."""
    return _DECISIONS.get(reason)


def is_transient(error: BaseException) -> bool:
    """Return whether a request that failed with `error` may succeed when it is sent again."""
    from google.api_core.exceptions import GoogleAPICallError
    from google.auth.exceptions import TransportError
    from requests import exceptions as http

    if isinstance(error, GoogleAPICallError):
        decision = _DECISIONS.get(reason_of(error))
        return error.code in TRANSIENT_STATUS_CODES if decision is None else decision is RetryDecision.RETRY
    broken = (http.ChunkedEncodingError, http.ContentDecodingError, http.JSONDecodeError)
    lost = (http.ConnectionError, http.Timeout, TransportError, ConnectionError)
    return isinstance(error, (*broken, *lost))


def _summary(error: BaseException) -> str:
    return first_sentence(str(getattr(error, "message", "") or error) or type(error).__name__)
