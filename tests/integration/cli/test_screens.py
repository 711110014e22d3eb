"""Snapshots of the terminal output: one text file in tests/data/screens for each screen.

Other tests check structure, codes and figures; the wording is checked here only. After a change of wording,
run `RFM_UPDATE_GOLDEN=1 pytest tests/integration/cli/test_screens.py` and review the diff of the files.
"""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path

import pytest

from rfm_pipeline import __version__
from support.cli import Rfm
from support.orders import ORDERS
from support.paths import TEST_DATA

# Read here: the fixture `rfm` removes RFM_* variables.
UPDATE = bool(os.environ.get("RFM_UPDATE_GOLDEN"))
SCREENS = TEST_DATA / "screens"
BACKFILL = "rfm backfill orders.csv --from 2024-02-23"
EARLIER, LATER = (f"rfm run orders.csv --as-of {day}" for day in ("2024-02-25", "2024-03-01"))

# By name of the file: the command that is shown, after the commands that prepare it.
COMMANDS = {
    "help": ("rfm --help",),
    "run": ("rfm run orders.csv --output segments.csv",),
    "run-history-only": (LATER, EARLIER),
    "run-frozen": ("rfm calibrate orders.csv", "rfm run orders.csv --freeze latest"),
    "calibrate": ("rfm calibrate orders.csv",),
    "check": (EARLIER, "rfm check orders.csv --output segments.csv"),
    "runs": (EARLIER, LATER, "rfm rollback", "rfm run orders.csv --as-of 2001-01-01", "rfm runs"),
    "runs-record": (LATER, "rfm runs RUN_ID"),
    "rollback": (EARLIER, LATER, "rfm rollback"),
    "backfill": (f"{BACKFILL} --until 2024-02-24", f"{BACKFILL} --until 2024-02-26"),
    "evaluate": ("rfm evaluate orders.csv --horizon 20d",),
    "compare": ("rfm compare orders.csv --with preset=grid",),
    "explain": (EARLIER, "rfm explain bob orders.csv"),
    "transitions": (EARLIER, LATER, "rfm transitions"),
    "movers": (EARLIER, LATER, "rfm movers"),
    "export-moved": (EARLIER, LATER, "rfm export --moved '* -> *' --output customers.csv"),
    "export": (LATER, "rfm export --output customers.csv"),
    "presets": ("rfm presets",),
    "presets-classic": ("rfm presets classic",),
    "presets-klaviyo": ("rfm presets klaviyo",),
    "schedule": ("rfm schedule cron --program /opt/rfm --folder /srv/shop -- run orders.csv",),
    "error-audit": ("rfm run orders.csv --as-of 2001-01-01",),
    "error-usage": ("rfm run order.csv",),
}
VARIABLE = (
    (r"\d{8}T\d{6}-[0-9a-f]{6}", "00000000T000000-000000"),
    (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC", "0000-00-00 00:00:00 UTC"),
    (r"\b\d\.\d s\b", "0.0 s"),
    (r"(?m)^(configuration +)[0-9a-f]+$", r"\g<1>000000000000"),
    (rf"\brfm {re.escape(__version__)}\b", "rfm 0.0.0"),
)


@pytest.mark.matrix
@pytest.mark.parametrize("name", COMMANDS)
def test_the_terminal_shows_this_screen(name: str, rfm: Rfm, tmp_path: Path) -> None:
    (tmp_path / "orders.csv").write_text(ORDERS, encoding="utf-8")
    *preparation, shown = COMMANDS[name]
    for command in preparation:
        rfm(*shlex.split(command)[1:])
    arguments = shlex.split(shown)[1:]
    if "RUN_ID" in arguments:
        arguments[arguments.index("RUN_ID")] = rfm("runs", "--json").json["runs"][0]["run_id"]
    ended = rfm(*arguments)
    assert ended.code != 1, ended.stderr
    screen = f"$ {shown}\n{ended.stdout}"
    if ended.stderr:
        screen += f"----- stderr\n{ended.stderr}"
    screen += f"----- exit code {ended.code}\n"
    for pattern, replacement in VARIABLE:
        screen = re.sub(pattern, replacement, screen.replace(str(tmp_path), "FOLDER"))
    file = SCREENS / f"{name}.txt"
    if UPDATE:
        file.write_text(screen, encoding="utf-8")
    assert screen == file.read_text(encoding="utf-8")


def test_each_file_belongs_to_a_screen() -> None:
    assert {path.stem for path in SCREENS.iterdir()} == set(COMMANDS)
