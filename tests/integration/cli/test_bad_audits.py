"""Invalid audits: unknown names, invalid levels and limits, and queries that are not one SELECT."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from support.bad_input import Case, case, check
from support.cli import Rfm

RUN = "run orders.csv"
SELECT = "SELECT customer_id FROM segments WHERE monetary > 1000000"


def query(name: str, text: str, *message_parts: str, hints: str = SELECT) -> Any:
    """Return a case of `[audits.queries]` whose query is named `odd`."""
    return case(
        name,
        RUN,
        "The audit `odd`",
        *message_parts,
        hints=hints,
        toml=f"[audits.queries]\nodd = '''{text}'''\n",
    )


SETTINGS = [
    case("audit misspelt", RUN, "rfm.toml has `audits.row_dropped`", hints="did you mean `rows_dropped`?",
         toml="audits.row_dropped = 'off'\n"),
    case("level misspelt", RUN, "`audits.reconciliation.level` is 'blok'", "'block', 'warn' or 'off'",
         hints="`audits.reconciliation` in rfm.toml", toml="audits.reconciliation = 'blok'\n"),
    case("level misspelt in a variable", RUN, "'blok'", hints="RFM_AUDITS__RECONCILIATION",
         environment={"RFM_AUDITS__RECONCILIATION": "blok"}),
    case("level misspelt beside a limit", RUN, "`audits.rows_dropped.level` is 'of'",
         hints="`audits.rows_dropped` in rfm.toml", toml="audits.rows_dropped = 'of'\n"),
    case("limit of an audit without a limit", RUN, "`audits.reconciliation.limit`, which is no setting",
         hints="level", toml="audits.reconciliation = { limit = 1 }\n"),
    case("share in percent", RUN, "`audits.excluded_share.limit` is 30, and must be from 0 to 1",
         hints="`audits.excluded_share` in rfm.toml", toml="audits.excluded_share = 30\n"),
    case("share that is no number", RUN, "`audits.segment_shares.limit` is nan",
         hints="`audits.segment_shares.limit`", toml="audits.segment_shares = { limit = nan }\n"),
    case("share that is true", RUN, "is true, and must be a number",
         hints="`audits.rows_dropped` in rfm.toml", toml="audits.rows_dropped = true\n"),
    case("factor below the minimum", RUN, "`audits.duplicate_load.limit` is 1", "from 1.1 to 100",
         hints="`audits.duplicate_load`", toml="audits.duplicate_load = 1\n"),
    case("age without a unit", RUN, "'3' is not a window", hints="`audits.max_age` in rfm.toml",
         toml="audits.max_age = 3\n"),
    case("age without a limit", RUN, "`audits.max_age` needs a limit, such as '3 days'", hints="rfm.toml",
         toml="audits.max_age = 'block'\n"),
    case("audit of an empty source at level warn", RUN, "source_not_empty can only be 'block'",
         hints="`audits.source_not_empty` in rfm.toml", toml="audits.source_not_empty = 'warn'\n"),
    case("audits that are not JSON", RUN, "RFM_AUDITS is 'off', and must be JSON",
         hints="RFM_AUDITS__NAME=VALUE", environment={"RFM_AUDITS": "off"}),
    case("query with a name in capitals", RUN, "'Odd' can't name an audit",
         hints="`audits.queries` in rfm.toml", toml="audits.queries.Odd = 'SELECT 1'\n"),
    case("query with the name of a built-in audit", RUN, "'max_age' is the name of a built-in audit",
         hints="rfm.toml", toml="audits.queries.max_age = 'SELECT 1'\n"),
    case("query that is a number", RUN, "`audits.queries.odd.query` is 3, and must be text",
         hints="`audits.queries.odd", toml="audits.queries.odd = { query = 3 }\n"),
    case("query with a level only", RUN, "`audits.queries.odd.query` is missing", hints="rfm init",
         toml="audits.queries.odd = { level = 'warn' }\n"),
]  # fmt: skip

QUERIES = [
    query("two statements", "SELECT 1; DROP TABLE rfm_segments", "it has a semicolon", "(SELECT 1; DROP"),
    query("statement", "DROP TABLE rfm_segments", "it is not one SELECT"),
    query("nothing", "", "it is not one SELECT"),
    query("file", "SELECT 1 FROM read_csv('/etc/passwd')", "it reads READ_CSV('/etc/passwd')"),
    query("file by its name", "SELECT * FROM 'orders.csv'", 'it reads "orders.csv"'),
    query("other table", "SELECT * FROM segments WHERE EXISTS (FROM customers)", "it reads customers"),
    query("comment at the end", "SELECT 1 -- ", "it has a comment"),
    query("unmatched closing parenthesis", "SELECT 1) AS a, (SELECT 2", "it is not one SELECT"),
    query("name that hides the result",
          "WITH segments AS (SELECT 1) SELECT * FROM segments", "to something else"),
    query("today", "SELECT * FROM segments WHERE last_order_date < today()", "it calls current_date"),
    query("unknown column", "SELECT money FROM segments", '"money" not found', "(SELECT money"),
    query("unknown column of the previous result", "SELECT customer FROM previous", '"customer" not found'),
    query("text compared with a number",
          "SELECT * FROM segments WHERE customer_id > 5", "text with a number"),
    query("unknown function", "SELECT no_such(segment) AS a FROM segments", "no function no_such"),
    query("cast that fails at run time",
          "SELECT CAST(customer_id AS INTEGER) AS a FROM segments", "'c", "cast",
          hints="TRY_CAST"),
]  # fmt: skip


@pytest.mark.parametrize("bad_case", [*SETTINGS, *QUERIES])
def test_an_invalid_audit_is_an_error_and_changes_nothing(
    bad_case: Case, tmp_path: Path, rfm: Rfm, monkeypatch: pytest.MonkeyPatch
) -> None:
    check(bad_case, tmp_path, rfm, monkeypatch)


def test_check_reports_an_invalid_audit_query(tmp_path: Path, rfm: Rfm) -> None:
    (tmp_path / "orders.csv").write_text("customer_id,ordered_at,amount\nc1,2025-01-01,5\n", encoding="utf-8")
    (tmp_path / "rfm.toml").write_text(
        "audits.queries.odd = 'SELECT money FROM segments'\n", encoding="utf-8"
    )
    outcome = rfm("check", "orders.csv")
    assert (outcome.code, outcome.stdout) == (2, "")
    assert '"money" not found in FROM clause (SELECT money FROM segments).\n' in outcome.stderr
    # `rfm sql` prints only the query of the run, so the invalid audit query does not matter.
    assert rfm("sql", "orders.csv").code == 0
