"""Telling somebody how a run ended. It prints nothing, and changes nothing about how the run ends."""

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

_PATIENCE = 10.0
# Whoever stops a run waits for its end: Docker gives it ten seconds, and then kills it.
_PATIENCE_OF_A_STOP = 3.0


class Notifier:
    """Learns what a command does, so as to tell of it at its end.

    Args:
        doing: The command, such as `run`.
        environ: The environment.
    """

    def __init__(self, doing: str, environ: Mapping[str, str]) -> None:
        self._doing = doing
        self._environ = environ
        self._run_id: str | None = None
        self._configuration: Configuration | None = None
        self._results: list[RunResult] = []
        self._on: On = "warning"
        self._address = _early(environ)

    def about(self, configuration: Configuration) -> Configuration:
        """Takes the settings, and gives them back.

        Raises:
            ConfigurationError: Whom to tell can't be found out; better now than when there is something.
        """
        self._configuration = configuration
        with suppress(SettingsError):  # The run itself says what is wrong with its settings.
            settings = NotifySettings.of(configuration.merged.get("notify", {}))
            self._on = settings.on
            self._address = settings.webhook_url(self._environ)
        return configuration

    def watching(self, watcher: RunObserver) -> RunObserver:
        """A watcher that passes on all that it is told, and from which the run's id is learned."""
        return _NotifyingObserver(watcher, self._learn)

    def done(self, result: RunResult) -> RunResult:
        """Takes a result that was published, and gives it back."""
        self._results.append(result)
        return result

    def _learn(self, run_id: str) -> None:
        self._run_id = run_id

    def build_message(self, error: BaseException | None, *, stopped: bool) -> str | None:
        """What is to be said of the end; None where nobody wants to know.

        Args:
            error: Why the command ended early; None where it did not.
            stopped: Whether that is because somebody stopped it.
        """
        if stopped or isinstance(error, KeyboardInterrupt):
            said = str(error) if isinstance(error, KeyboardInterrupt) else ""
            return message.stop(self._circumstances(), len(self._results), said)
        if isinstance(error, Exception):
            return message.failure(error, self._circumstances())
        if error is not None or not self._results or self._on == "failure":
            return None
        if self._on == "warning" and not message.warnings_of(self._results):
            return None
        return message.success(self._doing, self._results)

    def _circumstances(self) -> message.RunContext:
        if self._configuration is None:
            return message.RunContext(self._doing)
        # As it was written: settings that are wrong have no other form.
        said = {**_DEFAULTS, **self._configuration.merged}
        source, to, as_of = (said[name] and str(said[name]) for name in ("source", "to", "as_of"))
        return message.RunContext(self._doing, source, to, as_of, self._run_id)

    def deliver(self, text: str, warn: Callable[[str], None], *, quickly: bool) -> None:
        """Sends a message, or warns that it can't be sent. Nothing that goes wrong here gets out."""
        if self._address is None:
            return
        within, tries = (_PATIENCE_OF_A_STOP, 1) if quickly else (_PATIENCE, 2)
        try:
            why = send(self._address, text, within=within, tries=tries)
        except KeyboardInterrupt:
            why = "it was given up, because rfm was stopped"
        except Exception as error:  # noqa: BLE001 - how the run ended is what counts
            why = type(error).__name__
        if why:
            with suppress(OSError):
                warn(f"The message to {self._address.host} could not be sent: {why}.")


@contextmanager
def notifying(
    doing: str,
    warn: Callable[[str], None],
    stopped: Callable[[], bool] = lambda: False,
    environ: Mapping[str, str] | None = None,
) -> Iterator[Notifier]:
    """Tells somebody how what is done inside ends; only then, and whatever happens.

    Args:
        doing: The command, such as `run`.
        warn: Told in one sentence that a message can't be sent.
        stopped: Whether a signal has asked us to stop: what an engine raises then says nothing of it.
        environ: The environment; None is the process's own.
    """
    notifier = Notifier(doing, os.environ if environ is None else environ)
    failed: BaseException | None = None
    try:
        yield notifier
    except BrokenPipeError:
        # Whoever read our output has had enough; that is no failure.
        raise
    except BaseException as error:
        failed = error
        raise
    finally:
        asked = failed is not None and stopped()
        text = notifier.build_message(failed, stopped=asked)
        if text:
            quickly = asked or isinstance(failed, KeyboardInterrupt)
            notifier.deliver(text, warn, quickly=quickly)


_DEFAULTS = {field.name: field.default for field in msgspec.structs.fields(Settings)}


class _NotifyingObserver:
    def __init__(self, watcher: RunObserver, learn: Callable[[str], None]) -> None:
        self._learn = learn
        self._watcher = watcher
        self.step = watcher.step
        self.progress = watcher.progress

    def begin(self, run_id: str) -> None:
        self._learn(run_id)
        self._watcher.begin(run_id)


def _early(environ: Mapping[str, str]) -> WebhookUrl | None:
    """The address as the environment has it: a configuration that can't be read is worth a message too."""
    try:
        said = read_notify_variables({"webhook": environ.get(WEBHOOK_VARIABLE, "")})
        return NotifySettings.of(said).webhook_url(environ)
    except (ConfigurationError, SettingsError):
        return None
