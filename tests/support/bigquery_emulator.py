"""A BigQuery server on loopback, for tests: PyPI's `bqemulator`, in an environment of its own.

It needs a DuckDB of its own version, so it lives apart from the project, as a server would: in `build/`, made
on first use. What it does not do as BigQuery does is corrected by the proxy in `bigquery_proxy.py`.
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

# The spatial extension, which the server would else download, is published for this version of DuckDB.
PACKAGES = (
    "bqemulator==1.4.0",
    "duckdb==1.5.5",
    "duckdb-extensions==1.5.5",
    "duckdb-extension-spatial==1.5.5",
    "numpy",
    "pandas",
)
FOLDER = ROOT / "build" / "bqemulator-1.4.0"
_BIN = "Scripts" if sys.platform == "win32" else "bin"


class UnavailableError(Exception):
    """The environment can't be made here; the text says why."""


@contextmanager
def serving() -> Iterator[str]:
    """The address of a server that is there until the end.

    Raises:
        UnavailableError: It can't be had here.
    """
    folder = _environment()
    rest, grpc = _free_ports(2)
    command = [folder / _BIN / "bqemulator", "start", "--rest-port", str(rest), "--grpc-port", str(grpc)]
    with tempfile.TemporaryFile() as log:
        server = subprocess.Popen(
            [*map(str, command), "--log-level", "error"],
            env=_home(folder),
            cwd=folder,
            stdout=log,
            stderr=log,
        )
        try:
            address = f"http://127.0.0.1:{rest}"
            if not _is_up(address, server):
                log.seek(0)
                said = log.read().decode(errors="replace").strip().splitlines()
                raise UnavailableError(
                    f"the server does not start: {said[-1] if said else 'it says nothing'}"
                )
            yield address
        finally:
            server.terminate()
            try:
                server.wait(10)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait(10)


def _environment() -> Path:
    if (FOLDER / "ready").exists():
        return FOLDER
    uv = shutil.which("uv") or str(ROOT / "build" / "tools" / _BIN / "uv")
    # Beside its place, and moved there when it is whole: two test sessions may be at it.
    FOLDER.parent.mkdir(exist_ok=True)
    made = Path(tempfile.mkdtemp(prefix="bqemulator-", dir=FOLDER.parent))
    python = made / _BIN / ("python.exe" if sys.platform == "win32" else "python")
    (made / "home").mkdir()
    steps = [
        [uv, "venv", "--quiet", "--allow-existing", "--relocatable", "--python", sys.executable, made],
        [uv, "pip", "install", "--quiet", "--python", python, *PACKAGES],
        [python, "-c", "from duckdb_extensions import import_extension; import_extension('spatial')"],
    ]
    for step in steps:
        try:
            subprocess.run(
                list(map(str, step)), env=_home(made), check=True, capture_output=True, text=True, timeout=300
            )
        except (OSError, subprocess.SubprocessError) as error:
            shutil.rmtree(made, ignore_errors=True)
            said = (getattr(error, "stderr", "") or str(error)).strip().splitlines()
            raise UnavailableError(f"its environment can't be made: {said[-1] if said else error}") from None
    (made / "ready").touch()
    try:
        made.rename(FOLDER)
    except OSError:
        shutil.rmtree(made, ignore_errors=True)
    return FOLDER


def _home(folder: Path) -> dict[str, str]:
    """The environment's variables: DuckDB keeps extensions in the home folder, and this one has its own."""
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
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [int(each.getsockname()[1]) for each in sockets]
    finally:
        for each in sockets:
            each.close()


def _is_up(address: str, server: subprocess.Popen[bytes]) -> bool:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with urllib.request.urlopen(f"{address}/healthz", timeout=5):  # noqa: S310 - our own address
                return True
        except OSError:
            time.sleep(0.1)
    return False
