"""Which column plays which role: found by its name, or as configured.

Names are compared without case, spaces and punctuation, so `Customer ID`, `customer_id` and `CustomerID`
are one name. Two columns that could both play a role are an error, never a guess.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping

from msgspec import Struct

from rfm_pipeline.common.schema import NUMBERS, Column, Kind, Schema
from rfm_pipeline.errors import ColumnError

ROLES = ("customer_id", "order_id", "ordered_at", "amount", "quantity", "unit_price", "refund")

NO_COLUMN = "none"
"""What a person writes for a role that no column is to play: `--order-id none`."""

# For each role, groups of names from the plainest to the weakest: a name of a later group is only looked at
# where no earlier group has a column. An e-mail address identifies a customer only where nothing better does.
NAMES: Mapping[str, tuple[tuple[str, ...], ...]] = {
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
    """The column that plays each role, and how it was chosen.

    The line amount is `amount`, or `quantity` × `unit_price`; `refund`, where there is one, is taken off it.
    """

    customer_id: Column
    ordered_at: Column
    order_id: Column | None = None
    amount: Column | None = None
    quantity: Column | None = None
    unit_price: Column | None = None
    refund: Column | None = None
    configured: frozenset[str] = frozenset()
    """The roles that were configured; the others were found by name."""

    def roles(self) -> dict[str, Column]:
        """Each role that a column plays, in the order of `ROLES`."""
        return {role: column for role in ROLES if isinstance(column := getattr(self, role), Column)}


def map_columns(
    schema: Schema, configured: Mapping[str, str | None], written_as: str | None = None
) -> ColumnMapping:
    """Chooses the column for each role.

    Args:
        schema: The columns of the source.
        configured: Role to column name, as in `[columns]`; `none` for a role that no column is to play.
            Roles that are absent or None are found by name.
        written_as: How the source is written, such as `CSV`, for the advice; None is a table of an engine.

    Raises:
        ColumnError: A configured column is not there, a role has no candidate or several, or a column's type
            can't play its role.
    """
    given = {role: name for role, name in configured.items() if name is not None}
    chosen: dict[str, Column | None] = {
        role: None if name.casefold() == NO_COLUMN else _configured_column(schema, role, name)
        for role, name in given.items()
    }
    taken = {column.path for column in chosen.values() if column}
    money_given = {"amount", "quantity", "unit_price"} & {role for role in chosen if chosen[role]}
    for role in ("customer_id", "order_id", "ordered_at"):
        if role not in chosen:
            chosen[role] = _detected(schema, role, taken)
    if not money_given:
        chosen |= _detected_money(schema, taken, frozenset(chosen))
    elif "unit_price" in money_given and "quantity" not in chosen:
        chosen["quantity"] = _detected(schema, "quantity", taken)
    elif "quantity" in money_given and "unit_price" not in chosen and "amount" not in money_given:
        chosen["unit_price"] = _detected(schema, "unit_price", taken)
    if chosen.get("unit_price") and not chosen.get("quantity") and not chosen.get("amount"):
        # A price without a quantity is one item a line: the price is the amount.
        chosen["amount"] = chosen.pop("unit_price")
    return _checked(schema, chosen, frozenset(given), written_as)


def folded(name: str) -> str:
    """A column name as names are compared: letters and digits only, in one case."""
    return "".join(character for character in name.casefold() if character.isalnum())


def find_column(schema: Schema, name: str) -> Column | None:
    """The column that a person means by `name`: to the letter, or else in another case if only one fits."""
    for column in schema:
        if column.name == name:
            return column
    loose = [column for column in schema if column.name.casefold() == name.casefold()]
    return loose[0] if len(loose) == 1 else None


def unknown_column(schema: Schema, name: str, asked_by: str, advice: str = "") -> ColumnError:
    """The error for a column that is not there, with the closest name as a hint, after any other advice."""
    names = [column.name for column in schema]
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    meant = f"did you mean `{close[0]}`? " if close else ""
    return ColumnError(
        f"{asked_by} names the column `{name}`, which the source does not have.",
        f"{advice}{meant}{'the' if advice and not meant else 'The'} source has {_listed(names)}.",
    )


def _configured_column(schema: Schema, role: str, name: str) -> Column:
    column = find_column(schema, name)
    if column is None:
        raise unknown_column(schema, name, f"The role {role}")
    return column


def _detected(schema: Schema, role: str, taken: set[tuple[str, ...]]) -> Column | None:
    for names in NAMES[role]:
        found = [c for c in schema if len(c.path) == 1 and folded(c.name) in names and c.path not in taken]
        if len(found) > 1:
            raise _two_candidates(role, [column.name for column in found])
        if found:
            return found[0]
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
            f"The amount of a line could be `{amount.name}` or {product}, and only you know which.",
            f"set --amount {_shell(amount.name)}, or --quantity {_shell(quantity.name)}"
            f" --unit-price {_shell(price.name)}.",
        )
    if amount and price:
        raise _two_candidates("amount", [amount.name, price.name])
    if amount:
        return {"amount": amount}
    return {"quantity": quantity, "unit_price": price}


def _checked(
    schema: Schema, chosen: Mapping[str, Column | None], given: frozenset[str], written_as: str | None
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
        raise _missing(schema, missing, given, written_as)
    columns = {role: column for role, column in chosen.items() if column}
    for role, column in columns.items():
        _check_kind(role, column)
    return ColumnMapping(**columns, configured=given)


def _check_kind(role: str, column: Column) -> None:
    if role in {"customer_id", "order_id"}:
        fits = column.kind is not Kind.OTHER
        wanted = "text or a number"
    elif role == "ordered_at":
        fits = column.kind in {Kind.DATE, Kind.TIMESTAMP, Kind.TIMESTAMPTZ, Kind.TEXT, Kind.INTEGER}
        wanted = "a date, a timestamp or text"
    else:
        fits = column.kind in NUMBERS | {Kind.TEXT}
        wanted = "a number"
    if not fits:
        raise ColumnError(
            f"The role {role} takes {wanted}, and the column `{column.name}` is {column.declared}.",
            f"choose another column with --{role.replace('_', '-')}.",
        )


def _two_candidates(role: str, names: list[str]) -> ColumnError:
    return ColumnError(
        f"{len(names)} columns could be the {role}: {_listed(names)}.",
        f"choose one with --{role.replace('_', '-')} {_shell(names[0])}, or in [columns] of rfm.toml.",
    )


def _missing(schema: Schema, roles: list[str], given: frozenset[str], written_as: str | None) -> ColumnError:
    if denied := [role for role in roles if role in given]:
        # Whoever gave a column would have it: what was given is that there is none.
        return ColumnError(
            f"The role {denied[0]} is '{NO_COLUMN}', and nothing can be computed without it.",
            f"name its column with --{denied[0].replace('_', '-')} COLUMN.",
        )
    if len(schema) == 1:
        return ColumnError(
            f"The source has a single column, `{schema[0].name}`, and three are needed at least.",
            _ADVICE_ON_ONE.get(written_as or "", "look at how it was made."),
        )
    if written_as in {"CSV", "Excel"} and (values := _values([column.name for column in schema])):
        return ColumnError(
            f"No column was recognised as {' or '.join(roles)}: the first line was taken for column names,"
            f" and looks like values ({_listed(values)}).",
            "if there are no names above the data, set header = false under [read] in rfm.toml, and name the"
            f" columns by their places, as in {_flag(roles[0])} column1.",
        )
    wanted = " and no ".join(roles)
    flags = " ".join(f"{_flag(role)} COLUMN" for role in roles)
    return ColumnError(
        f"No column was recognised as {wanted}."
        if len(roles) == 1
        else f"There is no column recognised as {wanted}.",
        f"name it with {flags}. The source has {_listed([column.name for column in schema])}.",
    )


_ADVICE_ON_ONE = {
    "CSV": "if it is several in truth, say what stands between them, as in --delimiter ' '.",
    "Excel": "if the table is on another sheet, name it with --sheet.",
}
_VALUE = re.compile(
    r"\s*([-+]?[0-9]+([.,][0-9]+)*|[0-9]{4}-[0-9]{2}-[0-9]{2}.*|[0-9]{1,2}([/.-])[0-9]{1,2}\3[0-9]+.*)\s*"
)


def _values(names: list[str]) -> list[str]:
    """The names that look like numbers and dates, where at least half of them do."""
    found = [name for name in names if _VALUE.fullmatch(name)]
    return found if 2 * len(found) >= len(names) else []


def _flag(role: str) -> str:
    return f"--{role.replace('_', '-')}"


def _listed(names: list[str], most: int = 12) -> str:
    shown = ", ".join(f"`{name}`" for name in names[:most])
    return shown + (f" and {len(names) - most} more" if len(names) > most else "")


def _shell(name: str) -> str:
    return name if name.replace("_", "").isalnum() else f"'{name}'"
