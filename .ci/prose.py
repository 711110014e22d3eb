"""Check the prose of README.md and docs: the length of sentences, and words that the style guide replaces.

Prints one line for each problem, `file:line: message`, and exits with 1 if there is one. Code, tables,
headings and generated pages are not checked.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MAX_WORDS = 45
BANNED = {
    "likewise": "also", "whoever": "who", "whom": "who", "whence": "from where", "hereby": "by this",
    "thereof": "of it", "comes to be": "becomes", "utilize": "use", "leverage": "use",
    "in order to": "to", "cutoff": "edge", "cut-off": "edge", "ledger": "runs",
}  # fmt: skip
"""Word -> what to write in its place (docs/contributing/style.md and docs/reference/glossary.md)."""
_NO_PROSE = re.compile(r"[|#>]|<!--|```|!\[")
_MARKUP = re.compile(r"`[^`]*`|\]\([^)]*\)|[*_\[\]]")
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z\d(])|(?<=[:;])\s")


def paragraphs(text: str) -> Iterator[tuple[int, str]]:
    """Yield each paragraph or list item of a page with the number of its first line."""
    lines, first, in_code = [], 0, False
    for number, line in enumerate([*text.splitlines(), ""], 1):
        if line.startswith("```"):
            in_code = not in_code
        begins = bool(re.match(r"\s*([-*]|\d+\.) ", line))
        if lines and (not line.strip() or in_code or begins or _NO_PROSE.match(line)):
            yield first, " ".join(lines)
            lines = []
        if line.strip() and not in_code and not _NO_PROSE.match(line):
            first = first if lines else number
            lines.append(line.strip())


def problems(text: str) -> Iterator[tuple[int, str]]:
    """Yield what is wrong with a page: the line at which the paragraph begins, and the message."""
    for number, paragraph in paragraphs(text):
        prose = _MARKUP.sub(lambda match: "Code" if match[0][0] == "`" else "", paragraph)
        for sentence in _SENTENCE_END.split(prose):
            words = len(re.findall(r"\w[\w'.,-]*", sentence))
            if words > MAX_WORDS:
                yield number, f"a sentence of {words} words, the limit is {MAX_WORDS}: {sentence[:60]}..."
        for word, better in BANNED.items():
            if re.search(rf"\b{word}\b", prose, re.IGNORECASE):
                yield number, f"'{word}': write '{better}'"


def main() -> int:
    """Check all pages; return the exit code."""
    found = 0
    for path in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))):
        text = path.read_text(encoding="utf-8")
        if "This page is generated from the code" in text or path.name == "style.md":
            continue
        for line, message in problems(text):
            print(f"{path.relative_to(ROOT).as_posix()}:{line}: {message}")
            found += 1
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
