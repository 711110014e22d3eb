"""`rfm`: its commands, and how any of them ends."""

from __future__ import annotations

import gc
import io
import os
import signal
import sys
import traceback
from importlib import import_module
from types import FrameType
from typing import Annotated, Any, NoReturn

import typer

from rfm_pipeline import __version__
from rfm_pipeline.cli import events
from rfm_pipeline.errors import RfmError
from rfm_pipeline.stopping import ASKED

app = typer.Typer(
    name="rfm",
    help="Recency, frequency and monetary value for every customer, scored and segmented.",
    epilog="Start with `rfm demo`, or with `rfm run orders.csv`. Exit codes: 0 done, 1 a bug, 2 usage, 3 an"
    " audit failed, 4 the warehouse failed, 5 the destination is held, 6 over the cost limit.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
COMMANDS = (
    "run",
    "calibrate",
    "demo",
    "init",
    "check",
    "sql",
    "explain",
    "runs",
    "transitions",
    "rollback",
    "backfill",
    "load",
    "presets",
    "schedule",
    "export",
    "report",
)
"""Each is a module beside this one, with a function of the same name."""

# typer's own errors about the command line: their common root has no public name.
_ParsingError: type[Exception] = next(
    kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "ClickException"
)


def _print_version(value: bool) -> None:
    if value:
        typer.echo(f"rfm {__version__}")
        raise typer.Exit


@app.callback()
def _rfm(
    version: Annotated[  # noqa: ARG001 - its callback has printed it
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show what goes on, and the traceback of an error.")
    ] = False,
) -> None:
    if debug:
        os.environ["RFM_DEBUG"] = "1"
        if not events.are_written():
            _show_log()


def _show_log() -> None:
    """What our own modules note, on stderr: each job with its link, and what is tried again."""
    import logging

    class Noted(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if os.environ.get("RFM_DEBUG"):
                print(self.format(record), file=sys.stderr)

    ours = logging.getLogger("rfm_pipeline")
    ours.setLevel(logging.INFO)
    ours.handlers = [Noted()]


def main() -> NoReturn:
    """Runs the command line, and exits with its code. An error is one sentence and a hint, on stderr."""
    ASKED.clear()
    events.begin(sys.argv[1:])

    def stop(number: int, _frame: FrameType | None) -> NoReturn:
        ASKED.append(number)
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
        code = _stopped() if ASKED else _failed(error.message, error.hint, error.exit_code, error)
    except _ParsingError as error:
        code = _misread(error)
    except (KeyboardInterrupt, typer.Abort) as error:
        code = _stopped(str(error))
    except (BrokenPipeError, SystemExit):
        # Whoever read our output has had enough (rich ends the program then): that is no error of ours, and
        # nobody is there to be told.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    except Exception as error:  # noqa: BLE001 - the last resort: a bug of ours is said, not dumped
        what = f"{type(error).__name__}: {error}".strip().splitlines()[0]
        hint = "run it again with `rfm --debug` and report what it shows."
        code = _stopped() if ASKED else _failed(f"A bug in rfm: {what}", hint, 1, error)
    sys.exit(code)


def _run(arguments: list[str]) -> int:
    # A command takes a while to set up: all of them are for help and typos only.
    called = next((argument for argument in arguments if not argument.startswith("-")), None)
    app.registered_commands.clear()
    for name in (called,) if called in COMMANDS else COMMANDS:
        app.command(name)(getattr(import_module(f"rfm_pipeline.cli.{name}"), str(name)))
    # Not `app()`, which swallows Ctrl-C and a closed pipe before they can be told apart.
    command = typer.main.get_command(app)
    try:
        with command.make_context("rfm", arguments) as context:
            command.invoke(context)
    except typer.Exit as ended:
        return int(ended.exit_code)
    return 0


def _misread(error: Any) -> int:
    message = error.format_message()
    if not message:
        return _failed(
            "No command was given.", "start with `rfm demo`, or with `rfm run orders.csv`.", 2, error
        )
    command = error.ctx.command_path if getattr(error, "ctx", None) else "rfm"
    hint = f"`{command} --help` lists what there is."
    if "extra argument" in message:
        # What a shell makes of a pattern or of a name with blanks.
        hint = f"a glob, or a name with blanks, stands in quotes, as in rfm run '*.csv'; {hint}"
    return _failed(message, hint, 2, error)


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
    return _failed(said or "Stopped; nothing was published.", None, 130, None)
