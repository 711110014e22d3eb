"""Names for the copies in a run's scratch folder."""

from __future__ import annotations

import re
from itertools import count
from pathlib import Path


def temp_path(scratch: Path, name: str, suffix: str) -> Path:
    """A path in the scratch folder that is free, and tells whose copy it is.

    Args:
        scratch: The folder; it is created.
        name: The name of the user's file.
        suffix: With the dot.
    """
    scratch.mkdir(parents=True, exist_ok=True)
    stem = re.sub(r"[^\w.-]+", "-", Path(name).name.partition(".")[0]) or "copy"
    candidates = (scratch / f"{stem}{f'-{n}' if n else ''}{suffix}" for n in count())
    return next(path for path in candidates if not path.exists())
