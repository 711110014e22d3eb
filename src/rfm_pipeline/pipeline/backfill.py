"""`rfm backfill`: fill the history with a run for each of many as-of dates, the oldest first."""

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
from rfm_pipeline.pipeline.checksums import edited_dates
from rfm_pipeline.pipeline.plan import Plan
from rfm_pipeline.pipeline.progress import RunObserver
from rfm_pipeline.pipeline.run import execute_run, start_run
from rfm_pipeline.pipeline.scoring_rule import has_other_rule
from rfm_pipeline.results.forgotten import FORGET
from rfm_pipeline.results.json_values import to_plain
from rfm_pipeline.results.run_history import previous_date, read_state
from rfm_pipeline.results.run_record import RunRecord
from rfm_pipeline.results.run_result import RunResult
from rfm_pipeline.warehouse.factory import open_destination

Every = Literal["day", "week", "month"]
_MAX_DATES = 10_000


class Backfilled(Struct, frozen=True):
    """The outcome of a backfill.

    Attributes:
        published: The published results, oldest date first.
        skipped: The dates whose results were current already.
    """

    published: tuple[RunResult, ...]
    skipped: tuple[date, ...]

    def to_json(self) -> dict[str, Any]:
        """Return plain values, as `rfm backfill --json` prints them."""
        return {
            "published": [
                {
                    "as_of": to_plain(result.as_of),
                    "run_id": result.run_id,
                    "status": result.status,
                    "customers": result.statistics.customers,
                }
                for result in self.published
            ],
            "skipped": to_plain(self.skipped),
        }


def as_of_dates(first: date, last: date, every: Every) -> tuple[date, ...]:
    """Return the dates from the first to the last; a day that a month does not have becomes its last day.

    >>> [str(day) for day in as_of_dates(date(2025, 1, 31), date(2025, 4, 1), "month")]
    ['2025-01-31', '2025-02-28', '2025-03-31']

    Raises:
        UsageError: If there is no date, or more than 10,000.
    """
    if first > last:
        raise UsageError(f"--from is {first}, after --until, {last}.", "give the earlier date first.")
    dates: list[date] = []
    for day in _dates_from(first, every):
        if day > last:
            return tuple(dates)
        if len(dates) == _MAX_DATES:
            break
        dates.append(day)
    raise UsageError(
        f"From {first} to {last} there are more than {_MAX_DATES:,} dates.",
        "choose fewer, or --every month.",
    )


def stored_dates(
    configuration: Configuration, first: date | None = None, last: date | None = None
) -> tuple[date, ...]:
    """Return the active as-of dates of the history, ascending.

    Args:
        configuration: All layers of settings; only the destination is used.
        first: The earliest date; None for no bound.
        last: The latest date; None for no bound.

    Raises:
        UsageError: If the history has no such date.
        RfmError: If the destination can't be read.
    """
    with open_destination(configuration.settings) as destination:
        dates, label = read_state(destination).dates, destination.label
    stored = tuple(day for day in dates if (first or day) <= day <= (last or day))
    if not stored:
        raise UsageError(
            f"The history of {label} has no such dates to compute again.",
            "give --from, --until and --every day, week or month.",
        )
    return stored


def _dates_from(first: date, every: Every) -> Iterator[date]:
    for number in range(_MAX_DATES + 1):
        if every == "month":
            year, month = divmod(first.year * 12 + first.month - 1 + number, 12)
            yield date(year, month + 1, min(first.day, monthrange(year, month + 1)[1]))
        else:
            yield first + timedelta(days=number * (7 if every == "week" else 1))


def backfill(
    configuration: Configuration,
    days: Sequence[date],
    observer: RunObserver,
    on_published: Callable[[RunResult], object],
    *,
    today: date | None = None,
    replace_source: bool = False,
) -> Backfilled:
    """Publish the result of each date that is not current; a repeated backfill continues where one stopped.

    Args:
        configuration: All layers of settings; outputs are not written.
        days: As-of dates in ascending order.
        observer: Receives the progress of each run.
        on_published: Called with each result as soon as it is published.
        today: As for `open_plan`.
        replace_source: As for `open_plan`.

    Raises:
        UsageError: If a date lies in the future.
        RfmError: If a date can't be published; the dates before it are.
    """
    now = today or datetime.now(ZoneInfo(configuration.settings.timezone)).date()
    if days[-1] > now:
        raise UsageError(f"{days[-1]} is yet to come: today is {now}.", "end with a date that has been.")
    published: list[RunResult] = []
    skipped: list[date] = []
    for number, day in enumerate(days, start=1):
        dated = _DatedObserver(observer, f"As of {day} ({number} of {len(days)})")
        flags = {**configuration.flags, "as_of": day.isoformat(), "output": ()}
        try:
            with start_run(
                replace(configuration, flags=flags),
                dated,
                kind="backfill",
                today=today,
                replace_source=replace_source,
            ) as (start, plan):
                if is_current(plan.state.dates, day, plan):
                    skipped.append(day)
                    continue
                _check_cost(plan, remaining_dates=len(days) - number + 1)
                result = execute_run(start, plan, dated)
        except KeyboardInterrupt as error:
            if not published or error.args:
                raise
            done = f"{format_count(len(published), 'date')} had been published"
            raise KeyboardInterrupt(f"Stopped; {done}, and the same backfill continues there.") from None
        except RfmError as error:
            error.message = f"As of {day}: {error.message}"
            raise
        published.append(result)
        on_published(result)
    return Backfilled(tuple(published), tuple(skipped))


class _DatedObserver(Struct, frozen=True):
    """An observer that puts the as-of date in front of each step's name."""

    observer: RunObserver
    date: str

    def begin(self, run_id: str) -> None:
        self.observer.begin(run_id)

    def step(self, name: str) -> None:
        self.observer.step(f"{self.date}: {lower_first(name)}")

    def progress(self, share: float) -> None:
        self.observer.progress(share)


def _check_cost(plan: Plan, remaining_dates: int) -> None:
    """Raise if the remaining dates together would cost more than the limit.

    Raises:
        CostLimitError: If they would.
    """
    limit = plan.settings.bigquery.byte_limit
    if plan.preview:
        # The source is read once for all dates, and the plan has compared that with the limit.
        return
    if plan.cost and (total := plan.cost.bytes_processed * remaining_dates) > limit:
        raise CostLimitError(
            f"The backfill would read {format_bytes(total)} for {format_count(remaining_dates, 'date')},"
            f" and the limit is {format_bytes(limit)}.",
            "raise it with --max-bytes, choose fewer dates, or --every month.",
        )


def is_current(active: Mapping[date, RunRecord], day: date, plan: Plan) -> bool:
    """Return whether the active result of a date is the one that a run of the plan would publish.

    It is not if the date before it was published later, since `previous_segment` would differ; if customers
    were forgotten since, as the edges would differ; or if somebody edited or removed its rows in the history.

    Args:
        active: The last run of each active as-of date.
        day: The as-of date.
        plan: The plan for that date.
    """
    record = active.get(day)
    if record is None or record.config_hash != plan.settings.config_hash:
        return False
    if "history" not in plan.state.tables:
        return False
    if record.source != plan.settings.source_name or has_other_rule(record, plan.settings):
        return False
    if plan.frozen and {scores.edges_from for scores in record.edges} - {None, plan.frozen.run_id}:
        return False
    if any(run.kind == FORGET and run.finished_at > record.finished_at for run in plan.state.records):
        return False
    before = previous_date(active, day)
    if before is not None and active[before].finished_at > record.finished_at:
        return False
    return not edited_dates(plan.warehouse.destination, [record])
