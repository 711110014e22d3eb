"""What fails and passes by itself: which failures those are, and how they are waited out."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Mapping
from enum import Enum
from itertools import count
from typing import Any, TypeVar

from msgspec import Struct

from rfm_pipeline.errors import RfmError, WarehouseError
from rfm_pipeline.warehouse.bigquery.errors import first_sentence

T = TypeVar("T")
_log = logging.getLogger(__name__)


class RetryDecision(Enum):
    """What follows a failure."""

    RETRY = "again"
    """It is nobody's fault, and passes."""
    FAIL = "never"
    """It would fail again, or cost again."""


class RetryRule(Struct, frozen=True):
    """One line of the matrix: BigQuery's reason, what follows, and why."""

    reason: str
    decision: RetryDecision
    why: str


RETRY_RULES: tuple[RetryRule, ...] = (
    RetryRule("rateLimitExceeded", RetryDecision.RETRY, "too much at this moment, not too much"),
    RetryRule("jobRateLimitExceeded", RetryDecision.RETRY, "the same, of jobs"),
    RetryRule("backendError", RetryDecision.RETRY, "a server behind the server failed"),
    RetryRule("jobBackendError", RetryDecision.RETRY, "the same, while the job ran"),
    RetryRule("internalError", RetryDecision.RETRY, "a fault of BigQuery's own"),
    RetryRule("jobInternalError", RetryDecision.RETRY, "the same, while the job ran"),
    RetryRule("badGateway", RetryDecision.RETRY, "something between us and BigQuery failed"),
    RetryRule("invalidQuery", RetryDecision.FAIL, "the statement stays as it is"),
    RetryRule("invalid", RetryDecision.FAIL, "so does the request"),
    RetryRule("accessDenied", RetryDecision.FAIL, "a person has to grant something"),
    RetryRule("notFound", RetryDecision.FAIL, "a person has to make something"),
    RetryRule("duplicate", RetryDecision.FAIL, "what is to be made is there"),
    RetryRule("quotaExceeded", RetryDecision.FAIL, "a quota lasts for a day, and a run does not"),
    RetryRule("billingNotEnabled", RetryDecision.FAIL, "a person has to pay"),
    RetryRule(
        "resourcesExceeded", RetryDecision.FAIL, "the query is too large as it is, and would be so again"
    ),
    RetryRule("responseTooLarge", RetryDecision.FAIL, "the result stays as large as it is"),
    RetryRule("bytesBilledLimitExceeded", RetryDecision.FAIL, "this is the limit that we set"),
    RetryRule("stopped", RetryDecision.FAIL, "somebody cancelled it"),
    RetryRule("timeout", RetryDecision.FAIL, "it had the time that we gave it"),
)
"""What BigQuery's reasons mean for us. A reason that is not here is judged by the status of its answer."""

TRANSIENT_STATUS_CODES = frozenset({429, 500, 502, 503, 504})
"""Answers that pass by themselves, where they give no reason that the matrix knows."""

_DECISIONS: Mapping[str, RetryDecision] = {rule.reason: rule.decision for rule in RETRY_RULES}


class Clock(Struct, frozen=True):
    """Time and chance, so that tests need neither."""

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    jitter: Callable[[], float] = random.random


class UnreachableError(WarehouseError):
    """Requests to BigQuery went on failing for as long as they were to be tried."""


class RetryPolicy:
    """Tries again, and waits between, with a deadline.

    Args:
        seconds: From the first failure to the last time that something is tried again.
        clock: Time and chance.
    """

    def __init__(self, seconds: float, clock: Clock) -> None:
        self.seconds = seconds
        self.is_at_an_end = False
        """Whether something went on failing for as long as it was to be tried."""
        self._clock = clock

    def ask(
        self, call: Callable[[], T], doing: str, *also: type[Exception], within: float | None = None
    ) -> T:
        """Sends a request again while it fails in a way that passes.

        Args:
            call: Sends it, and must not retry by itself.
            doing: What it does, as in `BigQuery could not be reached to ...`.
            also: Answers that pass here, and elsewhere would stay.
            within: Seconds for which it is tried; None is as long as anything.

        Raises:
            UnreachableError: It went on failing.
            google.api_core.exceptions.GoogleAPICallError: It was answered, and the answer will stay.
        """
        deadline: float | None = None
        most = self.seconds if within is None else min(within, self.seconds)
        for failures in count():
            try:
                return call()
            except Exception as error:
                if not is_transient(error) and not isinstance(error, also):
                    raise
                deadline = deadline or self._clock.now() + most
                self.pause(failures, deadline, error, doing)
        raise AssertionError  # `count` has no end

    def pause(self, failures: int, deadline: float, error: Exception, doing: str) -> None:
        """Waits twice as long as the last time, more or less: those who wait must not come back as one."""
        pause = min(32.0, 0.5 * 2.0**failures) * (0.5 + self._clock.jitter() / 2)
        if self._clock.now() + pause > deadline:
            if isinstance(error, RfmError):
                raise error
            self.is_at_an_end = True
            raise UnreachableError(
                f"BigQuery could not be reached to {doing}: {_first_words(error)}",
                f"it was tried for {self.seconds:,.0f} seconds; look at the network, or at"
                " https://status.cloud.google.com.",
            ) from error
        retry = {"event": "retry", "pause_s": round(pause, 1)}
        _log.info("again in %.1f s: %s (%s)", pause, doing, _first_words(error), extra={"fields": retry})
        self._clock.sleep(pause)


def decision_for(reason: str) -> RetryDecision | None:
    """What follows a failure with a reason; None where the matrix does not know it."""
    return _DECISIONS.get(reason)


def is_transient(error: BaseException) -> bool:
    """Whether a request that failed this way may be answered the next time."""
    from google.api_core.exceptions import GoogleAPICallError
    from google.auth.exceptions import TransportError
    from requests import exceptions as http

    if isinstance(error, GoogleAPICallError):
        verdict = _DECISIONS.get(reason_of(error))
        return error.code in TRANSIENT_STATUS_CODES if verdict is None else verdict is RetryDecision.RETRY
    broken = (http.ChunkedEncodingError, http.ContentDecodingError, http.JSONDecodeError)
    lost = (http.ConnectionError, http.Timeout, TransportError, ConnectionError)
    return isinstance(error, (*broken, *lost))


def reason_of(error: Any) -> str:
    """BigQuery's reason in an answer, such as `accessDenied`; empty where it gives none."""
    errors = getattr(error, "errors", None) or ()
    return next(
        (str(item["reason"]) for item in errors if isinstance(item, Mapping) and "reason" in item), ""
    )


def _first_words(error: BaseException) -> str:
    return first_sentence(str(getattr(error, "message", "") or error) or type(error).__name__)
