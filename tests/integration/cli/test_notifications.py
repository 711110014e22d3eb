"""Messages about how a run ended: which are sent, what they say, and that they change nothing else."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from rfm_pipeline.config.notifications import WEBHOOK_VARIABLE
from rfm_pipeline.errors import AuditError, ConfigurationError, RfmError, SourceError
from rfm_pipeline.notifications import notifier as notify
from rfm_pipeline.notifications.message import RunContext, failure_message
from rfm_pipeline.pipeline import staging
from support.chat_server import PLANTED, Chat, chatting
from support.cli import Rfm
from support.orders import ORDERS, contents, published, refused

CALM = "\n".join(
    ["customer_id,order_id,ordered_at,amount"]
    # Sixteen customers whom no dimension scores alike: no audit has anything to warn of.
    + [
        f"c{number},{number}-{order},2025-01-{number + 1:02},{number + 1}"
        for number in range(16)
        for order in range(number + 1)
    ]
)


@pytest.fixture
def chat(rfm: Rfm, monkeypatch: pytest.MonkeyPatch) -> Iterator[Chat]:
    with chatting() as running:
        monkeypatch.setenv(WEBHOOK_VARIABLE, running.address)
        yield running


@pytest.fixture
def orders(tmp_path: Path) -> Path:
    path = tmp_path / "orders.csv"
    path.write_text(ORDERS, encoding="utf-8")
    return path


@pytest.fixture
def calm(tmp_path: Path) -> Path:
    path = tmp_path / "calm.csv"
    path.write_text(CALM, encoding="utf-8")
    return path


def facts(message: str) -> dict[str, str]:
    """What a message lists, by name."""
    return dict(re.findall(r"^- ([\w ]+): `?(.+?)`?$", message, re.MULTILINE))


# What is said


def test_a_failure_says_what_failed_and_what_a_person_needs_to_look_into_it(rfm: Rfm, chat: Chat) -> None:
    sentence, hint = refused(rfm("run", "order.csv", "--to", "duckdb:shop.duckdb", "--as-of", "2025-01-31"))
    assert chat.message.splitlines()[0] == f"rfm run failed: {sentence}"
    assert f"\n\nhint: {hint}\n\n" in chat.message
    listed = facts(chat.message)
    assert re.fullmatch(r"\d{8}T\d{6}-[0-9a-f]{6}", listed.pop("run"))
    assert listed == {
        "exit code": "2",
        "source": "order.csv",
        "destination": "duckdb:shop.duckdb",
        "as of": "2025-01-31",
    }
    assert chat.paths == [f"/services/{PLANTED}"]
    assert chat.headers[0]["Content-Type"] == "application/json; charset=utf-8"


def test_a_warning_says_what_the_audits_found(rfm: Rfm, chat: Chat, orders: Path) -> None:
    said = rfm("run", orders, "--json").json
    (warned,) = [audit for audit in said["audits"] if audit["status"] == "warning"]
    assert chat.message.startswith("rfm run published 4 customers as of 2024-03-01, with 1 warning.\n\n")
    listed = facts(chat.message)
    assert listed[warned["name"]] == warned["detail"]
    assert (listed["run"], listed["destination"]) == (said["run_id"], said["destination"])
    assert (listed["source"], listed["as of"], listed["exit code"]) == ("orders.csv", "2024-03-01", "0")


@pytest.mark.parametrize(
    ("when", "heard"),
    [
        ("failure", ["missing.csv"]),
        ("warning", ["orders.csv", "missing.csv"]),
        (None, ["orders.csv", "missing.csv"]),
        ("always", ["orders.csv", "calm.csv", "missing.csv"]),
    ],
)
def test_only_what_is_asked_for_is_told(
    *, when: str | None, heard: list[str], rfm: Rfm, chat: Chat, orders: Path, calm: Path, tmp_path: Path
) -> None:
    (tmp_path / "rfm.toml").write_text(f"[notify]\non = '{when}'" if when else "", encoding="utf-8")
    codes = [rfm("run", name, "--quiet").code for name in (orders, calm, "missing.csv")]
    assert codes == [0, 0, 2]
    assert [facts(message)["source"] for message in chat.messages] == heard


@pytest.mark.parametrize("command", [["check"], ["sql"], ["init"], ["demo", "--lines", "many", "--source"]])
def test_a_command_that_publishes_nothing_tells_nobody(command: list[str], rfm: Rfm, chat: Chat) -> None:
    assert rfm(*command, "missing.csv").code == 2
    assert chat.messages == []


def test_a_configuration_that_can_not_be_read_is_told_too(rfm: Rfm, chat: Chat, tmp_path: Path) -> None:
    (tmp_path / "rfm.toml").write_text("source = ", encoding="utf-8")
    sentence, _ = refused(rfm("run"))
    assert chat.message.startswith(f"rfm run failed: {sentence}\n")
    assert facts(chat.message) == {"exit code": "2"}


def test_a_setting_that_is_wrong_does_not_keep_a_file_from_naming_whom_to_tell(
    rfm: Rfm, chat: Chat, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("CHAT", chat.address)
    monkeypatch.delenv(WEBHOOK_VARIABLE)
    text = "source = 'a.csv'\n[scoring]\nbins = 99\n[notify]\nwebhook = 'env:CHAT'"
    (tmp_path / "rfm.toml").write_text(text, encoding="utf-8")
    assert rfm("run").code == 2
    assert facts(chat.message)["source"] == "a.csv"


def test_a_bug_is_told_by_its_kind_alone(
    rfm: Rfm, chat: Chat, orders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("customer ann owes 12.50")

    monkeypatch.setattr(staging, "audits_of", broken)
    assert rfm("run", orders).code == 1
    assert chat.message.startswith("rfm run failed: a bug in rfm, ZeroDivisionError.\n")
    assert "ann" not in chat.message.replace("planned", "")
    assert facts(chat.message)["exit code"] == "1"


def test_what_a_user_wrote_has_no_effect_in_a_chat(rfm: Rfm, chat: Chat) -> None:
    rfm("run", "<!channel> & `@all`\n.csv", "--to", "duckdb:<http://a.example|here>.duckdb")
    assert not re.search(r"[<>]|&(?!amp;|lt;|gt;)|@(?!\u200b)", chat.message)
    assert facts(chat.message)["source"] == "&lt;!channel&gt; &amp; '@\u200ball' .csv"
    assert facts(chat.message)["destination"] == "duckdb:&lt;http://a.example|here&gt;.duckdb"


def test_a_message_is_short_whatever_it_speaks_of() -> None:
    about = RunContext("run", "&" * 10_000, "<" * 10_000, "x" * 10_000, "y" * 10_000)
    text = failure_message(RfmError("&" * 10_000, ">" * 10_000), about)
    assert len(text) < 2_200
    assert not re.search(r"&(?!amp;|lt;|gt;)", text)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (
            SourceError("The text 'C-1, O'Hara' in the column `id` can't be cast to INT."),
            "The text '…' in the column `id` can't be cast to INT.",
        ),
        (
            SourceError('a.json, record 2: an object was expected, and ["C-1", 5] found.'),
            "expected, and … found",
        ),
        (SourceError("A value can't be taken: bad int64 value: C-1"), "bad int64 value: …"),
        (AuditError("All lines were excluded, such as 'C-1'.", "C-1 is no date."), "such as '…'."),
        # A number's two readings are no customer's.
        (AuditError("it can be read with --decimal ','."), "with --decimal ','."),
        # What was configured is not data.
        (ConfigurationError("The time zone 'C-1' is none."), "The time zone 'C-1' is none."),
    ],
)
def test_values_of_the_source_stay_in_the_log(error: RfmError, told: str) -> None:
    text = failure_message(error, RunContext("run"))
    assert told in text
    assert ("C-1" in text) == isinstance(error, ConfigurationError)


# That it changes nothing else


def test_a_message_that_arrives_changes_nothing_that_is_printed(
    rfm: Rfm, chat: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = rfm("run", "missing.csv")
    assert len(chat.messages) == 1
    monkeypatch.delenv(WEBHOOK_VARIABLE)
    assert rfm("run", "missing.csv") == told
    assert len(chat.messages) == 1


@pytest.mark.parametrize(
    ("answers", "sent", "why"),
    [
        ([503, 200], 2, None),
        ([503], 2, "it answered 503"),
        ([429], 2, "it answered 429"),
        ([404], 1, "it answered 404"),
        ([302], 1, "it answered 302, and redirects are not followed"),
        ([307], 1, "it answered 307, and redirects are not followed"),
        (["hang"], None, "there was no answer"),
        (["drip"], None, "there was no answer"),
    ],
)
@pytest.mark.parametrize("source", ["missing.csv", "orders.csv"])
def test_a_message_that_can_not_be_sent_is_one_warning(
    *, source: str, answers: list[int | str], sent: int | None, why: str | None,
    rfm: Rfm, chat: Chat, orders: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr("rfm_pipeline.notifications.webhook._RETRY_PAUSE_SECONDS", 0)
    if isinstance(answers[0], str):
        monkeypatch.setattr(notify, "_TIMEOUT_SECONDS", 0.6)
    chat.answers = list(answers)
    started = time.monotonic()
    ended = rfm("run", source, "--quiet")
    assert time.monotonic() - started < 9
    rest = ended.stderr
    if why:
        warning, _, rest = rest.partition(".\n")
        assert warning.startswith(f"warning: The message to 127.0.0.1 could not be sent: {why}")
    assert (ended.code, rest) == (
        (0, "")
        if source == "orders.csv"
        else (2, "error: missing.csv does not exist.\nhint: look at the path.\n")
    )
    assert sent is None or len(chat.messages) == sent
    assert set(chat.paths) == {f"/services/{PLANTED}"}


@pytest.mark.parametrize(
    ("address", "host", "why"),
    [
        (f"http://127.0.0.1:1/{PLANTED}", "127.0.0.1", "connection refused"),
        (f"https://nowhere.invalid/{PLANTED}", "nowhere.invalid", ""),
    ],
)
def test_a_host_that_is_not_there_is_said_by_its_name(
    address: str, host: str, why: str, rfm: Rfm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rfm_pipeline.notifications.webhook._RETRY_PAUSE_SECONDS", 0)
    monkeypatch.setenv(WEBHOOK_VARIABLE, address)
    ended = rfm("run", "missing.csv")
    assert ended.code == 2
    assert ended.stderr.startswith(f"warning: The message to {host} could not be sent: {why}")
    assert ended.stderr.endswith("\nerror: missing.csv does not exist.\nhint: look at the path.\n")


def test_a_message_to_this_machine_passes_no_proxy(
    rfm: Rfm, chat: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    rfm("run", "missing.csv")
    assert len(chat.messages) == 1


# Stopping


def test_a_stop_of_the_message_is_none_of_the_run(rfm: Rfm, chat: Chat, orders: Path, tmp_path: Path) -> None:
    chat.answers = ["stop"]
    warning = (
        "warning: The message to 127.0.0.1 could not be sent: rfm was stopped.\n"
    )
    ended = rfm("run", orders, "--json")
    assert (ended.code, ended.stderr) == (0, warning)
    assert {row[-1] for row in published(tmp_path / "rfm.duckdb")} == {ended.json["run_id"]}
    ended = rfm("run", "missing.csv")
    assert ended.code == 2
    assert ended.stderr == f"{warning}error: missing.csv does not exist.\nhint: look at the path.\n"


@pytest.mark.parametrize("answer", [200, "hang"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_run_that_is_stopped_is_told_and_ends_within_seconds(
    number: signal.Signals, answer: int | str, chat: Chat, orders: Path, tmp_path: Path
) -> None:
    chat.answers = [answer]
    before = contents(tmp_path)
    program = subprocess.Popen(
        [sys.executable, "-m", "rfm_pipeline", "run", "-", "--log-format", "json"],
        cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    with program:
        assert program.stderr is not None
        events = [json.loads(program.stderr.readline())["event"] for _ in range(2)]
        assert events == ["begin", "step"]
        started = time.monotonic()
        program.send_signal(number)
        # It waits for a line of standard input, which does not end.
        last = [json.loads(line) for line in program.stderr.read().splitlines()]
        assert time.monotonic() - started < 8
    assert program.returncode == 130
    assert [event["event"] for event in last] == (["stopped"] if answer == 200 else ["warning", "stopped"])
    assert chat.message.startswith("rfm run was stopped; nothing was published.\n")
    assert facts(chat.message)["exit code"] == "130"
    assert facts(chat.message)["run"] == last[-1]["run_id"]
    assert contents(tmp_path) == before
