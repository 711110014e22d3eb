"""Processes that run `rfm` and can be killed, forked from one process that has imported the package already.

A fork takes milliseconds, where a new interpreter takes half a second. The server itself opens no database
and starts no thread, so that a fork copies nothing that is in use.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

TRACED = (
    "pipeline/run.py",
    "pipeline/staging.py",
    "pipeline/run_records.py",
    "pipeline/rollback.py",
    "pipeline/output_files.py",
    "warehouse/duckdb/destination.py",
    "warehouse/duckdb/kept_orders.py",
    "warehouse/duckdb/lease.py",
    "warehouse/parquet/destination.py",
    "warehouse/parquet/files.py",
    "results/recognition.py",
    "common/file_lock.py",
    "common/atomic_file.py",
    "common/duckdb_engine.py",
)
"""Modules of the package on whose lines a process can be killed: those that publish."""


@dataclass(frozen=True)
class Running:
    """A process that runs `rfm`.

    Attributes:
        server: The server that forked it.
        pid: Its process id.
        output: Path of the files with its output, without `.out`, `.err` and `.lines`.
    """

    server: ForkServer
    pid: int
    output: Path

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)

    def lines(self) -> int:
        """Return how many lines of `TRACED` modules the ended process ran; it was started with `kill_at`."""
        return int(self.output.with_suffix(".lines").read_text(encoding="utf-8"))

    def wait(self) -> tuple[int, str]:
        """Wait for the process to end; return its exit code, negative for a signal, and its stderr."""
        code = self.server.request({"wait": self.pid})
        return code, self.output.with_suffix(".err").read_text(encoding="utf-8")


class ForkServer:
    """A running server.

    Args:
        process: The server's process.
        folder: Folder for the output of the processes.
    """

    def __init__(self, process: subprocess.Popen[str], folder: Path) -> None:
        self._process = process
        self._folder = folder
        self._count = 0

    def start(
        self, arguments: Sequence[str], folder: Path, environment: Mapping[str, str], kill_at: int = 0
    ) -> Running:
        """Start `rfm`.

        Args:
            arguments: Arguments after `rfm`.
            folder: Working directory.
            environment: Environment variables besides those of the server.
            kill_at: Number of the line of `TRACED` modules at which the process kills itself; 0 for none.
        """
        self._count += 1
        output = self._folder / str(self._count)
        pid = self.request(
            {
                "arguments": list(arguments),
                "folder": str(folder),
                "environment": dict(environment),
                "kill_at": kill_at,
                "output": str(output),
            }
        )
        return Running(self, pid, output)

    def request(self, message: Mapping[str, Any]) -> int:
        """Send a message to the server, and return its answer, a number."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(f"{json.dumps(message)}\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())


@contextmanager
def run_fork_server(folder: Path) -> Iterator[ForkServer]:
    """Run a server, and stop it at the end.

    Args:
        folder: An empty folder for the output of the processes.
    """
    plain = {name: value for name, value in os.environ.items() if not name.startswith("RFM_")}
    with subprocess.Popen(
        [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=plain
    ) as process:
        yield ForkServer(process, folder)
        assert process.stdin
        process.stdin.close()


def serve() -> None:
    """Answer requests until stdin ends: fork a process, or wait for one."""
    import duckdb  # noqa: F401 - imported once for all processes
    import google.cloud.bigquery  # noqa: F401

    import rfm_pipeline.pipeline.run  # noqa: F401

    for line in iter(sys.stdin.readline, ""):
        message = json.loads(line)
        if "wait" in message:
            answer = os.waitstatus_to_exitcode(os.waitpid(message["wait"], 0)[1])
        else:
            answer = os.fork()
            if answer == 0:
                run_forked(message)
        sys.stdout.write(f"{answer}\n")
        sys.stdout.flush()


def run_forked(message: Mapping[str, Any]) -> None:
    """Run `rfm` in a process that was just forked, and end the process."""
    from rfm_pipeline.cli import main

    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for descriptor, suffix in ((1, ".out"), (2, ".err")):
        os.dup2(os.open(f"{message['output']}{suffix}", flags, 0o600), descriptor)
    os.chdir(message["folder"])
    os.environ.update(message["environment"])
    sys.argv = ["rfm", *message["arguments"]]
    lines = kill_at_line(message["kill_at"]) if message["kill_at"] else None
    try:
        main()
    except SystemExit as ended:
        sys.settrace(None)
        if lines:
            Path(f"{message['output']}.lines").write_text(str(lines()), encoding="utf-8")
        sys.stdout.flush()
        os._exit(ended.code if isinstance(ended.code, int) else 1)
    except BaseException:  # noqa: BLE001 - the loop of the server must not go on in this process
        os._exit(99)


def kill_at_line(number: int) -> Callable[[], int]:
    """Let this process kill itself at a line of the traced modules; return a function that counts them."""
    import rfm_pipeline

    package = Path(rfm_pipeline.__file__).parent
    traced = {str(package / module) for module in TRACED}
    seen = 0

    def lines(_frame: FrameType, event: str, _argument: object) -> Any:
        nonlocal seen
        if event == "line":
            seen += 1
            if seen == number:
                os.kill(os.getpid(), signal.SIGKILL)
        return lines

    sys.settrace(lambda frame, _event, _argument: lines if frame.f_code.co_filename in traced else None)
    return lambda: seen


if __name__ == "__main__":
    serve()
