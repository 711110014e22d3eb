"""GitHub Actions: a workflow that starts the container every day."""

from __future__ import annotations

import re
import shlex
from typing import Any

from rfm_pipeline.errors import UsageError
from rfm_pipeline.schedule import yaml_dump as yaml_text
from rfm_pipeline.schedule.spec import CONFIG_PLACE, DATA_FOLDER, SECRETS_FOLDER, File, Rendered, Schedule

# The same as in this project's own workflows.
CHECKOUT = "actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1"
_CONFIG = "CONFIG_IN_REPOSITORY"
_SECRET_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def render(schedule: Schedule) -> Rendered:
    """The workflow.

    Raises:
        UsageError: No image is given, or a reference names no secret of GitHub.
    """
    file = f"{schedule.name}.yml"
    notes = ["GitHub starts scheduled workflows late at busy times, and leaves some out at the busiest."]
    if schedule.overlap == "skip":
        notes.append("a start while the former run still works waits for its end.")
    return Rendered(
        (File(file, yaml_text.dump(_workflow(schedule))),),
        (f"git add .github/workflows/{file}",),
        tuple(notes),
    )


def _workflow(schedule: Schedule) -> dict[str, Any]:
    due: dict[str, str] = {"cron": schedule.cron}
    if schedule.timezone:
        due["timezone"] = schedule.timezone
    return {
        "name": schedule.name,
        "on": {"schedule": [due], "workflow_dispatch": {}},
        "permissions": {},
        "concurrency": {"group": schedule.name, "cancel-in-progress": False},
        "jobs": {
            "run": {
                "runs-on": "ubuntu-latest",
                "timeout-minutes": schedule.timeout,
                "permissions": {"contents": "read"},
                "steps": _steps(schedule),
            }
        },
    }


def _steps(schedule: Schedule) -> list[dict[str, Any]]:
    steps: list[dict[str, Any]] = [{"uses": CHECKOUT, "with": {"persist-credentials": False}}]
    if schedule.secrets:
        steps.append(
            {
                "name": "Put the secrets where the container finds them",
                "env": {secret.variable: _kept(secret.reference) for secret in schedule.secrets},
                "run": "".join(_write_secret(secret.variable) for secret in schedule.secrets),
            }
        )
    environment = schedule.container_environment()
    given = {name: _literal(value) for name, value in environment.items()}
    if schedule.config:
        # `--mount` reads CSV: this stands between quotes there.
        given[_CONFIG] = _literal(schedule.config.replace('"', '""'))
    step: dict[str, Any] = {"name": "Run", **({"env": given} if given else {})}
    steps.append({**step, "run": _docker(schedule, list(environment))})
    return steps


def _write_secret(variable: str) -> str:
    folder = f'"$RUNNER_TEMP/secrets/{variable.lower()}"'
    return f"mkdir -p {folder}\nprintf '%s' \"${variable}\" > {folder}/secret.json\n"


def _docker(schedule: Schedule, variables: list[str]) -> str:
    """The line of shell: values come from the step's environment, and only the arguments are words of it."""
    words = [
        "docker run --rm --init --read-only --cap-drop ALL --security-opt no-new-privileges",
        '--user "$(id -u):$(id -g)"',
        f'--mount "type=bind,source=$GITHUB_WORKSPACE,target={DATA_FOLDER}"',
    ]
    if schedule.config:
        source = f'\\"source=$GITHUB_WORKSPACE/${_CONFIG}\\"'
        words.append(f'--mount "type=bind,{source},target={CONFIG_PLACE},readonly"')
    if schedule.secrets:
        words.append(f'--mount "type=bind,source=$RUNNER_TEMP/secrets,target={SECRETS_FOLDER},readonly"')
    words += [f"--env {name}" for name in variables]
    words.append(_literal(shlex.join([schedule.image.name, *schedule.arguments])))
    return " \\\n  ".join(words) + "\n"


def _kept(reference: str) -> str:
    if not _SECRET_NAME.fullmatch(reference):
        raise UsageError(
            "The reference that --secret gives does not name a secret of GitHub.",
            "for example --secret GOOGLE_APPLICATION_CREDENTIALS=BIGQUERY_KEY.",
        )
    return f"${{{{ secrets.{reference} }}}}"


def _literal(text: str) -> str:
    """Text in which Actions sees no expression."""
    return text.replace("${{", "${{ '${{' }}")
