"""What a publish changes: the staged result, and its place among the results of other dates."""

from __future__ import annotations

from datetime import date

from msgspec import Struct


class Publication(Struct, frozen=True):
    """A staged result that is about to be published.

    Attributes:
        staged: The staged result as SQL that can follow FROM.
        as_of: Its as-of date; rows of that date in the history are replaced.
        replaces_current: Whether the result becomes the current one; else it is added to the history only.
        history_from: Oldest as-of date that the history keeps; None keeps all.
    """

    staged: str
    as_of: date
    replaces_current: bool
    history_from: date | None = None
