"""The promises of README.md, and the tests that hold them: those marked `@pytest.mark.guarantee("name")`."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from support.paths import ROOT

PROMISES: Final[Mapping[str, str]] = {
    "no-guess": (
        "If they can be read in two ways, `rfm` shows both results and the flag that chooses; it does not"
        " guess."
    ),
    "one-query": "The whole computation is one readable SQL query, on DuckDB or BigQuery.",
    "one-scan": (
        "One query reads the lines once; the result is staged, audited, and published in one transaction."
    ),
    "equal-scores": (
        "**Equal behaviour gets an equal score**, in any order of the rows, on every run and on both engines."
    ),
    "every-line": (
        "**Every line is accounted for**: lines read = lines kept + lines excluded, by reason, with their"
        " amounts."
    ),
    "incremental": (
        "With `--incremental`, a run reads only the files or partitions that are new or have changed, and"
        " publishes what a run that reads everything publishes"
    ),
    "audited": "**No result is published that fails an audit.**",
    "previous-result-unchanged": "A failed audit leaves the previous result unchanged.",
    "one-transaction": "All three tables change in one transaction.",
    "rerun": "A rerun for a date replaces that date and changes nothing else.",
    "rollback": "makes an earlier result the current one again",
    "backfill": "fills the history, one as-of date after the other",
    "one-run-at-a-time": (
        "One run at a time can work on a destination: a second one exits with code 5 and names the first."
    ),
    "remembers-its-source": (
        "A destination remembers its source: another one is refused, unless `--replace-source` is given."
    ),
    "check-writes-nothing": (
        "validates everything that a run needs and shows what it would do; writes nothing"
    ),
    "explained": "explains why a customer is in a segment, and what would change it",
    "frozen-edges": "A run can score by the edges of an earlier run with `--freeze RUN`.",
    "precedence": (
        "Flags take precedence over `RFM_*` environment variables (`RFM_SOURCE`, `RFM_SCORING__BINS`), "
        "these over `rfm.toml`, and `rfm.toml` over presets."
    ),
    "returns": "Negative lines are excluded, or subtracted from the customer's revenue with `--returns net`.",
    "permissions": (
        "`rfm check` shows the estimated cost, the missing permissions, and the roles that grant them."
    ),
    "cost-limit": "A run that would read more than `--max-bytes` does not start.",
    "offline-report": "The [report](docs/guides/report.md) is one HTML page that needs no network.",
    "hashed": "hashed as each network specifies, and in clear only with `--clear`",
    "python": "the same query as the command line, the same result; nothing is published.",
    "image": (
        "The image runs as an unprivileged user, writes to its volume `/data` only, stops within seconds,"
        " and exits with the run's exit code."
    ),
    "errors": "An error is one sentence and a hint, on stderr; stdout carries results only.",
    "exit-codes": (
        "| 0 | done | | 1 | a bug in rfm | | 2 | usage or configuration | | 3 | an audit failed, nothing "
        "was published | | 4 | the warehouse failed | | 5 | another process holds the destination | | 6 |"
        " over the cost limit |"
    ),
}
"""Each promise as README.md words it, with single blanks in place of line breaks."""


@dataclass(frozen=True, order=True)
class Guarantee:
    """A test that holds a promise.

    Attributes:
        promise: Name of the promise.
        path: Path of the test's file, relative to the repository.
        test: Name of the test.
    """

    promise: str
    path: str
    test: str


@cache
def guarantees() -> tuple[Guarantee, ...]:
    """Return the tests with the marker `guarantee`, by promise and path.

    The files are parsed, not imported: importing all tests takes seconds, and some need emulators.

    Raises:
        ValueError: If a marker names no promise.
    """
    found = []
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        text = path.read_text(encoding="utf-8")
        if "mark.guarantee" in text:
            name = path.relative_to(ROOT).as_posix()
            found += [Guarantee(promise, name, test) for test, promise in _marked(ast.parse(text))]
    if unknown := sorted({guarantee.promise for guarantee in found} - PROMISES.keys()):
        raise ValueError(f"no promise of support.guarantees is called {', '.join(unknown)}")
    return tuple(sorted(found))


def _marked(module: ast.Module) -> Iterator[tuple[str, str]]:
    """Yield the name of each marked test of a module, with each promise that its marker names."""
    for statement in module.body:
        if not isinstance(statement, ast.FunctionDef) or not statement.name.startswith("test_"):
            continue
        for decorator in statement.decorator_list:
            if isinstance(decorator, ast.Call) and ast.unparse(decorator.func) == "pytest.mark.guarantee":
                for argument in decorator.args:
                    yield statement.name, ast.literal_eval(argument)


def readme() -> str:
    """Return README.md with single blanks in place of line breaks."""
    return " ".join(Path(ROOT / "README.md").read_text(encoding="utf-8").split())
