"""Columns of a table of segmented customers: chosen by the user, or detected by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rfm_pipeline.common.schema import Column, Schema
from rfm_pipeline.config.column_mapping import find_column, flag, list_choices, list_columns
from rfm_pipeline.config.column_names import fold_name, meaning_of
from rfm_pipeline.config.vocabulary import load
from rfm_pipeline.errors import ColumnError
from rfm_pipeline.results.tables import RESULT_COLUMNS
from rfm_pipeline.sql.comparison_queries import can_hold

ROLES = ("customer_id", "segment", "monetary")
"""The columns that the user can name."""
_LABELS = {"customer_id": "customer id", "segment": "segment", "monetary": "money"}
_NOT_COMPARED = {"customer_id", "run_id"}
COMPARED = tuple(name for name in RESULT_COLUMNS if name not in _NOT_COMPARED)
"""Columns of a result whose values are compared, where both sides have them."""


def find_columns(schema: Schema, chosen: Mapping[str, str], label: str) -> dict[str, Column]:
    """Return the table's columns by the names of a result: `customer_id`, `segment`, and others that it has.

    Args:
        schema: The columns of the table.
        chosen: Names of columns by role; one that the table does not have is detected.
        label: Name of the table, for messages.

    Raises:
        ColumnError: If there is no customer id or no segment, or several columns could be it.
    """
    flat = tuple(column for column in schema if len(column.path) == 1)
    columns: dict[str, Column] = {}
    for name in ("customer_id", *COMPARED):
        usable = tuple(column for column in flat if can_hold(name, column.kind))
        named = find_column(flat, chosen[name]) if name in chosen else None
        if named and named not in usable:
            raise ColumnError(
                f"The {_LABELS[name]} of {label} is the column `{named.name}`, which is {named.declared}.",
                f"choose another column with {flag(name)}.",
            )
        column = named or find_column(usable, name)
        if column is None and name in ROLES:
            column = _detected(name, usable, label, chosen.get(name))
        if column is not None:
            columns[name] = column
    return columns


def _detected(role: str, columns: Sequence[Column], label: str, chosen: str | None) -> Column | None:
    names = _candidates(role, [column.name for column in columns])
    if len(names) == 1:
        return next(column for column in columns if column.name == names[0])
    if role == "monetary":
        return None
    if names:
        raise ColumnError(
            f"{len(names)} columns of {label} could be the {_LABELS[role]}: {list_columns(names)}.",
            f"choose one: {list_choices(role, names)}.",
        )
    hint = f"name it with {flag(role)}"
    if role == "segment":
        hint += "; transaction lines are compared by two configurations, such as preset=grid"
    # Without a header row, names of columns are values of a line, such as a customer's.
    listed = list_columns([column.name for column in columns])
    found = f"{label} has no column `{chosen}`, and no other was" if chosen else f"No column of {label} was"
    raise ColumnError(
        f"{found} recognised as the {_LABELS[role]}.",
        f"{hint}.",
        terminal_hint=f"{hint}. {label} has {listed}.",
    )


def _candidates(role: str, names: Sequence[str]) -> list[str]:
    """Return the names of columns that could have a role; only the most specific ones of customer ids."""
    if role != "customer_id":
        known = set(map(fold_name, load("customer_table")[role]))
        return [name for name in names if fold_name(name) in known]
    ranks = {
        name: meaning.rank
        for name in names
        if (meaning := meaning_of(name)) and meaning.role == "customer_id"
    }
    if not ranks:
        return [name for name in names if fold_name(name) == "id"]
    return [name for name, rank in ranks.items() if rank == min(ranks.values())]
