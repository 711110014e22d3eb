"""Headless Chromium without a network, for tests of the report page."""

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
    (part) => [`svg ${part.dataset.part}`, part.querySelector('svg').outerHTML]),
  ...[...document.querySelectorAll('#view [data-part] table')].map(
    (table) => [`table ${table.caption.textContent}`, table.outerHTML]),
  ['tiles', document.querySelector('#view .tiles').outerHTML],
  ['cards', [...document.querySelectorAll('#view .segment')].map((card) => card.outerHTML).join('')],
])"""


@dataclass
class OpenPage:
    """A page open in the browser, with the events since it was opened.

    Attributes:
        page: The Playwright page.
        messages: Console messages, dialogs and uncaught errors.
        requests: URLs that the page requested, without its own.
    """

    page: Page
    messages: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    @property
    def segments(self) -> list[str]:
        """Names of the segments in the filter."""
        return [option.inner_text() for option in self.page.query_selector_all("#segment option")][1:]

    @property
    def status(self) -> str:
        """Text of the page's status line, which names the selected segment."""
        return self.page.inner_text("#shown")

    def parts(self) -> dict[str, str]:
        """Return the HTML of each chart and table that the filter changes, by name."""
        parts = self.page.evaluate(_PARTS)
        assert isinstance(parts, dict)
        return parts

    def open_all(self) -> None:
        """Open all collapsed tables."""
        self.page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")

    def axe_violations(self) -> list[Any]:
        """Return the accessibility violations that axe-core finds: (rule, first elements)."""
        from axe_playwright_python.sync_playwright import Axe

        violations = Axe().run(self.page).response["violations"]
        return [(rule["id"], [node["target"] for node in rule["nodes"]][:5]) for rule in violations]


@contextmanager
def launch_chromium() -> Iterator[Browser]:
    """Run Chromium; skip the test if it is not installed."""
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        pytest.skip("chromium is not installed")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
        yield browser
        browser.close()


@contextmanager
def open_page(browser: Browser, file: Path, **context: Any) -> Iterator[OpenPage]:
    """Open a file in a fresh profile without a network; `context` are options of the profile."""
    profile = browser.new_context(offline=True, **context)
    page = profile.new_page()
    opened, own_url = OpenPage(page), file.resolve().as_uri()

    def dismiss(dialog: Dialog) -> None:
        opened.messages.append(f"dialog {dialog.message}")
        dialog.dismiss()

    page.on("dialog", dismiss)
    page.on("console", lambda message: opened.messages.append(message.text))
    page.on("pageerror", lambda error: opened.messages.append(str(error)))
    page.on(
        "request",
        lambda request: None if request.url == own_url else opened.requests.append(request.url),
    )
    page.goto(own_url)
    try:
        yield opened
    finally:
        profile.close()
