"""`rfm schedule`: its output, the files that it writes, installation and errors."""

from __future__ import annotations

import io
import json
import os
import shutil
import stat
import subprocess
import sys
import zoneinfo
from collections.abc import Callable
from pathlib import Path

import pytest
import typer
import yaml

from rfm_pipeline.common.installation import extra_hint
from rfm_pipeline.schedule import TARGETS, local_machine
from support.cli import Rfm
from support.orders import refused

posix = pytest.mark.skipif(sys.platform == "win32", reason="needs a Unix")
IMAGE = ("--image", "registry.example/rfm-pipeline:0.1.0")
CLOUD = ("--project", "p", "--region", "r", "--service-account", "a@p.iam.gserviceaccount.com")


# Printing


@pytest.mark.parametrize("target", TARGETS)
def test_a_schedule_is_printed_and_nothing_is_written(target: str, rfm: Rfm, tmp_path: Path) -> None:
    outcome = rfm("schedule", target, *IMAGE, *CLOUD)
    assert outcome.code == 0, outcome.stderr
    assert "registry.example/rfm-pipeline:0.1.0" in outcome.stdout
    assert outcome.stderr.splitlines()[-1].startswith(("next: ", "      "))
    assert list(tmp_path.iterdir()) == []


def test_what_is_printed_for_one_file_is_that_file(rfm: Rfm) -> None:
    printed = rfm("schedule", "kubernetes", *IMAGE).stdout
    assert [document["kind"] for document in yaml.safe_load_all(printed)] == [
        "PersistentVolumeClaim",
        "CronJob",
    ]
    assert json.loads(rfm("schedule", "kubernetes", *IMAGE, "--json").stdout)["files"] == [
        {"name": "rfm-daily.yaml", "text": printed}
    ]


def test_several_files_are_printed_under_their_names_and_written_as_they_are(
    rfm: Rfm, tmp_path: Path
) -> None:
    printed = rfm("schedule", "systemd", "--program", "/opt/rfm", "--name", "shop").stdout
    assert rfm("schedule", "systemd", "--program", "/opt/rfm", "--name", "shop", "--write", "units").code == 0
    service = (tmp_path / "units" / "shop.service").read_text(encoding="utf-8")
    timer = (tmp_path / "units" / "shop.timer").read_text(encoding="utf-8")
    assert printed == f"# shop.service\n{service}\n# shop.timer\n{timer}"


@pytest.mark.parametrize(
    ("flags", "units"), [((), "~/.config/systemd/user"), (("--system",), "/etc/systemd/system")]
)
def test_the_next_steps_put_the_units_where_systemd_reads_them(
    flags: tuple[str, ...], units: str, rfm: Rfm
) -> None:
    outcome = rfm("schedule", "systemd", "--program", "/opt/rfm", *flags)
    assert f"next: install -D -m 644 -t {units} rfm-daily.service rfm-daily.timer\n" in outcome.stderr


def test_a_schedule_without_a_source_is_named(rfm: Rfm, tmp_path: Path) -> None:
    def notes(*arguments: str) -> str:
        return rfm("schedule", "cron", "--folder", str(tmp_path), *arguments).stderr

    missing = f"{tmp_path} has no rfm.toml"
    assert missing in notes()
    assert missing not in notes("--", "run", "orders.csv")
    assert missing not in notes("--env", "RFM_SOURCE=orders.csv")
    (tmp_path / "rfm.toml").write_text("source = 'orders.csv'\n")
    assert missing not in notes()


def test_the_windows_task_is_written_in_its_declared_encoding(rfm: Rfm, tmp_path: Path) -> None:
    assert rfm("schedule", "windows", "--program", "C:\\é\\rfm.exe", "--write", ".").code == 0
    written = (tmp_path / "rfm-daily.xml").read_bytes()
    assert 'encoding="UTF-16"' in written.decode("utf-16")
    assert "C:\\é\\rfm.exe" in written.decode("utf-16")


@posix
def test_paths_are_absolute_and_the_command_is_the_running_one(rfm: Rfm, tmp_path: Path) -> None:
    printed = rfm("schedule", "cron", "-c", "conf/../shop.toml", "--secret", "KEY=key.json").stdout
    assert f"cd {tmp_path} && {{ KEY={tmp_path}/key.json flock" in printed
    assert f"{Path(sys.executable).parent / 'rfm'} run --config {tmp_path}/shop.toml >>" in printed


