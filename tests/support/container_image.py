"""Build and run the container image with podman and buildah."""

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
# User id that the Dockerfile creates.
USER = 10001

# These options need no overlays, systemd or user namespaces, so they work for root inside a container.
_ENVIRONMENT = {"STORAGE_DRIVER": "vfs", "BUILDAH_ISOLATION": "chroot"}
_PODMAN = ("podman", "--cgroup-manager", "cgroupfs", "--runtime", "runc")
_LIMITS = ("--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1000:1000")


def run_process(
    command: Sequence[object], seconds: float = 120, **more: Any
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        list(map(str, command)),
        env={**os.environ, **_ENVIRONMENT},
        capture_output=True,
        encoding="utf-8",
        timeout=seconds,
        check=False,
        **more,
    )


def start_process(command: Sequence[str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command,
        env={**os.environ, **_ENVIRONMENT},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )


def podman(*arguments: object, seconds: float = 120) -> subprocess.CompletedProcess[str]:
    return run_process([*_PODMAN, *arguments], seconds)


def skip_without_podman() -> None:
    missing = [tool for tool in ("podman", "buildah", "runc") if shutil.which(tool) is None]
    if missing:
        pytest.skip(f"{' and '.join(missing)} not installed: no image can be built and run")
    if os.geteuid() != 0:
        pytest.skip("only root can build and run an image everywhere")


def base_python_version() -> str:
    """Return the Python version of a base image that is present, can be built or can be pulled.

    If `STAND_IN` exists, it builds a substitute image with Debian's Python, which podman keeps.
    """
    if podman("image", "exists", BASE.format(PYTHON)).returncode == 0:
        return PYTHON
    if podman("image", "exists", BASE.format("3.11")).returncode == 0:
        return "3.11"
    if STAND_IN.exists() and shutil.which("debootstrap"):
        made = run_process([STAND_IN], seconds=600)
        assert made.returncode == 0, made.stderr
        return "3.11"
    pulled = podman("pull", "--quiet", BASE.format(PYTHON), seconds=300)
    if pulled.returncode:
        pytest.skip(f"no base image is available: {pulled.stderr.strip()[-200:]}")
    return PYTHON


def build(folder: Path, tag: str) -> None:
    """Build the image of a folder; replace an earlier image of the same tag."""
    podman("rmi", "--force", tag)
    built = run_process(
        ["buildah", "bud", "--network", "host",
         "--build-arg", f"PYTHON_VERSION={base_python_version()}", "-t", tag, "."],
        seconds=900, cwd=folder,
    )  # fmt: skip
    assert built.returncode == 0, built.stdout[-3000:] + built.stderr[-3000:]


@dataclass(frozen=True, slots=True)
class Image:
    """A built image."""

    tag: str

    def command(
        self,
        *arguments: object,
        options: Sequence[object] = (),
        environment: Mapping[str, str] | None = None,
        network: str = "none",
    ) -> list[str]:
        """Return the command that runs the image read-only, with 1 GiB of memory and the named network."""
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
        command = self.command(*arguments, options=options, environment=environment, network=network)
        return run_process(command, seconds)

    def shell(self, line: str) -> subprocess.CompletedProcess[str]:
        return self.run("-c", line, options=("--entrypoint", "sh"))

    @property
    def config(self) -> dict[str, Any]:
        inspected: dict[str, Any] = json.loads(podman("image", "inspect", self.tag).stdout)[0]["Config"]
        return inspected
