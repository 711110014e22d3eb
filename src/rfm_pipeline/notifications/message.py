"""Chat messages about the outcome of a run: a sentence, and the facts needed to investigate it.

The messages use Slack's format, restricted to lists and `code`, so that Mattermost and Teams show them alike.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from msgspec import Struct

from rfm_pipeline.common.customer_mask import mask_addresses
from rfm_pipeline.common.formatting import format_count
from rfm_pipeline.common.untrusted_text import replace_unprintable
from rfm_pipeline.errors import AuditError, RfmError, SourceError, WarehouseError
from rfm_pipeline.results.run_result import RunResult
from rfm_pipeline.results.statistics import Audit

_MAX_AUDITS = 8
_DEFAULT_HINT = "its log says more."
# Slack gives the first three characters a meaning; Mattermost notifies everybody for an @all anywhere in the
# text.
_ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "@": "@\u200b"}
# Values of the source in messages: in quotes, or after the phrases of the engines.
_SOURCE_VALUE = re.compile(
    r"(?<!\w)'(?!\W')(?P<quoted>.+?)'(?!\w)|\"(?P<double_quoted>[^\"]+)\""
    r"|(?<=value: ).+|(?<=expected, and ).+(?= found)"
)


class RunContext(Struct, frozen=True):
    """Facts about a run, whatever its outcome; None if unknown.

    Attributes:
        command: Name of the command, such as `run`.
        source: Source as configured.
        destination: Destination as configured.
        as_of: As-of date as configured or resolved.
        run_id: Id of the run.
    """

    command: str
    source: str | None = None
    destination: str | None = None
    as_of: str | None = None
    run_id: str | None = None


def failure_message(error: Exception, context: RunContext) -> str:
    """Return the message for a failed command, without values of the source, as a chat has many readers.

    Args:
        error: The error. Of errors other than RfmError only the type is shown, as their text may contain any
            data.
        context: Facts about the run.
    """
    text, hint, code = f"a bug in rfm, {type(error).__name__}.", _DEFAULT_HINT, 1
    if isinstance(error, RfmError):
        text, hint, code = error.message, error.hint or _DEFAULT_HINT, error.exit_code
    if isinstance(error, SourceError | AuditError | WarehouseError):
        text, hint = _without_source_values(text, hint)
    paragraphs = [f"rfm {context.command} failed: {_escape(text, 600)}", f"hint: {_escape(hint, 600)}"]
    return _format(paragraphs, [f"exit code: {code}", *_facts(context)])


def cancellation_message(context: RunContext, published: int, text: str = "") -> str:
    """Return the message for a cancelled command, for example after the scheduler's time limit.

    Args:
        context: Facts about the run.
        published: Number of results published before the cancellation.
        text: The command's own message, which begins with "Stopped"; blank if it has none.
    """
    done = f"{format_count(published, 'result')} had been published" if published else "nothing was published"
    rest = _escape((text or f"Stopped; {done}.").removeprefix("Stopped"), 600)
    return _format([f"rfm {context.command} was stopped{rest}"], ["exit code: 130", *_facts(context)])


def success_message(command: str, results: Sequence[RunResult]) -> str:
    """Return the message for published results (at least one), with the warnings of their audits."""
    last = results[-1]
    text = f"rfm {command} published {format_count(last.statistics.customers, 'customer')} as of {last.as_of}"
    if len(results) > 1:
        dates = f"{results[0].as_of} to {last.as_of}"
        text = f"rfm {command} published {format_count(len(results), 'result')} as of {dates}"
    warnings = distinct_warnings(results)
    if warnings:
        text += f", with {format_count(len(warnings), 'warning')}"
    details = [f"{audit.name}: {_escape(_without_source_values(audit.detail)[0], 300)}" for audit in warnings]
    if len(details) > _MAX_AUDITS:
        details[_MAX_AUDITS:] = [f"and {format_count(len(details) - _MAX_AUDITS, 'more')}"]
    as_of = str(last.as_of) if len(results) == 1 else None
    context = RunContext(command, last.source, last.destination, as_of, last.run_id)
    return _format([f"{text}."], [*details, "exit code: 0", *_facts(context)])


def distinct_warnings(results: Iterable[RunResult]) -> list[Audit]:
    """Return the audits with warnings, without duplicates of name and detail."""
    warnings = (audit for result in results for audit in result.audits if audit.status == "warning")
    return list({(audit.name, audit.detail): audit for audit in warnings}.values())


def _format(paragraphs: Sequence[str], facts: Sequence[str]) -> str:
    # Teams joins adjacent lines, except in lists.
    return "\n\n".join([*paragraphs, "\n".join(f"- {fact}" for fact in facts)])


def _facts(context: RunContext) -> list[str]:
    facts = {
        "source": context.source,
        "destination": context.destination,
        "as of": context.as_of,
        "run": context.run_id,
    }
    # A backtick would end the code.
    escaped = {name: _escape(text.replace("`", "'"), 200) for name, text in facts.items() if text}
    return [f"{name}: `{text}`" for name, text in escaped.items()]


def _without_source_values(text: str, hint: str = "") -> tuple[str, str]:
    """Return a message and its hint with an ellipsis in place of values of the source."""
    values = [
        value
        for match in _SOURCE_VALUE.finditer(text)
        for value in (match["quoted"], match["double_quoted"])
        if value
    ]
    for value in values:
        hint = re.sub(rf"(?<!\w){re.escape(value)}(?!\w)", "…", hint)
    replaced = _SOURCE_VALUE.sub(
        lambda match: "'…'" if match["quoted"] or match["double_quoted"] else "…", text
    )
    return replaced, hint


def _escape(text: str, limit: int) -> str:
    """Return a text on one line, without special characters of chats, cut to at most `limit` characters."""
    escaped = ""
    for character in replace_unprintable(" ".join(mask_addresses(text).split())):
        replacement = _ESCAPES.get(character, character)
        if len(escaped) + len(replacement) >= limit:
            return f"{escaped}…"
        escaped += replacement
    return escaped
