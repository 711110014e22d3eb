"""Random histories of a source of files, which come, change, go and share orders.

A run follows each change, twice: an incremental run, and one that reads everything, into two destinations.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from random import Random
from typing import Any

import duckdb

from rfm_pipeline.common.duckdb_quoting import text_literal
from rfm_pipeline.config.loader import Configuration
from rfm_pipeline.errors import RfmError
from rfm_pipeline.pipeline.progress import NullObserver
from rfm_pipeline.pipeline.run import run
from rfm_pipeline.results.run_result import RunResult
from support.shops import rows_of

FIRST = date(2024, 1, 1)
HEADER = ("customer", "order_no", "order_date", "amount")
Line = tuple[str, str, date, str]
AUDITS = {"mostly_excluded": "off", "customers_dropped": "off", "rows_dropped": "off"}
SETTINGS: Mapping[str, tuple[Any, ...]] = {
    "returns": ("exclude", "exclude", "net"),
    "window": (None, None, "40 days"),
    "since": (None, None, None, "2024-01-05"),
    "same_order": (None, "last", "both"),
    "preset": (None, None, ("lifecycle",)),
    "exclude": ({}, {}, {"own": "customer = 'c3'"}),
}
"""Values that a history draws its settings from, by their names."""


def random_settings(random: Random) -> dict[str, Any]:
    """Return the settings of all runs of a history."""
    drawn = {name: random.choice(values) for name, values in SETTINGS.items()}
    settings = {name: value for name, value in drawn.items() if value}
    columns = {"customer_id": "customer", "ordered_at": "order_date", "amount": "amount"}
    columns["order_id"] = random.choice(["order_no", "order_no", "order_no", "none"])
    return {**settings, "columns": columns, "date_format": ["%Y-%m-%d"]}


@dataclass
class PartHistory:
    """The files of a source, which `change` changes.

    Attributes:
        folder: Where the files are.
        random: Source of all that is drawn.
        suffix: `.csv` or `.parquet`.
        files: The lines of each file.
        today: Date of the next run.
        is_steady: Whether files only come, and orders are rarely in two of them, as in a daily export.
    """

    folder: Path
    random: Random
    suffix: str
    files: dict[str, list[Line]] = field(default_factory=dict)
    today: date = FIRST + timedelta(days=20)
    is_steady: bool = False
    _orders: int = 0

    def change(self) -> None:
        """Change some files, and go on by some days."""
        self.today += timedelta(days=self.random.choice([0, 1, 1, 7, 30]))
        for _ in range(self.random.choice([0, 1, 1, 2])):
            changes = [self._add, self._add]
            if self.files and not self.is_steady:
                changes += [self._append, self._cut, self._copy, self._share, self._rename]
            if len(self.files) > 1 and not self.is_steady:
                changes.append(self._remove)
            self.random.choice(changes)()
        if not self.files:
            self._add()

    def _name(self) -> str:
        return f"{self.random.randrange(10_000):04}{self.suffix}"

    def _line(self) -> Line:
        self._orders += self.random.random() < 0.6
        customer = self.random.choice(["", *(f"c{number}" for number in range(12))])
        when = self.today - timedelta(days=self.random.choice([-9, -1, 0, 0, 1, 2, 5, 30, 60]))
        amount = self.random.choice(["10.00", "25.50", "99.99", "0.00", "-5.25", "", "3.10"])
        # The lines of an order are in one file mostly, and of one customer.
        is_late = self.random.random() < (0.03 if self.is_steady else 0.3)
        number = max(0, self._orders - 7) if is_late else self._orders
        return (customer if self.random.random() < 0.3 else f"c{number % 12}", f"o{number}", when, amount)

    def _write(self, name: str, lines: list[Line]) -> None:
        self.files[name] = lines
        path = self.folder / name
        text = path.with_name(f"{name}.text") if self.suffix == ".parquet" else path
        with text.open("w", newline="") as file:
            csv.writer(file).writerows([HEADER, *lines])
        if text != path:
            types = dict(zip(HEADER, ("VARCHAR", "VARCHAR", "DATE", "DECIMAL(9,2)"), strict=True))
            rows = f"read_csv({text_literal(str(text))}, columns = {types})"
            duckdb.execute(f"COPY (FROM {rows}) TO {text_literal(str(path))} (FORMAT parquet)")
            text.unlink()

    def _add(self) -> None:
        self._write(self._name(), [self._line() for _ in range(self.random.randrange(1, 25))])

    def _some(self) -> str:
        return self.random.choice(sorted(self.files))

    def _append(self) -> None:
        name = self._some()
        self._write(name, [*self.files[name], *(self._line() for _ in range(3))])

    def _cut(self) -> None:
        name = self._some()
        if self.files[name][1:]:
            self._write(name, self.files[name][1:])

    def _copy(self) -> None:
        self._write(self._name(), self.files[self._some()])

    def _share(self) -> None:
        self._write(self._name(), [*self.files[self._some()][-3:], self._line()])

    def _rename(self) -> None:
        name, new = self._some(), self._name()
        if new not in self.files:
            os.rename(self.folder / name, self.folder / new)  # noqa: PTH104 - keeps the times of the file
            self.files[new] = self.files.pop(name)

    def _remove(self) -> None:
        name = self._some()
        (self.folder / name).unlink()
        del self.files[name]


@dataclass
class TwoDestinations:
    """The destinations of incremental runs, and of runs that read everything."""

    folder: Path
    settings: Mapping[str, Any]

    def run(self, source: Path, today: date, **others: Any) -> tuple[Any, Any]:
        """Run into both; return what each published or raised, and its tables."""
        return self._outcome(source, today, "a", incremental=True, **others), self._outcome(
            source, today, "b", incremental=False, **others
        )

    def _outcome(self, source: Path, today: date, name: str, *, full: bool = False, **others: Any) -> Any:
        file = self.folder / f"{name}.duckdb"
        flags = {
            **self.settings,
            "source": str(source),
            "to": f"duckdb:{file}",
            "duckdb": {"threads": 1},
            **others,
        }
        flags["audits"] = {"mostly_excluded": "off", "customers_dropped": "off", "rows_dropped": "off"}
        try:
            result = run(
                Configuration(flags=flags), NullObserver(), today=today, replace_source=True, full=full
            )
        except RfmError as error:
            return type(error).__name__, error.message
        return figures(result), tables(file)


def figures(result: RunResult) -> dict[str, Any]:
    """Return what a run reports, without its parts."""
    shown = result.to_json()
    notes = [note for note in shown["notes"] if not note.startswith("incremental: ")]
    audits = [audit for audit in shown["audits"] if audit["name"] != "kept_orders"]
    own = ("run_id", "destination", "duration_s", "parts")
    return {
        **{name: value for name, value in shown.items() if name not in own},
        "notes": notes,
        "audits": audits,
    }


def tables(file: Path) -> list[list[dict[str, Any]]]:
    """Return the rows of the current result and of the history."""
    return [
        rows_of(file, f"SELECT * EXCLUDE (run_id) FROM {table} ORDER BY as_of_date, customer_id")
        for table in ("rfm_segments", "rfm_segments_history")
    ]
