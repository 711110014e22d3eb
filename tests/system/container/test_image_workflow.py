"""GitHub workflows: actions are pinned, permissions are minimal, and shell scripts pass ShellCheck."""

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
def test_every_action_is_pinned_to_a_commit_with_its_version_in_a_comment(path: Path) -> None:
    used = re.findall(r"uses: (.*)", path.read_text(encoding="utf-8"))
    assert used
    for line in used:
        assert re.fullmatch(r"[\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", line), line


def test_an_action_has_the_same_version_in_all_workflows() -> None:
    found = [line for path in WORKFLOWS for line in re.findall(r"uses: (\S+)@(\S+)", path.read_text("utf-8"))]
    assert len(dict(found)) == len(set(found))


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_the_shell_scripts_of_workflows_pass_shellcheck(path: Path) -> None:
    shellcheck = shutil.which("shellcheck", path=str(Path(sys.executable).parent))
    assert shellcheck
    for job in workflow(path.name)["jobs"].values():
        for step in job["steps"]:
            if "run" in step:
                # Expressions are passed as environment variables, to prevent script injection.
                assert "${{" not in step["run"]
                done = subprocess.run(
                    [shellcheck, "--shell=bash", "-"],
                    input=step["run"],
                    capture_output=True,
                    text=True,
                    check=False,
                )
                assert (done.returncode, done.stdout) == (0, "")


def test_only_tags_are_published_and_only_after_the_check_job() -> None:
    image_workflow = workflow("image.yml")
    assert image_workflow["permissions"] == {}
    check, publish = image_workflow["jobs"]["check"], image_workflow["jobs"]["publish"]
    assert check["permissions"] == {"contents": "read"}
    assert (publish["if"], publish["needs"]) == ("github.ref_type == 'tag'", "check")
    assert set(publish["permissions"]) == {"contents", "packages", "id-token"}


def test_the_published_image_has_the_same_base_as_the_checked_image() -> None:
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


def test_the_labels_of_the_published_image_name_version_commit_and_base() -> None:
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


def test_every_file_of_the_package_is_in_the_build_context() -> None:
    """A folder without a line in .dockerignore would be missing from the image."""
    rules = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    included = {path for rule in rules if rule.startswith("!") for path in ROOT.glob(rule[1:])}
    package_files = {
        path
        for path in (ROOT / "src" / "rfm_pipeline").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert package_files - included == set()
