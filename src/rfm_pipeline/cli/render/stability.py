"""Terminal output of the stability of segments, a part of `rfm evaluate`."""

from __future__ import annotations

from rich.console import Group
from rich.table import Table
from rich.text import Text

from rfm_pipeline.evaluation.stability import SegmentStability, Stability

_DASH = "–"


def stability_table(stability: Stability, *, is_named: bool) -> Group:
    """Return the shares of customers who keep their segment.

    Args:
        stability: The stability of a configuration.
        is_named: Whether to name the configuration.
    """
    heading = Text(f"Keep their segment, as of {stability.as_of}", style="bold")
    if is_named:
        heading.append(f"  {stability.configuration}", style="not bold cyan")
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("Segment")
    for title in ("Customers", "Resampled", "Day earlier", "Day later"):
        table.add_column(title, justify="right", no_wrap=True)
    for one in stability.segments:
        table.add_row(*_cells(one, one.segment), style="" if one.customers else "dim")
    table.add_row(*_cells(stability.everyone, "all"), style="bold")
    kept = [f"{one.dimension} {_share(one.resampled)} in {one.bins} bins" for one in stability.dimensions]
    scores = [Text(f"Keep their score, resampled: {', '.join(kept)}", style="dim")] if kept else []
    return Group(Text(), heading, table, *scores)


def _cells(one: SegmentStability, name: str) -> list[Text]:
    shares = (one.resampled, one.day_earlier, one.day_later)
    return [Text(name), Text(f"{one.customers:,}"), *(Text(_share(share)) for share in shares)]


def _share(share: float | None) -> str:
    return _DASH if share is None else f"{share:.1%}".replace("%", " %")
