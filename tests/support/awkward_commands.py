"""Shared by the tests of schedules: values that need escaping, and a program that records its call."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from datetime import date, time
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from rfm_pipeline.schedule.spec import Cloud, Image, Program, Schedule, Secret

TOOLS = Path(sys.executable).parent

# Spaces, both quotes, percent signs, ampersands, dollars, backslashes, non-Latin letters, and the
# placeholders of each scheduler.
VALUES = {
    "RFM_SOURCE": '/srv/it\'s a "shop"/50% & more/Zoë Ж中/*.csv',
    "RFM_TIMEZONE": "100% %H:%M %%h %n $HOME $$ ${HOME} $(HOME) `id` ${{ github.token }} {{ ds }}",
    "RFM_WINDOW": 'a\\b \\% \\\\% \\\\\\ \\n \\"end\\',
    "RFM_SINCE": "no",
    "RFM_TO": "duckdb:x#y; z | w > v < u ~ [a] ?",
}
ARGUMENTS = ("run", *VALUES.values(), "", "--exclude", "x=a = 'b'", "-", "yes", "0o17", "2025-01-01", "é.sh")
# A valid folder name on every system but Windows.
FOLDER = 'it\'s a "shop" 50% & more $HOME Zoë Ж, too'


@dataclass(frozen=True, slots=True)
class RecordedCall:
    """The call of a program.

    Attributes:
        arguments: Arguments, without the program.
        environment: All environment variables.
        folder: Working directory.
    """

    arguments: list[str]
    environment: dict[str, str]
    folder: str


def recording_program(folder: Path, name: str = "rfm") -> Program:
    """Write a program that replaces rfm and records its call in `call.json` in the same folder."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(
        f"#!{sys.executable}\n"
        "import json, os, pathlib, sys\n"
        "call = [sys.argv[1:], dict(os.environ), os.getcwd()]\n"
        "path = pathlib.Path(__file__).parent / 'call.json'\n"
        "path.with_suffix('.new').write_text(json.dumps(call), encoding='utf-8')\n"
        "path.with_suffix('.new').rename(path)\n"
        "print('output of the program')\n"
        "sys.exit(int(os.environ.get('EXIT_CODE', '0')))\n",
        encoding="utf-8",
    )
    path.chmod(0o755)
    return Program(str(path))


def recorded_call(folder: Path) -> RecordedCall:
    return RecordedCall(*json.loads((folder / "call.json").read_text(encoding="utf-8")))


def schedule(**values: Any) -> Schedule:
    """Return a schedule whose values need no escaping, with some of them replaced."""
    plain = Schedule(
        at=time(3, 30),
        runs=Program("/usr/local/bin/rfm"),
        folder="/srv/shop",
        first_day=date(2026, 1, 2),
    )
    return replace(plain, **values)


def container_schedule(**values: Any) -> Schedule:
    """Return a schedule that starts a container, with all values that need escaping."""
    return schedule(
        **{
            "runs": Image("registry.example/rfm-pipeline:0.1.0", "/usr/bin/docker", "1000:1000"),
            "arguments": ARGUMENTS,
            "environment": VALUES,
            "secrets": (Secret("GOOGLE_APPLICATION_CREDENTIALS", "BIGQUERY_KEY"),),
            "timezone": "Europe/London",
            "cloud": Cloud("my-project", "europe-west1", "rfm@my-project.iam.gserviceaccount.com"),
            **values,
        }
    )
