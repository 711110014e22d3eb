"""Parsing of `date_format` and of lists in variables: one value, several, and values with a comma."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from rfm_pipeline.common.date_formats import check_format
from rfm_pipeline.config import vocabulary
from rfm_pipeline.config.environment import read_environment
from rfm_pipeline.config.loader import Configuration
from rfm_pipeline.config.month_names import month_key, month_keys


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


def test_each_key_of_a_month_name_is_one_month_in_all_languages() -> None:
    numbers: dict[str, set[int]] = {}
    for months in vocabulary.load("months").values():
        assert len(months) == 12
        for number, names in enumerate(months, start=1):
            for name in names:
                assert name == name.lower().strip(".")
                numbers.setdefault(month_key(name), set()).add(number)
    assert all(len(found) == 1 for found in numbers.values()), numbers
    assert dict(month_keys()) == {key: number for key, (number,) in numbers.items()}
    assert set(vocabulary.load("months")) == set(vocabulary.LANGUAGES)


def test_no_key_of_a_month_is_a_part_of_the_list_where_another_key_ends() -> None:
    """The query finds a key in this text; it must find it where the month follows."""
    text = " ".join(f"{key}{number:02}" for key, number in month_keys().items())
    for key, number in month_keys().items():
        assert text[text.index(key) + 3 :][:2] == f"{number:02}"


@pytest.mark.parametrize(
    "text",
    [
        "iso",
        "epoch_s",
        "epoch_ms",
        "epoch_us",
        "epoch_ns",
        "excel_serial",
        "%d/%m/%Y %H:%M:%S %z",
        "%b %d, %y",
    ],
)
def test_formats_are_codes_or_names(text: str) -> None:
    check_format(text)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("epoch", "'epoch' is no date format: use codes such as %d/%m/%Y, or one of iso, epoch_s"),
        ("%d/%m/%Q", "uses %Q"),
        ("%d/%d/%Y", "uses a code twice"),
        ("%d/%m", "must give the year, the month and the day"),
        ("%H:%M %z %d/%m/%Y", "must give the date before the time and its zone"),
    ],
)
def test_what_is_no_format_is_refused(text: str, part: str) -> None:
    with pytest.raises(ValueError, match=re.escape(part)):
        check_format(text)
