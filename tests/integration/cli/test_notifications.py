"""Notifications: which are sent, their text, and that they change nothing else."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from rfm_pipeline import errors
from rfm_pipeline.config.notifications import WEBHOOK_VARIABLE
from rfm_pipeline.errors import AuditError, ConfigurationError, OutputError, RfmError, SourceError
from rfm_pipeline.notifications import notifier as notify
from rfm_pipeline.notifications.message import RunContext, failure_message
from rfm_pipeline.pipeline import staging
from support.chat_server import WEBHOOK_PATH, Chat, run_chat
from support.cli import Rfm
from support.orders import ORDERS, contents, published, refused

MISSING = "error: missing.csv does not exist.\nhint: check its spelling and the current folder.\n"

CALM = "\n".join(
    ["customer_id,order_id,ordered_at,amount"]
    # Sixteen customers with different values in every dimension, so that no audit gives a warning.
    + [
        f"c{number},{number}-{order},2025-01-{number + 1:02},{number + 1}"
        for number in range(16)
        for order in range(number + 1)
    ]
)


@pytest.fixture
def chat(rfm: Rfm, monkeypatch: pytest.MonkeyPatch) -> Iterator[Chat]:
    with run_chat() as running:
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
    """Return the facts listed in a message, by name."""
    return dict(re.findall(r"^- ([\w ]+): `?(.+?)`?$", message, re.MULTILINE))


# Text of the messages


def test_a_failure_message_has_the_error_and_the_facts_of_the_run(rfm: Rfm, chat: Chat) -> None:
    refused(rfm("run", "order.csv", "--to", "duckdb:shop.duckdb", "--as-of", "2025-01-31"))
    assert chat.message.splitlines()[0] == "rfm run failed: the source can't be read."
    assert "\n\nhint: the log of the run has the reason.\n\n" in chat.message
    listed = facts(chat.message)
    assert re.fullmatch(r"\d{8}T\d{6}-[0-9a-f]{6}", listed.pop("run"))
    assert listed == {
        "exit code": "2",
        "source": "order.csv",
        "destination": "duckdb:shop.duckdb",
        "as of": "2025-01-31",
    }
    assert chat.paths == [f"/services/{WEBHOOK_PATH}"]
    assert chat.headers[0]["Content-Type"] == "application/json; charset=utf-8"


def test_the_first_result_of_a_week_is_told_in_three_sentences(
    rfm: Rfm, chat: Chat, calm: Path, tmp_path: Path
) -> None:
    (tmp_path / "rfm.toml").write_text(
        '[notify]\ndigest = "weekly"\non = "failure"\n[report]\ncurrency = "EUR"\n', encoding="utf-8"
    )
    assert rfm("run", calm, "--quiet").code == 0
    lines = chat.message.splitlines()
    assert lines[0] == "The week in customer segments, as of 2025-01-16:"
    assert [line.partition(":")[0].partition(" ")[2][:24] for line in lines[2:5]] == [
        "This is the first result",
        "Champions are 25.0 % of ",
        "€0.00 of the revenue (0.",
    ]
    assert "16 customers have bought for €1,496." in lines[2]
    assert set(facts(chat.message)) >= {"destination", "run"}
    assert not re.search(r"\bc\d+\b", chat.message)
    # A second run in the same week tells nothing again; one in another week does.
    assert rfm("run", calm, "--quiet").code == 0
    assert len(chat.paths) == 1
    change = "UPDATE rfm_segments_runs SET finished_at = finished_at - INTERVAL 7 DAY"
    with duckdb.connect(str(tmp_path / "rfm.duckdb")) as connection:
        connection.execute(change)
    assert rfm("run", calm, "--quiet").code == 0
    assert len(chat.paths) == 2


def test_a_success_message_has_the_warnings_of_the_audits(rfm: Rfm, chat: Chat, orders: Path) -> None:
    document = rfm("run", orders, "--json").json
    warnings = [audit["name"] for audit in document["audits"] if audit["status"] == "warning"]
    assert warnings == ["bins_collapsed", "dates_read", "excluded_share"]
    assert chat.message.startswith("rfm run published 4 customers as of 2024-03-01, with 3 warnings.\n\n")
    listed = facts(chat.message)
    assert re.findall(r"^- warning: (\w+)$", chat.message, re.MULTILINE) == warnings
    assert listed["lines"] == "11 read, 7 kept"
    assert (listed["run"], listed["destination"]) == (document["run_id"], document["destination"])
    assert (listed["source"], listed["as of"], listed["exit code"]) == ("orders.csv", "2024-03-01", "0")


@pytest.mark.matrix
@pytest.mark.parametrize(
    ("when", "sources"),
    [
        ("failure", ["missing.csv"]),
        ("warning", ["orders.csv", "missing.csv"]),
        (None, ["orders.csv", "missing.csv"]),
        ("always", ["orders.csv", "calm.csv", "missing.csv"]),
    ],
)
def test_messages_are_sent_for_the_configured_outcomes_only(
    *, when: str | None, sources: list[str], rfm: Rfm, chat: Chat, orders: Path, calm: Path, tmp_path: Path
) -> None:
    (tmp_path / "rfm.toml").write_text(f"[notify]\non = '{when}'" if when else "", encoding="utf-8")
    codes = [
        rfm("run", name, "--quiet", "--to", f"duckdb:{Path(name).stem}.duckdb").code
        for name in (orders, calm, "missing.csv")
    ]
    assert codes == [0, 0, 2]
    assert [facts(message)["source"] for message in chat.messages] == sources


@pytest.mark.parametrize("command", [["check"], ["sql"], ["init"], ["demo", "--lines", "many", "--source"]])
def test_a_command_that_publishes_nothing_sends_no_message(command: list[str], rfm: Rfm, chat: Chat) -> None:
    assert rfm(*command, "missing.csv").code == 2
    assert chat.messages == []


def test_an_unreadable_configuration_is_reported(rfm: Rfm, chat: Chat, tmp_path: Path) -> None:
    (tmp_path / "rfm.toml").write_text("source = ", encoding="utf-8")
    refused(rfm("run"))
    assert chat.message.startswith("rfm run failed: a setting is invalid.\n")
    assert facts(chat.message) == {"exit code": "2"}


def test_the_webhook_of_a_file_with_an_invalid_setting_is_used(
    rfm: Rfm, chat: Chat, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("CHAT", chat.address)
    monkeypatch.delenv(WEBHOOK_VARIABLE)
    text = "source = 'a.csv'\n[scoring]\nbins = 99\n[notify]\nwebhook = 'env:CHAT'"
    (tmp_path / "rfm.toml").write_text(text, encoding="utf-8")
    assert rfm("run").code == 2
    assert facts(chat.message)["source"] == "a.csv"


def test_a_bug_is_reported_by_its_type_only(
    rfm: Rfm, chat: Chat, orders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("customer ann owes 12.50")

    monkeypatch.setattr(staging, "run_audits", broken)
    assert rfm("run", orders).code == 1
    assert chat.message.startswith("rfm run failed: a bug in rfm, ZeroDivisionError.\n")
    assert "ann" not in chat.message.replace("planned", "")
    assert facts(chat.message)["exit code"] == "1"


def test_special_characters_of_chats_are_escaped(rfm: Rfm, chat: Chat) -> None:
    rfm("run", "<!channel> & `@all`\n.csv", "--to", "duckdb:<http://a.example|here>.duckdb")
    assert not re.search(r"[<>]|&(?!amp;|lt;|gt;)|@(?!\u200b)", chat.message)
    assert facts(chat.message)["source"] == "&lt;!channel&gt; &amp; '@\u200ball' .csv"
    assert facts(chat.message)["destination"] == "duckdb:&lt;http://a.example|here&gt;.duckdb"


def test_the_length_of_a_message_is_limited() -> None:
    about = RunContext("run", "&" * 10_000, "<" * 10_000, "x" * 10_000, "y" * 10_000)
    text = failure_message(RfmError("&" * 10_000, ">" * 10_000), about)
    assert len(text) < 2_200
    assert not re.search(r"&(?!amp;|lt;|gt;)", text)


def test_a_failed_audit_is_named_without_its_finding(
    rfm: Rfm, chat: Chat, orders: Path, tmp_path: Path
) -> None:
    toml = "[audits]\nmax_age = '3 days'\n[audits.queries]\nrich = 'SELECT customer_id FROM segments'\n"
    (tmp_path / "rfm.toml").write_text(toml, encoding="utf-8")
    refused(rfm("run", orders), code=3)
    sentence = "rfm run failed: 2 audits failed (max_age, rich); nothing was published."
    assert chat.message.splitlines()[0] == sentence
    assert facts(chat.message)["exit code"] == "3"


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (SourceError("The text 'C-1' can't be cast."), "the source can't be read."),
        (ConfigurationError("The time zone 'C-1' is none."), "a setting is invalid."),
        (OutputError("C-1"), "the result was published, but one of its files can't be written."),
        (PermissionError(13, "Permission denied", "C-1"), "the operating system refused to use a file."),
        (AuditError("C-1", "C-1"), "1 audit failed; nothing was published."),
    ],
)
def test_a_message_has_a_fixed_sentence_for_each_kind_of_error(error: Exception, sentence: str) -> None:
    text = failure_message(error, RunContext("run"))
    assert text.startswith(f"rfm run failed: {sentence}\n")
    assert "C-1" not in text


def test_each_kind_of_error_has_a_sentence_of_its_own() -> None:
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and kind is not RfmError]
    sentences = [failure_message(kind(""), RunContext("run")).splitlines()[0] for kind in kinds]
    assert len(set(sentences)) == len(kinds)
    assert not any("a bug" in sentence for sentence in sentences)


# No side effects


def test_a_sent_message_does_not_change_the_output(
    rfm: Rfm, chat: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcome = rfm("run", "missing.csv")
    assert len(chat.messages) == 1
    monkeypatch.delenv(WEBHOOK_VARIABLE)
    assert rfm("run", "missing.csv") == outcome
    assert len(chat.messages) == 1


@pytest.mark.matrix
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
def test_a_message_that_can_not_be_sent_gives_one_warning(
    *, source: str, answers: list[int | str], sent: int | None, why: str | None,
    rfm: Rfm, chat: Chat, orders: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr("rfm_pipeline.notifications.webhook._RETRY_PAUSE_SECONDS", 0)
    if isinstance(answers[0], str):
        monkeypatch.setattr(notify, "_TIMEOUT_SECONDS", 0.6)
    chat.answers = list(answers)
    # A chat that hangs never answers: that the command ends shows that it gives up.
    outcome = rfm("run", source, "--quiet")
    rest = outcome.stderr
    if why:
        warning, _, rest = rest.partition(".\n")
        assert warning.startswith(f"warning: The message to 127.0.0.1 could not be sent: {why}")
    assert (outcome.code, rest) == ((0, "") if source == "orders.csv" else (2, MISSING))
    assert sent is None or len(chat.messages) == sent
    assert set(chat.paths) == {f"/services/{WEBHOOK_PATH}"}


@pytest.mark.parametrize(
    ("address", "host", "why"),
    [
        (f"http://127.0.0.1:1/{WEBHOOK_PATH}", "127.0.0.1", "connection refused"),
        (f"https://nowhere.invalid/{WEBHOOK_PATH}", "nowhere.invalid", ""),
    ],
)
def test_an_unreachable_host_is_named(
    address: str, host: str, why: str, rfm: Rfm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rfm_pipeline.notifications.webhook._RETRY_PAUSE_SECONDS", 0)
    monkeypatch.setenv(WEBHOOK_VARIABLE, address)
    outcome = rfm("run", "missing.csv")
    assert outcome.code == 2
    assert outcome.stderr.startswith(f"warning: The message to {host} could not be sent: {why}")
    assert outcome.stderr.endswith(f"\n{MISSING}")


def test_a_message_to_loopback_bypasses_the_proxy(
    rfm: Rfm, chat: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    rfm("run", "missing.csv")
    assert len(chat.messages) == 1


# Stopping


@pytest.mark.slow
def test_a_signal_during_the_message_does_not_cancel_the_run(
    rfm: Rfm, chat: Chat, orders: Path, tmp_path: Path
) -> None:
    chat.answers = ["stop"]
    warning = "warning: The message to 127.0.0.1 could not be sent: rfm was stopped.\n"
    outcome = rfm("run", orders, "--json")
    assert (outcome.code, outcome.stderr) == (0, warning)
    assert {row[-1] for row in published(tmp_path / "rfm.duckdb")} == {outcome.json["run_id"]}
    outcome = rfm("run", "missing.csv")
    assert outcome.code == 2
    assert outcome.stderr == f"{warning}{MISSING}"


@pytest.mark.slow
@pytest.mark.parametrize("answer", [200, "hang"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_cancelled_run_is_reported_and_ends(
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
        program.send_signal(number)
        # The run waits for standard input, which stays open.
        last = [json.loads(line) for line in program.stderr.read().splitlines()]
    assert program.returncode == 130
    assert [event["event"] for event in last] == (["stopped"] if answer == 200 else ["warning", "stopped"])
    assert chat.message.startswith("rfm run was stopped; nothing was published.\n")
    assert facts(chat.message)["exit code"] == "130"
    assert facts(chat.message)["run"] == last[-1]["run_id"]
    assert contents(tmp_path) == before
