"""Values of customers are in no label, job id or name of a request to BigQuery, and in no log of a run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from support.bigquery_proxy import Proxy
from support.bigquery_shop import Shop
from support.chat_server import run_chat
from support.cli import Rfm

pytestmark = pytest.mark.xdist_group("bigquery")

ADDRESS = "zq.address@planted.example"
HEADER = "order_id,customer_id,order_date,amount\n"
LINES = HEADER + "".join(f"{n},c{n % 7},2026-01-{n % 28 + 1:02d},{n}.50\n" for n in range(1, 40))
AUDIT = """\
[audits.queries]
spenders = { query = "SELECT customer_id AS segment FROM segments ORDER BY monetary DESC", level = "LEVEL" }
"""


@pytest.mark.parametrize("level", ["warn", "block"])
def test_values_of_customers_are_in_no_label_and_no_log(
    level: str, rfm: Rfm, bigquery_shop: Shop, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("orders.csv").write_text(f"{LINES}90,{ADDRESS},2026-01-05,950.00\n", encoding="utf-8")
    Path("rfm.toml").write_text(AUDIT.replace("LEVEL", level), encoding="utf-8")
    with run_chat() as chat:
        monkeypatch.setenv("RFM_NOTIFY__WEBHOOK", chat.address)
        arguments = ("run", "orders.csv", "--to", bigquery_shop.destination, "--json", "--log-format", "json")
        ended = rfm(*arguments)
    assert ended.code == (3 if level == "block" else 0), ended.stderr
    records = rfm("runs", "--to", bigquery_shop.destination, "--json").stdout if level == "warn" else ""
    for text in (ended.stdout, ended.stderr, chat.message, records):
        assert "zq.address" not in text
    jobs = [
        request.json for request in proxy.requests if request.method == "POST" and request.body[:1] == b"{"
    ]
    assert any("jobReference" in job for job in jobs)
    for job in jobs:
        described = {
            "labels": job.get("configuration", {}).get("labels"),
            "job": job.get("jobReference"),
            "table": job.get("tableReference"),
        }
        assert "zq" not in json.dumps(described)
