"""Addresses of customers are masked outside the terminal, also where they stand in another column."""

from __future__ import annotations

from pathlib import Path

import pytest

from rfm_pipeline.common.customer_mask import mask_addresses
from support.cli import Rfm

PLANTED = "planted.person@secret-mail.com"
HEADER = "order_id,customer_id,order_date,amount,status\n"
LINES = [f"{n},c{n % 7},2026-01-{n % 28 + 1:02d},{n}.50,paid\n" for n in range(1, 40)]
SOURCES = {
    "an address in the amount": HEADER + "".join(LINES) + f"90,c1,2026-01-05,{PLANTED},paid\n",
    "an address in the date": HEADER + "".join(LINES) + f"90,c1,{PLANTED},5.00,paid\n",
    "an address in the status": HEADER + "".join(LINES) + f"90,c1,2026-01-05,5.00,{PLANTED}\n",
    "no header": f"1,{PLANTED},2026-01-05,10.00\n2,{PLANTED},2026-01-06,20.00\n",
    "a title": f"Orders of {PLANTED}\n{HEADER}" + "".join(LINES),
}


@pytest.mark.matrix
@pytest.mark.parametrize("name", SOURCES)
def test_an_address_in_any_column_is_masked_outside_the_terminal(name: str, rfm: Rfm) -> None:
    Path("orders.csv").write_text(SOURCES[name], encoding="utf-8")
    ended = rfm("run", "orders.csv", "--json", "--log-format", "json")
    records = rfm("runs", "--json")
    shown = rfm("check", "orders.csv", "--json")
    for text in (ended.stdout, ended.stderr, records.stdout, shown.stdout):
        assert PLANTED not in text
        assert PLANTED.partition("@")[0] not in text


def test_a_text_without_an_address_is_unchanged() -> None:
    for text in ("such as '5 @ 3'", "user@", "@handle", "2 x a@b", ""):
        assert mask_addresses(text) == text
