"""The generated pages of docs/reference/ are up to date, and the index names every page."""

from __future__ import annotations

import os
import re

import pytest

from rfm_pipeline import errors
from support.guarantees import PROMISES, guarantees, readme
from support.paths import ROOT
from support.reference_pages import PAGES, exit_codes

REFERENCE = ROOT / "docs" / "reference"


@pytest.mark.parametrize("name", PAGES)
def test_a_generated_page_is_up_to_date(name: str) -> None:
    page, expected = REFERENCE / name, PAGES[name]()
    if os.environ.get("RFM_UPDATE_GOLDEN"):
        page.write_text(expected, encoding="utf-8")
    assert page.read_text(encoding="utf-8") == expected


def test_the_page_on_exit_codes_lists_every_code() -> None:
    codes = {int(code) for code in re.findall(r"^\| (\d+) \|", exit_codes(), re.MULTILINE)}
    raised = {
        kind.exit_code
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, errors.RfmError)
    }
    assert codes == raised | {0, 1, 130}


def test_a_promise_is_worded_as_in_the_readme() -> None:
    assert [promise for promise in PROMISES.values() if promise not in readme()] == []


def test_every_promise_at_the_head_of_the_readme_is_a_guarantee() -> None:
    head = readme().partition("## Try it")[0]
    promises = " ".join(PROMISES.values())
    assert head.count("- **") == 3
    assert [bold for bold in re.findall(r"- \*\*(.+?)\.?\*\*", head) if bold not in promises] == []


@pytest.mark.parametrize("promise", PROMISES)
def test_a_promise_is_held_by_a_test(promise: str) -> None:
    assert promise in {guarantee.promise for guarantee in guarantees()}


def test_the_index_links_every_page() -> None:
    index = (ROOT / "docs" / "README.md").read_text(encoding="utf-8")
    pages = {path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.md")}
    linked = set(re.findall(r"\]\(([^)#]+\.md)", index))
    assert pages - {"README.md"} <= linked
