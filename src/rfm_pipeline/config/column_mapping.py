"""The columns of a source by role (customer, order, date, amount)."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence

from msgspec import Struct

from rfm_pipeline.common.schema import Column, Schema
from rfm_pipeline.errors import ColumnError

ROLES = (
    "customer_id", "customer_fallback", "order_id", "ordered_at", "amount", "quantity", "unit_price",
    "discount", "refund", "refund_of", "total", "adjusted_total", "frequency",
)  # fmt: skip

NO_COLUMN = "none"
"""Value of a role that no column shall have: `--order-id none`."""


_VALUE = re.compile(r"[0-9.,:/ -]+")
"""A name of a column that is a number or a date."""


class ColumnMapping(Struct, frozen=True):
    """Column of each role; None if no column has the role.

    The amount of a line is `amount`, or `quantity` × `unit_price`, less its share `discount`; `refund` is
    subtracted. `customer_fallback` identifies the customer where `customer_id` is blank. A line with a
    negative amount and a `refund_of` is a refund of the order with that id, and belongs to that order's
    customer. Where `adjusted_total` is filled, `total` less `adjusted_total` was refunded, and is subtracted.
    With `frequency`, a line is a customer with that number of orders, and the amount is what the
    customer spent.
    """

    customer_id: Column
    ordered_at: Column
    order_id: Column | None = None
    amount: Column | None = None
    quantity: Column | None = None
    unit_price: Column | None = None
    discount: Column | None = None
    refund: Column | None = None
    refund_of: Column | None = None
    total: Column | None = None
    adjusted_total: Column | None = None
    customer_fallback: Column | None = None
    frequency: Column | None = None
    configured: frozenset[str] = frozenset()
    """Roles whose column is configured; the columns of the others were detected."""

    def roles(self) -> dict[str, Column]:
        """Return the roles that have a column, in the order of `ROLES`, each with its column."""
        return {role: column for role in ROLES if isinstance(column := getattr(self, role), Column)}


def normalize_name(name: str) -> str:
    """Return a column name for comparison: letters and digits only, case-folded."""
    return "".join(character for character in name.casefold() if character.isalnum())


def find_column(schema: Schema, name: str) -> Column | None:
    """Return the column `name`, or else the only one that differs from it in case; None if there is none."""
    for column in schema:
        if column.name == name:
            return column
    matches = [column for column in schema if column.name.casefold() == name.casefold()]
    return matches[0] if len(matches) == 1 else None


def unknown_column(schema: Schema, name: str, subject: str, hint: str = "") -> ColumnError:
    """Return the error for a column that the source does not have.

    Args:
        schema: The columns of the source.
        name: Name of the missing column.
        subject: The setting that names the column, as the subject of the message: "The role amount".
        hint: Text before the closest column name in the error's hint.
    """
    names = [column.name for column in schema]
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    suggestion = f"did you mean `{close[0]}`? " if close else ""
    start = f"{hint}{suggestion}{'the' if hint and not suggestion else 'The'} source has"
    message = f"{subject} names the column `{name}`, which the source does not have."
    listed = f"{start} {list_columns(names)}."
    if not any(map(_VALUE.fullmatch, names)):
        return ColumnError(message, listed)
    # Without a header row, names of columns are values of a line, such as a customer's.
    return ColumnError(
        message, f"{start} {len(names)} columns, named by a line of values.", terminal_hint=listed
    )


def list_columns(names: Sequence[str], limit: int = 12) -> str:
    """Return column names for a sentence: "`a`, `b` and 3 more"."""
    shown = ", ".join(f"`{name}`" for name in names[:limit])
    return shown + (f" and {len(names) - limit} more" if len(names) > limit else "")


def flag(role: str) -> str:
    """Return the option of the command line for the column of a role.

    >>> flag("customer_id")
    '--customer-id'
    """
    return f"--{role.replace('_', '-')}"


def list_choices(role: str, names: Sequence[str], limit: int = 4) -> str:
    """Return the options that choose one of some columns for a role.

    >>> list_choices("ordered_at", ["paid", "Sent on"])
    "--ordered-at paid or --ordered-at 'Sent on'"
    """
    return " or ".join(f"{flag(role)} {shell_word(name)}" for name in names[:limit])


def shell_word(name: str) -> str:
    r"""Return a column name as a shell argument, in quotes where it needs them.

    >>> shell_word("net_sales"), shell_word("Net Sales"), shell_word("Buyer's id")
    ('net_sales', "'Net Sales'", '"Buyer\'s id"')
    """
    if name.replace("_", "").isalnum():
        return name
    return f'"{name}"' if "'" in name else f"'{name}'"
