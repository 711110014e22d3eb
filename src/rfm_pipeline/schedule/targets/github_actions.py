"""GitHub Actions: a workflow that starts the container every day."""

from __future__ import annotations

import re
import shlex

from rfm_pipeline.errors import UsageError
from rfm_pipeline.schedule.spec import CONFIG_PATH, DATA_FOLDER, SECRETS_FOLDER, File, Rendered, Schedule
from rfm_pipeline.schedule.targets.template import fill_yaml

# Name of the environment variable with the configuration file's path inside the repository.
_CONFIG_VARIABLE = "CONFIG_IN_REPOSITORY"
_SECRET_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def render(schedule: Schedule) -> Rendered:
    """Return the workflow.

    Raises:
        UsageError: If no image is given, or a secret's reference is not the name of a GitHub secret.
    """
    file = f"{schedule.name}.yml"
    notes = [
        "GitHub starts scheduled workflows late at busy times, and skips some at the busiest.",
        "GitHub runs a schedule only if its file is on the default branch.",
        "GitHub stops the schedules of a public repository that had no activity for 60 days.",
    ]
    if schedule.overlap == "skip":
        notes.append("GitHub does not skip a start while the previous run is active: the start waits.")
    return Rendered((File(file, _workflow(schedule)),), (f"git add .github/workflows/{file}",), tuple(notes))


def _workflow(schedule: Schedule) -> str:
    environment = {name: _literal(value) for name, value in schedule.container_environment().items()}
    variables = list(environment)
    if schedule.config:
        # The shell puts the path between the quotes of a CSV field.
        environment[_CONFIG_VARIABLE] = _literal(schedule.config.replace('"', '""'))
    return fill_yaml(
        "workflow.yaml",
        {
            "NAME": schedule.name,
            "CRON": schedule.cron,
            "TIMEZONE": schedule.timezone,
            "TIMEOUT": schedule.timeout,
            "IF_SECRETS": bool(schedule.secrets),
            "SECRET_ENVIRONMENT": {
                secret.variable: _secret_expression(secret.reference) for secret in schedule.secrets
            },
            "SECRET_VARIABLE": [secret.variable for secret in schedule.secrets],
            "SECRET_FOLDER": [secret.variable.lower() for secret in schedule.secrets],
            "ENVIRONMENT": environment or None,
            "IF_CONFIG": bool(schedule.config),
            "DATA_FOLDER": DATA_FOLDER,
            "CONFIG_PATH": CONFIG_PATH,
            "SECRETS_FOLDER": SECRETS_FOLDER,
            "VARIABLE": variables,
            "IMAGE_AND_ARGUMENTS": _literal(shlex.join([schedule.image.name, *schedule.arguments])),
        },
    )


def _secret_expression(reference: str) -> str:
    if not _SECRET_NAME.fullmatch(reference):
        raise UsageError(
            "The reference in --secret is not the name of a GitHub secret.",
            "for example --secret GOOGLE_APPLICATION_CREDENTIALS=BIGQUERY_KEY.",
        )
    return f"${{{{ secrets.{reference} }}}}"


def _literal(text: str) -> str:
    """Return `text` with each `${{` escaped, so that Actions evaluates no expression in it."""
    return text.replace("${{", "${{ '${{' }}")
