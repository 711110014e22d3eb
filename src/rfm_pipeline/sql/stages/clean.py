"""Clean: convert the values of each source line to their types, and find the first reason to exclude it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal

from rfm_pipeline.common.date_formats import AMBIGUOUS_DATE_PATTERN
from rfm_pipeline.common.number_format import NumberSeparators
from rfm_pipeline.common.schema import Column, Kind
from rfm_pipeline.config.column_mapping import find_column
from rfm_pipeline.sql.dialects.base import QUICK_DATES, case_expression
from rfm_pipeline.sql.dialects.ids import is_scientific
from rfm_pipeline.sql.exclusions import condition_sql
from rfm_pipeline.sql.query_spec import Cte, QuerySpec, select
from rfm_pipeline.sql.stages import sale_rules

PART_COLUMN = "rfm_part"
"""Column of the relation of an incremental run with the part of each row."""
AMBIGUOUS_DATE = "ambiguous_date"
"""Exclusion reason of a line whose text date can be read in two ways; a run that finds one fails."""
DUPLICATE_FILE = "duplicate_file"
"""Exclusion reason of the lines of a file whose content is that of another file."""
TOTAL_ROW = "total_row"
"""Exclusion reason of a line that is a total of other lines."""
SCIENTIFIC_IDS = {"customer_id": "scientific_customer", "order_id": "scientific_order"}
"""Exclusion reasons, by role, of lines whose id is in scientific notation; a run that finds one fails."""
CLEAN = "clean"
"""Name of the stage's last CTE: one row per source line."""

# (Precision, scale) of each role with numbers. The product of a quantity and a price is exact in the nine
# decimals that every engine's NUMERIC has, and a sum of a hundred million of the largest lines still fits.
_NUMBER_TYPES = {
    "quantity": (12, 3),
    "unit_price": (18, 6),
    "amount": (30, 9),
    "discount": (10, 6),
    "refund": (30, 9),
    "total": (30, 9),
    "adjusted_total": (30, 9),
    "frequency": (12, 3),
}
_REVERSED = "reversed_customer"
"""Column of `source` with customer ids in reverse, whose ends are quick to compare."""
_DATES_ROW = (
    "One row per source line: dates in a usual form, and the text of others without blanks around it."
)
_SKIPPED, _EXCLUDED = "skip_reason IS NOT NULL", "exclude_reason IS NOT NULL"


def clean_ctes(spec: QuerySpec) -> tuple[Cte, ...]:
    """Return the CTEs `source`, `lines` and `clean`.

    The column `reason` of `clean` is NULL for a kept line. If the window moves with the newest order, the
    rules after `outside_window` are evaluated into a column of their own, `late_reason`, because the window
    comes before them in the order of rules and is not known yet. If orders are kept, `reason` has only rules
    before those on dates, too.
    """
    dates = _dates(spec)
    return (
        Cte("source", "One row per source line: the columns that the query uses.", _source(spec)),
        *([Cte("dates", _DATES_ROW, dates, reads=("source",))] if dates else []),
        Cte(
            "lines",
            "One row per source line, with typed values; NULL is a missing or unreadable value.",
            _lines(spec),
            reads=("dates" if dates else "source",),
        ),
        Cte(
            CLEAN,
            "One row per source line, with the first reason to exclude it; NULL means that it is kept.",
            _clean(spec),
            reads=("lines",),
        ),
    )


def _source(spec: QuerySpec) -> str:
    dialect, settings = spec.dialect, spec.settings
    columns = []
    for role, column in spec.mapping.roles().items():
        if role == "customer_fallback":
            continue
        value = dialect.numeric_column(column) if role in _NUMBER_TYPES else dialect.column(column)
        if role == "ordered_at" and spec.order_dates_are_text:
            if quick := _quick_date(spec, value):
                columns.append(f"{quick} AS quick_date")
            else:
                value = dialect.date_text(value, column.kind)
        if role == "customer_id" and (fallback := spec.mapping.customer_fallback):
            value = _first_filled(spec, column, fallback)
        elif role in {"order_id", "refund_of"} and spec.has_refund_lines:
            value = dialect.plain_text(value, column.kind)
        columns.append(f"{value} AS {role}")
        if role == "customer_id" and (reversed_text := _reversed_customer(spec)):
            columns.append(f"{reversed_text} AS {_REVERSED}")
    columns += sale_rules.source_columns(spec)
    total_rows = [(_is_total_row(spec, cells), dialect.literal(TOTAL_ROW)) for cells in spec.total_rows]
    for name, conditions, before in (
        ("skip_reason", settings.skip, total_rows),
        ("exclude_reason", settings.exclude, []),
    ):
        branches = before + [
            (condition_sql(condition, reason, spec.schema, dialect), dialect.literal(reason))
            for reason, condition in conditions.items()
        ]
        if branches:
            columns.append(f"{case_expression(branches)} AS {name}")
    number = PART_COLUMN if spec.keeps_orders else spec.files.column if spec.files else ""
    columns += [
        f"{dialect.quoted_name(number)} AS {name}" for name in _file_columns(spec, spec.numbers_files)
    ]
    return select(columns, spec.relation)


