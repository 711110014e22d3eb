"""The site of the documentation: links to files of the code, the navigation, and the check of its HTML."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import build_site
import pytest

from support.paths import ROOT

CONFIG = tomllib.loads((ROOT / "docs" / "site" / "zensical.toml").read_text(encoding="utf-8"))["project"]


def listed(entry: Any) -> list[str]:
    """Return the pages of a part of the navigation."""
    if isinstance(entry, str):
        return [entry]
    return [page for part in (entry.values() if isinstance(entry, dict) else entry) for page in listed(part)]


@pytest.fixture
def staged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder to which the pages of this checkout were copied."""
    monkeypatch.setattr(build_site, "STAGED", tmp_path / "docs")
    monkeypatch.setattr(build_site, "CONFIG", tmp_path / "zensical.toml")
    build_site.stage()
    return tmp_path / "docs"


def test_links_to_files_of_the_code_lead_to_pages_that_show_them(staged: Path) -> None:
    guide = (staged / "guides" / "exports.md").read_text(encoding="utf-8")
    script = "code/findings/duckdb_parquet_required_columns.sh"
    assert f"(../{script}.md)" in guide
    page = (staged / f"{script}.md").read_text(encoding="utf-8")
    assert "exclude: true" in page
    shown = page.partition("```bash\n")[2].partition("\n```")[0]
    code = (ROOT / "findings" / "duckdb_parquet_required_columns.sh").read_text(encoding="utf-8")
    assert shown == code.rstrip()


def test_every_page_is_in_the_navigation(staged: Path) -> None:
    pages = {path.relative_to(staged).as_posix() for path in staged.rglob("*.md")}
    assert sorted(listed(CONFIG["nav"])) == sorted(page for page in pages if not page.startswith("code/"))


def test_the_check_finds_dead_links_dead_anchors_and_foreign_assets(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text(
        '<h1 id="top"></h1><a href="b.html#there">b</a> <a href="#top">up</a> <a href="https://example.org">out</a>'
    )
    (tmp_path / "b.html").write_text('<p id="there"></p><img src="a.html">')
    assert list(build_site.problems(tmp_path)) == []
    (tmp_path / "c.html").write_text(
        '<a href="d.html">d</a><a href="b.html#gone">b</a><script src="https://example.org/x.js"></script>'
        '<link href="//example.org/x.css"><img src="gone.png">'
    )
    assert list(build_site.problems(tmp_path)) == [
        "c.html: fetches https://example.org/x.js",
        "c.html: fetches //example.org/x.css",
        "c.html: d.html leads to no page",
        "c.html: b.html#gone leads to no heading",
        "c.html: gone.png leads to no page",
    ]
