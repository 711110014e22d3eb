"""Measure what `segment` takes beside a Polars frame: `python benchmarks/experiments/frame_memory.py`.

Each way is a process of its own that makes the frame, notes what is resident, and measures how far the peak
rises above that, as a share of the frame. Beside it stands a deliberate copy of the frame, which must come
to about 1: were the frame copied on its way to DuckDB, `segment` would too. It needs Linux.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

LINES = 10_000_000
CUSTOMERS = 100_000
PIECES = {"in one piece": 1, "in 80 pieces": 80}


def frame_of(lines: int, pieces: int) -> Any:
    """Transaction lines, 50 an order, in as many pieces: text ids, a time and an amount."""
    import polars as pl

    return pl.concat(
        [_piece(lines // pieces, start * (lines // pieces)) for start in range(pieces)], rechunk=False
    )


def _piece(lines: int, start: int) -> Any:
    import polars as pl

    number = pl.int_range(start, start + lines, eager=True)
    return pl.select(
        customer_id=pl.format("customer-{}", number // 50 % CUSTOMERS),
        order_id=pl.format("order-{}", number // 50),
        ordered_at=(1_704_067_200_000_000 + number * 3_000_000).cast(pl.Datetime),
        amount=(number % 9_973).cast(pl.Float64) / 100,
    )


def memory(field: str) -> int:
    """A figure of this process's memory, in bytes: `VmRSS` is what is resident, `VmHWM` its peak."""
    found = re.search(rf"{field}:\s+(\d+) kB", Path("/proc/self/status").read_text(encoding="ascii"))
    assert found is not None
    return int(found[1]) * 1024


def segment(frame: Any) -> object:
    """What is measured."""
    import rfm_pipeline

    return rfm_pipeline.segment(frame)


def copy(frame: Any) -> object:
    """What it is held against: all of the frame, once more."""
    import io

    written = io.BytesIO()
    frame.write_ipc(written, compression="uncompressed")
    return written


WAYS: dict[str, Callable[[Any], object]] = {"segment": segment, "a copy": copy}


def measured(way: str, lines: int, pieces: int) -> float:
    """How far the peak rises, as a share of the frame's size."""
    # What has to be loaded is loaded, and is no part of it.
    WAYS["segment"](frame_of(1_000, 1))
    frame = frame_of(lines, pieces)
    size = frame.estimated_size()
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    before = memory("VmRSS")
    kept = WAYS[way](frame)
    rise = memory("VmHWM") - before
    del kept
    return float(rise / size)


def main() -> None:
    """Prints each way's share."""
    if len(sys.argv) == 4:
        print(json.dumps(measured(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))))
        return
    lines = int(sys.argv[1].replace("_", "")) if len(sys.argv) == 2 else LINES
    print(f"{lines:,} lines of {CUSTOMERS:,} customers; memory above the frame, as a share of it")
    for name, pieces in PIECES.items():
        for way in WAYS:
            arguments = [sys.executable, __file__, way, str(lines), str(pieces)]
            done = subprocess.run(arguments, check=True, capture_output=True, text=True)
            print(f"{way:<8} {name:<13} {json.loads(done.stdout):5.2f}", flush=True)


if __name__ == "__main__":
    main()
