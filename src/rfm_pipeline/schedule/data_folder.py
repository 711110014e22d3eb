"""Whether a scheduled run keeps files in its data folder, or works from BigQuery to BigQuery."""

from __future__ import annotations

from collections.abc import Mapping

from rfm_pipeline.schedule.spec import Schedule

_COMMANDS = {"run", "check", "backfill"}


def keeps_files(schedule: Schedule, configured: Mapping[str, object]) -> bool:
    """Return whether a run reads or writes files that must outlive it.

    Args:
        schedule: The daily run.
        configured: Content of its configuration file; empty without one.
    """
    command, *words = schedule.arguments
    source = words[0] if words and not words[0].startswith("-") else None
    source = source or next((word for word in words if word.startswith("bigquery://")), None)
    if "--to" in words and source == _after(words, ("--to",)):
        source = None
    places = (
        source or _setting(schedule, "source", configured),
        _after(words, ("--to",)) or _setting(schedule, "to", configured),
    )
    outputs = (
        _after(words, ("--output", "-o", "--report")),
        _setting(schedule, "output", configured),
        _setting(schedule, "report", configured),
    )
    only_bigquery = all(str(place or "").startswith("bigquery://") for place in places)
    return command not in _COMMANDS or not only_bigquery or any(outputs)


def _setting(schedule: Schedule, name: str, configured: Mapping[str, object]) -> object:
    return schedule.environment.get(f"RFM_{name.upper()}") or configured.get(name)


def _after(words: list[str], flags: tuple[str, ...]) -> str | None:
    """Return the value of the first of these flags, `--flag VALUE` or `--flag=VALUE`."""
    for position, word in enumerate(words):
        if word in flags:
            return "".join(words[position + 1 : position + 2])
        flag, equals, value = word.partition("=")
        if equals and flag in flags:
            return value
    return None
