"""What a sale is, in SQL: lines whose status is no sale, and lines in other currencies."""

from __future__ import annotations

from collections.abc import Iterator

from rfm_pipeline.common.schema import Column
from rfm_pipeline.config.sale_rules import NOT_A_SALE, OTHER_CURRENCY, UNEXPECTED_CURRENCY
from rfm_pipeline.sql.query_spec import QuerySpec

_CURRENCY = "currency"
_LINE_TYPE = "line_type"
# What is beside the currency in an amount: digits, separators, signs, brackets and blanks.
_NUMBER = r"[0-9.,'’()+\s\p{Z}−–-]"  # noqa: RUF001 (signs that people write)


def source_columns(spec: QuerySpec) -> list[str]:
    """Return the columns of the CTE `source` that the rules use: the status and the currency of a line."""
    rules, dialect = spec.reading.sales, spec.dialect
    columns = [
        f"{dialect.plain_text(dialect.column(rule.column), rule.column.kind)} AS {name}"
        for name, rule in zip(_status_names(spec), rules.statuses, strict=True)
    ]
    if rules.currency:
        columns.append(f"{_text(spec, rules.currency.column)} AS {_CURRENCY}")
    if rules.refund_lines:
        columns.append(f"{_text(spec, rules.refund_lines.column)} AS {_LINE_TYPE}")
    return columns


def line_columns(spec: QuerySpec) -> list[str]:
    """Return the columns of the CTE `lines` that the rules use, in the form in which they are compared."""
    rules, dialect = spec.reading.sales, spec.dialect
    columns = []
    for name, rule in zip(_status_names(spec), rules.statuses, strict=True):
        text = f"LOWER({dialect.trim(name)})"
        if any(" " in word for word in rule.no_sale):
            text = f"REPLACE(REPLACE({text}, '_', ' '), '-', ' ')"
        columns.append(_compared(spec, name, text, rule.kept, name))
    if currency := rules.currency:
        text = dialect.without(_CURRENCY, _NUMBER) if currency.is_in_amount else _CURRENCY
        code = dialect.literal(currency.currencies[0].code if currency.currencies else "")
        columns.append(_compared(spec, _CURRENCY, f"UPPER({dialect.trim(text)})", currency.as_written, code))
    if rules.refund_lines:
        columns.append(f"LOWER({dialect.trim(_LINE_TYPE)}) AS {_LINE_TYPE}")
    return columns


def _compared(spec: QuerySpec, name: str, compared: str, written: tuple[str, ...], otherwise: str) -> str:
    """Return a text in the form in which it is compared; frequent texts are found as they are written.

    Looking for them takes a quarter of the time of the functions.
    """
    if written:
        known = f"{name} IN ({_listed(spec, written)})"
        compared = f"CASE WHEN {known} THEN {otherwise} ELSE {compared} END"
    return f"{compared} AS {name}"


def not_a_sale_rules(spec: QuerySpec) -> Iterator[tuple[str, str]]:
    """Yield the exclusion rules of statuses and of currencies that were not chosen: reason and condition."""
    rules = spec.reading.sales
    for name, rule in zip(_status_names(spec), rules.statuses, strict=True):
        yield NOT_A_SALE, f"{name} IN ({_listed(spec, rule.no_sale)})" if rule.no_sale else f"{name} <> ''"
    if rules.currency and not rules.currency.stops_at_others:
        for currency in rules.currency.currencies:
            if currency.is_excluded:
                yield currency.reason, f"{_CURRENCY} IN ({_listed(spec, currency.texts)})"


def unexpected_currency_rule(spec: QuerySpec) -> Iterator[tuple[str, str]]:
    """Yield the branch for lines in a currency that the sample lacks: condition, and SQL of the reason.

    They are excluded if a currency was chosen; if not, the run fails.
    """
    rule, dialect = spec.reading.sales.currency, spec.dialect
    if rule is None or rule.is_in_amount:
        return
    reason = f"CONCAT({dialect.literal(UNEXPECTED_CURRENCY)}, {_CURRENCY})"
    if not rule.stops_at_others:
        of_code = f"CONCAT({dialect.literal(OTHER_CURRENCY + '_')}, LOWER({_CURRENCY}))"
        is_code = dialect.matches(_CURRENCY, "^[A-Z]{3}$")
        reason = f"CASE WHEN {is_code} THEN {of_code} ELSE {dialect.literal(OTHER_CURRENCY)} END"
    texts = [text for currency in rule.currencies for text in currency.texts]
    yield f"{_CURRENCY} NOT IN ({_listed(spec, ['', *texts])})", reason


def less_refund_lines(spec: QuerySpec, amount: str) -> str:
    """Return the amount of a line, with a minus sign if the line is a refund by its type."""
    refunds = spec.reading.sales.refund_lines
    if refunds is None:
        return amount
    types = _listed(spec, refunds.types)
    return f"CASE WHEN {_LINE_TYPE} IN ({types}) THEN -ABS({amount}) ELSE {amount} END"


def converted(spec: QuerySpec, amount: str) -> str:
    """Return the amount of a line in the base currency, exact in nine decimals."""
    rule = spec.reading.sales.currency
    rates = [
        (f"{_CURRENCY} IN ({_listed(spec, currency.texts)})", currency.rate)
        for currency in (rule.currencies if rule else ())
        if currency.rate is not None and currency.rate != 1
    ]
    return spec.dialect.converted(f"({amount})", rates) if rates else amount


def _listed(spec: QuerySpec, texts: tuple[str, ...] | list[str]) -> str:
    return ", ".join(map(spec.dialect.literal, texts))


def _text(spec: QuerySpec, column: Column) -> str:
    return spec.dialect.plain_text(spec.dialect.column(column), column.kind)


def _status_names(spec: QuerySpec) -> list[str]:
    count = len(spec.reading.sales.statuses)
    return ["status", *(f"status_{number}" for number in range(2, count + 1))][:count]
