"""What a sale is, in SQL: lines whose status is no sale, and lines in other currencies."""

from __future__ import annotations

from collections.abc import Iterator

from rfm_pipeline.common.schema import Column
from rfm_pipeline.config.sale_rules import NOT_A_SALE, OTHER_CURRENCY, UNEXPECTED_CURRENCY, CurrencyRule
from rfm_pipeline.sql.query_spec import QuerySpec

_CURRENCY = "currency"
# What is beside the currency in an amount: digits, separators, signs, brackets and blanks.
_NUMBER = r"[0-9.,'’()+\s\p{Z}−–-]"


def source_columns(spec: QuerySpec) -> list[str]:
    """Return the columns of the CTE `source` that the rules use: the status and the currency of a line."""
    rules, dialect = spec.reading.sales, spec.dialect
    columns = [
        f"{dialect.plain_text(dialect.column(rule.column), rule.column.kind)} AS {name}"
        for name, rule in zip(_status_names(spec), rules.statuses, strict=True)
    ]
    if rules.currency:
        columns.append(f"{_text(spec, rules.currency.column)} AS {_CURRENCY}")
    return columns


def line_columns(spec: QuerySpec) -> list[str]:
    """Return the columns of the CTE `lines` that the rules use, in the form in which they are compared."""
    rules, dialect = spec.reading.sales, spec.dialect
    columns = []
    for name, rule in zip(_status_names(spec), rules.statuses, strict=True):
        text = name
        if any(" " in word for word in rule.no_sale) or not rule.no_sale:
            text = f"REPLACE(REPLACE({name}, '_', ' '), '-', ' ')"
        columns.append(f"LOWER({dialect.trim(text)}) AS {name}")
    if rules.currency:
        text = _CURRENCY
        if rules.currency.is_in_amount:
            text = dialect.without(text, _NUMBER)
        columns.append(f"UPPER({dialect.trim(text)}) AS {_CURRENCY}")
    return columns


def not_a_sale_rules(spec: QuerySpec) -> Iterator[tuple[str, str]]:
    """Yield the exclusion rules of statuses and of currencies that were not chosen: reason and condition."""
    rules = spec.reading.sales
    for name, rule in zip(_status_names(spec), rules.statuses, strict=True):
        yield NOT_A_SALE, f"{name} IN ({_listed(spec, rule.no_sale)})" if rule.no_sale else f"{name} <> ''"
    if rules.currency and not rules.currency.stops_at_others:
        for currency in rules.currency.currencies:
            if currency.is_excluded:
                yield currency.reason, f"{_CURRENCY} IN ({_listed(spec, currency.texts)})"
        yield OTHER_CURRENCY, _is_other(spec, rules.currency)


def unexpected_currency_rule(spec: QuerySpec) -> Iterator[tuple[str, str]]:
    """Yield the branch that gives lines in an unexpected currency a reason; the run fails if there are any.

    The branch is a condition, and SQL text of the reason.
    """
    rule = spec.reading.sales.currency
    if rule and rule.stops_at_others:
        reason = f"CONCAT({spec.dialect.literal(UNEXPECTED_CURRENCY)}, {_CURRENCY})"
        yield _is_other(spec, rule), reason


def converted(spec: QuerySpec, amount: str) -> str:
    """Return the amount of a line in the base currency, exact in nine decimals."""
    rule = spec.reading.sales.currency
    rates = [
        (f"{_CURRENCY} IN ({_listed(spec, currency.texts)})", currency.rate)
        for currency in (rule.currencies if rule else ())
        if currency.rate is not None and currency.rate != 1
    ]
    return spec.dialect.converted(f"({amount})", rates) if rates else amount


def _is_other(spec: QuerySpec, rule: CurrencyRule) -> str:
    texts = [text for currency in rule.currencies for text in currency.texts]
    return f"{_CURRENCY} NOT IN ({_listed(spec, ['', *texts])})"


def _listed(spec: QuerySpec, texts: tuple[str, ...] | list[str]) -> str:
    return ", ".join(map(spec.dialect.literal, texts))


def _text(spec: QuerySpec, column: Column) -> str:
    return spec.dialect.plain_text(spec.dialect.column(column), column.kind)


def _status_names(spec: QuerySpec) -> list[str]:
    count = len(spec.reading.sales.statuses)
    return ["status", *(f"status_{number}" for number in range(2, count + 1))][:count]
