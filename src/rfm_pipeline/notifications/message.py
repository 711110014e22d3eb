"""Chat messages about the outcome of a run: a sentence, and the facts needed to investigate it.

A chat has many readers, and the text of an error or of an audit may contain values of the source. A message
therefore has fixed sentences, names of audits and counts; the log has the rest.

The messages use Slack's format, restricted to lists and `code`, so that Mattermost and Teams show them alike.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

from rfm_pipeline.common.customer_mask import mask_addresses
from rfm_pipeline.common.formatting import format_count
from rfm_pipeline.common.untrusted_text import replace_unprintable
from rfm_pipeline.errors import (
    AuditError,
    ColumnError,
    ConfigurationError,
    CostLimitError,
    DestinationError,
    ExpressionError,
    LockedError,
    OtherSourceError,
    OutputError,
    RfmError,
    SegmentMapError,
    SourceError,
    UsageError,
    WarehouseError,
)
from rfm_pipeline.results.run_result import RunResult
from rfm_pipeline.results.statistics import Audit

_MAX_AUDITS = 8
_HINT = "the log of the run has the reason."
# Slack gives the first three characters a meaning; Mattermost notifies everybody for an @all anywhere in the
# text.
_ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "@": "@\u200b"}
# The most specific class comes first.
_SENTENCES: Mapping[type[Exception], str] = {
    OtherSourceError: "the destination has the result of another source.",
    DestinationError: "the destination can't be used.",
    ExpressionError: "an exclusion, an audit or a query of the configuration is invalid.",
    SegmentMapError: "the segment map is invalid.",
    ColumnError: "the columns of the source can't be read without doubt.",
    SourceError: "the source can't be read.",
    ConfigurationError: "a setting is invalid.",
    UsageError: "the command or its configuration is invalid.",
    OutputError: "the result was published, but one of its files can't be written.",
    WarehouseError: "the engine failed, or a file can't be written.",
    LockedError: "another run or another program has locked the destination.",
    CostLimitError: "the run would cost more than the limit.",
    OSError: "the operating system refused to use a file.",
}


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


def failure_message(error: Exception, context: RunContext, published: int = 0) -> str:
    """Return the message for a failed command.

    Args:
        error: The error.
        context: Facts about the run.
        published: Number of results published before the failure.
    """
    code = error.exit_code if isinstance(error, RfmError) else WarehouseError.exit_code
    if isinstance(error, AuditError):
        sentence = f"{_counted_audits(error.audits)}; nothing was published."
    else:
        sentence = next((text for kind, text in _SENTENCES.items() if isinstance(error, kind)), "")
        if not sentence:
            sentence, code = f"a bug in rfm, {type(error).__name__}.", 1
        elif published:
            sentence = f"{sentence[:-1]}, after {format_count(published, 'result')} had been published."
    return _format(
        [f"rfm {context.command} failed: {sentence}", f"hint: {_HINT}"],
        [f"exit code: {code}", *_facts(context)],
    )


def _counted_audits(names: Sequence[str]) -> str:
    listed = f" ({_escape(', '.join(names), 300)})" if names else ""
    return f"{format_count(max(1, len(names)), 'audit')} failed{listed}"


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
    details = [f"warning: {_escape(audit.name, 100)}" for audit in warnings]
    if len(details) > _MAX_AUDITS:
        details[_MAX_AUDITS:] = [f"and {format_count(len(details) - _MAX_AUDITS, 'more')}"]
    as_of = str(last.as_of) if len(results) == 1 else None
    context = RunContext(command, last.source, last.destination, as_of, last.run_id)
    read, kept = last.statistics.rows_read, last.statistics.rows_kept
    lines = f"lines: {read:,} read, {kept:,} kept"
    return _format([f"{text}."], [*details, lines, "exit code: 0", *_facts(context)])


def digest_message(result: RunResult) -> str:
    """Return the message with the digest of a published result: counts and money, no customers."""
    sentences = [_escape(sentence, 600) for sentence in result.digest]
    facts = _facts(RunContext("run", destination=result.destination, run_id=result.run_id))
    return _format([f"The week in customer segments, as of {result.as_of}:"], [*sentences, *facts])


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


def _escape(text: str, limit: int) -> str:
    """Return a text on one line, without special characters of chats, cut to at most `limit` characters."""
    escaped = ""
    for character in replace_unprintable(" ".join(mask_addresses(text).split())):
        replacement = _ESCAPES.get(character, character)
        if len(escaped) + len(replacement) >= limit:
            return f"{escaped}…"
        escaped += replacement
    return escaped
