"""The description of a daily run that all schedulers share, and its validation."""

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
CONFIG_PATH = "/etc/rfm/rfm.toml"
MAX_RETRIES = 10
"""The most retries that a Cloud Run job takes."""
USER_ID = 10001
"""User id of the image, equal to the one in the Dockerfile."""

# At most 52 characters: the limit for a CronJob, which appends 11 to the names of its jobs.
_NAME = re.compile(r"[a-z]([a-z0-9-]{0,50}[a-z0-9])?")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_TIME = re.compile(r"([01]?[0-9]|2[0-3]):([0-5][0-9])")
# Keys and tokens of common services, and passwords in URLs. Incomplete by nature: other secrets are
# recognized by the name of their variable.
_SECRET = re.compile(
    r"-----BEGIN |[\"']?\b(?:private_key|client_secret|refresh_token|access_token)\b[\"']?\s*[:=]"
    r"|\"(?:private_key|client_secret|refresh_token)\""
    r"|\bya29\.|\bgh[pousr]_[A-Za-z0-9]{8}|\bgithub_pat_\w{8}|\bAKIA[0-9A-Z]{16}|\bAIza[\w-]{35}"
    r"|\bxox[abeprs]-\w|\bsk_live_\w|://[^/\s:@]+:[^/\s@]+@"
    # Webhook URLs: anyone with the URL can post to it.
    r"|\bhooks\.slack\.com/|/api/webhooks/|\.webhook\.office\.com/|\bwebhook[\"']?\s*[:=]\s*[\"']?https?:"
)
_KEEP_SECRETS_ELSEWHERE = "keep it in a file or in a secret store, and pass a reference to it"
_SECRET_VARIABLE = re.compile(r"(?:PASSWORD|PASSWD|TOKEN|SECRET|_KEY|WEBHOOK|^RFM_NOTIFY)$", re.IGNORECASE)
# Files in the time zone folder of many machines whose names are not IANA names.
_NO_ZONES = {"localtime", "posixrules", "Factory"}

Overlap = Literal["skip", "wait"]
Missed = Literal["catch-up", "skip"]
Operator = Literal["docker", "kubernetes", "cloud-run"]


class Program(Struct, frozen=True):
    """The `rfm` command installed on the machine.

    Attributes:
        path: Absolute path.
        user: Name of the user it runs as, for system units of systemd; None is root.
    """

    path: str
    user: str | None = None


class Image(Struct, frozen=True):
    """A container image with the `rfm` command.

    Attributes:
        name: The image, with a tag or a digest.
        engine: Path of docker or podman on the machine.
        user: `UID:GID` that the container runs as; None is the image's own user.
        init: Whether the engine can run an init process as PID 1, which handles signals that arrive while
            Python is still starting.
        pull_secret: Name by which the scheduler stores the credentials for the image's registry; None for an
            image that needs none.
    """

    name: str
    engine: str = "docker"
    user: str | None = None
    init: bool = True
    pull_secret: str | None = None

    @property
    def registry(self) -> str:
        """Host of the image's registry."""
        host, slash, _ = self.name.partition("/")
        return host if slash and (set(host) & set(".:") or host == "localhost") else "docker.io"


class Secret(Struct, frozen=True):
    """A reference to a secret file whose path the run reads from an environment variable.

    Attributes:
        variable: Name of the variable, such as GOOGLE_APPLICATION_CREDENTIALS.
        reference: Path of the file on a machine; elsewhere the name of a secret in the scheduler's secret
            store.
    """

    variable: str
    reference: str

    @property
    def mount_path(self) -> str:
        """Path of the file in a container."""
        return str(PurePosixPath(SECRETS_FOLDER) / self.variable.lower() / "secret.json")


class Cloud(Struct, frozen=True):
    """Location and identity of a Cloud Run job.

    Attributes:
        project: Project id.
        region: Region, such as europe-west1.
        account: E-mail address of the service account that runs the job and starts it.
    """

    project: str
    region: str
    account: str


class Identity(Struct, frozen=True):
    """The account that a run acts as, where the scheduler provides one without a key.

    Attributes:
        account: Name of a ServiceAccount of Kubernetes, or e-mail address of a service account of Google.
        provider: Resource name of the workload identity provider, for GitHub Actions.
        project: Project of the cluster; None is the project of `account`.
    """

    account: str | None = None
    provider: str | None = None
    project: str | None = None

    @property
    def google_account(self) -> str | None:
        """E-mail address of the service account of Google."""
        return self.account if self.account and "@" in self.account else None


