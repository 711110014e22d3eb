"""Existing files are overwritten only with --force, and hints name the file that was given."""

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
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.slow
def test_the_demo_overwrites_only_its_own_file(folder: Path, rfm: Rfm) -> None:
    assert rfm("demo", "--lines", "2000", "--quiet").code == 0
    assert rfm("demo", "--lines", "1000", "--quiet").code == 0
    other = "my,own,data\n1,2,3\n"
    (folder / "demo.csv").write_text(other, encoding="utf-8")
    assert refused(rfm("demo", "--quiet")) == ("demo.csv exists already.", "`--force` overwrites it.")
    assert (folder / "demo.csv").read_text(encoding="utf-8") == other
    assert rfm("demo", "--lines", "1000", "--quiet", "--force").code == 0


def test_init_names_the_given_file_in_its_hints(folder: Path, rfm: Rfm) -> None:
    (folder / "a b.csv").write_text("customer_id,ordered_at,amount\na,2025-01-01,5\n", encoding="utf-8")
    written = rfm("init", "a b.csv", "--config", "my shop.toml")
    assert written.stdout.rstrip().endswith(
        "Next: rfm check --config 'my shop.toml', then rfm run --config 'my shop.toml'."
    )
    _, hint = refused(rfm("init", "a b.csv", "--config", "my shop.toml"))
    assert hint == "`rfm init 'a b.csv' --config 'my shop.toml' --force` overwrites it."
    assert rfm("check", "--config", "my shop.toml").code == 0
    assert rfm("init", "a b.csv").stdout.rstrip().endswith("Next: rfm check, then rfm run.")


def test_no_file_is_written_over_the_source_of_a_run_on_record(folder: Path, rfm: Rfm) -> None:
    (folder / "days").mkdir()
    orders = folder / "days" / "orders.csv"
    orders.write_text("customer_id,ordered_at,amount\na,2025-01-01,5\nb,2025-01-02,7\n", encoding="utf-8")
    (folder / "link.csv").symlink_to(orders)
    before = orders.read_bytes()
    assert rfm("run", "days/*.csv").code == 0
    for command in (
        ("export", "-o", "days/orders.csv"),
        ("movers", "-o", "link.csv"),
        ("export", "-o", "days/b.csv"),
    ):
        sentence, hint = refused(rfm(*command))
        assert sentence == f"The output {command[-1]} would be part of the source days/*.csv."
        assert hint == "write it somewhere else."
    assert rfm("export", "-o", "b.csv").code == 0
    assert rfm("run", "days", "--replace-source").code == 0
    assert rfm("report", "-o", "days/report.html").code == 0, "no file of a folder that a run reads"
    assert (orders.read_bytes(), sorted(path.name for path in orders.parent.iterdir())) == (
        before,
        ["orders.csv", "report.html"],
    )


@pytest.mark.slow
def test_a_demo_can_be_cancelled_while_it_generates_the_shop(folder: Path) -> None:
    start = "from rfm_pipeline.cli import main; main()"
    command = [sys.executable, "-c", start, "demo", "--lines", "500_000_000", "--source", "big.parquet"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        try:
            deadline = time.monotonic() + 60
            while not list(folder.glob(".rfm-demo-*")) and time.monotonic() < deadline:
                time.sleep(0.05)
            process.send_signal(signal.SIGTERM)
            output = process.communicate(timeout=60)
        finally:
            process.kill()
    assert (process.returncode, output) == (130, (b"", b"error: Stopped; nothing was published.\n"))
    assert list(folder.iterdir()) == []
