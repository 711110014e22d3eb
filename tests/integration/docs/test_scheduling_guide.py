"""docs/guides/scheduling.md: its commands are valid, and it covers every scheduler."""

from __future__ import annotations

import re
import shlex
from itertools import pairwise
from pathlib import Path

import pytest
import yaml

from rfm_pipeline.config.destination_location import BigQueryDestinationLocation
from rfm_pipeline.config.loader import load_configuration
from rfm_pipeline.config.source_location import BigQueryTable
from rfm_pipeline.schedule import TARGETS
from rfm_pipeline.schedule.spec import USER_ID
from support.cli import Rfm
from support.markdown import blocks
from support.paths import ROOT

TEXT = (ROOT / "docs" / "guides" / "scheduling.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```sh\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
COMMANDS = [line for block in BLOCKS for line in block.splitlines() if line.startswith("rfm ")]


def test_the_guide_has_a_command_for_every_scheduler() -> None:
    assert [line.split()[2] for line in COMMANDS] == list(TARGETS)


@pytest.mark.parametrize("line", COMMANDS, ids=lambda line: line.split()[2])
def test_a_command_of_the_guide_writes_a_schedule(line: str, rfm: Rfm) -> None:
    Path("rfm.toml").write_text("source = 'orders.csv'\n", encoding="utf-8")
    words = [word for word in shlex.split(line)[1:] if word != "--install"]
    assert rfm(*words).code == 0


def test_each_code_block_has_at_most_five_lines() -> None:
    assert all(len(block.splitlines()) <= 5 for block in BLOCKS)


def test_the_guide_uses_every_service_of_the_compose_file() -> None:
    services = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))["services"]
    used = re.findall(r"docker compose (?:run --rm|up --detach|logs) (\w+)", TEXT)
    assert set(used) == set(services)


def test_the_table_has_a_row_for_each_scheduler() -> None:
    rows = re.findall(r"^\| (\w[\w ]*) \| (.+) \| (.+) \| (.+) \|$", TEXT, re.MULTILINE)
    assert [row[0].casefold().replace(" ", "-") for row in rows] == [*TARGETS, "compose"]
    assert all(all(cell.strip() for cell in row) for row in rows)


def test_documented_containers_start_with_an_init_process() -> None:
    lines = [
        line
        for name in ("README.md", "docs/guides/scheduling.md", "Dockerfile", ".github/workflows/image.yml")
        for line in (ROOT / name).read_text(encoding="utf-8").splitlines()
        if "docker run " in line
    ]
    assert lines
    assert all("docker run --rm --init" in line for line in lines), lines


@pytest.mark.parametrize("page", ["README.md", "docs/guides/scheduling.md"])
def test_a_run_on_bigquery_without_a_scheduler_is_one_command(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    commands = [line for block in blocks("sh", text) for line in block.replace("\\\n", " ").splitlines()]
    (words,) = (
        shlex.split(line) for line in commands if line.startswith("docker run ") and "RFM_SOURCE" in line
    )
    variables = dict(value.split("=", 1) for word, value in pairwise(words) if word == "-e")
    (volume,) = (value for word, value in pairwise(words) if word == "-v")
    assert variables.keys() == {"RFM_SOURCE", "RFM_TO", "GOOGLE_APPLICATION_CREDENTIALS"}
    key = variables.pop("GOOGLE_APPLICATION_CREDENTIALS")
    assert volume.endswith(f":{key}:ro")
    assert words[-1] == "rfm-pipeline", "without a command, the image starts a run"
    settings = load_configuration({}, environ=variables, folder=Path("/nonexistent")).settings
    assert isinstance(settings.source, BigQueryTable)
    assert isinstance(settings.to, BigQueryDestinationLocation)
    assert f"UID {USER_ID}" in text
