"""Translation of BigQuery errors into `RfmError`s: one plain sentence and a hint, without secrets."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rfm_pipeline.common.formatting import lower_first
from rfm_pipeline.common.installation import KEY_OPTIONS, in_container
from rfm_pipeline.errors import (
    ConfigurationError,
    CostLimitError,
    RfmError,
    SourceError,
    WarehouseError,
)

if TYPE_CHECKING:
    from rfm_pipeline.source.sql_query import SqlQuery

UNCHANGED = "the earlier result is unchanged."
BILLING_HINT = "link the project to a billing account: https://console.cloud.google.com/billing"
_DRIVE_SCOPE = "https://www.googleapis.com/auth/drive.readonly"

FINE_GRAINED_READER = "roles/datacatalog.categoryFineGrainedReader (Fine-Grained Reader)"
"""The role that reads protected columns, with its name."""
ROLES_BY_PERMISSION: Mapping[str, str] = {
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
"""Least role that grants each permission, and the resource to grant the role on."""

_PERMISSION_NAME = re.compile(r"\b(?P<permission>(?:bigquery|iam)\.[a-zA-Z]+\.[a-zA-Z]+)\b")
_PROTECTED_COLUMNS = re.compile(r"policy tag .* on columns? (?P<columns>.+)", re.DOTALL)
_NO_BILLING = re.compile(r"[Bb]illing has not been enabled|not allowed in the free tier")
_NON_BOOLEAN = re.compile(r"WHERE clause should return type BOOL, but returns type (?P<type>\w+)")
_TYPE_LABELS: Mapping[str, str] = {
    "STRING": "text",
    "INT64": "a number",
    "FLOAT64": "a number",
    "NUMERIC": "a number",
    "BIGNUMERIC": "a number",
    "DATE": "a date",
    "TIMESTAMP": "a timestamp",
    "DATETIME": "a timestamp",
}
_MAX_MESSAGE_LENGTH = 400
_REQUEST_PREFIX = re.compile(r"^(?:\d{3} )?(?:GET|POST|PUT|DELETE|PATCH) \S+: ")
# Added by the client to the server's message.
_JOB_SUFFIX = re.compile(r"\s*(?:\n\s*\n)?Location: .*", re.DOTALL)
_REASON_SUFFIX = re.compile(r"; reason: \w+.*", re.DOTALL)
_POSITION = re.compile(r"\s*\bat \[(?P<line>\d+):\d+\]")


@contextmanager
def translate_bigquery_errors(doing: str, link: str | None = None) -> Iterator[None]:
    """Raise an `RfmError` in place of an error that Google's client raises in the `with` block.

    Args:
        doing: What the block does, to complete the sentence `BigQuery could not ...`.
        link: URL of the job in the console, for the hint; None if there is no job.

    Raises:
        RfmError: If the client raised an error.
    """
    from google.api_core.exceptions import GoogleAPIError
    from google.auth.exceptions import GoogleAuthError
    from requests.exceptions import RequestException

    try:
        yield
    except GoogleAuthError as error:
        raise credentials_error(error) from None
    except (GoogleAPIError, RequestException) as error:
        raise to_rfm_error(error, doing, link) from error


def to_rfm_error(error: Any, doing: str, link: str | None = None) -> RfmError:
    """Return the `RfmError` for an error response.

    Args:
        error: Error of Google's client, or of the HTTP library.
        doing: As for `translate_bigquery_errors`.
        link: As for `translate_bigquery_errors`.
    """
    reason = reason_of(error)
    status = getattr(error, "code", None)
    message = first_sentence(str(getattr(error, "message", "") or error))
    if not reason and status in (401, 403, 404):
        reason = "notFound" if status == 404 else "accessDenied"
    return _error_for_reason(reason, message, doing, link)


def reason_of(error: Any) -> str:
    """Return BigQuery's reason in an error response, such as `accessDenied`; empty if it has none."""
    errors = getattr(error, "errors", None) or ()
    return next(
        (str(item["reason"]) for item in errors if isinstance(item, Mapping) and "reason" in item), ""
    )


def job_error(failure: Mapping[str, Any], step: str, link: str) -> RfmError:
    """Return the error for a failed job, given its `error_result`, its step and its URL."""
    message = first_sentence(str(failure.get("message") or "no reason was given"))
    return _error_for_reason(str(failure.get("reason", "")), message, f"run {step}", link)


