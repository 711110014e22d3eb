"""Totals among the lines and events that are no purchases are questions, whose hints work literally."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from support.cli import Rfm

TOTALS = """kind,order_id,customer_id,order_date,sku,amount
H,1,c1,2026-01-01,,12.30
L,1,c1,2026-01-01,P1,5.10
L,1,c1,2026-01-01,P2,7.20
H,2,c2,2026-01-02,,10.90
L,2,c2,2026-01-02,P1,8.40
L,2,c2,2026-01-02,P2,2.50
H,3,c1,2026-01-05,,7.00
L,3,c1,2026-01-05,P1,3.00
L,3,c1,2026-01-05,P2,4.00
H,4,c3,2026-01-05,,6.30
L,4,c3,2026-01-05,P1,6.30
"""
EVENTS = """event_name,user_id,timestamp,transaction_id,value
add_to_cart,c1,2026-01-01 09:00:00,,12.30
purchase,c1,2026-01-01 09:05:00,1,5.10
purchase,c1,2026-01-01 09:05:00,1,7.20
add_to_cart,c2,2026-01-02 09:00:00,,10.90
purchase,c2,2026-01-02 09:05:00,2,10.90
view_item,c3,2026-01-02 09:00:00,,99.00
view_item,c1,2026-01-03 09:00:00,,1.00
view_item,c2,2026-01-03 09:00:00,,1.00
purchase,c1,2026-01-04 09:05:00,3,7.00
purchase,c3,2026-01-05 09:05:00,4,6.30
"""


@pytest.mark.matrix
@pytest.mark.parametrize(
    ("text", "both"),
    [
        (TOTALS, ("36.50", "73.00")),
        # A blank column tells the totals as well as a kind does.
        ("\n".join(line[line.index(",") + 1 :] for line in TOTALS.splitlines()), ("36.50", "73.00")),
        (EVENTS, ("36.50", "160.70")),
    ],
)
def test_the_hint_leaves_out_what_is_no_sale(
    rfm: Rfm, tmp_path: Path, text: str, both: tuple[str, str]
) -> None:
    source = tmp_path / "orders.csv"
    source.write_text(text, encoding="utf-8")
    outcome = rfm("run", source, "--to", f"duckdb:{tmp_path}/asked.duckdb", "--json")
    assert outcome.code == 2
    hint = " ".join(outcome.stderr.partition("hint: ")[2].split())
    for figure in both:
        assert figure in hint
    first = hint.partition(f" ({both[0]}")[0]
    flags = shlex.split(first[first.index("--") :])
    result = rfm("run", source, *flags, "--to", f"duckdb:{tmp_path}/chosen.duckdb", "--json").json
    assert (result["customers"], result["orders"], result["revenue"]) == (3, 4, both[0])
    assert re.search(r"--line-types all \(", hint)
    every = rfm("run", source, "--line-types", "all", "--to", f"duckdb:{tmp_path}/all.duckdb", "--json").json
    assert every["revenue"] == both[1]


def test_events_without_an_order_id_are_excluded(rfm: Rfm, tmp_path: Path) -> None:
    source = tmp_path / "events.csv"
    source.write_text("\n".join(line for line in EVENTS.splitlines() if ",c2," not in line), encoding="utf-8")
    result = rfm("run", source, "--to", f"duckdb:{tmp_path}/events.duckdb", "--json").json
    assert (result["customers"], result["orders"], result["revenue"]) == (2, 3, "25.60")
