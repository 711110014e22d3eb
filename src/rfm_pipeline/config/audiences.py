"""Where the contacts of customers are: the settings of `[export]`."""

from __future__ import annotations

import msgspec

from rfm_pipeline.config.base import SettingsTable
from rfm_pipeline.config.source import SourceOptions

CONTACT_ROLES = ("customer_id", "email", "phone", "first_name", "last_name", "country", "zip")
"""What a column of the contacts can be."""


class ExportSettings(SettingsTable, frozen=True):
    """The contacts of customers, and which of their columns is what.

    Attributes:
        contacts: A file, a glob, a folder or `duckdb:FILE#table`; None where there is none.
        customer_id, email: Columns of the contacts; None is found by name. Without contacts, `email` may be
            `customer_id`: the customers' ids are their addresses.
        phone, first_name, last_name, country, zip: Columns that are used only where they are named, so that
            nothing personal leaves that nobody asked for.
        read: How their files are written, where that is not found.
    """

    contacts: str | None = None
    customer_id: str | None = None
    email: str | None = None
    phone: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    country: str | None = None
    zip: str | None = None
    read: SourceOptions = SourceOptions()

    def by_role(self) -> dict[str, str | None]:
        """The column that was configured for each role."""
        return {name: value for name, value in msgspec.structs.asdict(self).items() if name in CONTACT_ROLES}
