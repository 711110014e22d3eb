"""Order files for tests of the report: a shop that changes over a year, and one with hostile names."""

from __future__ import annotations

from pathlib import Path

HOSTILE = """</script><script>alert(1)</script><img src=x onerror="alert(2)">'"&"""
"""Name of a customer or segment that would run scripts if it were not escaped."""


def write_orders(path: Path, customers: int = 60) -> Path:
    """Write orders of 2024, in which customers come and go from season to season; return `path`."""
    lines = ["customer_id,order_id,order_date,amount"]
    for number in range(customers):
        for order in range(1 + number % 7):
            month, day = 1 + (number * 3 + order * 2) % 12, 1 + (number * 7 + order) % 28
            amount = (number + 1) * 3.25
            lines.append(f"c{number:03d},o{number}-{order},2024-{month:02d}-{day:02d},{amount:.4f}")
    lines += [",o-x,2024-01-05,9.50", "c001,o-y,2024-01-06,-4.25", "c001,o-z,2024-13-40,1"]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def write_hostile_shop(folder: Path) -> None:
    """Write `rfm.toml` and `orders.csv` of a shop whose customers and segments have hostile names."""
    quoted = '"' + (HOSTILE + "\u2028").replace('"', '""') + '"'
    (folder / "orders.csv").write_text(
        "customer_id,order_id,order_date,amount\n"
        f"{quoted},a,2024-01-02,5\n{quoted},b,2024-02-02,7.25\nplain,c,2024-02-03,1\n",
        encoding="utf-8",
    )
    rule = "".join(f"{name} = '''{HOSTILE} '''\n" for name in ("segment", "description", "action"))
    (folder / "rfm.toml").write_text(
        f'source = "orders.csv"\n[scoring]\nbins = 2\n[segments]\n[[segments.rules]]\n{rule}r = 2\n'
        "[[segments.rules]]\nsegment = 'others'\nr = 1\n",
        encoding="utf-8",
    )
