"""Fakes for unit tests of the BigQuery warehouse: a clock without real time, and error responses."""

from __future__ import annotations

from dataclasses import dataclass, field

from google.api_core import exceptions

from rfm_pipeline.warehouse.bigquery.retry import Clock

RETRIED_REASONS = {
    "rateLimitExceeded", "backendError", "internalError", "badGateway", "jobBackendError", "jobInternalError",
    "jobRateLimitExceeded",
}  # fmt: skip
PERMANENT_REASONS = {"invalidQuery", "accessDenied", "notFound", "quotaExceeded", "resourcesExceeded"}


@dataclass
class FakeTime:
    """A clock that advances only while the code under test sleeps.

    Attributes:
        now: Current time in seconds.
        pauses: Duration of each sleep, in order.
        jitter: Constant jitter, from 0 to 1.
    """

    now: float = 0.0
    pauses: list[float] = field(default_factory=list)
    jitter: float = 1.0

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds

    @property
    def clock(self) -> Clock:
        return Clock(lambda: self.now, self.sleep, lambda: self.jitter)


def api_error(status: int, reason: str = "", message: str = "m") -> exceptions.GoogleAPICallError:
    """Return the error that Google's client raises for an error response."""
    errors = [{"reason": reason, "message": message}] if reason else []
    error: exceptions.GoogleAPICallError
    error = exceptions.from_http_status(status, message, errors=errors)  # type: ignore[no-untyped-call]
    return error
