"""docs/scheduling.md: its commands are commands, and every scheduler is in it."""

from __future__ import annotations

import re
import shlex
from itertools import pairwise
from pathlib import Path

import pytest
import yaml

from rfm_pipeline.schedule import TARGETS
from rfm_pipeline.schedule.spec import USER_ID
from support.cli import Rfm
from support.paths import ROOT

TEXT = (ROOT / "docs" / "guides" / "scheduling.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```sh\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
COMMANDS = [line for block in BLOCKS for line in block.splitlines() if line.startswith("rfm ")]


def test_every_scheduler_is_shown() -> None:
    assert [line.split()[2] for line in COMMANDS] == list(TARGETS)


@pytest.mark.parametrize("line", COMMANDS, ids=lambda line: line.split()[2])
def test_a_command_that_is_shown_makes_a_schedule(line: str, rfm: Rfm) -> None:
    Path("rfm.toml").write_text("source = 'orders.csv'\n", encoding="utf-8")
    words = [word for word in shlex.split(line)[1:] if word != "--install"]
    assert rfm(*words).code == 0


def test_each_is_shown_in_five_lines_at_most() -> None:
    assert all(len(block.splitlines()) <= 5 for block in BLOCKS)


def test_the_services_of_the_compose_file_are_those_that_are_shown() -> None:
    services = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))["services"]
    shown = re.findall(r"docker compose (?:run --rm|up --detach|logs) (\w+)", TEXT)
    assert set(shown) == set(services)


def test_the_table_says_of_each_what_happens() -> None:
    rows = re.findall(r"^\| (\w[\w ]*) \| (.+) \| (.+) \| (.+) \|$", TEXT, re.MULTILINE)
    assert [row[0].casefold().replace(" ", "-") for row in rows] == [*TARGETS, "compose"]
    assert all(all(cell.strip() for cell in row) for row in rows)


def test_a_container_that_is_shown_hears_a_stop_from_the_first_moment() -> None:
    shown = [
        line
        for name in ("README.md", "docs/guides/scheduling.md", "Dockerfile", ".github/workflows/image.yml")
        for line in (ROOT / name).read_text(encoding="utf-8").splitlines()
        if "docker run " in line
    ]
    assert shown
    assert all("docker run --rm --init" in line for line in shown), shown


def test_the_key_is_where_the_image_is_told_to_look_for_it() -> None:
    (block,) = (block for block in BLOCKS if "docker run" in block)
    words = shlex.split(block)
    given = dict(after.split("=", 1) for word, after in pairwise(words) if word == "-e")
    (volume,) = (after for word, after in pairwise(words) if word == "-v")
    assert given.keys() == {"RFM_SOURCE", "RFM_TO", "GOOGLE_APPLICATION_CREDENTIALS"}
    assert volume.endswith(f":{given['GOOGLE_APPLICATION_CREDENTIALS']}:ro")
    assert f"UID {USER_ID}" in TEXT
