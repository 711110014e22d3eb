"""A schedule on the terminal, and asking before one is installed."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from rfm_pipeline.cli.render.json import print_json
from rfm_pipeline.errors import UsageError
from rfm_pipeline.schedule import Rendered
from rfm_pipeline.schedule.install import InstallStep, execute_steps


def print_rendered(rendered: Rendered) -> None:
    """The files on stdout, so that one can be redirected; what to do with them on stderr."""
    for number, file in enumerate(rendered.files):
        if len(rendered.files) > 1:
            print(f"{'' if number == 0 else chr(10)}# {file.name}")
        print(file.text, end="")
    say(rendered.notes)
    print("next: " + "\n      ".join(rendered.next_commands), file=sys.stderr)


def print_rendered_json(rendered: Rendered) -> None:
    """The same as one JSON object."""
    print_json(
        {
            "files": [{"name": file.name, "text": file.text} for file in rendered.files],
            "next": list(rendered.next_commands),
            "notes": list(rendered.notes),
        }
    )


def write_rendered(rendered: Rendered, folder: Path) -> None:
    """The files in a folder, each in the encoding that its scheduler reads."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for file in rendered.files:
            (folder / file.name).write_bytes(file.encoded())
            print(f"Wrote {folder / file.name}.")
    except OSError as error:
        raise UsageError(
            f"{folder} can't be written to: {error.strerror}.", "choose another folder with --write."
        ) from None
    say(rendered.notes)
    print("next: " + "\n      ".join(rendered.next_commands), file=sys.stderr)


def say(notes: Sequence[str]) -> None:
    """What a person should know, on stderr."""
    for note in notes:
        print(f"note: {note}", file=sys.stderr)


def do(steps: Sequence[InstallStep], *, yes: bool) -> None:
    """Shows what is to be done, asks, and does it.

    Raises:
        UsageError: Nobody is there to ask, or a step failed.
    """
    for step in steps:
        print(str(step), end="")
    if not yes:
        sys.stdout.flush()
        if not sys.stdin.isatty():
            raise UsageError("Nobody is there to ask whether this is to be done.", "say so with --yes.")
        print("Do this? [y/N] ", end="", file=sys.stderr, flush=True)
        if sys.stdin.readline().strip().casefold() not in {"y", "yes"}:
            print("Nothing was changed.")
            return
    say(execute_steps(steps))
    print("Done.")
