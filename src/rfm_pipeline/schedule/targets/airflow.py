"""Airflow: a DAG of one task that starts the container."""

from __future__ import annotations

import pprint
from typing import Any

from rfm_pipeline.schedule.spec import CONFIG_PLACE, DATA_FOLDER, File, Rendered, Schedule

_IMPORTS = '''"""Recency, frequency and monetary value for every customer, every day.

For Airflow 3 with the provider docker.
"""

from datetime import timedelta

import pendulum
from airflow.providers.docker.operators.docker import DockerOperator
from airflow.sdk import DAG
from docker.types import Mount
'''
# Nothing of the schedule is in this text: all of it stands in the literal between the two.
_DAG = '''

class Container(DockerOperator):
    """A container whose command and environment are taken to the letter: nothing in them is a template."""

    template_fields = ()


with DAG(
    dag_id=SCHEDULE["name"],
    schedule=SCHEDULE["cron"],
    start_date=pendulum.datetime(*SCHEDULE["first_day"], tz=SCHEDULE["timezone"]),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(minutes=SCHEDULE["timeout"]),
):
    Container(
        task_id="run",
        image=SCHEDULE["image"],
        command=SCHEDULE["command"],
        environment=SCHEDULE["environment"],
        user=SCHEDULE["user"],
        mounts=[Mount(**mount) for mount in SCHEDULE["mounts"]],
        mount_tmp_dir=False,
        auto_remove="force",
        execution_timeout=timedelta(minutes=SCHEDULE["timeout"]),
        retries=0,
    )
'''


def render(schedule: Schedule) -> Rendered:
    """The file for the folder of DAGs.

    Raises:
        UsageError: No image is given.
    """
    file = f"{schedule.name.replace('-', '_')}.py"
    literal = pprint.pformat(_values(schedule), sort_dicts=False, width=100)
    text = f"{_IMPORTS}\nSCHEDULE = {literal}\n{_DAG}"
    notes = ["paths are those of the machine that starts the container: an Airflow worker."]
    if schedule.overlap == "skip":
        notes.append("a start while the former run still works waits for its end.")
    if schedule.missed == "skip":
        notes.append("of the starts that it missed, Airflow makes up for the newest.")
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
    readonly = [(schedule.config, CONFIG_PLACE)] if schedule.config else []
    readonly += [(secret.reference, secret.place) for secret in schedule.secrets]
    mounts += [
        {"type": "bind", "source": source, "target": target, "read_only": True} for source, target in readonly
    ]
    return mounts
