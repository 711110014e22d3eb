"""Proxy between Google's client and the emulator, which corrects the emulator's responses and injects faults.

Like BigQuery, the proxy responds with 409 to an existing job id, keeps the labels of jobs, reports a job as
running before it is done, counts bytes and loaded rows, and gives NUMERIC its full precision. It records
every request, and a test can make each one fail.
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
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from support.bigquery_emulator import Emulator, emulator_at

TRANSIENT_REASONS = (
    "rateLimitExceeded", "backendError", "internalError", "badGateway", "jobBackendError", "jobInternalError",
    "jobRateLimitExceeded",
)  # fmt: skip
PERMANENT_REASONS = (
    "invalidQuery", "accessDenied", "notFound", "quotaExceeded", "resourcesExceeded", "stopped", "timeout",
    "bytesBilledLimitExceeded",
)  # fmt: skip
REQUEST_FAULTS = (
    "503", "500", "429", "409", "reset before", "reset after", "hang before", "hang after", "truncated",
)  # fmt: skip
FAULTS = (*REQUEST_FAULTS, *(f"job {reason}" for reason in (*TRANSIENT_REASONS, *PERMANENT_REASONS)))
"""All faults; those with `job` apply only to requests that submit a job."""

_KINDS = (
    ("insert", re.compile(r"POST /bigquery/v2/projects/[^/]+/jobs$")),
    ("upload", re.compile(r"(POST|PUT) /(resumable/)?upload/")),
    ("create", re.compile(r"POST /bigquery/v2/projects/[^/]+/datasets/[^/]+/tables$")),
    ("cancel", re.compile(r"POST /bigquery/v2/projects/[^/]+/jobs/[^/]+/cancel$")),
    ("job", re.compile(r"GET /bigquery/v2/projects/[^/]+/jobs/[^/]+$")),
    ("rows", re.compile(r"GET /bigquery/v2/projects/[^/]+/queries/[^/]+$")),
    ("dataset", re.compile(r"GET /bigquery/v2/projects/[^/]+/datasets/[^/]+$")),
    ("table", re.compile(r"GET /bigquery/v2/projects/[^/]+/datasets/[^/]+/tables/[^/]+$")),
    ("drop", re.compile(r"DELETE /bigquery/v2/projects/[^/]+/datasets/[^/]+/tables/[^/]+$")),
)
_STATUS = {"accessDenied": 403, "notFound": 404, "quotaExceeded": 403, "rateLimitExceeded": 403}


@dataclass(frozen=True)
class Request:
    """A recorded request.

    Attributes:
        kind: A name of `_KINDS`, `dry-run` or `other`.
        path: Path with the query string.
        body: Body, mostly JSON.
    """

    kind: str
    method: str
    path: str
    body: bytes = field(repr=False)
    headers: dict[str, str] = field(repr=False)

    @property
    def json(self) -> dict[str, Any]:
        value: dict[str, Any] = json.loads(self.body or b"{}")
        return value

    @property
    def sql(self) -> str:
        return str(self.json.get("configuration", {}).get("query", {}).get("query", ""))

    @property
    def job_id(self) -> str:
        if self.kind == "insert":
            return str(self.json["jobReference"]["jobId"])
        return urlsplit(self.path).path.removesuffix("/cancel").rpartition("/")[2]


@dataclass
class Response:
    status: int
    body: bytes
    headers: dict[str, str]

    @classmethod
    def of(cls, status: int, value: Any) -> Response:
        return cls(status, json.dumps(value).encode(), {"Content-Type": "application/json"})

    @classmethod
    def error(cls, status: int, reason: str, message: str) -> Response:
        errors = [{"domain": "global", "reason": reason, "message": message}]
        return cls.of(status, {"error": {"code": status, "message": message, "errors": errors}})


FaultChooser = Callable[[Request], str | None]
"""Function that returns the fault for a request, or None."""


@dataclass
class Proxy:
    """A running proxy.

    Attributes:
        address: Address of the proxy.
        upstream: Address of the emulator.
        requests: Requests so far, in order.
        fault_for: Returns the fault of a request; by default none.
        bytes_processed: Bytes that every query reports.
        rewrites: Patterns in statements, and what the emulator gets in their place, besides its own.
        on_request: Called with each request before it is forwarded.
        never_ends: Selects job ids that run until they are cancelled, and then have no effect.
        ends_on_cancel: Selects job ids that run until they are cancelled, and have taken effect by then.
        jobs: State of each job, by id.
        is_closing: Set when the proxy stops.
    """

    address: str
    upstream: str
    requests: list[Request] = field(default_factory=list, repr=False)
    fault_for: FaultChooser = lambda _: None
    on_request: Callable[[Request], None] = lambda _: None
    never_ends: Callable[[str], bool] = lambda _: False
    ends_on_cancel: Callable[[str], bool] = lambda _: False
    bytes_processed: int = 0
    rewrites: list[tuple[str, str]] = field(default_factory=list)
    jobs: dict[str, dict[str, Any]] = field(default_factory=dict, repr=False)
    is_closing: threading.Event = field(default_factory=threading.Event, repr=False)
    _sessions: dict[str, tuple[dict[str, Any], int]] = field(default_factory=dict, repr=False)

    def reset(self) -> None:
        """Forget all requests and jobs, and remove all faults."""
        self.requests.clear()
        self.jobs.clear()
        self.bytes_processed = 0
        self.fault_for = self.on_request = lambda _: None
        self.never_ends = self.ends_on_cancel = lambda _: False

    @property
    def statements(self) -> list[str]:
        """SQL of every submitted query, without dry runs."""
        return [request.sql for request in self.requests if request.kind == "insert"]

    def respond(self, request: Request) -> Response:
        """Return the response that BigQuery would give."""
        if request.kind == "insert":
            return self._submit_query(request)
        if request.kind == "upload":
            return self._upload(request)
        job_state = self.jobs.get(request.job_id, {})
        if request.kind == "cancel" and job_state.pop("never ends", False):
            job_state["failure"] = "stopped"
        if request.kind == "cancel":
            job_state.pop("ends on cancel", None)
        if request.kind == "job" and {"never ends", "ends on cancel"} & job_state.keys():
            return Response.of(200, self._job_resource(job_state, "RUNNING"))
        if request.kind in {"job", "cancel"} and {"failure", "loaded"} & job_state.keys():
            job = job_state.get("loaded") or self._job_resource(job_state, "DONE")
            return Response.of(200, {"job": job} if request.kind == "cancel" else job)
        response = self._forward(request)
        if response.status != 200 or request.kind not in {"job", "dry-run"}:
            return response
        value = json.loads(response.body)
        value.setdefault("configuration", {})["labels"] = job_state.get("labels", {})
        self._add_statistics(value)
        return Response.of(200, value)

    def accept_failing_job(self, request: Request, reason: str) -> Response:
        """Accept the submitted job, and let it fail with `reason` while it runs."""
        self.jobs[request.job_id] = {**self._job_state(request), "failure": reason}
        return Response.of(200, self._job_resource(self.jobs[request.job_id], "RUNNING"))

    def _submit_query(self, request: Request) -> Response:
        if request.job_id in self.jobs:
            return Response.error(409, "duplicate", f"Already Exists: Job {request.job_id}")
        if self.never_ends(request.job_id):
            self.jobs[request.job_id] = {**self._job_state(request), "never ends": True}
            return Response.of(200, self._job_resource(self.jobs[request.job_id], "RUNNING"))
        response = self._forward(request)
        if response.status != 200:
            return response
        self.jobs[request.job_id] = self._job_state(request)
        if self.ends_on_cancel(request.job_id):
            self.jobs[request.job_id]["ends on cancel"] = True
        return Response.of(200, self._job_resource(self.jobs[request.job_id], "RUNNING"))

    def _upload(self, request: Request) -> Response:
        """Handle an upload session: a POST starts it with the configuration, the last PUT creates the job."""
        if request.method == "POST":
            response = self._forward(request)
            session = next(value for name, value in response.headers.items() if name.lower() == "location")
            self._sessions[urlsplit(session).query] = (self._job_state(request), self._rows_of(request))
            return response
        job_state, existing_rows = self._sessions[urlsplit(request.path).query]
        job_id = job_state["reference"]["jobId"]
        if job_id in self.jobs:
            return Response.error(409, "duplicate", f"Already Exists: Job {job_id}")
        response = self._forward(request)
        value = json.loads(response.body or b"{}")
        if response.status != 200 or "jobReference" not in value:
            return response
        value |= {"jobReference": job_state["reference"], "configuration": job_state["configuration"]}
        # The emulator reports all rows of the table in place of the loaded ones.
        loaded = value["statistics"]["load"]
        loaded["outputRows"] = str(int(loaded["outputRows"]) - existing_rows)
        self.jobs[job_id] = {**job_state, "loaded": value}
        return Response.of(200, value)

    def _rows_of(self, request: Request) -> int:
        """Return the number of existing rows that the load keeps."""
        load = request.json["configuration"]["load"]
        if load.get("writeDisposition") != "WRITE_APPEND":
            return 0
        table = load["destinationTable"]
        path = "/bigquery/v2/projects/{projectId}/datasets/{datasetId}/tables/{tableId}".format(**table)
        return int(json.loads(self._forward(Request("table", "GET", path, b"", {})).body)["numRows"])

    def _job_state(self, request: Request) -> dict[str, Any]:
        configuration = request.json["configuration"]
        return {
            "reference": {"location": "US", **request.json["jobReference"]},
            "configuration": configuration,
            "labels": configuration.get("labels", {}),
        }

    def _job_resource(self, job_state: dict[str, Any], state: str) -> dict[str, Any]:
        status: dict[str, Any] = {"state": state}
        if state == "DONE" and "failure" in job_state:
            error = {"reason": job_state["failure"], "message": f"It failed: {job_state['failure']}."}
            status |= {"errorResult": error, "errors": [error]}
        return {
            "kind": "bigquery#job",
            "id": job_state["reference"]["jobId"],
            "jobReference": job_state["reference"],
            "configuration": job_state["configuration"],
            "status": status,
            "statistics": {},
        }

    def _add_statistics(self, job: dict[str, Any]) -> None:
        read = str(self.bytes_processed)
        statistics = job.setdefault("statistics", {})
        statistics["totalBytesProcessed"] = read
        counted = {"totalBytesProcessed": read, "totalBytesBilled": read, "totalSlotMs": "7"}
        statistics.setdefault("query", {}).update(counted)

    def _forward(self, request: Request) -> Response:
        upstream = urlsplit(self.upstream)
        assert upstream.hostname
        connection = http.client.HTTPConnection(upstream.hostname, upstream.port, timeout=60)
        try:
            dropped = {"host", "content-length"}
            headers = {name: value for name, value in request.headers.items() if name.lower() not in dropped}
            body = _for_emulator(request, emulator_at(self.upstream), self.rewrites)
            headers |= {"Accept-Encoding": "identity", "Connection": "close"}
            headers |= {"Content-Length": str(len(body))} if body else {}
            connection.request(request.method, request.path, body, headers)
            response = connection.getresponse()
            response_body = response.read()
        finally:
            connection.close()
        kept = {name: value for name, value in response.getheaders() if name.lower() in _KEPT}
        if "location" in {name.lower() for name in kept}:
            # The URL of the upload session.
            kept = {name: value.replace(self.upstream, self.address) for name, value in kept.items()}
        return Response(response.status, response_body, kept)


_KEPT = {"content-type", "location", "x-goog-upload-status", "range"}


def _for_emulator(request: Request, emulator: Emulator, rewrites: Sequence[tuple[str, str]]) -> bytes:
    """Return the body of a request with its statement as an emulator reads it like BigQuery."""
    if request.kind in {"insert", "dry-run"} and request.sql:
        value = request.json
        sql = request.sql
        for pattern, replacement in (*emulator.rewrites, *rewrites):
            sql = re.sub(pattern, replacement, sql)
        value["configuration"]["query"]["query"] = sql
        return json.dumps(value).encode()
    if request.kind == "create" and emulator.rounds_numeric:
        value = request.json
        for column in value["schema"]["fields"]:
            if column["type"] == "NUMERIC":
                column.update(precision="38", scale="9")
        return json.dumps(value).encode()
    return request.body


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Each response is sent at once, in one piece.
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
        self.proxy.on_request(request)
        self._answer(request, self.proxy.fault_for(request))

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = handle_any  # noqa: N815 - names of the library

    def _answer(self, request: Request, fault: str | None) -> None:
        match fault.split() if fault else []:
            case ["reset", "before"]:
                self._reset()
            case ["reset", "after"]:
                self.proxy.respond(request)
                self._reset()
            case ["hang", when]:
                if when == "after":
                    self.proxy.respond(request)
                self.proxy.is_closing.wait(30)
                self._reset()
            case ["truncated"]:
                self._send(self.proxy.respond(request), truncated=True)
            case ["job", reason] if request.kind == "insert":
                self._send(self.proxy.accept_failing_job(request, reason))
            case ["job", reason]:
                self._send(Response.error(_STATUS.get(reason, 400), reason, f"It failed: {reason}."))
            case [status]:
                reason = {"503": "backendError", "500": "internalError", "409": "duplicate"}.get(status, "")
                self._send(Response.error(int(status), reason or "rateLimitExceeded", "Not now."))
            case _:
                self._send(self.proxy.respond(request))

    def _send(self, response: Response, *, truncated: bool = False) -> None:
        self.send_response(response.status)
        for name, value in response.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(response.body)))
        self.end_headers()
        with contextlib.suppress(OSError):
            self.wfile.write(response.body[: len(response.body) // 2] if truncated else response.body)
            self.wfile.flush()
        if truncated:
            self.close_connection = True

    def _reset(self) -> None:
        # With a linger time of 0, closing the socket sends a reset.
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
        """Ignore broken connections, which some tests cause on purpose."""


class InstantClock:
    """A clock whose `sleep` returns at once and advances the time."""

    def __init__(self) -> None:
        self.elapsed = 0.0

    def now(self) -> float:
        return time.monotonic() + self.elapsed

    def sleep(self, seconds: float) -> None:
        self.elapsed += seconds

    def jitter(self) -> float:
        return 0.5


@contextmanager
def run_proxy(upstream: str) -> Iterator[Proxy]:
    """Run a proxy in front of the emulator at `upstream`; stop it at the end."""
    handler = type("Handler", (_Handler,), {})
    server = _Server(("127.0.0.1", 0), handler)
    proxy = Proxy(f"http://127.0.0.1:{server.server_address[1]}", upstream)
    handler.proxy = proxy  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        proxy.is_closing.set()
        server.shutdown()
        server.server_close()
        thread.join(10)
