"""What goes on, for machines: with `--log-format json`, stderr gets one JSON object a line.

Some names are those that Google Cloud Logging gives a meaning to: `severity`, `time`, `message`, and
`stack_trace`. The others are ours. Whoever reads them must pass over those that it does not know.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from itertools import pairwise
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from rfm_pipeline.pipeline.progress import RunObserver
    from rfm_pipeline.results.run_result import RunResult

HEARTBEAT = 30.0
"""Seconds between two signs of life in a step that takes long."""

_Severity = Literal["INFO", "WARNING", "ERROR"]


class _Command:
    """What this process is doing, and how it says so."""

    writes: bool = False
    is_quiet: bool = False
    run_id: str | None = None
    started: float = 0.0
    published: bool = False


_command = _Command()
_lock = Lock()


def begin(arguments: Sequence[str]) -> None:
    """Starts anew: finds out from the command line or from RFM_LOG_FORMAT whether events are to be written.

    Before the command line is read for good, as what is wrong with it is an event as well.
    """
    chosen = os.environ.get("RFM_LOG_FORMAT", "")
    words = list(arguments)
    words = words[: words.index("--")] if "--" in words else words
    for word, after in pairwise([*words, ""]):
        if word == "--log-format":
            chosen = after
        elif word.startswith("--log-format="):
            chosen = word.partition("=")[2]
    _command.writes, _command.is_quiet = chosen == "json", False
    _command.run_id, _command.started, _command.published = None, time.monotonic(), False


def are_written() -> bool:
    """Whether stderr gets events, and nothing else."""
    return _command.writes


def any_published() -> bool:
    """Whether a result has been told of as published."""
    return _command.published


def warn(text: str) -> None:
    """Says one sentence that is no error: as an event, or as a line for people."""
    if are_written():
        _write("WARNING", "warning", text)
    else:
        print(f"warning: {' '.join(text.split())}", file=sys.stderr)


def failed(sentence: str, hint: str | None, code: int, trace: str) -> None:
    """The command ends with an error; or with nobody's fault, because it was stopped."""
    also = {"hint": hint, "exit_code": code, **({"stack_trace": trace} if trace else {})}
    if code == 130:
        _write("WARNING", "stopped", sentence, **also)
    else:
        _write("ERROR", "error", sentence, **also)


def published(result: RunResult) -> None:
    """A result was published: what each audit found, and what the result comes to."""
    _command.published = True
    if not are_written():
        return
    for audit in result.audits:
        severity: _Severity = "WARNING" if audit.status == "warning" else "INFO"
        _write(severity, "audit", audit.detail, audit=audit.name, status=audit.status)
    _write(
        "INFO",
        "published",
        f"{result.customers:,} customers as of {result.as_of}, at {result.destination}",
        as_of=str(result.as_of),
        source=result.source,
        destination=result.destination,
        customers=result.customers,
        rows_read=result.rows_read,
        rows_kept=result.rows_kept,
        duration_s=round(result.duration_s, 3),
        bytes_processed=result.bytes_processed,
    )


@contextmanager
def watching(*, quiet: bool) -> Iterator[RunObserver]:
    """A watcher that writes an event for each step, and signs of life while one takes long."""
    _command.is_quiet = quiet
    _note_our_log()
    watcher, over = _Watcher(), Event()
    beating = Thread(target=watcher.beat, args=(over,), daemon=True)
    beating.start()
    try:
        yield watcher
    finally:
        over.set()
        beating.join()


class _Watcher:
    def __init__(self) -> None:
        self._step: str | None = None
        self._since = time.monotonic()
        self._share: float | None = None

    def begin(self, run_id: str) -> None:
        from rfm_pipeline._version import __version__

        _command.run_id = run_id
        _write("INFO", "begin", f"Run {run_id}", version=__version__)

    def step(self, name: str) -> None:
        self._step, self._since, self._share = name, time.monotonic(), None
        _write("INFO", "step", name, step=name)

    def progress(self, share: float) -> None:
        self._share = share

    def beat(self, over: Event) -> None:
        """Writes, until it is over, how long the step has taken that is being done."""
        while not over.wait(HEARTBEAT):
            took = time.monotonic() - self._since
            if self._step is None or took < HEARTBEAT / 2:
                continue
            share = self._share if self._share is None else round(self._share, 3)
            text = f"{self._step}, for {took:,.0f} s"
            _write("INFO", "working", text, step=self._step, step_s=round(took, 3), share=share)


def _note_our_log() -> None:
    """Makes events of what our own modules note: each job with its link, and what is tried again."""
    import logging

    class Noted(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if are_written():
                fields = {"event": "note", **getattr(record, "fields", {})}
                severity: _Severity = "WARNING" if record.levelno >= logging.WARNING else "INFO"
                _write(severity, fields.pop("event"), record.getMessage(), **fields)

    ours = logging.getLogger("rfm_pipeline")
    ours.setLevel(logging.INFO)
    ours.handlers = [Noted()]


def _write(severity: _Severity, event: str, message: str, **fields: Any) -> None:
    if _command.is_quiet and severity == "INFO":
        return
    said = {
        "time": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "severity": severity,
        "message": message,
        "event": event,
        "run_id": _command.run_id,
        "elapsed_s": round(time.monotonic() - _command.started, 3),
        **fields,
    }
    line = json.dumps({name: value for name, value in said.items() if value is not None}, ensure_ascii=False)
    # A log that nobody takes any more is no reason to fail.
    with _lock, suppress(OSError):
        sys.stderr.write(f"{line}\n")
        sys.stderr.flush()
