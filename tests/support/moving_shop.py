"""A shop whose customers move between segments from one date to the next, for each of the reasons."""

from __future__ import annotations

EARLIER, LATER = "2024-01-31", "2024-02-29"
# Each order is worth 10. Two bins: recency by a fixed edge of 30 days, frequency by its median, which is 1
# order at the earlier date and 2 at the later one. Lines count for 90 days.
ORDERS: dict[str, tuple[str, ...]] = {
    "has orders that left the window": ("2023-11-10", "2024-01-31"),
    "is overtaken": ("2024-01-20", "2024-01-31"),
    "is silent": ("2024-01-05", "2024-01-10", "2024-01-29"),
    "is new": ("2024-02-10",),
    "lapses": ("2023-11-10",),
    "returns": ("2023-12-05", "2024-02-01", "2024-02-02", "2024-02-28"),
    "stays": ("2024-01-02", "2024-02-20"),
}
RULES = """\
window = "90 days"
[scoring]
bins = 2
recency = {{ method = "fixed", edges = [30] }}
[segments]
rules = [
  {{ segment = "Best", r = 2, f = 2 }},
  {{ segment = "{recent}", r = 2, f = 1 }},
  {{ segment = "Slipping", r = 1, f = 2 }},
  {{ segment = "Gone", r = 1, f = 1 }},
]
"""
