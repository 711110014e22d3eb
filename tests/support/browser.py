"""A real browser without a network, for the page of a report."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Dialog, Page

FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
_PARTS = """() => Object.fromEntries([
  ...[...document.querySelectorAll('#view [data-part]')].map(
    (one) => [`svg ${one.dataset.part}`, one.querySelector('svg').outerHTML]),
  ...[...document.querySelectorAll('#view [data-part] table')].map(
    (one) => [`table ${one.caption.textContent}`, one.outerHTML]),
  ['tiles', document.querySelector('#view .tiles').outerHTML],
  ['cards', [...document.querySelectorAll('#view .segment')].map((one) => one.outerHTML).join('')],
])"""


@dataclass
class Opened:
    """A page that is open, and what went on in it.

    Attributes:
        page: The page.
        said: What it wrote to the console, and its errors.
        asked: The addresses that it asked for, but its own.
    """

    page: Page
    said: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    @property
    def segments(self) -> list[str]:
        """The segments that the filter offers."""
        return [one.inner_text() for one in self.page.query_selector_all("#segment option")][1:]

    @property
    def shown(self) -> str:
        """What the page says that it shows."""
        return self.page.inner_text("#shown")

    def parts(self) -> dict[str, str]:
        """Each chart and table that the filter changes."""
        found = self.page.evaluate(_PARTS)
        assert isinstance(found, dict)
        return found

    def open_all(self) -> None:
        self.page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")

    def axe(self) -> list[Any]:
        """What axe-core finds wrong."""
        from axe_playwright_python.sync_playwright import Axe

        found = Axe().run(self.page).response["violations"]
        return [(one["id"], [node["target"] for node in one["nodes"]][:5]) for one in found]


@contextmanager
def browser() -> Iterator[Browser]:
    """Chromium; the test is skipped where it is absent."""
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        pytest.skip("chromium is not installed")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=program, args=FLAGS)
        yield running
        running.close()


@contextmanager
def opened(browser: Browser, file: Path, **context: Any) -> Iterator[Opened]:
    """A file in a fresh profile without a network."""
    profile = browser.new_context(offline=True, **context)
    page = profile.new_page()
    found, own = Opened(page), file.resolve().as_uri()

    def dismiss(dialog: Dialog) -> None:
        found.said.append(f"dialog {dialog.message}")
        dialog.dismiss()

    page.on("dialog", dismiss)
    page.on("console", lambda message: found.said.append(message.text))
    page.on("pageerror", lambda error: found.said.append(str(error)))
    page.on("request", lambda request: None if request.url == own else found.asked.append(request.url))
    page.goto(own)
    try:
        yield found
    finally:
        profile.close()
