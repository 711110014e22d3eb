"""The `docker run` command that starts a run in a container."""

from __future__ import annotations

import csv
import io

from rfm_pipeline.schedule.spec import CONFIG_PATH, DATA_FOLDER, Schedule


def docker_run_command(schedule: Schedule) -> list[str]:
    """Return the command and its arguments. Only the data folder is writable in the container."""
    image = schedule.image
    words = [
        image.engine, "run", "--rm", *(["--init"] if image.init else []), "--name", schedule.name,
        "--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges",
    ]  # fmt: skip
    if image.user:
        words += ["--user", image.user]
    words += ["--mount", _bind_mount(schedule.folder, DATA_FOLDER)]
    if schedule.config:
        words += ["--mount", _bind_mount(schedule.config, CONFIG_PATH, readonly=True)]
    for secret in schedule.secrets:
        words += ["--mount", _bind_mount(secret.reference, secret.mount_path, readonly=True)]
    for name, value in schedule.container_environment().items():
        words += ["--env", f"{name}={value}"]
    return [*words, image.name, *schedule.arguments]


def _bind_mount(source: str, target: str, *, readonly: bool = False) -> str:
    """Return the value of `--mount`, which is a CSV line: paths may contain commas and quotes."""
    line = io.StringIO()
    fields = ["type=bind", f"source={source}", f"target={target}"]
    csv.writer(line, lineterminator="").writerow([*fields, *(["readonly"] if readonly else [])])
    return line.getvalue()
