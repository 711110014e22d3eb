"""Kubernetes: a CronJob, the volume that keeps its results, and its configuration."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path, PurePosixPath
from typing import Any

from rfm_pipeline.errors import UsageError
from rfm_pipeline.schedule import yaml_dump
from rfm_pipeline.schedule.data_folder import keeps_files
from rfm_pipeline.schedule.spec import (
    CONFIG_PATH,
    DATA_FOLDER,
    USER_ID,
    File,
    Rendered,
    Schedule,
    refuse_secret,
)
from rfm_pipeline.schedule.targets.template import fill_yaml

# Seconds after which a missed start is skipped: shortly before the next one, or after five minutes.
# Kubernetes checks every ten seconds, so a limit below that would skip every start.
_CATCH_UP = 23 * 3600
_ON_TIME = 300
# The name of a Secret, and the key in it.
_OBJECT_NAME = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?")
_GOOGLE_ACCOUNT = re.compile(r"[a-z0-9-]+@[a-z0-9.-]+\.gserviceaccount\.com")
_REFERENCE = re.compile(r"([a-z0-9](?:[a-z0-9.-]*[a-z0-9])?)(?:/([A-Za-z0-9._-]+))?")


def render(schedule: Schedule) -> Rendered:
    """Return the objects, as `kubectl apply` reads them.

    Raises:
        UsageError: If no image is given, the configuration file is invalid, or a secret's reference is not
            the name of a Kubernetes Secret.
    """
    name = schedule.name
    notes = [
        # The time zone is stable from 1.27 on. Before 1.29 the schema requires `onPodConditions` in a rule on
        # exit codes (kubernetes/kubernetes pull request 120204).
        "the CronJob needs Kubernetes 1.29 or later.",
    ]
    if schedule.overlap == "wait":
        notes.append("Kubernetes skips a start while the previous run is active; it can't wait.")
    file = File(f"{name}.yaml", _objects(schedule))
    apply = f"kubectl apply -f {name}.yaml"
    return Rendered((file,), (*commands(schedule, schedule.namespace), apply), tuple(notes))


def pod(schedule: Schedule) -> dict[str, Any]:
    """Return a pod that runs the schedule's command and keeps no files; its objects must exist.

    Raises:
        UsageError: As for `render`.
    """
    *_, cron_job = yaml_dump.load_documents(_objects(schedule, keeps_volume=False))
    template: dict[str, Any] = cron_job["spec"]["jobTemplate"]["spec"]["template"]
    return {"apiVersion": "v1", "kind": "Pod", **template}


def commands(schedule: Schedule, namespace: str | None) -> list[str]:
    """Return the commands that create what a pod refers to, and let its account act as one of Google.

    Args:
        schedule: The daily run.
        namespace: Namespace of the pod; None is the current one.
    """
    _check_names(schedule)
    space = f" --namespace {namespace}" if namespace else ""
    lines = [
        f"kubectl create secret generic {_secret_name(secret.reference)[0]}"
        f" --from-file={_secret_name(secret.reference)[1]}=PATH{space}"
        for secret in schedule.secrets
    ]
    if schedule.image.pull_secret:
        lines.append(
            f"kubectl create secret docker-registry {schedule.image.pull_secret}"
            f" --docker-server={schedule.image.registry} --docker-username=USER"
            f" --docker-password=PASSWORD{space}"
        )
    if account := schedule.identity.google_account:
        project = schedule.identity.project or account.partition("@")[2].partition(".")[0]
        lines.append(
            f"gcloud iam service-accounts add-iam-policy-binding {account}"
            " --role roles/iam.workloadIdentityUser"
            f" --member 'serviceAccount:{project}.svc.id.goog[{namespace or 'default'}/{schedule.name}]'"
        )
    return lines


def _objects(schedule: Schedule, *, keeps_volume: bool = True) -> str:
    secrets = [_secret_name(secret.reference) for secret in schedule.secrets]
    google_account = schedule.identity.google_account
    config = _config_text(Path(schedule.config)) if schedule.config else ""
    has_volume = keeps_volume and keeps_files(schedule, tomllib.loads(config))
    pull_secret = schedule.image.pull_secret
    paths = [PurePosixPath(secret.mount_path) for secret in schedule.secrets]
    environment = schedule.container_environment()
    return fill_yaml(
        "cronjob.yaml",
        {
            "NAME": schedule.name,
            "IF_CONFIG": bool(schedule.config),
            "CONFIG_TEXT": config,
            "NAMESPACE": schedule.namespace,
            "IF_ACCOUNT": google_account is not None,
            "GOOGLE_ACCOUNT": google_account,
            "SERVICE_ACCOUNT": schedule.name if google_account else schedule.identity.account,
            "PULL_SECRET": [pull_secret] if pull_secret else [],
            "IF_VOLUME": has_volume,
            "IF_NO_VOLUME": not has_volume,
            "RETRIES": schedule.retries,
            "CRON": schedule.cron,
            "TIMEZONE": "Etc/UTC" if schedule.zone == "UTC" else schedule.zone,
            "STARTING_DEADLINE_SECONDS": _CATCH_UP if schedule.missed == "catch-up" else _ON_TIME,
            "TIMEOUT_SECONDS": schedule.timeout * 60,
            "USER_ID": USER_ID,
            "IMAGE": schedule.image.name,
            "ARGUMENT": [_literal(argument) for argument in schedule.arguments],
            "VARIABLE": list(environment),
            "VALUE": [_literal(value) for value in environment.values()],
            "DATA_FOLDER": DATA_FOLDER,
            "CONFIG_PATH": CONFIG_PATH,
            "SECRET_NUMBER": list(range(1, len(secrets) + 1)),
            "SECRET_NAME": [name for name, _ in secrets],
            "SECRET_KEY": [key for _, key in secrets],
            "SECRET_FOLDER": [str(path.parent) for path in paths],
            "SECRET_FILE": [path.name for path in paths],
        },
    )


def _check_names(schedule: Schedule) -> None:
    """Raise if a name that the objects refer to is not one of Kubernetes, or an account not one of Google."""
    names = {
        "--namespace": schedule.namespace,
        "--pull-secret": schedule.image.pull_secret,
        "--service-account": None if schedule.identity.google_account else schedule.identity.account,
    }
    for flag, name in names.items():
        if name is not None and not _OBJECT_NAME.fullmatch(name):
            raise UsageError(
                f"{flag} is not the name of an object in Kubernetes.", f"for example {flag} rfm-daily."
            )
    account = schedule.identity.google_account
    if account is not None and not _GOOGLE_ACCOUNT.fullmatch(account):
        raise UsageError(
            "--service-account is not the address of a service account of Google.",
            "`gcloud iam service-accounts list` prints the addresses.",
        )


def _literal(text: str) -> str:
    """Return `text` with each `$` doubled, so that Kubernetes reads no `$(NAME)` as a variable."""
    return text.replace("$", "$$")


def _secret_name(reference: str) -> tuple[str, str]:
    """Return the Secret's name and the key of a reference such as `rfm-bigquery/key.json`."""
    match = _REFERENCE.fullmatch(reference)
    if match is None:
        raise UsageError(
            "The reference in --secret is not the name of a Kubernetes Secret.",
            "for example --secret GOOGLE_APPLICATION_CREDENTIALS=rfm-bigquery, or rfm-bigquery/key.json.",
        )
    return match[1], match[2] or "credentials.json"


def _config_text(path: Path) -> str:
    from rfm_pipeline.config.loader import read_config

    # An invalid file is reported here, not by the first run.
    read_config(path)
    text = path.read_text(encoding="utf-8-sig")
    refuse_secret("The configuration file", text)
    return text