@posix
@pytest.mark.parametrize("target", ["cron", "systemd"])
def test_the_path_of_the_program_is_absolute_too(
    target: str, rfm: Rfm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert f"{tmp_path}/tools/rfm run" in rfm("schedule", target, "--program", "./tools/rfm").stdout
    (tmp_path / "found").mkdir()
    (tmp_path / "found" / "my-rfm").write_text("#!/bin/sh\n", encoding="utf-8")
    (tmp_path / "found" / "my-rfm").chmod(stat.S_IRWXU)
    monkeypatch.setenv("PATH", f"{tmp_path / 'found'}{os.pathsep}{os.environ['PATH']}")
    assert f"{tmp_path}/found/my-rfm run" in rfm("schedule", target, "--program", "my-rfm").stdout


@posix
def test_with_a_windows_folder_all_paths_must_be_windows_paths(rfm: Rfm) -> None:
    windows = ("schedule", "windows", "--folder", "C:\\Shop")
    for words in (
        ("--config", "rfm.toml"), ("--config", "/srv/rfm.toml"), ("--program", "rfm.exe"),
        (*IMAGE, "--secret", "KEY=key.json"),
    ):  # fmt: skip
        sentence, hint = refused(rfm(*windows, *words))
        assert "The folder C:\\Shop is a Windows path, but " in sentence
        assert "C:\\Shop\\rfm.toml" in hint
        assert words[-1] not in sentence
    printed = rfm(*windows, "--program", "C:\\rfm.exe", "--config", "C:\\Shop\\rfm.toml").stdout
    assert "<Arguments>run --config C:\\Shop\\rfm.toml</Arguments>" in printed


def test_the_command_after_two_hyphens_is_scheduled(rfm: Rfm) -> None:
    words = ("run", "a b.csv", "--returns", "net")
    (file,) = json.loads(rfm("schedule", "kubernetes", *IMAGE, "--json", "--", *words).stdout)["files"]
    assert '- run\n            - "a b.csv"\n            - "--returns"\n            - net\n' in file["text"]


@posix
@pytest.mark.parametrize(
    ("installed", "init"),
    [(["docker"], True), (["podman", "catatonit"], True), (["podman"], False)],
)
def test_an_init_process_is_used_if_the_engine_has_one(
    installed: list[str], init: bool, rfm: Rfm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in installed:
        (tmp_path / name).write_text("#!/bin/sh\n", encoding="utf-8")
        (tmp_path / name).chmod(stat.S_IRWXU)
    which = shutil.which
    monkeypatch.setattr(shutil, "which", lambda name, path="": which(name, path=str(tmp_path)))
    printed = rfm("schedule", "cron", *IMAGE).stdout
    assert f"{tmp_path / installed[0]} run --rm {'--init ' if init else ''}--name" in printed


@posix
@pytest.mark.parametrize(
    ("own", "asked", "compares"),
    [
        ("Europe/London", "Europe/London", False),
        ("Europe/London", "GB", False),  # another name of the same clocks
        ("Europe/London", "Europe/Dublin", True),
        (None, "Europe/London", True),
    ],
)
def test_cron_compares_clocks_only_in_another_zone_than_the_machines(
    rfm: Rfm, monkeypatch: pytest.MonkeyPatch, own: str | None, asked: str, *, compares: bool
) -> None:
    files = [Path(folder, own or "no such zone") for folder in zoneinfo.TZPATH]
    local_time = next((file for file in files if file.is_file()), files[0])
    monkeypatch.setattr(local_machine, "_LOCAL_TIME", local_time)
    line = rfm("schedule", "cron", "--timezone", asked, *IMAGE).stdout.splitlines()[1]
    assert line.startswith("0,15,30,45 * * * * " if compares else "30 5 * * * ")
    assert ("date +" in line) == compares


# Refusing


@pytest.mark.parametrize(
    ("arguments", "sentence", "hint"),
    [
        (["at"], "There is no scheduler 'at'", "cron, systemd"),
        (["cron", "--at", "24:00"], "'24:00' is not a time of day", "--at 05:30"),
        (["cron", "--timezone", "Europe/Londn"], "'Europe/Londn' is not a time zone", "Europe/London"),
        (["cron", "--name", "Every day"], "'Every day' is not a valid schedule name", "lower-case"),
        (["cron", "--timeout", "0"], "The time-out is 0 minutes", "1440"),
        (["cron", "--env", "RFM_TO"], "--env takes NAME=VALUE, not 'RFM_TO'", "RFM_TO="),
        (["cron", "--env", "A=1", "--env", "A=2"], "--env gives A two values", "remove one"),
        (["cron", "--env", "A B=1"], "'A B' is not a valid name of an environment variable", "--env RFM_TO"),
        (["cron", "--env", "A=1", "--secret", "A=b"], "A is given both", "remove one"),
        (["cron", "--env", "A=a\nb"], r"The value of A contains the character '\n'", "rfm.toml"),
        (["cron", "--secret", '{"private_key": "x"}'], "--secret takes NAME=VALUE.", "--secret GOOGLE"),
        (
            ["cron", "--secret", 'KEY={"private_key": "x"}'],
            "The reference of KEY looks like a secret",
            "pass a reference",
        ),
        (["cron", "--env", "ya29.x"], "--env takes NAME=VALUE.", "--env RFM_TO"),
        (["cron", "--env", "ya29.x="], "--env takes NAME=VALUE.", "--env RFM_TO"),
        (
            ["cron", "--", "ya29.x"],
            "A value that looks like a secret is not a command",
            "schedule cron -- run",
        ),
        (["cron", "--", "run", "ya29.x"], "An argument looks like a secret", "--secret VARIABLE=REFERENCE"),
        (["cron", "--", "runn"], "'runn' is not a command that can be scheduled", "schedule cron -- run"),
        (["cron", "--", "schedule", "cron"], "'schedule' is not a command that can be scheduled", "-- run"),
        (["kubernetes", "--install"], "starts containers only", "--image"),
        (["kubernetes", *IMAGE, "--install"], "rfm can't install a schedule for kubernetes", "print it"),
        (["airflow", "--remove"], "rfm can't install a schedule for airflow", "print it"),
        (["cloud-run", *IMAGE], "a project, a region", "--service-account"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_an_invalid_schedule_is_an_error(arguments: list[str], sentence: str, hint: str, rfm: Rfm) -> None:
    error, shown_hint = refused(rfm("schedule", *arguments))
    assert sentence in error
    assert hint in shown_hint


def test_without_pyyaml_the_hint_says_what_to_install(rfm: Rfm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "yaml", None)
    _, hint = refused(rfm("schedule", "kubernetes", *IMAGE))
    assert hint == extra_hint("schedule")
    assert rfm("schedule", "cron", "--program", "/opt/rfm").code == 0


# Installing


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder at the front of PATH with a crontab, systemctl and schtasks that record their calls."""
    folder = tmp_path / "tools"
    folder.mkdir()
    record = f'echo "$(basename "$0") $*" >>"{folder}/calls"\n'
    crontab = (
        f'case $1 in -l) cat "{folder}/crontab.txt" 2>/dev/null'
        ' || { echo "no crontab for me" >&2; exit 1; } ;;'
        f' *) cat >"{folder}/crontab.txt" ;; esac\n'
    )
    for name, script in (
        ("crontab", crontab),
        ("systemctl", ""),
        ("schtasks", f'cp "$5" "{folder}/task" || true\n'),
    ):
        (folder / name).write_text(f"#!/bin/sh\n{record}{script}", encoding="utf-8")
        (folder / name).chmod(stat.S_IRWXU)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return folder


def calls(tools: Path) -> list[str]:
    path = tools / "calls"
    return path.read_text(encoding="utf-8").splitlines() if path.exists() else []


Answer = Callable[[str], None]


@pytest.fixture
def answer(monkeypatch: pytest.MonkeyPatch) -> Answer:
    """Replace the standard input by a terminal with a typed answer."""

    def typed(text: str) -> None:
        terminal = io.StringIO(f"{text}\n")
        monkeypatch.setattr(terminal, "isatty", lambda: True)
        monkeypatch.setattr(sys, "stdin", terminal)

    return typed


CRON = ("schedule", "cron", "--program", "/opt/rfm", "--folder", "/srv/shop")


@posix
def test_installing_adds_lines_to_the_crontab_and_keeps_the_others(tools: Path, rfm: Rfm) -> None:
    (tools / "crontab.txt").write_text("# mine\n0 1 * * * backup 100\\%", encoding="utf-8")
    printed = rfm(*CRON).stdout
    outcome = rfm(*CRON, "--install", "--yes")
    assert (outcome.code, outcome.stdout) == (0, f"run crontab -:\n{printed}Done.\n")
    mine = "# mine\n0 1 * * * backup 100\\%\n"
    assert (tools / "crontab.txt").read_text(encoding="utf-8") == mine + printed
    # A second installation replaces the first one; another name is added.
    assert rfm(*CRON, "--install", "--yes", "--at", "04:00").code == 0
    assert rfm(*CRON, "--install", "--yes", "--name", "other").code == 0
    crontab = (tools / "crontab.txt").read_text(encoding="utf-8")
    assert [line[:9] for line in crontab.splitlines() if line.endswith("; }")] == ["0 4 * * *", "30 5 * * "]
    assert rfm("schedule", "cron", "--remove", "--yes", "--name", "other").code == 0
    assert rfm("schedule", "cron", "--remove", "--yes").code == 0
    assert (tools / "crontab.txt").read_text(encoding="utf-8") == mine


@posix
def test_installing_creates_a_missing_crontab(tools: Path, rfm: Rfm) -> None:
    assert rfm(*CRON, "--install", "--yes").code == 0
    assert (tools / "crontab.txt").read_text(encoding="utf-8") == rfm(*CRON).stdout
    sentence, _ = refused(rfm("schedule", "cron", "--remove", "--yes", "--name", "another"))
    assert sentence == "cron has no schedule another installed by `rfm schedule`."


@posix
def test_installing_writes_the_units_and_enables_the_timer(tools: Path, rfm: Rfm, tmp_path: Path) -> None:
    words = ("schedule", "systemd", "--program", "/opt/rfm", "--folder", "/srv/shop")
    printed = rfm(*words).stdout
    outcome = rfm(*words, "--install", "--yes")
    assert outcome.code == 0
    units = tmp_path / "config" / "systemd" / "user"
    service, timer = (units / f"rfm-daily.{kind}" for kind in ("service", "timer"))
    assert f"# rfm-daily.service\n{service.read_text()}\n# rfm-daily.timer\n{timer.read_text()}" == printed
    assert f"write {timer}:\n{timer.read_text()}" in outcome.stdout
    assert calls(tools) == ["systemctl --user daemon-reload", "systemctl --user enable --now rfm-daily.timer"]
    assert rfm("schedule", "systemd", "--remove", "--yes").code == 0
    assert list(units.iterdir()) == []
    assert calls(tools)[2:] == [
        "systemctl --user disable --now rfm-daily.timer", "systemctl --user daemon-reload",
    ]  # fmt: skip
    sentence, _ = refused(rfm("schedule", "systemd", "--remove", "--yes"))
    assert sentence == "systemd has no schedule rfm-daily installed by `rfm schedule`."


BEGIN = "# begin rfm schedule rfm-daily\n"
NO_BUS = "#!/bin/sh\necho 'Failed to connect to bus: No medium found' >&2; exit 1\n"
SYSTEMD = ("schedule", "systemd", "--program", "/opt/rfm", "--folder", "/srv/shop")


@posix
def test_if_systemd_can_not_be_reached_the_installation_is_reverted(
    tools: Path, rfm: Rfm, tmp_path: Path
) -> None:
    (tools / "systemctl").write_text(NO_BUS, encoding="utf-8")
    outcome = rfm(*SYSTEMD, "--install", "--yes")
    assert outcome.code == 2
    assert "`systemctl --user daemon-reload` failed: Failed to connect to bus" in outcome.stderr
    units = tmp_path / "config" / "systemd" / "user"
    assert list(units.iterdir()) == []
    # An existing unit is restored.
    (units / "rfm-daily.timer").write_text("before", encoding="utf-8")
    assert rfm(*SYSTEMD, "--install", "--yes").code == 2
    assert [(path.name, path.read_text("utf-8")) for path in units.iterdir()] == [
        ("rfm-daily.timer", "before")
    ]


@posix
def test_a_timer_that_can_not_be_started_is_disabled(tools: Path, rfm: Rfm, tmp_path: Path) -> None:
    script = (tools / "systemctl").read_text(encoding="utf-8")
    (tools / "systemctl").write_text(f"{script}test $2 != enable\n", encoding="utf-8")
    assert rfm(*SYSTEMD, "--install", "--yes").code == 2
    assert calls(tools)[-1] == "systemctl --user disable --now rfm-daily.timer"
    assert list((tmp_path / "config" / "systemd" / "user").iterdir()) == []


@posix
def test_if_systemd_can_not_be_reached_a_schedule_is_still_removed(
    tools: Path, rfm: Rfm, tmp_path: Path
) -> None:
    assert rfm(*SYSTEMD, "--install", "--yes").code == 0
    units = tmp_path / "config" / "systemd" / "user"
    (units / "timers.target.wants").mkdir()
    (units / "timers.target.wants" / "rfm-daily.timer").symlink_to(units / "rfm-daily.timer")
    (tools / "systemctl").write_text(NO_BUS, encoding="utf-8")
    outcome = rfm("schedule", "systemd", "--remove", "--yes")
    assert outcome.code == 0
    assert (
        "note: `systemctl --user disable --now rfm-daily.timer` failed: Failed to connect" in outcome.stderr
    )
    assert [path.name for path in units.rglob("*")] == ["timers.target.wants"]


@posix
@pytest.mark.parametrize("target", ["cron", "systemd", "windows"])
def test_an_invalid_name_removes_nothing(target: str, tools: Path, rfm: Rfm, tmp_path: Path) -> None:
    (tmp_path / "config" / "systemd" / "user").mkdir(parents=True)
    victim = tmp_path / "config" / "victim.timer"
    victim.write_text("", encoding="utf-8")
    sentence, _ = refused(rfm("schedule", target, "--remove", "--yes", "--name", "../../victim"))
    assert sentence == "'../../victim' is not a valid schedule name."
    assert victim.exists()
    assert calls(tools) == []


@posix
def test_other_lines_of_the_crontab_stay_unchanged_to_the_byte(tools: Path, rfm: Rfm) -> None:
    mine = b"# caf\xe9\r\n0 1 * * * backup\r\n# Zo\xc3\xab\n"
    (tools / "crontab.txt").write_bytes(mine)
    assert rfm(*CRON, "--install", "--yes").code == 0
    assert (tools / "crontab.txt").read_bytes() == mine + rfm(*CRON).stdout.encode()
    # An editor may have converted all line endings.
    (tools / "crontab.txt").write_bytes((tools / "crontab.txt").read_bytes().replace(b"\n", b"\r\n"))
    assert rfm("schedule", "cron", "--remove", "--yes").code == 0
    assert (tools / "crontab.txt").read_bytes() == mine.replace(b"\n", b"\r\n")


@posix
@pytest.mark.parametrize(
    "lines",
    [
        f"{BEGIN}0 1 * * * backup\n",
        f"{BEGIN}0 1 * * * backup\n{BEGIN}# end rfm schedule rfm-daily\n",
        "0 1 * * * backup\n# end rfm schedule rfm-daily\n",
    ],
)
def test_a_single_marker_removes_no_other_lines(lines: str, tools: Path, rfm: Rfm) -> None:
    (tools / "crontab.txt").write_text(lines, encoding="utf-8")
    for words in ((*CRON, "--install"), ("schedule", "cron", "--remove")):
        outcome = rfm(*words, "--yes")
        assert outcome.code == 2
        assert "has only one of the two markers" in outcome.stderr
    assert (tools / "crontab.txt").read_text(encoding="utf-8") == lines


@posix
def test_installing_passes_the_task_to_windows(tools: Path, rfm: Rfm) -> None:
    words = ("schedule", "windows", "--program", "C:\\rfm.exe", "--folder", "C:\\shop")
    assert rfm(*words, "--install", "--yes").code == 0
    (call,) = calls(tools)
    assert call.startswith("schtasks /Create /TN rfm-daily /XML ")
    assert call.endswith("rfm-daily.xml /F")
    assert (tools / "task").read_bytes().decode("utf-16") == rfm(*words).stdout
    assert not Path(call.split()[5]).exists()
    assert rfm("schedule", "windows", "--remove", "--yes").code == 0
    assert calls(tools)[1:] == ["schtasks /Delete /TN rfm-daily /F"]


@posix
def test_steps_are_executed_only_after_confirmation(tools: Path, rfm: Rfm, answer: Answer) -> None:
    sentence, hint = refused_after_showing(rfm, *CRON, "--install")
    assert (sentence, hint) == (
        "error: The confirmation needs a terminal.",
        "hint: confirm with --yes.",
    )
    for no in ("n", "", "no"):
        answer(no)
        outcome = rfm(*CRON, "--install")
        assert (outcome.code, outcome.stdout.splitlines()[-1]) == (0, "Nothing was changed.")
    assert not (tools / "crontab.txt").exists()
    answer("y")
    outcome = rfm(*CRON, "--install")
    assert (outcome.code, outcome.stdout.splitlines()[-1]) == (0, "Done.")
    assert (tools / "crontab.txt").exists()


def refused_after_showing(rfm: Rfm, *arguments: str) -> list[str]:
    outcome = rfm(*arguments)
    assert outcome.code == 2
    assert outcome.stdout.startswith("run crontab -:\n# begin rfm schedule rfm-daily\n")
    return [line for line in outcome.stderr.splitlines() if not line.startswith("note: ")]


@posix
def test_a_failing_or_missing_scheduler_is_an_error(
    tools: Path, rfm: Rfm, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tools / "crontab").write_text("#!/bin/sh\necho 'not allowed to use this program' >&2; exit 1\n", "utf-8")
    outcome = rfm(*CRON, "--install", "--yes")
    assert (outcome.code, outcome.stderr.splitlines()[-1]) == (
        2,
        "error: `crontab -l` failed: not allowed to use this program.",
    )
    monkeypatch.setattr(shutil, "which", lambda *_, **__: None)
    outcome = rfm(*CRON, "--install", "--yes")
    assert "error: There is no `crontab` on this machine." in outcome.stderr


def test_system_units_are_written_and_not_installed(rfm: Rfm) -> None:
    sentence, hint = refused(rfm("schedule", "systemd", "--program", "/opt/rfm", "--system", "--install"))
    assert "--system renders system units" in sentence
    assert "/etc/systemd/system" in hint


# Waiting


@posix
def test_the_process_becomes_the_run_after_the_wait(
    rfm: Rfm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    became: list[list[str]] = []

    def become(path: str, words: list[str]) -> None:
        became.append([path, *words])
        raise typer.Exit(7)

    monkeypatch.setattr(os, "execv", become)
    monkeypatch.setattr("rfm_pipeline.schedule.wait.wait_until", lambda _moment: None)
    outcome = rfm("schedule", "wait", "--at", "04:05", "--timezone", "Asia/Kathmandu", "--", "run", "x.csv")
    assert (outcome.code, outcome.stdout) == (7, "")
    assert outcome.stderr.endswith(" 04:05 +0545.\n")
    assert became == [[sys.executable, sys.executable, "-m", "rfm_pipeline", "run", "x.csv"]]


@posix
def test_a_stop_signal_ends_the_wait() -> None:
    words = [sys.executable, "-m", "rfm_pipeline", "schedule", "wait", "--at", "00:00"]
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True) as waiting:
        assert waiting.stderr
        assert waiting.stderr.readline().startswith("Waiting until ")
        waiting.terminate()
        assert waiting.wait(20) == 130


# The owner of the folder


@posix
@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can give a folder away"
)
def test_a_container_and_a_service_run_as_the_owner_of_the_folder(rfm: Rfm, tmp_path: Path) -> None:
    assert "--user" not in rfm("schedule", "cron", *IMAGE).stdout
    (tmp_path / "shop").mkdir()
    os.chown(tmp_path / "shop", 1234, 5678)
    assert "--user 1234:5678 " in rfm("schedule", "cron", *IMAGE, "--folder", "shop").stdout
    printed = rfm("schedule", "systemd", "--program", "/opt/rfm", "--folder", "shop", "--system").stdout
    assert "\nUser=1234\n" in printed
