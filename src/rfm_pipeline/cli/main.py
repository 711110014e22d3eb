"""Entry point of the command line: start-up, signals, and the exit code of every command."""

from __future__ import annotations

import gc
import os
import signal
import sys
import traceback
from itertools import takewhile
from types import FrameType
from typing import NoReturn, TextIO, cast

from rfm_pipeline._version import __version__
from rfm_pipeline.cli import json_log
from rfm_pipeline.cli.help import COMPLETION_VARIABLE, overview
from rfm_pipeline.cli.streams import (
    Stdout,
    StdoutError,
    discard_stdout,
    open_missing_streams,
    print_labelled,
    print_message,
    use_utf8,
)
from rfm_pipeline.common.cancellation import received_signals
from rfm_pipeline.errors import RfmError, UsageError, WarehouseError

_SHOWN_LENGTH = 100
_GLOBAL_OPTIONS = ("-h", "--help", "--version", "--debug")


def main() -> NoReturn:
    """Run the command of `sys.argv` and exit with its code; an error is one sentence and a hint on stderr."""
    open_missing_streams()
    json_log.start(sys.argv[1:])
    _handle_signals()
    # Start-up allocates many objects that stay; garbage collection among them takes a fifth of a short run.
    gc.set_threshold(100_000, 20, 100)
    use_utf8()
    stdout = sys.stdout
    sys.stdout = cast("TextIO", Stdout(stdout))
    code = _exit_code(sys.argv[1:])
    try:
        sys.stdout.flush()
    except (OSError, StdoutError):
        # The code of the first failure stays; Python would exit with 120.
        discard_stdout()
    sys.stdout = stdout
    # A process that calls main() may continue after it, for example to run tests.
    received_signals.clear()
    sys.exit(code)


def _exit_code(arguments: list[str]) -> int:
    """Run the command; report an error, and return the exit code."""
    try:
        code = _run(arguments)
        sys.stdout.flush()
    except RfmError as error:
        # After a signal, an engine reports whatever its current statement makes of the interruption.
        if received_signals:
            return _cancelled()
        return _failed(error.message, _hint(error), error.exit_code, error)
    except KeyboardInterrupt as error:
        return _cancelled(str(error))
    except (BrokenPipeError, SystemExit):
        # The reader of stdout closed the pipe (rich turns that into SystemExit).
        discard_stdout()
        return 0
    except StdoutError as error:
        return _unwritable(error)
    except OSError as error:
        return _cancelled() if received_signals else _refused_by_system(error)
    except Exception as error:  # noqa: BLE001 - the last resort: a bug is reported in one sentence
        return _cancelled() if received_signals else _bug(error)
    return code


def _handle_signals() -> None:
    def interrupt(number: int, _frame: FrameType | None) -> NoReturn:
        received_signals.append(number)
        raise KeyboardInterrupt

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, interrupt)


def _run(arguments: list[str]) -> int:
    if COMPLETION_VARIABLE in os.environ:
        from rfm_pipeline.cli.app import invoke

        return invoke(arguments)
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

    try:
        os.getcwd()  # noqa: PTH109 - `pathlib` is not needed otherwise
    except OSError as error:
        from rfm_pipeline.common.formatting import lower_first

        reason = lower_first(error.strerror or str(error))
        raise UsageError(
            f"The current folder can't be used: {reason}.", "change to another folder."
        ) from None
    return invoke(arguments)


def _hint(error: RfmError) -> str | None:
    is_terminal = sys.stderr.isatty() and not json_log.is_enabled()
    return error.terminal_hint if is_terminal and error.terminal_hint else error.hint


def _unwritable(error: StdoutError) -> int:
    """Report that stdout can't be written; return the exit code. A command prints when its work is done."""
    discard_stdout()
    done = "The result was published, but s" if json_log.has_published() else "S"
    return _failed(
        f"{done}tandard output can't be written: {error}.",
        "redirect it to a file on a disk with free space.",
        WarehouseError.exit_code,
        error,
    )


def _refused_by_system(error: OSError) -> int:
    """Report what the operating system refused and no module expected; return the exit code."""
    from rfm_pipeline.common.formatting import lower_first

    file = f"{os.fsdecode(error.filename)[:_SHOWN_LENGTH]}" if isinstance(error.filename, str | bytes) else ""
    reason = lower_first(error.strerror or type(error).__name__)
    done = "The result was published, but then the" if json_log.has_published() else "The"
    return _failed(
        f"{done} operating system refused to use {file or 'a file'}: {reason}.",
        "look at the path, its permissions and the free space of its disk; `rfm --debug` shows more.",
        WarehouseError.exit_code,
        error,
    )


def _bug(error: Exception) -> int:
    if isinstance(error, MemoryError) or "can't start new thread" in str(error):
        return _failed(
            "The system allows too little memory or too few threads.",
            "raise the limits of the process, which `ulimit -a` lists.",
            WarehouseError.exit_code,
            error,
        )
    summary = f"{type(error).__name__}: {error}".strip().splitlines()[0]
    return _failed(
        f"A bug in rfm: {summary}", "run it again with `rfm --debug` and report what it shows.", 1, error
    )


def _failed(message: str, hint: str | None, code: int, error: BaseException | None) -> int:
    """Report an error on stderr, as text or as an event; return its exit code."""
    trace = traceback.format_exception(error) if os.environ.get("RFM_DEBUG") and error is not None else []
    sentence = " ".join(message.split())
    sentence += "" if sentence.endswith((".", "!", "?")) else "."
    hint = " ".join(hint.split()) if hint else None
    if json_log.is_enabled():
        json_log.log_error(sentence, hint, code, "".join(trace))
        return code
    if trace:
        print_message("".join(trace), end="")
    print_labelled("error", sentence)
    if hint:
        print_labelled("hint", hint)
    return code


def _cancelled(message: str = "") -> int:
    outcome = "what was published before is kept" if json_log.has_published() else "nothing was published"
    return _failed(message or f"Stopped; {outcome}.", None, json_log.CANCELLED, None)
