"""`make docs`: the site builds without a warning, and needs nothing but its own files in a browser."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING

import pytest

from support.browser import launch_chromium
from support.paths import ROOT

if TYPE_CHECKING:
    from playwright.sync_api import Browser

# The tests share the built site.
pytestmark = pytest.mark.xdist_group("site")


@pytest.fixture(scope="module")
def built() -> str:
    """Return what `make docs` prints."""
    if shutil.which("make") is None:
        pytest.skip("make is not installed")
    finished = subprocess.run(
        ["make", "--no-print-directory", "docs"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    printed = finished.stdout + finished.stderr
    assert finished.returncode == 0, printed
    return printed


class _Files(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None: ...


@pytest.fixture(scope="module")
def address(built: str) -> Iterator[str]:
    """Return the address of the site on loopback."""
    handler = partial(_Files, directory=str(ROOT / "build" / "site"))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with launch_chromium() as browser:
        yield browser


def test_the_site_builds_without_a_warning(built: str) -> None:
    assert [line for line in built.splitlines() if line.upper().startswith("WARNING")] == []
    assert "every link leads to a page and a heading" in built


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_site_requests_its_own_files_only_and_is_searched(
    scheme: str, chromium: Browser, address: str
) -> None:
    from axe_playwright_python.sync_playwright import Axe

    page = chromium.new_page(color_scheme="dark" if scheme == "dark" else "light")
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.goto(f"{address}concepts.html", wait_until="networkidle")
    assert page.evaluate("document.body.dataset.mdColorScheme") == (
        "slate" if scheme == "dark" else "default"
    )
    violations = Axe().run(page, context=".md-content").response["violations"]
    assert [(rule["id"], rule["nodes"][0]["html"]) for rule in violations] == []
    page.keyboard.press("/")
    page.keyboard.type("service account")
    page.get_by_text(re.compile(r"^[1-9]\d* results?$")).wait_for()
    assert [url for url in requests if not url.startswith((address, "data:", "blob:"))] == []
    page.close()
