"""Notification about the outcome of a command. It prints nothing and never changes the outcome."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import msgspec

from rfm_pipeline.config.base import SettingsError
from rfm_pipeline.config.loader import Configuration
from rfm_pipeline.config.notifications import (
    WEBHOOK_VARIABLE,
    NotifySettings,
    On,
    WebhookUrl,
    read_notify_variables,
)
from rfm_pipeline.config.settings import Settings
from rfm_pipeline.errors import ConfigurationError
from rfm_pipeline.notifications import message
from rfm_pipeline.notifications.webhook import send
from rfm_pipeline.results.run_result import RunResult

if TYPE_CHECKING:
    from rfm_pipeline.pipeline.progress import RunObserver

_TIMEOUT_SECONDS = 10.0
# Docker kills a container ten seconds after the stop signal.
_TIMEOUT_AFTER_CANCELLATION_SECONDS = 3.0


class Notifier:
    """Collects facts about a running command, and sends a message about its outcome.

    Args:
        command: Name of the command, such as `run`.
        environ: Environment variables.
    """

    def __init__(self, command: str, environ: Mapping[str, str]) -> None:
        self._command = command
        self._environ = environ
        self._run_id: str | None = None
        self._configuration: Configuration | None = None
        self._results: list[RunResult] = []
        self._on: On = "warning"
        self._webhook_url = _url_of_environment(environ)

    def use_configuration(self, configuration: Configuration) -> Configuration:
        """Read the settings of `[notify]`, and return the configuration.

        Raises:
            ConfigurationError: If the webhook URL is configured but can't be resolved.
        """
        self._configuration = configuration
        with suppress(SettingsError):  # The command itself reports invalid settings.
            settings = NotifySettings.of(configuration.merged.get("notify", {}))
            self._on = settings.on
            self._webhook_url = settings.webhook_url(self._environ)
        return configuration

    def observe(self, observer: RunObserver) -> RunObserver:
        """Return an observer that forwards everything to `observer` and takes the run id from it."""
        return _RunIdObserver(observer, self._set_run_id)

    def add_result(self, result: RunResult) -> RunResult:
        """Record a published result, and return it."""
        self._results.append(result)
        return result

    def _set_run_id(self, run_id: str) -> None:
        self._run_id = run_id

    def build_message(self, error: BaseException | None, *, cancelled: bool) -> str | None:
        """Return the message for the command's outcome, or None if `[notify].on` excludes that outcome.

        Args:
            error: The exception that ended the command; None if it succeeded.
            cancelled: Whether a signal cancelled the command.
        """
        if cancelled or isinstance(error, KeyboardInterrupt):
            text = str(error) if isinstance(error, KeyboardInterrupt) else ""
            return message.cancellation_message(self._context(), len(self._results), text)
        if isinstance(error, Exception):
            return message.failure_message(error, self._context(), len(self._results))
        if error is not None or not self._results:
            return None
        digests = [message.digest_message(result) for result in self._results if result.digest]
        has_warning = bool(message.distinct_warnings(self._results))
        if self._on == "always" or (self._on == "warning" and has_warning):
            digests.insert(0, message.success_message(self._command, self._results))
        return "\n\n".join(digests) or None

    def _context(self) -> message.RunContext:
        if self._configuration is None:
            return message.RunContext(self._command)
        # Unparsed, because the settings may be invalid.
        values = {**_DEFAULTS, **self._configuration.merged}
        source, to, as_of = (values[name] and str(values[name]) for name in ("source", "to", "as_of"))
        return message.RunContext(self._command, source, to, as_of, self._run_id)

    def deliver(self, text: str, warn: Callable[[str], None], *, quickly: bool) -> None:
        """Send a message; if that fails, pass a warning to `warn`. Never raises an exception.

        Args:
            text: The message.
            warn: Called with one sentence if the message can't be sent.
            quickly: Whether the command was cancelled, so that the time limit is short and there is no retry.
        """
        if self._webhook_url is None:
            return
        timeout, attempts = (_TIMEOUT_AFTER_CANCELLATION_SECONDS, 1) if quickly else (_TIMEOUT_SECONDS, 2)
        try:
            failure = send(self._webhook_url, text, timeout=timeout, attempts=attempts)
        except KeyboardInterrupt:
            failure = "rfm was stopped"
        except Exception as error:  # noqa: BLE001 - a notification never changes the outcome of the command
            failure = type(error).__name__
        if failure:
            with suppress(OSError):
                warn(f"The message to {self._webhook_url.host} could not be sent: {failure}.")


@contextmanager
def notify_at_end(
    command: str,
    warn: Callable[[str], None],
    is_cancelled: Callable[[], bool] = lambda: False,
    environ: Mapping[str, str] | None = None,
) -> Iterator[Notifier]:
    """Send a message about the outcome of the body when it ends, with or without an exception.

    Args:
        command: Name of the command, such as `run`.
        warn: Called with one sentence if the message can't be sent.
        is_cancelled: Returns whether a signal has been received. An engine may raise any error after a
            signal.
        environ: Environment variables; None is the process's own.
    """
    notifier = Notifier(command, os.environ if environ is None else environ)
    raised: BaseException | None = None
    try:
        yield notifier
    except BrokenPipeError:
        # The reader of the output closed the pipe, which is not a failure.
        raise
    except BaseException as error:
        raised = error
        raise
    finally:
        cancelled = raised is not None and is_cancelled()
        text = notifier.build_message(raised, cancelled=cancelled)
        if text:
            quickly = cancelled or isinstance(raised, KeyboardInterrupt)
            notifier.deliver(text, warn, quickly=quickly)


_DEFAULTS = {field.name: field.default for field in msgspec.structs.fields(Settings)}


class _RunIdObserver:
    def __init__(self, observer: RunObserver, set_run_id: Callable[[str], None]) -> None:
        self._set_run_id = set_run_id
        self._observer = observer
        self.step = observer.step
        self.progress = observer.progress

    def begin(self, run_id: str) -> None:
        self._set_run_id(run_id)
        self._observer.begin(run_id)


def _url_of_environment(environ: Mapping[str, str]) -> WebhookUrl | None:
    """Return the webhook URL of the environment, for messages about a configuration that can't be read."""
    try:
        values = read_notify_variables({"webhook": environ.get(WEBHOOK_VARIABLE, "")})
        return NotifySettings.of(values).webhook_url(environ)
    except (ConfigurationError, SettingsError):
        return None