def _file_columns(spec: QuerySpec, is_numbered: bool) -> list[str]:  # noqa: FBT001 - a property of the spec
    """Return the name of the column with the part of a line, or its file, if that is needed."""
    return ["part"] if spec.keeps_orders else ["source_file"] if is_numbered else []


def _quick_date(spec: QuerySpec, text: str) -> str | None:
    """Return SQL for the date of text in a usual form, if the engine has one for the column."""
    if spec.kind_of("ordered_at") is not Kind.TEXT:
        return None
    return spec.dialect.quick_date(text, spec.reading.date_formats)


def _dates(spec: QuerySpec) -> str | None:
    """Return the SELECT that trims dates in another than the usual form; None if all dates are trimmed."""
    if _quick_date(spec, "ordered_at") is None:
        return None
    dialect = spec.dialect
    is_read = f"quick_date BETWEEN {' AND '.join(map(dialect.literal, QUICK_DATES))}"
    text = dialect.date_text("ordered_at", Kind.TEXT)
    columns = [
        f"CASE WHEN {is_read} THEN quick_date END AS quick_date",
        f"CASE WHEN {is_read} THEN NULL ELSE {text} END AS ordered_at",
    ]
    replaced = ",\n    ".join(columns)
    return select([f"* REPLACE (\n    {replaced}\n  )"], "source")


def _is_total_row(spec: QuerySpec, cells: Iterable[tuple[str, str]]) -> str:
    """Return the condition that a line is a total of other lines: each cell has the text given for it."""
    dialect, conditions = spec.dialect, []
    for name, text in cells:
        column = find_column(spec.schema, name)
        assert column is not None  # the rows were found in these columns
        value = dialect.column(column)
        if text:
            equal = f"{dialect.trim(dialect.text(value, column.kind))} = {dialect.literal(text)}"
            conditions.append(f"COALESCE({equal}, FALSE)")
        else:
            conditions.append(dialect.is_blank(value, column.kind))
    return " AND ".join(conditions)


def _first_filled(spec: QuerySpec, column: Column, fallback: Column) -> str:
    """Return the text of a customer's column, or of the fallback where it is blank."""
    dialect = spec.dialect
    texts = [dialect.plain_text(dialect.column(each), each.kind) for each in (column, fallback)]
    blank = dialect.is_blank(dialect.column(column), column.kind)
    return f"CASE WHEN {blank} THEN {texts[1]} ELSE {texts[0]} END"


def _lines(spec: QuerySpec) -> str:
    dialect, settings = spec.dialect, spec.settings
    kinds = {role: spec.kind_of(role) for role in spec.mapping.roles()}
    columns = [f"{_customer_key(spec)} AS customer_id"]
    if "order_id" in kinds:
        columns.append(f"{dialect.order_key('order_id', kinds['order_id'])} AS order_id")
    if "refund_of" in kinds:
        columns.append(f"{dialect.order_key('refund_of', kinds['refund_of'])} AS refund_of")
    kind = Kind.TEXT if spec.order_dates_are_text else kinds["ordered_at"]
    order_date = dialect.local_date("ordered_at", kind, settings.timezone, spec.reading.date_formats)
    quick = _quick_date(spec, "ordered_at")
    columns.append(f"{f'COALESCE(quick_date, {order_date})' if quick else order_date} AS order_date")
    for role, size in _NUMBER_TYPES.items():
        if role in kinds:
            separators = spec.reading.separators.get(role, NumberSeparators())
            columns.append(f"{dialect.number(role, kinds[role], size, separators)} AS {role}")
    if "discount" in kinds:
        # A blank discount counts as 0, as a blank refund does.
        columns.append(f"{dialect.is_blank('discount', kinds['discount'])} AS no_discount")
    if "refund" in kinds:
        # A blank refund counts as 0; a refund that is not a number makes the amount unreadable.
        columns.append(f"{dialect.is_blank('refund', kinds['refund'])} AS no_refund")
    if spec.has_adjusted_totals:
        columns.append(f"{dialect.is_blank('adjusted_total', kinds['adjusted_total'])} AS not_adjusted")
    if spec.order_dates_are_text:
        columns.append("ordered_at AS written_date")
    columns += [f"{role} AS written_{role}" for role in _text_amounts(spec)]
    columns += sale_rules.line_columns(spec)
    columns += ["skip_reason"] if settings.skip or spec.total_rows else []
    columns += ["exclude_reason"] if settings.exclude else []
    columns += _file_columns(spec, spec.numbers_files)
    return select(columns, "dates" if quick else "source")


