"""Files whose dates are each in an order of their own are a question, whose query reads them all."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.cli import Rfm

HEADER = "order_id,customer_id,order_date,amount\n"
DAY_FIRST = "1,c1,04/01/2026,10.00\n2,c2,15/01/2026,20.00\n3,c1,26/01/2026,5.00\n"
MONTH_FIRST = "4,c1,02/04/2026,10.00\n5,c2,02/15/2026,20.00\n6,c3,02/26/2026,5.00\n"
NAMED = "4,c1,2026-02-04,10.00\n5,c2,2026-02-15,20.00\n6,c3,2026-02-26,5.00\n"


@pytest.mark.slow
def test_the_query_of_the_hint_reads_each_file_by_its_own_format(
    rfm: Rfm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "orders"
    folder.mkdir()
    (folder / "de.csv").write_text(HEADER + DAY_FIRST, encoding="utf-8")
    (folder / "us.csv").write_text(HEADER + MONTH_FIRST, encoding="utf-8")
    asked = rfm("run", "orders", "--to", "duckdb:a.duckdb")
    assert asked.code == 2
    message, _, hint = asked.stderr.partition("hint: ")
    assert "%d/%m/%Y in" in " ".join(message.split())
    assert "--date-format" not in hint
    query = " ".join(hint.split()).split("`")[1]
    (tmp_path / "orders.sql").write_text(query, encoding="utf-8")
    result = rfm("run", "orders.sql", "--to", "duckdb:b.duckdb", "--json").json
    assert (result["customers"], result["orders"], result["revenue"]) == (3, 6, "70.00")
    assert result["as_of"] == "2026-02-26"


def test_iso_dates_beside_others_are_read(rfm: Rfm, tmp_path: Path) -> None:
    folder = tmp_path / "orders"
    folder.mkdir()
    (folder / "a.csv").write_text(HEADER + DAY_FIRST, encoding="utf-8")
    (folder / "b.csv").write_text(HEADER + NAMED, encoding="utf-8")
    outcome = rfm("run", folder, "--to", f"duckdb:{tmp_path}/a.duckdb", "--json")
    assert "swap" not in outcome.stderr
    assert outcome.code in {0, 2}
