"""Progress of a run, for whoever displays it."""

from __future__ import annotations

from typing import Protocol


class RunObserver(Protocol):
    """Told what a run is doing."""

    def begin(self, run_id: str) -> None:
        """A run begins, and this is its id."""

    def step(self, name: str) -> None:
        """A step begins; the one before it is over."""

    def progress(self, share: float) -> None:
        """The share of the step that is done, from 0 to 1."""


class NullObserver:
    """Watches a run, and tells nobody."""

    def begin(self, run_id: str) -> None:
        """Says nothing."""

    def step(self, name: str) -> None:
        """Says nothing."""

    def progress(self, share: float) -> None:
        """Says nothing."""
