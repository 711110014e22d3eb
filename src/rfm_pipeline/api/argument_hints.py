"""Hints that advise on flags of the command line, told to callers in Python as arguments."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from rfm_pipeline.errors import RfmError


@contextmanager
def hints_as_arguments() -> Iterator[None]:
    """Lets errors advise on arguments where they advise on flags: `decimal=','` for `--decimal ','`.

    The hint becomes a note of the error too, which a traceback shows.
    """
    try:
        yield
    except RfmError as error:
        if error.hint:
            error.hint = _FLAG.sub(_argument, error.hint)
            error.add_note(f"hint: {error.hint}")
        raise


# A word behind a flag is its value where it is more than a word of the sentence.
_FLAG = re.compile(r"--([a-z]+(?:-[a-z]+)*)(?: ('[^']*'|\S*?[^a-z\s.,;:)]\S*?)(?=[.,;:)]*(?:\s|$)))?")


def _argument(flag: re.Match[str]) -> str:
    name, value = flag[1].replace("-", "_"), flag[2]
    if value is None:
        return name
    return f"{name}={value}" if value.startswith("'") else f"{name}='{value}'"
