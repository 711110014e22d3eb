"""A run in a process of its own that works against the BigQuery emulator."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from support.bigquery_proxy import Proxy

START = "from rfm_pipeline.cli import main; main()"


def started(proxy: Proxy, folder: Path, *arguments: str) -> subprocess.Popen[str]:
    plain = {name: value for name, value in os.environ.items() if not name.startswith("RFM_")}
    return subprocess.Popen(
        [sys.executable, "-c", START, *arguments],
        cwd=folder,
        env={**plain, "BIGQUERY_EMULATOR_HOST": proxy.address},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
