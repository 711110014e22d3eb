"""Posting of messages to a webhook: limited in time, and without following redirects."""

from __future__ import annotations

import json
import time
from importlib import import_module
from queue import Empty, Queue
from threading import Thread
from typing import TYPE_CHECKING, Any

from rfm_pipeline._version import __version__
from rfm_pipeline.common.formatting import lower_first
from rfm_pipeline.config.notifications import WebhookUrl

if TYPE_CHECKING:
    from urllib.request import OpenerDirector

_RETRY_PAUSE_SECONDS = 0.5


def send(url: WebhookUrl, text: str, *, timeout: float, attempts: int) -> str | None:
    """Post a message to a webhook.

    Args:
        url: The webhook URL.
        text: The message.
        timeout: Seconds after which sending is given up, whatever the server and the network do.
        attempts: Maximum number of attempts.

    Returns:
        The reason why the message can't be sent, to follow a colon; None if it was accepted.
    """
    # A signal during an import can leave Python's import lock with the main thread forever, and an import in
    # the thread below would then wait for the lock. These are all modules that sending imports.
    for module in ("urllib.request", "urllib.error", "encodings.idna"):
        import_module(module)
    body = json.dumps({"text": text}).encode()
    outcome: Queue[str | None] = Queue()

    def work() -> None:
        try:
            outcome.put(_post_with_retries(url, body, timeout / attempts, attempts))
        except Exception as error:  # noqa: BLE001 - the error's text may contain the secret URL
            outcome.put(type(error).__name__)

    # In a thread, because urllib's timeout limits neither name resolution nor a server that answers byte by
    # byte.
    Thread(target=work, daemon=True).start()
    try:
        return outcome.get(timeout=timeout)
    except Empty:
        return f"there was no answer within {timeout:g} seconds"


def _post_with_retries(url: WebhookUrl, body: bytes, timeout: float, attempts: int) -> str | None:
    failure = None
    for remaining in range(attempts - 1, -1, -1):
        failure, is_transient = _post(url, body, timeout)
        if failure is None or not is_transient:
            break
        if remaining:
            time.sleep(_RETRY_PAUSE_SECONDS)
    return failure


def _post(url: WebhookUrl, body: bytes, timeout: float) -> tuple[str | None, bool]:
    """Return the reason of a failure (None on success), and whether a retry may succeed."""
    from urllib.error import HTTPError
    from urllib.request import Request

    headers = {
        "Content-Type": "application/json; charset=utf-8",
        "User-Agent": f"rfm-pipeline/{__version__}",
    }
    # The scheme was checked when the URL was read.
    request = Request(url.url, body, headers, method="POST")  # noqa: S310
    try:
        with _opener(url).open(request, timeout=timeout):
            return None, False
    except HTTPError as error:
        error.close()
        if 300 <= error.code < 400:
            return f"it answered {error.code}, and redirects are not followed", False
        return f"it answered {error.code}", error.code == 429 or error.code >= 500
    except OSError as error:
        return _reason(getattr(error, "reason", error)), True


def _opener(url: WebhookUrl) -> OpenerDirector:
    from urllib.request import HTTPRedirectHandler, ProxyHandler, build_opener

    class NoRedirects(HTTPRedirectHandler):
        def redirect_request(self, *_: Any) -> None:
            """Follow no redirect: the message is for the configured host only."""

    # Only loopback URLs may be http, where a proxy would read the whole request; of https it reads the host
    # only.
    return build_opener(NoRedirects, *([ProxyHandler({})] if url.is_loopback else []))


def _reason(error: object) -> str:
    """Return the reason of a network failure, without text that could contain the secret URL."""
    if isinstance(error, TimeoutError):
        return "there was no answer in time"
    if (untrusted := getattr(error, "verify_message", None)) is not None:
        return f"its certificate is not trusted, {untrusted}"
    if isinstance(error, OSError) and error.strerror:
        return lower_first(error.strerror)
    return type(error).__name__
