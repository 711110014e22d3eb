"""The command line that starts a container on a machine."""

from __future__ import annotations

import csv
import io

from rfm_pipeline.schedule.spec import CONFIG_PLACE, DATA_FOLDER, Schedule


def mount(source: str, target: str, *, readonly: bool = False) -> str:
    """The value of `--mount`, a line of CSV: a comma or a quote in a path stays in it."""
    line = io.StringIO()
    fields = ["type=bind", f"source={source}", f"target={target}"]
    csv.writer(line, lineterminator="").writerow([*fields, *(["readonly"] if readonly else [])])
    return line.getvalue()


def container_words(schedule: Schedule) -> list[str]:
    """What starts the container, word by word: nothing of it is writable but the folder."""
    image = schedule.image
    words = [
        image.engine, "run", "--rm", *(["--init"] if image.init else []), "--name", schedule.name,
        "--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges",
    ]  # fmt: skip
    if image.user:
        words += ["--user", image.user]
    words += ["--mount", mount(schedule.folder, DATA_FOLDER)]
    if schedule.config:
        words += ["--mount", mount(schedule.config, CONFIG_PLACE, readonly=True)]
    for secret in schedule.secrets:
        words += ["--mount", mount(secret.reference, secret.place, readonly=True)]
    for name, value in schedule.container_environment().items():
        words += ["--env", f"{name}={value}"]
    return [*words, image.name, *schedule.arguments]
