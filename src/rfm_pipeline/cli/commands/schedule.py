"""The command `rfm schedule`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NoReturn

import typer

from rfm_pipeline.cli.options import Json, quiet_option
from rfm_pipeline.errors import UsageError

if TYPE_CHECKING:
    from rfm_pipeline.schedule import Schedule

_WHEN, _WHAT, _CLOUD, _OUTPUT = "When", "What runs", "Clusters and clouds", "Output"


def _option(panel: str, text: str, *names: str) -> Any:
    return typer.Option(*names, help=text, rich_help_panel=panel)


def _unset(panel: str, text: str, *names: str) -> Any:
    return typer.Option(*names, help=text, rich_help_panel=panel, show_default=False)


Target = Annotated[
    str,
    typer.Argument(
        help="cron, systemd, windows, kubernetes, cloud-run, github-actions or airflow; or wait, which waits"
        " until the time and then runs.",
        show_default=False,
    ),
]
Arguments = Annotated[
    list[str] | None,
    typer.Argument(help="The rfm command to run, after -- (default: run).", show_default=False),
]
Timezone = Annotated[
    str | None,
    _unset(_WHEN, "Time zone of the start, such as Europe/London (default: the machine's)."),
]
OverlapOption = Annotated[
    Literal["skip", "wait"], _option(_WHEN, "If the previous run is still running: skip the start, or wait.")
]
MissedOption = Annotated[
    Literal["catch-up", "skip"],
    _option(_WHEN, "If the machine was off at the start: catch up when it is on again, or skip the start."),
]
ImageOption = Annotated[str | None, _unset(_WHAT, "Container image to run instead of the installed command.")]
ProgramOption = Annotated[
    str | None, _unset(_WHAT, "Path of rfm on the machine that runs it (default: the path on this machine).")
]
Environment = Annotated[list[str] | None, _unset(_WHAT, "Environment variable of the run, NAME=VALUE.")]
Secrets = Annotated[
    list[str] | None,
    _unset(
        _WHAT,
        "Secret file whose path the run gets in a variable, VARIABLE=REFERENCE. REFERENCE is a path on a"
        " machine, and elsewhere the secret's name.",
    ),
]


ServiceAccount = Annotated[
    str | None,
    _unset(
        _CLOUD,
        "Account of the run: the address of a service account of Google (cloud-run, kubernetes,"
        " github-actions), or the name of a ServiceAccount in Kubernetes.",
    ),
]
IdentityProvider = Annotated[
    str | None,
    _unset(
        _CLOUD,
        "For github-actions: workload identity provider of Google by its full name, projects/NUMBER/"
        " ... /providers/PROVIDER, in place of a key.",
    ),
]
PullSecret = Annotated[
    str | None,
    _unset(
        _CLOUD,
        "Credentials for the image's registry, as the scheduler names them: a Secret in Kubernetes, the"
        " beginning of ..._USERNAME and ..._PASSWORD in GitHub, a connection in Airflow.",
    ),
]
OperatorOption = Annotated[
    Literal["docker", "kubernetes", "cloud-run"],
    typer.Option(
        help="For airflow: 'docker', a container on the worker, 'kubernetes', a pod, or 'cloud-run', a job;"
        " Composer has the latter two.",
        metavar="<name>",
        rich_help_panel=_CLOUD,
    ),
]

FilesOnly = Annotated[bool, quiet_option("Print only the files and errors: no notes, and no next steps.")]


def schedule(
    target: Target,
    arguments: Arguments = None,
    *,
    at: Annotated[str, _option(_WHEN, "Local time of the start.")] = "05:30",
    timezone: Timezone = None,
    overlap: OverlapOption = "skip",
    missed: MissedOption = "catch-up",
    timeout: Annotated[int, _option(_WHEN, "Minutes after which a run is stopped.")] = 120,
    name: Annotated[str, _option(_WHAT, "Name of the job in the scheduler.")] = "rfm-daily",
    image: ImageOption = None,
    program: ProgramOption = None,
    folder: Annotated[
        str, _option(_WHAT, "Working folder of the run; mounted as /data in a container.")
    ] = ".",
    config: Annotated[str | None, _unset(_WHAT, "Configuration file of the run.", "--config", "-c")] = None,
    env: Environment = None,
    secret: Secrets = None,
    system: Annotated[
        bool, _option(_WHAT, "For systemd: system units instead of user units.", "--system")
    ] = False,
    project: Annotated[str | None, _unset(_CLOUD, "Google Cloud project.")] = None,
    region: Annotated[str | None, _unset(_CLOUD, "Google Cloud region, such as europe-west1.")] = None,
    service_account: ServiceAccount = None,
    workload_identity_provider: IdentityProvider = None,
    pull_secret: PullSecret = None,
    namespace: Annotated[str | None, _unset(_CLOUD, "Namespace in Kubernetes.")] = None,
    retries: Annotated[
        int, _option(_CLOUD, "How often Kubernetes, Cloud Run and Airflow repeat a failed run.")
    ] = 2,
    operator: OperatorOption = "docker",
    build: Annotated[
        str | None,
        _unset(_CLOUD, "Checkout of rfm, from which the recipe for Cloud Run builds and pushes the image."),
    ] = None,
    write: Annotated[
        Path | None, _unset(_OUTPUT, "Write the files into this folder instead of printing them.")
    ] = None,
    install: Annotated[
        bool,
        _option(_OUTPUT, "Install the job in this machine's cron, systemd or Task Scheduler.", "--install"),
    ] = False,
    remove: Annotated[
        bool, _option(_OUTPUT, "Remove the job from this machine's scheduler.", "--remove")
    ] = False,
    yes: Annotated[bool, _option(_OUTPUT, "Install or remove without asking.", "--yes", "-y")] = False,
    as_json: Json = False,
    quiet: FilesOnly = False,
) -> None:
    """Print the configuration that starts a run every day, for the scheduler of your choice.

    Nothing is installed or removed unless --install or --remove is given, and only after a confirmation.

    Examples:
      rfm schedule cron --at 05:30 --timezone Europe/London

      rfm schedule systemd --folder /srv/shop --install

      rfm schedule kubernetes --image registry.example/rfm-pipeline:0.1.0 --config rfm.toml

      rfm schedule wait --at 05:30 -- run sales.csv
    """
    from msgspec.structs import replace

    from rfm_pipeline.cli.render.schedule import (
        confirm_and_execute,
        print_notes,
        print_rendered,
        print_rendered_json,
        write_rendered,
    )
    from rfm_pipeline.schedule import MACHINE_TIME_TARGETS, Schedule, render
    from rfm_pipeline.schedule.install import install_steps, removal_steps
    from rfm_pipeline.schedule.local_machine import missing_source_note
    from rfm_pipeline.schedule.spec import Cloud, Identity

    if remove:
        confirm_and_execute(removal_steps(target, name), yes=yes, quiet=quiet)
        return
    when = _when(target, at, timezone)
    words = _command(arguments)
    if target == "wait":
        _wait(when["at"], timezone, words, quiet=quiet)
    what = _what_to_run(
        target, image=image, program=program, folder=folder, config=config, env=env, secret=secret,
        pull_secret=pull_secret, on_machine=target != "airflow" or operator == "docker",
    )  # fmt: skip
    cloud = Cloud(project, region, service_account) if project and region and service_account else None
    daily = Schedule(
        **what, **when, arguments=words, overlap=overlap, missed=missed, timeout=timeout, name=name,
        system=system, cloud=cloud, identity=Identity(service_account, workload_identity_provider, project),
        namespace=namespace, retries=retries, operator=operator, checkout=build,
    )  # fmt: skip
    rendered = render(target, daily)
    if target in MACHINE_TIME_TARGETS and (note := missing_source_note(daily)):
        rendered = replace(rendered, notes=(*rendered.notes, note))
    if install:
        if system:
            raise UsageError(
                "--install installs user units, and --system renders system units.",
                "write the units with --write, and copy them to /etc/systemd/system.",
            )
        steps = install_steps(target, name, rendered)
        if not quiet:
            print_notes(rendered.notes)
        confirm_and_execute(steps, yes=yes, quiet=quiet)
    elif as_json:
        print_rendered_json(rendered)
    elif write:
        _refuse_overwriting(write, [file.name for file in rendered.files], daily)
        write_rendered(rendered, write, quiet=quiet)
    else:
        print_rendered(rendered, quiet=quiet)


def _refuse_overwriting(folder: Path, names: list[str], daily: Schedule) -> None:
    """Raise if a file of the schedule would replace one that the scheduled command names, or a secret."""
    from rfm_pipeline.pipeline.output_paths import refuse_same_files

    secrets = (secret.reference for secret in daily.secrets)
    named = [daily.config or "rfm.toml", "rfm.duckdb", *daily.arguments, *secrets]
    files = [("a file that the schedule uses", Path(daily.folder, name)) for name in named]
    refuse_same_files([("file", folder / name) for name in names], files)


def _when(target: str, at: str, timezone: str | None) -> dict[str, Any]:
    from datetime import datetime, timedelta

    from rfm_pipeline.schedule.local_machine import is_own_timezone
    from rfm_pipeline.schedule.spec import check_timezone, parse_time

    zone = check_timezone(timezone) if timezone else None
    # Tomorrow: a scheduler that catches up on missed starts would otherwise run for this morning's.
    tomorrow = datetime.now(zone).astimezone(zone).date() + timedelta(days=1)
    if target == "cron" and timezone and is_own_timezone(timezone):
        # In the machine's own zone cron makes up for a time that is skipped.
        timezone = None
    return {"at": parse_time(at), "timezone": timezone, "first_day": tomorrow}


def _what_to_run(
    target: str,
    *,
    image: str | None,
    program: str | None,
    folder: str,
    config: str | None,
    env: list[str] | None,
    secret: list[str] | None,
    pull_secret: str | None,
    on_machine: bool,
) -> dict[str, Any]:
    from msgspec.structs import replace

    from rfm_pipeline.schedule import local_machine
    from rfm_pipeline.schedule.spec import Secret

    # Paths and references of a pod or a job are not those of a machine.
    target = target if on_machine else "kubernetes"
    path = local_machine.absolute(folder, target)
    secrets = _pairs(secret, "--secret", "GOOGLE_APPLICATION_CREDENTIALS=/srv/keys/bigquery.json")
    return {
        "runs": replace(local_machine.image(image, path, target), pull_secret=pull_secret)
        if image
        else local_machine.program(program, path, target),
        "folder": path,
        "config": local_machine.absolute(config, target, path) if config else None,
        "environment": _pairs(env, "--env", "RFM_TO=duckdb:shop.duckdb"),
        "secrets": tuple(
            Secret(variable, local_machine.absolute(reference, target, path))
            for variable, reference in secrets.items()
        ),
    }


def _pairs(texts: list[str] | None, flag: str, example: str) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for text in texts or ():
        name, equals, value = text.partition("=")
        if not equals or not name or not value:
            # Only a name without a value is repeated: other text may be the secret itself.
            value_found = f", not '{text}'" if re.fullmatch(r"[A-Z][A-Z_]*=?", text) else ""
            raise UsageError(f"{flag} takes NAME=VALUE{value_found}.", f"for example {flag} {example}.")
        if name in pairs:
            raise UsageError(f"{flag} gives {name} two values.", "remove one of them.")
        pairs[name] = value
    return pairs


def _command(arguments: list[str] | None) -> tuple[str, ...]:
    from rfm_pipeline.cli.help import COMMANDS
    from rfm_pipeline.schedule.spec import quote_unless_secret

    words = tuple(arguments or ("run",))
    if words[0] not in COMMANDS or words[0] == "schedule":
        raise UsageError(
            f"{quote_unless_secret(words[0])} is not a command that can be scheduled.",
            "for example `rfm schedule cron -- run sales.csv`.",
        )
    return words


def _wait(at: Any, timezone: str | None, words: tuple[str, ...], *, quiet: bool) -> NoReturn:
    import os
    import subprocess
    import sys
    from datetime import UTC, datetime
    from zoneinfo import ZoneInfo

    from rfm_pipeline.schedule.wait import next_start, wait_until

    start = next_start(datetime.now(UTC), at, ZoneInfo(timezone) if timezone else None)
    if not quiet:
        print(f"Waiting until {start:%Y-%m-%d %H:%M %Z}.", file=sys.stderr, flush=True)
    wait_until(start)
    command = [sys.executable, "-m", "rfm_pipeline", *words]
    if sys.platform == "win32":
        # Windows has no exec that keeps the process.
        raise typer.Exit(subprocess.run(command, check=False).returncode)  # noqa: S603
    os.execv(command[0], command)  # noqa: S606
