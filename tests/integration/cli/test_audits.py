"""Audits: configured levels and limits, custom queries, and sample rows."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import duckdb
import pytest
from rich.cells import cell_len

from rfm_pipeline.common.duckdb_engine import fetch_dicts
from rfm_pipeline.config.audits import Audits
from rfm_pipeline.config.loader import load_configuration
from rfm_pipeline.pipeline.audits.run import run_audits
from rfm_pipeline.results.statistics import Audit
from rfm_pipeline.sql.dialects.registry import dialect_of
from support.audit_statistics import PASSING, changed
from support.cli import Rfm
from support.databases import empty_database
from support.orders import ORDERS, contents, published, refused


@pytest.fixture
def orders(tmp_path: Path) -> Path:
    path = tmp_path / "orders.csv"
    path.write_text(ORDERS, encoding="utf-8")
    return path


def configure(orders: Path, toml: str) -> None:
    (orders.parent / "rfm.toml").write_text(f"[audits]\n{toml}", encoding="utf-8")


def audits(result: Mapping[str, Any]) -> dict[str, tuple[str, list[Any]]]:
    return {audit["name"]: (audit["status"], audit["rows"]) for audit in result["audits"]}


RICH = """\
[audits.queries]
rich = "SELECT customer_id, monetary, last_order_date FROM segments WHERE monetary > 50"
"""


# Levels and limits


@pytest.mark.guarantee("audited")
def test_a_level_makes_an_audit_block_warn_or_be_off(rfm: Rfm, orders: Path, tmp_path: Path) -> None:
    assert audits(rfm("run", orders, "--json").json)["bins_collapsed"][0] == "warning"
    before = published(tmp_path / "rfm.duckdb")
    configure(orders, 'bins_collapsed = "block"\n')
    sentence, hint = refused(rfm("run", orders), code=3)
    assert "frequency score of 2 or 3" in sentence
    assert "RFM_AUDITS__BINS_COLLAPSED=warn" in hint
    assert published(tmp_path / "rfm.duckdb") == before
    configure(orders, 'bins_collapsed = "off"\n')
    assert "bins_collapsed" not in audits(rfm("run", orders, "--json").json)


@pytest.mark.slow
def test_a_variable_changes_the_level_and_keeps_the_limit_of_the_file(
    rfm: Rfm, orders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(orders, 'excluded_share = { level = "block", limit = 0.2 }\nmax_age = "3 days"\n')
    sentence, hint = refused(rfm("run", orders), code=3)
    assert "4 of 11 lines (36.4 %)" in sentence
    assert "(Failed: excluded_share, max_age.) The staged tables are in rfm.rfm_segments.rejected-" in hint
    monkeypatch.setenv("RFM_AUDITS__EXCLUDED_SHARE", "warn")
    monkeypatch.setenv("RFM_AUDITS__MAX_AGE", "warn")
    statuses = audits(rfm("run", orders, "--json").json)
    assert (statuses["excluded_share"], statuses["max_age"]) == (("warning", []), ("warning", []))


@pytest.mark.parametrize(
    ("name", "value", "levels", "limit"),
    [
        ("EXCLUDED_SHARE", "off", "off", 0.3),
        ("EXCLUDED_SHARE", "0.5", "warn", 0.5),
        ("EXCLUDED_SHARE", '{"level": "block", "limit": 0.1}', "block", 0.1),
        ("EXCLUDED_SHARE__LIMIT", "0.25", "warn", 0.25),
        ("EXCLUDED_SHARE__LEVEL", "block", "block", 0.3),
    ],
)
def test_an_audit_can_be_configured_by_a_variable(name: str, value: str, levels: str, limit: float) -> None:
    settings = load_configuration(
        {}, environ={f"RFM_AUDITS__{name}": value}, folder=Path("/nonexistent")
    ).settings
    assert (settings.audits.excluded_share.level, settings.audits.excluded_share.limit) == (levels, limit)
    assert (
        settings.config_hash
        == load_configuration({}, environ={}, folder=Path("/nonexistent")).settings.config_hash
    )


@pytest.mark.slow
def test_the_age_of_the_newest_order_is_measured_at_a_given_as_of_date(rfm: Rfm, orders: Path) -> None:
    configure(orders, 'max_age = "3 days"\n')
    refused(rfm("run", orders), code=3)
    assert rfm("run", orders, "--as-of", "2024-03-04", "-q").code == 0
    sentence, _ = refused(rfm("run", orders, "--as-of", "2024-03-05"), code=3)
    assert re.findall(r"\d{4}-\d\d-\d\d|\d days", sentence)[:3] == ["2024-03-01", "4 days", "2024-03-05"]


def test_skipped_rows_do_not_count_as_excluded_lines(rfm: Rfm, orders: Path) -> None:
    toml = "excluded_share = 0.2\n[skip]\nfrench = { column = 'country', equals = 'FR' }\n"
    configure(orders, toml)
    assert audits(rfm("run", orders, "--json").json)["excluded_share"] == ("passed", [])


def test_a_check_lists_the_audits_with_level_and_limit(rfm: Rfm, orders: Path) -> None:
    passing = RICH.replace("> 50", "> 5000")
    configure(orders, f'max_age = "100 years"\nrows_dropped = "off"\n{passing}')
    shown = rfm("check", orders).stdout
    assert re.search(r"\naudits +[0-9]+ block, [0-9]+ warn; off: rows_dropped; your own: rich\n", shown)
    listed = {audit["name"]: audit for audit in rfm("check", orders, "--json").json["audits"]}
    assert listed["max_age"] == {"name": "max_age", "level": "block", "limit": "100 years"}
    assert listed["excluded_share"] == {"name": "excluded_share", "level": "warn", "limit": 0.3}
    assert listed["rich"] == {"name": "rich", "level": "block"}
    assert "--   audits:" not in rfm("sql", orders).stdout


# Custom queries


def test_a_query_that_returns_rows_blocks_and_shows_them(rfm: Rfm, orders: Path, tmp_path: Path) -> None:
    assert rfm("run", orders, "-q").code == 0
    configure(orders, RICH)
    before = contents(tmp_path)
    sentence, hint = refused(rfm("run", orders, "-o", "a.csv"), code=3)
    assert "`rich`" in sentence
    # Only a terminal shows whom it is about.
    assert "customer_id 0..., monetary 125.50, last_order_date 2024-03-01. (Failed: rich.)" in hint
    assert "rfm.rfm_segments.rejected-" in hint
    assert contents(tmp_path) == before


def test_a_query_that_returns_no_rows_passes(rfm: Rfm, orders: Path) -> None:
    configure(orders, RICH.replace("50", "500"))
    (last,) = [audit for audit in rfm("run", orders, "--json").json["audits"] if audit["name"] == "rich"]
    assert (last["status"], last["rows"]) == ("passed", [])


@pytest.mark.slow
def test_the_rows_of_a_warning_are_printed(rfm: Rfm, orders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    query = "SELECT customer_id, monetary FROM segments WHERE monetary > 20 ORDER BY monetary DESC"
    configure(orders, f'[audits.queries]\nrich = {{ query = "{query}", level = "warn" }}\n')
    assert audits(rfm("run", orders, "--json").json)["rich"] == (
        "warning",
        [{"customer_id": "0...", "monetary": "125.50"}, {"customer_id": "b...", "monetary": "30.00"}],
    )
    assert re.search(r"b\.\.\. +30\.00", rfm("run", orders).stdout)
    monkeypatch.setattr("rfm_pipeline.cli.render.audits.shows_customers", lambda: True)
    shown = rfm("run", orders).stdout
    table = "  customer_id  monetary\n  007          125.50\n  bob          30.00\n"
    assert re.search(rf"\n! .*`rich`.* 2 rows.*\n{table}", shown)


def test_a_query_that_is_off_is_not_validated(rfm: Rfm, orders: Path) -> None:
    configure(orders, '[audits.queries]\nodd = { query = "DROP TABLE x", level = "off" }\n')
    assert "odd" not in audits(rfm("run", orders, "--json").json)


@pytest.mark.slow
def test_a_query_can_read_the_current_result(rfm: Rfm, orders: Path) -> None:
    gone = "SELECT customer_id FROM previous EXCEPT SELECT customer_id FROM segments"
    configure(orders, f'[audits.queries]\ngone = {{ query = "{gone}", level = "warn" }}\n')
    assert audits(rfm("run", orders, "--json").json)["gone"] == ("passed", [])
    orders.write_text("".join(line for line in ORDERS.splitlines(keepends=True) if "bob" not in line))
    assert audits(rfm("run", orders, "--json").json)["gone"] == ("warning", [{"customer_id": "b..."}])


def test_at_most_five_rows_are_shown(rfm: Rfm, orders: Path) -> None:
    many = "SELECT s.customer_id, p.customer_id AS other FROM segments AS s CROSS JOIN segments AS p"
    configure(orders, f'[audits.queries]\nmany = {{ query = "{many}", level = "warn" }}\n')
    (audit_result,) = [
        audit for audit in rfm("run", orders, "--json").json["audits"] if audit["name"] == "many"
    ]
    assert (audit_result["detail"], len(audit_result["rows"])) == ("`many` found more than 5 rows.", 5)


@pytest.mark.slow
def test_a_query_can_be_configured_by_a_variable(
    rfm: Rfm, orders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RFM_AUDITS__QUERIES__RICH", "SELECT customer_id FROM segments WHERE monetary > 50;")
    sentence, _ = refused(rfm("run", orders), code=3)
    assert "`rich`" in sentence
    monkeypatch.setenv("RFM_AUDITS__QUERIES__RICH__LEVEL", "warn")
    monkeypatch.setenv(
        "RFM_AUDITS__QUERIES__RICH", '{"query": "SELECT customer_id FROM segments WHERE monetary > 50"}'
    )
    assert audits(rfm("run", orders, "--json").json)["rich"][0] == "warning"


@pytest.mark.matrix
@pytest.mark.parametrize("width", [20, 40, 80, 200])
def test_rows_fit_the_width_of_the_terminal_and_control_characters_are_replaced(
    width: int, rfm: Rfm, orders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    query = "SELECT 'a' || chr(27) || '[31m' || chr(10) || 'b' AS text, * FROM segments WHERE monetary > 50"
    configure(orders, f'[audits.queries]\nodd = {{ query = "{query}", level = "warn" }}\n')
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setattr("rfm_pipeline.cli.render.audits.shows_customers", lambda: True)
    shown = rfm("run", orders).stdout
    assert "\x1b" not in shown
    assert "a\ufffd[31m\ufffdb" in shown
    lines = shown.splitlines()
    start = next(index for index, line in enumerate(lines) if line.startswith("  text"))
    assert max(map(cell_len, lines[start : start + 2])) <= width
    # Columns that do not fit are replaced by an ellipsis; JSON has all of them.
    assert lines[start].endswith("…")
    (row,) = audits(rfm("run", orders, "--json").json)["odd"][1]
    assert len(row) == 17


# Sample rows of built-in audits


class Warehouse:
    """A warehouse with a staged result that violates the built-in audits; records the queries."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection
        self.queries: list[str] = []

    def table(self, name: str) -> str:
        return name

    def rows(self, select: str) -> Sequence[dict[str, Any]]:
        self.queries.append(select)
        return fetch_dicts(self._connection.execute(select))


