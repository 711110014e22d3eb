"""Settings of `[notify]`. The webhook URL is a secret: never shown, and never written into rfm.toml."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any, ClassVar, Literal, get_args
from urllib.parse import urlsplit

from rfm_pipeline.common.formatting import capitalize_first, lower_first
from rfm_pipeline.config.base import SettingsTable
from rfm_pipeline.errors import ConfigurationError

WEBHOOK_VARIABLE = "RFM_NOTIFY__WEBHOOK"
"""Environment variable that contains the webhook URL."""

On = Literal["failure", "warning", "always"]
Digest = Literal["weekly"]

_VARIABLE_REFERENCE = re.compile(r"env:\s*([A-Za-z_][A-Za-z0-9_]*)")
_LOOPBACK = re.compile(r"localhost|::1|127(\.[0-9]{1,3}){3}")
# Servers accept no longer URLs; a longer file is not a file with a URL.
_MAX_URL_LENGTH = 2048


class RedactedRepr:
    """Mixin whose repr never shows the value, so that secrets stay out of logs and tracebacks."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"<{type(self).__name__.lower()}, not shown>"


class WebhookUrl(RedactedRepr):
    """URL to which messages are sent.

    Attributes:
        url: The complete URL, which is secret.
        host: Host name of the URL, which may appear in messages.
        is_loopback: Whether the host is this machine.
    """

    __slots__ = ("host", "is_loopback", "url")

    def __init__(self, url: str, host: str) -> None:
        self.url = url
        self.host = host
        self.is_loopback = _LOOPBACK.fullmatch(host) is not None


class WebhookSetting(RedactedRepr):
    """Webhook URL, or a reference to it, from which `resolve` returns the URL.

    Args:
        text: The URL itself, `env:NAME` for the variable that contains it, or the absolute path of a file
            that contains it (schedulers pass secrets to a container as files).
        origin: The setting or variable that contains `text`, for messages.
    """

    __slots__ = ("_origin", "_text")

    def __init__(self, text: str, origin: str) -> None:
        self._text = text
        self._origin = origin

    @property
    def file(self) -> Path | None:
        """Path of the file that contains the URL; None if the URL or a variable is given."""
        return Path(self._text) if _is_path(self._text) else None

    def resolve(self, environ: Mapping[str, str]) -> WebhookUrl | None:
        """Return the webhook URL; None if the variable or file is empty, which turns messages off.

        Raises:
            ConfigurationError: If the variable is not set, the file can't be read, or the text is no URL. The
                message does not show the text.
        """
        text, origin = self._text, self._origin
        if reference := _VARIABLE_REFERENCE.fullmatch(text):
            if reference[1] not in environ:
                raise ConfigurationError(
                    f"The environment variable {reference[1]}, which {origin} names, is not set.",
                    "set it to the webhook URL, or to an empty text to send no messages.",
                )
            text, origin = environ[reference[1]].strip(), reference[1]
        if _is_path(text):
            text, origin = _read_file(text, origin), f"the file that {origin} names"
        return _parse_url(text, origin) if text else None


def _is_path(text: str) -> bool:
    # Absolute paths only: any other text may be a truncated URL.
    return PurePosixPath(text).is_absolute() or PureWindowsPath(text).is_absolute()


def _read_file(path: str, origin: str) -> str:
    try:
        with Path(path).open(encoding="utf-8-sig") as file:
            return file.read(_MAX_URL_LENGTH + 2).strip()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is not text"
        raise ConfigurationError(
            f"The file that {origin} names can't be read: {lower_first(reason)}.",
            "write the webhook URL into the file, and nothing else.",
        ) from None


def _parse_url(text: str, origin: str) -> WebhookUrl:
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        host, parts = "", urlsplit("")
    is_plain = text.isascii() and text.isprintable() and " " not in text and len(text) <= _MAX_URL_LENGTH
    is_private = parts.scheme == "https" or (parts.scheme == "http" and _LOOPBACK.fullmatch(host))
    if not (host and is_plain and is_private and "@" not in parts.netloc):
        raise ConfigurationError(
            f"{capitalize_first(origin)} does not contain a URL that begins with https:// and a host.",
            "copy the webhook URL again from the settings of the chat channel.",
        )
    return WebhookUrl(text, host)


