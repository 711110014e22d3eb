"""What goes on, on stderr, while a terminal is there to show it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rfm_pipeline.cli import json_log as events
from rfm_pipeline.common.cancellation import raise_if_cancelled
from rfm_pipeline.pipeline.progress import NullObserver, RunObserver

if TYPE_CHECKING:
    from rich.progress import Progress


class _Bar:
    def __init__(self, bar: Progress) -> None:
        self._bar = bar
        self._task = bar.add_task("Starting", total=None)

    def begin(self, run_id: str) -> None:
        """A line on a terminal has no room for an id."""

    def step(self, name: str) -> None:
        self._bar.update(self._task, description=name, total=None, completed=0)

    def progress(self, share: float) -> None:
        self._bar.update(self._task, total=1.0, completed=share)


class _Stoppable:
    """Passes on what it is told, and goes no step further when a signal has asked us to stop."""

    def __init__(self, watcher: RunObserver) -> None:
        self.begin = watcher.begin
        self.progress = watcher.progress
        self._watcher = watcher

    def step(self, name: str) -> None:
        raise_if_cancelled()
        self._watcher.step(name)


@contextmanager
def watching(*, quiet: bool) -> Iterator[RunObserver]:
    """A watcher that draws one line on a terminal and takes it away at the end; elsewhere it is silent.

    With `--log-format json` it writes events instead, wherever that is.
    """
    if events.are_written():
        with events.watching(quiet=quiet) as watcher:
            yield _Stoppable(watcher)
        return
    if quiet or not sys.stderr.isatty():
        yield _Stoppable(NullObserver())
        return
    # A run that a scheduler starts shows nothing, and does not wait for what could.
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        yield _Stoppable(_Bar(bar))
