"""A chat server on loopback that accepts messages as Slack does, and simulates failures."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

WEBHOOK_PATH = "T0PLANTED/B0PLANTED/xUnshownSecretOfTheChat"
"""Path of the webhook URL, which must not appear in any output."""


@dataclass
class Chat:
    """A running chat server.

    Attributes:
        port: TCP port.
        answers: Answer to each message in turn; the last one is repeated. A number is an HTTP status; `hang`
            never answers, `drip` sends header bytes forever, `stop` sends SIGTERM to this process and then
            hangs.
        messages: Texts of all received messages, in order.
        paths: Request paths of the messages.
        headers: Request headers of the messages.
    """

    port: int
    answers: list[int | str] = field(default_factory=lambda: [200])
    messages: list[str] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    closing: threading.Event = field(default_factory=threading.Event)

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def address(self) -> str:
        return f"http://{self.host}/services/{WEBHOOK_PATH}"

    @property
    def message(self) -> str:
        """The only received message."""
        (message,) = self.messages
        return message

    def answer(self) -> int | str:
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@contextmanager
def run_chat() -> Iterator[Chat]:
    """Run a chat server in a thread."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    chat = server.chat = Chat(server.server_port)  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield chat
    finally:
        chat.closing.set()
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        chat: Chat = self.server.chat  # type: ignore[attr-defined]
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        assert list(body) == ["text"]
        chat.messages.append(body["text"])
        chat.paths.append(self.path)
        chat.headers.append(dict(self.headers))
        self.close_connection = True
        with contextlib.suppress(OSError):
            self._answer(chat, chat.answer())

    def _answer(self, chat: Chat, answer: int | str) -> None:
        if answer == "stop":
            os.kill(os.getpid(), signal.SIGTERM)
        if answer == "drip":
            self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
            while not chat.closing.wait(0.02):
                self.wfile.write(b".")
        if isinstance(answer, str):
            chat.closing.wait()
            return
        self.send_response(answer)
        if 300 <= answer < 400:
            self.send_header("Location", f"http://{chat.host}/elsewhere")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Log nothing."""
