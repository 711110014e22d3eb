"""The contacts of customers: opened, and which of their columns is what."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from rfm_pipeline.common.schema import Column, Kind, Schema
from rfm_pipeline.config.audiences import ExportSettings
from rfm_pipeline.config.column_mapping import find_column, normalize_name
from rfm_pipeline.config.source_location import BigQueryTable, StdinLocation, parse_source
from rfm_pipeline.errors import ColumnError, UsageError
from rfm_pipeline.sql.dialects.registry import dialect_of

if TYPE_CHECKING:
    from rfm_pipeline.common.duckdb_engine import duckdb
    from rfm_pipeline.source.base import OpenedSource

# What the roles that are found by name are called, compared as the columns of a source are. A later group
# counts only where an earlier one has no column.
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
    """Contacts that can be read.

    Attributes:
        label: What a person calls them.
        relation: How they stand behind FROM.
        columns: By role, the column that plays it.
        opened: What they were opened as; None where the customers' ids are the addresses.
    """

    label: str
    relation: str
    columns: Mapping[str, Column]
    opened: OpenedSource | None = None

    @property
    def customer_key(self) -> str:
        """The expression of a customer's id, as a run makes it of a column of that kind; NULL where blank."""
        column, dialect = self.columns["customer_id"], dialect_of("duckdb")
        return dialect.id_text(dialect.customer_key(dialect.column(column), column.kind), column.kind)

    def text(self, role: str) -> str:
        """The expression of a role's value as text."""
        column, dialect = self.columns[role], dialect_of("duckdb")
        return dialect.plain_text(dialect.column(column), column.kind)


def ids_are_addresses(customers: str) -> Contacts:
    """The customers themselves as contacts, where each id is an address."""
    column = Column(("customer_id",), Kind.TEXT, "VARCHAR")
    return Contacts("the customer ids", customers, {"customer_id": column, "email": column})


def open_contacts(
    settings: ExportSettings, roles: frozenset[str], connection: duckdb.DuckDBPyConnection, scratch: Path
) -> Contacts:
    """Opens the contacts with what opens sources, and finds their columns.

    Args:
        settings: Where they are, and which columns were named.
        roles: What the format can use.
        connection: Where they will be read.
        scratch: A folder for copies.

    Raises:
        SourceError: They can't be read.
        ColumnError: A column is not there, or several could be meant.
        UsageError: They are somewhere from where they are not read.
    """
    from rfm_pipeline.source.open import open_source

    assert settings.contacts is not None  # who asks has looked
    location = parse_source(settings.contacts)
    if isinstance(location, BigQueryTable | StdinLocation):
        raise UsageError(
            f"Contacts are not read from {settings.contacts}.",
            "name a file, or a table of a DuckDB file: --contacts contacts.csv.",
        )
    opened = open_source(location, settings.read, connection, scratch)
    return Contacts(opened.label, opened.relation, _columns(opened.schema, settings, roles), opened)


def _columns(schema: Schema, settings: ExportSettings, roles: frozenset[str]) -> dict[str, Column]:
    """The column of each role. The id and the address are also found by name, the others never."""
    chosen: dict[str, Column] = {}
    for role, name in settings.by_role().items():
        if name is not None and role in {"customer_id", *roles}:
            column = find_column(schema, name)
            if column is None:
                raise _unknown(schema, role, name)
            chosen[role] = column
    for role, groups in _NAMES.items():
        if role not in chosen:
            chosen[role] = _detected(schema, role, groups)
    for role, column in chosen.items():
        if column.kind is Kind.OTHER:
            raise ColumnError(
                f"The contacts' {_spoken(role)} is the column `{column.name}`, which is {column.declared}.",
                f"choose another column with {_flag(role)}.",
            )
    return {role: chosen[role] for role in settings.by_role() if role in chosen}


def _detected(schema: Schema, role: str, groups: tuple[tuple[str, ...], ...]) -> Column:
    for names in groups:
        found = [column for column in schema if len(column.path) == 1 and normalize_name(column.name) in names]
        if len(found) > 1:
            listed = ", ".join(f"`{column.name}`" for column in found)
            raise ColumnError(
                f"{len(found)} columns of the contacts could be the {_spoken(role)}: {listed}.",
                f"choose one with {_flag(role)}, or in [export] of rfm.toml.",
            )
        if found:
            return found[0]
    raise ColumnError(
        f"No column of the contacts was recognised as the {_spoken(role)}.",
        f"name it with {_flag(role)}. The contacts have {_listed(schema)}.",
    )


def _unknown(schema: Schema, role: str, name: str) -> ColumnError:
    close = difflib.get_close_matches(name, [column.name for column in schema], n=1)
    meant = f"did you mean `{close[0]}`? " if close else ""
    return ColumnError(
        f"{_flag(role)} names the column `{name}`, which the contacts do not have.",
        f"{meant}{'They' if meant else 'they'} have {_listed(schema)}.",
    )


def _listed(schema: Schema, most: int = 12) -> str:
    shown = ", ".join(f"`{column.name}`" for column in schema[:most])
    return shown + (f" and {len(schema) - most} more" if len(schema) > most else "")


def _spoken(role: str) -> str:
    return {"customer_id": "customer id", "email": "e-mail address"}.get(role, role.replace("_", " "))


def _flag(role: str) -> str:
    return f"--{role.replace('_', '-')}"
