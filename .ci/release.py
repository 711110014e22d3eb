"""Check the distributions in `dist`, and publish them if UV_PUBLISH_TOKEN is set; `make release` builds them.

The files of the wheel and of the source distribution are compared with the commit, their metadata with the
package's version, and the wheel runs in a fresh environment. To publish, the commit must have the version's
tag, and the changelog its section.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from email.parser import HeaderParser
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = "src/rfm_pipeline/"
UV = os.environ.get("UV", "uv")
# Written into the distributions by the build.
_ADDED_TO_SOURCES = {"PKG-INFO", ".gitignore"}
_COMMANDS = (
    ["--version"],
    ["--help"],
    ["demo", "--lines", "2000"],
    ["schedule", "kubernetes", "--image", "rfm"],
)


class ReleaseError(Exception):
    """The release is not what it should be; the message says what is wrong."""


def check_wheel(wheel: Path, tracked: set[str], version: str) -> None:
    """Check that a wheel has the package's tracked files and no others, and the version.

    Args:
        wheel: The wheel.
        tracked: Paths of the files of the commit, relative to the checkout.
        version: Version of the package.

    Raises:
        ReleaseError: If the files or the metadata differ.
    """
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
        (metadata,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        headers = HeaderParser().parsestr(archive.read(metadata).decode())
    expected = {f"rfm_pipeline/{name.removeprefix(PACKAGE)}" for name in tracked if name.startswith(PACKAGE)}
    _compare(wheel.name, names, expected)
    if (headers["Name"], headers["Version"]) != ("rfm-pipeline", version):
        raise ReleaseError(f"{wheel.name} is {headers['Name']} {headers['Version']}, not {version}.")


def check_sources(sources: Path, tracked: set[str]) -> None:
    """Check that a source distribution has only tracked files, and all of the package's.

    Raises:
        ReleaseError: If the files differ.
    """
    with tarfile.open(sources) as archive:
        names = {member.name.partition("/")[2] for member in archive if member.isfile()} - _ADDED_TO_SOURCES
    package = {name for name in tracked if name.startswith(PACKAGE)}
    _compare(sources.name, names, names & tracked | package)


def _compare(archive: str, names: set[str], expected: set[str]) -> None:
    for problem, found in (("lacks", expected - names), ("has, and the commit has not,", names - expected)):
        if found:
            raise ReleaseError(f"{archive} {problem} {len(found)} files, such as {min(found)}.")


def check_installed(wheel: Path, version: str) -> None:
    """Install a wheel into a fresh environment, and run commands that need nothing else.

    Raises:
        ReleaseError: If a command fails, or is not of this version.
    """
    with tempfile.TemporaryDirectory() as folder:
        python = Path(folder, "environment", "Scripts" if sys.platform == "win32" else "bin", "python")
        _run([UV, "venv", "--quiet", "--python", sys.executable, str(Path(folder, "environment"))], folder)
        requirement = f"rfm-pipeline[excel,schedule] @ {wheel.resolve().as_uri()}"
        _run([UV, "pip", "install", "--quiet", "--python", str(python), requirement], folder)
        for command in _COMMANDS:
            output = _run([str(python.with_name("rfm")), *command], folder)
            if command == ["--version"] and version not in output:
                raise ReleaseError(f"`rfm --version` of {wheel.name} prints {output.strip()}, not {version}.")


def check_tag(version: str, changelog: str) -> None:
    """Check that the commit is the one to publish: clean, tagged, and described in the changelog.

    Raises:
        ReleaseError: If it is not.
    """
    if _run(["git", "status", "--porcelain"], str(ROOT)).strip():
        raise ReleaseError("The checkout has changes that are not committed.")
    if f"v{version}" not in _run(["git", "tag", "--points-at", "HEAD"], str(ROOT)).split():
        raise ReleaseError(f"The commit has no tag v{version}.")
    if not re.search(rf"^## \[{re.escape(version)}\] - \d{{4}}-\d\d-\d\d$", changelog, re.MULTILINE):
        raise ReleaseError(f"CHANGELOG.md has no dated section [{version}].")


def _run(command: list[str], folder: str) -> str:
    plain = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("RFM_", "VIRTUAL_ENV", "PYTHONPATH"))
    }
    done = subprocess.run(command, cwd=folder, env=plain, capture_output=True, encoding="utf-8", check=False)
    if done.returncode:
        raise ReleaseError(f"`{' '.join(command)}` failed: {done.stderr.strip()}")
    return done.stdout


def main() -> None:
    """Check `dist`, and publish it if there is a token."""
    text = (ROOT / PACKAGE / "_version.py").read_text(encoding="utf-8")
    version = re.findall(r'"([^"]+)"$', text, re.MULTILINE)[-1]
    tracked = set(_run(["git", "ls-files"], str(ROOT)).splitlines())
    wheel = ROOT / "dist" / f"rfm_pipeline-{version}-py3-none-any.whl"
    sources = ROOT / "dist" / f"rfm_pipeline-{version}.tar.gz"
    check_wheel(wheel, tracked, version)
    check_sources(sources, tracked)
    check_installed(wheel, version)
    print(f"Checked {wheel.name} and {sources.name}.")
    if not os.environ.get("UV_PUBLISH_TOKEN"):
        print("Nothing is published: UV_PUBLISH_TOKEN is not set.")
        return
    check_tag(version, (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"))
    _run([UV, "publish", str(wheel), str(sources)], str(ROOT))
    print(f"Published {version}.")


if __name__ == "__main__":
    try:
        main()
    except ReleaseError as error:
        sys.exit(f"error: {error}")
