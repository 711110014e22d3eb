"""Formats and lists as people write them: one, several with commas, a comma inside."""

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
def test_a_comma_stands_between_formats_or_in_one(written: Any, formats: tuple[str, ...]) -> None:
    assert Configuration(file={"date_format": written}).settings().date_format == formats
    if isinstance(written, str):
        environment = read_environment({"RFM_DATE_FORMAT": written})
        assert Configuration(environment=environment).settings().date_format == formats


def test_an_output_in_the_file_may_have_a_comma_in_its_name_and_variables_list_with_commas() -> None:
    assert Configuration(file={"output": "a, b.csv"}).settings().output == (Path("a, b.csv"),)
    variables = read_environment({"RFM_OUTPUT": "a.csv, b.csv", "RFM_PRESET": "grid, ga4"})
    settings = Configuration(environment=variables).settings()
    assert settings.output == (Path("a.csv"), Path("b.csv"))
    assert set(settings.preset) == {"grid", "ga4"}
