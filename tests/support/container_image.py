"""Building and running the real image, with podman and buildah."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from support.paths import ROOT

STAND_IN = ROOT.parent / "shared" / "tools" / "stand-in-image"
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
BASE = "docker.io/library/python:{}-slim-bookworm"
# The image's own user, as the Dockerfile has it.
USER = 10001

# What works wherever root can do anything, in a container too: without overlays, systemd or user namespaces.
_ENVIRONMENT = {"STORAGE_DRIVER": "vfs", "BUILDAH_ISOLATION": "chroot"}
_PODMAN = ("podman", "--cgroup-manager", "cgroupfs", "--runtime", "runc")
_LIMITS = ("--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1000:1000")


def call(words: Sequence[object], seconds: float = 120, **more: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        list(map(str, words)),
        env={**os.environ, **_ENVIRONMENT},
        capture_output=True,
        encoding="utf-8",
        timeout=seconds,
        check=False,
        **more,
    )


def started(words: Sequence[str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        words,
        env={**os.environ, **_ENVIRONMENT},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )


def podman(*words: object, seconds: float = 120) -> subprocess.CompletedProcess[str]:
    return call([*_PODMAN, *words], seconds)


def needs_podman() -> None:
    missing = [tool for tool in ("podman", "buildah", "runc") if shutil.which(tool) is None]
    if missing:
        pytest.skip(f"{' and '.join(missing)} not installed: no image can be built and run")
    if os.geteuid() != 0:
        pytest.skip("only root can build and run an image everywhere")


def python_of_the_base() -> str:
    """The Python of a base image that is here or can be had.

    Where no registry can be reached, a stand-in of Debian's own Python is made, once: podman keeps it.
    """
    if podman("image", "exists", BASE.format(PYTHON)).returncode == 0:
        return PYTHON
    if podman("image", "exists", BASE.format("3.11")).returncode == 0:
        return "3.11"
    if STAND_IN.exists() and shutil.which("debootstrap"):
        made = call([STAND_IN], seconds=600)
        assert made.returncode == 0, made.stderr
        return "3.11"
    pulled = podman("pull", "--quiet", BASE.format(PYTHON), seconds=300)
    if pulled.returncode:
        pytest.skip(f"no base image can be had: {pulled.stderr.strip()[-200:]}")
    return PYTHON


def build(folder: Path, tag: str) -> None:
    """Builds the image of a folder, in the place of an earlier one."""
    podman("rmi", "--force", tag)
    built = call(
        ["buildah", "bud", "--network", "host",
         "--build-arg", f"PYTHON_VERSION={python_of_the_base()}", "-t", tag, "."],
        seconds=900, cwd=folder,
    )  # fmt: skip
    assert built.returncode == 0, built.stdout[-3000:] + built.stderr[-3000:]


@dataclass(frozen=True, slots=True)
class Image:
    """An image that was built, to be run."""

    tag: str

    def words(
        self,
        *arguments: object,
        options: Sequence[object] = (),
        environment: Mapping[str, str] | None = None,
        network: str = "none",
    ) -> list[str]:
        """What runs it: no network unless one is named, nothing writable but its volume, 1 GiB of memory."""
        variables = [
            word for name, value in (environment or {}).items() for word in ("-e", f"{name}={value}")
        ]
        return list(
            map(str, [
                *_PODMAN, "run", "--rm", *_LIMITS,
                "--network", network, "--read-only", "--cap-drop", "ALL", "--memory", "1g",
                *variables, *options, self.tag, *arguments,
            ])
        )  # fmt: skip

    def run(
        self,
        *arguments: object,
        options: Sequence[object] = (),
        environment: Mapping[str, str] | None = None,
        network: str = "none",
        seconds: float = 120,
    ) -> subprocess.CompletedProcess[str]:
        words = self.words(*arguments, options=options, environment=environment, network=network)
        return call(words, seconds)

    def shell(self, line: str) -> subprocess.CompletedProcess[str]:
        return self.run("-c", line, options=("--entrypoint", "sh"))

    @property
    def config(self) -> dict[str, Any]:
        inspected: dict[str, Any] = json.loads(podman("image", "inspect", self.tag).stdout)[0]["Config"]
        return inspected
