"""Airflow: a DAG with one task: a container of the worker's machine, a pod, or a Cloud Run job."""

from __future__ import annotations

import pprint
from typing import Any

from rfm_pipeline.errors import UsageError
from rfm_pipeline.schedule.data_folder import keeps_files
from rfm_pipeline.schedule.spec import CONFIG_PATH, DATA_FOLDER, File, Rendered, Schedule
from rfm_pipeline.schedule.targets import kubernetes
from rfm_pipeline.schedule.targets.template import fill_text

_RETRY_DELAY_MINUTES = 5
# The namespace and the cluster's configuration in Composer 2 and 3.
_COMPOSER_NAMESPACE = "composer-user-workloads"
_COMPOSER_CONFIG_FILE = "/home/airflow/composer_kube_config"
_TEMPLATES = {
    "docker": "dag.py.template",
    "kubernetes": "dag_kubernetes.py.template",
    "cloud-run": "dag_cloud_run.py.template",
}


def render(schedule: Schedule) -> Rendered:
    """Return the file for Airflow's folder of DAGs.

    Raises:
        UsageError: If no image is given, or for a Cloud Run job no project and region.
    """
    file = f"{schedule.name.replace('-', '_')}.py"
    values, notes, commands = _OPERATORS[schedule.operator](schedule)
    if schedule.overlap == "skip":
        notes.append("Airflow does not skip a start while the previous run is active: the start waits.")
    if schedule.missed == "skip":
        notes.append("Airflow catches up on the most recent missed start all the same.")
    if schedule.retries and schedule.operator != "cloud-run":
        notes.append(
            "Airflow repeats a failed run whatever its exit code, five minutes later; --retries 0 repeats"
            " none."
        )
    # A literal can't contain code: pprint writes every value by `repr`.
    literal = pprint.pformat({**_common(schedule), **values}, sort_dicts=False, width=100)
    text = fill_text(_TEMPLATES[schedule.operator], {"SCHEDULE": literal})
    copy = (
        f"cp {file} $AIRFLOW_HOME/dags/"
        if schedule.operator == "docker"
        else "gcloud composer environments storage dags import --environment ENVIRONMENT --location REGION"
        f" --source {file}"
    )
    return Rendered((File(file, text),), (*commands, copy), tuple(notes))


def _common(schedule: Schedule) -> dict[str, Any]:
    first = schedule.first_day
    runs = schedule.retries + 1
    return {
        "name": schedule.name,
        "cron": schedule.cron,
        "timezone": schedule.zone,
        "first_day": (first.year, first.month, first.day),
        "timeout": schedule.timeout,
        "dagrun_timeout": runs * schedule.timeout + schedule.retries * _RETRY_DELAY_MINUTES,
        "retries": schedule.retries,
        "retry_delay": _RETRY_DELAY_MINUTES,
    }


_Parts = tuple[dict[str, Any], list[str], list[str]]
"""The values of an operator, notes, and commands that come before the copy of the file."""


def _docker(schedule: Schedule) -> _Parts:
    values = {
        "image": schedule.image.name,
        # A connection of the type Docker.
        "registry": schedule.image.pull_secret,
        "user": schedule.image.user,
        "command": list(schedule.arguments),
        "environment": schedule.container_environment(),
        "mounts": _mounts(schedule),
    }
    return values, ["paths refer to the Airflow worker, the machine that starts the container."], []


def _kubernetes(schedule: Schedule) -> _Parts:
    namespace = schedule.namespace or _COMPOSER_NAMESPACE
    in_composer = schedule.namespace is None
    values = {
        "namespace": namespace,
        "config_file": _COMPOSER_CONFIG_FILE if in_composer else None,
        "pod": kubernetes.pod(schedule),
    }
    notes = []
    if in_composer:
        notes.append(
            "the pod runs in Composer's own cluster; with --namespace it runs in that of Airflow's connection"
            " kubernetes_default."
        )
    if keeps_files(schedule, {}):
        notes.append("a pod keeps no files: read from and publish to BigQuery.")
    return values, notes, kubernetes.commands(schedule, namespace)


def _cloud_run(schedule: Schedule) -> _Parts:
    cloud = schedule.cloud
    if cloud is None:
        raise UsageError(
            "A Cloud Run job needs a project, a region and a service account.",
            "give --project, --region and --service-account.",
        )
    note = (
        "the DAG starts the Cloud Run job of this name, which `rfm schedule cloud-run` creates; the job has"
        " the command, the variables and the retries."
    )
    pause = f"gcloud scheduler jobs pause {schedule.name} --project {cloud.project} --location {cloud.region}"
    return {"project": cloud.project, "region": cloud.region}, [note], [pause]


_OPERATORS = {"docker": _docker, "kubernetes": _kubernetes, "cloud-run": _cloud_run}


def _mounts(schedule: Schedule) -> list[dict[str, Any]]:
    mounts: list[dict[str, Any]] = [{"type": "bind", "source": schedule.folder, "target": DATA_FOLDER}]
    readonly = [(schedule.config, CONFIG_PATH)] if schedule.config else []
    readonly += [(secret.reference, secret.mount_path) for secret in schedule.secrets]
    mounts += [
        {"type": "bind", "source": source, "target": target, "read_only": True} for source, target in readonly
    ]
    return mounts
