"""A run every day: one schedule, and how each scheduler is told of it.

A module per scheduler has one function, `render(schedule) -> Rendered`.
"""

from __future__ import annotations

from importlib import import_module
from zoneinfo import ZoneInfo

from msgspec.structs import replace

from rfm_pipeline.errors import UsageError
from rfm_pipeline.schedule.dst import clock_notes
from rfm_pipeline.schedule.spec import Rendered, Schedule

TARGETS = ("cron", "systemd", "windows", "kubernetes", "cloud-run", "github-actions", "airflow")
# Without a zone these go by the machine's own clock, and the others by UTC.
_MACHINES_TIME = ("cron", "systemd", "windows")


def render(target: str, schedule: Schedule) -> Rendered:
    """A schedule as one scheduler takes it.

    Args:
        target: One of TARGETS.
        schedule: What is to run, when and how.

    Raises:
        UsageError: There is no such target, or it has no way to say what the schedule asks for.
    """
    if target not in TARGETS:
        raise UsageError(f"There is no scheduler '{target}'.", f"choose one of {', '.join(TARGETS)}.")
    module = import_module(f"rfm_pipeline.schedule.targets.{target.replace('-', '_')}")
    rendered: Rendered = module.render(schedule)
    if schedule.timezone is None and target not in _MACHINES_TIME:
        return rendered
    zone = ZoneInfo(schedule.timezone) if schedule.timezone else None
    return replace(rendered, notes=(*rendered.notes, *clock_notes(schedule.at, zone, schedule.first_day)))


__all__ = ["TARGETS", "Rendered", "Schedule", "render"]
