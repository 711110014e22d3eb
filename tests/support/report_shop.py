"""Shops for the tests of the report: one that changes over the year, and one with hostile names."""

from __future__ import annotations

from pathlib import Path

HOSTILE = """</script><script>alert(1)</script><img src=x onerror="alert(2)">'"&"""
"""What a customer may be called, or a segment."""


def orders(path: Path, customers: int = 60) -> Path:
    """Orders of 2024; from season to season some customers are lost, and some are new."""
    lines = ["customer_id,order_id,order_date,amount"]
    for number in range(customers):
        for place in range(1 + number % 7):
            month, day = 1 + (number * 3 + place * 2) % 12, 1 + (number * 7 + place) % 28
            spent = (number + 1) * 3.25
            lines.append(f"c{number:03d},o{number}-{place},2024-{month:02d}-{day:02d},{spent:.4f}")
    lines += [",o-x,2024-01-05,9.50", "c001,o-y,2024-01-06,-4.25", "c001,o-z,2024-13-40,1"]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def hostile(folder: Path) -> None:
    """The `rfm.toml` and the orders of a shop whose customers and segments have hostile names."""
    quoted = '"' + (HOSTILE + "\u2028").replace('"', '""') + '"'
    (folder / "orders.csv").write_text(
        "customer_id,order_id,order_date,amount\n"
        f"{quoted},a,2024-01-02,5\n{quoted},b,2024-02-02,7.25\nplain,c,2024-02-03,1\n",
        encoding="utf-8",
    )
    told = "".join(f"{name} = '''{HOSTILE} '''\n" for name in ("segment", "description", "action"))
    (folder / "rfm.toml").write_text(
        f'source = "orders.csv"\n[scoring]\nbins = 2\n[segments]\n[[segments.rules]]\n{told}r = 2\n'
        "[[segments.rules]]\nsegment = 'others'\nr = 1\n",
        encoding="utf-8",
    )
