"""`rfm check bigquery://...` shows the account, missing permissions and the roles that grant them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from support.bigquery_proxy import Proxy, Request, Response
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
    """Deny requests.

    Args:
        proxy: The proxy.
        denied: Part of the request's method, path or SQL, to the permission that the error names.
    """
    respond = proxy.respond

    def deny_or_respond(request: Request) -> Response:
        for part, permission in denied.items():
            if part in f"{request.method} {request.path.partition('?')[0]} {request.sql}":
                message = f"Access Denied: Permission {permission} denied on resource (or it may not exist)."
                return Response.error(403, "accessDenied", message)
        return respond(request)

    proxy.respond = deny_or_respond  # type: ignore[method-assign]


@pytest.mark.guarantee("permissions")
def test_a_check_shows_the_account_and_its_permissions(bigquery_shop: Shop, proxy: Proxy, rfm: Rfm) -> None:
    source, to = bigquery_shop.create_table(), bigquery_shop.destination
    ended = rfm("check", source, "--to", to)
    assert ended.code == 0, ended.stderr
    assert ended.stdout.startswith(
        "an anonymous account of the emulator; jobs run in the project shop-project, in US\n"
    )
    for permission in NEEDED:
        assert permission in ended.stdout
    access = rfm("check", source, "--to", to, "--json").json["access"]
    assert [permission["permission"] for permission in access["permissions"]] == NEEDED
    assert all(permission["granted"] for permission in access["permissions"])
    assert (access["project"], access["location"]) == (PROJECT, "US")
    assert proxy.statements == []
    # Columns without a role can be protected.
    probes = [request.sql for request in proxy.requests if request.kind == "dry-run"]
    assert not any("country" in sql or sql.startswith("SELECT *") for sql in probes)
    assert bigquery_shop.tables() == ["orders"]


MISSING = {
    "SELECT 1 AS one": ("bigquery.jobs.create", "roles/bigquery.jobUser"),
    "SELECT 1 AS one\nFROM": ("bigquery.tables.getData", "roles/bigquery.dataViewer"),
    "CREATE TABLE": ("bigquery.tables.create", "roles/bigquery.dataEditor"),
    "/tables/orders": ("bigquery.tables.get", "roles/bigquery.dataViewer"),
}


@pytest.mark.guarantee("permissions")
@pytest.mark.parametrize("part", MISSING)
def test_a_missing_permission_is_named_with_its_role(
    part: str, bigquery_shop: Shop, proxy: Proxy, rfm: Rfm
) -> None:
    permission, role = MISSING[part]
    deny(proxy, {part: permission})
    ended = rfm("check", bigquery_shop.create_table(), "--to", bigquery_shop.destination)
    assert ended.code == 4
    assert f"missing for an anonymous account of the emulator: {permission} on " in ended.stderr
    assert f"hint: grant {role}" in ended.stderr
    assert f"granted by {role}" in ended.stdout


def test_a_run_names_the_missing_permission(bigquery_shop: Shop, proxy: Proxy, rfm: Rfm) -> None:
    deny(proxy, {"CREATE OR REPLACE TABLE": "bigquery.tables.create"})
    sentence, hint = refused(
        rfm("run", bigquery_shop.create_table(), "--to", bigquery_shop.destination), code=4
    )
    assert sentence.startswith("The permission bigquery.tables.create is missing to run customers")
    assert hint == "grant roles/bigquery.dataEditor on the destination's dataset."


def test_all_missing_permissions_are_named_together(bigquery_shop: Shop, proxy: Proxy, rfm: Rfm) -> None:
    deny(
        proxy, {"SELECT 1 AS one\nFROM": "bigquery.tables.getData", "CREATE TABLE": "bigquery.tables.create"}
    )
    ended = rfm("check", bigquery_shop.create_table(), "--to", bigquery_shop.destination)
    assert "2 permissions are missing" in ended.stderr
    assert "bigquery.tables.getData" in ended.stderr
    assert "bigquery.tables.create" in ended.stderr


def test_a_source_in_another_location_is_refused(bigquery_shop: Shop, proxy: Proxy, rfm: Rfm) -> None:
    source = bigquery_shop.create_table()
    respond = proxy.respond

    def elsewhere(request: Request) -> Response:
        response = respond(request)
        if request.kind == "table" and "/tables/orders" in request.path:
            return Response.of(200, {**json.loads(response.body), "location": "EU"})
        return response

    proxy.respond = elsewhere  # type: ignore[method-assign]
    for command in ("check", "run"):
        ended = rfm(command, source, "--to", bigquery_shop.destination)
        assert ended.code == 2
        assert "is in EU, and the destination's dataset is in US" in ended.stderr
        assert "hint: choose a destination in EU." in ended.stderr


def test_files_need_no_permission_on_a_source(
    bigquery_shop: Shop, proxy: Proxy, rfm: Rfm, tmp_path: Path
) -> None:
    (tmp_path / "orders.csv").write_text(ORDERS, encoding="utf-8")
    access = rfm("check", "orders.csv", "--to", bigquery_shop.destination, "--json").json["access"]
    permissions = [permission["permission"] for permission in access["permissions"]]
    assert "bigquery.tables.getData" not in permissions
