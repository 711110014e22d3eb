"""Settings of `[export]`: the file of customer contacts and its columns."""

from __future__ import annotations

import re
from typing import ClassVar

import msgspec

from rfm_pipeline.config.base import SettingsTable
from rfm_pipeline.config.source import SourceOptions

CONTACT_ROLES = ("customer_id", "email", "phone", "first_name", "last_name", "country", "zip")
"""Roles that a column of the contacts can have."""


_COUNTRY = re.compile(r"[A-Z]{2}")


def _country(value: object) -> object:
    if not isinstance(value, str):
        return value
    code = value.strip().upper()
    if not _COUNTRY.fullmatch(code):
        raise ValueError(f"'{value}' is not a country's code of two letters, such as 'DE'")
    return "GB" if code == "UK" else code


class ExportSettings(SettingsTable, frozen=True):
    """Location of the customers' contacts, and the column of each role.

    Attributes:
        contacts: File, glob, folder or `duckdb:FILE#table`; None if there are no contacts.
        customer_id, email: Column names; None to find the column by its name. Without contacts, `email` may
            be `customer_id` if the customer ids are e-mail addresses.
        phone, first_name, last_name, country, zip: Column names; None to leave the column out. These columns
            are never found by name, so that only requested personal data is exported.
        default_country: Two-letter code of the country of contacts without one; None if it is unknown.
        read: Format of the contact files, where it is not detected.
    """

    PARSERS: ClassVar = {"default_country": _country}

    contacts: str | None = None
    customer_id: str | None = None
    email: str | None = None
    phone: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    country: str | None = None
    zip: str | None = None
    default_country: str | None = None
    read: SourceOptions = SourceOptions()

    def by_role(self) -> dict[str, str | None]:
        """Return the configured column of each role; None if the role is not configured."""
        return {name: value for name, value in msgspec.structs.asdict(self).items() if name in CONTACT_ROLES}
