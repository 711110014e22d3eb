"""The tutorials: their commands run one after the other, and print what the pages show."""

from __future__ import annotations

import os
from pathlib import Path
from shutil import copy2

import pytest

from support.cli import Rfm
from support.tutorials import TUTORIALS, is_excerpt, printed, steps

UPDATE = bool(os.environ.get("RFM_UPDATE_GOLDEN"))


@pytest.mark.slow
def test_the_shopify_tutorial_prints_what_it_shows(
    rfm: Rfm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    for kind in ("orders", "customers"):
        copy2(TUTORIALS / f"shopify_{kind}.csv", tmp_path / f"{kind}_export.csv")
    page = (TUTORIALS / "shopify.md").read_text(encoding="utf-8")
    outputs = []
    for step in steps(page):
        for command in step.commands:
            finished = rfm(*command)
            # The tutorial's file has no orders of the weeks after it, with which the last step compares.
            assert finished.code == (2 if command[0] == "transitions" else 0), (command, finished.stderr)
        if step.shown is not None:
            outputs.append((step, printed(finished.stdout)))
    if UPDATE:
        for step, output in reversed(outputs):
            page = page[: step.position[0]] + output + page[step.position[1] :]
        (TUTORIALS / "shopify.md").write_text(page, encoding="utf-8")
        return
    assert len(outputs) == 4
    assert [step.shown for step, _ in outputs] == [output for _, output in outputs]
    written = (tmp_path / "win-back.csv").read_text(encoding="utf-8")
    assert "Email Address" in written.splitlines()[0]


def test_the_schedules_of_the_bigquery_tutorial_are_written(rfm: Rfm, tmp_path: Path) -> None:
    (tmp_path / "rfm.toml").write_text("source = 'orders.csv'\n", encoding="utf-8")
    page = (TUTORIALS / "bigquery.md").read_text(encoding="utf-8")
    schedules = [command for step in steps(page) for command in step.commands if command[0] == "schedule"]
    assert [command[1] for command in schedules] == ["cloud-run", "kubernetes", "cron"]
    for command in schedules:
        finished = rfm(*command)
        assert finished.code == 0, finished.stderr


def test_an_excerpt_has_the_lines_of_the_output_in_order() -> None:
    assert is_excerpt("a\n...\nc\n", "a  \nb\nc\n")
    assert not is_excerpt("c\n...\na\n", "a\nb\nc\n")
