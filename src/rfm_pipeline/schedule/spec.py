"""One schedule, whatever starts it: what runs, when, where, with what, and what happens on a bad day."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from datetime import date, time
from pathlib import PurePosixPath
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from msgspec import Struct, field

from rfm_pipeline.errors import UsageError

DATA_FOLDER = "/data"
SECRETS_FOLDER = "/run/secrets"
CONFIG_PLACE = "/etc/rfm/rfm.toml"
USER_ID = 10001
"""Of the image; the same number is in the Dockerfile."""

# The longest name that a CronJob may have: its jobs' names are made from it.
_NAME = re.compile(r"[a-z]([a-z0-9-]{0,50}[a-z0-9])?")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_TIME = re.compile(r"([01]?[0-9]|2[0-3]):([0-5][0-9])")
# What keys and tokens of the usual stores look like, and a password in an address. Not all that is secret:
# some is told by the name of its variable.
_SECRET = re.compile(
    r"-----BEGIN |[\"']?\b(?:private_key|client_secret|refresh_token|access_token)\b[\"']?\s*[:=]"
    r"|\"(?:private_key|client_secret|refresh_token)\""
    r"|\bya29\.|\bgh[pousr]_[A-Za-z0-9]{8}|\bgithub_pat_\w{8}|\bAKIA[0-9A-Z]{16}|\bAIza[\w-]{35}"
    r"|\bxox[abeprs]-\w|\bsk_live_\w|://[^/\s:@]+:[^/\s@]+@"
    # Addresses that whoever knows them can write to.
    r"|\bhooks\.slack\.com/|/api/webhooks/|\.webhook\.office\.com/|\bwebhook[\"']?\s*[:=]\s*[\"']?https?:"
)
_SECRET_VARIABLE = re.compile(r"(?:PASSWORD|PASSWD|TOKEN|SECRET|_KEY|WEBHOOK|^RFM_NOTIFY)$", re.IGNORECASE)
# Files that lie among the zones of many machines, and are known nowhere else.
_NO_ZONES = {"localtime", "posixrules", "Factory"}

Overlap = Literal["skip", "wait"]
Missed = Literal["catch-up", "skip"]


class Program(Struct, frozen=True):
    """The command as it is installed on the machine.

    Attributes:
        path: Its absolute path.
        user: For systemd's own units, the name of whom it runs as; None is root.
    """

    path: str
    user: str | None = None


class Image(Struct, frozen=True):
    """The command in a container.

    Attributes:
        name: The image, with a tag or a digest.
        engine: What starts it on a machine: the path of docker or podman.
        user: Who it runs as there, as `UID:GID`; None is the image's own user.
        init: Whether the engine puts a first process of its own before it, which hears a signal while Python
            still starts.
    """

    name: str
    engine: str = "docker"
    user: str | None = None
    init: bool = True


class Secret(Struct, frozen=True):
    """A file that the run finds by an environment variable. Only where it is kept is known here.

    Attributes:
        variable: Such as GOOGLE_APPLICATION_CREDENTIALS.
        reference: On a machine the file's path, elsewhere the name of a secret in the scheduler's own store.
    """

    variable: str
    reference: str

    @property
    def place(self) -> str:
        """Where a container finds it."""
        return str(PurePosixPath(SECRETS_FOLDER) / self.variable.lower() / "secret.json")


class Cloud(Struct, frozen=True):
    """Where a Cloud Run job lives.

    Attributes:
        project: The project's id.
        region: Such as europe-west1.
        account: The e-mail address of the service account that the job runs as and is started by.
    """

    project: str
    region: str
    account: str


class Schedule(Struct, frozen=True):
    """A run every day.

    Attributes:
        name: What the scheduler calls it.
        at: The local time of the start, to the minute.
        timezone: An IANA name; None is the machine's own zone, and UTC where there is no machine.
        runs: The installed command, or an image.
        folder: On a machine, the absolute path of the folder that it works in; a container's /data.
        arguments: What `rfm` is given.
        config: A configuration file; None leaves it to the folder's rfm.toml and to the environment.
        environment: RFM_* variables and others, by name; nothing secret.
        secrets: Files with what is secret.
        overlap: When the time comes and the former run still works: skip this start, or wait for its end.
        missed: When the machine was off at that time: start when it is back, or leave it for that day.
        timeout: Minutes after which a run is stopped.
        first_day: The first day on which it may start.
        system: For systemd, units of the system rather than of the user.
        cloud: For Cloud Run, where.

    Raises:
        UsageError: A value that no scheduler could be given, or a secret in plain sight.
    """

    at: time
    runs: Program | Image
    folder: str
    first_day: date
    name: str = "rfm-daily"
    timezone: str | None = None
    arguments: tuple[str, ...] = ("run",)
    config: str | None = None
    environment: dict[str, str] = field(default_factory=dict)
    secrets: tuple[Secret, ...] = ()
    overlap: Overlap = "skip"
    missed: Missed = "catch-up"
    timeout: int = 120
    system: bool = False
    cloud: Cloud | None = None

    def __post_init__(self) -> None:
        check_name(self.name)
        if not 1 <= self.timeout <= 1440:
            raise UsageError(
                f"The time-out is {self.timeout} minutes, and must be 1 to 1440.", "a day has 1440 minutes."
            )
        if self.timezone is not None:
            check_timezone(self.timezone)
        self._check_secrets()
        self._check_texts()
        self._check_variables()

    def _check_secrets(self) -> None:
        for what, value in self._texts():
            refuse_secret(what, value)
        for name in self.environment:
            if _SECRET_VARIABLE.search(name):
                raise UsageError(
                    f"The value of {name} is a secret by its name, and would stand in the schedule for all to"
                    " read.",
                    f"keep it in a file or in a secret store, and name that: --secret {name}=REFERENCE.",
                )

    def _check_texts(self) -> None:
        for what, value in self._texts():
            if bad := re.search(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufffe\uffff]", value):
                raise UsageError(
                    f"{what} has the character {bad[0]!r} in it, which no scheduler can be given.",
                    "write it without, or put it into rfm.toml.",
                )

    def _check_variables(self) -> None:
        for name in self.variables:
            if not _VARIABLE.fullmatch(name):
                raise UsageError(
                    f"{shown(name)} can't name an environment variable.",
                    "for example --env RFM_TO=duckdb:x.duckdb.",
                )
        twice = [name for name in self.environment if name in {secret.variable for secret in self.secrets}]
        if twice:
            raise UsageError(
                f"{twice[0]} is given both as a value and as a secret.", "leave one of them away."
            )

    def _texts(self) -> Iterator[tuple[str, str]]:
        yield "The folder", self.folder
        yield "The command", self.runs.path if isinstance(self.runs, Program) else self.runs.name
        yield "The configuration file", self.config or ""
        for argument in self.arguments:
            yield "An argument", argument
        for name, value in self.environment.items():
            yield f"The value of {_named(name)}", value
        for secret in self.secrets:
            yield f"The reference of {_named(secret.variable)}", secret.reference
        for name in self.variables:
            yield "The name of a variable", name
        if self.cloud:
            yield "The project", self.cloud.project
            yield "The region", self.cloud.region
            yield "The service account", self.cloud.account

    @property
    def variables(self) -> tuple[str, ...]:
        """The environment variables that the run is given, by name."""
        return (*self.environment, *(secret.variable for secret in self.secrets))

    @property
    def program(self) -> Program:
        """The installed command; only where that is what runs."""
        assert isinstance(self.runs, Program)
        return self.runs

    @property
    def image(self) -> Image:
        """The image; a scheduler without a machine of its own needs one.

        Raises:
            UsageError: An installed command is to run.
        """
        if isinstance(self.runs, Image):
            return self.runs
        raise UsageError("This scheduler starts containers only.", "name an image with --image.")

    @property
    def cron(self) -> str:
        """The five fields of a crontab line for the time of day."""
        return f"{self.at.minute} {self.at.hour} * * *"

    @property
    def zone(self) -> str:
        """The time zone where there is no machine that has one."""
        return self.timezone or "UTC"

    def program_words(self) -> list[str]:
        """The installed command with what it is given, word by word."""
        config = ["--config", self.config] if self.config else []
        return [self.program.path, *self.arguments, *config]

    def container_environment(self) -> dict[str, str]:
        """What a container is given, with the places of its configuration and its secrets."""
        places = {secret.variable: secret.place for secret in self.secrets}
        config = {"RFM_CONFIG": CONFIG_PLACE} if self.config else {}
        return {**self.environment, **config, **places}


class File(Struct, frozen=True):
    """One file that a scheduler reads.

    Attributes:
        name: Its usual name, without a folder.
        text: What is in it.
        encoding: What it is written in.
    """

    name: str
    text: str
    encoding: str = "utf-8"

    def written(self) -> bytes:
        """The file to the byte."""
        return self.text.encode(self.encoding)


class Rendered(Struct, frozen=True):
    """A schedule as one scheduler takes it.

    Attributes:
        files: What it reads; the first has the schedule itself.
        next_step: The command lines that give it to the scheduler.
        notes: What a person should know that this scheduler does otherwise than the schedule asks for.
    """

    files: tuple[File, ...]
    next_step: tuple[str, ...]
    notes: tuple[str, ...] = ()


def check_name(name: str) -> None:
    """Sees to it that a schedule may be called so: its files and its lines are found by that name.

    Raises:
        UsageError: It may not.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{shown(name)} can't name a schedule.",
            "use lower-case letters, digits and hyphens, at most 52, a letter first.",
        )


