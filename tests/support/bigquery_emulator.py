"""BigQuery emulators for tests: the packages `bqemulator` and `local-bigquery`, as servers on loopback.

Each needs another version of DuckDB than the project, so it is installed into a virtual environment of its
own in `build/`, created on first use. The proxy in `bigquery_proxy.py` corrects differences from BigQuery.
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
from dataclasses import dataclass
from pathlib import Path

from support.paths import ROOT

_BIN = "Scripts" if sys.platform == "win32" else "bin"


@dataclass(frozen=True)
class Emulator:
    """A package that is a BigQuery server.

    Attributes:
        name: Name and version of the package.
        packages: What is installed.
        duckdb: Version of DuckDB, which is installed afterwards, whatever the packages ask for.
        extensions: Extensions of DuckDB, which are packages; otherwise the server would download them.
        command: The server's command, with `{rest}`, `{grpc}` and `{data}` for its ports and its folder.
        health: Path that the server answers when it is up.
        rewrites: Patterns in statements that the server does not read like BigQuery, and what the proxy
            sends in their place.
        rounds_numeric: Whether columns of type NUMERIC without arguments have three decimals.
        python: Version of Python; empty for that of the tests.
    """

    name: str
    packages: tuple[str, ...]
    duckdb: str
    extensions: tuple[str, ...]
    command: tuple[str, ...]
    health: str
    rewrites: tuple[tuple[str, str], ...] = ()
    rounds_numeric: bool = False
    python: str = ""

    @property
    def folder(self) -> Path:
        """The environment, in `build/`."""
        return ROOT / "build" / self.name


BQEMULATOR = Emulator(
    "bqemulator-1.4.0",
    (
        "bqemulator==1.4.0",
        "numpy",
        "pandas",
        # Compiled: the emulator takes most of its time to parse and write SQL.
        "sqlglot[c]",
    ),
    "1.5.5",
    ("spatial",),
    ("bqemulator", "start", "--rest-port", "{rest}", "--grpc-port", "{grpc}", "--log-level", "error"),
    "/healthz",
    rewrites=((r"\bNUMERIC\b(?!\s*[('])", "NUMERIC(38, 9)"),),
    rounds_numeric=True,
)
LOCAL_BIGQUERY = Emulator(
    "local-bigquery-0.4.0",
    ("local-bigquery==0.4.0",),
    # It asks for DuckDB 2, with which it does not work.
    "1.5.5",
    ("icu", "ducklake", "spatial"),
    (
        "local-bigquery", "--host", "127.0.0.1", "--port", "{rest}", "--grpc-port", "{grpc}", "--data-dir",
        "{data}",
    ),
    "/bigquery/v2/projects/health/datasets",
    # An option that is NULL ends in an internal error.
    rewrites=(
        (r"\bexpiration_timestamp = NULL\b", "expiration_timestamp = TIMESTAMP '9999-12-31 00:00:00+00:00'"),
    ),
    python="3.13",
)  # fmt: skip


EMULATORS = {"bqemulator": BQEMULATOR, "local-bigquery": LOCAL_BIGQUERY}
"""The emulators by the name of their package."""
_emulators: dict[str, Emulator] = {}
"""The emulators that were started, by address."""


def emulator_at(address: str) -> Emulator:
    """Return the emulator that was started at an address."""
    return _emulators[address]


class UnavailableError(Exception):
    """The emulator can't be installed or started; the message says why."""


@contextmanager
def run_emulator(emulator: Emulator = BQEMULATOR) -> Iterator[str]:
    """Start an emulator, yield its address, and stop it at the end.

    Raises:
        UnavailableError: If the emulator can't be installed or started.
    """
    folder = _install(emulator)
    rest, grpc = _free_ports(2)
    with tempfile.TemporaryFile() as log, tempfile.TemporaryDirectory() as data:
        program, *words = (word.format(rest=rest, grpc=grpc, data=data) for word in emulator.command)
        server = subprocess.Popen(
            [str(folder / _BIN / program), *words],
            env=_environment_variables(folder),
            cwd=folder,
            stdout=log,
            stderr=log,
        )
        try:
            address = f"http://127.0.0.1:{rest}"
            if not _is_up(f"{address}{emulator.health}", server):
                log.seek(0)
                lines = log.read().decode(errors="replace").strip().splitlines()
                raise UnavailableError(
                    f"the server does not start: {lines[-1] if lines else 'its log is empty'}"
                )
            _emulators[address] = emulator
            yield address
        finally:
            server.terminate()
            try:
                server.wait(10)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait(10)


def _install(emulator: Emulator) -> Path:
    folder = emulator.folder
    if (folder / "ready").exists():
        return folder
    uv = shutil.which("uv") or str(ROOT / "build" / "tools" / _BIN / "uv")
    # Created under a temporary name and renamed when complete: two test sessions may create it at once.
    folder.parent.mkdir(exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f"{emulator.name}-", dir=folder.parent))
    python = temporary / _BIN / ("python.exe" if sys.platform == "win32" else "python")
    (temporary / "home").mkdir()
    interpreter = _interpreter(emulator.python)
    names = list(emulator.extensions)
    pinned = [
        f"{package}=={emulator.duckdb}"
        for package in ("duckdb", "duckdb-extensions", *(f"duckdb-extension-{name}" for name in names))
    ]
    steps = [
        [uv, "venv", "--quiet", "--allow-existing", "--relocatable", "--python", interpreter, temporary],
        [uv, "pip", "install", "--quiet", "--python", python, *emulator.packages],
        [uv, "pip", "install", "--quiet", "--python", python, *pinned],
        [python, "-c", f"from duckdb_extensions import import_extension as i; [i(x) for x in {names}]"],
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
        temporary.rename(folder)
    except OSError:
        shutil.rmtree(temporary, ignore_errors=True)
    return folder


def _interpreter(version: str) -> str:
    """Return a Python of a version that is installed; uv would download what it does not find.

    Raises:
        UnavailableError: If there is none.
    """
    if not version:
        return sys.executable
    installed = Path.home().glob(f".pyenv/versions/{version}.*/bin/python{version}")
    for path in (shutil.which(f"python{version}"), *map(str, installed)):
        # A shim of pyenv is on the path also where its version is not the active one.
        if path and not subprocess.run([path, "-c", ""], capture_output=True, check=False).returncode:
            return path
    raise UnavailableError(f"there is no python{version}")


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


def _is_up(url: str, server: subprocess.Popen[bytes]) -> bool:
    """Wait until the server answers; return False if it ends before that.

    Raises:
        TimeoutError: If it does neither within five minutes, which only a hang exceeds.
    """
    deadline = time.monotonic() + 300
    while server.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=5):  # noqa: S310 - a loopback address
                return True
        except OSError:
            if time.monotonic() > deadline:
                raise TimeoutError("the emulator does not answer") from None
            time.sleep(0.1)
    return False
