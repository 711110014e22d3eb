"""The test lanes: which tests are slow, and how many examples a property test runs in each lane.

A lane is a marker expression and a Hypothesis profile; the Makefile combines them:

- `make test`: profile `fast`, all tests but those marked `slow` or `long`, a sample of those marked `matrix`.
- `make test-all`: profile `ci`, all tests but those marked `long`, a third of those marked `matrix`.
- `make test-long`: profile `long`, the tests marked `long`, the rest of those marked `matrix`, and all
  property tests, with random examples.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, Phase, settings

from support.paths import ROOT

SLOW_FOLDERS: Final = tuple(
    ROOT / "tests" / folder for folder in ("system", "integration/bigquery", "integration/googlesql")
)
"""Folders whose tests need a browser, a container, a killed process, the BigQuery emulator or GoogleSQL."""
SHARED_DATA_FIXTURES: Final = frozenset({"online_retail", "rfm_data_orders"})
"""Fixtures that skip where the data sets beside the checkout are absent."""
EXAMPLES_FACTOR: Final = {"fast": 0.06, "ci": 0.25, "long": 40}
"""Profile -> examples of a property test, as a multiple of those that it names (100 without a number)."""
LEAST_EXAMPLES: Final = {"fast": 2, "ci": 3, "long": 3}
"""Profile -> least number of examples of a property test that names a number."""
SAMPLED: Final = 6
"""Of the cases of a test marked `matrix`, the fast lane runs one in so many."""
SAMPLED_IN_ALL: Final = 3
"""Of the cases of a test marked `matrix`, `make test-all` runs one in so many; a divisor of `SAMPLED`."""
GENERATION: Final = (Phase.explicit, Phase.reuse, Phase.generate)
"""Phases of profile `fast`; the other profiles shrink a failing example too, which may take five minutes."""
sample_and_all: Final = pytest.mark.parametrize(
    "every", [pytest.param(False, id="sample"), pytest.param(True, id="all", marks=pytest.mark.long)]
)
"""Runs a test of a matrix of cases twice: for a sample of the cases, and in the long lane for all of them."""


def register_profiles() -> None:
    """Register the Hypothesis profiles and load `ci`, which applies where the command line names none."""
    base = settings(
        deadline=None,
        # The fixtures that property tests use hold nothing that one example could leave to the next.
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )
    for name, factor in EXAMPLES_FACTOR.items():
        settings.register_profile(
            name,
            base,
            max_examples=round(100 * factor),
            derandomize=name != "long",
            print_blob=True,
            phases=GENERATION if name == "fast" else (*GENERATION, Phase.shrink),
        )
    settings.load_profile("ci")


def max_examples(count: int, **others: Any) -> settings:
    """Return the settings of a property test that runs `count` examples times `EXAMPLES_FACTOR`.

    `others` are further arguments of `settings`.
    """
    profile = settings.get_current_profile_name()
    examples = max(LEAST_EXAMPLES[profile], round(count * EXAMPLES_FACTOR[profile]))
    return settings(max_examples=examples, **others)


def sample_size(count: int) -> int:
    """Return how many of `count` random cases a test draws: one in `SAMPLED` in profile `fast`."""
    return count // SAMPLED if settings.get_current_profile_name() == "fast" else count


def fuzz_examples(count: int) -> settings:
    """Return the settings of a test of `count` inputs of a grammar, or a fiftieth in profile `fast`."""
    profile = settings.get_current_profile_name()
    examples = max(LEAST_EXAMPLES[profile], count // 50) if profile == "fast" else count
    return settings(max_examples=examples, database=None)


def is_deselected(path: Path, marker_expression: str) -> bool:
    """Return whether the marker expression deselects every test of a folder, so that none needs importing."""
    return "not slow" in marker_expression and path in SLOW_FOLDERS


def in_sample(indices: Iterable[int], one_in: int = SAMPLED) -> bool:
    """Return whether a case of a matrix is in the sample of a lane.

    Args:
        indices: Index of the case's value of each parameter. Parameters of one `parametrize` share an index.
        one_in: Number of cases of which one is in the sample.

    >>> [number for number in range(10) if in_sample([number, number])]
    [0, 6]
    >>> [(row, column) for row in range(2) for column in range(8) if in_sample([row, column])]
    [(0, 0), (0, 6), (1, 5)]
    """
    return sum(set(indices)) % one_in == 0


def mark_slow(items: Iterable[pytest.Item]) -> None:
    """Mark tests as `slow`, and some of them as `long`.

    Slow are those of `SLOW_FOLDERS`, those that read a data set beside the checkout, and the cases of
    matrices that are not in the sample of the fast lane; long are the cases that `make test-all` leaves out.
    """
    for item in items:
        in_slow_folder = any(item.path.is_relative_to(folder) for folder in SLOW_FOLDERS)
        reads_shared_data = SHARED_DATA_FIXTURES & set(getattr(item, "fixturenames", ()))
        if in_slow_folder or reads_shared_data or not _is_sampled(item, SAMPLED):
            item.add_marker(pytest.mark.slow)
        if not _is_sampled(item, SAMPLED_IN_ALL):
            item.add_marker(pytest.mark.long)


def _is_sampled(item: pytest.Item, one_in: int) -> bool:
    """Return whether a test is no case of a matrix, or one of the sample of one in so many.

    Raises:
        pytest.UsageError: If a test marked `matrix` has no parameters, so that it would always run.
    """
    if item.get_closest_marker("matrix") is None:
        return True
    case = getattr(item, "callspec", None)
    if case is None:
        raise pytest.UsageError(f"{item.nodeid} is marked as a matrix, and has no parameters")
    return in_sample(case.indices.values(), one_in)
