"""What every command that publishes does beside its work: shows what goes on, and tells how it ended."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from msgspec import Struct

from rfm_pipeline.cli import json_log as events
from rfm_pipeline.cli.progress import watching
from rfm_pipeline.common.cancellation import received_signals
from rfm_pipeline.config.loader import Configuration
from rfm_pipeline.notifications.notifier import Notifier, notifying
from rfm_pipeline.pipeline.progress import RunObserver
from rfm_pipeline.results.run_result import RunResult


class Publishing(Struct, frozen=True):
    """A command that is at work.

    Attributes:
        watcher: For the runner.
    """

    watcher: RunObserver
    _notifier: Notifier

    def about(self, configuration: Configuration) -> Configuration:
        """Takes the settings, as soon as they are read, and gives them back.

        Raises:
            ConfigurationError: They name an address to tell, and it is not to be had.
        """
        return self._notifier.about(configuration)

    def done(self, result: RunResult) -> RunResult:
        """Takes a result, as soon as it is published, and gives it back."""
        events.published(result)
        return self._notifier.done(result)


@contextmanager
def publishing(doing: str, *, quiet: bool) -> Iterator[Publishing]:
    """Shows what goes on inside, on a terminal or as events, and tells whoever is to be told how it ends.

    Args:
        doing: The command, such as `run`.
        quiet: Whether nothing is shown but what is wrong.
    """
    asked = 0
    try:
        with notifying(doing, events.warn, lambda: bool(received_signals)) as notifier:
            try:
                with watching(quiet=quiet) as watcher:
                    yield Publishing(notifier.watching(watcher), notifier)
            finally:
                asked = len(received_signals)
    finally:
        # Who stops us while the message is on its way stops the message: how the run ended is settled.
        del received_signals[asked:]
