"""`--quiet` of each command: nothing but what a program reads, and errors."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.cli import Outcome, Rfm
from support.orders import ORDERS


@pytest.fixture
def shop(tmp_path: Path, rfm: Rfm) -> Path:
    (tmp_path / "orders.csv").write_text(ORDERS, encoding="utf-8")
    for day in ("2024-02-25", "2024-03-01"):
        assert rfm("run", "orders.csv", "--as-of", day, "-q") == Outcome(0, "", "")
    return tmp_path


@pytest.mark.parametrize(
    "command",
    [
        "check orders.csv",
        "compare orders.csv --with preset=grid",
        "evaluate orders.csv --horizon 20d",
        "explain bob orders.csv",
        "init orders.csv",
        "movers",
        "report",
        "sql orders.csv --for dbt --table a.b.c --output models",
        "transitions",
    ],
)
def test_a_quiet_command_prints_nothing(command: str, shop: Path, rfm: Rfm) -> None:
    assert rfm(*command.split(), "-q") == Outcome(0, "", "")


def test_quiet_lists_are_names_for_other_programs(shop: Path, rfm: Rfm) -> None:
    ids = [run["run_id"] for run in rfm("runs", "--json").json["runs"]]
    assert rfm("runs", "-q").stdout.split("\n") == [*ids, ""]
    assert rfm("runs", ids[1], "-q").stdout == f"{ids[1]}\n"
    assert rfm("presets", "-q").stdout.split() == list(rfm("presets", "--json").json)
    assert rfm("presets", "grid", "-q").stdout == "grid\n"


def test_quiet_files_are_printed_without_notes(rfm: Rfm) -> None:
    arguments = ("schedule", "cron", "--program", "/opt/rfm", "--folder", "/srv/shop")
    ended, quiet = rfm(*arguments), rfm(*arguments, "-q")
    assert ended.stderr
    assert (quiet.stdout, quiet.stderr) == (ended.stdout, "")
