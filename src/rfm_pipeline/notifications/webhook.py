"""Sending a message to an address: bounded in time, and to nowhere else."""

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

_PAUSE = 0.5


def send(address: WebhookUrl, text: str, *, within: float, tries: int) -> str | None:
    """Sends a message.

    Args:
        address: Where to.
        text: The message.
        within: Seconds after which it is given up, whatever the server or the network does.
        tries: How often it is tried.

    Returns:
        Why it can't be sent, as it goes on after a colon; None where it was accepted.
    """
    # A signal in the middle of an import can leave Python's lock on imports with the main thread for good.
    # Another thread would then wait for it with its first import: these are all that sending does.
    for module in ("urllib.request", "urllib.error", "encodings.idna"):
        import_module(module)
    body = json.dumps({"text": text}).encode()
    ended: Queue[str | None] = Queue()

    def work() -> None:
        try:
            ended.put(_tried(address, body, within / tries, tries))
        except Exception as error:  # noqa: BLE001 - what its text says may hold the address
            ended.put(type(error).__name__)

    # In a thread of its own: looking up a name, and a server that answers drop by drop, know no time-out.
    Thread(target=work, daemon=True).start()
    try:
        return ended.get(timeout=within)
    except Empty:
        return f"there was no answer within {within:g} seconds"


def _tried(address: WebhookUrl, body: bytes, timeout: float, tries: int) -> str | None:
    why = None
    for left in range(tries - 1, -1, -1):
        why, may_pass = _posted(address, body, timeout)
        if why is None or not may_pass:
            break
        if left:
            time.sleep(_PAUSE)
    return why


def _posted(address: WebhookUrl, body: bytes, timeout: float) -> tuple[str | None, bool]:
    """Why it was not accepted, and whether that may be otherwise the next time."""
    from urllib.error import HTTPError
    from urllib.request import Request

    headers = {
        "Content-Type": "application/json; charset=utf-8",
        "User-Agent": f"rfm-pipeline/{__version__}",
    }
    # Its scheme was looked at when it was read.
    request = Request(address.url, body, headers, method="POST")  # noqa: S310
    try:
        with _opener(address).open(request, timeout=timeout):
            return None, False
    except HTTPError as error:
        error.close()
        if 300 <= error.code < 400:
            return f"it answered {error.code}, and no message follows to another address", False
        return f"it answered {error.code}", error.code == 429 or error.code >= 500
    except OSError as error:
        return _reason(getattr(error, "reason", error)), True


def _opener(address: WebhookUrl) -> OpenerDirector:
    from urllib.request import HTTPRedirectHandler, ProxyHandler, build_opener

    class Stay(HTTPRedirectHandler):
        def redirect_request(self, *_: Any) -> None:
            """Follows nowhere: the message is for the one host that was configured."""

    # A proxy is told the host of an https address, and of an http one everything.
    return build_opener(Stay, *([ProxyHandler({})] if address.is_loopback else []))


def _reason(error: object) -> str:
    """What went wrong below HTTP, in words that can't have the address in them."""
    if isinstance(error, TimeoutError):
        return "there was no answer in time"
    if (untrusted := getattr(error, "verify_message", None)) is not None:
        return f"its certificate is not trusted, {untrusted}"
    if isinstance(error, OSError) and error.strerror:
        return lower_first(error.strerror)
    return type(error).__name__
