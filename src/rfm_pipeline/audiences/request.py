"""What an export is asked for, checked before anything is opened."""

from __future__ import annotations

import difflib
from collections.abc import Collection
from pathlib import Path

from msgspec import Struct

from rfm_pipeline.audiences.networks import FORMATS, PLAIN, UPLOADS, UploadFormat
from rfm_pipeline.config.audiences import ExportSettings
from rfm_pipeline.errors import ConfigurationError, UsageError
from rfm_pipeline.results.tables import RESULT_COLUMNS

IDS = "customer_id"
"""What `email` names where the customers' ids are their addresses."""


class Request(Struct, frozen=True):
    """What is exported, and whither.

    Attributes:
        path: The file.
        format: One of FORMATS; None takes the suffix of the file.
        segments: By name; none are all of them.
        columns: Columns of the result; none are those of the format.
        clear: Whether what is personal may be in the file in clear.
        raw: Whether text may be in the file that a spreadsheet takes for a formula.
    """

    path: Path
    format: str | None = None
    segments: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    clear: bool = False
    raw: bool = False


class Order(Struct, frozen=True):
    """A request that can be met.

    Attributes:
        request: It.
        format: The format's name.
        upload: What a network takes; None is a plain format.
        columns: The columns of the result that are written.
    """

    request: Request
    format: str
    upload: UploadFormat | None
    columns: tuple[str, ...]


def checked(request: Request, settings: ExportSettings) -> Order:
    """Whether a request can be met, as far as that is known without looking at the result.

    Raises:
        ConfigurationError: There is no such format, column or combination.
        UsageError: Addresses would be in the file in clear, and nobody asked for that.
    """
    name = request.format or request.path.suffix.casefold().removeprefix(".")
    if request.format is None and name not in PLAIN:
        raise ConfigurationError(
            f"The format of {request.path} is not told by its name.",
            f"give --format, one of {', '.join(FORMATS)}.",
        )
    if name not in FORMATS:
        raise ConfigurationError(f"There is no format '{name}'.", f"choose one of {', '.join(FORMATS)}.")
    upload = UPLOADS.get(name)
    suffix = ".csv" if upload else f".{name}"
    if request.path.suffix.casefold() != suffix:
        raise ConfigurationError(
            f"The format {name} is written to a {suffix} file, not to {request.path}.",
            f"end its name in {suffix}.",
        )
    if upload:
        _check_upload(name, upload, request, settings)
    columns = request.columns or (tuple(RESULT_COLUMNS) if upload is None else upload.columns or ())
    for column in columns:
        if column not in RESULT_COLUMNS:
            raise ConfigurationError(
                f"The result has no column `{column}`.", _choose(column, tuple(RESULT_COLUMNS))
            )
    if len(set(columns)) < len(columns):
        raise ConfigurationError("A column is chosen twice.", "name each of --columns once.")
    return Order(request, name, upload, columns)


def _check_upload(name: str, upload: UploadFormat, request: Request, settings: ExportSettings) -> None:
    if settings.contacts is None and settings.email != IDS:
        raise ConfigurationError(
            f"The format {name} needs addresses, and a result has only customer ids.",
            "name the customers' contacts with --contacts FILE; where the ids are e-mail addresses, give"
            f" --email {IDS}.",
        )
    if request.columns and upload.columns is None:
        raise ConfigurationError(
            f"{upload.label} takes no columns of the result.", "leave --columns out, or choose csv."
        )
    named = {role for role, column in settings.by_role().items() if column}
    absent = [role for role in upload.together if role not in named]
    if absent and len(absent) < len(upload.together):
        raise ConfigurationError(
            f"{upload.label} matches postal addresses by {_listed(upload.together)} together, and"
            f" {_listed(absent)} {'is' if len(absent) == 1 else 'are'} not named.",
            f"give {' '.join(_flag(role) for role in absent)} too, or none of them.",
        )
    if not upload.is_hashed and not request.clear:
        raise UsageError(
            f"In the file for {upload.label} the e-mail addresses are in clear, and nobody asked for that.",
            "give --clear where the file may be so; only its owner can read it.",
        )


def chosen_segments(asked: tuple[str, ...], known: Collection[str]) -> tuple[str, ...]:
    """The segments that were asked for, as they are written in the result.

    Args:
        asked: As they were typed; none are all of them.
        known: The segments of the result, and those of the map that has none of their customers today.

    Raises:
        UsageError: There is no such segment.
    """
    spelled = {name.casefold(): name for name in known}
    for name in asked:
        if name.casefold() not in spelled:
            raise UsageError(f"There is no segment '{name}'.", _choose(name, tuple(known)))
    return tuple(dict.fromkeys(spelled[name.casefold()] for name in asked)) or tuple(known)


def _choose(name: str, known: tuple[str, ...]) -> str:
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    meant = f"did you mean '{close[0]}'? " if close else ""
    return f"{meant}{'There' if meant else 'there'} are {', '.join(known)}."


def _listed(roles: Collection[str]) -> str:
    *others, last = (role.replace("_", " ") for role in roles)
    return f"{', '.join(others)} and {last}" if others else last


def _flag(role: str) -> str:
    return f"--{role.replace('_', '-')}"
