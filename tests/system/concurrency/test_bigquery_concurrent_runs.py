"""Two runs at once on one dataset: one publishes, the other exits 5 at once and says who holds it."""

from __future__ import annotations

import json
import re
import threading
from pathlib import Path

import pytest

from support.bigquery_process import started
from support.bigquery_proxy import Proxy, Request
from support.bigquery_shop import Shop
from support.cli import Rfm
from support.orders import refused

pytestmark = pytest.mark.xdist_group("bigquery")


def test_while_one_run_is_at_work_another_exits_5_and_names_it(
    bigquery_shop: Shop, proxy: Proxy, rfm: Rfm, tmp_path: Path
) -> None:
    source, to = bigquery_shop.make(), bigquery_shop.destination
    at_work, holder = threading.Event(), ""

    def look(request: Request) -> None:
        if request.kind == "job" and "-customers-" in request.job_id:
            at_work.set()

    proxy.seen = look
    proxy.slow = lambda job_id: "-customers-" in job_id
    with started(proxy, tmp_path, "run", source, "--to", to, "--json") as first:
        assert at_work.wait(60)
        for command in (("run", source), ("rollback",)):
            sentence, hint = refused(rfm(*command, "--to", to), code=5)
            found = re.search(r"is held by the run (\S+) \(process (\d+) on ", sentence)
            assert found, sentence
            holder, process = found.groups()
            assert int(process) == first.pid
            assert "the earlier result is unchanged" in hint
        assert "rfm_segments" not in bigquery_shop.tables()
        for job in proxy.jobs.values():
            job.pop("is slow", None)
        said, complaint = first.communicate(timeout=60)
    assert (first.returncode, complaint) == (0, "")
    assert holder == json.loads(said)["run_id"]
    assert {row[-1] for row in bigquery_shop.published()} == {holder}
    assert "rfm_segments__lease" not in bigquery_shop.tables()
