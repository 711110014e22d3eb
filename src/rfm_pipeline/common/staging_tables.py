"""The names of the staging tables."""

from __future__ import annotations

from enum import StrEnum


class StagingTable(StrEnum):
    """A table that a run fills in its warehouse and that is dropped when the run ends.

    `Warehouse.table` maps a member to the SQL identifier of the table.
    """

    PART_ORDERS = "part_orders"
    """One row per order and part of the source; only filled by incremental runs, which keep them."""
    ORDER_DAYS = "order_days"
    """One row per order and date; only filled if the window ends on the newest order."""
    CUSTOMERS = "customers"
    """One row per customer, and one row per reason for which lines were excluded."""
    EDGES = "edges"
    """One row: the edges between the scores of each dimension."""
    SEGMENTS = "segments"
    """One row per customer: scores and segment. `rfm explain` fills it; a run computes it within `RESULT`."""
    RESULT = "result"
    """One row per customer: the rows to publish."""
    PREVIOUS = "previous"
    """Segments of the customers as of the active as-of date before this run's, copied from the history."""
    CURRENT = "current_result"
    """The published result before this run, copied from the destination for the audits that users wrote."""
    EXPLAINED_LINES = "explained"
    """Order lines of the customers that `rfm explain` explains."""
    CLEAN_LINES = "clean_lines"
    """One row per source line, cleaned; only filled by `rfm evaluate`, if orders are no sums of lines."""
    BUYING_DAYS = "buying_days"
    """One row per customer and day with an order: what `rfm evaluate` takes outcomes from."""
    EVALUATED = "evaluated"
    """One row per customer scored on a date in the past: scores, segments, and what was bought afterwards."""
    DRAWS = "draws"
    """One row per replicate of a bootstrap and group of customers that it draws: how often it draws it."""
    RESAMPLED_EDGES = "resampled_edges"
    """One row per replicate of a bootstrap: the edges that its customers give."""
