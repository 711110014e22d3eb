"""What is there already is overwritten only by whoever says so, and hints name what was meant."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from support.cli import Rfm
from support.orders import refused


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_demo_writes_over_its_own_shop_and_over_nothing_else(here: Path, rfm: Rfm) -> None:
    assert rfm("demo", "--lines", "2000", "--quiet").code == 0
    assert rfm("demo", "--lines", "1000", "--quiet").code == 0
    mine = "my,own,data\n1,2,3\n"
    (here / "demo.csv").write_text(mine, encoding="utf-8")
    assert refused(rfm("demo", "--quiet")) == ("demo.csv is there already.", "`--force` overwrites it.")
    assert (here / "demo.csv").read_text(encoding="utf-8") == mine
    assert rfm("demo", "--lines", "1000", "--quiet", "--force").code == 0


def test_init_speaks_of_the_file_that_was_named(here: Path, rfm: Rfm) -> None:
    (here / "a b.csv").write_text("customer_id,ordered_at,amount\na,2025-01-01,5\n", encoding="utf-8")
    written = rfm("init", "a b.csv", "--config", "my shop.toml")
    assert written.stdout.rstrip().endswith(
        "Next: rfm check --config 'my shop.toml', then rfm run --config 'my shop.toml'."
    )
    _, hint = refused(rfm("init", "a b.csv", "--config", "my shop.toml"))
    assert hint == "`rfm init 'a b.csv' --config 'my shop.toml' --force` overwrites it."
    assert rfm("check", "--config", "my shop.toml").code == 0
    assert rfm("init", "a b.csv").stdout.rstrip().endswith("Next: rfm check, then rfm run.")


def test_a_demo_is_stopped_while_it_makes_up_its_shop(here: Path) -> None:
    start = "from rfm_pipeline.cli import main; main()"
    command = [sys.executable, "-c", start, "demo", "--lines", "500_000_000", "--source", "big.parquet"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as making:
        try:
            deadline = time.monotonic() + 60
            while not list(here.glob(".rfm-demo-*")) and time.monotonic() < deadline:
                time.sleep(0.05)
            making.send_signal(signal.SIGTERM)
            said = making.communicate(timeout=60)
        finally:
            making.kill()
    assert (making.returncode, said) == (130, (b"", b"error: Stopped; nothing was published.\n"))
    assert list(here.iterdir()) == []