class Schedule(Struct, frozen=True):
    """A daily run.

    Attributes:
        name: Name in the scheduler.
        at: Local time of the start, to the minute.
        timezone: IANA name; None is the machine's own time zone, or UTC for schedulers without a machine.
        runs: The installed command, or an image.
        folder: Absolute path of the working directory on a machine; a container's /data.
        arguments: Arguments of `rfm`.
        config: Path of a configuration file; None uses the folder's rfm.toml, if there is one, and the
            environment.
        environment: Values of environment variables, by name. Must contain no secrets.
        secrets: Secret files.
        overlap: If the previous run is still active at the start: skip this start, or wait.
        missed: If the machine was off at the start: start when it is back, or skip that day.
        timeout: Minutes after which a run is stopped.
        first_day: First day of a start.
        system: Whether systemd units are the system's; otherwise they are the user's.
        cloud: Location of the Cloud Run job; None for other schedulers.
        identity: Account of the run, for Kubernetes, GitHub Actions and Airflow.
        namespace: Namespace in Kubernetes; None is the current one.
        retries: How often Kubernetes, Cloud Run and Airflow repeat a run that failed.
        operator: Operator of Airflow's task.
        checkout: Folder of this project, from which the Cloud Run recipe builds the image; None if the image
            is in its registry already.

    Raises:
        UsageError: If a value is not valid for any scheduler, or looks like a secret.
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
    identity: Identity = Identity()
    namespace: str | None = None
    retries: int = 2
    operator: Operator = "docker"
    checkout: str | None = None

    def __post_init__(self) -> None:
        check_name(self.name)
        if not 1 <= self.timeout <= 1440:
            raise UsageError(
                f"The time-out is {self.timeout} minutes; it must be 1 to 1440.", "a day has 1440 minutes."
            )
        if not 0 <= self.retries <= MAX_RETRIES:
            raise UsageError(f"The retries are {self.retries}; they must be 0 to {MAX_RETRIES}.")
        if self.timezone is not None:
            check_timezone(self.timezone)
        self._check_secrets()
        self._check_texts()
        self._check_variables()

    def _check_secrets(self) -> None:
        for label, value in self._texts():
            refuse_secret(label, value)
        for name in self.environment:
            if _SECRET_VARIABLE.search(name):
                raise UsageError(
                    f"The value of {name} is a secret, judging by the name, and would be readable in the"
                    " schedule.",
                    f"{_KEEP_SECRETS_ELSEWHERE}: --secret {name}=REFERENCE.",
                )

    def _check_texts(self) -> None:
        for label, value in self._texts():
            if invalid := re.search(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufffe\uffff]", value):
                raise UsageError(
                    f"{label} contains the character {invalid[0]!r}, which no scheduler accepts.",
                    "remove the character, or put the value into rfm.toml.",
                )

    def _check_variables(self) -> None:
        for name in self.variables:
            if not _VARIABLE.fullmatch(name):
                raise UsageError(
                    f"{quote_unless_secret(name)} is not a valid name of an environment variable.",
                    "for example --env RFM_TO=duckdb:x.duckdb.",
                )
        secrets = {secret.variable for secret in self.secrets}
        duplicates = [name for name in self.environment if name in secrets]
        if duplicates:
            raise UsageError(
                f"{duplicates[0]} is given both as a value and as a secret.", "remove one of the two."
            )

    def _texts(self) -> Iterator[tuple[str, str]]:
        """Yield each text that the schedule would contain, after its label for messages."""
        yield "The folder", self.folder
        yield "The command", self.runs.path if isinstance(self.runs, Program) else self.runs.name
        yield "The configuration file", self.config or ""
        for argument in self.arguments:
            yield "An argument", argument
        for name, value in self.environment.items():
            yield f"The value of {_variable_label(name)}", value
        for secret in self.secrets:
            yield f"The reference of {_variable_label(secret.variable)}", secret.reference
        for name in self.variables:
            yield "The name of a variable", name
        if isinstance(self.runs, Image):
            yield "The pull secret", self.runs.pull_secret or ""
        yield "The service account", self.identity.account or ""
        yield "The identity provider", self.identity.provider or ""
        yield "The namespace", self.namespace or ""
        yield "The checkout", self.checkout or ""
        if self.cloud:
            yield "The project", self.cloud.project
            yield "The region", self.cloud.region
            yield "The service account", self.cloud.account

    @property
    def variables(self) -> tuple[str, ...]:
        """Names of all environment variables of the run."""
        return (*self.environment, *(secret.variable for secret in self.secrets))

    @property
    def program(self) -> Program:
        """The installed command. Must not be read if an image runs."""
        assert isinstance(self.runs, Program)
        return self.runs

    @property
    def image(self) -> Image:
        """The image, for schedulers that start containers only.

        Raises:
            UsageError: If the schedule runs an installed command.
        """
        if isinstance(self.runs, Image):
            return self.runs
        raise UsageError("This scheduler starts containers only.", "name an image with --image.")

    @property
    def cron(self) -> str:
        """The start as the five time fields of cron, such as `30 5 * * *`."""
        return f"{self.at.minute} {self.at.hour} * * *"

    @property
    def zone(self) -> str:
        """IANA name of the time zone for schedulers without a machine."""
        return self.timezone or "UTC"

    def program_command(self) -> list[str]:
        """Return the installed command and its arguments."""
        config = ["--config", self.config] if self.config else []
        return [self.program.path, *self.arguments, *config]

    def program_environment(self) -> dict[str, str]:
        """Return the environment variables of the installed command, including the paths of its secrets."""
        return self.environment | {secret.variable: secret.reference for secret in self.secrets}

    def container_environment(self) -> dict[str, str]:
        """Return the environment variables of a container, including the paths of mounted files."""
        config = {"RFM_CONFIG": CONFIG_PATH} if self.config else {}
        return self.environment | config | {secret.variable: secret.mount_path for secret in self.secrets}


class File(Struct, frozen=True):
    """One file that a scheduler reads.

    Attributes:
        name: File name, without a folder.
        text: Content.
        encoding: Encoding that the scheduler reads.
    """

    name: str
    text: str
    encoding: str = "utf-8"

    def encoded(self) -> bytes:
        """Return the content in the scheduler's encoding."""
        return self.text.encode(self.encoding)


