"""The workload of the next day: the result of the day before is published, and a day's file is added."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from measure import fresh_folder, measure, report_progress
from suite import CONTENDERS, HERE, command


@dataclass(frozen=True, slots=True)
class DayBefore:
    """The state before the run of the next day.

    Attributes:
        source: Folder of the lines, with the day's file.
        states: Folder with the files that the run of the day before wrote, by the contender's name.
    """

    source: Path
    states: Mapping[str, Path]

    def restore(self, contender: str, scratch: Path) -> None:
        """Copy the files of a contender's run of the day before to the empty folder in which it runs."""
        if contender in self.states:
            shutil.copytree(self.states[contender], scratch, dirs_exist_ok=True)


def split_source(lines: Path) -> tuple[Path, Path]:
    """Return the folder with the lines of all days but the newest, and the file of the newest day."""
    folder = lines.with_name(f"{lines.stem}-days")
    source, day = folder / "lines", folder / "day.parquet"
    if not day.exists():
        report_progress(f"splitting {lines.name} by year and day")
        source.mkdir(parents=True, exist_ok=True)
        script = [sys.executable, str(HERE / "split_days.py")]
        subprocess.run([*script, str(lines), str(source), str(day)], check=True)
    return source, day


@contextlib.contextmanager
def day_before(
    lines: Path, contenders: Mapping[str, str], folder: Path, environ: dict[str, str], memory: str | None
) -> Iterator[DayBefore]:
    """Publish the day before with each contender that is `rfm`; add the day's file inside the `with` block.

    Args:
        lines: File of all lines.
        contenders: Path of the Python of each contender, by its name.
        folder: Folder for the data.
        environ: Environment of the runs.
        memory: DuckDB's memory limit; None for its default.
    """
    source, day = split_source(lines)
    added = source / day.name
    added.unlink(missing_ok=True)
    with fresh_folder(folder) as root:
        states = {name: root / name for name in contenders if CONTENDERS[name].script is None}
        for name, state in states.items():
            report_progress(f"{name} publishes the day before")
            state.mkdir()
            measure(command(CONTENDERS[name], contenders[name], source, state, memory), state, environ)
        os.link(day, added)
        try:
            yield DayBefore(source, states)
        finally:
            added.unlink()
