"""The webhook URL: where it may be configured, and that it appears in no output."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from rfm_pipeline.config.loader import Configuration, load_configuration
from rfm_pipeline.config.notifications import WEBHOOK_VARIABLE, WebhookSetting
from rfm_pipeline.errors import ConfigurationError, UsageError
from rfm_pipeline.schedule import TARGETS
from rfm_pipeline.schedule.spec import refuse_secret
from support.chat_server import WEBHOOK_PATH, Chat, run_chat
from support.cli import Outcome, Rfm
from support.orders import ORDERS, refused, run_python

ADDRESS = f"https://hooks.slack.com/services/{WEBHOOK_PATH}"
PARTS = [WEBHOOK_PATH, *WEBHOOK_PATH.split("/")]


def is_absent_from(*texts: str) -> bool:
    return not any(part in text for part in PARTS for text in texts)


@pytest.fixture
def chat() -> Iterator[Chat]:
    with run_chat() as running:
        yield running


@pytest.fixture
def orders(tmp_path: Path) -> Path:
    path = tmp_path / "orders.csv"
    path.write_text(ORDERS, encoding="utf-8")
    return path


# Configuration


@pytest.mark.matrix
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
def test_the_webhook_url_comes_from_a_variable_or_a_file(
    *, file: str, environment: dict[str, str], rfm: Rfm, chat: Chat, orders: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    secret_file = tmp_path / "secrets" / "secret.json"
    secret_file.parent.mkdir()
    secret_file.write_text(f"{chat.address}\n", encoding="utf-8")
    for name, value in environment.items():
        monkeypatch.setenv(name, value.replace("ADDRESS", chat.address).replace("FILE", str(secret_file)))
    (tmp_path / "rfm.toml").write_text(
        f"[notify]\n{file.replace('FILE', str(secret_file))}", encoding="utf-8"
    )
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
def test_an_empty_webhook_url_sends_no_message(
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
    ("webhook", "sentence"),
    [
        ("env:CHAT", "The environment variable CHAT, which `notify.webhook` names, is not set."),
        ("/nowhere/chat", "The file that `notify.webhook` names can't be read: no such file or directory."),
    ],
)
def test_a_webhook_url_that_can_not_be_resolved_is_an_error_before_the_run(
    *, command: str, webhook: str, sentence: str, rfm: Rfm, orders: Path, tmp_path: Path
) -> None:
    (tmp_path / "rfm.toml").write_text(f"[notify]\nwebhook = '{webhook}'", encoding="utf-8")
    assert refused(rfm(command, orders))[0] == sentence
    assert not (tmp_path / "rfm.duckdb").exists()
    # `rfm sql` sends no notification, so it does not resolve the URL.
    assert rfm("sql", orders).code == 0


@pytest.mark.parametrize(
    "address",
    [
        f"http://hooks.slack.com/services/{WEBHOOK_PATH}",
        f"hooks.slack.com/services/{WEBHOOK_PATH}",
        f"ftp://hooks.slack.com/{WEBHOOK_PATH}",
        f"https:///{WEBHOOK_PATH}",
        f"https://hooks.slack.com:port/{WEBHOOK_PATH}",
        f"https://[::1/{WEBHOOK_PATH}",
        f"https://user:{WEBHOOK_PATH}@chat.example/",
        f"https://chat.example/ {WEBHOOK_PATH}",
        f"https://chat.example/{WEBHOOK_PATH}\x7f",
        f"http://127.0.0.1.evil.example/{WEBHOOK_PATH}",
        f"https://chat.example/{WEBHOOK_PATH}{'x' * 3000}",
        f"file:///{WEBHOOK_PATH}",
        f"env:{WEBHOOK_PATH}",
    ],
)
def test_an_insecure_or_invalid_webhook_url_is_refused_and_not_repeated(address: str) -> None:
    with pytest.raises(ConfigurationError, match="does not contain a URL that begins with https://") as error:
        WebhookSetting(address, WEBHOOK_VARIABLE).resolve({})
    assert is_absent_from(error.value.message, error.value.hint or "")


# Refusal in files


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
def test_a_webhook_url_in_rfm_toml_is_refused_and_not_repeated(
    *, command: str, text: str, rfm: Rfm, orders: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    (tmp_path / "rfm.toml").write_text(text, encoding="utf-8")
    # The file is refused even if a variable takes precedence.
    for variable in (None, "env:CHAT") if "webhook = '" in text and "[notify]" in text else (None,):
        if variable:
            monkeypatch.setenv(WEBHOOK_VARIABLE, variable)
            monkeypatch.setenv("CHAT", "")
        outcome = rfm(command, orders)
        assert is_absent_from(*refused(outcome))
    assert not (tmp_path / "rfm.duckdb").exists()


def test_the_refusal_explains_the_alternatives(rfm: Rfm, orders: Path, tmp_path: Path) -> None:
    (tmp_path / "rfm.toml").write_text(f"[notify]\nwebhook = '{ADDRESS}'", encoding="utf-8")
    sentence, hint = refused(rfm("run", orders))
    assert "is a secret" in sentence
    assert WEBHOOK_VARIABLE in hint
    assert "env:NAME" in hint


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
def test_an_invalid_variable_is_not_repeated(
    environment: dict[str, str], rfm: Rfm, orders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    for arguments in (["run", orders], ["check", orders, "--json"]):
        assert is_absent_from(*refused(rfm(*arguments)))


# Absence from all output


@pytest.mark.matrix
@pytest.mark.parametrize("debug", [[], ["--debug"]])
@pytest.mark.parametrize("log", ["text", "json"])
@pytest.mark.parametrize("arguments", [["run", "orders.csv"], ["run", "missing.csv"], ["run", "-p", "bogus"]])
@pytest.mark.parametrize("answer", [200, 500, 302])
def test_a_run_never_shows_the_webhook_url(
    *, answer: int, arguments: list[str], log: str, debug: list[str], rfm: Rfm, chat: Chat, orders: Path,
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    monkeypatch.setattr("rfm_pipeline.notifications.webhook._RETRY_PAUSE_SECONDS", 0)
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv(WEBHOOK_VARIABLE, chat.address)
    chat.answers = [answer]
    outcome = rfm(*debug, *arguments, "--json", "--log-format", log, "-o", "out.json")
    monkeypatch.delenv("RFM_DEBUG", raising=False)
    assert chat.messages
    assert is_absent_from(outcome.stdout, outcome.stderr, caplog.text, *chat.messages)
    assert "Traceback" in outcome.stderr or not debug or outcome.code == 0
    for path in tmp_path.rglob("*"):
        assert is_absent_from(path.read_text(encoding="utf-8", errors="replace"))


@pytest.mark.parametrize("command", [["check"], ["check", "--json"], ["sql"], ["init"]])
def test_no_other_command_shows_the_webhook_url(
    command: list[str], rfm: Rfm, orders: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(WEBHOOK_VARIABLE, ADDRESS)
    outcome = rfm(*command, orders)
    assert outcome.code == 0, outcome.stderr
    assert is_absent_from(outcome.stdout, outcome.stderr)
    assert command != ["init"] or is_absent_from((tmp_path / "rfm.toml").read_text(encoding="utf-8"))


def test_no_representation_of_the_settings_shows_the_webhook_url() -> None:
    configuration = load_configuration({}, folder=Path("/nonexistent"), environ={WEBHOOK_VARIABLE: ADDRESS})
    settings = configuration.settings
    address = settings.notify.webhook_url({})
    assert address is not None
    assert (address.url, address.host) == (ADDRESS, "hooks.slack.com")
    shown = [repr(what) for what in (configuration, settings, settings.notify, address)]
    shown += [f"{settings.notify.webhook}", str(msgspec.to_builtins(settings, enc_hook=str))]
    shown += [msgspec.json.encode(settings, enc_hook=repr).decode()]
    assert is_absent_from(*shown)
    with pytest.raises(TypeError):
        json.dumps(configuration.environment)


def test_notification_settings_are_not_part_of_the_config_hash() -> None:
    plain = Configuration().settings.config_hash
    environment = {WEBHOOK_VARIABLE: ADDRESS, "RFM_NOTIFY__ON": "always"}
    configuration = load_configuration({}, folder=Path("/nonexistent"), environ=environment)
    assert configuration.settings.config_hash == plain


def test_a_traceback_never_shows_the_webhook_url(orders: Path) -> None:
    code = (
        f"import os; os.chdir({str(orders.parent)!r}); from rfm_pipeline.pipeline import staging;"
        " staging.run_audits = None; from rfm_pipeline.cli import main; main()"
    )
    hidden = f"https://nowhere.invalid/{WEBHOOK_PATH}"
    process = run_python("-c", code, "--debug", "run", "orders.csv", **{WEBHOOK_VARIABLE: hidden})
    assert process.returncode == 1
    assert "Traceback" in process.stderr
    assert "nowhere.invalid could not be sent" in process.stderr
    assert is_absent_from(process.stdout, process.stderr)


# Schedules

ACCOUNT = "rfm@shop-prod.iam.gserviceaccount.com"


@pytest.mark.parametrize("target", [target for target in TARGETS if target != "windows"])
def test_a_schedule_contains_the_reference_and_not_the_secret(
    target: str, rfm: Rfm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(WEBHOOK_VARIABLE, ADDRESS)
    reference = "/srv/keys/chat" if target in ("cron", "systemd", "airflow") else "CHAT"
    reference = "rfm-chat" if target == "kubernetes" else reference
    google = ["--project", "shop", "--region", "europe-west1", "--service-account", ACCOUNT]
    image = ["--image", "shop/rfm:1"] if target not in ("cron", "systemd") else []
    outcome = rfm("schedule", target, *image, *google, "--secret", f"{WEBHOOK_VARIABLE}={reference}")
    assert outcome.code == 0, outcome.stderr
    assert reference in outcome.stdout
    assert WEBHOOK_VARIABLE in outcome.stdout
    assert is_absent_from(outcome.stdout, outcome.stderr)


@pytest.mark.parametrize(
    "flags",
    [
        ["--env", f"{WEBHOOK_VARIABLE}={ADDRESS}"],
        ["--env", f"{WEBHOOK_VARIABLE}=https://chat.example/hooks/{WEBHOOK_PATH}"],
        ["--env", f'RFM_NOTIFY={{"webhook": "https://chat.example/{WEBHOOK_PATH}"}}'],
        ["--env", f"SLACK_WEBHOOK=https://chat.example/hooks/{WEBHOOK_PATH}"],
        ["--env", f"CHAT={ADDRESS}"],
        ["--secret", f"{WEBHOOK_VARIABLE}={ADDRESS}"],
        ["--", "run", ADDRESS],
    ],
)
def test_a_schedule_with_the_webhook_url_is_refused(flags: list[str], rfm: Rfm) -> None:
    assert is_absent_from(*refused(rfm("schedule", "cron", "--program", "/opt/rfm", *flags)))


@pytest.mark.parametrize(
    "text",
    [
        f"webhook = 'https://chat.example/hooks/{WEBHOOK_PATH}'",
        f'"webhook": "https://chat.example/hooks/{WEBHOOK_PATH}"',
        f"https://discord.com/api/webhooks/1/{WEBHOOK_PATH}",
        f"https://shop.webhook.office.com/{WEBHOOK_PATH}",
    ],
)
def test_schedules_recognize_webhook_urls_as_secrets(text: str) -> None:
    with pytest.raises(UsageError, match="looks like a secret") as error:
        refuse_secret("The configuration file", text)
    assert is_absent_from(str(error.value))
    refuse_secret("The configuration file", "[notify]\nwebhook = 'env:CHAT'")


@pytest.mark.parametrize("text", ["/", "/dev/null/x", "C:\\", "\\\\", "env:", "\0", "/\0", "é"])
def test_every_invalid_webhook_setting_is_a_configuration_error(text: str) -> None:
    with pytest.raises(ConfigurationError):
        WebhookSetting(text, WEBHOOK_VARIABLE).resolve({})