def _reversed_customer(spec: QuerySpec) -> str | None:
    """Return the text of a customer's column in reverse; None if there is a fallback, or ids are no text."""
    column = spec.mapping.customer_id
    if column.kind is not Kind.TEXT or spec.mapping.customer_fallback:
        return None
    return spec.dialect.reversed_text(spec.dialect.column(column))


def _customer_key(spec: QuerySpec) -> str:
    kind, placeholders = spec.kind_of("customer_id"), spec.reading.placeholders
    reversed_text = _REVERSED if _reversed_customer(spec) else None
    return spec.dialect.customer_key("customer_id", kind, placeholders, reversed_text)


def _clean(spec: QuerySpec) -> str:
    columns = _keys(spec)
    columns += ["order_date", f"{sale_rules.converted(spec, _amount(spec))} AS amount"]
    if spec.counts_totals and spec.has_refunds:
        refunded = " + ".join(_refunds(spec))
        columns.append(f"{sale_rules.converted(spec, _in_unit(spec, refunded))} AS refunded")
    columns += ["frequency"] if spec.mapping.frequency else []
    if spec.window_moves or spec.keeps_orders:
        columns.append(f"{_first_reason(spec, _early_rules(spec))} AS reason")
        columns.append(f"{_first_reason(spec, _late_rules(spec))} AS late_reason")
    else:
        rules = [*_early_rules(spec), *_late_rules(spec)]
        columns.append(f"{_first_reason(spec, rules)} AS reason")
    if written := _written(spec):
        columns.append(f"{case_expression(written)} AS written")
    columns += _file_columns(spec, spec.may_share_orders)
    return select(columns, "lines")


def _keys(spec: QuerySpec) -> list[str]:
    """Return the customer and the order of a line; a refund has its order's id and, for now, no customer."""
    if not spec.has_refund_lines:
        return ["customer_id", *(["order_id"] if spec.mapping.order_id else [])]
    refund = _is_refund(spec)
    return [
        f"CASE WHEN NOT COALESCE({refund}, FALSE) THEN customer_id END AS customer_id",
        f"CASE WHEN {refund} THEN refund_of ELSE order_id END AS order_id",
    ]


def _is_refund(spec: QuerySpec) -> str:
    return f"(refund_of IS NOT NULL AND {_amount(spec)} < 0)"


def _amount(spec: QuerySpec) -> str:
    amount = "amount" if spec.mapping.amount else spec.dialect.product("quantity", "unit_price")
    if spec.mapping.discount:
        amount = spec.dialect.less_share(amount, _discount(spec))
    # The refund of an order whose total counts once is subtracted from the total.
    if not spec.counts_totals:
        amount = " - ".join([amount, *_refunds(spec)])
    return _in_unit(spec, sale_rules.less_refund_lines(spec, amount))


def _discount(spec: QuerySpec) -> str:
    largest, share = 1, "discount"
    if spec.reading.discount_in_percent:
        largest, share = 100, spec.dialect.in_unit("discount", Decimal("0.01"))
    return f"CASE WHEN no_discount THEN 0 WHEN discount BETWEEN 0 AND {largest} THEN {share} END"


def _refunds(spec: QuerySpec) -> Iterator[str]:
    if spec.mapping.refund:
        refund = "-refund" if spec.reading.refunds_are_negative else "refund"
        yield f"CASE WHEN no_refund THEN 0 ELSE {refund} END"
    if spec.has_adjusted_totals:
        yield "CASE WHEN not_adjusted THEN 0 ELSE total - adjusted_total END"


def _in_unit(spec: QuerySpec, amount: str) -> str:
    return amount if spec.reading.unit == 1 else spec.dialect.in_unit(f"({amount})", spec.reading.unit)


def _unreadable_amount(spec: QuerySpec) -> str:
    unreadable = "amount IS NULL" if spec.mapping.amount else "quantity IS NULL OR unit_price IS NULL"
    if spec.mapping.discount:
        # What is no share of the price, such as -0.15, is not multiplied.
        largest = 100 if spec.reading.discount_in_percent else 1
        unreadable += f" OR (NOT no_discount AND (discount IS NULL OR discount NOT BETWEEN 0 AND {largest}))"
    if spec.mapping.refund:
        unreadable += " OR (refund IS NULL AND NOT no_refund)"
    if spec.has_adjusted_totals:
        unreadable += " OR (NOT not_adjusted AND (total IS NULL OR adjusted_total IS NULL))"
    return unreadable