@pytest.fixture
def warehouse() -> Iterator[Warehouse]:
    with empty_database() as connection:
        connection.execute(
            "CREATE TABLE result AS SELECT customer_id, r_score, 1 AS f_score, 1 AS m_score, segment,"
            " concat(r_score, '11') AS rfm_score, DATE '2024-03-01' AS last_order_date"
            " FROM (VALUES ('ann', 4, 'Lost'), ('bob', 5, 'Lost'), ('cyd', 1, NULL), ('cyd', 1, 'Lost'))"
            " AS t (customer_id, r_score, segment)"
        )
        yield Warehouse(connection)


def audit_staged(warehouse: Warehouse, staged: Any, **configured: Any) -> dict[str, Audit]:
    scoring = SimpleNamespace(bins_by_dimension=(4, 4, 4))
    plan: Any = SimpleNamespace(
        warehouse=warehouse,
        settings=SimpleNamespace(audits=Audits.of(configured), scoring=scoring),
        spec=SimpleNamespace(dialect=dialect_of("duckdb")),
    )
    return {audit.name: audit for audit in run_audits(plan, staged, None)}


def test_sample_rows_are_queried_only_for_failed_audits(warehouse: Warehouse) -> None:
    assert {audit.status for audit in audit_staged(warehouse, PASSING).values()} == {
        "passed",
        "not_compared",
    }
    assert warehouse.queries == []
    faulty = changed(PASSING, staged_rows=5, out_of_range=1, without_segment=1)
    results = audit_staged(warehouse, faulty, segments_total="warn")
    assert len(warehouse.queries) == 3
    assert results["customers_unique"].rows == ({"customer_id": "cyd", "copies": 2},)
    assert results["scores_in_range"].rows == (
        {"customer_id": "bob", "r_score": 5, "f_score": 1, "m_score": 1},
    )
    assert results["segments_total"].rows == ({"customer_id": "cyd", "rfm_score": "111"},)
    assert results["segments_total"].status == "warning"


