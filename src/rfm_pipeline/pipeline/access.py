"""What the current credentials may do at the destination."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from rfm_pipeline.config.destination_location import BigQueryDestinationLocation, parse_destination
from rfm_pipeline.config.settings import Settings
from rfm_pipeline.config.source_location import BigQueryTable, parse_source

if TYPE_CHECKING:
    from rfm_pipeline.warehouse.bigquery.permissions import Access


def access(settings: Settings) -> Access | None:
    """Who we are and what we may do, where the result goes to BigQuery; None elsewhere.

    Raises:
        RfmError: That can't be found out.
    """
    destination = parse_destination(settings.to)
    location = parse_source(settings.source) if settings.source else None
    if not isinstance(destination, BigQueryDestinationLocation):
        return None
    from rfm_pipeline.warehouse.bigquery.permissions import look_at_access

    table = location if isinstance(location, BigQueryTable) else None
    return look_at_access(table, destination, settings.bigquery, f"check-{secrets.token_hex(6)}")
