"""Audits as a person configures and sees them: levels, limits, queries of one's own, rows that they show."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import duckdb
import pytest
from msgspec.structs import replace
from rich.cells import cell_len

from rfm_pipeline.config.audits import Audits
from rfm_pipeline.config.loader import load
from rfm_pipeline.pipeline.audits.run import run_audits
from rfm_pipeline.results.run_result import Audit
from rfm_pipeline.sql.dialects.registry import dialect_of
from support.audit_statistics import WELL
from support.cli import Rfm
from support.orders import ORDERS, contents, published, refused


@pytest.fixture
def orders(tmp_path: Path) -> Path:
    path = tmp_path / "orders.csv"
    path.write_text(ORDERS, encoding="utf-8")
    return path


def configure(orders: Path, toml: str) -> None:
    (orders.parent / "rfm.toml").write_text(f"[audits]\n{toml}", encoding="utf-8")


def audits(said: Mapping[str, Any]) -> dict[str, tuple[str, list[Any]]]:
    return {audit["name"]: (audit["status"], audit["rows"]) for audit in said["audits"]}


RICH = """\
[audits.queries]
rich = "SELECT customer_id, monetary, last_order_date FROM segments WHERE monetary > 50"
"""


# Levels and limits


def test_a_level_makes_an_audit_block_warn_or_not_be_made(rfm: Rfm, orders: Path, tmp_path: Path) -> None:
    assert audits(rfm("run", orders, "--json").json)["bins_collapsed"][0] == "warning"
    before = published(tmp_path / "rfm.duckdb")
    configure(orders, 'bins_collapsed = "block"\n')
    sentence, hint = refused(rfm("run", orders), code=3)
    assert sentence == (
        "Nothing was published, because an audit failed: No customer has a frequency score of 2 or 4:"
        " equal values get equal scores."
    )
    assert "RFM_AUDITS__BINS_COLLAPSED=warn" in hint
    assert published(tmp_path / "rfm.duckdb") == before
    configure(orders, 'bins_collapsed = "off"\n')
    assert "bins_collapsed" not in audits(rfm("run", orders, "--json").json)


def test_a_variable_lets_one_run_pass_and_leaves_the_limit_of_the_file(
    rfm: Rfm, orders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(orders, 'excluded_share = { level = "block", limit = 0.2 }\nmax_age = "3 days"\n')
    sentence, hint = refused(rfm("run", orders), code=3)
    assert sentence.endswith("4 of 11 lines (36.4 %) were excluded, 1 as invalid_date.")
    assert "(Failed: excluded_share, max_age.) What was staged is in rfm.rfm_segments.refused-" in hint
    monkeypatch.setenv("RFM_AUDITS__EXCLUDED_SHARE", "warn")
    monkeypatch.setenv("RFM_AUDITS__MAX_AGE", "warn")
    said = audits(rfm("run", orders, "--json").json)
    assert (said["excluded_share"], said["max_age"]) == (("warning", []), ("warning", []))


@pytest.mark.parametrize(
    ("name", "value", "levels", "limit"),
    [
        ("EXCLUDED_SHARE", "off", "off", 0.5),
        ("EXCLUDED_SHARE", "0.3", "warn", 0.3),
        ("EXCLUDED_SHARE", '{"level": "block", "limit": 0.1}', "block", 0.1),
        ("EXCLUDED_SHARE__LIMIT", "0.25", "warn", 0.25),
        ("EXCLUDED_SHARE__LEVEL", "block", "block", 0.5),
    ],
)
def test_an_audit_in_a_variable(name: str, value: str, levels: str, limit: float) -> None:
    settings = load({}, environ={f"RFM_AUDITS__{name}": value}, folder=Path("/nonexistent")).settings()
    assert (settings.audits.excluded_share.level, settings.audits.excluded_share.limit) == (levels, limit)
    assert settings.config_hash == load({}, environ={}, folder=Path("/nonexistent")).settings().config_hash


def test_a_given_date_is_what_the_newest_order_is_held_against(rfm: Rfm, orders: Path) -> None:
    configure(orders, 'max_age = "3 days"\n')
    refused(rfm("run", orders), code=3)
    assert rfm("run", orders, "--as-of", "2024-03-04", "-q").code == 0
    sentence, _ = refused(rfm("run", orders, "--as-of", "2024-03-05"), code=3)
    assert sentence.endswith(
        "The newest order is of 2024-03-01, 4 days before 2024-03-05, and may be 3 days old."
    )


def test_skipped_rows_are_no_share_of_the_lines(rfm: Rfm, orders: Path) -> None:
    toml = "excluded_share = 0.2\n[skip]\nfrench = { column = 'country', equals = 'FR' }\n"
    configure(orders, toml)
    assert audits(rfm("run", orders, "--json").json)["excluded_share"] == ("passed", [])


def test_a_check_says_which_audits_apply(rfm: Rfm, orders: Path) -> None:
    configure(orders, f'max_age = "3 days"\nrows_dropped = "off"\n{RICH}')
    shown = rfm("check", orders).stdout
    assert re.search(r"\naudits +9 block, 4 warn; off: rows_dropped; your own: rich\n", shown)
    listed = {audit["name"]: audit for audit in rfm("check", orders, "--json").json["audits"]}
    assert listed["max_age"] == {"name": "max_age", "level": "block", "limit": "3 days"}
    assert listed["excluded_share"] == {"name": "excluded_share", "level": "warn", "limit": 0.5}
    assert listed["rich"] == {"name": "rich", "level": "block"}
    assert "--   audits:" not in rfm("sql", orders).stdout


# Queries of one's own


def test_a_query_that_finds_rows_blocks_and_shows_them(rfm: Rfm, orders: Path, tmp_path: Path) -> None:
    assert rfm("run", orders, "-q").code == 0
    configure(orders, RICH)
    before = contents(tmp_path)
    sentence, hint = refused(rfm("run", orders, "-o", "a.csv"), code=3)
    assert sentence == "Nothing was published, because an audit failed: `rich` found 1 row."
    assert hint.startswith(
        'look at what `audits.queries.rich` found, or give it level = "warn".'
        " Such as: customer_id 007, monetary 125.50, last_order_date 2024-03-01. (Failed: rich.)"
        " What was staged is in rfm.rfm_segments.refused-"
    )
    assert contents(tmp_path) == before


def test_a_query_that_finds_nothing_passes(rfm: Rfm, orders: Path) -> None:
    configure(orders, RICH.replace("50", "500"))
    (last,) = [audit for audit in rfm("run", orders, "--json").json["audits"] if audit["name"] == "rich"]
    assert last == {"name": "rich", "status": "passed", "detail": "`rich` found nothing.", "rows": []}


def test_a_query_that_warns_is_told_with_its_rows(rfm: Rfm, orders: Path) -> None:
    query = "SELECT customer_id, monetary FROM segments WHERE monetary > 20 ORDER BY monetary DESC"
    configure(orders, f'[audits.queries]\nrich = {{ query = "{query}", level = "warn" }}\n')
    assert audits(rfm("run", orders, "--json").json)["rich"] == (
        "warning",
        [{"customer_id": "007", "monetary": "125.50"}, {"customer_id": "bob", "monetary": "30.00"}],
    )
    shown = rfm("run", orders).stdout
    assert (
        "! `rich` found 2 rows.\n  customer_id  monetary\n  007          125.50\n  bob          30.00\n"
        in shown
    )


def test_a_query_that_is_off_is_not_even_read(rfm: Rfm, orders: Path) -> None:
    configure(orders, '[audits.queries]\nodd = { query = "DROP TABLE x", level = "off" }\n')
    assert "odd" not in audits(rfm("run", orders, "--json").json)


def test_a_query_compares_with_what_stands(rfm: Rfm, orders: Path) -> None:
    gone = "SELECT customer_id FROM previous EXCEPT SELECT customer_id FROM segments"
    configure(orders, f'[audits.queries]\ngone = {{ query = "{gone}", level = "warn" }}\n')
    assert audits(rfm("run", orders, "--json").json)["gone"] == ("passed", [])
    orders.write_text("".join(line for line in ORDERS.splitlines(keepends=True) if "bob" not in line))
    assert audits(rfm("run", orders, "--json").json)["gone"] == ("warning", [{"customer_id": "bob"}])


def test_of_many_rows_five_are_shown(rfm: Rfm, orders: Path) -> None:
    many = "SELECT s.customer_id, p.customer_id AS other FROM segments AS s CROSS JOIN segments AS p"
    configure(orders, f'[audits.queries]\nmany = {{ query = "{many}", level = "warn" }}\n')
    (made,) = [audit for audit in rfm("run", orders, "--json").json["audits"] if audit["name"] == "many"]
    assert (made["detail"], len(made["rows"])) == ("`many` found more than 5 rows.", 5)


def test_a_query_may_be_all_of_a_variable(rfm: Rfm, orders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RFM_AUDITS__QUERIES__RICH", "SELECT customer_id FROM segments WHERE monetary > 50;")
    sentence, _ = refused(rfm("run", orders), code=3)
    assert sentence.endswith("`rich` found 1 row.")
    monkeypatch.setenv("RFM_AUDITS__QUERIES__RICH__LEVEL", "warn")
    monkeypatch.setenv(
        "RFM_AUDITS__QUERIES__RICH", '{"query": "SELECT customer_id FROM segments WHERE monetary > 50"}'
    )
    assert audits(rfm("run", orders, "--json").json)["rich"][0] == "warning"


@pytest.mark.parametrize("width", [20, 40, 80, 200])
def test_rows_keep_to_the_width_of_the_terminal_and_are_harmless(
    width: int, rfm: Rfm, orders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    query = "SELECT 'a' || chr(27) || '[31m' || chr(10) || 'b' AS text, * FROM segments WHERE monetary > 50"
    configure(orders, f'[audits.queries]\nodd = {{ query = "{query}", level = "warn" }}\n')
    monkeypatch.setenv("COLUMNS", str(width))
    shown = rfm("run", orders).stdout
    assert "\x1b" not in shown
    assert "a\ufffd[31m\ufffdb" in shown
    lines = shown.splitlines()
    start = next(place for place, line in enumerate(lines) if line.startswith("  text"))
    assert max(map(cell_len, lines[start : start + 2])) <= width
    # What has no room is left out, and that is told; it is all in JSON.
    assert lines[start].endswith("…")
    (row,) = audits(rfm("run", orders, "--json").json)["odd"][1]
    assert len(row) == 17


# The rows that show a fault of ours


class Warehouse:
    """A staged result by hand, in which something went wrong."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection
        self.asked: list[str] = []

    def table(self, name: str) -> str:
        return name

    def rows(self, select: str) -> Sequence[dict[str, Any]]:
        self.asked.append(select)
        found = self._connection.execute(select)
        return [
            dict(zip([column[0] for column in found.description], row, strict=True))
            for row in found.fetchall()
        ]


