"""Runs on BigQuery in separate processes: cancellation by signals, and secrets that must not be shown."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from rfm_pipeline.common.installation import extra_hint
from rfm_pipeline.config.engines import BigQuerySettings
from rfm_pipeline.warehouse.bigquery.connection import connect
from support.bigquery_process import MAIN_CODE, start_rfm
from support.bigquery_proxy import Proxy, Request
from support.bigquery_shop import Shop
from support.cli import Outcome, Rfm
from support.orders import ORDERS, refused, run_python

pytestmark = pytest.mark.xdist_group("bigquery")

STEPS = ("read-1", "customers", "result", "read-3", "publish")


def stop_at(step: str, proxy: Proxy, running: list[subprocess.Popen[str]], number: signal.Signals) -> None:
    """Send a signal when the process first polls the job of a step."""

    def send(request: Request) -> None:
        if request.kind == "job" and f"-{step}-" in request.job_id and running:
            running.pop().send_signal(number)

    proxy.on_request = send


@pytest.mark.parametrize("step", STEPS)
def test_a_signal_cancels_the_job_and_leaves_the_earlier_result(
    step: str, bigquery_shop: Shop, proxy: Proxy, rfm: Rfm, tmp_path: Path
) -> None:
    source, to = bigquery_shop.create_table(), bigquery_shop.destination
    assert rfm("run", source, "--to", to, "--as-of", "2024-02-25").code == 0
    before = bigquery_shop.published_rows()
    proxy.reset()
    proxy.never_ends = lambda job_id: f"-{step}-" in job_id
    number = signal.SIGINT if step == "result" else signal.SIGTERM
    running: list[subprocess.Popen[str]] = []
    stop_at(step, proxy, running, number)
    with start_rfm(proxy, tmp_path, "run", source, "--to", to) as program:
        running.append(program)
        assert program.communicate(timeout=60) == ("", "error: Stopped; nothing was published.\n")
    assert program.returncode == 130
    cancelled = {request.job_id for request in proxy.requests if request.kind == "cancel"}
    assert [job_id.rpartition(f"-{step}-")[2] for job_id in cancelled] == ["a1"]
    assert bigquery_shop.published_rows() == before
    assert bigquery_shop.tables() == ["orders", "rfm_segments", "rfm_segments_history", "rfm_segments_runs"]
    if step == STEPS[-1]:
        proxy.reset()
        assert rfm("run", source, "--to", to).code == 0
        assert bigquery_shop.published_rows() != before


def test_a_signal_after_the_commit_does_not_undo_it(
    bigquery_shop: Shop, proxy: Proxy, rfm: Rfm, tmp_path: Path
) -> None:
    source, to = bigquery_shop.create_table(), bigquery_shop.destination
    assert rfm("run", source, "--to", to, "--as-of", "2024-02-25").code == 0
    before = bigquery_shop.published_rows()
    proxy.reset()
    proxy.ends_on_cancel = lambda job_id: "-publish-" in job_id
    running: list[subprocess.Popen[str]] = []
    stop_at("publish", proxy, running, signal.SIGTERM)
    with start_rfm(proxy, tmp_path, "run", source, "--to", to, "--json") as program:
        running.append(program)
        stdout, stderr = program.communicate(timeout=60)
    assert (program.returncode, stderr) == (0, "")
    after = bigquery_shop.published_rows()
    assert after != before
    assert {row[-1] for row in after} == {json.loads(stdout)["run_id"]}


def test_a_job_that_exceeds_its_timeout_is_cancelled(bigquery_shop: Shop, proxy: Proxy, rfm: Rfm) -> None:
    source = bigquery_shop.create_table()
    proxy.never_ends = lambda job_id: "-customers-" in job_id
    ended = rfm("run", source, "--to", bigquery_shop.destination)
    sentence, hint = refused(ended, code=4)
    assert sentence == "BigQuery was still running customers after 3,600 seconds; the job was cancelled."
    assert "bigquery.job_timeout" in hint
    assert [request.job_id[-12:] for request in proxy.requests if request.kind == "cancel"] == [
        "customers-a1"
    ]
    assert bigquery_shop.tables() == ["orders"]


# Secrets


@pytest.fixture(scope="module")
def key() -> str:
    """Private key of a service account in the format of credentials.json."""
    private_key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return private_key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


def credentials(folder: Path, key: str, token_uri: str) -> Path:
    file = folder / "credentials.json"
    account = {
        "type": "service_account",
        "project_id": "shop",
        "private_key_id": "planted-key-id-0123456789",
        "private_key": key,
        "client_email": "rfm@shop.iam.gserviceaccount.com",
        "client_id": "planted-client-id-42",
        "token_uri": token_uri,
    }
    file.write_text(json.dumps(account), encoding="utf-8")
    return file


def secrets(key: str) -> list[str]:
    """Return the lines of the key, and other texts that would reveal a part of the credentials."""
    lines = [line for line in key.splitlines() if line and "PRIVATE KEY" not in line]
    return ["planted-key-id", "planted-client-id", "PRIVATE KEY", *lines]


def texts_in(folder: Path, *texts: str) -> Iterator[str]:
    yield from texts
    for path in folder.rglob("*"):
        if path.is_file() and path.name != "credentials.json":
            yield path.read_text(encoding="utf-8", errors="replace")


@pytest.mark.parametrize("spoiled", [False, True])
@pytest.mark.parametrize("command", ["run", "check", "load"])
def test_rejected_credentials_are_not_shown(command: str, spoiled: bool, key: str, tmp_path: Path) -> None:
    """The token server is unreachable, or the key is invalid."""
    text = key.replace("BEGIN PRIVATE KEY", "BEGIN KEY").replace("A", "_") if spoiled else key
    file = credentials(tmp_path, text, "http://127.0.0.1:9/token")
    (tmp_path / "orders.csv").write_text(ORDERS, encoding="utf-8")
    last = ["orders.csv", "bigquery://shop.sales.raw"]
    arguments = last if command == "load" else ["bigquery://shop.sales.raw", "--to", "bigquery://shop.sales"]
    for debug in ([], ["--debug"]):
        plain = {name: "" for name in os.environ if name.startswith("BIGQUERY_EMULATOR")}
        done = run_python(
            "-c",
            f"import os; os.chdir({str(tmp_path)!r}); {MAIN_CODE}",
            *debug,
            command,
            *arguments,
            GOOGLE_APPLICATION_CREDENTIALS=str(file),
            RFM_BIGQUERY__RETRY_TIMEOUT="0",
            NO_PROXY="127.0.0.1",
            **plain,
        )
        assert done.returncode in (2, 4), done.stderr
        if not debug:
            refused(Outcome(done.returncode, done.stdout, done.stderr), code=done.returncode)
        for text_shown in texts_in(tmp_path, done.stdout, done.stderr):
            assert not [secret for secret in secrets(text) if secret in text_shown]


def test_credentials_reach_no_table_label_or_log(
    bigquery_shop: Shop, proxy: Proxy, key: str, tmp_path: Path
) -> None:
    file = credentials(tmp_path, key, "http://127.0.0.1:9/token")
    environment = {"GOOGLE_APPLICATION_CREDENTIALS": str(file), "BIGQUERY_EMULATOR_HOST": proxy.address}
    at_home = f"import os; os.chdir({str(tmp_path)!r}); {MAIN_CODE}"
    arguments = ("run", bigquery_shop.create_table(), "--to", bigquery_shop.destination, "-o", "a.csv")
    assert run_python("-c", at_home, *arguments, **environment).returncode == 0
    proxy.fault_for = lambda request: "job resourcesExceeded" if "-edges-" in str(request.body) else None
    failed = run_python("-c", at_home, "--debug", *arguments, **environment)
    assert failed.returncode == 4
    assert "Traceback" in failed.stderr
    sent = [f"{request.path} {request.body!r} {request.headers}" for request in proxy.requests]
    rows = [str(row) for row in bigquery_shop.published_rows()]
    for text_shown in texts_in(tmp_path, failed.stdout, failed.stderr, *sent, *rows):
        assert not [secret for secret in secrets(key) if secret in text_shown]


def test_the_principal_is_the_name_of_the_account(
    key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("BIGQUERY_EMULATOR_HOST", raising=False)
    file = credentials(tmp_path, key, "http://127.0.0.1:9/token")
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(file))
    own = connect(BigQuerySettings(), "shop")
    impersonated = connect(
        BigQuerySettings(impersonate="runs@shop.iam.gserviceaccount.com", project="pays"), "shop"
    )
    assert (own.principal, own.client.project) == ("rfm@shop.iam.gserviceaccount.com", "shop")
    assert (impersonated.principal, impersonated.client.project) == (
        "runs@shop.iam.gserviceaccount.com",
        "pays",
    )
    for connection in (own, impersonated):
        connection.client.close()  # type: ignore[no-untyped-call]


# The missing extra


@pytest.mark.parametrize("arguments", [("run", "bigquery://a.b.c", "--to", "bigquery://a.b")])
def test_without_the_extra_the_hint_says_what_to_install(arguments: tuple[str, ...]) -> None:
    done = run_python("-c", f"import sys; sys.modules['google'] = None; {MAIN_CODE}", *arguments)
    sentence, hint = refused(Outcome(done.returncode, done.stdout, done.stderr))
    assert sentence == "Working with BigQuery needs the bigquery extra."
    assert hint == extra_hint("bigquery")


def test_a_run_on_duckdb_imports_no_google_module(tmp_path: Path) -> None:
    (tmp_path / "orders.csv").write_text(ORDERS, encoding="utf-8")
    code = f"import os, sys; os.chdir({str(tmp_path)!r}); sys.modules['google'] = None; {MAIN_CODE}"
    assert run_python("-c", code, "run", "orders.csv", "--quiet").returncode == 0
