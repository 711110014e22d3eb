"""The code blocks of the Python guide run, in their order, as one program."""

from __future__ import annotations

import sys
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from support.markdown import blocks
from support.paths import ROOT

PAGE = ROOT / "docs" / "guides" / "python.md"


def test_the_guide_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    # Importing scipy and fitting BG/NBD would take most of the time.
    monkeypatch.setitem(sys.modules, "scipy", None)
    orders = [
        f"c{number % 25},o{number},{date(2025, 1, 1) + timedelta(days=number)},{10 + number * 7 % 90}"
        for number in range(150)
    ]
    (tmp_path / "orders.csv").write_text("customer_id,order_id,order_date,amount\n" + "\n".join(orders))
    code_blocks = blocks("python", PAGE.read_text(encoding="utf-8"))
    assert len(code_blocks) >= 6
    names: dict[str, Any] = {}
    for block in code_blocks:
        exec(compile(block, str(PAGE), "exec"), names)  # noqa: S102 - our own page
    output = capsys.readouterr().out
    # The comments behind `print` show its output.
    assert "<Segmentation: 3 customers, 4 orders, revenue 184.00, as of 2025-02-11>\n" in output
    assert "Nothing was published, because an audit failed: All 5 lines were excluded, " in output
    assert names["best"] == []
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "customers.csv", "grid.svg", "orders.csv", "report.html",
    ]  # fmt: skip
