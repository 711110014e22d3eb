"""Google's client: who we are, which project pays, and where the server is."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from rfm_pipeline.config.engines import BigQuerySettings
from rfm_pipeline.errors import ConfigurationError, UsageError
from rfm_pipeline.warehouse.bigquery.errors import explanation

if TYPE_CHECKING:
    from google.cloud.bigquery import Client

EMULATOR = "BIGQUERY_EMULATOR_HOST"
_SCOPE = "https://www.googleapis.com/auth/cloud-platform"


class Connection(Struct, frozen=True):
    """A client, and whom it speaks for.

    Attributes:
        client: Google's.
        principal: The account, as a person knows it; nothing that is secret.
    """

    client: Client
    principal: str


def connect(settings: BigQuerySettings, project: str) -> Connection:
    """Makes a client with Application Default Credentials; nothing is sent yet.

    Args:
        settings: The project that pays, and an account to impersonate.
        project: The project that pays where the settings name none.

    Raises:
        UsageError: The `bigquery` extra is not installed.
        ConfigurationError: There are no credentials.
    """
    try:
        from google.cloud import bigquery
    except ImportError:
        raise UsageError(
            "Working with BigQuery needs the bigquery extra.", "pip install 'rfm-pipeline[bigquery]'"
        ) from None
    pays = settings.project or project
    if emulator := os.environ.get(EMULATOR):
        from google.auth.credentials import AnonymousCredentials

        anonymous = AnonymousCredentials()  # type: ignore[no-untyped-call]
        endpoint = {"api_endpoint": emulator if "://" in emulator else f"http://{emulator}"}
        client = bigquery.Client(project=pays, credentials=anonymous, client_options=endpoint)
        return Connection(client, "nobody, on an emulator")
    with explanation("find out who we are"):
        credentials = _credentials(settings.impersonate)
        # A user who logged in brings a project of their own, which the quota is counted on.
        client = bigquery.Client(project=pays, credentials=credentials)
    return Connection(client, _principal(credentials, settings.impersonate))


def _credentials(impersonate: str | None) -> Any:
    import google.auth
    from google.auth.exceptions import GoogleAuthError

    try:
        credentials, _ = google.auth.default(scopes=[_SCOPE])
    except GoogleAuthError:
        raise
    except (ValueError, KeyError, OSError):
        # What is wrong with a key could show a part of it.
        raise ConfigurationError(
            "The credentials for Google Cloud can't be read.",
            "look at the file that GOOGLE_APPLICATION_CREDENTIALS names.",
        ) from None
    if impersonate is None:
        return credentials
    from google.auth import impersonated_credentials

    return impersonated_credentials.Credentials(  # type: ignore[no-untyped-call]
        source_credentials=credentials, target_principal=impersonate, target_scopes=[_SCOPE]
    )


def _principal(credentials: Any, impersonate: str | None) -> str:
    if impersonate:
        return impersonate
    email = getattr(credentials, "service_account_email", None)
    # On Google's own machines it is asked for when it is needed.
    return email if email and email != "default" else "the account of the application default credentials"
