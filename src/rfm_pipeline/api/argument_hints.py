"""Translation of hints about command-line flags into hints about Python arguments."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from rfm_pipeline.errors import RfmError


@contextmanager
def hints_as_arguments() -> Iterator[None]:
    """Rewrite the hints of errors raised in the body: `decimal=','` in place of `--decimal ','`.

    The hint is also added as a note, which tracebacks show.
    """
    try:
        yield
    except RfmError as error:
        if error.hint:
            error.hint = _FLAG.sub(_argument, error.hint)
            error.add_note(f"hint: {error.hint}")
        raise


# The word after a flag is its value if it is quoted or contains a character that is not a lower-case letter,
# and if the flag takes the name of a column.
_COLUMN_FLAG = (
    "customer-id|order-id|ordered-at|amount-of|amount|quantity|unit-price|discount|refund|frequency|monetary"
    "|status-column|currency-column|line-types"
)
_FLAG = re.compile(
    rf"--(?:(?={_COLUMN_FLAG})([a-z-]+) (?!and\b|or\b)('[^']*'|\S+?)(?=[.,;:)]*(?:\s|$))"
    r"|([a-z]+(?:-[a-z]+)*)(?: ('[^']*'|\S*?[^a-z\s.,;:)]\S*?)(?=[.,;:)]*(?:\s|$)))?)"
)


def _argument(flag: re.Match[str]) -> str:
    name, value = (flag[1] or flag[3]).replace("-", "_"), flag[2] or flag[4]
    if name.startswith("no_"):
        return f"{name.removeprefix('no_')}=False"
    if value is None:
        return name
    return f"{name}={value}" if value.startswith("'") else f"{name}='{value}'"
