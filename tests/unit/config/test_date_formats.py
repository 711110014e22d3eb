"""Parsing of `date_format` and of lists in variables: one value, several, and values with a comma."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from rfm_pipeline.config.environment import read_environment
from rfm_pipeline.config.loader import Configuration


@pytest.mark.parametrize(
    ("written", "formats"),
    [
        ("%b %d, %Y", ("%b %d, %Y",)),
        ("%d/%m/%Y, iso", ("%d/%m/%Y", "iso")),
        ("%d/%m/%Y,%d.%m.%y", ("%d/%m/%Y", "%d.%m.%y")),
        (["%b %d, %Y", "iso"], ("%b %d, %Y", "iso")),
        ("", ("iso",)),
        ([], ("iso",)),
    ],
)
def test_a_comma_separates_formats_unless_it_is_part_of_one(written: Any, formats: tuple[str, ...]) -> None:
    assert Configuration(file={"date_format": written}).settings.date_format == formats
    if isinstance(written, str):
        environment = read_environment({"RFM_DATE_FORMAT": written})
        assert Configuration(environment=environment).settings.date_format == formats


def test_commas_separate_lists_in_variables_but_not_outputs_in_the_file() -> None:
    assert Configuration(file={"output": "a, b.csv"}).settings.output == (Path("a, b.csv"),)
    variables = read_environment({"RFM_OUTPUT": "a.csv, b.csv", "RFM_PRESET": "grid, ga4"})
    settings = Configuration(environment=variables).settings
    assert settings.output == (Path("a.csv"), Path("b.csv"))
    assert set(settings.preset) == {"grid", "ga4"}
