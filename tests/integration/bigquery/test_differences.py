"""docs/contributing/emulators.md: what the emulators answer otherwise than Google's evaluator."""

from __future__ import annotations

import re

import pytest

from support import bigquery_emulator
from support.bigquery_emulator import EMULATORS
from support.bigquery_shop import Shop
from support.googlesql import GoogleSql
from support.paths import ROOT

pytestmark = [pytest.mark.xdist_group("bigquery"), pytest.mark.long]

PAGE = (ROOT / "docs" / "contributing" / "emulators.md").read_text(encoding="utf-8")
HEADINGS = ("Google", *EMULATORS)
ROWS = [
    (expression, dict(zip(HEADINGS, cells.split(" | "), strict=True)))
    for expression, cells in re.findall(r"^\| `([A-Z_]+\(.+)` \| (.+) \|$", PAGE, re.MULTILINE)
]


def as_written(value: object) -> str:
    return "NULL" if value is None else str(value).casefold() if isinstance(value, bool) else str(value)


def test_the_page_has_rows() -> None:
    assert len(ROWS) >= 8
    assert f"| expression | {' | '.join(HEADINGS)} |" in PAGE


def test_google_answers_as_the_page_says() -> None:
    for expression, answers in ROWS:
        (row,) = GoogleSql.load().execute(f"SELECT {expression} AS answer", {}, {})
        assert as_written(row["answer"]) == answers["Google"], expression


@pytest.mark.parametrize("name", EMULATORS)
def test_an_emulator_answers_as_the_page_says(name: str) -> None:
    try:
        with bigquery_emulator.run_emulator(EMULATORS[name]) as address:
            shop = Shop(address)
            for expression, answers in ROWS:
                (row,) = shop.execute(f"SELECT {expression} AS answer")
                assert as_written(row["answer"]) == answers[name], expression
            shop.close()
    except bigquery_emulator.UnavailableError as error:
        pytest.skip(f"no BigQuery server here: {error}")
