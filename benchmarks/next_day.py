"""The work of the next day: a destination has the result of the day before, and a day's file is added."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from measure import fresh_folder, measure, say
from suite import CONTENDERS, HERE, command


@dataclass(frozen=True, slots=True)
class DayBefore:
    """What is there when the day's file arrives.

    Attributes:
        source: The folder of the lines, which has the day's file by now.
        states: Per contender that leaves something behind for the next day, a folder with it.
    """

    source: Path
    states: Mapping[str, Path]

    def restore(self, contender: str, scratch: Path) -> None:
        """Copies what a contender left behind to the empty folder in which it runs."""
        if contender in self.states:
            shutil.copytree(self.states[contender], scratch, dirs_exist_ok=True)


def split_source(lines: Path) -> tuple[Path, Path]:
    """The folder with the lines of all days but the newest, and the file of the newest; made once."""
    folder = lines.with_name(f"{lines.stem}-days")
    source, day = folder / "lines", folder / "day.parquet"
    if not day.exists():
        say(f"splitting {lines.name} by year and day")
        source.mkdir(parents=True, exist_ok=True)
        script = [sys.executable, str(HERE / "split_days.py")]
        subprocess.run([*script, str(lines), str(source), str(day)], check=True)
    return source, day


@contextlib.contextmanager
def day_before(
    lines: Path, contenders: Mapping[str, str], folder: Path, environ: dict[str, str], memory: str | None
) -> Iterator[DayBefore]:
    """Lets each `rfm` publish the day before, and adds the day's file inside the `with` block.

    Args:
        lines: The file of all lines.
        contenders: The Python of each contender, by its name.
        folder: Where the data is.
        environ: The environment of the runs.
        memory: DuckDB's limit.
    """
    source, day = split_source(lines)
    added = source / day.name
    added.unlink(missing_ok=True)
    with fresh_folder(folder) as root:
        states = {name: root / name for name in contenders if CONTENDERS[name].script is None}
        for name, state in states.items():
            say(f"{name} publishes the day before")
            state.mkdir()
            measure(command(CONTENDERS[name], contenders[name], source, state, memory), state, environ)
        os.link(day, added)
        try:
            yield DayBefore(source, states)
        finally:
            added.unlink()
