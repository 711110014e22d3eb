"""The column of each role (customer, order, date, amount): configured, or chosen by names and values.

Names and values are weighed together. If two columns could have a role and would give other results, an error
asks the user to choose; what names alone did not decide is told in a note.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from msgspec import Struct

from rfm_pipeline.common.duckdb_quoting import identifier
from rfm_pipeline.common.schema import NUMBERS, Column, Kind, Schema
from rfm_pipeline.config.column_mapping import (
    NO_COLUMN,
    ColumnMapping,
    find_column,
    flag,
    list_columns,
    shell_word,
    unknown_column,
)
from rfm_pipeline.config.column_names import meaning_of
from rfm_pipeline.config.questions import question
from rfm_pipeline.config.vocabulary import load
from rfm_pipeline.errors import ColumnError
from rfm_pipeline.source.profile.discounts import check_discount, check_shares
from rfm_pipeline.source.profile.evidence import Evidence
from rfm_pipeline.source.profile.key_columns import Choice, choose_customer, choose_date, choose_order
from rfm_pipeline.source.profile.money_columns import (
    choose_money,
    choose_price,
    choose_quantity,
)
from rfm_pipeline.source.profile.refunds import are_negative, choose_refund
from rfm_pipeline.source.profile.sample import Sample
from rfm_pipeline.source.profile.status_words import fold

_KEY_ROLES = {"customer_id", "customer_fallback", "order_id", "refund_of"}
_MOST_FIELDS = 3
_NEVER_AMOUNT = {"cost": "a cost", "tax": "a tax", "list_price": "a list price", "balance": "a balance"}


class Roles(Struct, frozen=True):
    """The columns of a source by role.

    Attributes:
        mapping: Column of each role.
        notes: What was chosen by values rather than by names alone, one phrase each.
        refunds_are_negative: Whether the column of refunds has them with a minus sign.
        discount_in_percent: Whether the discount is a percentage of the price, and not a share.
    """

    mapping: ColumnMapping
    notes: tuple[str, ...] = ()
    refunds_are_negative: bool = False
    discount_in_percent: bool = False


def map_columns(
    schema: Schema,
    sample: Sample,
    configured: Mapping[str, str | None],
    file_type: str | None = None,
    *,
    nets_returns: bool = False,
) -> Roles:
    """Return the column of each role.

    Args:
        schema: The columns of the source.
        sample: Its first rows; without rows, names alone decide.
        configured: Column names by role, as in `[columns]`; `none` for a role that no column shall have.
            Roles that are absent or None are chosen by names and values.
        file_type: File type of the source, such as `CSV`, for the hints of errors; None for a table of an
            engine.
        nets_returns: Whether the settings subtract negative amounts; the totals in errors leave them out if
            not.

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
    evidence = Evidence(schema, sample, taken, nets_returns=nets_returns)
    notes = _choose_keys(evidence, chosen)
    try:
        notes += _choose_money(evidence, chosen)
    except ColumnError as error:
        missing = [role for role in ("customer_id", "ordered_at") if role not in names and not chosen[role]]
        if not missing:
            raise
        raise question(
            "money_and_roles",
            money=error.message,
            roles=" or ".join(missing),
            columns=list_columns([column.name for column in schema]),
            choices=(error.hint or "").removesuffix("."),
            flags=" ".join(f"{flag(role)} COLUMN" for role in missing),
        ) from None
    in_percent = False
    if discount := chosen.get("discount"):
        in_percent = check_shares(evidence, discount)
        notes += [f"`{discount.name}` is a percentage of the price{evidence.scope}"] if in_percent else []
    elif "discount" not in chosen:
        check_discount(evidence, chosen.get("quantity"), chosen.get("unit_price"))
    if chosen.get("unit_price") and not chosen.get("quantity") and not chosen.get("amount"):
        # Without a quantity, each line is one item, whose price is the amount.
        chosen["amount"] = chosen.pop("unit_price")
    if "refund" not in chosen:
        chosen["refund"], refund_notes = choose_refund(evidence, chosen)
        notes += refund_notes
    return Roles(
        _validated(evidence, chosen, frozenset(names), file_type),
        tuple(notes),
        refunds_are_negative=are_negative(evidence, chosen["refund"]),
        discount_in_percent=in_percent,
    )


def _choose_keys(evidence: Evidence, chosen: dict[str, Column | None]) -> list[str]:
    """Choose the columns of the customer, the order and the date that are not configured; return notes."""
    notes: list[str] = []

    def use(role: str, choice: Choice) -> None:
        chosen[role] = choice.column
        notes.extend(choice.notes)

    if "ordered_at" not in chosen:
        use("ordered_at", choose_date(evidence))
    if "customer_id" not in chosen:
        use("customer_id", choose_customer(evidence, chosen.get("order_id")))
    if "order_id" not in chosen:
        use("order_id", choose_order(evidence, chosen["customer_id"], chosen["ordered_at"]))
    return notes


def _choose_money(evidence: Evidence, chosen: dict[str, Column | None]) -> tuple[str, ...]:
    """Choose the columns of the amount that are not configured; return notes."""
    money_roles = {role for role in ("amount", "quantity", "unit_price") if chosen.get(role)}
    if not money_roles:
        choice = choose_money(evidence, chosen.get("order_id"), frozenset(chosen))
        chosen |= choice.roles
        return choice.notes
    if "unit_price" in money_roles and "quantity" not in chosen:
        chosen["quantity"] = choose_quantity(evidence)
    elif (quantity := chosen.get("quantity")) and "unit_price" not in chosen and "amount" not in money_roles:
        chosen["unit_price"] = choose_price(evidence, quantity)
    return ()


