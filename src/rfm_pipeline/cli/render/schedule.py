"""Terminal output of `rfm schedule`, and the confirmation before a job is installed or removed."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from rfm_pipeline.cli.render.json import print_json
from rfm_pipeline.cli.streams import print_labelled, print_message, printable
from rfm_pipeline.common.atomic_file import replace_file
from rfm_pipeline.common.untrusted_text import replace_unprintable
from rfm_pipeline.config.base import is_address
from rfm_pipeline.errors import UsageError
from rfm_pipeline.schedule import Rendered
from rfm_pipeline.schedule.install import InstallStep, execute_steps


def print_rendered(rendered: Rendered, *, quiet: bool) -> None:
    """Print the files on stdout, and unless `quiet` is set the notes and next commands on stderr."""
    for number, file in enumerate(rendered.files):
        if len(rendered.files) > 1:
            print(f"{'' if number == 0 else chr(10)}# {file.name}")
        print(printable(file.text), end="")
    if not quiet:
        _print_notes_and_next(rendered)


def print_rendered_json(rendered: Rendered) -> None:
    """Print the files, notes and next commands as one JSON object."""
    print_json(
        {
            "files": [{"name": file.name, "text": file.text} for file in rendered.files],
            "next": list(rendered.next_commands),
            "notes": list(rendered.notes),
        }
    )


def write_rendered(rendered: Rendered, folder: Path, *, quiet: bool) -> None:
    """Write the files into a folder, each in the encoding that its scheduler reads.

    Raises:
        UsageError: If the folder can't be written to.
    """
    if is_address(folder):
        raise UsageError(f"{folder} is an address, not a folder.", "name a folder with --write.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for file in rendered.files:
            replace_file(folder / file.name, file.encoded())
            if not quiet:
                print(replace_unprintable(f"Wrote {folder / file.name}."))
    except OSError as error:
        raise UsageError(
            f"{folder} can't be written to: {error.strerror}.", "choose another folder with --write."
        ) from None
    if not quiet:
        _print_notes_and_next(rendered)


def print_notes(notes: Sequence[str]) -> None:
    """Print notes on stderr."""
    for note in notes:
        print_labelled("note", note)


def confirm_and_execute(steps: Sequence[InstallStep], *, yes: bool, quiet: bool) -> None:
    """Print the steps, ask for confirmation unless `yes` is set, and execute the steps.

    With `quiet`, only a question is printed, with the steps that it asks about.

    Raises:
        UsageError: If stdin is no terminal and `yes` is not set, or if a step failed.
    """
    if not (yes and quiet):
        for step in steps:
            print(printable(str(step)), end="")
    if not yes:
        sys.stdout.flush()
        if not sys.stdin.isatty():
            raise UsageError("The confirmation needs a terminal.", "confirm with --yes.")
        print_message("Do this? [y/N] ", end="")
        if sys.stdin.readline().strip().casefold() not in {"y", "yes"}:
            print("Nothing was changed.")
            return
    notes = execute_steps(steps)
    if not quiet:
        print_notes(notes)
        print("Done.")


def _print_notes_and_next(rendered: Rendered) -> None:
    print_notes(rendered.notes)
    print_message("next: " + "\n      ".join(rendered.next_commands))
