"""Build the documentation as a site in build/site; `make docs` runs it.

The pages of docs/ are written for a reader of the repository: they link to each other and to files of the
code by relative paths. This script copies them to build/docs, gives each linked file of the code a page,
runs the generator, and checks every link, anchor and asset of the HTML.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from functools import partial
from html.parser import HTMLParser
from os.path import normpath, relpath
from pathlib import Path
from shutil import copy2, rmtree
from typing import Final
from urllib.parse import unquote, urlsplit

ROOT = Path(__file__).resolve().parents[2]
STAGED = ROOT / "build" / "docs"
SITE = ROOT / "build" / "site"
CONFIG = ROOT / "build" / "zensical.toml"
PAGES: Final[Mapping[str, str]] = {
    "README.md": "index.md",
    "docs/README.md": "pages.md",
    "CONTRIBUTING.md": "contributing/index.md",
    "CHANGELOG.md": "changelog.md",
    "SECURITY.md": "security.md",
    "benchmarks/README.md": "contributing/benchmarks.md",
    "benchmarks/RESULTS.md": "contributing/benchmark-results.md",
}
"""Pages with another place on the site, by their path in the repository; the pages of docs/ keep theirs."""
_LANGUAGES: Final[Mapping[str, str]] = {
    ".py": "python", ".sh": "bash", ".sql": "sql", ".toml": "toml", ".yaml": "yaml", ".json": "json",
}  # fmt: skip
_CODE: Final = re.compile(r"^```.*?^```$|`[^`\n]+`", re.MULTILINE | re.DOTALL)
_LINK: Final = re.compile(r"(?<=\]\()(?![a-z]+:|#)([^)\s]+)(?=[)\s])")
_ASSET_ATTRIBUTES: Final = {"src", "srcset", "poster", "data"}


def stage() -> None:
    """Write the pages, and a page for each file of the repository that they link to, to build/docs.

    Raises:
        FileNotFoundError: If a page links to a file that does not exist.
    """
    rmtree(STAGED, ignore_errors=True)
    sources = [*PAGES, *(path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").rglob("*.md"))]
    pages = {source: PAGES.get(source, source.removeprefix("docs/")) for source in sources}
    files: dict[str, str] = {}
    for source, target in pages.items():
        text = (ROOT / source).read_text(encoding="utf-8")
        _write(target, _with_links_of_the_site(text, partial(_linked, source, target, pages, files)))
    for source, target in files.items():
        _write(target, _file_page(source))
    (STAGED / "assets").mkdir()
    copy2(Path(__file__).with_name("site.css"), STAGED / "assets")
    # The generator writes beneath the folder of its configuration only.
    copy2(Path(__file__).with_name("zensical.toml"), CONFIG)


def _write(target: str, text: str) -> None:
    path = STAGED / target
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def _with_links_of_the_site(text: str, replace: partial[str]) -> str:
    """Replace each link outside code by what `replace` makes of its match."""
    parts, position = [], 0
    for code in _CODE.finditer(text):
        # A link's text may be code, so that the link begins before the code and ends behind it.
        parts += [_LINK.sub(replace, text[position : code.start()]), code[0]]
        position = code.end()
        if (tail := re.match(r"\]\([^)\s]+\)", text[position:])) is not None:
            parts.append("](" + _LINK.sub(replace, f"[]{tail[0][1:]}")[3:])
            position += tail.end()
    return "".join([*parts, _LINK.sub(replace, text[position:])])


def _linked(
    source: str, target: str, pages: Mapping[str, str], files: dict[str, str], link: re.Match[str]
) -> str:
    """Return a link of the page `target` as one within the site, and note the file that it needs in `files`.

    Raises:
        FileNotFoundError: If the link leads to no file.
    """
    path, _, anchor = link[1].partition("#")
    linked = normpath(Path(source).parent / path)
    if (ROOT / linked).is_dir():
        linked = "docs/README.md"
    if not (ROOT / linked).exists():
        raise FileNotFoundError(f"{source} links to {link[1]}, which does not exist")
    if linked in pages:
        place = pages[linked]
    elif linked.startswith("docs/"):
        # A picture, or a file to download.
        place = linked.removeprefix("docs/")
        (STAGED / place).parent.mkdir(parents=True, exist_ok=True)
        copy2(ROOT / linked, STAGED / place)
    else:
        place = files.setdefault(linked, f"code/{linked}.md")
    return relpath(place, Path(target).parent) + (f"#{anchor}" if anchor else "")


def _file_page(source: str) -> str:
    """Return the page that shows a file of the repository, which the search leaves out."""
    path = ROOT / source
    text = path.read_text(encoding="utf-8").rstrip()
    if path.suffix == ".ipynb":
        return _notebook_page(text)
    language = _LANGUAGES.get(path.suffix, "text")
    fence = "`" * max([3, *(len(run) + 1 for run in re.findall("`+", text))])
    return f"---\nsearch:\n  exclude: true\n---\n\n# {source}\n\n{fence}{language}\n{text}\n{fence}\n"


def _notebook_page(text: str) -> str:
    """Return the page that shows the cells of a notebook."""
    cells = [(cell["cell_type"], "".join(cell["source"])) for cell in json.loads(text)["cells"]]
    shown = (source if kind == "markdown" else f"```python\n{source}\n```" for kind, source in cells)
    return "\n\n".join(shown) + "\n"


class _Html(HTMLParser):
    """The ids, links and assets of a page of HTML."""

    def __init__(self) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.links: list[str] = []
        self.assets: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name == "id" or (tag == "a" and name == "name"):
                self.ids.add(value or "")
            elif name == "href" and tag == "a":
                self.links.append(value or "")
            elif name in _ASSET_ATTRIBUTES or (name == "href" and tag == "link"):
                self.assets.append(value or "")


def problems(site: Path) -> Iterator[str]:
    """Yield what is wrong with the HTML of a site: a link or an anchor that leads nowhere, a foreign asset.

    Args:
        site: Folder of the built site.
    """
    pages = {}
    for path in sorted(site.rglob("*.html")):
        pages[path] = _Html()
        pages[path].feed(path.read_text(encoding="utf-8"))
    for path, page in pages.items():
        name = path.relative_to(site).as_posix()
        for asset in page.assets:
            if urlsplit(asset).scheme not in ("", "data") or asset.startswith("//"):
                yield f"{name}: fetches {asset}"
        for link in (*page.links, *page.assets):
            parts = urlsplit(link)
            # The page that answers an unknown address has links from the root of the site.
            if parts.scheme or parts.netloc or parts.path.startswith("/"):
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            target = target / "index.html" if target.is_dir() else target
            if not target.exists():
                yield f"{name}: {link} leads to no page"
            elif parts.fragment and target in pages and unquote(parts.fragment) not in pages[target].ids:
                yield f"{name}: {link} leads to no heading"


def main() -> int:
    """Build the site and check it; return the exit code."""
    stage()
    rmtree(SITE, ignore_errors=True)
    command = [sys.executable, "-m", "zensical", "build", "--clean", "--strict", "--config-file", str(CONFIG)]
    built = subprocess.run(command, cwd=ROOT, check=False)
    if built.returncode:
        return built.returncode
    found = list(problems(SITE))
    for problem in found:
        print(f"error: {problem}", file=sys.stderr)
    if not found:
        pages = sum(1 for _ in SITE.rglob("*.html"))
        print(f"{pages} pages in {SITE.relative_to(ROOT)}; every link leads to a page and a heading.")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
