"""Progress of a run on stderr: one line on a terminal, or the JSON log."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rfm_pipeline.cli import json_log
from rfm_pipeline.common.cancellation import raise_if_cancelled
from rfm_pipeline.pipeline.progress import NullObserver, RunObserver

if TYPE_CHECKING:
    from rich.progress import Progress


class _ProgressBar:
    def __init__(self, bar: Progress) -> None:
        self._bar = bar
        self._task = bar.add_task("Starting", total=None)

    def begin(self, run_id: str) -> None:
        """Ignore the run's id, which the line has no space for."""

    def step(self, name: str) -> None:
        self._bar.update(self._task, description=name, total=None, completed=0)

    def progress(self, share: float) -> None:
        self._bar.update(self._task, total=1.0, completed=share)


class _CancellableObserver:
    """Raises KeyboardInterrupt before a step if a signal has been received; forwards everything."""

    def __init__(self, observer: RunObserver) -> None:
        self.begin = observer.begin
        self.progress = observer.progress
        self._observer = observer

    def step(self, name: str) -> None:
        raise_if_cancelled()
        self._observer.step(name)


@contextmanager
def show_progress(*, quiet: bool) -> Iterator[RunObserver]:
    """Show progress as one line on a terminal, which is erased at the end; show nothing on another stderr.

    With `--log-format json`, write events instead, on any stderr.
    """
    if json_log.is_enabled():
        with json_log.log_progress(quiet=quiet) as observer:
            yield _CancellableObserver(observer)
        return
    if quiet or not sys.stderr.isatty():
        yield _CancellableObserver(NullObserver())
        return
    # Importing rich here keeps scheduled runs, which have no terminal, from waiting for it.
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        yield _CancellableObserver(_ProgressBar(bar))
