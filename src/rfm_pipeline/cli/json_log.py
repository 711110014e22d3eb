"""The JSON log: with `--log-format json`, stderr gets one JSON object (an event) per line.

`severity`, `time`, `message` and `stack_trace` are names with a meaning in Google Cloud Logging. Readers must
ignore unknown names.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from itertools import pairwise
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING, Any, Literal

from rfm_pipeline.cli.streams import print_labelled
from rfm_pipeline.common.customer_mask import mask_addresses
from rfm_pipeline.common.untrusted_text import replace_unprintable

if TYPE_CHECKING:
    from rfm_pipeline.pipeline.progress import RunObserver
    from rfm_pipeline.results.run_result import RunResult

HEARTBEAT_S = 30.0
"""Seconds between two `working` events of a long step."""

CANCELLED = 130
"""Exit code of a cancelled command (128 + SIGINT)."""
_Severity = Literal["INFO", "WARNING", "ERROR"]


class _LogState:
    """State of the log in this process: one command at a time."""

    enabled: bool = False
    quiet: bool = False
    run_id: str | None = None
    started: float = 0.0
    published: bool = False


_state = _LogState()
_lock = Lock()


def start(arguments: Sequence[str]) -> None:
    """Reset the log for a new command; enable it if `--log-format` or RFM_LOG_FORMAT is `json`.

    The arguments are searched before typer parses them, so that errors in them are events too.
    """
    log_format = os.environ.get("RFM_LOG_FORMAT", "")
    words = list(arguments)
    words = words[: words.index("--")] if "--" in words else words
    for word, following in pairwise([*words, ""]):
        if word == "--log-format":
            log_format = following
        elif word.startswith("--log-format="):
            log_format = word.partition("=")[2]
    _state.enabled, _state.quiet = log_format == "json", False
    _state.run_id, _state.started, _state.published = None, time.monotonic(), False


def is_enabled() -> bool:
    """Return whether stderr gets events only."""
    return _state.enabled


def has_published() -> bool:
    """Return whether the command has published a result."""
    return _state.published


def warn(text: str) -> None:
    """Report a warning of one sentence, as an event or as text."""
    if is_enabled():
        _write("WARNING", "warning", text)
    else:
        print_labelled("warning", " ".join(text.split()))


def log_error(sentence: str, hint: str | None, code: int, trace: str) -> None:
    """Write the event of a command that failed or was cancelled.

    Args:
        sentence: The error message.
        hint: What to do about the error; None if there is no hint.
        code: The exit code.
        trace: The traceback; empty if it is not to be shown.
    """
    fields = {"hint": hint, "exit_code": code, **({"stack_trace": trace} if trace else {})}
    if code == CANCELLED:
        _write("WARNING", "stopped", sentence, **fields)
    else:
        _write("ERROR", "error", sentence, **fields)


def mark_published() -> None:
    """Record that the command has published a result."""
    _state.published = True


def log_published(result: RunResult) -> None:
    """Write the events of a published result: one for each audit, and one with its figures."""
    if result.status != "calibrated":
        mark_published()
    if not is_enabled():
        return
    from rfm_pipeline.results.json_values import to_plain

    statistics = result.statistics
    for audit in result.audits:
        severity: _Severity = "WARNING" if audit.status == "warning" else "INFO"
        _write(severity, "audit", audit.detail, audit=audit.name, status=audit.status)
    _write(
        "INFO",
        "published",
        f"{statistics.customers:,} customers as of {result.as_of}, at {result.destination}",
        as_of=str(result.as_of),
        source=result.source,
        destination=result.destination,
        customers=statistics.customers,
        rows_read=statistics.rows_read,
        rows_kept=statistics.rows_kept,
        parts=_known(to_plain(statistics.parts)),
        duration_s=round(result.duration_s, 3),
        bytes_processed=result.usage.bytes_processed,
    )


@contextmanager
def log_progress(*, quiet: bool) -> Iterator[RunObserver]:
    """Write an event for each step, and a `working` event every `HEARTBEAT_S` seconds of a long one."""
    _state.quiet = quiet
    _log_package_records()
    observer, ended = _EventObserver(), Event()
    heartbeat = Thread(target=observer.heartbeat, args=(ended,), daemon=True)
    heartbeat.start()
    try:
        yield observer
    finally:
        ended.set()
        heartbeat.join()


class _CurrentStep:
    """A step that is under way. Not a NamedTuple: creating one takes 1.5 ms of the start of each command."""

    def __init__(self, name: str, started: float, share: float | None) -> None:
        self.name = name
        self.started = started
        self.share = share


class _EventObserver:
    """Observer of a run; `now` is the clock, in seconds."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        # Replaced as a whole, so that the heartbeat thread never reads the name of one step with the start of
        # another.
        self._current: _CurrentStep | None = None

    def begin(self, run_id: str) -> None:
        from rfm_pipeline._version import __version__

        _state.run_id = run_id
        _write("INFO", "begin", f"Run {run_id}", version=__version__)

    def step(self, name: str) -> None:
        self._current = _CurrentStep(name, self._now(), None)
        _write("INFO", "step", name, step=name)

    def progress(self, share: float) -> None:
        if self._current is not None:
            self._current.share = share

    def heartbeat(self, ended: Event) -> None:
        """Write the duration of the current step every `HEARTBEAT_S` seconds, until `ended` is set."""
        while not ended.wait(HEARTBEAT_S):
            current = self._current
            duration_s = 0.0 if current is None else self._now() - current.started
            if current is None or duration_s < HEARTBEAT_S / 2:
                continue
            share = current.share if current.share is None else round(current.share, 3)
            text = f"{current.name}, for {duration_s:,.0f} s"
            _write("INFO", "working", text, step=current.name, step_s=round(duration_s, 3), share=share)


def _log_package_records() -> None:
    """Write the package's log records as events: each BigQuery job with its link, and each retry."""
    import logging

    class EventHandler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if is_enabled():
                fields = {"event": "note", **getattr(record, "fields", {})}
                severity: _Severity = "WARNING" if record.levelno >= logging.WARNING else "INFO"
                _write(severity, fields.pop("event"), record.getMessage(), **fields)

    logger = logging.getLogger("rfm_pipeline")
    logger.setLevel(logging.INFO)
    logger.handlers = [EventHandler()]


def _known(fields: dict[str, Any] | None) -> dict[str, Any] | None:
    return fields and {name: value for name, value in fields.items() if value is not None}


def _write(severity: _Severity, event: str, message: str, **fields: Any) -> None:
    if _state.quiet and severity == "INFO":
        return
    values = {
        "time": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "severity": severity,
        "message": message,
        "event": event,
        "run_id": _state.run_id,
        "elapsed_s": round(time.monotonic() - _state.started, 3),
        **fields,
    }
    values = {
        name: _safe(value, keep="\n" if name == "stack_trace" else "") if isinstance(value, str) else value
        for name, value in values.items()
    }
    line = json.dumps(
        {name: value for name, value in values.items() if value is not None}, ensure_ascii=False
    )
    # A closed stderr must not fail the run.
    with _lock, suppress(OSError):
        sys.stderr.write(f"{line}\n")
        sys.stderr.flush()


def _safe(text: str, keep: str) -> str:
    return replace_unprintable(mask_addresses(text), keep)
