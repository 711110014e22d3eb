"""Access to the destination: whether a command needs it, and what the current credentials may do there."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from rfm_pipeline.config.destination_location import BigQueryDestinationLocation
from rfm_pipeline.config.settings import Settings
from rfm_pipeline.config.source_location import BigQueryTable

if TYPE_CHECKING:
    from rfm_pipeline.warehouse.bigquery.permissions import Access


def needs_destination(settings: Settings) -> bool:
    """Return whether a command that publishes nothing has to be planned as for a publish.

    BigQuery stages at the destination and charges for bytes read. DuckDB does neither; not opening its file
    allows the command while another process has the file locked.
    """
    is_source = isinstance(settings.source, BigQueryTable)
    return is_source or isinstance(settings.to, BigQueryDestinationLocation)


def access(settings: Settings) -> Access | None:
    """Return the identity and its permissions if results go to BigQuery; None if they do not.

    Raises:
        RfmError: If the permissions can't be determined.
    """
    if not isinstance(settings.to, BigQueryDestinationLocation):
        return None
    from rfm_pipeline.warehouse.bigquery.permissions import check_access

    table = settings.source if isinstance(settings.source, BigQueryTable) else None
    return check_access(table, settings.to, settings.bigquery, f"check-{secrets.token_hex(6)}")
