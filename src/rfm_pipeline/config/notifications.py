"""Who is told how a run ended: the settings of `[notify]`, and an address that nothing shows."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any, ClassVar, Literal, get_args
from urllib.parse import urlsplit

from rfm_pipeline.config.base import SettingsTable
from rfm_pipeline.errors import ConfigurationError

VARIABLE = "RFM_NOTIFY__WEBHOOK"
"""The environment variable that gives the address."""

On = Literal["failure", "warning", "always"]

_NAMED = re.compile(r"env:\s*([A-Za-z_][A-Za-z0-9_]*)")
_LOOPBACK = re.compile(r"localhost|::1|127(\.[0-9]{1,3}){3}")
# The longest that servers take; a file that is longer is not one with an address in it.
_LONGEST = 2048


class RedactedRepr:
    """What is in it appears in no message, no log and no dump: whoever knows it can use it."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"<{type(self).__name__.lower()}, not shown>"


class WebhookUrl(RedactedRepr):
    """An address that messages are sent to.

    Attributes:
        url: The whole of it, which is the secret.
        host: The part that may be said.
        is_loopback: Whether it is on this machine.
    """

    __slots__ = ("host", "is_loopback", "url")

    def __init__(self, url: str, host: str) -> None:
        self.url = url
        self.host = host
        self.is_loopback = _LOOPBACK.fullmatch(host) is not None


class WebhookSetting(RedactedRepr):
    """Where the address is to be had.

    Args:
        kept: The address itself, `env:` and the variable that has it, or the absolute path of a file that
            has it: schedulers give a container its secrets as files.
        given_by: What said so, for messages.
    """

    __slots__ = ("_given_by", "_kept")

    def __init__(self, kept: str, given_by: str) -> None:
        self._kept = kept
        self._given_by = given_by

    def address(self, environ: Mapping[str, str]) -> WebhookUrl | None:
        """The address; None where an empty variable says that there is to be none.

        Raises:
            ConfigurationError: It is not to be had, or is none. What is there instead is not repeated.
        """
        kept, given_by = self._kept, self._given_by
        if named := _NAMED.fullmatch(kept):
            if named[1] not in environ:
                raise ConfigurationError(
                    f"The environment variable {named[1]}, which {given_by} names, is not set.",
                    "set it to the address, or to nothing where nobody is to be told.",
                )
            kept, given_by = environ[named[1]].strip(), named[1]
        if _is_path(kept):
            kept, given_by = _in_file(kept, given_by), f"the file that {given_by} names"
        return _address(kept, given_by) if kept else None


def _is_path(text: str) -> bool:
    # Only an absolute one: anything else may be an address that was cut short.
    return PurePosixPath(text).is_absolute() or PureWindowsPath(text).is_absolute()


def _in_file(path: str, given_by: str) -> str:
    try:
        with Path(path).open(encoding="utf-8-sig") as file:
            return file.read(_LONGEST + 2).strip()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is not text"
        raise ConfigurationError(
            f"The file that {given_by} names can't be read: {reason[0].lower()}{reason[1:]}.",
            "it holds the address that messages are sent to, and nothing else.",
        ) from None


def _address(text: str, given_by: str) -> WebhookUrl:
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        host, parts = "", urlsplit("")
    is_plain = text.isascii() and text.isprintable() and " " not in text and len(text) <= _LONGEST
    is_private = parts.scheme == "https" or (parts.scheme == "http" and _LOOPBACK.fullmatch(host))
    if not (host and is_plain and is_private and "@" not in parts.netloc):
        raise ConfigurationError(
            f"{given_by[0].upper()}{given_by[1:]} holds no address that begins with https:// and a host.",
            "copy the address again from the chat that messages are to appear in.",
        )
    return WebhookUrl(text, host)


def _webhook(value: object) -> object:
    """What a file may say: who has the address, and never the address."""
    if value is None or isinstance(value, WebhookSetting):
        return value
    text = value.strip() if isinstance(value, str) else None
    if text == "":
        return None
    if text is None or not (_NAMED.fullmatch(text) or _is_path(text)):
        raise ConfigurationError(
            "The setting `notify.webhook` must name what has the address, as the address is a secret.",
            f'set the environment variable {VARIABLE} to the address; or write webhook = "env:NAME" with'
            " the name of another one, or the absolute path of a file.",
        )
    return WebhookSetting(text, "`notify.webhook`")


def _on(value: object) -> object:
    # In words of its own: what stands in the wrong place may be the address.
    if value not in get_args(On):
        raise ValueError("the setting `notify.on` must be 'failure', 'warning' or 'always'")
    return value


class NotifySettings(SettingsTable, frozen=True):
    """Who is told how a run ended, and when.

    Attributes:
        webhook: Where a message goes, in the form that Slack takes; None tells nobody.
        on: `failure`, `warning` (a failure, or a result with a warning), or `always`.
    """

    FORMS: ClassVar = {"webhook": _webhook, "on": _on}

    webhook: WebhookSetting | None = None
    on: On = "warning"

    def address(self, environ: Mapping[str, str]) -> WebhookUrl | None:
        """Where messages go; None where nobody is told.

        Raises:
            ConfigurationError: As for `Webhook.address`.
        """
        return self.webhook.address(environ) if self.webhook else None


def notify_table(value: object) -> object:
    """Sees to it that `[notify]` is a table: anything else may be the address, and is not repeated.

    Raises:
        ConfigurationError: It is none.
    """
    if not isinstance(value, Mapping | NotifySettings):
        raise ConfigurationError(
            "The setting `notify` must be a table.",
            f"set the environment variable {VARIABLE} to the address, and `on` below [notify] in rfm.toml.",
        )
    return value


def from_file(table: object) -> None:
    """Sees to it that no address stands in a configuration file, even where something else wins over it.

    Raises:
        ConfigurationError: One does, or may.
    """
    if isinstance(found := notify_table(table), Mapping):
        _webhook(found.get("webhook"))


def from_variables(table: object) -> dict[str, Any]:
    """What the environment says of `[notify]`, with the address put away.

    Raises:
        ConfigurationError: It says nothing that can be understood.
    """
    found = notify_table(table)
    assert isinstance(found, Mapping)
    said = dict(found)
    if said.get("webhook") is not None:
        if not isinstance(said["webhook"], str):
            raise ConfigurationError(f"{VARIABLE} must be text.", f"set {VARIABLE} to the address.")
        text = said["webhook"].strip()
        said["webhook"] = WebhookSetting(text, VARIABLE) if text else None
    return said
