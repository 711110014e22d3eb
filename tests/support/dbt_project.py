"""dbt for tests: dbt-core with the adapter of BigQuery, in an environment of its own in `build/`.

dbt compiles models without a connection: the profile has a token that is never used.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment

from support.paths import ROOT

# From 1.12 on dbt-core needs a package that its build downloads from GitHub.
PACKAGES = ("dbt-core==1.11.16", "dbt-bigquery==1.11.3")
FOLDER = ROOT / "build" / "dbt-1.11.16"
_BIN = "Scripts" if sys.platform == "win32" else "bin"
_PROFILE = """\
shop:
  target: test
  outputs:
    test: {type: bigquery, method: oauth-secrets, token: unused, project: shop, dataset: crm, threads: 1}
"""
_PROJECT = """\
name: shop
version: "1.0"
profile: shop
flags: {send_anonymous_usage_stats: false}
"""


class UnavailableError(Exception):
    """dbt can't be installed; the message says why."""


def rendered(model: str, sources: Mapping[str, str]) -> str:
    """Return the SQL of a dbt model as dbt renders it: `source`, `ref` and `config` as dbt defines them.

    Args:
        model: Text of the .sql file.
        sources: Quoted table by `dataset.name`, or by the name of a model.
    """

    def source(dataset: str, name: str) -> str:
        return sources[f"{dataset}.{name}"]

    def config(**_options: Any) -> str:
        return ""

    # As dbt's environment, which keeps no line break at the end.
    template = Environment().from_string(model)  # noqa: S701 - SQL, not HTML
    return template.render(source=source, ref=lambda name: sources[name], config=config)


def compiled(files: Mapping[str, str], folder: Path) -> dict[str, str]:
    """Return the compiled SQL of a project's models and tests by file name.

    Args:
        files: Text of the files in the folder `models`, by name.
        folder: Empty folder for the project.

    Raises:
        UnavailableError: If dbt can't be installed.
        AssertionError: If dbt rejects the project, or warns of something deprecated.
    """
    program = _install() / _BIN / "dbt"
    (folder / "models").mkdir(parents=True)
    (folder / "dbt_project.yml").write_text(_PROJECT, encoding="utf-8")
    (folder / "profiles.yml").write_text(_PROFILE, encoding="utf-8")
    for name, text in files.items():
        (folder / "models" / name).write_text(text, encoding="utf-8")
    command = [
        program,
        "--no-version-check",
        "--warn-error",
        "compile",
        "--no-introspect",
        "--no-populate-cache",
    ]
    ended = subprocess.run(
        list(map(str, [*command, "--profiles-dir", folder, "--project-dir", folder])),
        env={**os.environ, "DO_NOT_TRACK": "1"},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return {
        path.name: path.read_text(encoding="utf-8")
        for path in (folder / "target" / "compiled").rglob("*.sql")
    }


def _install() -> Path:
    if (FOLDER / "ready").exists():
        return FOLDER
    uv = shutil.which("uv") or str(ROOT / "build" / "tools" / _BIN / "uv")
    FOLDER.parent.mkdir(exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix="dbt-", dir=FOLDER.parent))
    python = temporary / _BIN / ("python.exe" if sys.platform == "win32" else "python")
    steps = [
        [uv, "venv", "--quiet", "--allow-existing", "--relocatable", "--python", sys.executable, temporary],
        [uv, "pip", "install", "--quiet", "--python", python, *PACKAGES],
    ]
    try:
        for step in steps:
            subprocess.run(list(map(str, step)), check=True, capture_output=True, text=True, timeout=600)
        (temporary / "ready").touch()
        temporary.rename(FOLDER)
    except (OSError, subprocess.SubprocessError) as error:
        shutil.rmtree(temporary, ignore_errors=True)
        if not (FOLDER / "ready").exists():
            raise UnavailableError(
                f"dbt can't be installed: {getattr(error, 'stderr', '') or error}"
            ) from None
    return FOLDER
