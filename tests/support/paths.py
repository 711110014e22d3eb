"""Paths of the checkout."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
"""The root of the checkout."""
TEST_DATA = ROOT / "tests" / "data"
"""Files that tests compare with or read."""
SHARED_DATA = ROOT.parent / "shared" / "data"
"""Real data sets that may stand beside the checkout; tests that need one are skipped without it."""
