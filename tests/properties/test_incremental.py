"""An incremental run publishes what a run that reads all files publishes, in every column and figure."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

from hypothesis import given
from hypothesis import strategies as st

from support.lanes import max_examples
from support.part_histories import PartHistory, TwoDestinations, random_settings


@max_examples(30)
@given(st.integers(0, 2**32))
def test_incremental_runs_publish_what_full_runs_publish(seed: int) -> None:
    random = Random(seed)
    # Else a source as small as these compares the orders of its files at once, and takes no customers over.
    compares = patch(
        "rfm_pipeline.pipeline.shared_orders._ALWAYS_COMPARED_BYTES", random.choice([0, 0, 8 << 20])
    )
    with TemporaryDirectory() as folder, compares:
        source = Path(folder) / "source"
        source.mkdir()
        history = PartHistory(source, random, random.choice([".csv", ".parquet"]))
        history.is_steady = random.random() < 0.6
        destinations = TwoDestinations(Path(folder), random_settings(random))
        for _ in range(random.randrange(2, 5)):
            history.change()
            others: dict[str, Any] = {"check_every": random.choice([2, 10, 10])}
            if random.random() < 0.3:
                others["as_of"] = history.today - timedelta(days=random.choice([0, 1, 10, 45]))
            incremental, full = destinations.run(source, history.today, **others)
            assert incremental == full
