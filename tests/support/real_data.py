"""Real data sets that stand beside the checkout."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.paths import SHARED_DATA


def real_data(name: str) -> Path:
    """A real data set that is not part of the project; the test is skipped where it is absent."""
    path = SHARED_DATA / name
    if not path.exists():
        pytest.skip(f"the real data set {name} is not beside the project, in shared/data")
    return path
