"""Dataform's compiler for tests: the package `@dataform/core` in Node.js, without Dataform's command line.

The package is installed with npm into `build/` on first use.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from support.paths import ROOT

VERSION = "3.0.62"
FOLDER = ROOT / "build" / f"dataform-{VERSION}"


class UnavailableError(Exception):
    """Node.js is missing, or the package can't be installed; the message says which."""


def compile_project(folder: Path) -> dict[str, Any]:
    """Return the compiled graph of the .sqlx files in a project's folder `definitions`.

    Raises:
        UnavailableError: If the compiler can't be installed.
        AssertionError: If a file does not compile.
    """
    script = Path(__file__).with_name("compile_sqlx.js")
    command = ["node", script, _install(), folder]
    ended = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=120, check=False)
    if ended.returncode:
        raise AssertionError(ended.stderr)
    graph: dict[str, Any] = json.loads(ended.stdout)
    errors = graph["graphErrors"].get("compilationErrors", [])
    assert not errors, errors
    return graph


def _install() -> Path:
    core = FOLDER / "node_modules" / "@dataform" / "core"
    if core.exists():
        return core
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        raise UnavailableError("Node.js and npm are not installed")
    FOLDER.parent.mkdir(exist_ok=True)
    # Created under a temporary name and renamed when complete: two test sessions may create it at once.
    temporary = Path(tempfile.mkdtemp(prefix="dataform-", dir=FOLDER.parent))
    command = [
        npm,
        "install",
        "--silent",
        "--ignore-scripts",
        "--prefix",
        str(temporary),
        f"@dataform/core@{VERSION}",
    ]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=300)
        temporary.rename(FOLDER)
    except (OSError, subprocess.SubprocessError) as error:
        shutil.rmtree(temporary, ignore_errors=True)
        if not core.exists():
            raise UnavailableError(f"@dataform/core can't be installed: {error}") from None
    return core