def _error_for_reason(reason: str, message: str, doing: str, link: str | None) -> RfmError:
    if lacks_billing(message) or reason == "billingNotEnabled":
        return WarehouseError(f"BigQuery could not {doing}: {lower_first(message)}", BILLING_HINT)
    look = f"look at {link}" if link else "`rfm --debug` shows BigQuery's whole message."
    if reason == "accessDenied":
        return permission_error(message, doing)
    if reason == "bytesBilledLimitExceeded" or "bytes billed" in message:
        return CostLimitError(
            f"BigQuery refused to {doing}: {lower_first(message)}",
            f"raise --max-bytes, or narrow the run with --window or --since; {UNCHANGED}",
        )
    if reason == "notFound":
        return WarehouseError(
            f"BigQuery could not {doing}: {lower_first(message)}", f"{UNCHANGED[:-1]}; {look}"
        )
    if reason == "quotaExceeded":
        return WarehouseError(
            f"BigQuery could not {doing}: {lower_first(message)}",
            f"check the quotas of the project that runs the jobs; {UNCHANGED}",
        )
    if reason in {"resourcesExceeded", "responseTooLarge"}:
        return WarehouseError(
            f"BigQuery has too few resources to {doing}: {lower_first(message)}",
            "narrow the run with --window or --since; of all methods, only ntile sorts on one worker.",
        )
    if reason == "stopped":
        return WarehouseError(f"A user cancelled the BigQuery job to {doing}.", look)
    if reason == "timeout":
        return WarehouseError(
            f"BigQuery did not {doing} in time: {lower_first(message)}",
            f"raise bigquery.job_timeout, or {look}",
        )
    if re.search(r"\b[Oo]verflow|out of range|[Bb]ad .* value|[Cc]ould not cast|division by zero", message):
        return SourceError(
            f"A value of the source can't be converted as a condition requires: {lower_first(message)}",
            "in the exclusion, write SAFE_CAST in place of CAST, and SAFE_DIVIDE for a division.",
        )
    return WarehouseError(f"BigQuery could not {doing}: {lower_first(message)}", f"{UNCHANGED[:-1]}; {look}")


def describe_condition_error(error: Exception) -> str:
    """Return the reason why BigQuery rejects a condition, as a clause that follows a colon."""
    message = str(getattr(error, "message", "") or error)
    if match := _NON_BOOLEAN.search(message):
        return f"its value is {_TYPE_LABELS.get(match['type'], match['type'])}, not true or false"
    return lower_first(first_sentence(message)).rstrip(".")


def source_query_error(error: Exception, query: SqlQuery) -> SourceError:
    """Return the error for a query that is the source, and that BigQuery rejects; it has the file's line.

    Args:
        error: BigQuery's error about `SELECT *`, a line break, `FROM` and the relation of the query.
        query: The query.
    """
    reason = describe_condition_error(error)
    where = query.name
    if position := _POSITION.search(reason):
        where = f"{where}, line {int(position['line']) - 2}"
        reason = _POSITION.sub("", reason).strip().rstrip(";")
    return SourceError(
        f"{where}: {reason}.",
        "the query runs in BigQuery and reads its tables; to read files, publish to a DuckDB file.",
    )


def permission_error(message: str, doing: str) -> RfmError:
    """Return the error for a missing permission, with the role that grants it."""
    if "Drive credentials" in message:
        return WarehouseError(
            f"BigQuery refused to {doing}: {lower_first(message)}",
            f'set bigquery.scopes = ["{_DRIVE_SCOPE}"], and share the sheet with the account.',
        )
    if protected := _PROTECTED_COLUMNS.search(message):
        names = [name.rstrip(".").rpartition(".")[2] for name in protected["columns"].split(", ")]
        return WarehouseError(
            f"BigQuery refused to {doing}: {lower_first(message)}",
            f"grant {FINE_GRAINED_READER} on the policy tag of {', '.join(names)}, or choose columns without"
            " one.",
        )
    permission = find_permission(message)
    if permission is None:
        return WarehouseError(
            f"BigQuery refused to {doing}: {lower_first(message)}",
            "`rfm check` names the missing permissions and the roles that grant them.",
        )
    role = ROLES_BY_PERMISSION.get(permission)
    return WarehouseError(
        f"The permission {permission} is missing to {doing}: {lower_first(message)}",
        f"grant {role}." if role else f"grant a role that has {permission}.",
    )


def lacks_billing(message: str) -> bool:
    """Return whether an error message says that the project has no billing, as in BigQuery's sandbox.

    >>> lacks_billing("Streaming insert is not allowed in the free tier")
    True
    """
    return _NO_BILLING.search(message) is not None


def find_permission(message: str) -> str | None:
    """Return the permission that an error message names; None if it names none.

    >>> find_permission("Access Denied: User does not have bigquery.jobs.create permission in project a.")
    'bigquery.jobs.create'
    """
    match = _PERMISSION_NAME.search(message)
    return match["permission"] if match else None


def credentials_error(error: Exception) -> RfmError:
    """Return the error for missing or rejected credentials, without their content."""
    from google.auth.exceptions import DefaultCredentialsError, RefreshError

    hint = (
        f"mount the key of a service account: {KEY_OPTIONS}"
        if in_container()
        else "set GOOGLE_APPLICATION_CREDENTIALS to a credentials.json, or run `gcloud auth"
        " application-default login`."
    )
    if isinstance(error, DefaultCredentialsError):
        return ConfigurationError("There are no usable credentials for Google Cloud.", hint)
    if isinstance(error, RefreshError):
        return WarehouseError("Google Cloud does not accept the credentials.", f"they may be revoked: {hint}")
    return WarehouseError("Google Cloud could not verify the credentials.", f"check the network, or {hint}")


def first_sentence(message: str) -> str:
    """Return the server's message as one line of at most 400 characters, without the client's additions."""
    text = _REASON_SUFFIX.sub("", _JOB_SUFFIX.sub("", _REQUEST_PREFIX.sub("", message.strip())))
    text = " ".join(text.split())
    if len(text) > _MAX_MESSAGE_LENGTH:
        text = f"{text[:_MAX_MESSAGE_LENGTH].rstrip()} …"
    return text if text.endswith((".", "!", "?", "…")) else f"{text}."
