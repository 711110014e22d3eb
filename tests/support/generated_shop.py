"""Generated shops: random lines of orders, and a run over them."""

from __future__ import annotations

import csv
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from random import Random
from typing import Any

from hypothesis import strategies as st
from msgspec.structs import replace

from rfm_pipeline.config.loader import Configuration
from rfm_pipeline.pipeline import run as runner
from rfm_pipeline.pipeline.progress import NullObserver
from rfm_pipeline.results.run_result import RunResult
from rfm_pipeline.results.statistics import Excluded
from support.databases import database
from support.generated import ROLES
from support.lanes import max_examples

Line = dict[str, str]


Row = dict[str, Any]


FIRST, TODAY = date(2024, 1, 1), date(2025, 2, 1)
COLUMNS = ("customer_id", "order_id", "ordered_at", "quantity", "unit_price", "status")


SETTINGS: Mapping[str, Any] = {
    "columns": {role: role if role in COLUMNS else "none" for role in ROLES},
    "exclude": {"cancelled": {"column": "status", "equals": ["cancelled"]}},
}


examples = max_examples(9)


seeds = st.integers(0, 2**32)


@st.composite
def rules(draw: st.DrawFn) -> dict[str, Any]:
    """Draw settings of returns, the as-of date and the window."""
    drawn: dict[str, Any] = {"returns": draw(st.sampled_from(["exclude", "net"]))}
    window = draw(st.sampled_from([None, "90 days", "11 months"]))
    as_of = draw(st.sampled_from([None, date(2024, 12, 31), date(2024, 9, 30)]))
    return drawn | ({"window": window} if window else {}) | ({"as_of": as_of} if as_of else {})


def shop(seed: int, *, customers: int = 250, orders: int = 900, prices: int = 40) -> list[Line]:
    """Return about 2000 lines: frequent and one-time customers, repeated prices, returns, invalid lines."""
    random = Random(seed)
    ids = [f"C{number:04}" for number in range(customers)]
    price_list = [f"{random.randint(1, 20000) / 100:.2f}" for _ in range(prices)] + ["0.3333"]
    lines = []
    for number in range(orders):
        customer = ids[min(int(random.expovariate(4) * customers), customers - 1)]
        day = FIRST + timedelta(days=min(int(random.triangular(0, 400, 330)), 390))
        for _ in range(random.choice([1, 1, 2, 3, 4])):
            line = {
                "customer_id": customer,
                "order_id": f"O{number:05}",
                "ordered_at": day.isoformat(),
                "quantity": str(random.choice([1, 1, 2, 3, 12, -1, -2])),
                "unit_price": random.choice(price_list),
                "status": random.choice(["paid"] * 20 + ["cancelled", ""]),
            }
            if random.random() < 0.04:
                name, values = random.choice(BROKEN)
                line[name] = random.choice(values)
            lines.append(line)
    return lines


BROKEN: Sequence[tuple[str, Sequence[str]]] = (
    ("customer_id", ("", "  ")),
    ("order_id", ("",)),
    ("ordered_at", ("", "2024-02-30", "soon", "2031-01-01")),
    ("quantity", ("", "many", "0")),
    ("unit_price", ("", "free", "0", "-3.50")),
)


@dataclass(frozen=True)
class Published:
    """The rows that a run published, and its result."""

    rows: list[Row]
    result: RunResult

    @property
    def scores(self) -> dict[str, tuple[Any, ...]]:
        """By customer: the three scores, the score text and the segment."""
        names = ("r_score", "f_score", "m_score", "rfm_score", "segment")
        return {row["customer_id"]: tuple(row[name] for name in names) for row in self.rows}

    @property
    def exclusions(self) -> list[Excluded]:
        """The exclusions, without the examples of the first rows, which depend on the order of the lines."""
        return [replace(reason, more_examples=()) for reason in self.result.statistics.exclusions]


@contextmanager
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


def write(path: Path, lines: Sequence[Line]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(lines)
    return path


def run(lines: Sequence[Line], *, files: int = 1, **options: Any) -> Published:
    """Run the pipeline over lines, distributed over files, with a new destination.

    All lines of an order are in one file, because an order with different lines in two files is a question;
    with `same_order="both"` they are in any.
    """
    are_split = options.get("same_order") == "both"
    with folder() as directory:
        source = directory / "orders"
        source.mkdir()
        split = [lines[number::files] for number in range(files)] if are_split else by_order(lines, files)
        for number, part in enumerate(split):
            write(source / f"{number}.csv", part)
        return run_source(source, directory, **options)


def by_order(lines: Sequence[Line], files: int) -> list[list[Line]]:
    """Return the lines by file, with all lines of an order in one; lines without an order are in any."""
    numbers: dict[str, int] = {}
    parts: list[list[Line]] = [[] for _ in range(files)]
    for position, line in enumerate(lines):
        order = line["order_id"]
        parts[numbers.setdefault(order, len(numbers)) % files if order else position % files].append(line)
    return parts


def run_source(source: Path, directory: Path, **options: Any) -> Published:
    flags = {**SETTINGS, "source": str(source), "to": f"duckdb:{directory / 'rfm.duckdb'}", **options}
    result = runner.run(Configuration(flags=flags), NullObserver(), today=TODAY)
    with database(directory / "rfm.duckdb") as connection:
        read = connection.execute("SELECT * EXCLUDE (run_id) FROM rfm_segments ORDER BY customer_id")
        names = [column[0] for column in read.description or ()]
        rows = [dict(zip(names, row, strict=True)) for row in read.fetchall()]
    assert len(rows) > 20, "a shop with customers"
    return Published(rows, result)
