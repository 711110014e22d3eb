"""A run that is stopped by a signal, and what of us may be seen, in programs of their own."""

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

from rfm_pipeline.config.engines import BigQuerySettings
from rfm_pipeline.warehouse.bigquery.client import connect
from support.bigquery_process import START, started
from support.bigquery_proxy import Proxy, Request
from support.bigquery_shop import Shop
from support.cli import Outcome, Rfm
from support.orders import ORDERS, child, refused

pytestmark = pytest.mark.xdist_group("bigquery")

STEPS = ("look-1", "customers", "result", "look-3", "publish")


def stop_at(step: str, proxy: Proxy, running: list[subprocess.Popen[str]], number: signal.Signals) -> None:
    """Sends a signal as soon as the program looks at the job of a step."""

    def look(request: Request) -> None:
        if request.kind == "job" and f"-{step}-" in request.job_id and running:
            running.pop().send_signal(number)

    proxy.seen = look


@pytest.mark.parametrize("step", STEPS)
def test_a_run_that_is_stopped_cancels_its_job_and_leaves_the_earlier_result(
    step: str, bigquery_shop: Shop, proxy: Proxy, rfm: Rfm, tmp_path: Path
) -> None:
    source, to = bigquery_shop.make(), bigquery_shop.destination
    assert rfm("run", source, "--to", to, "--as-of", "2024-02-25").code == 0
    before = bigquery_shop.published()
    proxy.forget()
    proxy.held = lambda job_id: f"-{step}-" in job_id
    number = signal.SIGINT if step == "result" else signal.SIGTERM
    running: list[subprocess.Popen[str]] = []
    stop_at(step, proxy, running, number)
    with started(proxy, tmp_path, "run", source, "--to", to) as program:
        running.append(program)
        assert program.communicate(timeout=60) == ("", "error: Stopped; nothing was published.\n")
    assert program.returncode == 130
    cancelled = {request.job_id for request in proxy.requests if request.kind == "cancel"}
    assert [job_id.rpartition(f"-{step}-")[2] for job_id in cancelled] == ["a1"]
    assert bigquery_shop.published() == before
    assert bigquery_shop.tables() == ["orders", "rfm_segments", "rfm_segments_history", "rfm_segments_runs"]
    if step == STEPS[-1]:
        proxy.forget()
        assert rfm("run", source, "--to", to).code == 0
        assert bigquery_shop.published() != before


def test_a_signal_after_the_commit_does_not_undo_it(
    bigquery_shop: Shop, proxy: Proxy, rfm: Rfm, tmp_path: Path
) -> None:
    source, to = bigquery_shop.make(), bigquery_shop.destination
    assert rfm("run", source, "--to", to, "--as-of", "2024-02-25").code == 0
    before = bigquery_shop.published()
    proxy.forget()
    proxy.slow = lambda job_id: "-publish-" in job_id
    running: list[subprocess.Popen[str]] = []
    stop_at("publish", proxy, running, signal.SIGTERM)
    with started(proxy, tmp_path, "run", source, "--to", to, "--json") as program:
        running.append(program)
        said, complaint = program.communicate(timeout=60)
    assert (program.returncode, complaint) == (0, "")
    after = bigquery_shop.published()
    assert after != before
    assert {row[-1] for row in after} == {json.loads(said)["run_id"]}


def test_a_job_that_takes_too_long_is_cancelled(bigquery_shop: Shop, proxy: Proxy, rfm: Rfm) -> None:
    source = bigquery_shop.make()
    proxy.held = lambda job_id: "-customers-" in job_id
    ended = rfm("run", source, "--to", bigquery_shop.destination)
    sentence, hint = refused(ended, code=4)
    assert sentence == "BigQuery was still running customers after 3,600 seconds; it was cancelled."
    assert "bigquery.job_timeout" in hint
    assert [request.job_id[-12:] for request in proxy.requests if request.kind == "cancel"] == [
        "customers-a1"
    ]
    assert bigquery_shop.tables() == ["orders"]


# Secrets


