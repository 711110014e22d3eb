"""The command line in a separate process that uses the BigQuery emulator."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from support.bigquery_proxy import Proxy

MAIN_CODE = "from rfm_pipeline.cli import main; main()"


def start_rfm(proxy: Proxy, folder: Path, *arguments: str) -> subprocess.Popen[str]:
    """Start `rfm` with `arguments` in `folder`; its requests go to the proxy."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RFM_")}
    return subprocess.Popen(
        [sys.executable, "-c", MAIN_CODE, *arguments],
        cwd=folder,
        env={**environment, "BIGQUERY_EMULATOR_HOST": proxy.address},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
