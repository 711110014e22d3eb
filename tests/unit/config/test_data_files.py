"""Reading data files gives what `tomllib` gives."""

from __future__ import annotations

import tomllib
from importlib import resources
from pathlib import Path

import pytest

from rfm_pipeline.config.data_files import parse_data

_CONFIG = Path(str(resources.files("rfm_pipeline.config")))


@pytest.mark.parametrize("file", sorted(_CONFIG.rglob("*.toml")), ids=lambda file: file.stem)
def test_data_files_have_the_values_of_tomllib(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    assert parse_data(text) == tomllib.loads(text)


@pytest.mark.parametrize(
    "text",
    [
        "a = []",
        'a = ["x"]\nb = ["x", "y",]\n[t]\nc = [["p", "q"], ["r"]]',
        'a = [\n  "x", # why\n  "y"\n]',
        r'a = ["\\n", "tab\t"]',
        'a = { b = ["x"], c = 1 }\n[[d]]\ne = ["ü", "#no comment", "z, [y]"]',
    ],
)
def test_arrays_have_the_values_of_tomllib(text: str) -> None:
    assert parse_data(text) == tomllib.loads(text)
