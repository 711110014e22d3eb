"""docs/tutorials/bigquery.md on the emulator: its commands succeed, and a run prints what the page shows."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from rfm_pipeline.config.loader import Configuration
from support.bigquery_shop import Shop
from support.cli import Rfm
from support.markdown import blocks
from support.tutorials import TUTORIALS, is_excerpt, steps

pytestmark = pytest.mark.xdist_group("bigquery")
PAGE = (TUTORIALS / "bigquery.md").read_text(encoding="utf-8")


@pytest.mark.usefixtures("proxy")
def test_the_bigquery_tutorial_prints_what_it_shows(bigquery_shop: Shop, rfm: Rfm, tmp_path: Path) -> None:
    bigquery_shop.create_table("raw_transactions")
    addresses = {
        "bigquery://shop.sales.raw_transactions": bigquery_shop.source("raw_transactions"),
        "bigquery://shop.marketing": bigquery_shop.destination,
    }
    for step in steps(PAGE):
        for command in step.commands:
            if command[0] != "schedule":
                finished = rfm(*(addresses.get(word, word) for word in command))
                assert finished.code == 0, (command, finished.stderr)
            if command[0] == "init":
                assert '`to = "bigquery://shop.marketing"`' in PAGE
                settings = (tmp_path / "rfm.toml").read_text(encoding="utf-8")
                chosen = re.sub(r"(?m)^to = .*$", f'to = "{bigquery_shop.destination}"', settings)
                (tmp_path / "rfm.toml").write_text(chosen, encoding="utf-8")
        if step.shown is not None:
            assert is_excerpt(step.shown, finished.stdout), finished.stdout
    table = bigquery_shop.name("rfm_segments")
    query = blocks("sql", PAGE)[0].replace("`shop.marketing.rfm_segments`", table)
    customers = sum(row["customers"] for row in bigquery_shop.execute(query))
    assert customers == len(bigquery_shop.published_rows())


def test_the_settings_of_the_tutorial_are_valid() -> None:
    (block,) = blocks("toml", PAGE)
    settings = Configuration(file=tomllib.loads(block)).settings
    assert str(settings.audits.max_age.limit) == "2 days"
