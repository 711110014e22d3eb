"""Export requests, and their validation before anything is opened."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date
from pathlib import Path

from msgspec import Struct

from rfm_pipeline.audiences.networks import FORMATS, PLAIN_FORMATS, UPLOAD_FORMATS, UploadFormat
from rfm_pipeline.audiences.phone_numbers import check_phone_support
from rfm_pipeline.config.audiences import ExportSettings
from rfm_pipeline.errors import ConfigurationError, UsageError
from rfm_pipeline.pipeline.mover_filter import MoverConditions
from rfm_pipeline.pipeline.segment_names import suggest_name
from rfm_pipeline.results.tables import RESULT_COLUMNS

IDS_AS_EMAILS = "customer_id"
"""Value of the setting `export.email` if the customer ids are e-mail addresses."""


class ExportRequest(Struct, frozen=True):
    """A requested export.

    Attributes:
        path: The output file.
        format: One of FORMATS; None uses the suffix of the file.
        segments: Names of segments; empty means all.
        columns: Columns of the result; empty means the format's default.
        clear: Whether personal data may be written unhashed.
        raw: Whether text that a spreadsheet reads as a formula stays unchanged.
        conditions: Movements and reasons that the customers have to have; the segments are those above.
        moved_from: Earlier as-of date of the movements; None for the date before the current result's.
    """

    path: Path
    format: str | None = None
    segments: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    clear: bool = False
    raw: bool = False
    conditions: MoverConditions = MoverConditions()
    moved_from: date | None = None


class CheckedRequest(Struct, frozen=True):
    """A valid request.

    Attributes:
        request: The request.
        format: Name of the format.
        upload: Format of a network; None for plain formats.
        columns: Columns of the result that are written.
    """

    request: ExportRequest
    format: str
    upload: UploadFormat | None
    columns: tuple[str, ...]


def check_request(request: ExportRequest, settings: ExportSettings) -> CheckedRequest:
    """Return the request with its format and columns resolved, as far as possible without reading the result.

    Raises:
        ConfigurationError: If there is no such format, column or combination.
        UsageError: If there is a date without movements, addresses would be readable in the file without
            `clear`, or an extra is missing.
    """
    if request.moved_from and request.conditions.is_empty:
        raise UsageError(
            "--from is the earlier date of movements, and none was named.",
            "give --moved, such as --moved 'Champions -> *', or --reason.",
        )
    name = request.format or request.path.suffix.casefold().removeprefix(".")
    if request.format is None and name not in PLAIN_FORMATS:
        raise ConfigurationError(
            f"The format of {request.path} is not clear from its suffix.",
            f"give --format, one of {', '.join(FORMATS)}.",
        )
    if name not in FORMATS:
        raise ConfigurationError(f"There is no format '{name}'.", f"choose one of {', '.join(FORMATS)}.")
    upload = UPLOAD_FORMATS.get(name)
    suffix = ".csv" if upload else f".{name}"
    if request.path.suffix.casefold() != suffix:
        raise ConfigurationError(
            f"The format {name} is written to a {suffix} file, not to {request.path}.",
            f"choose a file name that ends in {suffix}.",
        )
    if upload:
        _check_upload(name, upload, request, settings)
    columns = request.columns or (tuple(RESULT_COLUMNS) if upload is None else upload.columns or ())
    for column in columns:
        if column not in RESULT_COLUMNS:
            raise ConfigurationError(
                f"The result has no column `{column}`.", suggest_name(column, tuple(RESULT_COLUMNS))
            )
    if len(set(columns)) < len(columns):
        raise ConfigurationError("--columns names a column twice.", "name each column once.")
    return CheckedRequest(request, name, upload, columns)


def _check_upload(name: str, upload: UploadFormat, request: ExportRequest, settings: ExportSettings) -> None:
    if settings.contacts is None and settings.email != IDS_AS_EMAILS:
        raise ConfigurationError(
            f"The format {name} needs addresses, and a result has only customer ids.",
            "name the customers' contacts with --contacts FILE; if the ids are e-mail addresses, give"
            f" --email {IDS_AS_EMAILS}.",
        )
    if request.columns and upload.columns is None:
        raise ConfigurationError(
            f"{upload.label} takes no columns of the result.", "leave --columns out, or choose csv."
        )
    given = {role for role, column in settings.by_role().items() if column}
    given |= {"country"} if settings.default_country else set()
    written = upload.written_roles(given)
    absent = [role for role in upload.all_or_none if role not in written]
    if absent and len(absent) < len(upload.all_or_none):
        raise ConfigurationError(
            f"{upload.label} matches postal addresses by {_role_list(upload.all_or_none)} together, and"
            f" {_role_list(absent)} {'is' if len(absent) == 1 else 'are'} not named.",
            f"give {' '.join(_flag(role) for role in absent)} too, or none of them.",
        )
    if "phone" in written:
        check_phone_support(settings.default_country)
    if not upload.is_hashed and not request.clear:
        raise UsageError(
            f"The file for {upload.label} contains readable e-mail addresses, which needs --clear.",
            "allow that with --clear; only the owner of the file can read it.",
        )


def _role_list(roles: Collection[str]) -> str:
    *others, last = (role.replace("_", " ") for role in roles)
    return f"{', '.join(others)} and {last}" if others else last


def _flag(role: str) -> str:
    return f"--{role.replace('_', '-')}"
