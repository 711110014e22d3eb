"""The notebook of the guides runs on CDNOW, cell by cell, and is stored without outputs."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from shutil import copyfile
from typing import Any

import pytest

from support.cdnow import SAMPLE_CUSTOMERS, sample_file
from support.paths import ROOT

NOTEBOOK = ROOT / "docs" / "guides" / "cdnow.ipynb"


def run(source: str, names: dict[str, Any]) -> Any:
    """Run a cell, and return the value of its last expression, which a notebook shows."""
    tree = ast.parse(source)
    last = tree.body.pop()
    exec(compile(tree, str(NOTEBOOK), "exec"), names)  # noqa: S102 - our own notebook
    if isinstance(last, ast.Expr):
        return eval(compile(ast.Expression(last.value), str(NOTEBOOK), "eval"), names)  # noqa: S307
    exec(compile(ast.Module([last], []), str(NOTEBOOK), "exec"), names)  # noqa: S102
    return None


def test_the_notebook_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    copyfile(sample_file(), "CDNOW_sample.txt")
    notebook = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in cells)
    names: dict[str, Any] = {}
    shown = [run("".join(cell["source"]), names) for cell in cells]
    assert all(value is not None for value in shown)
    assert names["lines"]["customer_id"].nunique() == SAMPLE_CUSTOMERS
    assert "2,349 customers" in names["summer"]._repr_html_()
    assert any(hasattr(value, "_repr_svg_") for value in shown)
    # What the text says.
    frequency = names["summer"].thresholds.query("dimension == 'frequency'").set_index("score")
    assert frequency.loc[2, "customers"] == 0
    assert 0.55 < (names["customers"]["frequency"] == 1).mean() < 0.65
    assert names["later"].edges == names["summer"].edges
    lifts = names["outcomes"].set_index("segment")["lift"]
    assert lifts["Champions"] > 2
    assert lifts["Lost"] < 0.5
