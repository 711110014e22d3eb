"""Kubernetes: a CronJob, the volume that it keeps its results on, and its configuration."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from rfm_pipeline.errors import UsageError
from rfm_pipeline.schedule import yaml_dump as yaml_text
from rfm_pipeline.schedule.spec import (
    CONFIG_PLACE,
    DATA_FOLDER,
    USER_ID,
    File,
    Rendered,
    Schedule,
    refuse_secret,
)

_VOLUME_SIZE = "10Gi"
# How late a missed start is made up for: until shortly before the next, or not worth speaking of. Kubernetes
# looks every ten seconds, so that fewer would be none.
_CATCH_UP = 23 * 3600
_ON_TIME = 300
# The name of a Secret, and the key in it.
_REFERENCE = re.compile(r"([a-z0-9](?:[a-z0-9.-]*[a-z0-9])?)(?:/([A-Za-z0-9._-]+))?")
# A bug, a wrong configuration, a failed audit and a cost limit are the same on the next attempt.
_NOT_AGAIN = [1, 2, 3, 6]


def render(schedule: Schedule) -> Rendered:
    """The objects, as `kubectl apply` takes them.

    Raises:
        UsageError: No image is given, or the configuration file can't be read.
    """
    name = schedule.name
    objects = [_claim(name)]
    if schedule.config:
        objects.append(_config_map(name, _config_text(Path(schedule.config))))
    objects.append(_cron_job(schedule))
    secrets = [
        f"kubectl create secret generic {_secret_name(secret.reference)[0]}"
        f" --from-file={_secret_name(secret.reference)[1]}=PATH"
        for secret in schedule.secrets
    ]
    notes = (
        ["Kubernetes skips a start while the former run still works, and does not wait."]
        if schedule.overlap == "wait"
        else []
    )
    text = yaml_text.dump(*objects)
    return Rendered((File(f"{name}.yaml", text),), (*secrets, f"kubectl apply -f {name}.yaml"), tuple(notes))


def _cron_job(schedule: Schedule) -> dict[str, Any]:
    labels = {"app.kubernetes.io/name": "rfm-pipeline", "app.kubernetes.io/instance": schedule.name}
    return {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": {"name": schedule.name, "labels": labels},
        "spec": {
            "schedule": schedule.cron,
            "timeZone": "Etc/UTC" if schedule.zone == "UTC" else schedule.zone,
            "concurrencyPolicy": "Forbid",
            "startingDeadlineSeconds": _CATCH_UP if schedule.missed == "catch-up" else _ON_TIME,
            "successfulJobsHistoryLimit": 3,
            "failedJobsHistoryLimit": 3,
            "jobTemplate": {
                "metadata": {"labels": labels},
                "spec": {
                    "activeDeadlineSeconds": schedule.timeout * 60,
                    "backoffLimit": 2,
                    "podFailurePolicy": {
                        "rules": [
                            {
                                "action": "FailJob",
                                "onExitCodes": {
                                    "containerName": "rfm", "operator": "In", "values": _NOT_AGAIN,
                                },
                            }
                        ]
                    },
                    "template": {"metadata": {"labels": labels}, "spec": _pod(schedule)},
                },
            },
        },
    }  # fmt: skip


def _pod(schedule: Schedule) -> dict[str, Any]:
    volumes: list[dict[str, Any]] = [{"name": "data", "persistentVolumeClaim": {"claimName": schedule.name}}]
    mounts: list[dict[str, Any]] = [{"name": "data", "mountPath": DATA_FOLDER}]
    if schedule.config:
        volumes.append({"name": "config", "configMap": {"name": schedule.name}})
        mounts.append({"name": "config", "mountPath": CONFIG_PLACE, "subPath": "rfm.toml", "readOnly": True})
    for number, secret in enumerate(schedule.secrets, start=1):
        kept, key = _secret_name(secret.reference)
        folder, _, file = secret.place.rpartition("/")
        items = [{"key": key, "path": file}]
        volumes.append(
            {"name": f"secret-{number}", "secret": {"secretName": kept, "items": items, "defaultMode": 0o440}}
        )
        mounts.append({"name": f"secret-{number}", "mountPath": folder, "readOnly": True})
    environment = schedule.container_environment()
    container: dict[str, Any] = {
        "name": "rfm",
        "image": schedule.image.name,
        "args": [_literal(argument) for argument in schedule.arguments],
        "env": [{"name": name, "value": _literal(value)} for name, value in environment.items()],
        "resources": {"requests": {"cpu": "500m", "memory": "1Gi"}, "limits": {"memory": "2Gi"}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": mounts,
    }
    return {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER_ID,
            "runAsGroup": USER_ID,
            "fsGroup": USER_ID,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [container],
        "volumes": volumes,
    }


def _literal(text: str) -> str:
    """Text in which Kubernetes sees no variable: `$(NAME)` is one, and `$$` is a dollar sign."""
    return text.replace("$", "$$")


def _secret_name(reference: str) -> tuple[str, str]:
    """The name of a Secret, and the key in it: `rfm-bigquery` or `rfm-bigquery/key.json`."""
    match = _REFERENCE.fullmatch(reference)
    if match is None:
        raise UsageError(
            "The reference that --secret gives does not name a Secret of Kubernetes.",
            "for example --secret GOOGLE_APPLICATION_CREDENTIALS=rfm-bigquery, or rfm-bigquery/key.json.",
        )
    return match[1], match[2] or "credentials.json"


def _claim(name: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": name},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": _VOLUME_SIZE}},
        },
    }


def _config_map(name: str, text: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name},
        "data": {"rfm.toml": text},
    }


def _config_text(path: Path) -> str:
    from rfm_pipeline.config.loader import read_config

    # What it would object to is better said now than in the night.
    read_config(path)
    text = path.read_text(encoding="utf-8-sig")
    refuse_secret("What the configuration file says", text)
    return text
