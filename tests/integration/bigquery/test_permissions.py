"""`rfm check bigquery://...`, the doctor: who we are, what is missing, and which role grants it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from support.bigquery_proxy import Answer, Proxy, Request
from support.bigquery_shop import PROJECT, Shop
from support.cli import Rfm
from support.orders import ORDERS, refused

pytestmark = pytest.mark.xdist_group("bigquery")

NEEDED = [
    "bigquery.jobs.create",
    "bigquery.datasets.get",
    "bigquery.tables.get",
    "bigquery.tables.getData",
    "bigquery.tables.create",
    "bigquery.tables.get",
]


def deny(proxy: Proxy, denied: dict[str, str]) -> None:
    """Denies what a request asks for; the key is a part of it, and the value the permission that is named."""
    answer = proxy.answer

    def answered(request: Request) -> Answer:
        for part, permission in denied.items():
            if part in f"{request.method} {request.path.partition('?')[0]} {request.sql}":
                said = f"Access Denied: Permission {permission} denied on resource (or it may not exist)."
                return Answer.error(403, "accessDenied", said)
        return answer(request)

    proxy.answer = answered  # type: ignore[method-assign]


def test_the_doctor_says_who_we_are_and_what_we_may_do(bigquery_shop: Shop, proxy: Proxy, rfm: Rfm) -> None:
    source, to = bigquery_shop.make(), bigquery_shop.destination
    ended = rfm("check", source, "--to", to)
    assert ended.code == 0, ended.stderr
    assert ended.stdout.startswith("nobody, on an emulator; jobs run in the project shop-project, in US\n")
    for permission in NEEDED:
        assert permission in ended.stdout
    found = rfm("check", source, "--to", to, "--json").json["access"]
    assert [permission["permission"] for permission in found["permissions"]] == NEEDED
    assert all(permission["granted"] for permission in found["permissions"])
    assert (found["project"], found["location"]) == (PROJECT, "US")
    assert proxy.statements == []
    assert bigquery_shop.tables() == ["orders"]


MISSING = {
    "SELECT 1 AS one": ("bigquery.jobs.create", "roles/bigquery.jobUser"),
    "SELECT *": ("bigquery.tables.getData", "roles/bigquery.dataViewer"),
    "CREATE TABLE": ("bigquery.tables.create", "roles/bigquery.dataEditor"),
    "/tables/orders": ("bigquery.tables.get", "roles/bigquery.dataViewer"),
}


@pytest.mark.parametrize("part", MISSING)
def test_a_permission_that_is_missing_is_named_with_its_role(
    part: str, bigquery_shop: Shop, proxy: Proxy, rfm: Rfm
) -> None:
    permission, role = MISSING[part]
    deny(proxy, {part: permission})
    ended = rfm("check", bigquery_shop.make(), "--to", bigquery_shop.destination)
    assert ended.code == 4
    assert f"missing for nobody, on an emulator: {permission} on " in ended.stderr
    assert f"hint: grant {role}" in ended.stderr
    assert f"granted by {role}" in ended.stdout


def test_a_run_names_the_permission_that_it_meets(bigquery_shop: Shop, proxy: Proxy, rfm: Rfm) -> None:
    deny(proxy, {"CREATE OR REPLACE TABLE": "bigquery.tables.create"})
    sentence, hint = refused(rfm("run", bigquery_shop.make(), "--to", bigquery_shop.destination), code=4)
    assert sentence.startswith("The permission bigquery.tables.create is missing to run customers")
    assert hint == "grant roles/bigquery.dataEditor on the destination's dataset."


def test_all_that_is_missing_is_named_at_once(bigquery_shop: Shop, proxy: Proxy, rfm: Rfm) -> None:
    deny(proxy, {"SELECT *": "bigquery.tables.getData", "CREATE TABLE": "bigquery.tables.create"})
    ended = rfm("check", bigquery_shop.make(), "--to", bigquery_shop.destination)
    assert "2 permissions are missing" in ended.stderr
    assert "bigquery.tables.getData" in ended.stderr
    assert "bigquery.tables.create" in ended.stderr


def test_a_dataset_in_another_place_is_named(bigquery_shop: Shop, proxy: Proxy, rfm: Rfm) -> None:
    source = bigquery_shop.make()
    answer = proxy.answer

    def elsewhere(request: Request) -> Answer:
        answered = answer(request)
        if request.kind == "table" and "/tables/orders" in request.path:
            return Answer.of(200, {**json.loads(answered.body), "location": "EU"})
        return answered

    proxy.answer = elsewhere  # type: ignore[method-assign]
    for command in ("check", "run"):
        ended = rfm(command, source, "--to", bigquery_shop.destination)
        assert ended.code == 2
        assert "is in EU, and the destination's dataset is in US" in ended.stderr
        assert "hint: choose a destination in EU." in ended.stderr


def test_files_need_no_permission_on_a_source(
    bigquery_shop: Shop, proxy: Proxy, rfm: Rfm, tmp_path: Path
) -> None:
    (tmp_path / "orders.csv").write_text(ORDERS, encoding="utf-8")
    found = rfm("check", "orders.csv", "--to", bigquery_shop.destination, "--json").json["access"]
    assert "bigquery.tables.getData" not in [each["permission"] for each in found["permissions"]]
