"""A model of a destination in plain Python: what its readers must see after each operation.

The model has no code of the package: metrics, scores and segments are those of `support.reference`, and the
rules about dates, rollbacks, retention and calibrations are written out once more.
"""

from __future__ import annotations

import copy
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Any

from support.generated import ROLES, preset
from support.reference import expected

Row = Mapping[str, Any]
Steps = Generator[None, None, int]
"""An operation of the model, which yields after each commit, and returns the exit code."""

TODAY = date(2026, 1, 1)
REFUSED_FROM = date(2024, 1, 20)
"""As-of dates from this one on are rejected by the audit of `refusing.toml`."""
COLUMNS = ("customer_id", "order_id", "ordered_at", "amount")
PRESETS: Mapping[str, Mapping[str, Any]] = {name: preset(name) for name in ("classic", "grid")}


@dataclass(frozen=True)
class Options:
    """Settings of a run.

    Attributes:
        preset: Segment map.
        freeze: Whether the customers are scored by the newest calibration.
        keep: Days of the history that are kept; None keeps all.
        refusing: Whether an audit rejects as-of dates from `REFUSED_FROM` on.
    """

    preset: str = "classic"
    freeze: bool = False
    keep: int | None = None
    refusing: bool = False

    def arguments(self) -> list[str]:
        frozen = ["--freeze", "latest"] if self.freeze else []
        config = ["--config", "refusing.toml"] if self.refusing else []
        return ["--preset", self.preset, *frozen, *config]

    def environment(self) -> dict[str, str]:
        return {"RFM_HISTORY__KEEP": f"{self.keep} days"} if self.keep else {}


@dataclass(frozen=True)
class Record:
    """A row of the runs table.

    Attributes:
        token: Number of the run, in the order in which runs were recorded.
        options: Settings of the run; of a rollback, those of the restored run.
        edges: Edges that were computed.
        edges_from: Number of the calibration that the scores come from; None if edges were recomputed.
        restored: Of a rollback, number of the restored run.
        rows: The rows that the run wrote into the history.
    """

    token: int
    kind: str
    status: str
    as_of: date
    options: Options = Options()
    edges: Mapping[str, Any] = field(default_factory=dict)
    edges_from: int | None = None
    restored: int | None = None
    history_from: date | None = None
    rows: Sequence[Row] = ()
    customers: int | None = None

    def visible(self) -> tuple[Any, ...]:
        """Return what is compared with the runs table."""
        return (
            self.token, self.kind, self.status, self.as_of, self.restored, self.history_from, self.customers,
        )  # fmt: skip


