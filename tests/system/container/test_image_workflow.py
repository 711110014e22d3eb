"""The workflows: what they use is pinned, what they may do is the least, and their shell is sound."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from support.paths import ROOT

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def workflow(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(
        (ROOT / ".github" / "workflows" / name).read_text(encoding="utf-8")
    )
    return loaded


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_every_action_is_pinned_to_a_commit_and_says_its_version(path: Path) -> None:
    used = re.findall(r"uses: (.*)", path.read_text(encoding="utf-8"))
    assert used
    for line in used:
        assert re.fullmatch(r"[\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", line), line


def test_an_action_has_one_version_in_all_workflows() -> None:
    found = [line for path in WORKFLOWS for line in re.findall(r"uses: (\S+)@(\S+)", path.read_text("utf-8"))]
    assert len(dict(found)) == len(set(found))


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_their_shell_passes_shellcheck(path: Path) -> None:
    shellcheck = shutil.which("shellcheck", path=str(Path(sys.executable).parent))
    assert shellcheck
    for job in workflow(path.name)["jobs"].values():
        for step in job["steps"]:
            if "run" in step:
                # A value of theirs stands in the environment, where it can't become code.
                assert "${{" not in step["run"]
                done = subprocess.run(
                    [shellcheck, "--shell=bash", "-"],
                    input=step["run"],
                    capture_output=True,
                    text=True,
                    check=False,
                )
                assert (done.returncode, done.stdout) == (0, "")


def test_only_a_version_is_published_and_only_after_it_was_checked() -> None:
    found = workflow("image.yml")
    assert found["permissions"] == {}
    check, publish = found["jobs"]["check"], found["jobs"]["publish"]
    assert check["permissions"] == {"contents": "read"}
    assert (publish["if"], publish["needs"]) == ("github.ref_type == 'tag'", "check")
    assert set(publish["permissions"]) == {"contents", "packages", "id-token"}


def test_what_is_published_is_built_as_what_was_checked() -> None:
    jobs = workflow("image.yml")["jobs"]
    built = [
        dict(line.split("=", 1) for line in step["with"]["build-args"].splitlines())
        for job in ("check", "publish")
        for step in jobs[job]["steps"]
        if "build-push-action" in step.get("uses", "")
    ]
    assert [arguments["PYTHON_VERSION"] for arguments in built] == ["${{ env.PYTHON_VERSION }}"] * 2
    assert built[0]["PYTHON_DIGEST"] == "@${{ steps.base.outputs.digest }}"
    assert built[1]["PYTHON_DIGEST"] == "@${{ needs.check.outputs.base }}"
    declared = set(re.findall(r"^ARG (\w+)", (ROOT / "Dockerfile").read_text(encoding="utf-8"), re.MULTILINE))
    assert all(set(arguments) <= declared for arguments in built)


def test_the_labels_of_what_is_published_say_what_it_was_built_from() -> None:
    (labels,) = (
        step["with"]["labels"].splitlines()
        for step in workflow("image.yml")["jobs"]["publish"]["steps"]
        if "build-push-action" in step.get("uses", "")
    )
    assert dict(line.removeprefix("org.opencontainers.image.").split("=", 1) for line in labels) == {
        "version": "${{ steps.name.outputs.version }}",
        "revision": "${{ github.sha }}",
        "base.digest": "${{ needs.check.outputs.base }}",
    }
    (step,) = (step for step in workflow("image.yml")["jobs"]["check"]["steps"] if step.get("id") == "base")
    assert 'echo "digest=$digest"' in step["run"]


def test_every_file_of_the_package_may_enter_the_build() -> None:
    """Seen here, where nothing is built: a folder without its line is a module that the image lacks."""
    rules = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    entering = {path for rule in rules if rule.startswith("!") for path in ROOT.glob(rule[1:])}
    there = {
        path
        for path in (ROOT / "src" / "rfm_pipeline").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert there - entering == set()
