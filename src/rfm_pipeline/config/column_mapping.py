"""Mapping of roles (customer, order, date, amount) to columns, as configured or detected by column name.

Names are compared without case, spaces and punctuation, so `Customer ID`, `customer_id` and `CustomerID` are
equal. If two columns could have a role, an error asks the user to choose one.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping

from msgspec import Struct

from rfm_pipeline.common.schema import NUMBERS, Column, Kind, Schema
from rfm_pipeline.errors import ColumnError

ROLES = (
    "customer_id", "customer_fallback", "order_id", "ordered_at", "amount", "quantity", "unit_price", "refund",
    "refund_of",
)  # fmt: skip

NO_COLUMN = "none"
"""Value of a role that no column shall have: `--order-id none`."""

# Groups of normalized names for each role, most specific first. A group is only used if the source has no
# column of an earlier group; an e-mail address, for example, identifies a customer only if there is no
# customer id.
COLUMN_NAMES: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "customer_id": (
        (
            "customerid", "customer", "customerno", "customernumber", "customerkey", "customercode",
            "custid", "custno", "userid", "user", "clientid", "client", "buyerid", "buyer", "memberid",
            "shopperid", "householdkey", "accountid", "kundennummer", "kundennr", "idclient",
        ),
        ("customeruniqueid", "visitorid", "userpseudoid"),
        ("email", "customeremail", "useremail", "emailaddress"),
    ),
    "order_id": (
        (
            "orderid", "order", "orderno", "ordernumber", "orderkey", "invoiceno", "invoice", "invoiceid",
            "invoicenumber", "transactionid", "transaction", "transactionno", "receiptid", "receiptno",
            "receipt", "basketid", "billno", "purchaseid", "bestellnummer",
        ),
    ),
    "ordered_at": (
        (
            "orderedat", "orderdate", "orderdatetime", "ordertime", "ordertimestamp",
            "orderpurchasetimestamp", "invoicedate", "invoicedatetime", "purchasedate", "purchasedat",
            "purchasetime", "transactiondate", "transactiontime", "transactiondt", "saledate", "salesdate",
            "soldat", "bestelldatum",
        ),
        ("createdat", "date", "datetime", "timestamp", "eventdate"),
    ),
    "amount": (
        (
            "amount", "orderamount", "lineamount", "linetotal", "total", "totalamount", "totalprice",
            "ordertotal", "ordervalue", "revenue", "sales", "salesamount", "saleprice", "salesvalue",
            "transactionamount", "grandtotal", "netamount", "betrag", "umsatz",
        ),
    ),
    "quantity": (("quantity", "qty", "orderquantity", "units", "itemquantity", "menge"),),
    "unit_price": (("unitprice", "price", "itemprice", "priceperunit", "unitcost", "einzelpreis"),),
}  # fmt: skip


class ColumnMapping(Struct, frozen=True):
    """Column of each role; None if no column has the role.

    The amount of a line is `amount`, or `quantity` × `unit_price`; `refund`, if there is one, is subtracted.
    `customer_fallback` identifies the customer where `customer_id` is blank. A line with a negative amount and
    a `refund_of` is a refund of the order with that id, and belongs to that order's customer.
    """

    customer_id: Column
    ordered_at: Column
    order_id: Column | None = None
    amount: Column | None = None
    quantity: Column | None = None
    unit_price: Column | None = None
    refund: Column | None = None
    refund_of: Column | None = None
    customer_fallback: Column | None = None
    configured: frozenset[str] = frozenset()
    """Roles whose column is configured; the columns of the others were detected by name."""

    def roles(self) -> dict[str, Column]:
        """Return the roles that have a column, in the order of `ROLES`, each with its column."""
        return {role: column for role in ROLES if isinstance(column := getattr(self, role), Column)}


def map_columns(
    schema: Schema, configured: Mapping[str, str | None], file_type: str | None = None
) -> ColumnMapping:
    """Return the column of each role.

    Args:
        schema: The columns of the source.
        configured: Column names by role, as in `[columns]`; `none` for a role that no column shall have.
            Roles that are absent or None are detected by name.
        file_type: File type of the source, such as `CSV`, for the hints of errors; None for a table of an
            engine.

    Raises:
        ColumnError: If a configured column does not exist, a required role has no candidate or several, or a
            column has a type that its role does not accept.
    """
    names = {role: name for role, name in configured.items() if name is not None}
    chosen: dict[str, Column | None] = {
        role: None if name.casefold() == NO_COLUMN else _configured_column(schema, role, name)
        for role, name in names.items()
    }
    taken = {column.path for column in chosen.values() if column}
    money_roles = {"amount", "quantity", "unit_price"} & {role for role in chosen if chosen[role]}
    for role in ("customer_id", "order_id", "ordered_at"):
        if role not in chosen:
            chosen[role] = _detected(schema, role, taken)
    if not money_roles:
        chosen |= _detected_money(schema, taken, frozenset(chosen))
    elif "unit_price" in money_roles and "quantity" not in chosen:
        chosen["quantity"] = _detected(schema, "quantity", taken)
    elif "quantity" in money_roles and "unit_price" not in chosen and "amount" not in money_roles:
        chosen["unit_price"] = _detected(schema, "unit_price", taken)
    if chosen.get("unit_price") and not chosen.get("quantity") and not chosen.get("amount"):
        # Without a quantity, each line is one item, whose price is the amount.
        chosen["amount"] = chosen.pop("unit_price")
    return _validated(schema, chosen, frozenset(names), file_type)


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
    return ColumnError(
        f"{subject} names the column `{name}`, which the source does not have.",
        f"{hint}{suggestion}{'the' if hint and not suggestion else 'The'} source has {_listed(names)}.",
    )


def _configured_column(schema: Schema, role: str, name: str) -> Column:
    column = find_column(schema, name)
    if column is None:
        raise unknown_column(schema, name, f"The role {role}")
    return column


def _detected(schema: Schema, role: str, taken: set[tuple[str, ...]]) -> Column | None:
    for names in COLUMN_NAMES[role]:
        candidates = [
            column
            for column in schema
            if len(column.path) == 1 and normalize_name(column.name) in names and column.path not in taken
        ]
        if len(candidates) > 1:
            raise _several_candidates(role, [column.name for column in candidates])
        if candidates:
            return candidates[0]
    return None


def _detected_money(
    schema: Schema, taken: set[tuple[str, ...]], decided: frozenset[str]
) -> dict[str, Column | None]:
    def detected(role: str) -> Column | None:
        return None if role in decided else _detected(schema, role, taken)

    amount, quantity, price = detected("amount"), detected("quantity"), detected("unit_price")
    if amount and quantity and price:
        product = f"`{quantity.name}` × `{price.name}`"
        raise ColumnError(
            f"The amount of a line could be `{amount.name}` or {product}.",
            f"set --amount {_shell(amount.name)}, or --quantity {_shell(quantity.name)}"
            f" --unit-price {_shell(price.name)}.",
        )
    if amount and price:
        raise _several_candidates("amount", [amount.name, price.name])
    if amount:
        return {"amount": amount}
    return {"quantity": quantity, "unit_price": price}


def _validated(
    schema: Schema, chosen: Mapping[str, Column | None], configured: frozenset[str], file_type: str | None
) -> ColumnMapping:
    if chosen.get("amount") and (chosen.get("quantity") or chosen.get("unit_price")):
        raise ColumnError(
            "The amount is configured twice: as amount, and as quantity and unit_price.",
            "keep one of the two in [columns].",
        )
    has_amount = chosen.get("amount") or (chosen.get("quantity") and chosen.get("unit_price"))
    missing = [role for role in ("customer_id", "ordered_at") if not chosen.get(role)]
    missing += [] if has_amount else ["amount"]
    if missing:
        raise _missing_roles(schema, missing, configured, file_type)
    columns = {role: column for role, column in chosen.items() if column}
    for role, column in columns.items():
        _check_kind(role, column)
    return ColumnMapping(**columns, configured=configured)


def _check_kind(role: str, column: Column) -> None:
    if role in {"customer_id", "customer_fallback", "order_id", "refund_of"}:
        is_accepted = column.kind is not Kind.OTHER
        accepted = "text or a number"
    elif role == "ordered_at":
        is_accepted = column.kind in {Kind.DATE, Kind.TIMESTAMP, Kind.TIMESTAMPTZ, Kind.TEXT, Kind.INTEGER}
        accepted = "a date, a timestamp or text"
    else:
        is_accepted = column.kind in NUMBERS | {Kind.TEXT}
        accepted = "a number"
    if not is_accepted:
        raise ColumnError(
            f"The role {role} takes {accepted}, but the column `{column.name}` is {column.declared}.",
            f"choose another column with {_flag(role)}.",
        )


def _several_candidates(role: str, names: list[str]) -> ColumnError:
    return ColumnError(
        f"{len(names)} columns could be the {role}: {_listed(names)}.",
        f"choose one with {_flag(role)} {_shell(names[0])}, or in [columns] of rfm.toml.",
    )


def _missing_roles(
    schema: Schema, roles: list[str], configured: frozenset[str], file_type: str | None
) -> ColumnError:
    """Return the error for required roles without a column."""
    if disabled := [role for role in roles if role in configured]:
        return ColumnError(
            f"The role {disabled[0]} is '{NO_COLUMN}', but a run needs a column of this role.",
            f"name its column with {_flag(disabled[0])} COLUMN.",
        )
    if len(schema) == 1:
        return ColumnError(
            f"The source has a single column, `{schema[0].name}`, but at least three are needed.",
            _SINGLE_COLUMN_HINTS.get(file_type or "", "look at how the source was made."),
        )
    if file_type in {"CSV", "Excel"} and (values := _values([column.name for column in schema])):
        return ColumnError(
            f"No column was recognised as {' or '.join(roles)}: the first line was read as the header row,"
            f" but it looks like values ({_listed(values)}).",
            "if the file has no header row, give --no-header, and name the columns by their positions, as in"
            f" {_flag(roles[0])} column1.",
        )
    listed_roles = " and no ".join(roles)
    flags = " ".join(f"{_flag(role)} COLUMN" for role in roles)
    return ColumnError(
        f"No column was recognised as {listed_roles}."
        if len(roles) == 1
        else f"There is no column recognised as {listed_roles}.",
        f"name it with {flags}. The source has {_listed([column.name for column in schema])}.",
    )


_SINGLE_COLUMN_HINTS = {
    "CSV": "if the file has several columns, name the character between them, as in --delimiter ' '.",
    "Excel": "if the table is on another sheet, name it with --sheet.",
}
_VALUE = re.compile(
    r"\s*([-+]?[0-9]+([.,][0-9]+)*|[0-9]{4}-[0-9]{2}-[0-9]{2}.*|[0-9]{1,2}([/.-])[0-9]{1,2}\3[0-9]+.*)\s*"
)


def _values(names: list[str]) -> list[str]:
    """Return the column names that look like numbers or dates, if they are at least half of all names."""
    values = [name for name in names if _VALUE.fullmatch(name)]
    return values if 2 * len(values) >= len(names) else []


def _flag(role: str) -> str:
    return f"--{role.replace('_', '-')}"


def _listed(names: list[str], limit: int = 12) -> str:
    shown = ", ".join(f"`{name}`" for name in names[:limit])
    return shown + (f" and {len(names) - limit} more" if len(names) > limit else "")


def _shell(name: str) -> str:
    """Return a column name as a shell argument, in quotes where it needs them."""
    return name if name.replace("_", "").isalnum() else f"'{name}'"
