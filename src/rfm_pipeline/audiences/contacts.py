"""Contacts of customers: opening the source, and mapping its columns to roles."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from rfm_pipeline.audiences import normalization
from rfm_pipeline.common.schema import Column, Kind, Schema
from rfm_pipeline.config.audiences import ExportSettings
from rfm_pipeline.config.column_mapping import find_column, normalize_name
from rfm_pipeline.config.source_location import BigQueryTable, StdinLocation, parse_source
from rfm_pipeline.errors import ColumnError, UsageError
from rfm_pipeline.sql.dialects.registry import dialect_of

if TYPE_CHECKING:
    from rfm_pipeline.common.duckdb_engine import duckdb
    from rfm_pipeline.source.base import OpenedSource

# Column names, normalized as those of a source, by role. A later group is searched only if no column matches
# an earlier one.
_NAMES: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "customer_id": (
        (
            "customerid", "customer", "customerno", "customernumber", "customerkey", "custid", "userid",
            "clientid", "memberid", "accountid", "kundennummer", "kundennr",
        ),
        ("id",),
    ),
    "email": (
        ("email", "emailaddress", "mail", "customeremail", "useremail", "contactemail", "emailadresse"),
    ),
}  # fmt: skip


class Contacts(Struct, frozen=True):
    """Contacts ready to be read.

    Attributes:
        label: Name for messages.
        relation: SQL relation for FROM.
        columns: The column of each role.
        default_country: Code of the country of contacts without one; None if it is unknown.
        opened: The opened source; None if the customer ids are the e-mail addresses.
    """

    label: str
    relation: str
    columns: Mapping[str, Column]
    default_country: str | None = None
    opened: OpenedSource | None = None

    @property
    def customer_key(self) -> str:
        """SQL expression of the customer id, normalized as a run does it; NULL if blank."""
        column, dialect = self.columns["customer_id"], dialect_of("duckdb")
        return dialect.id_text(dialect.customer_key(dialect.column(column), column.kind), column.kind)

    @property
    def roles(self) -> frozenset[str]:
        """Roles for which there are values."""
        return frozenset({*self.columns, *(["country"] if self.default_country else [])})

    def text(self, role: str) -> str:
        """Return the SQL expression of a role's value as text; NULL if there are no values."""
        dialect = dialect_of("duckdb")
        written = "CAST(NULL AS VARCHAR)"
        if column := self.columns.get(role):
            written = dialect.plain_text(dialect.column(column), column.kind)
        if role == "country" and self.default_country:
            return f"COALESCE({normalization.text(written)}, {dialect.literal(self.default_country)})"
        return written


def customer_ids_as_contacts(customers: str, default_country: str | None) -> Contacts:
    """Return the customers as their own contacts, with the customer id as the e-mail address.

    Args:
        customers: SQL relation of the customers.
        default_country: Code of the customers' country; None if it is unknown.
    """
    column = Column(("customer_id",), Kind.TEXT, "VARCHAR")
    return Contacts("the customer ids", customers, {"customer_id": column, "email": column}, default_country)


def open_contacts(
    settings: ExportSettings, roles: frozenset[str], connection: duckdb.DuckDBPyConnection, scratch: Path
) -> Contacts:
    """Open the contacts like a source, and map their columns to roles.

    Args:
        settings: Location and column names of the contacts.
        roles: Roles that the format can use.
        connection: DuckDB connection that will read the contacts.
        scratch: Folder for temporary copies.

    Raises:
        SourceError: If the contacts can't be read.
        ColumnError: If a column is missing or ambiguous.
        UsageError: If contacts can't be read from such a location.
    """
    from rfm_pipeline.source.open import open_source

    assert settings.contacts is not None  # the caller has checked it
    location = parse_source(settings.contacts)
    if isinstance(location, BigQueryTable | StdinLocation):
        raise UsageError(
            f"Contacts can't be read from {settings.contacts}.",
            "name a file, or a table of a DuckDB file: --contacts contacts.csv.",
        )
    opened = open_source(location, settings.read, connection, scratch)
    columns = _columns(opened.schema, settings, roles)
    return Contacts(opened.label, opened.relation, columns, settings.default_country, opened)


def _columns(schema: Schema, settings: ExportSettings, roles: frozenset[str]) -> dict[str, Column]:
    """Return the column of each role. Only customer id and e-mail address are also detected by name."""
    chosen: dict[str, Column] = {}
    for role, name in settings.by_role().items():
        if name is not None and role in {"customer_id", *roles}:
            column = find_column(schema, name)
            if column is None:
                raise _unknown_column(schema, role, name)
            chosen[role] = column
    for role, groups in _NAMES.items():
        if role not in chosen:
            chosen[role] = _detect(schema, role, groups)
    for role, column in chosen.items():
        if column.kind is Kind.OTHER:
            raise ColumnError(
                f"The contacts' {_role_label(role)} is the column `{column.name}`, which is"
                f" {column.declared}.",
                f"choose another column with {_flag(role)}.",
            )
    return {role: chosen[role] for role in settings.by_role() if role in chosen}


def _detect(schema: Schema, role: str, groups: tuple[tuple[str, ...], ...]) -> Column:
    for names in groups:
        matches = [
            column for column in schema if len(column.path) == 1 and normalize_name(column.name) in names
        ]
        if len(matches) > 1:
            listed = ", ".join(f"`{column.name}`" for column in matches)
            raise ColumnError(
                f"{len(matches)} columns of the contacts could be the {_role_label(role)}: {listed}.",
                f"choose one with {_flag(role)}, or in [export] of rfm.toml.",
            )
        if matches:
            return matches[0]
    raise ColumnError(
        f"No column of the contacts was recognised as the {_role_label(role)}.",
        f"name it with {_flag(role)}. The contacts have {_column_list(schema)}.",
    )


def _unknown_column(schema: Schema, role: str, name: str) -> ColumnError:
    close = difflib.get_close_matches(name, [column.name for column in schema], n=1)
    suggestion = f"did you mean `{close[0]}`? " if close else ""
    return ColumnError(
        f"{_flag(role)} names the column `{name}`, which the contacts do not have.",
        f"{suggestion}{'The contacts' if suggestion else 'the contacts'} have {_column_list(schema)}.",
    )


def _column_list(schema: Schema, limit: int = 12) -> str:
    names = ", ".join(f"`{column.name}`" for column in schema[:limit])
    return names + (f" and {len(schema) - limit} more" if len(schema) > limit else "")


def _role_label(role: str) -> str:
    return {"customer_id": "customer id", "email": "e-mail address"}.get(role, role.replace("_", " "))


def _flag(role: str) -> str:
    return f"--{role.replace('_', '-')}"
