"""BigQuery emulator for tests: the package `bqemulator`, as a server on loopback in a separate environment.

The package needs another version of DuckDB than the project, so it is installed into its own virtual
environment in `build/`, created on first use. The proxy in `bigquery_proxy.py` corrects differences from
BigQuery.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from support.paths import ROOT

# The spatial extension is installed as a package; otherwise the server would download it.
PACKAGES = (
    "bqemulator==1.4.0",
    "duckdb==1.5.5",
    "duckdb-extensions==1.5.5",
    "duckdb-extension-spatial==1.5.5",
    "numpy",
    "pandas",
    # Compiled: the emulator takes most of its time to parse and write SQL.
    "sqlglot[c]",
)
FOLDER = ROOT / "build" / "bqemulator-1.4.0"
_BIN = "Scripts" if sys.platform == "win32" else "bin"


class UnavailableError(Exception):
    """The emulator can't be installed or started; the message says why."""


@contextmanager
def run_emulator() -> Iterator[str]:
    """Start the emulator, yield its address, and stop it at the end.

    Raises:
        UnavailableError: If the emulator can't be installed or started.
    """
    folder = _install()
    rest, grpc = _free_ports(2)
    command = [folder / _BIN / "bqemulator", "start", "--rest-port", str(rest), "--grpc-port", str(grpc)]
    with tempfile.TemporaryFile() as log:
        server = subprocess.Popen(
            [*map(str, command), "--log-level", "error"],
            env=_environment_variables(folder),
            cwd=folder,
            stdout=log,
            stderr=log,
        )
        try:
            address = f"http://127.0.0.1:{rest}"
            if not _is_up(address, server):
                log.seek(0)
                lines = log.read().decode(errors="replace").strip().splitlines()
                raise UnavailableError(
                    f"the server does not start: {lines[-1] if lines else 'its log is empty'}"
                )
            yield address
        finally:
            server.terminate()
            try:
                server.wait(10)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait(10)


def _install() -> Path:
    if (FOLDER / "ready").exists():
        return FOLDER
    uv = shutil.which("uv") or str(ROOT / "build" / "tools" / _BIN / "uv")
    # Created under a temporary name and renamed when complete: two test sessions may create it at once.
    FOLDER.parent.mkdir(exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix="bqemulator-", dir=FOLDER.parent))
    python = temporary / _BIN / ("python.exe" if sys.platform == "win32" else "python")
    (temporary / "home").mkdir()
    steps = [
        [uv, "venv", "--quiet", "--allow-existing", "--relocatable", "--python", sys.executable, temporary],
        [uv, "pip", "install", "--quiet", "--python", python, *PACKAGES],
        [python, "-c", "from duckdb_extensions import import_extension; import_extension('spatial')"],
    ]
    for step in steps:
        try:
            subprocess.run(
                list(map(str, step)),
                env=_environment_variables(temporary),
                check=True,
                capture_output=True,
                text=True,
                timeout=300,
            )
        except (OSError, subprocess.SubprocessError) as error:
            shutil.rmtree(temporary, ignore_errors=True)
            lines = (getattr(error, "stderr", "") or str(error)).strip().splitlines()
            raise UnavailableError(
                f"its environment can't be created: {lines[-1] if lines else error}"
            ) from None
    (temporary / "ready").touch()
    try:
        temporary.rename(FOLDER)
    except OSError:
        shutil.rmtree(temporary, ignore_errors=True)
    return FOLDER


def _environment_variables(folder: Path) -> dict[str, str]:
    """Return environment variables with a separate home folder, in which DuckDB stores its extensions."""
    plain = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("RFM_", "PYTEST_", "BQEMU", "BIGQUERY_")) and name != "VIRTUAL_ENV"
    }
    cache = os.environ.get("UV_CACHE_DIR") or str(Path.home() / ".cache" / "uv")
    return {**plain, "HOME": str(folder / "home"), "UV_CACHE_DIR": cache}


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for listener in sockets:
            listener.bind(("127.0.0.1", 0))
        return [int(listener.getsockname()[1]) for listener in sockets]
    finally:
        for listener in sockets:
            listener.close()


def _is_up(address: str, server: subprocess.Popen[bytes]) -> bool:
    """Wait until the server answers; return False if it ends before that.

    Raises:
        TimeoutError: If it does neither within five minutes, which only a hang exceeds.
    """
    deadline = time.monotonic() + 300
    while server.poll() is None:
        try:
            with urllib.request.urlopen(f"{address}/healthz", timeout=5):  # noqa: S310 - a loopback address
                return True
        except OSError:
            if time.monotonic() > deadline:
                raise TimeoutError("the emulator does not answer") from None
            time.sleep(0.1)
    return False
