"""The tests of an xdist group run in one worker, which sets up their emulator, image or data set once."""

from __future__ import annotations

import pytest


@pytest.mark.xdist_group("lanes")
def test_groups_reach_the_scheduler(request: pytest.FixtureRequest) -> None:
    """xdist passes the group to its scheduler as a suffix of the test's id."""
    by_group = getattr(request.config.option, "loadgroup", False)
    assert request.node.nodeid.endswith("@lanes") == by_group
