"""Names of copies in a run's temporary directory."""

from __future__ import annotations

import re
from itertools import count
from pathlib import Path


def temp_path(temp_dir: Path, name: str, suffix: str) -> Path:
    """Return an unused path in the temporary directory that starts with the name of the copied file.

    Args:
        temp_dir: Directory of the path; created if missing.
        name: Name of the user's file.
        suffix: Suffix of the copy, with its dot.
    """
    temp_dir.mkdir(parents=True, exist_ok=True)
    stem = re.sub(r"[^\w.-]+", "-", Path(name).name.partition(".")[0]) or "copy"
    candidates = (temp_dir / f"{stem}{f'-{n}' if n else ''}{suffix}" for n in count())
    return next(path for path in candidates if not path.exists())