def _webhook(value: object) -> object:
    """Parse `webhook`, which may name a variable or a file that contains the URL, but must not be the URL."""
    if value is None or isinstance(value, WebhookSetting):
        return value
    text = value.strip() if isinstance(value, str) else None
    if text == "":
        return None
    if text is None or not (_VARIABLE_REFERENCE.fullmatch(text) or _is_path(text)):
        raise ConfigurationError(
            "The setting `notify.webhook` must not contain the webhook URL, which is a secret.",
            f'set the environment variable {WEBHOOK_VARIABLE} to the URL; or write webhook = "env:NAME" with'
            " the name of another variable, or the absolute path of a file that contains the URL.",
        )
    return WebhookSetting(text, "`notify.webhook`")


def _on(value: object) -> object:
    # Not the message of msgspec, which would show the value: it may be the URL, written in the wrong setting.
    if value not in get_args(On):
        raise ValueError("the setting `notify.on` must be 'failure', 'warning' or 'always'")
    return value


def _digest(value: object) -> object:
    if value is not None and value not in get_args(Digest):
        raise ValueError("the setting `notify.digest` must be 'weekly'")
    return value


class NotifySettings(SettingsTable, frozen=True):
    """Messages about the outcome of a run.

    Attributes:
        webhook: Webhook that receives the messages, in Slack's format; None to send none.
        on: Outcomes to send a message about: `failure`, `warning` (a failure, or a result with a warning), or
            `always`.
        digest: `weekly` to send three sentences about the result of the first run of each week; None for
            none.
    """

    PARSERS: ClassVar = {"webhook": _webhook, "on": _on, "digest": _digest}

    webhook: WebhookSetting | None = None
    on: On = "warning"
    digest: Digest | None = None

    def webhook_url(self, environ: Mapping[str, str]) -> WebhookUrl | None:
        """Return the URL that receives the messages; None to send none.

        Raises:
            ConfigurationError: If the URL can't be resolved; see `WebhookSetting.resolve`.
        """
        return self.webhook.resolve(environ) if self.webhook else None


def require_notify_table(value: object) -> object:
    """Return `value` if it is a table. The message does not show another value, which may be the webhook URL.

    Raises:
        ConfigurationError: If `value` is not a table.
    """
    if not isinstance(value, Mapping | NotifySettings):
        raise ConfigurationError(
            "The setting `notify` must be a table.",
            f"set the environment variable {WEBHOOK_VARIABLE} to the webhook URL, and `on` below [notify] in"
            " rfm.toml.",
        )
    return value


def check_notify_layer(table: object) -> None:
    """Check that `[notify]` of a configuration file has no webhook URL, even if a variable overrides it.

    Raises:
        ConfigurationError: If `[notify]` is no table, or `webhook` is neither a variable nor a file.
    """
    if isinstance(checked := require_notify_table(table), Mapping):
        _webhook(checked.get("webhook"))


def read_notify_variables(table: object) -> dict[str, Any]:
    """Return the settings of `[notify]` from environment variables, with the webhook as a `WebhookSetting`.

    Raises:
        ConfigurationError: If the settings are no table, or the webhook is not text.
    """
    checked = require_notify_table(table)
    assert isinstance(checked, Mapping)
    settings = dict(checked)
    if settings.get("webhook") is not None:
        if not isinstance(settings["webhook"], str):
            raise ConfigurationError(
                f"{WEBHOOK_VARIABLE} must be text.", f"set {WEBHOOK_VARIABLE} to the webhook URL."
            )
        text = settings["webhook"].strip()
        settings["webhook"] = WebhookSetting(text, WEBHOOK_VARIABLE) if text else None
    return settings