@dataclass
class World:
    """A destination and the source of its runs. A table that does not exist is None.

    Attributes:
        lines: Lines of the source.
        current: Rows of the current result, by customer.
        history: Rows of the history by as-of date.
        records: Rows of the runs table, oldest first.
        recorded: Number of runs that were ever recorded.
        has_views: Whether the current result and the history are views, so that dropping one loses no row.
        current_date: As-of date of the current result behind the view; a dropped view hides it from readers,
            and not from rfm.
        behind_history: Rows behind the view of the history while it does not exist.
    """

    lines: tuple[Row, ...]
    current: Sequence[Row] | None = None
    history: dict[date, Sequence[Row]] | None = None
    records: list[Record] | None = None
    recorded: int = 0
    has_views: bool = False
    current_date: date | None = None
    behind_history: dict[date, Sequence[Row]] = field(default_factory=dict)

    def copy(self) -> World:
        return copy.copy(
            replace(
                self,
                history=None if self.history is None else dict(self.history),
                records=None if self.records is None else list(self.records),
            )
        )

    @property
    def as_of(self) -> date | None:
        """As-of date of the current result; None if it is empty."""
        current = self.current
        if current is None and self.has_views and self.current_date:
            current = self.known_history.get(self.current_date)
        return max((row["as_of_date"] for row in current or ()), default=None)

    @property
    def known_history(self) -> Mapping[date, Sequence[Row]]:
        """The history as rfm knows it, which reads the tables behind a view that was dropped."""
        if self.history is None:
            return self.behind_history if self.has_views else {}
        return self.history

    def active(self) -> dict[date, Record]:
        """Return the last run of each as-of date that later runs compare with, in ascending order."""
        written: dict[date, Record] = {}
        rolled_back: set[date] = set()
        for record in self.records or ():
            if record.status not in {"published", "history_only"}:
                continue
            if record.kind == "rollback":
                rolled_back = {day for day in written if day > record.as_of}
            else:
                written[record.as_of] = record
                rolled_back.discard(record.as_of)
            if record.history_from:
                written = {day: run for day, run in written.items() if day >= record.history_from}
        return {day: written[day] for day in sorted(written) if day not in rolled_back}

    def day_before(self, as_of: date) -> date | None:
        return max((day for day in self.active() if day < as_of), default=None)

    def tables(self) -> list[str]:
        """Return the names of the tables that exist."""
        tables = {"current": self.current, "history": self.history, "runs": self.records}
        return [name for name, rows in tables.items() if rows is not None]

    def drop(self, name: str) -> None:
        """Drop a table."""
        if name == "current":
            self.current = None
        elif name == "history":
            self.behind_history = self.history or {}
            self.history = None
        else:
            self.records = None

    def create_tables(self) -> None:
        if self.history is None:
            self.history = dict(self.behind_history) if self.has_views else {}
        if self.current is None:
            day = self.current_date if self.has_views else None
            self.current = self.history.get(day, []) if day else []
        self.records = [] if self.records is None else self.records

    def record(self, kind: str, status: str, as_of: date, **about: Any) -> Record:
        """Write a row of the runs table; the tables that do not exist are created."""
        self.create_tables()
        assert self.records is not None
        record = Record(self.recorded, kind, status, as_of, **about)
        self.records.append(record)
        self.recorded += 1
        return record

    # Operations

    def run(self, kind: str, as_of: date, options: Options) -> Steps:
        """Run, or calibrate, as of a date."""
        calibration = self._calibration() if options.freeze else None
        if options.freeze and (calibration is None or calibration.options.preset != options.preset):
            return 2
        if kind == "backfill" and self._is_current(as_of, options, calibration):
            return 0
        rows, edges = self._result(as_of, options, calibration)
        if options.refusing and as_of >= REFUSED_FROM:
            if self.records is not None:
                self.record(kind, "rejected", as_of, options=options, customers=len(rows))
                yield
            return 3
        oldest = None
        if options.keep:
            oldest = max([as_of, *self.active()]) - timedelta(days=options.keep - 1)
            if as_of < oldest:
                if self.records is not None:
                    self.record(kind, "failed", as_of, options=options)
                    yield
                return 2
        about = {"options": options, "edges": edges, "history_from": oldest, "customers": len(rows)}
        if kind == "calibration":
            self.record(kind, "calibrated", as_of, **about)
            yield
            return 0
        is_older = self.as_of is not None and as_of < self.as_of
        self.create_tables()
        assert self.history is not None
        self.history[as_of] = rows
        if not is_older:
            self.current, self.current_date = rows, as_of
        if oldest:
            self.history = {day: kept for day, kept in self.history.items() if day >= oldest}
        about |= {"rows": rows, "edges_from": calibration.token if calibration else None}
        self.record(kind, "history_only" if is_older else "published", as_of, **about)
        yield
        return 0

    def backfill(self, days: Sequence[date], options: Options) -> Steps:
        for day in days:
            code = yield from self.run("backfill", day, options)
            if code:
                return code
        return 0

    def rollback(self, token: int | None) -> Steps:
        """Restore the result of a run; None for the date before the current one."""
        active, as_of = self.active(), self.as_of
        if token is None:
            before = self.day_before(as_of) if as_of else None
            target = active[before] if before else None
        else:
            target = next((record for record in self.records or () if record.token == token), None)
        if target is None or target.kind == "rollback" or not target.rows:
            return 2
        rows = self.known_history.get(target.as_of)
        if rows != target.rows:
            return 2
        self.current, self.current_date = rows, target.as_of
        self.record(
            "rollback", "published", target.as_of,
            restored=target.token, customers=target.customers, options=target.options,
        )  # fmt: skip
        yield
        return 0

    def _result(
        self, as_of: date, options: Options, calibration: Record | None
    ) -> tuple[list[Row], Mapping[str, Any]]:
        """Return the rows to publish, and the edges that were computed."""
        settings = {"columns": {role: role if role in COLUMNS else "none" for role in ROLES}, "as_of": as_of}
        frozen = calibration.edges if calibration else None
        computed = expected(
            dict.fromkeys(COLUMNS, "STRING"),
            self.lines,
            {**settings, **PRESETS[options.preset]},
            TODAY,
            frozen,
        )
        before = self.day_before(as_of)
        earlier = {row["customer_id"]: row for row in (self.known_history.get(before, ()) if before else ())}
        rows = []
        for row in computed.segments:
            known = earlier.get(row["customer_id"])
            stayed = known is not None and known["segment"] == row["segment"]
            rows.append(
                {
                    **row,
                    "previous_segment": known["segment"] if known else None,
                    "segment_since": known["segment_since"] if known and stayed else as_of,
                    "run": self.recorded,
                }
            )
        return sorted(rows, key=lambda row: row["customer_id"]), computed.edges

    def _calibration(self) -> Record | None:
        calibrations = [record for record in self.records or () if record.status == "calibrated"]
        return calibrations[-1] if calibrations else None

    def _is_current(self, as_of: date, options: Options, calibration: Record | None) -> bool:
        """Return whether a backfill skips a date, whose rows have the same rules and follow an older date."""
        active = self.active()
        record, before = active.get(as_of), self.day_before(as_of)
        if record is None or (record.options.preset, record.options.freeze) != (
            options.preset,
            options.freeze,
        ):
            return False
        if calibration and record.edges_from != calibration.token:
            return False
        return before is None or active[before].token < record.token