def test_custom_queries_run_even_if_a_built_in_audit_failed(warehouse: Warehouse) -> None:
    query = "SELECT DISTINCT last_order_date FROM segments"
    results = audit_staged(
        warehouse, changed(PASSING, rows_kept=0, rows_read=3, rows_declared=3), queries={"dates": query}
    )
    assert [audit.name for audit in results.values() if audit.status == "failed"] == [
        "source_not_empty",
        "dates",
    ]
    assert results["dates"].rows == ({"last_order_date": date(2024, 3, 1)},)


# The excluded share


def write_sales(
    path: Path, known: int, unknown: int, header: str = "customer_id,order_id,date,amount"
) -> Path:
    lines = [f"c{number},{number},2024-03-01,5.00" for number in range(known)]
    lines += [f",{number},2024-03-01,5.00" for number in range(known, known + unknown)]
    path.write_text("\n".join([header, *lines]), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("unknown", "share", "status"),
    [(42, "passed", "passed"), (43, "warning", "passed"), (900, "warning", "passed")],
)
def test_an_excluded_share_of_more_than_three_tenths_is_a_warning(
    rfm: Rfm, tmp_path: Path, unknown: int, share: str, status: str
) -> None:
    result = rfm("run", write_sales(tmp_path / "sales.csv", 100, unknown), "--json").json
    found = audits(result)
    assert (found["excluded_share"][0], found["mostly_excluded"][0]) == (share, status)


