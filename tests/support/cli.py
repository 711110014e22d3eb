"""Types of the fixture `rfm`, which runs the command line in this process."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Outcome:
    """Exit code and output of a command."""

    code: int
    stdout: str
    stderr: str

    @property
    def json(self) -> Any:
        """Return stdout parsed as JSON."""
        return json.loads(self.stdout)


Rfm = Callable[..., Outcome]
