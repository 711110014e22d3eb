"""Between Google's client and the emulator: what BigQuery does and the emulator doesn't, and faults at will.

As BigQuery does, it answers 409 to a job id that is known, keeps the labels of jobs, says that a job runs
before it says that it is done, counts bytes and the rows of a load, and takes NUMERIC for all of its digits.
And it notes every request: a test can make each one fail.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

TRANSIENT = (
    "rateLimitExceeded", "backendError", "internalError", "badGateway", "jobBackendError", "jobInternalError",
    "jobRateLimitExceeded",
)  # fmt: skip
TERMINAL = (
    "invalidQuery", "accessDenied", "notFound", "quotaExceeded", "resourcesExceeded", "stopped", "timeout",
    "bytesBilledLimitExceeded",
)  # fmt: skip
BROKEN = (
    "503", "500", "429", "409", "reset before", "reset after", "hang before", "hang after", "truncated",
)  # fmt: skip
FAULTS = (*BROKEN, *(f"job {reason}" for reason in (*TRANSIENT, *TERMINAL)))
"""Everything that can be made to happen to a request; those of jobs only to one that submits a job."""

_KINDS = (
    ("insert", re.compile(r"POST /bigquery/v2/projects/[^/]+/jobs$")),
    ("upload", re.compile(r"(POST|PUT) /(resumable/)?upload/")),
    ("make", re.compile(r"POST /bigquery/v2/projects/[^/]+/datasets/[^/]+/tables$")),
    ("cancel", re.compile(r"POST /bigquery/v2/projects/[^/]+/jobs/[^/]+/cancel$")),
    ("job", re.compile(r"GET /bigquery/v2/projects/[^/]+/jobs/[^/]+$")),
    ("rows", re.compile(r"GET /bigquery/v2/projects/[^/]+/queries/[^/]+$")),
    ("dataset", re.compile(r"GET /bigquery/v2/projects/[^/]+/datasets/[^/]+$")),
    ("table", re.compile(r"GET /bigquery/v2/projects/[^/]+/datasets/[^/]+/tables/[^/]+$")),
    ("drop", re.compile(r"DELETE /bigquery/v2/projects/[^/]+/datasets/[^/]+/tables/[^/]+$")),
)
# To the emulator, NUMERIC by itself has three decimals.
_BARE_NUMERIC = re.compile(r"\bNUMERIC\b(?!\s*[('])")
_STATUS = {"accessDenied": 403, "notFound": 404, "quotaExceeded": 403, "rateLimitExceeded": 403}


@dataclass(frozen=True)
class Request:
    """A request that came by.

    Attributes:
        kind: What it is about, a name in `_KINDS` or `dry-run`.
        path: Its path, without the host.
        body: What it carries.
    """

    kind: str
    method: str
    path: str
    body: bytes = field(repr=False)
    headers: dict[str, str] = field(repr=False)

    @property
    def json(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body or b"{}")
        return found

    @property
    def sql(self) -> str:
        return str(self.json.get("configuration", {}).get("query", {}).get("query", ""))

    @property
    def job_id(self) -> str:
        if self.kind == "insert":
            return str(self.json["jobReference"]["jobId"])
        return urlsplit(self.path).path.removesuffix("/cancel").rpartition("/")[2]


@dataclass
class Answer:
    status: int
    body: bytes
    headers: dict[str, str]

    @classmethod
    def of(cls, status: int, value: Any) -> Answer:
        return cls(status, json.dumps(value).encode(), {"Content-Type": "application/json"})

    @classmethod
    def error(cls, status: int, reason: str, message: str) -> Answer:
        errors = [{"domain": "global", "reason": reason, "message": message}]
        return cls.of(status, {"error": {"code": status, "message": message, "errors": errors}})


Act = Callable[[Request], str | None]
"""Which fault befalls a request; None is none."""


@dataclass
class Proxy:
    """A proxy that runs.

    Attributes:
        address: Where it listens.
        requests: What came by so far.
        act: Decides what goes wrong; nothing unless set.
        bytes_processed: What every query is said to read.
        seen: Called with each request before it goes on.
        held: Which jobs go on until they are cancelled, and then have done nothing.
        slow: Which jobs go on until they are cancelled, and by then have done everything.
    """

    address: str
    upstream: str
    requests: list[Request] = field(default_factory=list, repr=False)
    act: Act = lambda _: None
    seen: Callable[[Request], None] = lambda _: None
    held: Callable[[str], bool] = lambda _: False
    slow: Callable[[str], bool] = lambda _: False
    bytes_processed: int = 0
    jobs: dict[str, dict[str, Any]] = field(default_factory=dict, repr=False)
    closing: threading.Event = field(default_factory=threading.Event, repr=False)
    _sessions: dict[str, tuple[dict[str, Any], int]] = field(default_factory=dict, repr=False)

    def forget(self) -> None:
        """Back to where nothing has come by, and nothing goes wrong."""
        self.requests.clear()
        self.jobs.clear()
        self.bytes_processed = 0
        self.act = self.seen = lambda _: None
        self.held = self.slow = lambda _: False

    @property
    def statements(self) -> list[str]:
        """The text of every query that was submitted, dry runs apart."""
        return [request.sql for request in self.requests if request.kind == "insert"]

    def answer(self, request: Request) -> Answer:
        """What BigQuery would answer."""
        if request.kind == "insert":
            return self._insert(request)
        if request.kind == "upload":
            return self._upload(request)
        known = self.jobs.get(request.job_id, {})
        if request.kind == "cancel" and known.pop("is held", False):
            known["failure"] = "stopped"
        if request.kind == "cancel":
            known.pop("is slow", None)
        if request.kind == "job" and {"is held", "is slow"} & known.keys():
            return Answer.of(200, self._described(known, "RUNNING"))
        if request.kind in {"job", "cancel"} and {"failure", "loaded"} & known.keys():
            job = known.get("loaded") or self._described(known, "DONE")
            return Answer.of(200, {"job": job} if request.kind == "cancel" else job)
        answer = self._forward(request)
        if answer.status != 200 or request.kind not in {"job", "dry-run"}:
            return answer
        value = json.loads(answer.body)
        value.setdefault("configuration", {})["labels"] = known.get("labels", {})
        self._count(value)
        return Answer.of(200, value)

    def failed(self, request: Request, reason: str) -> Answer:
        """The job that a request submits, taken on, and failed while it runs."""
        self.jobs[request.job_id] = {**self._known(request), "failure": reason}
        return Answer.of(200, self._described(self.jobs[request.job_id], "RUNNING"))

    def _insert(self, request: Request) -> Answer:
        if request.job_id in self.jobs:
            return Answer.error(409, "duplicate", f"Already Exists: Job {request.job_id}")
        if self.held(request.job_id):
            self.jobs[request.job_id] = {**self._known(request), "is held": True}
            return Answer.of(200, self._described(self.jobs[request.job_id], "RUNNING"))
        answer = self._forward(request)
        if answer.status != 200:
            return answer
        self.jobs[request.job_id] = self._known(request)
        if self.slow(request.job_id):
            self.jobs[request.job_id]["is slow"] = True
        return Answer.of(200, self._described(self.jobs[request.job_id], "RUNNING"))

    def _upload(self, request: Request) -> Answer:
        """A session begins with what is to be loaded, and ends with its bytes: only then there is a job."""
        if request.method == "POST":
            answer = self._forward(request)
            session = next(value for name, value in answer.headers.items() if name.lower() == "location")
            self._sessions[urlsplit(session).query] = (self._known(request), self._rows_of(request))
            return answer
        known, before = self._sessions[urlsplit(request.path).query]
        job_id = known["reference"]["jobId"]
        if job_id in self.jobs:
            return Answer.error(409, "duplicate", f"Already Exists: Job {job_id}")
        answer = self._forward(request)
        value = json.loads(answer.body or b"{}")
        if answer.status != 200 or "jobReference" not in value:
            return answer
        value |= {"jobReference": known["reference"], "configuration": known["configuration"]}
        # To the emulator, what a load puts out is what the table then has.
        loaded = value["statistics"]["load"]
        loaded["outputRows"] = str(int(loaded["outputRows"]) - before)
        self.jobs[job_id] = {**known, "loaded": value}
        return Answer.of(200, value)

    def _rows_of(self, request: Request) -> int:
        """How many rows there are before rows are added."""
        load = request.json["configuration"]["load"]
        if load.get("writeDisposition") != "WRITE_APPEND":
            return 0
        table = load["destinationTable"]
        path = "/bigquery/v2/projects/{projectId}/datasets/{datasetId}/tables/{tableId}".format(**table)
        return int(json.loads(self._forward(Request("table", "GET", path, b"", {})).body)["numRows"])

    def _known(self, request: Request) -> dict[str, Any]:
        configuration = request.json["configuration"]
        return {
            "reference": {"location": "US", **request.json["jobReference"]},
            "configuration": configuration,
            "labels": configuration.get("labels", {}),
        }

    def _described(self, known: dict[str, Any], state: str) -> dict[str, Any]:
        status: dict[str, Any] = {"state": state}
        if state == "DONE" and "failure" in known:
            error = {"reason": known["failure"], "message": f"It failed: {known['failure']}."}
            status |= {"errorResult": error, "errors": [error]}
        return {
            "kind": "bigquery#job",
            "id": known["reference"]["jobId"],
            "jobReference": known["reference"],
            "configuration": known["configuration"],
            "status": status,
            "statistics": {},
        }

    def _count(self, job: dict[str, Any]) -> None:
        read = str(self.bytes_processed)
        statistics = job.setdefault("statistics", {})
        statistics["totalBytesProcessed"] = read
        counted = {"totalBytesProcessed": read, "totalBytesBilled": read, "totalSlotMs": "7"}
        statistics.setdefault("query", {}).update(counted)

    def _forward(self, request: Request) -> Answer:
        there = urlsplit(self.upstream)
        assert there.hostname
        connection = http.client.HTTPConnection(there.hostname, there.port, timeout=60)
        try:
            dropped = {"host", "content-length"}
            headers = {name: value for name, value in request.headers.items() if name.lower() not in dropped}
            body = _spelt_out(request)
            headers |= {"Accept-Encoding": "identity", "Connection": "close"}
            headers |= {"Content-Length": str(len(body))} if body else {}
            connection.request(request.method, request.path, body, headers)
            response = connection.getresponse()
            answered = response.read()
        finally:
            connection.close()
        kept = {name: value for name, value in response.getheaders() if name.lower() in _KEPT}
        if "location" in {name.lower() for name in kept}:
            # Where an upload goes on.
            kept = {name: value.replace(self.upstream, self.address) for name, value in kept.items()}
        return Answer(response.status, answered, kept)


_KEPT = {"content-type", "location", "x-goog-upload-status", "range"}


def _spelt_out(request: Request) -> bytes:
    """What a request carries, with the digits that NUMERIC has."""
    if request.kind in {"insert", "dry-run"}:
        value = request.json
        value["configuration"]["query"]["query"] = _BARE_NUMERIC.sub("NUMERIC(38, 9)", request.sql)
        return json.dumps(value).encode()
    if request.kind == "make":
        value = request.json
        for column in value["schema"]["fields"]:
            if column["type"] == "NUMERIC":
                column.update(precision="38", scale="9")
        return json.dumps(value).encode()
    return request.body


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # An answer leaves in one piece, and at once.
    wbufsize = -1
    disable_nagle_algorithm = True
    proxy: Proxy

    def handle_any(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = urlsplit(self.path).path
        kind = next((kind for kind, form in _KINDS if form.match(f"{self.command} {path}")), "other")
        if kind == "insert" and json.loads(body)["configuration"].get("dryRun"):
            kind = "dry-run"
        request = Request(kind, self.command, self.path, body, dict(self.headers.items()))
        self.proxy.requests.append(request)
        self.proxy.seen(request)
        self._answer(request, self.proxy.act(request))

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = handle_any  # noqa: N815 - the names that the library calls

    def _answer(self, request: Request, fault: str | None) -> None:
        match fault.split() if fault else []:
            case ["reset", "before"]:
                self._reset()
            case ["reset", "after"]:
                self.proxy.answer(request)
                self._reset()
            case ["hang", when]:
                if when == "after":
                    self.proxy.answer(request)
                self.proxy.closing.wait(30)
                self._reset()
            case ["truncated"]:
                self._send(self.proxy.answer(request), cut=True)
            case ["job", reason] if request.kind == "insert":
                self._send(self.proxy.failed(request, reason))
            case ["job", reason]:
                self._send(Answer.error(_STATUS.get(reason, 400), reason, f"It failed: {reason}."))
            case [status]:
                reason = {"503": "backendError", "500": "internalError", "409": "duplicate"}.get(status, "")
                self._send(Answer.error(int(status), reason or "rateLimitExceeded", "Not now."))
            case _:
                self._send(self.proxy.answer(request))

    def _send(self, answer: Answer, *, cut: bool = False) -> None:
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        with contextlib.suppress(OSError):
            self.wfile.write(answer.body[: len(answer.body) // 2] if cut else answer.body)
            self.wfile.flush()
        if cut:
            self.close_connection = True

    def _reset(self) -> None:
        # Without lingering, closing is a reset.
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        self.connection.close()

    def log_message(self, *_: Any) -> None:
        pass

    def finish(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            super().finish()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: Any) -> None:
        """A client that went away is what some tests are about."""


class Impatient:
    """A clock for the client: to sleep takes no time, and yet it is later."""

    def __init__(self) -> None:
        self.slept = 0.0

    def now(self) -> float:
        return time.monotonic() + self.slept

    def sleep(self, seconds: float) -> None:
        self.slept += seconds

    def chance(self) -> float:
        return 0.5


@contextmanager
def proxying(upstream: str) -> Iterator[Proxy]:
    """A proxy before a server, until the end."""
    handler = type("Handler", (_Handler,), {})
    server = _Server(("127.0.0.1", 0), handler)
    proxy = Proxy(f"http://127.0.0.1:{server.server_address[1]}", upstream)
    handler.proxy = proxy  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        proxy.closing.set()
        server.shutdown()
        server.server_close()
        thread.join(10)