@pytest.mark.slow
def test_a_run_that_excludes_more_than_nine_tenths_publishes_nothing_unless_allowed(
    rfm: Rfm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_sales(tmp_path / "sales.csv", 100, 901)
    sentence, hint = refused(rfm("run", path), code=3)
    assert "901 of 1,001 lines (90.0 %) were excluded, 901 as missing_customer." in sentence
    assert hint.startswith("most are missing_customer: look at which column is the customer; ")
    assert "RFM_AUDITS__MOSTLY_EXCLUDED=warn lets a run pass" in hint
    assert not (tmp_path / "rfm.duckdb").exists()
    monkeypatch.setenv("RFM_AUDITS__MOSTLY_EXCLUDED", "warn")
    assert audits(rfm("run", path, "--json").json)["mostly_excluded"][0] == "warning"
    monkeypatch.setenv("RFM_AUDITS__MOSTLY_EXCLUDED", "0.95")
    assert audits(rfm("run", path, "--json").json)["mostly_excluded"][0] == "passed"


def test_the_preset_of_an_export_has_limits_of_its_own_which_the_user_can_change() -> None:
    def limits(**environ: str) -> tuple[str, float, str, float]:
        variables = {f"RFM_AUDITS__{name}": value for name, value in environ.items()}
        configuration = load_configuration(
            {"preset": ["square-items"]}, environ=variables, folder=Path("/nonexistent")
        )
        found = configuration.settings.audits
        share, most = found.excluded_share, found.mostly_excluded
        return share.level, share.limit, most.level, most.limit

    assert limits() == ("warn", 0.9, "block", 0.99)
    assert limits(EXCLUDED_SHARE="block") == ("block", 0.9, "block", 0.99)
    assert limits(MOSTLY_EXCLUDED="0.5") == ("warn", 0.9, "block", 0.5)


@pytest.mark.slow
def test_unreadable_values_are_shown_with_advice_at_any_share(rfm: Rfm, tmp_path: Path) -> None:
    path = write_sales(tmp_path / "sales.csv", 1_000, 0)
    with path.open("a", encoding="utf-8") as file:
        file.write("\nc1,x1,2024-02-30,5.00\nc2,x2,2024-03-01,n/a")
    result = rfm("run", path, "--json").json
    details = {audit["name"]: audit["detail"] for audit in result["audits"] if audit["status"] == "warning"}
    assert details["dates_read"].startswith("1 line left out as invalid_date, such as '2024-02-30': ")
    assert details["amounts_read"].startswith("1 line left out as invalid_amount, such as 'n/a': ")