@dataclass(frozen=True)
class Observed:
    """What readers see at a destination. Rows have `run_id` in place of `run`; absent tables are None.

    Attributes:
        current: Rows of the current result, by customer.
        history: Rows of the history by as-of date, by customer.
        records: Rows of the runs table, oldest first: id, kind, status, as-of date, restored id, oldest date
            kept, and customers.
    """

    current: Sequence[Row] | None
    history: Mapping[date, Sequence[Row]] | None
    records: Sequence[tuple[Any, ...]] | None


def differences(world: World, observed: Observed, tokens: dict[str, int]) -> list[str]:
    """Return how a destination differs from the model, one clause each.

    Args:
        world: The model.
        observed: The destination.
        tokens: Number of each run by its id; the runs that are new on record are added.
    """
    for run_id, *_ in observed.records or ():
        tokens.setdefault(run_id, len(tokens))

    def numbered(rows: Sequence[Row]) -> list[Row]:
        return [
            {
                **{name: value for name, value in row.items() if name != "run_id"},
                "run": tokens.get(row["run_id"]),
            }
            for row in rows
        ]

    found = []
    records = None if world.records is None else [record.visible() for record in world.records]
    seen = None
    if observed.records is not None:
        seen = [
            (tokens[run_id], kind, status, as_of, tokens.get(restored), oldest, customers)
            for run_id, kind, status, as_of, restored, oldest, customers in observed.records
        ]
    if seen != records:
        found.append(f"the runs are\n  {seen}, and should be\n  {records}")
    current = None if observed.current is None else numbered(observed.current)
    if current != (None if world.current is None else list(world.current)):
        found.append(f"the current result is\n  {current}, and should be\n  {world.current}")
    if observed.history is None or world.history is None:
        return found + (["one history does not exist"] if observed.history != world.history else [])
    for day in sorted({*observed.history, *world.history}):
        rows, wanted = numbered(observed.history.get(day, ())), list(world.history.get(day, ()))
        if rows != wanted:
            found.append(f"the history of {day} is\n  {rows}, and should be\n  {wanted}")
    return found
