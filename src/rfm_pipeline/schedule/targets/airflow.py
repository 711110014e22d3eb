"""Airflow: a DAG with one task, which starts the container."""

from __future__ import annotations

import pprint
from typing import Any

from rfm_pipeline.schedule.spec import CONFIG_PATH, DATA_FOLDER, File, Rendered, Schedule
from rfm_pipeline.schedule.targets.template import fill_text


def render(schedule: Schedule) -> Rendered:
    """Return the file for Airflow's folder of DAGs.

    Raises:
        UsageError: If no image is given.
    """
    file = f"{schedule.name.replace('-', '_')}.py"
    # A literal can't contain code: pprint writes every value by `repr`.
    literal = pprint.pformat(_values(schedule), sort_dicts=False, width=100)
    notes = ["paths refer to the Airflow worker, the machine that starts the container."]
    if schedule.overlap == "skip":
        notes.append("Airflow does not skip a start while the previous run is active: the start waits.")
    if schedule.missed == "skip":
        notes.append("Airflow catches up on the most recent missed start all the same.")
    text = fill_text("dag.py.template", {"SCHEDULE": literal})
    return Rendered((File(file, text),), (f"cp {file} $AIRFLOW_HOME/dags/",), tuple(notes))


def _values(schedule: Schedule) -> dict[str, Any]:
    first = schedule.first_day
    return {
        "name": schedule.name,
        "cron": schedule.cron,
        "timezone": schedule.zone,
        "first_day": (first.year, first.month, first.day),
        "timeout": schedule.timeout,
        "image": schedule.image.name,
        "user": schedule.image.user,
        "command": list(schedule.arguments),
        "environment": schedule.container_environment(),
        "mounts": _mounts(schedule),
    }


def _mounts(schedule: Schedule) -> list[dict[str, Any]]:
    mounts: list[dict[str, Any]] = [{"type": "bind", "source": schedule.folder, "target": DATA_FOLDER}]
    readonly = [(schedule.config, CONFIG_PATH)] if schedule.config else []
    readonly += [(secret.reference, secret.mount_path) for secret in schedule.secrets]
    mounts += [
        {"type": "bind", "source": source, "target": target, "read_only": True} for source, target in readonly
    ]
    return mounts