def _configured_column(schema: Schema, role: str, name: str) -> Column:
    column = find_column(schema, name)
    if column is None:
        raise unknown_column(schema, name, f"The role {role}")
    return column


def _debit_and_credit(
    evidence: Evidence, chosen: Mapping[str, Column | None], configured: frozenset[str]
) -> ColumnError | None:
    """Return the question for an amount in two columns, of which each line has one; None if it is in one."""
    if any(chosen.get(role) for role in ("amount", "quantity", "unit_price")) or "amount" in configured:
        return None
    names = load("money_words")["two_columns"]
    columns = [
        next((column for column in evidence.schema if fold(column.name) in names[side]), None)
        for side in ("debit", "credit")
    ]
    if not all(columns):
        return None
    # Most lines are sales.
    sales, refunds = sorted(
        (column for column in columns if column),
        key=lambda column: -sum(bool(number) for number in evidence.numbers(column)),
    )
    difference = " - ".join(f"COALESCE({identifier(column.name)}, 0)" for column in (sales, refunds))
    return question(
        "amount_in_two_columns",
        sales=sales.name,
        refunds=refunds.name,
        query=f"SELECT *, {difference} AS amount FROM 'SOURCE'",
    )


def _validated(
    evidence: Evidence, chosen: Mapping[str, Column | None], configured: frozenset[str], file_type: str | None
) -> ColumnMapping:
    schema = evidence.schema
    if (amount := chosen.get("amount")) and (chosen.get("quantity") or chosen.get("unit_price")):
        factors = [column.name for role in ("quantity", "unit_price") if (column := chosen.get(role))]
        raise question("amount_configured_twice", amount=amount.name, factors="` × `".join(factors))
    if two_columns := _debit_and_credit(evidence, chosen, configured):
        raise two_columns
    has_amount = chosen.get("amount") or (chosen.get("quantity") and chosen.get("unit_price"))
    missing = [role for role in ("customer_id", "ordered_at") if not chosen.get(role)]
    missing += [] if has_amount else ["amount"]
    if missing:
        raise _missing_roles(schema, missing, configured, file_type)
    columns = {role: column for role, column in chosen.items() if column}
    for role, column in columns.items():
        _check_kind(schema, role, column)
    return ColumnMapping(**columns, configured=configured)


def _check_kind(schema: Schema, role: str, column: Column) -> None:
    if role in _KEY_ROLES:
        is_accepted = column.kind is not Kind.OTHER
        accepted = "text or a number"
    elif role == "ordered_at":
        is_accepted = column.kind not in {Kind.BOOLEAN, Kind.OTHER}
        accepted = "a date, a timestamp or text"
    else:
        is_accepted = column.kind in NUMBERS | {Kind.TEXT}
        accepted = "a number"
    if not is_accepted:
        choices = _fields(schema, role, column) or f"{flag(role)} COLUMN"
        if column.declared.startswith(("DECIMAL", "FLOAT16")):
            accepted = "text or a number that is read exactly" if role in _KEY_ROLES else "an exact number"
            choices += ", or export this one as text, DECIMAL(38, 9) or DOUBLE"
        raise question(
            "wrong_type",
            role=role,
            accepted=accepted,
            column=column.name,
            type=column.declared,
            choices=choices,
        )


def _fields(schema: Schema, role: str, column: Column) -> str:
    """Return the flags that choose fields of a nested column: those with a known name, or else all."""
    depth = len(column.path)
    fields = [
        each
        for each in schema
        if each.path[:depth] == column.path and len(each.path) > depth and each.kind is not Kind.OTHER
    ]
    known = [each for each in fields if each.path[-1].casefold() == "id" or _is_known(each.path[-1], role)]
    return " or ".join(f"{flag(role)} {shell_word(each.name)}" for each in (known or fields)[:_MOST_FIELDS])


def _is_known(name: str, role: str) -> bool:
    meaning = meaning_of(name)
    return meaning is not None and meaning.role == role


def _missing_roles(
    schema: Schema, roles: list[str], configured: frozenset[str], file_type: str | None
) -> ColumnError:
    """Return the question for required roles without a column."""
    if disabled := [role for role in roles if role in configured]:
        return question("role_without_column", role=disabled[0], flag=flag(disabled[0]))
    if len(schema) == 1:
        return question(
            {"CSV": "single_column_of_csv", "Excel": "single_column_of_sheet"}.get(
                file_type or "", "single_column"
            ),
            column=schema[0].name,
        )
    names = [column.name for column in schema]
    if file_type in {"CSV", "Excel"} and (values := _values(names)):
        return question(
            "header_of_values",
            roles=" or ".join(roles),
            values=list_columns(values),
            flag=flag(roles[0]),
        )
    other_money = ""
    if "amount" in roles:
        meanings = {column.name: meaning_of(column.name) for column in schema}
        for name, meaning in meanings.items():
            if meaning and meaning.role in _NEVER_AMOUNT:
                other_money = f" `{name}` is {_NEVER_AMOUNT[meaning.role]} by its name, and no amount."
                break
    return question(
        "missing_roles",
        roles=" or ".join(roles),
        other_money=other_money,
        flags=" ".join(f"{flag(role)} COLUMN" for role in roles),
        columns=list_columns(names),
    )


_VALUE = re.compile(
    r"\s*([-+]?[0-9]+([.,][0-9]+)*|[0-9]{4}-[0-9]{2}-[0-9]{2}.*|[0-9]{1,2}([/.-])[0-9]{1,2}\3[0-9]+.*)\s*"
)


def _values(names: list[str]) -> list[str]:
    """Return the column names that look like numbers or dates, if they are at least half of all names."""
    values = [name for name in names if _VALUE.fullmatch(name)]
    return values if 2 * len(values) >= len(names) else []
