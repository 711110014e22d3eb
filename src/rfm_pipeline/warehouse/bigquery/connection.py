"""Connection to BigQuery: Google's client with its credentials, and the job runner on top of it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from rfm_pipeline.common.installation import extra_hint
from rfm_pipeline.config.engines import BigQuerySettings
from rfm_pipeline.errors import ConfigurationError, UsageError
from rfm_pipeline.warehouse.bigquery.errors import translate_bigquery_errors
from rfm_pipeline.warehouse.bigquery.job_options import JobOptions
from rfm_pipeline.warehouse.bigquery.jobs import JobRunner
from rfm_pipeline.warehouse.bigquery.key_file import check_key_file

if TYPE_CHECKING:
    from google.cloud.bigquery import Client

_EMULATOR_VARIABLE = "BIGQUERY_EMULATOR_HOST"
_SCOPE = "https://www.googleapis.com/auth/cloud-platform"


class Connection(Struct, frozen=True):
    """A client and the account that it uses.

    Attributes:
        client: Google's client.
        principal: E-mail address or description of the account, for messages; contains no secret.
    """

    client: Client
    principal: str


def connect(settings: BigQuerySettings, project: str) -> Connection:
    """Create a client with Application Default Credentials; nothing is sent to BigQuery yet.

    Args:
        settings: Settings with the billing project and the account to impersonate.
        project: Billing project if the settings name none.

    Raises:
        UsageError: If the `bigquery` extra is not installed.
        ConfigurationError: If there are no credentials.
    """
    try:
        from google.cloud import bigquery
    except ImportError:
        raise UsageError("Working with BigQuery needs the bigquery extra.", extra_hint("bigquery")) from None
    billing_project = settings.project or project
    if emulator := os.environ.get(_EMULATOR_VARIABLE):
        from google.auth.credentials import AnonymousCredentials

        anonymous = AnonymousCredentials()  # type: ignore[no-untyped-call]
        endpoint = {"api_endpoint": emulator if "://" in emulator else f"http://{emulator}"}
        client = bigquery.Client(project=billing_project, credentials=anonymous, client_options=endpoint)
        return Connection(client, "an anonymous account of the emulator")
    with translate_bigquery_errors("read the credentials"):
        credentials = _credentials(settings.impersonate, [_SCOPE, *settings.scopes])
        # The project is passed because user credentials bring a quota project of their own.
        client = bigquery.Client(project=billing_project, credentials=credentials)
    return Connection(client, _principal(credentials, settings.impersonate))


def open_job_runner(settings: BigQuerySettings, project: str, run_id: str) -> JobRunner:
    """Connect and return a job runner with the limits of the settings.

    Args:
        settings: Settings with billing project, location and limits.
        project: Billing project if the settings name none.
        run_id: Id that job ids start with.

    Raises:
        RfmError: As for `connect`.
    """
    return JobRunner(connect(settings, project).client, run_id, settings.location, JobOptions.of(settings))


def _credentials(impersonate: str | None, scopes: list[str]) -> Any:
    import google.auth
    from google.auth.exceptions import GoogleAuthError

    check_key_file()
    try:
        credentials, _ = google.auth.default(scopes=scopes)
    except GoogleAuthError:
        raise
    except (ValueError, KeyError, OSError):
        # The cause is suppressed: its text can contain a part of the key.
        raise ConfigurationError(
            "The credentials for Google Cloud can't be read.",
            "check the file that GOOGLE_APPLICATION_CREDENTIALS names.",
        ) from None
    if impersonate is None:
        return credentials
    from google.auth import impersonated_credentials

    return impersonated_credentials.Credentials(  # type: ignore[no-untyped-call]
        source_credentials=credentials, target_principal=impersonate, target_scopes=scopes
    )


def _principal(credentials: Any, impersonate: str | None) -> str:
    if impersonate:
        return impersonate
    email = getattr(credentials, "service_account_email", None)
    # On Google's machines the address is "default" until the first request.
    return email if email and email != "default" else "the account of the application default credentials"
