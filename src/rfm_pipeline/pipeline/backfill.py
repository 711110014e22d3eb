"""Filling the history: a run for each of many as-of dates, from the oldest on."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any, Literal
from zoneinfo import ZoneInfo

from msgspec import Struct
from msgspec.structs import replace

from rfm_pipeline.common.formatting import format_bytes, format_count, lower_first
from rfm_pipeline.config.loader import Configuration
from rfm_pipeline.errors import CostLimitError, RfmError, UsageError
from rfm_pipeline.pipeline.plan import Plan
from rfm_pipeline.pipeline.progress import RunObserver
from rfm_pipeline.pipeline.run import execute_run
from rfm_pipeline.results.run_history import previous_date
from rfm_pipeline.results.run_record import RunRecord
from rfm_pipeline.results.run_result import RunResult

Every = Literal["day", "week", "month"]
_MOST = 10_000


class Backfilled(Struct, frozen=True):
    """What a backfill did.

    Attributes:
        published: The results, by date.
        skipped: The dates that stood already.
    """

    published: tuple[RunResult, ...]
    skipped: tuple[date, ...]

    def to_json(self) -> dict[str, Any]:
        """One object with plain values, as `rfm backfill --json` prints it."""
        return {
            "published": [
                {
                    "as_of": result.as_of.isoformat() if result.as_of else None,
                    "run_id": result.run_id,
                    "status": result.status,
                    "customers": result.customers,
                }
                for result in self.published
            ],
            "skipped": [day.isoformat() for day in self.skipped],
        }


def as_of_dates(first: date, last: date, every: Every) -> tuple[date, ...]:
    """The dates from one to another; months end where they end.

    >>> [str(day) for day in as_of_dates(date(2025, 1, 31), date(2025, 4, 1), "month")]
    ['2025-01-31', '2025-02-28', '2025-03-31']

    Raises:
        UsageError: There is none, or there are too many.
    """
    if first > last:
        raise UsageError(f"--from is {first}, after --to, {last}.", "give the earlier date first.")
    found: list[date] = []
    for day in _from(first, every):
        if day > last:
            return tuple(found)
        if len(found) == _MOST:
            break
        found.append(day)
    raise UsageError(
        f"From {first} to {last} there are more than {_MOST:,} dates.", "choose fewer, or --every month."
    )


def _from(first: date, every: Every) -> Iterator[date]:
    for number in range(_MOST + 1):
        if every == "month":
            year, month = divmod(first.year * 12 + first.month - 1 + number, 12)
            yield date(year, month + 1, min(first.day, monthrange(year, month + 1)[1]))
        else:
            yield first + timedelta(days=number * (7 if every == "week" else 1))


def backfill(
    configuration: Configuration,
    days: Sequence[date],
    watcher: RunObserver,
    told: Callable[[RunResult], object],
    *,
    today: date | None = None,
) -> Backfilled:
    """Publishes the result of each date that does not stand yet; it goes on where an earlier one stopped.

    Args:
        configuration: All layers of settings; outputs are not written.
        days: As-of dates in ascending order.
        watcher: Told what each run is doing.
        told: Told of each result as soon as it is published.
        today: As for `planned`.

    Raises:
        UsageError: A date is yet to come.
        RfmError: What is wrong with the first date that can't be published; those before it are.
    """
    settings = configuration.settings()
    now = today or datetime.now(ZoneInfo(settings.timezone)).date()
    if days[-1] > now:
        raise UsageError(f"{days[-1]} is yet to come: today is {now}.", "end with a date that has been.")
    published: list[RunResult] = []
    skipped: list[date] = []
    for number, day in enumerate(days, start=1):
        dated = _Dated(watcher, f"As of {day} ({number} of {len(days)})")
        asked = replace(configuration, flags={**configuration.flags, "as_of": day.isoformat(), "output": ()})
        remaining = _Remaining(day, len(days) - number + 1)
        try:
            result = execute_run(remaining.stands, asked, dated, kind="backfill", today=today)
        except KeyboardInterrupt as error:
            if not published or error.args:
                raise
            done = f"{format_count(len(published), 'date')} had been published"
            raise KeyboardInterrupt(f"Stopped; {done}, and the same backfill goes on there.") from None
        except RfmError as error:
            error.message = f"As of {day}: {error.message}"
            raise
        if result is None:
            skipped.append(day)
            continue
        published.append(result)
        told(result)
    return Backfilled(tuple(published), tuple(skipped))


class _Dated(Struct, frozen=True):
    """A watcher that is also told which date it is."""

    watcher: RunObserver
    date: str

    def begin(self, run_id: str) -> None:
        self.watcher.begin(run_id)

    def step(self, name: str) -> None:
        self.watcher.step(f"{self.date}: {lower_first(name)}")

    def progress(self, share: float) -> None:
        self.watcher.progress(share)


class _Remaining(Struct, frozen=True):
    """What is asked before each date."""

    day: date
    dates: int

    def stands(self, plan: Plan) -> bool:
        """Whether the date need not be computed.

        Raises:
            CostLimitError: What remains would cost more than the limit.
        """
        if is_current(plan.standing.dates, self.day, plan):
            return True
        most = plan.settings.bigquery.most_bytes
        if plan.cost and (together := plan.cost.bytes_processed * self.dates) > most:
            raise CostLimitError(
                f"The backfill would read {format_bytes(together)} for {format_count(self.dates, 'date')}, and the limit is"
                f" {format_bytes(most)}.",
                "raise it with --max-bytes, choose fewer dates, or --every month.",
            )
        return False


def is_current(standing: Mapping[date, RunRecord], day: date, plan: Plan) -> bool:
    """Whether a date stands as a run would write it now, from the same source by the same rules.

    Where the date before it was written later, it isn't: `previous_segment` would be another.
    """
    record = standing.get(day)
    if record is None or record.config_hash != plan.settings.config_hash:
        return False
    if record.source != plan.settings.source:
        return False
    if plan.frozen and {scores.edges_from for scores in record.edges} - {None, plan.frozen.run_id}:
        return False
    before = previous_date(standing, day)
    return before is None or standing[before].finished_at <= record.finished_at
