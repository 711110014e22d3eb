"""One process: what it took, what it said, and the environment that it ran in."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Measurement:
    """What one process took.

    Attributes:
        wall_s: Seconds from its start to its end.
        cpu_s: Seconds of processor time, all threads together.
        peak_bytes: The most memory that it held at a time.
    """

    wall_s: float
    cpu_s: float
    peak_bytes: int


def measure(
    arguments: Sequence[str], folder: Path, environ: dict[str, str] | None = None
) -> tuple[Measurement, str]:
    """Runs one process in `folder`; a failure ends the benchmark with what the process said.

    Whoever calls this stays small and imports no engine: a child's peak begins at what its parent held.

    Returns:
        What it took, and what it said on stderr.
    """
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        started = time.perf_counter()
        process = subprocess.Popen(
            arguments,
            cwd=folder,
            env=plain_environment() if environ is None else environ,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=errors,
        )
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        errors.seek(0)
        said = errors.read().decode(errors="replace").strip()
        if process.returncode != 0:
            sys.exit(f"{' '.join(arguments)}\nended with exit code {process.returncode}:\n{said}")
    unit = 1 if sys.platform == "darwin" else 1024
    return Measurement(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * unit), said


def plain_environment() -> dict[str, str]:
    """Our environment without the settings that would change a run, or keep Python from compiling once."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("RFM_") and name != "PYTHONDONTWRITEBYTECODE"
    }


@contextlib.contextmanager
def fresh_folder(parent: Path) -> Iterator[Path]:
    """An empty folder for one run, gone afterwards; beside the data."""
    folder = Path(tempfile.mkdtemp(prefix="run-", dir=parent))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def interpreter_of(script: Path) -> str:
    """The Python of a script that names its own dependencies (PEP 723), installed where they are missing."""
    uv = os.environ.get("UV", "uv")
    environ = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    subprocess.run([uv, "sync", "--quiet", "--script", str(script)], check=True, env=environ)
    found = subprocess.run(
        [uv, "python", "find", "--script", str(script)],
        check=True,
        env=environ,
        capture_output=True,
        text=True,
    )
    return found.stdout.strip()


def say(text: str) -> None:
    """Progress, apart from the result."""
    print(text, file=sys.stderr, flush=True)