def _named(variable: str) -> str:
    return variable if _VARIABLE.fullmatch(variable) else "a variable"


def shown(text: str) -> str:
    """A text as an error may repeat it, between quotes: what may be a secret is not repeated."""
    return "What looks like a secret" if _SECRET.search(text) else f"'{text}'"


def refuse_secret(what: str, text: str) -> None:
    """Sees to it that a text may stand in a schedule. No error repeats it.

    Args:
        what: What it is, for the error.
        text: The text.

    Raises:
        UsageError: It looks like a secret.
    """
    if _SECRET.search(text):
        raise UsageError(
            f"{what} looks like a secret, and would stand in the schedule for all to read.",
            "keep it in a file or in a secret store, and name that: --secret VARIABLE=REFERENCE.",
        )


def parse_time(text: str) -> time:
    """Reads a time of day such as `05:30`.

    Raises:
        UsageError: It is none.
    """
    match = _TIME.fullmatch(text.strip())
    if match is None:
        raise UsageError(f"'{text}' is not a time of day.", "for example --at 05:30.")
    return time(int(match[1]), int(match[2]))


def check_timezone(name: str) -> ZoneInfo:
    """A time zone by its IANA name.

    Raises:
        UsageError: There is none of that name.
    """
    if not name.startswith(("posix/", "right/")) and name not in _NO_ZONES:
        try:
            return ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            pass
    close = difflib.get_close_matches(name, available_timezones() - _NO_ZONES, n=1)
    raise UsageError(
        f"'{name}' is not a time zone such as 'Europe/London' or 'UTC'.",
        f"did you mean {close[0]}?" if close else "look at --timezone.",
    )
