"""A daily run, in the format of each scheduler.

Each module of `targets` has one function, `render(schedule) -> Rendered`.
"""

from __future__ import annotations

from importlib import import_module
from zoneinfo import ZoneInfo

from msgspec.structs import replace

from rfm_pipeline.errors import UsageError
from rfm_pipeline.schedule.dst import dst_notes
from rfm_pipeline.schedule.spec import Rendered, Schedule

TARGETS = ("cron", "systemd", "windows", "kubernetes", "cloud-run", "github-actions", "airflow")
# Without --timezone these use the machine's time zone; the others use UTC.
_MACHINE_TIME_TARGETS = ("cron", "systemd", "windows")


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
    if schedule.timezone is None and target not in _MACHINE_TIME_TARGETS:
        return rendered
    zone = ZoneInfo(schedule.timezone) if schedule.timezone else None
    return replace(
        rendered, notes=(*rendered.notes, *dst_notes(target, schedule.at, zone, schedule.first_day))
    )


__all__ = ["TARGETS", "Rendered", "Schedule", "render"]
