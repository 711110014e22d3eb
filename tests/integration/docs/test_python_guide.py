"""The page about Python runs as it stands, from its first block to its last."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from support.markdown import blocks
from support.paths import ROOT

PAGE = ROOT / "docs" / "guides" / "python.md"


def test_the_page_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    found = blocks("python", PAGE.read_text(encoding="utf-8"))
    assert len(found) >= 6
    names: dict[str, Any] = {}
    for block in found:
        exec(compile(block, str(PAGE), "exec"), names)  # noqa: S102 - our own page
    told = capsys.readouterr().out
    # What a comment shows behind a print is what is printed.
    assert "<Segmentation: 3 customers, 4 orders, revenue 184.00, as of 2025-02-11>\n" in told
    assert "Nothing was published, because an audit failed: All 5 lines were excluded, " in told
    assert names["best"] == []
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]
