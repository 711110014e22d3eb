"""GitHub Actions: a workflow that starts the container every day."""

from __future__ import annotations

import re
import shlex

from rfm_pipeline.errors import UsageError
from rfm_pipeline.schedule.spec import CONFIG_PATH, DATA_FOLDER, SECRETS_FOLDER, File, Rendered, Schedule
from rfm_pipeline.schedule.targets.template import fill_yaml

# Name of the environment variable with the configuration file's path inside the repository.
_CONFIG_VARIABLE = "CONFIG_IN_REPOSITORY"
_GOOGLE_VARIABLE = "GOOGLE_APPLICATION_CREDENTIALS"
# Outside the folder of the secrets, which is mounted read-only.
_CREDENTIALS_PATH = "/run/google/credentials.json"
_PROVIDER = re.compile(r"projects/\d+/locations/global/workloadIdentityPools/[a-z0-9-]+/providers/[a-z0-9-]+")
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
    login = _login(schedule)
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
            "PERMISSIONS": {
                "contents": "read",
                **({"packages": "read"} if _uses_github_token(schedule) else {}),
                **({"id-token": "write"} if schedule.identity.provider else {}),
            },
            "IF_IDENTITY": schedule.identity.provider is not None,
            "IDENTITY": _identity(schedule),
            "CREDENTIALS_PATH": _CREDENTIALS_PATH,
            "IF_LOGIN": login is not None,
            "LOGIN": login,
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


def _uses_github_token(schedule: Schedule) -> bool:
    return schedule.image.registry == "ghcr.io" and schedule.image.pull_secret is None


def _identity(schedule: Schedule) -> dict[str, str] | None:
    """Return the inputs of the action that logs in to Google Cloud without a key; None without a provider.

    Raises:
        UsageError: If the provider is not the resource name of one, or a key is given as well.
    """
    identity = schedule.identity
    if identity.provider is None:
        return None
    if not _PROVIDER.fullmatch(identity.provider):
        raise UsageError(
            "--workload-identity-provider is not the resource name of a provider.",
            "for example projects/123456789/locations/global/workloadIdentityPools/github/providers/my-repo.",
        )
    if _GOOGLE_VARIABLE in schedule.variables:
        raise UsageError(
            f"{_GOOGLE_VARIABLE} is given, and so is --workload-identity-provider, which sets it.",
            "remove one of the two.",
        )
    account = {"service_account": _literal(identity.account)} if identity.account else {}
    token = {"token_format": "access_token"} if identity.account and _is_googles(schedule) else {}
    return {"workload_identity_provider": identity.provider, **account, **token}


def _is_googles(schedule: Schedule) -> bool:
    return schedule.image.registry.endswith(("-docker.pkg.dev", "gcr.io"))


def _login(schedule: Schedule) -> dict[str, str] | None:
    """Return the inputs of the action that logs in to the registry; None if it needs no login.

    Raises:
        UsageError: If the name of the secrets is not one of GitHub.
    """
    registry, name = schedule.image.registry, schedule.image.pull_secret
    if name is not None:
        if not _SECRET_NAME.fullmatch(name):
            raise UsageError(
                "--pull-secret is not the beginning of the names of two GitHub secrets.",
                "for example --pull-secret REGISTRY, for REGISTRY_USERNAME and REGISTRY_PASSWORD.",
            )
        user, password = f"${{{{ secrets.{name}_USERNAME }}}}", f"${{{{ secrets.{name}_PASSWORD }}}}"
    elif _uses_github_token(schedule):
        user, password = "${{ github.actor }}", "${{ secrets.GITHUB_TOKEN }}"
    elif _is_googles(schedule) and schedule.identity.provider:
        # Without a service account the token of the provider is the one that the registry accepts.
        output = "access_token" if schedule.identity.account else "auth_token"
        user, password = "oauth2accesstoken", f"${{{{ steps.google.outputs.{output} }}}}"
    else:
        return None
    return {"registry": _literal(registry), "username": user, "password": password}


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
