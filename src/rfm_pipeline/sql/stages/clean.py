"""Clean: each line typed, and kept or excluded for the first reason that holds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rfm_pipeline.common.date_formats import AMBIGUOUS_DATE_PATTERN
from rfm_pipeline.common.schema import Kind
from rfm_pipeline.sql.dialects.base import NumberMarks, cases
from rfm_pipeline.sql.exclusions import condition_sql
from rfm_pipeline.sql.query_spec import Cte, QuerySpec, select

AMBIGUOUS_DATE = "ambiguous_date"
"""The reason of a line whose text date could be read in two ways; a run that meets one stops."""

# (Precision, scale) of each number. The product of a quantity and a price is exact in the nine decimals that
# every engine's NUMERIC has, and a sum of a hundred million of the largest lines still fits.
SIZES = {"quantity": (12, 3), "unit_price": (18, 6), "amount": (30, 9), "refund": (30, 9)}
_SKIPPED, _EXCLUDED = "skip_reason IS NOT NULL", "exclude_reason IS NOT NULL"


def clean_ctes(spec: QuerySpec) -> tuple[Cte, ...]:
    """The CTEs `source`, `lines` and `clean`.

    `clean` has `reason` (NULL for a kept line). Where the window moves with the newest order, the reasons
    that come after it in the order of rules stand in a column of their own, `late_reason`.
    """
    return (
        Cte("source", "One row per line of the source: the columns that play a role.", _source(spec)),
        Cte("lines", "One row per line, each value typed; NULL is what can't be read.", _lines(spec)),
        Cte("clean", "One row per line, with the first reason to exclude it; NULL keeps it.", _clean(spec)),
    )


def _source(spec: QuerySpec) -> str:
    dialect, settings = spec.dialect, spec.settings
    columns = []
    for role, column in spec.mapping.roles().items():
        value = dialect.measure(column) if role in SIZES else dialect.column(column)
        if role == "ordered_at" and spec.order_dates_are_text:
            value = dialect.trim(dialect.text(value, column.kind))
        columns.append(f"{value} AS {role}")
    for name, conditions in (("skip_reason", settings.skip), ("exclude_reason", settings.exclude)):
        if conditions:
            branches = [
                (condition_sql(condition, reason, spec.schema, dialect), dialect.literal(reason))
                for reason, condition in conditions.items()
            ]
            columns.append(f"{cases(branches)} AS {name}")
    return select(columns, spec.relation)


def _lines(spec: QuerySpec) -> str:
    dialect, settings = spec.dialect, spec.settings
    kinds = {role: column.kind for role, column in spec.mapping.roles().items()}
    columns = [f"{dialect.customer_key('customer_id', kinds['customer_id'])} AS customer_id"]
    if "order_id" in kinds:
        columns.append(f"{dialect.order_key('order_id', kinds['order_id'])} AS order_id")
    kind = Kind.TEXT if spec.order_dates_are_text else kinds["ordered_at"]
    order_date = dialect.local_date("ordered_at", kind, settings.timezone, settings.date_format)
    columns.append(f"{order_date} AS order_date")
    marks = NumberMarks(settings.decimal, settings.thousands)
    for role, size in SIZES.items():
        if role in kinds:
            columns.append(f"{dialect.number(role, kinds[role], size, marks)} AS {role}")
    if "refund" in kinds:
        # A refund that is not given is none; one that is given and can't be read spoils the amount.
        columns.append(f"{dialect.is_blank('refund', kinds['refund'])} AS no_refund")
    if spec.order_dates_are_text:
        columns.append("ordered_at AS written_date")
    columns += [f"{role} AS written_{role}" for role in _text_amounts(spec)]
    columns += ["skip_reason"] if settings.skip else []
    columns += ["exclude_reason"] if settings.exclude else []
    return select(columns, "source")


def _clean(spec: QuerySpec) -> str:
    columns = ["customer_id"]
    columns += ["order_id"] if spec.mapping.order_id else []
    columns += ["order_date", f"{_amount(spec)} AS amount"]
    if spec.window_moves:
        columns.append(f"{_first_reason(spec, _early_rules(spec))} AS reason")
        columns.append(f"{_first_reason(spec, _late_rules(spec))} AS late_reason")
    else:
        rules = [*_early_rules(spec), *_late_rules(spec)]
        columns.append(f"{_first_reason(spec, rules)} AS reason")
    if written := _written(spec):
        columns.append(f"{cases(written)} AS written")
    return select(columns, "lines")


def _amount(spec: QuerySpec) -> str:
    amount = "amount" if spec.mapping.amount else spec.dialect.product("quantity", "unit_price")
    if spec.mapping.refund:
        return f"{amount} - CASE WHEN no_refund THEN 0 ELSE refund END"
    return amount


def _unread_amount(spec: QuerySpec) -> str:
    unread = "amount IS NULL" if spec.mapping.amount else "quantity IS NULL OR unit_price IS NULL"
    return f"{unread} OR (refund IS NULL AND NOT no_refund)" if spec.mapping.refund else unread


def _early_rules(spec: QuerySpec) -> Iterator[tuple[str, str]]:
    """Reason and condition, in order, up to the window."""
    dialect, mapping, settings = spec.dialect, spec.mapping, spec.settings
    if settings.skip:
        yield "", _SKIPPED
    yield "missing_customer", "customer_id IS NULL"
    if mapping.order_id:
        yield "missing_order", "order_id IS NULL"
    if spec.may_be_ambiguous:
        yield AMBIGUOUS_DATE, f"order_date IS NULL AND {dialect.matches('written_date', AMBIGUOUS_DATE_PATTERN)}"
    yield "invalid_date", "order_date IS NULL"
    yield "invalid_amount", _unread_amount(spec)
    yield "future_dated", f"order_date > {dialect.literal(spec.as_of or spec.today)}"
    if settings.since:
        yield "outside_window", f"order_date < {dialect.literal(settings.since)}"
    if settings.window and spec.as_of:
        oldest = dialect.window_start(dialect.literal(spec.as_of), settings.window)
        yield "outside_window", f"order_date <= {oldest}"


def _late_rules(spec: QuerySpec) -> Iterator[tuple[str, str]]:
    """Reason and condition, in order, after the window."""
    if spec.settings.exclude:
        yield "", _EXCLUDED
    if spec.nets_returns:
        return
    if spec.mapping.amount:
        yield "non_positive_amount", f"{_amount(spec)} <= 0"
    else:
        yield "non_positive_quantity", "quantity <= 0"
        yield "non_positive_price", "unit_price <= 0"
        if spec.mapping.refund:
            yield "non_positive_amount", f"{_amount(spec)} <= 0"


def _first_reason(spec: QuerySpec, rules: Iterable[tuple[str, str]]) -> str:
    # A rule without a name of its own carries the name in a column.
    columns = {_SKIPPED: "skip_reason", _EXCLUDED: "exclude_reason"}
    branches = [(test, columns.get(test) or spec.dialect.literal(reason)) for reason, test in rules]
    return cases(branches) if branches else spec.dialect.cast("NULL", "text")


def _text_amounts(spec: QuerySpec) -> list[str]:
    """The roles of the amount that have to be read out of text."""
    kinds = {role: column.kind for role, column in spec.mapping.roles().items()}
    return [role for role in SIZES if kinds.get(role) is Kind.TEXT]


def _written(spec: QuerySpec) -> list[tuple[str, str]]:
    """The branches of a CASE that gives what could not be read, as it was written, for the message."""
    dates = [("order_date IS NULL", "written_date")] if spec.order_dates_are_text else []
    return [*dates, *((f"{role} IS NULL", f"written_{role}") for role in _text_amounts(spec))]


def has_example(spec: QuerySpec) -> bool:
    """Whether `clean` carries the text of what could not be read."""
    return bool(_written(spec))
