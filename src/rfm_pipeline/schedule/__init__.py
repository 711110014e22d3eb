"""A daily run, in the format of each scheduler.

Each module of `targets` has one function, `render(schedule) -> Rendered`.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from itertools import pairwise
from zoneinfo import ZoneInfo

from msgspec.structs import replace

from rfm_pipeline.errors import UsageError
from rfm_pipeline.schedule.dst import dst_notes
from rfm_pipeline.schedule.spec import Rendered, Schedule

TARGETS = ("cron", "systemd", "windows", "kubernetes", "cloud-run", "github-actions", "airflow")
MACHINE_TIME_TARGETS = ("cron", "systemd", "windows")
"""Schedulers of a machine. Without --timezone they use its time zone; the others use UTC."""


def render(target: str, schedule: Schedule) -> Rendered:
    """Return a schedule in the format of one scheduler.

    Args:
        target: One of TARGETS.
        schedule: The daily run.

    Raises:
        UsageError: If `target` is not one of TARGETS, or the scheduler does not support a value of the
            schedule.
    """
    if target not in TARGETS:
        raise UsageError(f"There is no scheduler '{target}'.", f"choose one of {', '.join(TARGETS)}.")
    module = import_module(f"rfm_pipeline.schedule.targets.{target.replace('-', '_')}")
    rendered: Rendered = module.render(schedule)
    rendered = replace(rendered, notes=(*rendered.notes, *_as_of_notes(schedule.arguments)))
    if schedule.timezone is None and target not in MACHINE_TIME_TARGETS:
        return rendered
    zone = ZoneInfo(schedule.timezone) if schedule.timezone else None
    return replace(
        rendered, notes=(*rendered.notes, *dst_notes(target, schedule.at, zone, schedule.first_day))
    )


def _as_of_notes(arguments: Sequence[str]) -> tuple[str, ...]:
    """Return a note about the as-of date of each run, if the scheduled command names one."""
    after = [following for flag, following in pairwise(arguments) if flag == "--as-of"]
    chosen = [*after, *(word.partition("=")[2] for word in arguments if word.startswith("--as-of="))]
    if not chosen:
        return ()
    if chosen[-1] in {"today", "yesterday"}:
        note = f"--as-of {chosen[-1]} is a date of the run's time zone; a missed day is run with its date"
        return (note,)
    return (f"each run is as of {chosen[-1]}; --as-of yesterday follows the day",)


__all__ = ["TARGETS", "Rendered", "Schedule", "render"]
