"""What a destination has of a customer: the current result, and the results before it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from rfm_pipeline.results.run_history import DestinationState
from rfm_pipeline.sql.dialects.base import Dialect
from rfm_pipeline.sql.explain_queries import row_sql

if TYPE_CHECKING:
    from rfm_pipeline.results.destination import Destination


class PastSegment(Struct, frozen=True):
    """The segment that a customer had at an as-of date."""

    as_of: date
    segment: str
    rfm_score: str
    run_id: str


class PublishedHistory(Struct, frozen=True):
    """What was published of a customer.

    Attributes:
        label: The table of the current result; empty where that could not be read.
        as_of: The as-of date of the current result; None where there is none.
        current: The customer in it; None where it does not have the customer.
        config_hash: The rules of the run that published it; None where that is not on record.
        history: The segments at the as-of dates that stand, the oldest first.
        unread: Why the destination could not be read; None where it could.
    """

    label: str = ""
    as_of: date | None = None
    current: PastSegment | None = None
    config_hash: str | None = None
    history: tuple[PastSegment, ...] = ()
    unread: str | None = None

    def differences(self, row: Mapping[str, Any], config_hash: str) -> Iterator[str]:
        """In what the published result differs from what a run would publish now, in sentences."""
        if self.as_of is None:
            return
        if self.current is None:
            yield f"{self.label} does not have this customer, as of {self.as_of}."
        elif self.current.segment != row["segment"]:
            yield f"{self.label} has the customer in {self.current.segment}, as of {self.as_of}."
        elif self.current.rfm_score != row["rfm_score"]:
            yield f"{self.label} has the scores {self.current.rfm_score}, as of {self.as_of}."
        if self.as_of != row["as_of_date"]:
            yield f"It was published as of {self.as_of}, and this is as of {row['as_of_date']}."
        if self.config_hash not in (None, config_hash):
            yield f"It was published by other rules ({self.config_hash}, and these are {config_hash})."


def published_history(
    customer: str, destination: Destination, standing: DestinationState, dialect: Dialect
) -> PublishedHistory:
    """Looks up what was published of a customer.

    Args:
        customer: The customer.
        destination: Where results are published.
        standing: What stands there.
        dialect: Its engine's words.

    Raises:
        RfmError: The destination can't be read.
    """

    def found(table: str) -> list[PastSegment]:
        if table not in standing.tables:
            return []
        rows = destination.rows(row_sql(destination.table(table), customer, dialect))
        return [
            PastSegment(row["as_of_date"], row["segment"], row["rfm_score"], row["run_id"]) for row in rows
        ]

    dates = standing.dates
    with destination.open_for_reading():
        current, history = found("current"), found("history")
    publisher = dates.get(standing.as_of) if standing.as_of else None
    return PublishedHistory(
        label=destination.label,
        as_of=standing.as_of,
        current=current[0] if current else None,
        config_hash=publisher.config_hash if publisher else None,
        history=tuple(sorted((past for past in history if past.as_of in dates), key=lambda past: past.as_of)),
    )
