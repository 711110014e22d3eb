"""Kubernetes: a CronJob, the volume that keeps its results, and its configuration."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath

from rfm_pipeline.errors import UsageError
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
_REFERENCE = re.compile(r"([a-z0-9](?:[a-z0-9.-]*[a-z0-9])?)(?:/([A-Za-z0-9._-]+))?")


def render(schedule: Schedule) -> Rendered:
    """Return the objects, as `kubectl apply` reads them.

    Raises:
        UsageError: If no image is given, the configuration file is invalid, or a secret's reference is not
            the name of a Kubernetes Secret.
    """
    name = schedule.name
    commands = [
        f"kubectl create secret generic {_secret_name(secret.reference)[0]}"
        f" --from-file={_secret_name(secret.reference)[1]}=PATH"
        for secret in schedule.secrets
    ]
    notes = [
        # The time zone is stable from 1.27 on. Before 1.29 the schema requires `onPodConditions` in a rule on
        # exit codes (kubernetes/kubernetes pull request 120204).
        "the CronJob needs Kubernetes 1.29 or later.",
    ]
    if schedule.overlap == "wait":
        notes.append("Kubernetes skips a start while the previous run is active; it can't wait.")
    file = File(f"{name}.yaml", _objects(schedule))
    return Rendered((file,), (*commands, f"kubectl apply -f {name}.yaml"), tuple(notes))


def _objects(schedule: Schedule) -> str:
    secrets = [_secret_name(secret.reference) for secret in schedule.secrets]
    paths = [PurePosixPath(secret.mount_path) for secret in schedule.secrets]
    environment = schedule.container_environment()
    return fill_yaml(
        "cronjob.yaml",
        {
            "NAME": schedule.name,
            "IF_CONFIG": bool(schedule.config),
            "CONFIG_TEXT": _config_text(Path(schedule.config)) if schedule.config else "",
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
