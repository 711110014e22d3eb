"""`make release`: what it refuses to publish, and in the long lane the whole of it without a token."""

from __future__ import annotations

import importlib.util
import io
import os
import shutil
import subprocess
import tarfile
import zipfile
from pathlib import Path
from types import ModuleType

import pytest

from support.paths import ROOT

TRACKED = {"README.md", "src/rfm_pipeline/__init__.py", "src/rfm_pipeline/demo/shop.sql"}
METADATA = "Metadata-Version: 2.4\nName: rfm-pipeline\nVersion: 1.2.3\n"


@pytest.fixture(scope="module")
def release() -> ModuleType:
    """The script of `make release`, as a module."""
    spec = importlib.util.spec_from_file_location("release", ROOT / ".ci" / "release.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def wheel(folder: Path, *names: str, metadata: str = METADATA) -> Path:
    path = folder / "rfm_pipeline-1.2.3-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(f"rfm_pipeline/{name}", "")
        archive.writestr("rfm_pipeline-1.2.3.dist-info/METADATA", metadata)
    return path


def sources(folder: Path, *names: str) -> Path:
    path = folder / "rfm_pipeline-1.2.3.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for name in ("PKG-INFO", *names):
            archive.addfile(tarfile.TarInfo(f"rfm_pipeline-1.2.3/{name}"), io.BytesIO())
    return path


def test_a_wheel_of_the_commits_files_passes(release: ModuleType, tmp_path: Path) -> None:
    release.check_wheel(wheel(tmp_path, "__init__.py", "demo/shop.sql"), TRACKED, "1.2.3")
    release.check_sources(sources(tmp_path, *TRACKED), TRACKED)


@pytest.mark.parametrize(
    ("names", "metadata", "sentence"),
    [
        (("__init__.py",), METADATA, "lacks 1 files, such as rfm_pipeline/demo/shop.sql"),
        (("__init__.py", "demo/shop.sql", "key.json"), METADATA, "the commit has not, 1 files, such as rfm_"),
        (("__init__.py", "demo/shop.sql"), METADATA.replace("1.2.3", "1.2.2"), "is rfm-pipeline 1.2.2, not"),
    ],
)
def test_a_wheel_with_other_files_or_another_version_is_refused(
    names: tuple[str, ...], metadata: str, sentence: str, release: ModuleType, tmp_path: Path
) -> None:
    with pytest.raises(release.ReleaseError, match=sentence):
        release.check_wheel(wheel(tmp_path, *names, metadata=metadata), TRACKED, "1.2.3")


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        (TRACKED - {"src/rfm_pipeline/demo/shop.sql"}, "lacks 1 files"),
        (TRACKED | {"credentials.json"}, "the commit has not, 1 files, such as credentials.json"),
    ],
)
def test_sources_with_other_files_are_refused(
    names: set[str], sentence: str, release: ModuleType, tmp_path: Path
) -> None:
    with pytest.raises(release.ReleaseError, match=sentence):
        release.check_sources(sources(tmp_path, *names), TRACKED)


@pytest.mark.parametrize(
    ("git", "changelog", "sentence"),
    [
        ({"status": " M x\n", "tag": "v1.2.3\n"}, "## [1.2.3] - 2026-01-02\n", "changes that are not"),
        ({"status": "", "tag": "v1.2.2\n"}, "## [1.2.3] - 2026-01-02\n", "has no tag v1.2.3"),
        ({"status": "", "tag": "v1.2.3\n"}, "## [Unreleased]\n", "has no dated section"),
        ({"status": "", "tag": "v1.2.3\n"}, "## [1.2.3] - 2026-01-02\n", None),
    ],
)
def test_only_a_clean_tagged_and_described_commit_is_published(
    git: dict[str, str],
    changelog: str,
    sentence: str | None,
    release: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(release, "_run", lambda command, _folder: git[command[1]])
    if sentence is None:
        release.check_tag("1.2.3", changelog)
        return
    with pytest.raises(release.ReleaseError, match=sentence):
        release.check_tag("1.2.3", changelog)


@pytest.mark.long
def test_the_distributions_of_this_commit_are_built_and_pass(tmp_path: Path) -> None:
    if shutil.which("make") is None or shutil.which("uv") is None:
        pytest.skip("make and uv are not installed")
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
    plain = {name: value for name, value in os.environ.items() if name != "UV_PUBLISH_TOKEN"}
    command = ["make", "--no-print-directory", "release"]
    done = subprocess.run(
        command, cwd=clone, env=plain, capture_output=True, encoding="utf-8", check=False
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "Checked rfm_pipeline-" in done.stdout
    assert done.stdout.endswith("Nothing is published: UV_PUBLISH_TOKEN is not set.\n")
