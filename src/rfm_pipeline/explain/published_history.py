"""A customer's rows at a destination: in the current result, and in the earlier ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from rfm_pipeline.pipeline.checksums import edited_results
from rfm_pipeline.results.run_history import DestinationState
from rfm_pipeline.sql.dialects.base import Dialect
from rfm_pipeline.sql.explain_queries import row_sql

if TYPE_CHECKING:
    from rfm_pipeline.results.destination import Destination


CHECKED_DATES = 10
"""Most dates whose rows are compared with their checksums, which reads all rows of a date."""


class PastSegment(Struct, frozen=True):
    """A customer's segment and scores at one as-of date."""

    as_of: date
    segment: str
    rfm_score: str
    run_id: str


class PublishedHistory(Struct, frozen=True):
    """A customer's published results.

    Attributes:
        label: Name of the table of the current result; empty if the destination could not be read.
        as_of: As-of date of the current result; None without one.
        current: The customer in the current result; None if the result lacks the customer.
        config_hash: Config hash of the run that published the result; None if it is not on record.
        history: The customer's segments at the active as-of dates, oldest first.
        edited: Sentences on the dates whose rows are not those that a run published: somebody edited them.
            The newest `CHECKED_DATES` are checked.
        read_error: Why the destination could not be read; None if it could.
    """

    label: str = ""
    as_of: date | None = None
    current: PastSegment | None = None
    config_hash: str | None = None
    history: tuple[PastSegment, ...] = ()
    edited: tuple[str, ...] = ()
    read_error: str | None = None

    def differences(self, row: Mapping[str, Any], config_hash: str) -> Iterator[str]:
        """Yield sentences on how the published result differs from the explained one.

        Args:
            row: The customer's row as a run would publish it now.
            config_hash: Config hash of that run.
        """
        yield from self.edited
        if self.as_of is None:
            return
        if self.current is None:
            yield f"{self.label} does not have this customer, as of {self.as_of}."
        elif self.current.segment != row["segment"]:
            yield f"{self.label} has the customer in {self.current.segment}, as of {self.as_of}."
        elif self.current.rfm_score != row["rfm_score"]:
            yield f"{self.label} has the scores {self.current.rfm_score}, as of {self.as_of}."
        if self.as_of != row["as_of_date"]:
            yield f"It was published as of {self.as_of}; this explanation is as of {row['as_of_date']}."
        if self.config_hash not in (None, config_hash):
            yield f"It was published with other rules (config hash {self.config_hash}, now {config_hash})."


def published_history(
    customer: str, destination: Destination, state: DestinationState, dialect: Dialect
) -> PublishedHistory:
    """Read a customer's published results.

    Args:
        customer: Id of the customer.
        destination: The destination.
        state: Its state.
        dialect: SQL dialect of its engine.

    Raises:
        RfmError: If the destination can't be read.
    """

    def read_rows(table: str) -> list[PastSegment]:
        if table not in state.tables:
            return []
        rows = destination.rows(row_sql(destination.table(table), customer, dialect))
        return [
            PastSegment(row["as_of_date"], row["segment"], row["rfm_score"], row["run_id"]) for row in rows
        ]

    active_runs = state.dates
    with destination.open_for_reading():
        current, history = read_rows("current"), read_rows("history")
        active_history = [past for past in history if past.as_of in active_runs]
        shown = {past.as_of for past in active_history}
        shown |= {day for day in active_runs if day == state.as_of}
        edited = edited_results(destination, state, sorted(shown)[-CHECKED_DATES:])
    publisher = active_runs.get(state.as_of) if state.as_of else None
    return PublishedHistory(
        label=destination.label,
        as_of=state.as_of,
        current=current[0] if current else None,
        config_hash=publisher.config_hash if publisher else None,
        history=tuple(sorted(active_history, key=lambda past: past.as_of)),
        edited=tuple(edited.values()),
    )
