"""cron: the text of the line, how crons and a shell read it, and a real cron that starts it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time as clock
from datetime import datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from msgspec.structs import replace

from rfm_pipeline.errors import UsageError
from rfm_pipeline.schedule import Schedule, render
from rfm_pipeline.schedule.spec import Program, Secret
from rfm_pipeline.schedule.targets.cron import escape_for_cron, shell_command
from support.awkward_commands import (
    ARGUMENTS,
    FOLDER,
    TOOLS,
    VALUES,
    container_schedule,
    recorded_call,
    recording_program,
    schedule,
)
from support.orders import ORDERS, published

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="cron is not for Windows")


def line(daily: Schedule) -> str:
    """Return the only line of the crontab that is not a comment."""
    (matching,) = [
        text for text in render("cron", daily).files[0].text.splitlines() if not text.startswith("#")
    ]
    return matching


def fields(daily: Schedule) -> tuple[str, str]:
    """Return the five time fields, and the command."""
    *when, command = line(daily).split(" ", 5)
    return " ".join(when), command


def as_cron_reads(command: str, *, collapses: bool) -> str:
    """Return what cron passes to the shell: the command ends at the first `%` without a backslash.

    Args:
        command: The command of a crontab line.
        collapses: Whether two backslashes become one, as in some crons.
    """
    read, escape = "", False
    for character in command:
        if escape:
            if character == "%" or (collapses and character == "\\"):
                read = read[:-1]
            read += character
            escape = False
        elif character == "%":
            return read
        else:
            read += character
            escape = character == "\\"
    return read


def awkward(folder: Path, *values: str) -> Schedule:
    return schedule(
        runs=recording_program(folder),
        folder=str(folder),
        arguments=("run", *values),
        environment={f"RFM_{number}": value for number, value in enumerate(values)},
        secrets=(Secret("GOOGLE_APPLICATION_CREDENTIALS", "/srv/key & co.json"),),
    )


def test_the_line_has_time_folder_lock_log_and_time_limit() -> None:
    assert line(schedule(arguments=("run", "sales.csv"), timeout=90)) == (
        "30 3 * * * cd /srv/shop && { flock --nonblock --conflict-exit-code 0 /srv/shop/rfm-daily.lock"
        " timeout --kill-after 60 5400 /usr/local/bin/rfm run sales.csv"
        " >>/srv/shop/rfm-daily.log 2>&1 || tail -n 20 /srv/shop/rfm-daily.log; }"
    )


def test_with_a_time_zone_the_line_checks_the_time_every_15_minutes() -> None:
    when, command = fields(schedule(at=time(3, 40), timezone="Asia/Kathmandu"))
    assert when == "10,25,40,55 * * * *"
    assert command.startswith(
        'if test "$(TZ=Asia/Kathmandu date +\\%H:\\%M)" = 03:40; then cd /srv/shop && {'
    )
    assert command.endswith("; }; fi")


@pytest.mark.parametrize("collapses", [True, False])
@pytest.mark.parametrize("value", [*VALUES.values(), *ARGUMENTS[-7:]])
def test_values_that_need_escaping_pass_cron_and_the_shell_unchanged(
    value: str, collapses: bool, tmp_path: Path
) -> None:
    daily = awkward(tmp_path, value)
    _, command = fields(daily)
    read = as_cron_reads(command, collapses=collapses)
    assert subprocess.run(["sh", "-c", read], check=False, capture_output=True, text=True).stdout == ""
    call = recorded_call(tmp_path)
    assert call.arguments == ["run", value]
    assert call.environment["RFM_0"] == value
    assert call.environment["GOOGLE_APPLICATION_CREDENTIALS"] == "/srv/key & co.json"
    assert (tmp_path / "rfm-daily.log").read_text(encoding="utf-8") == "output of the program\n"


@pytest.mark.parametrize("collapses", [True, False])
def test_a_folder_that_needs_escaping_passes_cron_and_the_shell(collapses: bool, tmp_path: Path) -> None:
    folder = tmp_path / FOLDER
    _, command = fields(awkward(folder))
    subprocess.run(["sh", "-c", as_cron_reads(command, collapses=collapses)], check=True)
    assert recorded_call(folder).folder == str(folder)
    assert (folder / "rfm-daily.log").exists()


def test_every_cron_undoes_the_escaping() -> None:
    for text in (r"'\\'", r"'a\%b'", r"'\\\\%%\\'", "'100% %'", r"'\'"):
        for collapses in (True, False):
            output = subprocess.run(
                ["sh", "-c", "printf %s " + as_cron_reads(escape_for_cron(text), collapses=collapses)],
                check=True, capture_output=True, text=True,
            ).stdout  # fmt: skip
            assert output == text[1:-1]


@pytest.mark.parametrize("zone", [None, "Europe/London"])
@pytest.mark.parametrize("what", ["plain", "program", "container"])
def test_the_shell_command_passes_shellcheck(what: str, zone: str | None, tmp_path: Path) -> None:
    daily = {
        "plain": schedule(timezone=zone),
        "program": replace(awkward(tmp_path, *VALUES.values()), timezone=zone),
        "container": container_schedule(timezone=zone),
    }[what]
    # Of values, shellcheck only suspects that another quoting was meant.
    severity = "style" if what == "plain" else "warning"
    done = subprocess.run(
        [TOOLS / "shellcheck", "--shell=sh", f"--severity={severity}", "-"],
        input=shell_command(daily) + "\n", capture_output=True, encoding="utf-8", check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "")


def test_a_failed_run_prints_the_end_of_the_log_for_cron(tmp_path: Path) -> None:
    daily = schedule(runs=recording_program(tmp_path), folder=str(tmp_path), environment={"EXIT_CODE": "3"})
    done = subprocess.run(["sh", "-c", shell_command(daily)], capture_output=True, text=True, check=False)
    assert done.stdout == "output of the program\n"


@pytest.mark.parametrize(("overlap", "starts"), [("skip", False), ("wait", True)])
def test_a_start_during_a_run_is_skipped_or_waits(overlap: str, starts: bool, tmp_path: Path) -> None:
    daily = schedule(runs=recording_program(tmp_path), folder=str(tmp_path), overlap=overlap)
    holder = ["flock", str(tmp_path / "rfm-daily.lock"), "cat"]
    with subprocess.Popen(holder, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holding:
        assert holding.stdin
        assert holding.stdout
        holding.stdin.write(b"held\n")
        holding.stdin.flush()
        holding.stdout.readline()
        with subprocess.Popen(["sh", "-c", shell_command(daily)], start_new_session=True) as second:
            if overlap == "skip":
                assert second.wait(20) == 0
                assert not (tmp_path / "call.json").exists()
            holding.stdin.close()
            assert second.wait(20) == 0
    assert (tmp_path / "call.json").exists() == starts


def test_a_line_longer_than_cron_reads_is_an_error() -> None:
    with pytest.raises(UsageError, match=r"has \d+ bytes; cron reads at most 990"):
        render("cron", schedule(environment={"RFM_SOURCE": "x" * 900}))


# A real cron


CRON = """
set -e
mount -t tmpfs none /var/spool/cron/crontabs
mount -t tmpfs none /etc/cron.d
mount -t tmpfs none /run
mount --bind /dev/null /etc/crontab
chmod 1730 /var/spool/cron/crontabs
crontab - <"$0"
exec cron -f
"""
"""Starts a cron in a mount namespace, so that it reads only its own crontab."""


def why_no_cron() -> str | None:
    """Return the reason why no cron can be started here; None if one can."""
    if os.geteuid() != 0:
        return "only root can start a cron"
    missing = [tool for tool in ("cron", "crontab", "flock", "unshare") if shutil.which(tool) is None]
    if missing:
        return f"{' and '.join(missing)} not installed"
    done = subprocess.run(
        ["unshare", "--mount", "mount", "-t", "tmpfs", "none", "/etc/cron.d"],
        capture_output=True,
        check=False,
    )
    return "no mount namespaces here" if done.returncode else None


@pytest.mark.slow
def test_a_real_cron_starts_a_run_that_publishes(tmp_path: Path) -> None:
    if reason := why_no_cron():
        pytest.skip(reason)
    folder = tmp_path / FOLDER
    folder.mkdir()
    (folder / "lines of 100%.csv").write_text(ORDERS, encoding="utf-8")
    # The offset of 5:45 hours distinguishes this time zone from the machine's.
    zone = ZoneInfo("Asia/Kathmandu")
    soon = datetime.now(zone) + timedelta(seconds=65 if datetime.now(zone).second > 50 else 60)
    daily = schedule(
        at=time(soon.hour, soon.minute),
        timezone=str(zone),
        runs=Program(str(TOOLS / "rfm")),
        folder=str(folder),
        arguments=("run", "lines of 100%.csv", "--quiet"),
        environment={"RFM_TO": "duckdb:it's 50% & more.duckdb"},
    )
    crontab = tmp_path / "crontab"
    crontab.write_text(render("cron", daily).files[0].text, encoding="utf-8")
    result = folder / "it's 50% & more.duckdb"
    daemon = subprocess.Popen(["unshare", "--mount", "sh", "-c", CRON, str(crontab)], start_new_session=True)
    try:
        end = clock.monotonic() + 120
        while not result.exists() and clock.monotonic() < end:
            assert daemon.poll() is None
            clock.sleep(0.5)
        # The run has ended when the lock is free.
        subprocess.run(["flock", "--timeout", "20", folder / "rfm-daily.lock", "true"], check=True)
    finally:
        os.killpg(daemon.pid, signal.SIGTERM)
        daemon.wait(10)
    assert [row[0] for row in published(result)] == ["007", "ann", "bob", "cyd"]
    assert (folder / "rfm-daily.log").read_text(encoding="utf-8") == ""
