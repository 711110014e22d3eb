"""The GoogleSQL engine of a test process, imported on first use."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from support.googlesql import GoogleSql


def googlesql() -> GoogleSql:
    """Return the engine; the first call of a process imports and loads it, in two seconds or more."""
    from support.googlesql import GoogleSql

    return GoogleSql.load()