class Rendered(Struct, frozen=True):
    """A schedule in the format of one scheduler.

    Attributes:
        files: Files that the scheduler reads; the first one contains the schedule.
        next_commands: Shell commands that pass the files to the scheduler.
        notes: Messages on how the scheduler deviates from the schedule.
    """

    files: tuple[File, ...]
    next_commands: tuple[str, ...]
    notes: tuple[str, ...] = ()


def check_name(name: str) -> None:
    """Raise an error if `name` is not a valid schedule name, which files and markers contain.

    Raises:
        UsageError: If the name is invalid.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{quote_unless_secret(name)} is not a valid schedule name.",
            "use lower-case letters, digits and hyphens, at most 52, a letter first.",
        )


def _variable_label(name: str) -> str:
    return name if _VARIABLE.fullmatch(name) else "a variable"


def quote_unless_secret(text: str) -> str:
    """Return `text` in quotes for a message, or a description in its place if it looks like a secret."""
    return "A value that looks like a secret" if _SECRET.search(text) else f"'{text}'"


def refuse_secret(label: str, text: str) -> None:
    """Raise an error if `text` looks like a secret; the message does not repeat the text.

    Args:
        label: Subject of the message, such as 'An argument'.
        text: The text to check.

    Raises:
        UsageError: If the text looks like a secret.
    """
    if _SECRET.search(text):
        raise UsageError(
            f"{label} looks like a secret, and would be readable in the schedule.",
            f"{_KEEP_SECRETS_ELSEWHERE}: --secret VARIABLE=REFERENCE.",
        )


def parse_time(text: str) -> time:
    """Return the time of day of a text such as `05:30`.

    Raises:
        UsageError: If the text is not a time of day.
    """
    match = _TIME.fullmatch(text.strip())
    if match is None:
        raise UsageError(f"'{text}' is not a time of day.", "for example --at 05:30.")
    return time(int(match[1]), int(match[2]))


def check_timezone(name: str) -> ZoneInfo:
    """Return the time zone with an IANA name.

    Raises:
        UsageError: If there is no such time zone.
    """
    if not name.startswith(("posix/", "right/")) and name not in _NO_ZONES:
        try:
            return ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            pass
    close = difflib.get_close_matches(name, available_timezones() - _NO_ZONES, n=1)
    raise UsageError(
        f"'{name}' is not a time zone such as 'Europe/London' or 'UTC'.",
        f"did you mean {close[0]}?" if close else "for example --timezone Europe/London.",
    )
