"""Clean: each line typed, and kept or excluded for the first reason that holds."""

from __future__ import annotations

from collections.abc import Iterator

from rfm_pipeline.dates import AMBIGUOUS, ISO
from rfm_pipeline.schema import Column, Kind
from rfm_pipeline.sql.conditions import condition_sql
from rfm_pipeline.sql.spec import Cte, QuerySpec, select

AMBIGUOUS_DATE = "ambiguous_date"
"""The reason of a line whose text date could be read in two ways; a run that meets one stops."""

# The product of a quantity and a price in these is exact in the nine decimals that every engine's NUMERIC
# has, and a sum of a hundred million of the largest lines still fits.
QUANTITY = (12, 3)
UNIT_PRICE = (18, 6)
AMOUNT = (30, 9)


def clean_ctes(spec: QuerySpec) -> tuple[Cte, ...]:
    """The CTEs `lines` and `clean`.

    `clean` has `reason` (NULL for a kept line). Where the window moves with the newest order, the reasons that
    come after it in the order of rules stand in a column of their own, `late_reason`.
    """
    return (
        Cte(
            "lines",
            "One row per line of the source, typed; NULL is what can't be read.",
            _lines(spec),
        ),
        Cte("clean", "One row per line, with the first reason to exclude it; NULL keeps it.", _clean(spec)),
    )


def _lines(spec: QuerySpec) -> str:
    dialect, mapping, settings = spec.dialect, spec.mapping, spec.settings
    columns = [(dialect.id_key(mapping.customer_id), "customer_id")]
    if mapping.order_id:
        columns.append((dialect.id_key(mapping.order_id), "order_id"))
    columns.append(
        (dialect.local_date(mapping.ordered_at, settings.timezone, settings.date_format), "order_date")
    )
    for role, size in (("quantity", QUANTITY), ("unit_price", UNIT_PRICE), ("amount", AMOUNT)):
        column = getattr(mapping, role)
        if column:
            columns.append((dialect.number(column, size, settings.decimal), role))
    if mapping.refund:
        refund = dialect.number(mapping.refund, AMOUNT, settings.decimal)
        columns.append((refund, "refund"))
        # A refund that is not given is none; one that is given and can't be read spoils the amount.
        columns.append((dialect.is_blank(mapping.refund), "no_refund"))
    if spec.order_dates_are_text:
        columns.append((dialect.text(mapping.ordered_at), "written_date"))
    if amount := _text_amount(spec):
        columns.append((dialect.text(amount), "written_amount"))
    for name, conditions in (("skip_reason", settings.skip), ("exclude_reason", settings.exclude)):
        if conditions:
            cases = [
                f"    WHEN {condition_sql(text, reason, spec.schema, dialect)} THEN {dialect.literal(reason)}"
                for reason, text in conditions.items()
            ]
            columns.append(("\n".join(["CASE", *cases, "  END"]), name))
    return select([f"{expression} AS {name}" for expression, name in columns], spec.relation)


def _clean(spec: QuerySpec) -> str:
    mapping = spec.mapping
    columns = ["customer_id"]
    columns += ["order_id"] if mapping.order_id else []
    columns += ["order_date", f"{_amount(spec)} AS amount"]
    early, late = _cases(spec, _early_rules(spec)), _cases(spec, _late_rules(spec))
    if spec.window_moves:
        columns += [f"{early} AS reason", f"{late} AS late_reason"]
    else:
        columns.append(f"{_cases(spec, [*_early_rules(spec), *_late_rules(spec)])} AS reason")
    if example := _example(spec):
        columns.append(f"{example} AS written")
    return select(columns, "lines")


def _amount(spec: QuerySpec) -> str:
    amount = "amount" if spec.mapping.amount else "quantity * unit_price"
    if spec.mapping.refund:
        return f"{amount} - CASE WHEN no_refund THEN 0 ELSE refund END"
    return amount


def _early_rules(spec: QuerySpec) -> Iterator[tuple[str, str]]:
    """Reason and condition, in order, up to the window."""
    dialect, mapping, settings = spec.dialect, spec.mapping, spec.settings
    if settings.skip:
        yield "", "skip_reason IS NOT NULL"
    yield "missing_customer", "customer_id IS NULL"
    if mapping.order_id:
        yield "missing_order", "order_id IS NULL"
    if spec.order_dates_are_text and settings.date_format == (ISO,):
        yield AMBIGUOUS_DATE, f"order_date IS NULL AND {dialect.matches('written_date', AMBIGUOUS)}"
    yield "invalid_date", "order_date IS NULL"
    unread = "amount IS NULL" if mapping.amount else "quantity IS NULL OR unit_price IS NULL"
    if mapping.refund:
        unread += " OR (refund IS NULL AND NOT no_refund)"
    yield "invalid_amount", unread
    yield "future_dated", f"order_date > {dialect.literal(spec.as_of or spec.today)}"
    if settings.since:
        yield "outside_window", f"order_date < {dialect.literal(settings.since)}"
    if settings.window and spec.as_of:
        oldest = dialect.window_start(dialect.literal(spec.as_of), settings.window)
        yield "outside_window", f"order_date <= {oldest}"


def _late_rules(spec: QuerySpec) -> Iterator[tuple[str, str]]:
    """Reason and condition, in order, after the window."""
    if spec.settings.exclude:
        yield "", "exclude_reason IS NOT NULL"
    if spec.nets_returns:
        return
    if spec.mapping.amount:
        yield "non_positive_amount", f"{_amount(spec)} <= 0"
    else:
        yield "non_positive_quantity", "quantity <= 0"
        yield "non_positive_price", "unit_price <= 0"
        if spec.mapping.refund:
            yield "non_positive_amount", f"{_amount(spec)} <= 0"


def _cases(spec: QuerySpec, rules: object) -> str:
    named = {"skip_reason IS NOT NULL": "skip_reason", "exclude_reason IS NOT NULL": "exclude_reason"}
    cases = [
        f"    WHEN {condition} THEN {named.get(condition) or spec.dialect.literal(reason)}"
        for reason, condition in rules  # type: ignore[attr-defined]
    ]
    return "\n".join(["CASE", *cases, "  END"]) if cases else spec.dialect.cast("NULL", "text")


def _text_amount(spec: QuerySpec) -> Column | None:
    """The column in whose text an unreadable amount can be shown."""
    for column in (spec.mapping.amount, spec.mapping.unit_price, spec.mapping.quantity):
        if column and column.kind is Kind.TEXT:
            return column
    return None


def _example(spec: QuerySpec) -> str | None:
    """The text that could not be read, as it was written, for the message."""
    cases = []
    if spec.order_dates_are_text:
        cases.append("WHEN order_date IS NULL THEN written_date")
    if _text_amount(spec):
        unread = "amount IS NULL" if spec.mapping.amount else "quantity IS NULL OR unit_price IS NULL"
        cases.append(f"WHEN {unread} THEN written_amount")
    return f"CASE {' '.join(cases)} END" if cases else None


def has_example(spec: QuerySpec) -> bool:
    """Whether `clean` carries the text of what could not be read."""
    return _example(spec) is not None
