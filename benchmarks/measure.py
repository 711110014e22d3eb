"""Measuring one process: its time, its memory, its log, and the environment that it runs in."""

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
    """Time and memory of one process.

    Attributes:
        wall_s: Seconds from its start to its end.
        cpu_s: Seconds of processor time of all threads.
        peak_bytes: Its peak resident set.
    """

    wall_s: float
    cpu_s: float
    peak_bytes: int


def measure(
    arguments: Sequence[str], folder: Path, environ: dict[str, str] | None = None
) -> tuple[Measurement, str]:
    """Run one process in `folder`; exit with its log if it fails.

    The calling process must stay small and import no engine: a child's peak begins at its parent's memory.

    Returns:
        The measurement, and what the process wrote on stderr.
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
        log = errors.read().decode(errors="replace").strip()
        if process.returncode != 0:
            sys.exit(f"{' '.join(arguments)}\nended with exit code {process.returncode}:\n{log}")
    unit = 1 if sys.platform == "darwin" else 1024
    return Measurement(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * unit), log


def plain_environment() -> dict[str, str]:
    """Return the environment without settings of `rfm`, and with Python's cache of compiled modules."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("RFM_") and name != "PYTHONDONTWRITEBYTECODE"
    }


@contextlib.contextmanager
def fresh_folder(parent: Path) -> Iterator[Path]:
    """Create an empty folder in `parent` for one run, and remove it afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="run-", dir=parent))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def interpreter_of(script: Path) -> str:
    """Return the path of the Python of a script with its own dependencies (PEP 723), which uv installs."""
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


def report_progress(text: str) -> None:
    """Print progress on stderr, apart from the result."""
    print(text, file=sys.stderr, flush=True)
