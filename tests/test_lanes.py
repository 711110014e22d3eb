"""The lanes of the tests, and the groups of tests that run in one worker with one emulator or data set."""

from __future__ import annotations

import pytest

from support import lanes

pytest_plugins = ["pytester"]


@pytest.mark.xdist_group("lanes")
def test_groups_reach_the_scheduler(request: pytest.FixtureRequest) -> None:
    """xdist passes the group to its scheduler as a suffix of the test's id."""
    by_group = getattr(request.config.option, "loadgroup", False)
    assert request.node.nodeid.endswith("@lanes") == by_group


TESTS = """
import pytest

@pytest.mark.matrix
@pytest.mark.parametrize(("case", "expected"), [(case, case) for case in "abcdefghij"])
def test_many(case, expected): ...

@pytest.mark.matrix
@pytest.mark.parametrize("row", [1, 2])
@pytest.mark.parametrize("column", "abcdefgh")
def test_table(row, column): ...

@pytest.mark.parametrize("case", "abc")
def test_whole(case): ...

def test_of_shared_data(online_retail): ...
"""


def test_the_fast_lane_has_a_sample_of_the_cases_of_a_matrix(pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\nmarkers = matrix\n  slow\n  long")
    items = pytester.getitems(TESTS)
    lanes.mark_slow(items)
    fast = [item.name for item in items if item.get_closest_marker("slow") is None]
    assert [name for name in fast if name.startswith("test_many")] == [
        "test_many[a-a]", "test_many[g-g]",
    ]  # fmt: skip
    assert len([name for name in fast if name.startswith("test_table")]) == 3
    to_all = [item.name for item in items if item.get_closest_marker("long") is None]
    assert len([name for name in to_all if name.startswith("test_many")]) == 4
    assert len([name for name in to_all if name.startswith("test_table")]) == 6
    assert set(fast) <= set(to_all)
    assert [name for name in fast if name.startswith("test_whole")] == [
        "test_whole[a]", "test_whole[b]", "test_whole[c]",
    ]  # fmt: skip
    assert "test_of_shared_data" not in fast


def test_a_matrix_has_parameters(pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\nmarkers = matrix")
    items = pytester.getitems("import pytest\n\n@pytest.mark.matrix\ndef test_one(): ...")
    with pytest.raises(pytest.UsageError, match="test_one is marked as a matrix"):
        lanes.mark_slow(items)
