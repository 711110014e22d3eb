"""The pictures of docs/pictures: the output of a run as SVG, and the first screen of its report as PNG."""

from __future__ import annotations

import os
import re
from html import unescape
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Final

from support.cli import Rfm
from support.paths import ROOT

if TYPE_CHECKING:
    import pytest
    from playwright.sync_api import Browser

PICTURES: Final = ROOT / "docs" / "pictures"
UPDATE: Final = bool(os.environ.get("RFM_UPDATE_GOLDEN"))
"""Read here: the fixture `rfm` removes RFM_* variables."""
_COLUMNS: Final = 92
_RUN: Final = re.compile(r"(?m)^.*Run \d{8}T\d{6}-[0-9a-f]{6}.*\n?")
# What a page shows on its first screen, one line of text per element.
_VISIBLE: Final = """() => [...document.querySelectorAll('body *')].filter((one) => {
  const box = one.getBoundingClientRect();
  return box.height && box.top < innerHeight && one.tagName !== 'OPTION'
    && [...one.childNodes].some((child) => child.nodeType === 3 && child.data.trim());
}).map((one) => one.textContent.trim().replace(/\\s+/g, ' ')).filter(Boolean)"""


def terminal_svg(rfm: Rfm, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the screen of a run on the demo's shop, in colours, as SVG without fonts from elsewhere."""
    from rich._export_format import CONSOLE_SVG_FORMAT
    from rich.console import Console
    from rich.text import Text

    assert rfm("demo", "--lines", 20_000, "--source", "orders.csv", "--quiet").code == 0
    with monkeypatch.context() as patched:
        patched.setenv("FORCE_COLOR", "1")
        patched.setenv("COLUMNS", str(_COLUMNS))
        patched.delenv("NO_COLOR", raising=False)
        printed = rfm("run", "orders.csv", "--returns", "net").stdout
    console = Console(record=True, width=_COLUMNS, file=StringIO(), color_system="standard")
    console.print(
        Text("$ rfm run orders.csv --returns net\n"), Text.from_ansi(_RUN.sub("", printed)), sep="\n"
    )
    frame = re.sub(r"\s*@font-face \{\{.*?\}\}", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)
    return console.export_svg(title="rfm", code_format=frame, unique_id="rfm")


def svg_text(svg: str) -> list[str]:
    """Return the texts of a picture, which versions of rich place and colour in different ways."""
    return [
        unescape(text).replace("\xa0", " ").rstrip() for text in re.findall(r"<text[^>]*>(.*?)</text>", svg)
    ]


def photograph(browser: Browser, page: Path) -> tuple[bytes, str]:
    """Return the first screen of a page as PNG, and the text that it shows."""
    profile = browser.new_context(offline=True, viewport={"width": 1280, "height": 860}, color_scheme="light")
    opened = profile.new_page()
    opened.goto(page.resolve().as_uri())
    texts, picture = opened.evaluate(_VISIBLE), opened.screenshot()
    profile.close()
    return picture, "\n".join(texts) + "\n"
