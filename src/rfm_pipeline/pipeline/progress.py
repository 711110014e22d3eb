"""Progress of a run, reported to an observer such as the terminal or the JSON log."""

from __future__ import annotations

from typing import Protocol


class RunObserver(Protocol):
    """Receives the progress of a run."""

    def begin(self, run_id: str) -> None:
        """Receive the id of a run that starts."""

    def step(self, name: str) -> None:
        """Receive the name of a step that starts; the previous step has ended."""

    def progress(self, share: float) -> None:
        """Receive the completed share of the step, from 0 to 1."""


class NullObserver:
    """An observer that ignores everything."""

    def begin(self, run_id: str) -> None:
        """Ignore the start of a run."""

    def step(self, name: str) -> None:
        """Ignore the start of a step."""

    def progress(self, share: float) -> None:
        """Ignore progress."""
