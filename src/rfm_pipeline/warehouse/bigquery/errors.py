"""What BigQuery says when something fails, as errors of ours: a sentence, a hint, and nothing secret."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from rfm_pipeline.common.formatting import lower_first
from rfm_pipeline.errors import (
    ConfigurationError,
    CostLimitError,
    RfmError,
    SourceError,
    WarehouseError,
)

UNCHANGED = "the earlier result is unchanged."

ROLES: Mapping[str, str] = {
    "bigquery.jobs.create": "roles/bigquery.jobUser on the project that runs the jobs",
    "bigquery.datasets.get": "roles/bigquery.dataEditor on the destination's dataset",
    "bigquery.tables.get": "roles/bigquery.dataViewer on the dataset",
    "bigquery.tables.getData": "roles/bigquery.dataViewer on the source's dataset",
    "bigquery.tables.list": "roles/bigquery.dataViewer on the source's dataset",
    "bigquery.tables.create": "roles/bigquery.dataEditor on the destination's dataset",
    "bigquery.tables.update": "roles/bigquery.dataEditor on the destination's dataset",
    "bigquery.tables.updateData": "roles/bigquery.dataEditor on the destination's dataset",
    "bigquery.tables.delete": "roles/bigquery.dataEditor on the destination's dataset",
    "iam.serviceAccounts.getAccessToken": "roles/iam.serviceAccountTokenCreator on the account to act as",
}
"""The role that grants each permission, and where it is granted; none of them grants more than is used."""

_PERMISSION = re.compile(r"\b(?P<permission>(?:bigquery|iam)\.[a-zA-Z]+\.[a-zA-Z]+)\b")
_NOT_BOOLEAN = re.compile(r"WHERE clause should return type BOOL, but returns type (?P<type>\w+)")
_IN_WORDS: Mapping[str, str] = {
    "STRING": "text",
    "INT64": "a number",
    "FLOAT64": "a number",
    "NUMERIC": "a number",
    "BIGNUMERIC": "a number",
    "DATE": "a date",
    "TIMESTAMP": "a timestamp",
    "DATETIME": "a timestamp",
}
_REQUEST = re.compile(r"^(?:\d{3} )?(?:GET|POST|PUT|DELETE|PATCH) \S+: ")
# What the client adds to what the server said.
_FOOTER = re.compile(r"\s*(?:\n\s*\n)?Location: .*", re.DOTALL)
_AFTER = re.compile(r"; reason: \w+.*", re.DOTALL)


@contextmanager
def explanation(doing: str, link: str | None = None) -> Iterator[None]:
    """Turns what Google's client raises into an error of ours.

    Args:
        doing: What is being done, as in `BigQuery could not ...`.
        link: Where a person can look at it.

    Raises:
        RfmError: The explanation.
    """
    from google.api_core.exceptions import GoogleAPIError
    from google.auth.exceptions import GoogleAuthError
    from requests.exceptions import RequestException

    try:
        yield
    except GoogleAuthError as error:
        raise unidentified(error) from None
    except (GoogleAPIError, RequestException) as error:
        raise translate_bigquery_error(error, doing, link) from error


def translate_bigquery_error(error: Any, doing: str, link: str | None = None) -> RfmError:
    """An answer of BigQuery as an error of ours."""
    errors: Any = getattr(error, "errors", None) or ()
    reason = next((item["reason"] for item in errors if isinstance(item, Mapping) and "reason" in item), "")
    status = getattr(error, "code", None)
    said = first_sentence(str(getattr(error, "message", "") or error))
    if not reason and status in (401, 403, 404):
        reason = "notFound" if status == 404 else "accessDenied"
    return _by_reason(reason, said, doing, link)


def failed_job(failure: Mapping[str, Any], step: str, link: str) -> RfmError:
    """The error for a job that ended badly, from its error result."""
    said = first_sentence(str(failure.get("message") or "it does not say why"))
    return _by_reason(str(failure.get("reason", "")), said, f"run {step}", link)


def _by_reason(reason: str, said: str, doing: str, link: str | None) -> RfmError:
    look = f"look at {link}" if link else "`rfm --debug` shows all that it said."
    if reason == "accessDenied":
        return denied(said, doing)
    if reason == "bytesBilledLimitExceeded" or "bytes billed" in said:
        return CostLimitError(
            f"BigQuery stopped before it would {doing}: {lower_first(said)}",
            f"raise --max-bytes, or narrow the run with --window or --since; {UNCHANGED}",
        )
    if reason == "notFound":
        return WarehouseError(f"BigQuery could not {doing}: {lower_first(said)}", f"{UNCHANGED[:-1]}; {look}")
    if reason in {"quotaExceeded", "billingNotEnabled"}:
        return WarehouseError(
            f"BigQuery could not {doing}: {lower_first(said)}",
            f"look at the quotas and the billing of the project that runs the jobs; {UNCHANGED}",
        )
    if reason in {"resourcesExceeded", "responseTooLarge"}:
        return WarehouseError(
            f"BigQuery has too few resources to {doing}: {lower_first(said)}",
            "narrow the run with --window or --since; --method ntile sorts on one worker, and others don't.",
        )
    if reason == "stopped":
        return WarehouseError(f"Somebody cancelled the job that was to {doing}.", look)
    if reason == "timeout":
        return WarehouseError(
            f"BigQuery did not {doing} in time: {lower_first(said)}", f"raise bigquery.job_timeout, or {look}"
        )
    if re.search(r"\b[Oo]verflow|out of range|[Bb]ad .* value|[Cc]ould not cast|division by zero", said):
        return SourceError(
            f"A value of the source is one that a condition can't take: {lower_first(said)}",
            "write SAFE_CAST in place of CAST, and SAFE_DIVIDE for a division, in the exclusion.",
        )
    return WarehouseError(f"BigQuery could not {doing}: {lower_first(said)}", f"{UNCHANGED[:-1]}; {look}")


def objection(error: Exception) -> str:
    """What is wrong with a condition that BigQuery does not accept, as it goes on after a colon."""
    said = str(getattr(error, "message", "") or error)
    if match := _NOT_BOOLEAN.search(said):
        return f"its value is {_IN_WORDS.get(match['type'], match['type'])}, not true or false"
    return lower_first(first_sentence(said)).rstrip(".")


def denied(said: str, doing: str) -> RfmError:
    """The error for a permission that is missing, with the role that grants it."""
    permission = permission_in(said)
    if permission is None:
        return WarehouseError(
            f"BigQuery denies what it takes to {doing}: {lower_first(said)}",
            "`rfm check` names the permissions that are missing, and the roles that grant them.",
        )
    role = ROLES.get(permission)
    return WarehouseError(
        f"The permission {permission} is missing to {doing}: {lower_first(said)}",
        f"grant {role}." if role else f"grant a role that has {permission}.",
    )


def permission_in(said: str) -> str | None:
    """The permission that a denial names.

    >>> permission_in("Access Denied: User does not have bigquery.jobs.create permission in project a.")
    'bigquery.jobs.create'
    """
    match = _PERMISSION.search(said)
    return match["permission"] if match else None


def unidentified(error: Exception) -> RfmError:
    """The error for credentials that are absent or not accepted. What is in them is not said."""
    from google.auth.exceptions import DefaultCredentialsError, RefreshError

    how = (
        "set GOOGLE_APPLICATION_CREDENTIALS to a credentials.json, or run `gcloud auth application-default"
        " login`."
    )
    if isinstance(error, DefaultCredentialsError):
        return ConfigurationError("There are no usable credentials for Google Cloud.", how)
    if isinstance(error, RefreshError):
        return WarehouseError("Google Cloud does not accept the credentials.", f"they may be revoked: {how}")
    return WarehouseError("Google Cloud could not be asked who we are.", f"look at the network, or {how}")


def first_sentence(said: str) -> str:
    """What the server said, without what the client put around it."""
    text = _AFTER.sub("", _FOOTER.sub("", _REQUEST.sub("", said.strip())))
    text = " ".join(text.split())
    if len(text) > 400:
        text = f"{text[:400].rstrip()} …"
    return text if text.endswith((".", "!", "?", "…")) else f"{text}."
