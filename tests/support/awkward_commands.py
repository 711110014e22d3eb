"""What the tests of schedules share: awkward values, and a program that notes what it was given."""

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

# Spaces, both quotes, percent signs, ampersands, dollars, backslashes, other scripts, and what schedulers
# read as something of their own.
VALUES = {
    "RFM_SOURCE": '/srv/it\'s a "shop"/50% & more/Zoë Ж中/*.csv',
    "RFM_TIMEZONE": "100% %H:%M %%h %n $HOME $$ ${HOME} $(HOME) `id` ${{ github.token }} {{ ds }}",
    "RFM_WINDOW": 'a\\b \\% \\\\% \\\\\\ \\n \\"end\\',
    "RFM_SINCE": "no",
    "RFM_TO": "duckdb:x#y; z | w > v < u ~ [a] ?",
}
ARGUMENTS = ("run", *VALUES.values(), "", "--exclude", "x=a = 'b'", "-", "yes", "0o17", "2025-01-01", "é.sh")
# A folder, and what is in it, may be called this on a machine that is not a Windows.
FOLDER = 'it\'s a "shop" 50% & more $HOME Zoë Ж, too'


@dataclass(frozen=True, slots=True)
class Noted:
    """What a program was given.

    Attributes:
        arguments: After its name.
        environment: All of it.
        folder: Where it was started.
    """

    arguments: list[str]
    environment: dict[str, str]
    folder: str


def noting_program(folder: Path, name: str = "rfm") -> Program:
    """A program in the place of rfm that notes what it is given, in `noted.json` beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(
        f"#!{sys.executable}\n"
        "import json, os, pathlib, sys\n"
        "noted = [sys.argv[1:], dict(os.environ), os.getcwd()]\n"
        "path = pathlib.Path(__file__).parent / 'noted.json'\n"
        "path.with_suffix('.new').write_text(json.dumps(noted), encoding='utf-8')\n"
        "path.with_suffix('.new').rename(path)\n"
        "print('what the program says')\n"
        "sys.exit(int(os.environ.get('EXIT_CODE', '0')))\n",
        encoding="utf-8",
    )
    path.chmod(0o755)
    return Program(str(path))


def noted(folder: Path) -> Noted:
    return Noted(*json.loads((folder / "noted.json").read_text(encoding="utf-8")))


def schedule(**values: Any) -> Schedule:
    """A schedule without anything awkward; what is given is put into it."""
    plain = Schedule(
        at=time(3, 30),
        runs=Program("/usr/local/bin/rfm"),
        folder="/srv/shop",
        first_day=date(2026, 1, 2),
    )
    return replace(plain, **values)


def contained(**values: Any) -> Schedule:
    """One that starts a container, with every awkward value."""
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
