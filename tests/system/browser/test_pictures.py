"""The pictures in README.md show what a run and its report show; `make pictures` draws them anew."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.browser import launch_chromium
from support.cli import Rfm
from support.pictures import PICTURES, UPDATE, photograph, svg_text, terminal_svg

pytestmark = pytest.mark.xdist_group("browser")


def test_the_picture_of_the_terminal_is_what_a_run_prints(rfm: Rfm, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn, file = terminal_svg(rfm, monkeypatch), PICTURES / "terminal.svg"
    if UPDATE:
        file.write_text(drawn, encoding="utf-8")
    kept = file.read_text(encoding="utf-8")
    assert svg_text(kept) == svg_text(drawn), "run `make pictures`"
    assert any(text.startswith("Champions") for text in svg_text(drawn))
    assert "url(" not in kept.replace("url(#", "")


def test_the_picture_of_the_report_shows_what_the_page_shows(rfm: Rfm) -> None:
    """The texts are compared: another version of the browser may draw other pixels."""
    assert rfm("demo", "--lines", 20_000, "--source", "orders.csv", "--quiet").code == 0
    for day in ("2025-11-30", "2025-12-31"):
        run = ("run", "orders.csv", "--as-of", day, "--returns", "net", "--quiet")
        finished = rfm(*run, "--report", "report.html")
        assert finished.code == 0, finished.stderr
    with launch_chromium() as browser:
        picture, shown = photograph(browser, Path("report.html"))
    if UPDATE:
        (PICTURES / "report.png").write_bytes(picture)
        (PICTURES / "report.txt").write_text(shown, encoding="utf-8")
    assert (PICTURES / "report.png").exists()
    assert (PICTURES / "report.txt").read_text(encoding="utf-8") == shown, "run `make pictures`"
