"""`rfm schedule`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal, NoReturn

import typer

from rfm_pipeline.cli.options import Json
from rfm_pipeline.errors import UsageError

_WHEN, _WHAT, _CLOUD, _THEN = "When", "What runs", "Google Cloud", "What is done with it"


def _option(panel: str, text: str, *names: str) -> Any:
    return typer.Option(*names, help=text, rich_help_panel=panel)


def _unset(panel: str, text: str, *names: str) -> Any:
    return typer.Option(*names, help=text, rich_help_panel=panel, show_default=False)


Target = Annotated[
    str,
    typer.Argument(
        help="cron, systemd, windows, kubernetes, cloud-run, github-actions or airflow; or wait, which waits"
        " for the time and then becomes the run.",
        show_default=False,
    ),
]
Arguments = Annotated[
    list[str] | None,
    typer.Argument(help="What rfm is to do, after --; run unless given.", show_default=False),
]
Timezone = Annotated[
    str | None,
    _unset(_WHEN, "The zone of that time, such as Europe/London; the machine's own unless given."),
]
Overlap = Annotated[
    Literal["skip", "wait"], _option(_WHEN, "When the former run still works: skip this start, or wait.")
]
Missed = Annotated[
    Literal["catch-up", "skip"],
    _option(_WHEN, "When the machine was off at that time: start when it is back, or not."),
]
Image = Annotated[
    str | None, _unset(_WHAT, "The image to run, in place of the command that is installed here.")
]
Program = Annotated[
    str | None, _unset(_WHAT, "The path of rfm, where another machine than this one runs it.")
]
Environment = Annotated[list[str] | None, _unset(_WHAT, "A variable for the run, NAME=VALUE.")]
Secrets = Annotated[
    list[str] | None,
    _unset(
        _WHAT,
        "A secret file that the run finds by a variable, VARIABLE=REFERENCE: a path on a machine, elsewhere"
        " the secret's name.",
    ),
]


def schedule(
    target: Target,
    arguments: Arguments = None,
    *,
    at: Annotated[str, _option(_WHEN, "The local time of the start.")] = "05:30",
    timezone: Timezone = None,
    overlap: Overlap = "skip",
    missed: Missed = "catch-up",
    timeout: Annotated[int, _option(_WHEN, "Minutes after which a run is stopped.")] = 120,
    name: Annotated[str, _option(_WHAT, "What the scheduler calls it.")] = "rfm-daily",
    image: Image = None,
    program: Program = None,
    folder: Annotated[str, _option(_WHAT, "The folder that a run works in; a container's /data.")] = ".",
    config: Annotated[
        str | None, _unset(_WHAT, "A configuration file for the run.", "--config", "-c")
    ] = None,
    env: Environment = None,
    secret: Secrets = None,
    system: Annotated[bool, _option(_WHAT, "For systemd: units of the system.", "--system")] = False,
    project: Annotated[str | None, _unset(_CLOUD, "The project.")] = None,
    region: Annotated[str | None, _unset(_CLOUD, "The region, such as europe-west1.")] = None,
    service_account: Annotated[str | None, _unset(_CLOUD, "Whom the job runs as.")] = None,
    write: Annotated[
        Path | None, _unset(_THEN, "Write the files into this folder instead of printing them.")
    ] = None,
    install: Annotated[
        bool, _option(_THEN, "Give it to this machine's cron, systemd or Windows.", "--install")
    ] = False,
    remove: Annotated[bool, _option(_THEN, "Take it back from there.", "--remove")] = False,
    yes: Annotated[bool, _option(_THEN, "Don't ask before it is done.", "--yes", "-y")] = False,
    as_json: Json = False,
) -> None:
    """Print what starts a run every day, for the scheduler of your choice.

    Nothing is changed unless --install or --remove is given, and only after it was shown.

    Examples:
      rfm schedule cron --at 05:30 --timezone Europe/London

      rfm schedule systemd --folder /srv/shop --install

      rfm schedule kubernetes --image registry.example/rfm-pipeline:0.1.0 --config rfm.toml

      rfm schedule wait --at 05:30 -- run sales.csv
    """
    from rfm_pipeline.cli.render import schedule as terminal
    from rfm_pipeline.schedule import Schedule, render
    from rfm_pipeline.schedule import install as installation
    from rfm_pipeline.schedule.spec import Cloud

    if remove:
        terminal.do(installation.removal_steps(target, name), yes=yes)
        return
    when = _when(at, timezone)
    words = _command(arguments)
    if target == "wait":
        _wait(when["at"], timezone, words)
    what = _what(target, image=image, program=program, folder=folder, config=config, env=env, secret=secret)
    cloud = Cloud(project, region, service_account) if project and region and service_account else None
    daily = Schedule(
        **what, **when, arguments=words, overlap=overlap, missed=missed, timeout=timeout, name=name,
        system=system, cloud=cloud,
    )  # fmt: skip
    rendered = render(target, daily)
    if install:
        if system:
            raise UsageError(
                "--install is for your own timers, and --system for those of the system.",
                "write the units with --write, and copy them to /etc/systemd/system.",
            )
        terminal.say(rendered.notes)
        terminal.do(installation.install_steps(target, name, rendered), yes=yes)
    elif as_json:
        terminal.print_rendered_json(rendered)
    elif write:
        terminal.write_rendered(rendered, write)
    else:
        terminal.print_rendered(rendered)


def _when(at: str, timezone: str | None) -> dict[str, Any]:
    from datetime import datetime, timedelta

    from rfm_pipeline.schedule.spec import check_timezone, parse_time

    zone = check_timezone(timezone) if timezone else None
    # Not today: a scheduler that makes up for missed starts would make up for this morning's.
    tomorrow = datetime.now(zone).astimezone(zone).date() + timedelta(days=1)
    return {"at": parse_time(at), "timezone": timezone, "first_day": tomorrow}


def _what(
    target: str,
    *,
    image: str | None,
    program: str | None,
    folder: str,
    config: str | None,
    env: list[str] | None,
    secret: list[str] | None,
) -> dict[str, Any]:
    from rfm_pipeline.schedule import local_machine as here
    from rfm_pipeline.schedule.spec import Secret

    place = here.absolute(folder, target)
    secrets = _pairs(secret, "--secret", "GOOGLE_APPLICATION_CREDENTIALS=/srv/keys/bigquery.json")
    return {
        "runs": here.image(image, place, target) if image else here.program(program, place, target),
        "folder": place,
        "config": here.absolute(config, target, place) if config else None,
        "environment": _pairs(env, "--env", "RFM_TO=duckdb:shop.duckdb"),
        "secrets": tuple(
            Secret(variable, here.absolute(kept, target, place)) for variable, kept in secrets.items()
        ),
    }


def _pairs(given: list[str] | None, flag: str, example: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for text in given or ():
        name, equals, value = text.partition("=")
        if not equals or not name or not value:
            # Only a lone name is repeated: what else is given may be the secret itself.
            found_text = f", not '{text}'" if re.fullmatch(r"[A-Z][A-Z_]*=?", text) else ""
            raise UsageError(f"{flag} takes NAME=VALUE{found_text}.", f"for example {flag} {example}.")
        if name in found:
            raise UsageError(f"{flag} gives {name} two values.", "leave one of them away.")
        found[name] = value
    return found


def _command(arguments: list[str] | None) -> tuple[str, ...]:
    from rfm_pipeline.cli.help import COMMANDS
    from rfm_pipeline.schedule.spec import quote_unless_secret

    words = tuple(arguments or ("run",))
    if words[0] not in COMMANDS or words[0] == "schedule":
        raise UsageError(
            f"{quote_unless_secret(words[0])} is no command to schedule.",
            "for example `rfm schedule cron -- run sales.csv`.",
        )
    return words


def _wait(at: Any, timezone: str | None, words: tuple[str, ...]) -> NoReturn:
    import os
    import subprocess
    import sys
    from datetime import UTC, datetime
    from zoneinfo import ZoneInfo

    from rfm_pipeline.schedule.wait import next_start, wait_until

    moment = next_start(datetime.now(UTC), at, ZoneInfo(timezone) if timezone else None)
    print(f"Waiting until {moment:%Y-%m-%d %H:%M %Z}.", file=sys.stderr, flush=True)
    wait_until(moment)
    command = [sys.executable, "-m", "rfm_pipeline", *words]
    if sys.platform == "win32":
        # There a process can't become another.
        raise typer.Exit(subprocess.run(command, check=False).returncode)  # noqa: S603
    os.execv(command[0], command)  # noqa: S606
