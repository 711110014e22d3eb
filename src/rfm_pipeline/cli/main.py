"""Entry point of the command line: start-up, signals, and the exit code of every command."""

from __future__ import annotations

import gc
import io
import os
import signal
import sys
import traceback
from itertools import takewhile
from types import FrameType
from typing import NoReturn

from rfm_pipeline._version import __version__
from rfm_pipeline.cli import json_log
from rfm_pipeline.cli.help import overview
from rfm_pipeline.common.cancellation import received_signals
from rfm_pipeline.errors import RfmError, UsageError

_GLOBAL_OPTIONS = ("-h", "--help", "--version", "--debug")


def main() -> NoReturn:
    """Run the command of `sys.argv` and exit with its code; an error is one sentence and a hint on stderr."""
    json_log.start(sys.argv[1:])
    _handle_signals()
    # Start-up allocates many objects that stay; garbage collection among them takes a fifth of a short run.
    gc.set_threshold(100_000, 20, 100)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # Output is UTF-8 whatever the locale is; undecodable bytes in a file name are escaped.
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    try:
        code = _run(sys.argv[1:])
        sys.stdout.flush()
    except RfmError as error:
        # After a signal, an engine reports whatever its current statement makes of the interruption.
        code = (
            _cancelled() if received_signals else _failed(error.message, error.hint, error.exit_code, error)
        )
    except KeyboardInterrupt as error:
        code = _cancelled(str(error))
    except (BrokenPipeError, SystemExit):
        # The reader of stdout closed the pipe (rich turns that into SystemExit). stdout is redirected so that
        # flushing it at exit does not fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    except Exception as error:  # noqa: BLE001 - the last resort: a bug is reported in one sentence
        summary = f"{type(error).__name__}: {error}".strip().splitlines()[0]
        hint = "run it again with `rfm --debug` and report what it shows."
        code = _cancelled() if received_signals else _failed(f"A bug in rfm: {summary}", hint, 1, error)
    # A process that calls main() may continue after it, for example to run tests.
    received_signals.clear()
    sys.exit(code)


def _handle_signals() -> None:
    def interrupt(number: int, _frame: FrameType | None) -> NoReturn:
        received_signals.append(number)
        raise KeyboardInterrupt

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, interrupt)


def _run(arguments: list[str]) -> int:
    global_options = list(takewhile(lambda argument: argument in _GLOBAL_OPTIONS, arguments))
    first = next((option for option in global_options if option != "--debug"), None)
    if not arguments or first in ("-h", "--help"):
        print(overview())
        if not arguments:
            raise UsageError("No command was given.", "start with `rfm demo`, or with `rfm run orders.csv`.")
        return 0
    if first == "--version":
        print(f"rfm {__version__}")
        return 0
    from rfm_pipeline.cli.app import invoke

    return invoke(arguments)


def _failed(message: str, hint: str | None, code: int, error: BaseException | None) -> int:
    """Report an error on stderr, as text or as an event; return its exit code."""
    trace = traceback.format_exception(error) if os.environ.get("RFM_DEBUG") and error is not None else []
    sentence = " ".join(message.split())
    sentence += "" if sentence.endswith((".", "!", "?")) else "."
    hint = " ".join(hint.split()) if hint else None
    if json_log.is_enabled():
        json_log.log_error(sentence, hint, code, "".join(trace))
        return code
    print("".join(trace), end="", file=sys.stderr)
    print(f"error: {sentence}", file=sys.stderr)
    if hint:
        print(f"hint: {hint}", file=sys.stderr)
    return code


def _cancelled(message: str = "") -> int:
    outcome = "what was published before is kept" if json_log.has_published() else "nothing was published"
    return _failed(message or f"Stopped; {outcome}.", None, json_log.CANCELLED, None)
