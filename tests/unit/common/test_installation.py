"""Hints that install something: the command fits the way that rfm-pipeline was installed."""

from __future__ import annotations

import importlib.util
import json
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from rfm_pipeline.common.installation import extra_hint, package_hint, parse_origin, upgrade_hint

posix = pytest.mark.skipif(sys.platform == "win32", reason="asserts the quotes of a Unix shell")
CHECKOUT = {"url": "file:///srv/my%20rfm", "dir_info": {}}
EDITABLE = {"url": "file:///srv/rfm", "dir_info": {"editable": True}}
GIT = {
    "url": "https://git.example/rfm.git",
    "vcs_info": {"vcs": "git", "commit_id": "1a2b3c", "requested_revision": "v0.1.0"},
}
WHEEL = {"url": "file:///srv/rfm_pipeline-0.1.0-py3-none-any.whl", "archive_info": {}}
RECEIPT = """
[tool]
requirements = [{ name = "rfm-pipeline", extras = ["excel"], directory = "/srv/my rfm" }, { name = "pandas" }]
"""


class Installed:
    """An installation that the functions under test see in place of this one."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, prefix: Path) -> None:
        self.monkeypatch = monkeypatch
        self.prefix = prefix
        monkeypatch.setattr(sys, "prefix", str(prefix))
        monkeypatch.setattr(sys, "executable", "/env/bin/python")
        monkeypatch.delenv("CONTAINER_IMAGE", raising=False)

    def by(self, direct_url: dict[str, Any] | None, *, pip: bool = True) -> None:
        """State where the distribution comes from, and whether its environment has pip."""

        class Distribution:
            def read_text(self, name: str) -> str | None:
                assert name == "direct_url.json"
                return json.dumps(direct_url) if direct_url else None

        self.monkeypatch.setattr(metadata, "distribution", lambda _name: Distribution())
        self.monkeypatch.setattr(importlib.util, "find_spec", lambda _name: object() if pip else None)


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Installed:
    return Installed(monkeypatch, tmp_path)


@posix
@pytest.mark.parametrize(
    ("direct_url", "requirement"),
    [
        (None, "'rfm-pipeline[excel]'"),
        (CHECKOUT, "'/srv/my rfm[excel]'"),
        (EDITABLE, "-e '/srv/rfm[excel]'"),
        (GIT, "'rfm-pipeline[excel] @ git+https://git.example/rfm.git@v0.1.0'"),
        (WHEEL, f"'rfm-pipeline[excel] @ {WHEEL['url']}'"),
    ],
    ids=["index", "checkout", "editable", "git", "wheel"],
)
def test_an_extra_comes_from_where_the_package_came_from(
    direct_url: dict[str, Any] | None, requirement: str, installed: Installed
) -> None:
    installed.by(direct_url)
    assert extra_hint("excel") == f"/env/bin/python -m pip install {requirement}"
    installed.by(direct_url, pip=False)
    assert extra_hint("excel") == f"uv pip install --python /env/bin/python {requirement}"
    assert package_hint("polars") == "uv pip install --python /env/bin/python polars"


@posix
def test_an_extra_of_a_tool_is_added_to_the_present_ones(installed: Installed) -> None:
    (installed.prefix / "uv-receipt.toml").write_text(RECEIPT, encoding="utf-8")
    installed.by(CHECKOUT)
    assert extra_hint("bigquery") == "uv tool install --with pandas '/srv/my rfm[excel,bigquery]'"
    assert package_hint("polars") == "uv tool install --with pandas --with polars '/srv/my rfm[excel]'"
    assert upgrade_hint() == (
        "upgrade: git -C '/srv/my rfm' pull && uv tool install --reinstall --with pandas '/srv/my rfm[excel]'"
    )


@posix
def test_uvx_gets_the_extra_in_its_requirement(monkeypatch: pytest.MonkeyPatch, installed: Installed) -> None:
    monkeypatch.setattr(sys, "prefix", "/home/me/.cache/uv/archive-v0/x1")
    installed.by(GIT)
    requirement = "'rfm-pipeline[excel] @ git+https://git.example/rfm.git@v0.1.0'"
    assert extra_hint("excel") == f"uvx --from {requirement} rfm ..."


@posix
def test_the_environment_of_a_checkout_is_synchronised(
    monkeypatch: pytest.MonkeyPatch, installed: Installed
) -> None:
    monkeypatch.setattr(sys, "prefix", "/srv/rfm/.venv")
    installed.by(EDITABLE, pip=False)
    assert extra_hint("excel") == "uv sync --directory /srv/rfm --all-extras"
    assert upgrade_hint() == "upgrade: git -C /srv/rfm pull"


@posix
def test_an_upgrade_takes_the_newest_version_of_the_origin(installed: Installed) -> None:
    installed.by(None)
    assert upgrade_hint() == "upgrade: /env/bin/python -m pip install --upgrade rfm-pipeline"
    installed.by(GIT)
    assert upgrade_hint() == (
        "upgrade: /env/bin/python -m pip install --upgrade --force-reinstall"
        " 'rfm-pipeline @ git+https://git.example/rfm.git'"
    )


def test_in_a_container_the_image_is_built_or_replaced(
    monkeypatch: pytest.MonkeyPatch, installed: Installed
) -> None:
    installed.by(CHECKOUT)
    monkeypatch.setenv("CONTAINER_IMAGE", "rfm-pipeline")
    assert "docker build --build-arg OMIT= -t rfm-pipeline ." in extra_hint("report")
    assert upgrade_hint() == "run a newer image."


def test_a_password_in_the_address_of_a_repository_is_left_out() -> None:
    origin = parse_origin({**GIT, "url": "https://me:hunter2@git.example/rfm.git"})
    assert origin.requirement() == "rfm-pipeline @ git+https://me@git.example/rfm.git@v0.1.0"


def test_this_installation_has_a_hint() -> None:
    hint = extra_hint("excel")
    assert "excel" in hint or "--all-extras" in hint
