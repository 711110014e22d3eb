"""systemd: a service that runs once, and a timer that starts it. A service never runs beside itself."""

from __future__ import annotations

import re

from rfm_pipeline.errors import UsageError
from rfm_pipeline.schedule.container_command import container_words
from rfm_pipeline.schedule.spec import File, Program, Rendered, Schedule

# What needs no namespaces, which a user's service may not make everywhere.
_HARDENED = (
    "NoNewPrivileges=yes",
    "LockPersonality=yes",
    "RestrictNamespaces=yes",
    "RestrictRealtime=yes",
    "RestrictSUIDSGID=yes",
    # The last is how names are looked up.
    "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK",
    "SystemCallArchitectures=native",
    "SystemCallFilter=@system-service",
    "SystemCallErrorNumber=EPERM",
)
_HARDENED_SYSTEM = (
    "CapabilityBoundingSet=",
    "PrivateDevices=yes",
    "PrivateTmp=yes",
    "ProtectClock=yes",
    "ProtectControlGroups=yes",
    "ProtectHome=read-only",
    "ProtectHostname=yes",
    "ProtectKernelLogs=yes",
    "ProtectKernelModules=yes",
    "ProtectKernelTunables=yes",
    "ProtectSystem=strict",
)


def render(schedule: Schedule) -> Rendered:
    """The two units.

    Raises:
        UsageError: A path that a unit can't name.
    """
    name = schedule.name
    service = f"{name}.service"
    timer = f"{name}.timer"
    zone = f" {schedule.timezone}" if schedule.timezone else ""
    timer_lines = [
        "[Unit]",
        f"Description=Start {service} every day",
        "",
        "[Timer]",
        f"OnCalendar=*-*-* {schedule.at:%H:%M}:00{zone}",
        f"Persistent={'true' if schedule.missed == 'catch-up' else 'false'}",
        "AccuracySec=1s",
        f"Unit={service}",
        "",
        "[Install]",
        "WantedBy=timers.target",
    ]
    notes = []
    if schedule.overlap == "wait":
        notes.append("systemd skips a start while the former run still works, and does not wait.")
    if not schedule.system:
        notes.append(
            "without `loginctl enable-linger` a user's timers run only while that user is logged in."
        )
    manager = "systemctl" if schedule.system else "systemctl --user"
    return Rendered(
        (File(service, _text(_service(schedule))), File(timer, _text(timer_lines))),
        (f"{manager} daemon-reload", f"{manager} enable --now {timer}"),
        tuple(notes),
    )


def _service(schedule: Schedule) -> list[str]:
    contained = not isinstance(schedule.runs, Program)
    wanted = ["Wants=network-online.target", "After=network-online.target"] if schedule.system else []
    lines = [
        "[Unit]",
        "Description=Recency, frequency and monetary value for every customer",
        *wanted,
        "",
        "[Service]",
        "Type=oneshot",
        f"WorkingDirectory={_path(schedule.folder)}",
    ]
    if isinstance(schedule.runs, Program):
        values = {
            **schedule.environment,
            **{secret.variable: secret.reference for secret in schedule.secrets},
        }
        lines += [f"Environment={_word(f'{name}={value}')}" for name, value in values.items()]
        program, *rest = schedule.program_words()
    else:
        program, *rest = container_words(schedule)
    lines += [
        " ".join([f"ExecStart={_program(program)}", *(_argument(word) for word in rest)]),
        f"TimeoutStartSec={schedule.timeout}min",
        "TimeoutStopSec=60s",
        "UMask=0027",
    ]
    if contained:
        # The container is the sandbox; what starts it must be able to make one.
        return lines
    if schedule.system:
        lines += [f"User={schedule.program.user}"] if schedule.program.user else []
        lines += [*_HARDENED_SYSTEM, f"ReadWritePaths={_word(schedule.folder)}"]
    return [*lines, *_HARDENED]


def _word(text: str) -> str:
    """A word of a unit file: between quotes where it needs them, and a `%` is no specifier."""
    safe = re.fullmatch(r"[A-Za-z0-9_@+=:,./-]+", text)
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return escaped if safe else f'"{escaped}"'


def _argument(text: str) -> str:
    """A word that a command is given; a `$` is no variable."""
    return _word(text.replace("$", "$$"))


def _program(path: str) -> str:
    """The word that says which program runs.

    Raises:
        UsageError: systemd starts no program of such a path.
    """
    if re.search(r"[\"'\\]", path):
        raise UsageError(
            f"systemd starts no program that has a quote or a backslash in its path, as {path} has.",
            "install rfm elsewhere, or take cron.",
        )
    return _word(path)


def _path(text: str) -> str:
    """A path that is a whole value: no quotes are read there."""
    if text.endswith("\\") or text != text.strip():
        raise UsageError(
            f"systemd reads no path that ends in a blank or a backslash, as {text!r} does.",
            "choose another --folder.",
        )
    return text.replace("%", "%%")


def _text(lines: list[str]) -> str:
    return "\n".join(lines) + "\n"
