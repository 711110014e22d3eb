"""Google Cloud: a Cloud Run job, and the line of Cloud Scheduler that starts it."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import Any

from rfm_pipeline.errors import UsageError
from rfm_pipeline.schedule import yaml_dump as yaml_text
from rfm_pipeline.schedule.spec import CONFIG_PLACE, Cloud, File, Rendered, Schedule


def render(schedule: Schedule) -> Rendered:
    """The job, and a script with the lines of gcloud that make it and its trigger.

    Raises:
        UsageError: No image, or no place in the cloud is given.
    """
    cloud = schedule.cloud
    if cloud is None:
        raise UsageError(
            "A Cloud Run job lives in a project and a region, and runs as somebody.",
            "give --project, --region and --service-account.",
        )
    job, script = f"{schedule.name}.job.yaml", f"{schedule.name}.gcloud.sh"
    notes = ["Cloud Run starts a run beside one that still works; who comes second to a result ends with 5."]
    if schedule.missed == "skip":
        notes.append("Cloud Scheduler tries again for some minutes when a start fails.")
    if not any(
        word.startswith("bigquery://") for word in (*schedule.arguments, *schedule.environment.values())
    ):
        notes.append("a Cloud Run job keeps no files: publish to bigquery://project.dataset.")
    return Rendered(
        (
            File(job, yaml_text.dump(_job(schedule, cloud))),
            File(script, _script(schedule, cloud, job)),
        ),
        (f"sh {script}",),
        tuple(notes),
    )


def _job(schedule: Schedule, cloud: Cloud) -> dict[str, Any]:
    volumes = []
    mounts = []
    for number, (secret, place) in enumerate(_mounted(schedule), start=1):
        folder, _, file = place.rpartition("/")
        items = [{"key": "latest", "path": file}]
        volumes.append({"name": f"secret-{number}", "secret": {"secretName": secret, "items": items}})
        mounts.append({"name": f"secret-{number}", "mountPath": folder})
    environment = schedule.container_environment()
    task: dict[str, Any] = {
        "serviceAccountName": cloud.account,
        "maxRetries": 0,
        "timeoutSeconds": schedule.timeout * 60,
        "containers": [
            {
                "image": schedule.image.name,
                "args": list(schedule.arguments),
                "env": [{"name": name, "value": value} for name, value in environment.items()],
                "resources": {"limits": {"cpu": "2", "memory": "2Gi"}},
                "volumeMounts": mounts,
            }
        ],
        "volumes": volumes,
    }
    return {
        "apiVersion": "run.googleapis.com/v1",
        "kind": "Job",
        "metadata": {"name": schedule.name, "labels": {"cloud.googleapis.com/location": cloud.region}},
        "spec": {"template": {"spec": {"taskCount": 1, "template": {"spec": task}}}},
    }


def _mounted(schedule: Schedule) -> list[tuple[str, str]]:
    """The secrets of Secret Manager that are mounted, and where; a configuration file is one of them."""
    config = [(_config_secret(schedule), CONFIG_PLACE)] if schedule.config else []
    return [*config, *((secret.reference, secret.place) for secret in schedule.secrets)]


def _config_secret(schedule: Schedule) -> str:
    return f"{schedule.name}-config"


def _script(schedule: Schedule, cloud: Cloud, job: str) -> str:
    project = ["--project", cloud.project]
    start = (
        f"https://run.googleapis.com/v2/projects/{cloud.project}/locations/{cloud.region}"
        f"/jobs/{schedule.name}:run"
    )
    lines = [
        "#!/bin/sh",
        "# Makes what is not there yet, and renews what is: it may be run again at any time, from anywhere.",
        "set -eu",
        'cd -- "$(dirname -- "$0")"',
    ]
    if schedule.config:
        secret = [_config_secret(schedule), *project]
        # From here on relative to nothing: the script may be run in any folder.
        file = ["--data-file", os.path.abspath(Path(schedule.config).expanduser())]  # noqa: PTH100
        lines += _made_or_renewed(
            ["gcloud", "secrets", "describe", *secret],
            ["gcloud", "secrets", "versions", "add", *secret, *file],
            ["gcloud", "secrets", "create", *secret, *file],
        )
    member = ["--member", f"serviceAccount:{cloud.account}", "--role"]
    # Without it the job would not even be made.
    always = [
        ["gcloud", "secrets", "add-iam-policy-binding", secret, *project,
         *member, "roles/secretmanager.secretAccessor"]
        for secret, _ in _mounted(schedule)
    ]  # fmt: skip
    always += [
        ["gcloud", "run", "jobs", "replace", job, *project, "--region", cloud.region],
        ["gcloud", "run", "jobs", "add-iam-policy-binding", schedule.name, *project, "--region", cloud.region,
         *member, "roles/run.invoker"],
    ]  # fmt: skip
    trigger = [schedule.name, *project, "--location", cloud.region]
    times = [
        "--schedule", schedule.cron, "--time-zone", schedule.zone, "--uri", start, "--http-method", "POST",
        "--oauth-service-account-email", cloud.account, "--max-retry-attempts", "3",
    ]  # fmt: skip
    lines += [
        *map(shlex.join, always),
        *_made_or_renewed(
            ["gcloud", "scheduler", "jobs", "describe", *trigger],
            ["gcloud", "scheduler", "jobs", "update", "http", *trigger, *times],
            ["gcloud", "scheduler", "jobs", "create", "http", *trigger, *times],
        ),
    ]
    return "\n".join(lines) + "\n"


def _made_or_renewed(describe: list[str], renew: list[str], make: list[str]) -> list[str]:
    return [
        f"if {shlex.join(describe)} >/dev/null 2>&1; then",
        f"  {shlex.join(renew)}",
        "else",
        f"  {shlex.join(make)}",
        "fi",
    ]
