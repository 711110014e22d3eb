"""The command line as typer reads it: one command of ours, its arguments, and what is wrong with them."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import Annotated, Any

import typer

from rfm_pipeline.cli import json_log as events
from rfm_pipeline.cli.help import ABOUT, COMMANDS
from rfm_pipeline.common.cancellation import raise_if_cancelled
from rfm_pipeline.errors import UsageError

app = typer.Typer(
    name="rfm",
    help=ABOUT,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

# typer's own errors about the command line: their common root has no public name.
_ParsingError: type[Exception] = next(
    kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "ClickException"
)


@app.callback()
def _rfm(
    version: Annotated[  # noqa: ARG001 - main.py has printed it
        bool, typer.Option("--version", help="Print the version.")
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


def invoke(arguments: list[str]) -> int:
    """Runs a command.

    Args:
        arguments: The command line behind `rfm`.

    Returns:
        The exit code.

    Raises:
        UsageError: The command line can't be read.
        KeyboardInterrupt: The command was broken off.
        Exception: Whatever the command raises.
    """
    # A command takes a while to set up: all of them are for typos only.
    called = next((argument for argument in arguments if not argument.startswith("-")), None)
    app.registered_commands.clear()
    for name in (called,) if called in COMMANDS else COMMANDS:
        app.command(name)(getattr(import_module(f"rfm_pipeline.cli.commands.{name}"), str(name)))
    raise_if_cancelled()
    try:
        # Not `app()`, which swallows Ctrl-C and a closed pipe before they can be told apart.
        command = typer.main.get_command(app)
        with command.make_context("rfm", arguments) as context:
            command.invoke(context)
    except typer.Exit as ended:
        return int(ended.exit_code)
    except typer.Abort as error:
        raise KeyboardInterrupt(*error.args) from error
    except _ParsingError as error:
        raise _misread(error) from error
    return 0


def _misread(error: Any) -> UsageError:
    command = error.ctx.command_path if getattr(error, "ctx", None) else "rfm"
    message, hint = error.format_message(), f"`{command} --help` lists what there is."
    if "extra argument" in message:
        # What a shell makes of a pattern or of a name with blanks.
        hint = f"a glob, or a name with blanks, stands in quotes, as in rfm run '*.csv'; {hint}"
    return UsageError(message, hint)
