"""`rfm init` takes the answers to the questions of a source, and writes them into the file."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from support.cli import Rfm

SEVERAL_CURRENCIES = """order_id,customer_id,date,currency,total
1,a,2026-01-05,USD,10
2,b,2026-01-06,EUR,20
3,a,2026-01-07,USD,30
"""
TAX_LINES = """order_id,customer_id,date,line_type,amount
1,a,2026-01-05,product,10
1,a,2026-01-05,tax,2
2,b,2026-01-06,product,20
2,b,2026-01-06,tax,4
"""
STATUSES = """order_id,customer_id,date,status,total
1,a,2026-01-05,completed,10
2,b,2026-01-06,cancelled,20
3,b,2026-01-06,completed,40
"""


@pytest.mark.matrix
@pytest.mark.parametrize(
    ("text", "answer", "expected", "revenue"),
    [
        (SEVERAL_CURRENCIES, ["--currency", "USD"], {"currency": {"code": "USD"}}, "40.00"),
        (
            TAX_LINES,
            ["--exclude", "tax=line_type = 'tax'"],
            {"exclude": {"tax": "line_type = 'tax'"}},
            "30.00",
        ),
        (TAX_LINES, ["--line-types", "all"], {"line_types": "all"}, "36.00"),
        (STATUSES, ["--status-column", "none"], {"status": {"column": "none"}}, "70.00"),
        (STATUSES, ["--returns", "net"], {"returns": "net"}, "50.00"),
    ],
)
def test_an_answer_is_in_the_file(
    text: str, answer: list[str], expected: dict[str, Any], revenue: str, rfm: Rfm
) -> None:
    Path("orders.csv").write_text(text, encoding="utf-8")
    assert rfm("init", "orders.csv", *answer).code == 0
    written = tomllib.loads(Path("rfm.toml").read_text(encoding="utf-8"))
    assert {name: written[name] for name in expected} == expected
    ended = rfm("run", "--json")
    assert ended.code == 0, ended.stderr
    assert ended.json["revenue"] == revenue
