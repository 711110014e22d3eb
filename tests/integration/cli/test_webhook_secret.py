"""The address that messages go to: where it may come from, and that it appears nowhere."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from rfm_pipeline.config.loader import Configuration, load
from rfm_pipeline.config.notifications import WEBHOOK_VARIABLE, WebhookSetting
from rfm_pipeline.errors import ConfigurationError, UsageError
from rfm_pipeline.schedule import TARGETS
from rfm_pipeline.schedule.spec import refuse_secret
from support.chat_server import PLANTED, Chat, chatting
from support.cli import Outcome, Rfm
from support.orders import ORDERS, child, refused

ADDRESS = f"https://hooks.slack.com/services/{PLANTED}"
PARTS = [PLANTED, *PLANTED.split("/")]


def is_unsaid(*texts: str) -> bool:
    return not any(part in text for part in PARTS for text in texts)


@pytest.fixture
def chat() -> Iterator[Chat]:
    with chatting() as running:
        yield running


@pytest.fixture
def orders(tmp_path: Path) -> Path:
    path = tmp_path / "orders.csv"
    path.write_text(ORDERS, encoding="utf-8")
    return path


# Where it may come from


@pytest.mark.parametrize(
    ("file", "environment"),
    [
        ("", {WEBHOOK_VARIABLE: "ADDRESS"}),
        ("", {WEBHOOK_VARIABLE: " ADDRESS\n"}),
        ("", {"RFM_NOTIFY": '{"webhook": "ADDRESS", "on": "always"}'}),
        ("", {WEBHOOK_VARIABLE: "FILE"}),
        ("", {WEBHOOK_VARIABLE: "env:CHAT", "CHAT": "ADDRESS"}),
        ("webhook = 'env:CHAT'", {"CHAT": "ADDRESS"}),
        ("webhook = 'env:CHAT'", {"CHAT": "FILE"}),
        ("webhook = 'FILE'", {}),
        ("webhook = 'env:OTHER'", {WEBHOOK_VARIABLE: "ADDRESS"}),
    ],
)
def test_the_address_comes_from_a_variable_or_from_a_file_that_is_named(
    *, file: str, environment: dict[str, str], rfm: Rfm, chat: Chat, orders: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    kept = tmp_path / "kept" / "secret.json"
    kept.parent.mkdir()
    kept.write_text(f"{chat.address}\n", encoding="utf-8")
    for name, value in environment.items():
        monkeypatch.setenv(name, value.replace("ADDRESS", chat.address).replace("FILE", str(kept)))
    (tmp_path / "rfm.toml").write_text(f"[notify]\n{file.replace('FILE', str(kept))}", encoding="utf-8")
    assert rfm("run", orders, "--quiet") == Outcome(0, "", "")
    assert len(chat.messages) == 1


@pytest.mark.parametrize(
    ("file", "environment"),
    [
        ("webhook = ''", {}),
        ("webhook = 'env:CHAT'", {"CHAT": ""}),
        ("webhook = 'env:CHAT'", {WEBHOOK_VARIABLE: "", "CHAT": "ADDRESS"}),
    ],
)
def test_an_empty_address_tells_nobody(
    *, file: str, environment: dict[str, str], rfm: Rfm, chat: Chat, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    for name, value in environment.items():
        monkeypatch.setenv(name, value.replace("ADDRESS", chat.address))
    (tmp_path / "rfm.toml").write_text(f"[notify]\n{file}", encoding="utf-8")
    assert rfm("run", "missing.csv").code == 2
    assert chat.messages == []


@pytest.mark.parametrize("command", ["run", "check"])
@pytest.mark.parametrize(
    ("webhook", "told"),
    [
        ("env:CHAT", "The environment variable CHAT, which `notify.webhook` names, is not set."),
        ("/nowhere/chat", "The file that `notify.webhook` names can't be read: no such file or directory."),
    ],
)
def test_an_address_that_is_not_to_be_had_is_found_before_it_is_needed(
    *, command: str, webhook: str, told: str, rfm: Rfm, orders: Path, tmp_path: Path
) -> None:
    (tmp_path / "rfm.toml").write_text(f"[notify]\nwebhook = '{webhook}'", encoding="utf-8")
    assert refused(rfm(command, orders))[0] == told
    assert not (tmp_path / "rfm.duckdb").exists()
    # Whoever only looks at the query needs no address.
    assert rfm("sql", orders).code == 0


@pytest.mark.parametrize(
    "address",
    [
        f"http://hooks.slack.com/services/{PLANTED}",
        f"hooks.slack.com/services/{PLANTED}",
        f"ftp://hooks.slack.com/{PLANTED}",
        f"https:///{PLANTED}",
        f"https://hooks.slack.com:port/{PLANTED}",
        f"https://[::1/{PLANTED}",
        f"https://user:{PLANTED}@chat.example/",
        f"https://chat.example/ {PLANTED}",
        f"https://chat.example/{PLANTED}\x7f",
        f"http://127.0.0.1.evil.example/{PLANTED}",
        f"https://chat.example/{PLANTED}{'x' * 3000}",
        f"file:///{PLANTED}",
        f"env:{PLANTED}",
    ],
)
def test_an_address_to_which_nothing_private_can_be_sent_is_refused_and_not_repeated(address: str) -> None:
    with pytest.raises(ConfigurationError, match="does not contain a URL that begins with https://") as error:
        WebhookSetting(address, WEBHOOK_VARIABLE).resolve({})
    assert is_unsaid(error.value.message, error.value.hint or "")


# That it stands in no file


@pytest.mark.parametrize(
    "text",
    [
        f"[notify]\nwebhook = '{ADDRESS}'",
        f"[notify]\nwebhook = '{ADDRESS.removeprefix('https://')}'",
        f"[notify]\nwebhook = ['{ADDRESS}']",
        f"[notify]\nwebhook = 'env:{ADDRESS}'",
        f"[notify.webhook]\nurl = '{ADDRESS}'",
        f"[notify]\non = '{ADDRESS}'",
        f"[notify]\nwebhok = '{ADDRESS}'",
        f"notify = '{ADDRESS}'",
        f"notify = ['{ADDRESS}']",
        f"webhook = '{ADDRESS}'",
        f"[notify]\nwebhook = {ADDRESS}",
        f"[notify]\nwebhook = '{ADDRESS}",
    ],
)
@pytest.mark.parametrize("command", ["run", "check", "sql"])
def test_an_address_in_a_file_is_refused_and_not_repeated(
    *, command: str, text: str, rfm: Rfm, orders: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    (tmp_path / "rfm.toml").write_text(text, encoding="utf-8")
    # Where a variable wins over it, it is in the file all the same.
    for variable in (None, "env:CHAT") if "webhook = '" in text and "[notify]" in text else (None,):
        if variable:
            monkeypatch.setenv(WEBHOOK_VARIABLE, variable)
            monkeypatch.setenv("CHAT", "")
        ended = rfm(command, orders)
        assert is_unsaid(*refused(ended))
    assert not (tmp_path / "rfm.duckdb").exists()


def test_the_refusal_says_how_it_is_done(rfm: Rfm, orders: Path, tmp_path: Path) -> None:
    (tmp_path / "rfm.toml").write_text(f"[notify]\nwebhook = '{ADDRESS}'", encoding="utf-8")
    sentence, hint = refused(rfm("run", orders))
    assert "is a secret" in sentence
    assert WEBHOOK_VARIABLE in hint
    assert 'webhook = "env:NAME"' in hint


@pytest.mark.parametrize(
    "environment",
    [
        {"RFM_NOTIFY": ADDRESS},
        {"RFM_NOTIFY": json.dumps([ADDRESS])},
        {"RFM_NOTIFY": json.dumps({"webhook": [ADDRESS]})},
        {"RFM_NOTIFY": json.dumps({"webhook": {"url": ADDRESS}})},
        {"RFM_NOTIFY__ON": ADDRESS},
        {"RFM_NOTIFY__WEBHOK": ADDRESS},
        {"RFM_NOTIFY_WEBHOOK": ADDRESS},
        {"RFM_NOTIFY__WEBHOOK__URL": ADDRESS},
        {"RFM_WEBHOOK": ADDRESS},
        {WEBHOOK_VARIABLE: f"x{ADDRESS}"},
    ],
)
def test_a_variable_that_is_wrong_is_not_repeated(
    environment: dict[str, str], rfm: Rfm, orders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    for arguments in (["run", orders], ["check", orders, "--json"]):
        assert is_unsaid(*refused(rfm(*arguments)))


# That it appears nowhere


@pytest.mark.parametrize("debug", [[], ["--debug"]])
@pytest.mark.parametrize("log", ["text", "json"])
@pytest.mark.parametrize("arguments", [["run", "orders.csv"], ["run", "missing.csv"], ["run", "-p", "bogus"]])
@pytest.mark.parametrize("answer", [200, 500, 302])
def test_a_run_says_nothing_of_it(
    *, answer: int, arguments: list[str], log: str, debug: list[str], rfm: Rfm, chat: Chat, orders: Path,
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    monkeypatch.setattr("rfm_pipeline.notifications.webhook._RETRY_PAUSE_SECONDS", 0)
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv(WEBHOOK_VARIABLE, chat.address)
    chat.answers = [answer]
    ended = rfm(*debug, *arguments, "--json", "--log-format", log, "-o", "out.json")
    monkeypatch.delenv("RFM_DEBUG", raising=False)
    assert chat.messages
    assert is_unsaid(ended.stdout, ended.stderr, caplog.text, *chat.messages)
    assert "Traceback" in ended.stderr or not debug or ended.code == 0
    for path in tmp_path.rglob("*"):
        assert is_unsaid(path.read_text(encoding="utf-8", errors="replace"))


@pytest.mark.parametrize("command", [["check"], ["check", "--json"], ["sql"], ["init"]])
def test_no_other_command_says_anything_of_it(
    command: list[str], rfm: Rfm, orders: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(WEBHOOK_VARIABLE, ADDRESS)
    ended = rfm(*command, orders)
    assert ended.code == 0, ended.stderr
    assert is_unsaid(ended.stdout, ended.stderr)
    assert command != ["init"] or is_unsaid((tmp_path / "rfm.toml").read_text(encoding="utf-8"))


def test_no_form_of_the_settings_shows_it() -> None:
    configuration = load({}, folder=Path("/nonexistent"), environ={WEBHOOK_VARIABLE: ADDRESS})
    settings = configuration.settings
    address = settings.notify.webhook_url({})
    assert address is not None
    assert (address.url, address.host) == (ADDRESS, "hooks.slack.com")
    shown = [repr(what) for what in (configuration, settings, settings.notify, address)]
    shown += [f"{settings.notify.webhook}", str(msgspec.to_builtins(settings, enc_hook=str))]
    shown += [msgspec.json.encode(settings, enc_hook=repr).decode()]
    assert is_unsaid(*shown)
    with pytest.raises(TypeError):
        json.dumps(configuration.environment)


def test_who_is_told_is_no_part_of_what_decides_the_result() -> None:
    plain = Configuration().settings.config_hash
    environment = {WEBHOOK_VARIABLE: ADDRESS, "RFM_NOTIFY__ON": "always"}
    assert load({}, folder=Path("/nonexistent"), environ=environment).settings.config_hash == plain


def test_a_traceback_of_a_bug_shows_nothing_of_it(orders: Path) -> None:
    code = (
        f"import os; os.chdir({str(orders.parent)!r}); from rfm_pipeline import runner;"
        " runner.audits_of = None; from rfm_pipeline.cli import main; main()"
    )
    hidden = f"https://nowhere.invalid/{PLANTED}"
    done = child("-c", code, "--debug", "run", "orders.csv", **{WEBHOOK_VARIABLE: hidden})
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert "nowhere.invalid could not be sent" in done.stderr
    assert is_unsaid(done.stdout, done.stderr)


# Schedules


@pytest.mark.parametrize("target", [target for target in TARGETS if target != "windows"])
def test_a_schedule_names_the_secret_and_does_not_hold_it(
    target: str, rfm: Rfm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(WEBHOOK_VARIABLE, ADDRESS)
    where = "/srv/keys/chat" if target in ("cron", "systemd", "airflow") else "CHAT"
    where = "rfm-chat" if target == "kubernetes" else where
    google = ["--project", "shop", "--region", "europe-west1", "--service-account", "rfm@shop.example"]
    of = ["--image", "shop/rfm:1"] if target not in ("cron", "systemd") else []
    ended = rfm("schedule", target, *of, *google, "--secret", f"{WEBHOOK_VARIABLE}={where}")
    assert ended.code == 0, ended.stderr
    assert where in ended.stdout
    assert WEBHOOK_VARIABLE in ended.stdout
    assert is_unsaid(ended.stdout, ended.stderr)


@pytest.mark.parametrize(
    "given",
    [
        ["--env", f"{WEBHOOK_VARIABLE}={ADDRESS}"],
        ["--env", f"{WEBHOOK_VARIABLE}=https://chat.example/hooks/{PLANTED}"],
        ["--env", f'RFM_NOTIFY={{"webhook": "https://chat.example/{PLANTED}"}}'],
        ["--env", f"SLACK_WEBHOOK=https://chat.example/hooks/{PLANTED}"],
        ["--env", f"CHAT={ADDRESS}"],
        ["--secret", f"{WEBHOOK_VARIABLE}={ADDRESS}"],
        ["--", "run", ADDRESS],
    ],
)
def test_no_schedule_takes_its_value(given: list[str], rfm: Rfm) -> None:
    assert is_unsaid(*refused(rfm("schedule", "cron", "--program", "/opt/rfm", *given)))


@pytest.mark.parametrize(
    "text",
    [
        f"webhook = 'https://chat.example/hooks/{PLANTED}'",
        f'"webhook": "https://chat.example/hooks/{PLANTED}"',
        f"https://discord.com/api/webhooks/1/{PLANTED}",
        f"https://shop.webhook.office.com/{PLANTED}",
    ],
)
def test_what_looks_like_such_an_address_is_a_secret_to_a_schedule(text: str) -> None:
    with pytest.raises(UsageError, match="looks like a secret") as error:
        refuse_secret("The configuration file", text)
    assert is_unsaid(str(error.value))
    refuse_secret("The configuration file", "[notify]\nwebhook = 'env:CHAT'")


@pytest.mark.parametrize("text", ["/", "/dev/null/x", "C:\\", "\\\\", "env:", "\0", "/\0", "é"])
def test_every_error_about_it_is_one_of_ours(text: str) -> None:
    with pytest.raises(ConfigurationError):
        WebhookSetting(text, WEBHOOK_VARIABLE).resolve({})
