"""The JSON Schema of rfm.toml accepts what the documentation shows, and rejects names that do not exist."""

from __future__ import annotations

import json
import re
import tomllib
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from rfm_pipeline.config import presets
from rfm_pipeline.config.template import render_template
from support.markdown import blocks
from support.message_page import messages
from support.paths import ROOT
from support.reference_pages import ADVICE

SCHEMA = json.loads((ROOT / "docs" / "reference" / "rfm.schema.json").read_text(encoding="utf-8"))
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
SETTINGS = [
    (f"{page.name} {number}", tomllib.loads(block))
    for page in PAGES
    for number, block in enumerate(blocks("toml", page.read_text(encoding="utf-8")))
]


def errors(settings: Any) -> list[str]:
    return [error.message for error in Draft202012Validator(SCHEMA).iter_errors(settings)]


def test_the_schema_accepts_all_settings_that_the_documentation_shows() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    assert len(SETTINGS) > 10
    # Dates of TOML are no JSON; a schema can't name their type.
    assert {name: errors(json.loads(json.dumps(shown, default=str))) for name, shown in SETTINGS} == {
        name: [] for name, _ in SETTINGS
    }


def test_the_schema_accepts_every_setting_of_a_new_configuration() -> None:
    template = re.sub(r"(?m)^# (?=\w+ = |\[)", "", render_template({}, {}))
    names = set(re.findall(r"(?m)^(\w+) = ", template))
    assert names > {"source", "bins", "max_age"}
    conditions = {"test_orders", "wholesale", "continuation_line", "unseen", "too_rich"}
    assert names - conditions <= set(re.findall(r'"(\w+)":', json.dumps(SCHEMA)))


@pytest.mark.parametrize(
    "settings",
    [{"windw": "24 months"}, {"scoring": {"method": "octile"}}, {"audits": {"max_age": {"levl": "warn"}}}],
)
def test_the_schema_rejects_what_a_run_rejects(settings: dict[str, Any]) -> None:
    assert errors(settings) != []


def test_the_presets_page_has_advice_on_every_map() -> None:
    maps = {name for name in presets.names() if presets.info(name).kind == "segments"}
    assert set(ADVICE) == maps


def test_the_messages_page_has_errors_of_every_code() -> None:
    found = list(messages())
    assert {code for code, *_ in found} >= {2, 4, 5, 6}
    assert (2, "--csv and --json can't be combined.", "give one of them.") in found
