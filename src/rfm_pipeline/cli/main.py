"""`rfm`: what it begins with, and how any of its commands ends."""

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
from rfm_pipeline.cli import json_log as events
from rfm_pipeline.cli.help import overview
from rfm_pipeline.common.cancellation import received_signals
from rfm_pipeline.errors import RfmError, UsageError

_AT_ONCE = ("-h", "--help", "--version", "--debug")


def main() -> NoReturn:
    """Runs the command line, and exits with its code. An error is one sentence and a hint, on stderr."""
    events.begin(sys.argv[1:])

    def stop(number: int, _frame: FrameType | None) -> NoReturn:
        received_signals.append(number)
        raise KeyboardInterrupt

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    # Starting up makes many objects that stay; looking for garbage among them takes a fifth of a short run.
    gc.set_threshold(100_000, 20, 100)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # Results are UTF-8 wherever they go; a file name of other bytes is no reason to fail.
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    try:
        code = _run(sys.argv[1:])
        sys.stdout.flush()
    except RfmError as error:
        # What an engine says of being stopped differs with the moment; why it stopped does not.
        code = _stopped() if received_signals else _failed(error.message, error.hint, error.exit_code, error)
    except KeyboardInterrupt as error:
        code = _stopped(str(error))
    except (BrokenPipeError, SystemExit):
        # Whoever read our output has had enough (rich ends the program then): that is no error of ours, and
        # nobody is there to be told.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    except Exception as error:  # noqa: BLE001 - the last resort: a bug of ours is said, not dumped
        what = f"{type(error).__name__}: {error}".strip().splitlines()[0]
        hint = "run it again with `rfm --debug` and report what it shows."
        code = _stopped() if received_signals else _failed(f"A bug in rfm: {what}", hint, 1, error)
    # What was asked of this command is not asked of what its process does next.
    received_signals.clear()
    sys.exit(code)


def _run(arguments: list[str]) -> int:
    before = list(takewhile(lambda argument: argument in _AT_ONCE, arguments))
    asked = next((argument for argument in before if argument != "--debug"), None)
    if not arguments or asked in ("-h", "--help"):
        print(overview())
        if not arguments:
            raise UsageError("No command was given.", "start with `rfm demo`, or with `rfm run orders.csv`.")
        return 0
    if asked == "--version":
        print(f"rfm {__version__}")
        return 0
    from rfm_pipeline.cli.app import invoke

    return invoke(arguments)


def _failed(message: str, hint: str | None, code: int, error: BaseException | None) -> int:
    trace = traceback.format_exception(error) if os.environ.get("RFM_DEBUG") and error is not None else []
    sentence = " ".join(message.split())
    sentence += "" if sentence.endswith((".", "!", "?")) else "."
    hint = " ".join(hint.split()) if hint else None
    if events.are_written():
        events.failed(sentence, hint, code, "".join(trace))
        return code
    print("".join(trace), end="", file=sys.stderr)
    print(f"error: {sentence}", file=sys.stderr)
    if hint:
        print(f"hint: {hint}", file=sys.stderr)
    return code


def _stopped(said: str = "") -> int:
    done = "what had been done stands" if events.any_published() else "nothing was published"
    return _failed(said or f"Stopped; {done}.", None, 130, None)
