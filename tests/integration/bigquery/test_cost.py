"""What a check and the limit say of a price, of an estimate that is a bound, and of labels."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from support.bigquery_proxy import Proxy, Request, Response
from support.bigquery_shop import Shop
from support.cli import Rfm
from support.orders import refused

pytestmark = pytest.mark.xdist_group("bigquery")

GIB = 2**30


@pytest.mark.guarantee("cost-limit")
@pytest.mark.parametrize(
    ("pricing", "reported", "bound"),
    [
        ("on-demand", "LOWER_BOUND", "at least"),
        ("on-demand", "UPPER_BOUND", "at most"),
        ("capacity", "PRECISE", "about"),
    ],
)
def test_an_estimate_is_shown_and_limited_as_what_it_is(  # noqa: PLR0917 - fixtures
    bigquery_shop: Shop, proxy: Proxy, rfm: Rfm, pricing: str, reported: str, bound: str
) -> None:
    Path("rfm.toml").write_text(f"[bigquery]\npricing = '{pricing}'\n", encoding="utf-8")
    respond = proxy.respond

    def as_bound(request: Request) -> Response:
        response = respond(request)
        if request.kind != "dry-run":
            return response
        job = json.loads(response.body)
        job["statistics"]["query"]["totalBytesProcessedAccuracy"] = reported
        return Response.of(200, job)

    proxy.respond = as_bound  # type: ignore[method-assign]
    proxy.bytes_processed = 768 * GIB
    command = (bigquery_shop.create_table(), "--to", bigquery_shop.destination)
    is_priced, words = pricing == "on-demand", "" if bound == "about" else f"{bound} "
    cost = rfm("check", *command, "--json").json["cost"]
    dollars = "4.6875" if is_priced else None
    assert cost == {"bytes_processed": 768 * GIB, "dollars": dollars, "accuracy": bound}
    shown = " ".join(rfm("check", *command).stdout.split())
    assert f"and read {words}768 GiB" in shown
    assert (f"768 GiB, for {bound} $4.69" in shown) == is_priced
    assert ("$" in shown) == is_priced
    sentence, _ = refused(rfm("run", *command, "--max-bytes", "700 GiB"), code=6)
    price = " about $4.69," if is_priced else ""
    assert sentence == f"The run would read {words}768 GiB,{price} and the limit is 700 GiB."
    assert proxy.statements == []


def test_each_job_and_each_table_has_the_labels_of_the_settings(
    bigquery_shop: Shop, proxy: Proxy, rfm: Rfm
) -> None:
    Path("rfm.toml").write_text("[bigquery]\nlabels = { team = 'crm' }\n", encoding="utf-8")
    Path("orders.csv").write_text("customer_id,order_date,amount\na,2024-01-01,1\nb,2024-01-02,2\n", "utf-8")
    assert rfm("run", "orders.csv", "--to", bigquery_shop.destination).code == 0
    created = [
        statement
        for sql in proxy.statements
        for statement in sql.split(";\n")
        if statement.startswith("CREATE")
    ]
    assert len(created) > 5
    assert all("labels = [('team', 'crm'), ('created_by', 'rfm-pipeline')" in each for each in created)
    staged = [each for each in created if "rfm_segments__" in each.partition("\n")[0]]
    assert staged
    assert all("('rfm_run', '" in each for each in staged)
    by_request = [request.json["labels"] for request in proxy.requests if request.kind == "create"]
    assert len(by_request) > 1, "the loaded lines, and the lease"
    assert all(labels["team"] == "crm" for labels in by_request)
    submitted = [request.json for request in proxy.requests if request.kind in {"insert", "dry-run"}]
    assert all(job["configuration"]["labels"]["team"] == "crm" for job in submitted)
