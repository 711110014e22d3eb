"""Two concurrent runs on one dataset: one publishes, the other exits 5 and names the lease holder."""

from __future__ import annotations

import json
import re
import threading
from pathlib import Path

import pytest

from support.bigquery_process import start_rfm
from support.bigquery_proxy import Proxy, Request
from support.bigquery_shop import Shop
from support.cli import Rfm
from support.orders import refused

pytestmark = pytest.mark.xdist_group("bigquery")


@pytest.mark.guarantee("one-run-at-a-time", "exit-codes")
def test_a_second_run_exits_5_and_names_the_holder_of_the_lease(
    bigquery_shop: Shop, proxy: Proxy, rfm: Rfm, tmp_path: Path
) -> None:
    source, to = bigquery_shop.create_table(), bigquery_shop.destination
    is_running, holder = threading.Event(), ""

    def notice(request: Request) -> None:
        if request.kind == "job" and "-customers-" in request.job_id:
            is_running.set()

    proxy.on_request = notice
    proxy.ends_on_cancel = lambda job_id: "-customers-" in job_id
    with start_rfm(proxy, tmp_path, "run", source, "--to", to, "--json") as first:
        assert is_running.wait(60)
        for command in (("run", source), ("rollback",)):
            sentence, hint = refused(rfm(*command, "--to", to), code=5)
            match = re.search(r"is held by the run (\S+) \(process (\d+) on ", sentence)
            assert match, sentence
            holder, process = match.groups()
            assert int(process) == first.pid
            assert "the earlier result is unchanged" in hint
        assert "rfm_segments" not in bigquery_shop.tables()
        for job in proxy.jobs.values():
            job.pop("ends on cancel", None)
        stdout, stderr = first.communicate(timeout=60)
    assert (first.returncode, stderr) == (0, "")
    assert holder == json.loads(stdout)["run_id"]
    assert {row[-1] for row in bigquery_shop.published_rows()} == {holder}
    assert "rfm_segments__lease" not in bigquery_shop.tables()