@pytest.fixture(scope="module")
def key() -> str:
    """The private key of a service account, as credentials.json has it."""
    made = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return made.private_bytes(
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
    """The lines of the key, the id of the key, and what a part of them would look like."""
    lines = [line for line in key.splitlines() if line and "PRIVATE KEY" not in line]
    return ["planted-key-id", "planted-client-id", "PRIVATE KEY", *lines]


def seen_in(folder: Path, *texts: str) -> Iterator[str]:
    yield from texts
    for path in folder.rglob("*"):
        if path.is_file() and path.name != "credentials.json":
            yield path.read_text(encoding="utf-8", errors="replace")


@pytest.mark.parametrize("spoiled", [False, True])
@pytest.mark.parametrize("command", ["run", "check", "load"])
def test_nothing_of_a_key_is_said_when_it_is_not_accepted(
    command: str, spoiled: bool, key: str, tmp_path: Path
) -> None:
    """Its server is one that nobody runs, or the key is not one at all."""
    text = key.replace("BEGIN PRIVATE KEY", "BEGIN KEY").replace("A", "_") if spoiled else key
    file = credentials(tmp_path, text, "http://127.0.0.1:9/token")
    (tmp_path / "orders.csv").write_text(ORDERS, encoding="utf-8")
    last = ["orders.csv", "bigquery://shop.sales.raw"]
    asked = last if command == "load" else ["bigquery://shop.sales.raw", "--to", "bigquery://shop.sales"]
    for debug in ([], ["--debug"]):
        plain = {name: "" for name in os.environ if name.startswith("BIGQUERY_EMULATOR")}
        done = child(
            "-c",
            f"import os; os.chdir({str(tmp_path)!r}); {START}",
            *debug,
            command,
            *asked,
            GOOGLE_APPLICATION_CREDENTIALS=str(file),
            RFM_BIGQUERY__RETRY_TIMEOUT="0",
            NO_PROXY="127.0.0.1",
            **plain,
        )
        assert done.returncode in (2, 4), done.stderr
        if not debug:
            refused(Outcome(done.returncode, done.stdout, done.stderr), code=done.returncode)
        for said in seen_in(tmp_path, done.stdout, done.stderr):
            assert not [secret for secret in secrets(text) if secret in said]


def test_nothing_of_a_key_reaches_a_table_a_label_or_a_log(
    bigquery_shop: Shop, proxy: Proxy, key: str, tmp_path: Path
) -> None:
    file = credentials(tmp_path, key, "http://127.0.0.1:9/token")
    given = {"GOOGLE_APPLICATION_CREDENTIALS": str(file), "BIGQUERY_EMULATOR_HOST": proxy.address}
    at_home = f"import os; os.chdir({str(tmp_path)!r}); {START}"
    asked = ("run", bigquery_shop.make(), "--to", bigquery_shop.destination, "-o", "a.csv")
    assert child("-c", at_home, *asked, **given).returncode == 0
    proxy.act = lambda request: "job resourcesExceeded" if "-edges-" in str(request.body) else None
    failed = child("-c", at_home, "--debug", *asked, **given)
    assert failed.returncode == 4
    assert "Traceback" in failed.stderr
    sent = [f"{request.path} {request.body!r} {request.headers}" for request in proxy.requests]
    rows = [str(row) for row in bigquery_shop.published()]
    for said in seen_in(tmp_path, failed.stdout, failed.stderr, *sent, *rows):
        assert not [secret for secret in secrets(key) if secret in said]


def test_who_acts_is_said_by_the_name_of_the_account(
    key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("BIGQUERY_EMULATOR_HOST", raising=False)
    file = credentials(tmp_path, key, "http://127.0.0.1:9/token")
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(file))
    itself = connect(BigQuerySettings(), "shop")
    other = connect(BigQuerySettings(impersonate="runs@shop.iam.gserviceaccount.com", project="pays"), "shop")
    assert (itself.principal, itself.client.project) == ("rfm@shop.iam.gserviceaccount.com", "shop")
    assert (other.principal, other.client.project) == ("runs@shop.iam.gserviceaccount.com", "pays")
    for made in (itself, other):
        made.client.close()  # type: ignore[no-untyped-call]


# What is not installed


@pytest.mark.parametrize("arguments", [("run", "bigquery://a.b.c", "--to", "bigquery://a.b")])
def test_without_the_extra_one_sentence_says_what_to_install(arguments: tuple[str, ...]) -> None:
    done = child("-c", f"import sys; sys.modules['google'] = None; {START}", *arguments)
    sentence, hint = refused(Outcome(done.returncode, done.stdout, done.stderr))
    assert sentence == "Working with BigQuery needs the bigquery extra."
    assert hint == "pip install 'rfm-pipeline[bigquery]'"


def test_a_run_on_duckdb_loads_nothing_of_google(tmp_path: Path) -> None:
    (tmp_path / "orders.csv").write_text(ORDERS, encoding="utf-8")
    code = f"import os, sys; os.chdir({str(tmp_path)!r}); sys.modules['google'] = None; {START}"
    assert child("-c", code, "run", "orders.csv", "--quiet").returncode == 0