@pytest.fixture
def warehouse() -> Iterator[Warehouse]:
    with duckdb.connect() as connection:
        connection.execute(
            "CREATE TABLE result AS SELECT customer_id, r_score, 1 AS f_score, 1 AS m_score, segment,"
            " concat(r_score, '11') AS rfm_score, DATE '2024-03-01' AS last_order_date"
            " FROM (VALUES ('ann', 4, 'Lost'), ('bob', 5, 'Lost'), ('cyd', 1, NULL), ('cyd', 1, 'Lost'))"
            " AS t (customer_id, r_score, segment)"
        )
        yield Warehouse(connection)


def made(warehouse: Warehouse, staged: Any, **configured: Any) -> dict[str, Audit]:
    scoring = SimpleNamespace(bins_by_dimension=(4, 4, 4))
    plan: Any = SimpleNamespace(
        warehouse=warehouse,
        settings=SimpleNamespace(audits=Audits.of(configured), scoring=scoring),
        spec=SimpleNamespace(dialect=dialect_of("duckdb")),
    )
    return {audit.name: audit for audit in run_audits(plan, staged, None)}


def test_customers_are_looked_up_only_where_an_audit_failed(warehouse: Warehouse) -> None:
    assert {audit.status for audit in made(warehouse, WELL).values()} == {"passed"}
    assert warehouse.asked == []
    faulty = replace(WELL, rows=5, out_of_range=1, without_segment=1)
    found = made(warehouse, faulty, segments_total="warn")
    assert len(warehouse.asked) == 3
    assert found["customers_unique"].rows == ({"customer_id": "cyd", "copies": 2},)
    assert found["scores_in_range"].rows == (
        {"customer_id": "bob", "r_score": 5, "f_score": 1, "m_score": 1},
    )
    assert found["segments_total"].rows == ({"customer_id": "cyd", "rfm_score": "111"},)
    assert found["segments_total"].status == "warning"


def test_a_query_of_ones_own_is_asked_whatever_else_failed(warehouse: Warehouse) -> None:
    query = "SELECT DISTINCT last_order_date FROM segments"
    found = made(
        warehouse, replace(WELL, rows_kept=0, rows_read=3, rows_declared=3), queries={"dates": query}
    )
    assert [audit.name for audit in found.values() if audit.status == "failed"] == [
        "source_not_empty",
        "dates",
    ]
    assert found["dates"].rows == ({"last_order_date": date(2024, 3, 1)},)