def _early_rules(spec: QuerySpec) -> Iterator[tuple[str, str]]:
    """Yield the exclusion rules up to the time window, in order: reason and SQL condition."""
    dialect, mapping, settings = spec.dialect, spec.mapping, spec.settings
    if spec.files and spec.files.duplicates and not spec.keeps_orders:
        yield DUPLICATE_FILE, f"source_file IN ({', '.join(map(str, spec.files.duplicates))})"
    if settings.skip or spec.total_rows:
        yield "", _SKIPPED
    yield from sale_rules.not_a_sale_rules(spec)
    if spec.has_refund_lines:
        # Money that the shop paid: to a supplier, or to its own bank.
        yield "not_a_sale", f"refund_of IS NULL AND {_amount(spec)} < 0"
        yield "missing_customer", f"customer_id IS NULL AND NOT COALESCE({_is_refund(spec)}, FALSE)"
    else:
        yield "missing_customer", "customer_id IS NULL"
    if mapping.frequency:
        yield "invalid_frequency", "frequency IS NULL OR frequency < 0 OR frequency <> FLOOR(frequency)"
        yield "no_orders", "frequency = 0"
    if mapping.order_id:
        yield "missing_order", "order_id IS NULL"
    yield from _scientific_ids(spec)
    if spec.may_be_ambiguous:
        yield (
            AMBIGUOUS_DATE,
            f"order_date IS NULL AND {dialect.matches('written_date', AMBIGUOUS_DATE_PATTERN)}",
        )
    yield "invalid_date", "order_date IS NULL"
    yield "invalid_amount", _unreadable_amount(spec)
    if not spec.keeps_orders:
        yield from date_rules(spec)


def date_rules(spec: QuerySpec) -> Iterator[tuple[str, str]]:
    """Yield the exclusion rules on the dates of a run: reason and SQL condition on `order_date`."""
    dialect, settings = spec.dialect, spec.settings
    yield "future_dated", f"order_date > {spec.last_day_sql}"
    if settings.since:
        yield "outside_window", f"order_date < {dialect.literal(settings.since)}"
    if settings.window and spec.as_of_sql and not spec.window_moves:
        oldest = dialect.window_start(spec.as_of_sql, settings.window)
        yield "outside_window", f"order_date <= {oldest}"


def _scientific_ids(spec: QuerySpec) -> Iterator[tuple[str, str]]:
    """Yield the rules for ids that a spreadsheet ruined, which stop a run: such as 6.01235E+12."""
    kept = " AND exclude_reason IS NULL" if spec.settings.exclude else ""
    for role, reason in SCIENTIFIC_IDS.items():
        if role in spec.mapping.roles() and spec.kind_of(role) is Kind.TEXT:
            yield reason, f"{is_scientific(spec.dialect, role)}{kept}"


def _late_rules(spec: QuerySpec) -> Iterator[tuple[str, str]]:
    """Yield the exclusion rules after the time window, in order: reason and SQL condition."""
    if spec.settings.exclude:
        yield "", _EXCLUDED
    yield from (("", condition) for condition, _ in sale_rules.unexpected_currency_rule(spec))
    if spec.nets_returns:
        return
    if spec.mapping.amount:
        yield "non_positive_amount", f"{_amount(spec)} <= 0"
    else:
        yield "non_positive_quantity", "quantity <= 0"
        yield "non_positive_price", "unit_price <= 0"
        if spec.has_refunds:
            yield "non_positive_amount", f"{_amount(spec)} <= 0"


def _first_reason(spec: QuerySpec, rules: Iterable[tuple[str, str]]) -> str:
    # The rules of `[skip]` and `[exclude]` have no fixed reason; the column has the name of the rule that
    # fits.
    columns = {_SKIPPED: "skip_reason", _EXCLUDED: "exclude_reason"}
    columns.update(sale_rules.unexpected_currency_rule(spec))
    branches = [
        (condition, columns.get(condition) or spec.dialect.literal(reason)) for reason, condition in rules
    ]
    return case_expression(branches) if branches else spec.dialect.cast("NULL", "text")


def _text_amounts(spec: QuerySpec) -> list[str]:
    """Return the roles with numbers whose columns are text."""
    kinds = {role: column.kind for role, column in spec.mapping.roles().items()}
    return [role for role in _NUMBER_TYPES if kinds.get(role) is Kind.TEXT]


def _written(spec: QuerySpec) -> list[tuple[str, str]]:
    """Return the branches of a CASE whose value is the text of an unreadable value, for the message."""
    dates = [("order_date IS NULL", "written_date")] if spec.order_dates_are_text else []
    return [*dates, *((f"{role} IS NULL", f"written_{role}") for role in _text_amounts(spec))]


def has_example(spec: QuerySpec) -> bool:
    """Return whether `clean` has the column `written`: the original text of an unreadable value."""
    return bool(_written(spec))
