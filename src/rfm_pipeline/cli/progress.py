"""What goes on, on stderr, while a terminal is there to show it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from rfm_pipeline.runner import Watcher


class _Silent:
    def step(self, name: str) -> None:
        """Says nothing."""

    def progress(self, share: float) -> None:
        """Says nothing."""


class _Bar:
    def __init__(self, bar: Progress) -> None:
        self._bar = bar
        self._task = bar.add_task("Starting", total=None)

    def step(self, name: str) -> None:
        self._bar.update(self._task, description=name, total=None, completed=0)

    def progress(self, share: float) -> None:
        self._bar.update(self._task, total=1.0, completed=share)


@contextmanager
def watching(*, quiet: bool) -> Iterator[Watcher]:
    """A watcher that draws one line on a terminal and takes it away at the end; elsewhere it is silent."""
    console = Console(stderr=True)
    if quiet or not console.is_terminal:
        yield _Silent()
        return
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        yield _Bar(bar)
