"""What is said of how a run ended, to a chat: a sentence, and what a person needs to look into it.

The text is Slack's, with nothing but lists and `code` in it, so that Mattermost and Teams show it alike.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from msgspec import Struct

from rfm_pipeline.common.formatting import format_count, replace_unprintable
from rfm_pipeline.errors import AuditError, RfmError, SourceError, WarehouseError
from rfm_pipeline.results.run_result import Audit, RunResult

_MOST_AUDITS = 8
_LOOK = "its log says more."
# Slack reads the first three as its own; Mattermost calls everybody for an @all that stands anywhere.
_WRITTEN = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "@": "@\u200b"}
# What a message repeats of the data: it stands in quotes, or where engines put it.
_OF_THE_DATA = re.compile(
    r"(?<!\w)'(?!\W')(?P<quoted>.+?)'(?!\w)|\"(?P<doubly>[^\"]+)\""
    r"|(?<=value: ).+|(?<=expected, and ).+(?= found)"
)


class RunContext(Struct, frozen=True):
    """What is known of a run, however it ended; None is not known.

    Attributes:
        doing: The command, such as `run`.
    """

    doing: str
    source: str | None = None
    destination: str | None = None
    as_of: str | None = None
    run_id: str | None = None


def failure(error: Exception, about: RunContext) -> str:
    """What is said when a command failed. Values of the source are left out, for a chat has many readers.

    Args:
        error: Why. Of one that is outside our tree only its kind is said: its text may hold anything.
        about: What was being done.
    """
    told, hint, code = f"a bug in rfm, {type(error).__name__}.", _LOOK, 1
    if isinstance(error, RfmError):
        told, hint, code = error.message, error.hint or _LOOK, error.exit_code
    if isinstance(error, SourceError | AuditError | WarehouseError):
        told, hint = _without_values(told, hint)
    said = [f"rfm {about.doing} failed: {_shown(told, 600)}", f"hint: {_shown(hint, 600)}"]
    return _message(said, [f"exit code: {code}", *_listed(about)])


def stop(about: RunContext, published: int, said: str = "") -> str:
    """What is said when somebody stopped a command: its scheduler, perhaps, when its time was over.

    Args:
        about: What was being done.
        published: How many results had been told of.
        said: What the command itself says of it, as "Stopped; ..."; blank where it says no more.
    """
    done = f"{format_count(published, 'result')} had been published" if published else "nothing was published"
    told = _shown((said or f"Stopped; {done}.").removeprefix("Stopped"), 600)
    return _message([f"rfm {about.doing} was stopped{told}"], ["exit code: 130", *_listed(about)])


def success(doing: str, results: Sequence[RunResult]) -> str:
    """What is said of results that were published, with what their audits warn of."""
    last = results[-1]
    told = f"rfm {doing} published {format_count(last.customers, 'customer')} as of {last.as_of}"
    if len(results) > 1:
        told = f"rfm {doing} published {format_count(len(results), 'result')} as of {results[0].as_of} to {last.as_of}"
    warned = warnings_of(results)
    if warned:
        told += f", with {format_count(len(warned), 'warning')}"
    details = [f"{audit.name}: {_shown(_without_values(audit.detail)[0], 300)}" for audit in warned]
    if len(details) > _MOST_AUDITS:
        details[_MOST_AUDITS:] = [f"and {format_count(len(details) - _MOST_AUDITS, 'more')}"]
    as_of = str(last.as_of) if len(results) == 1 else None
    about = RunContext(doing, last.source, last.destination, as_of, last.run_id)
    return _message([f"{told}."], [*details, "exit code: 0", *_listed(about)])


def warnings_of(results: Iterable[RunResult]) -> list[Audit]:
    """What the audits warn of, each thing once."""
    warned = (audit for result in results for audit in result.audits if audit.status == "warning")
    return list({(audit.name, audit.detail): audit for audit in warned}.values())


def _message(sentences: Sequence[str], facts: Sequence[str]) -> str:
    # Teams joins lines that have no empty one between them, but for those of a list.
    return "\n\n".join([*sentences, "\n".join(f"- {fact}" for fact in facts)])


def _listed(about: RunContext) -> list[str]:
    known = {
        "source": about.source,
        "destination": about.destination,
        "as of": about.as_of,
        "run": about.run_id,
    }
    # A backtick would end the code.
    shown = {name: _shown(text.replace("`", "'"), 200) for name, text in known.items() if text}
    return [f"{name}: `{text}`" for name, text in shown.items()]


def _without_values(told: str, hint: str = "") -> tuple[str, str]:
    """A message, and its hint, without the values of the source that it repeats."""
    values = [
        value
        for match in _OF_THE_DATA.finditer(told)
        for value in (match["quoted"], match["doubly"])
        if value
    ]
    for value in values:
        hint = re.sub(rf"(?<!\w){re.escape(value)}(?!\w)", "…", hint)
    return _OF_THE_DATA.sub(lambda match: "'…'" if match["quoted"] or match["doubly"] else "…", told), hint


def _shown(text: str, most: int) -> str:
    """Any text as it may stand in a message: on one line, of bounded length, and with no effect there."""
    told = ""
    for character in replace_unprintable(" ".join(text.split())):
        written = _WRITTEN.get(character, character)
        if len(told) + len(written) >= most:
            return f"{told}…"
        told += written
    return told
