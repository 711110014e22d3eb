"""Sessions of commands that publish: progress, the JSON log, and the notification when the command ends."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from msgspec import Struct

from rfm_pipeline.cli import json_log
from rfm_pipeline.cli.progress import show_progress
from rfm_pipeline.cli.render.json import print_json
from rfm_pipeline.common.cancellation import received_signals
from rfm_pipeline.config.loader import Configuration, load_configuration
from rfm_pipeline.notifications.notifier import Notifier, notify_at_end
from rfm_pipeline.pipeline.progress import RunObserver
from rfm_pipeline.results.run_result import RunResult


class Session(Struct, frozen=True):
    """A running command that publishes.

    Attributes:
        observer: Receives the progress of the command's runs.
    """

    observer: RunObserver
    _notifier: Notifier

    def load(self, flags: Mapping[str, Any], config: Path | None) -> Configuration:
        """Load the configuration, use its settings for the notification, and return it.

        Args:
            flags: Settings of the command line, in the structure of `rfm.toml`.
            config: Path of the configuration file; None for the default.

        Raises:
            ConfigurationError: If the configuration can't be read, or the webhook URL that it refers to.
        """
        return self._notifier.use_configuration(load_configuration(flags, config=config))

    def add_result(self, result: RunResult) -> RunResult:
        """Record a published result for the JSON log and the notification, print its warnings; return it."""
        json_log.log_published(result)
        for sentence in result.warnings:
            json_log.warn(sentence)
        return self._notifier.add_result(result)


@contextmanager
def open_session(command: str, *, quiet: bool) -> Iterator[Session]:
    """Show the progress of a command, and send the notification when it ends.

    Args:
        command: Name of the command, such as `run`.
        quiet: Whether only warnings and errors are shown.
    """
    _freeze_imported_modules()
    signals = 0
    try:
        with notify_at_end(command, json_log.warn, lambda: bool(received_signals)) as notifier:
            try:
                with show_progress(quiet=quiet) as observer:
                    yield Session(notifier.observe(observer), notifier)
            finally:
                signals = len(received_signals)
    finally:
        # A signal during the notification cancels the notification only: the command's outcome is decided.
        del received_signals[signals:]


@cache
def _freeze_imported_modules() -> None:
    """Exclude all objects that exist by now from garbage collection, once per process.

    At exit, Python searches them for unreachable cycles, which takes a third as long as importing them.
    """
    gc.freeze()


def run_command(
    command: str,
    execute: Callable[[Configuration, RunObserver], RunResult],
    flags: Mapping[str, Any],
    config: Path | None,
    *,
    as_json: bool,
    quiet: bool,
) -> RunResult:
    """Run a command that computes one result, print the result, and return it.

    Args:
        command: Name of the command, for the notification.
        execute: Computes the result.
        flags: Settings of the command line, in the structure of `rfm.toml`.
        config: Path of the configuration file; None for the default.
        as_json: Whether the result is printed as JSON.
        quiet: Whether only warnings and errors are shown.
    """
    with open_session(command, quiet=quiet) as session:
        result = session.add_result(execute(session.load(flags, config), session.observer))
    print_run_result(result, as_json=as_json, quiet=quiet)
    return result


def print_run_result(result: RunResult, *, as_json: bool, quiet: bool) -> None:
    """Print a result as JSON or as text; print nothing if only `quiet` is set."""
    if as_json:
        print_json(result.to_json())
    elif not quiet:
        from rfm_pipeline.cli.render.run_result import print_result

        print_result(result)
