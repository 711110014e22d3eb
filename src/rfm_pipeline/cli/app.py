"""The typer application: registers the called command, invokes it, and reports errors in its arguments."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable
from functools import cache
from importlib import import_module
from typing import Annotated, Any

import typer

from rfm_pipeline.cli import json_log
from rfm_pipeline.cli.help import ABOUT, COMMANDS, COMPLETION_VARIABLE, MAX_WIDTH, OPTIONS
from rfm_pipeline.cli.streams import print_message
from rfm_pipeline.common.cancellation import raise_if_cancelled
from rfm_pipeline.errors import UsageError

app = typer.Typer(
    name="rfm",
    help=ABOUT,
    add_completion=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

# The base class of typer's errors about arguments has no public name.
_ArgumentError: type[Exception] = next(
    kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "ClickException"
)

# What rich takes for markup, by rich.markup.RE_TAGS; rich itself is imported only to print help.
_MARKUP_TAG = re.compile(r"\[(?=[a-z#/@][^\[]*?\])")


@app.callback()
def _global_options(
    version: Annotated[  # noqa: ARG001 - main.py has printed it
        bool, typer.Option("--version", help=OPTIONS["--version"])
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help=OPTIONS["--debug"])] = False,
) -> None:
    if debug:
        os.environ["RFM_DEBUG"] = "1"
        if not json_log.is_enabled():
            _log_to_stderr()


def _log_to_stderr() -> None:
    """Print the package's log records on stderr: each BigQuery job with its link, and each retry."""
    import logging

    class StderrHandler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if os.environ.get("RFM_DEBUG"):
                print_message(self.format(record))

    logger = logging.getLogger("rfm_pipeline")
    logger.setLevel(logging.INFO)
    logger.handlers = [StderrHandler()]


def invoke(arguments: list[str]) -> int:
    """Run a command.

    Args:
        arguments: The arguments after `rfm`.

    Returns:
        The exit code.

    Raises:
        UsageError: If the arguments are invalid.
        KeyboardInterrupt: If the command was cancelled.
        Exception: Whatever the command raises.
    """
    called = next((argument for argument in arguments if not argument.startswith("-")), None)
    # Registering a command is slow; all of them are needed only to suggest a name for a mistyped one.
    names = [called] if called in COMMANDS else list(COMMANDS)
    modules = [import_module(f"rfm_pipeline.cli.commands.{name}") for name in names]
    group = _group(tuple((name, getattr(module, name)) for name, module in zip(names, modules, strict=True)))
    raise_if_cancelled()
    if not {"-h", "--help"}.isdisjoint(arguments):
        _limit_help_width()
    if COMPLETION_VARIABLE in os.environ:
        # A shell asks for completions: typer prints them and exits.
        app(prog_name="rfm")
    try:
        # Not `app()`, which handles Ctrl-C and a closed pipe itself, with exit code 1 for both.
        with group.make_context("rfm", arguments) as context:
            group.invoke(context)
    except typer.Exit as ended:
        return int(ended.exit_code)
    except typer.Abort as error:
        raise KeyboardInterrupt(*error.args) from error
    except _ArgumentError as error:
        raise _usage_error(error) from error
    return 0


def _limit_help_width() -> None:
    """Print the help of a command as wide as `overview` is, and not as wide as any terminal."""
    from typer import rich_utils

    rich_utils.MAX_WIDTH = min(shutil.get_terminal_size().columns, MAX_WIDTH)


@cache
def _group(commands: tuple[tuple[str, Callable[..., None]], ...]) -> Any:
    """Return the command line with these commands, given by name and function."""
    app.registered_commands.clear()
    for name, function in commands:
        app.command(name)(function)
    group: Any = typer.main.get_command(app)
    for command in group.commands.values():
        _format_help(command)
    return group


def _format_help(command: Any) -> None:
    """Join the wrapped lines of each paragraph of a command's help; escape `[text]`, which rich drops."""
    paragraphs = (command.help or "").split("\n\n")
    joined = (text if text.startswith((" ", "Examples:")) else " ".join(text.split()) for text in paragraphs)
    command.help = _escape_markup("\n\n".join(joined))
    for parameter in command.params:
        if getattr(parameter, "help", None):
            parameter.help = _escape_markup(parameter.help)


def _escape_markup(text: str) -> str:
    return _MARKUP_TAG.sub(r"\[", text)


def _usage_error(error: Any) -> UsageError:
    command = error.ctx.command_path if getattr(error, "ctx", None) else "rfm"
    message = error.format_message()
    hint = f"`{command} --help` lists the {'commands' if command == 'rfm' else 'options'}."
    if "extra argument" in message:
        # A shell expands an unquoted glob, and splits a name at its spaces.
        hint = f"put a glob, or a name with spaces, in quotes, as in rfm run '*.csv'; {hint}"
    return UsageError(message, hint)
