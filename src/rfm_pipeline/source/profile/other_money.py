"""Money beside the sale: columns of tax, shipping, discounts and refunds, and lines of such types."""

from __future__ import annotations

import shlex
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from functools import cache

from rfm_pipeline.common.formatting import format_amount, format_count
from rfm_pipeline.common.number_format import NumberSeparators
from rfm_pipeline.common.schema import NUMBERS, Column, Kind, Schema
from rfm_pipeline.config.questions import question
from rfm_pipeline.config.sale_rules import RefundLines
from rfm_pipeline.config.vocabulary import load
from rfm_pipeline.errors import ColumnError
from rfm_pipeline.source.profile.amounts import SampledLines, number
from rfm_pipeline.source.profile.own_exclusions import exclusions_of
from rfm_pipeline.source.profile.status_words import fold, name_words

_KINDS = ("tax", "shipping", "tip", "fee", "discount", "refund")
_NO_GOODS = frozenset({"no_sale", "tax", "shipping", "tip", "fee"})
_KINDS_OF_LINES = ("no_sale", "tax", "shipping", "tip", "fee", "refund", "discount")
"""A credit note is a refund, though a credit is a discount."""
_NO_MONEY = frozenset(
    {
        "address", "applied", "at", "city", "class", "code", "company", "count", "country",
        "currency", "date", "id", "included", "is", "method", "name", "no", "number", "percent",
        "percentage", "phone", "postcode", "provider", "province", "quantity", "rate", "reason",
        "region", "state", "status", "time", "type", "weight", "zip",
    }
)  # fmt: skip
"""Words of columns that are about money and do not have it."""
_SHOWN = 6
_MOST_TYPES = 20


def unused_money_notes(lines: SampledLines, separators: NumberSeparators) -> tuple[str, ...]:
    """Return a note that names the columns of money that play no role, with what they amount to.

    Args:
        lines: The sampled lines.
        separators: How the numbers of the amounts are written.
    """
    shown, later, sample = [], [], lines.sample
    # Beside the refunds that are subtracted, others are the same in another currency, or their tax.
    kinds = [kind for kind in _KINDS if kind != "refund" or not lines.mapping.refund]
    for column in lines.schema:
        if column.path in lines.role_paths or not _is_other_money(column, kinds):
            continue
        if column.kind is not Kind.TEXT and column.kind not in NUMBERS:
            continue
        counts = Counter(sample.filled(column))
        values = {value: number(value, column.kind, separators) for value in counts}
        read = sum(counts[value] for value, amount in values.items() if amount is not None)
        zero = Decimal(0)
        amount = sum(((values[value] or zero) * lines_ for value, lines_ in counts.items()), zero)
        if amount and 10 * read >= 9 * counts.total():
            shown.append(f"`{column.name}` ({format_amount(amount)})")
        elif not amount and not sample.is_whole and sample.rows and _is_other_money(column, ("discount",)):
            later.append(f"`{column.name}`")
    notes = [f"{', '.join(later[:_SHOWN])} blank or 0{lines.scope}, and not used below"] if later else []
    if shown:
        more = f" and {len(shown) - _SHOWN} more" if len(shown) > _SHOWN else ""
        notes.append(f"not used: {', '.join(shown[:_SHOWN])}{more}{lines.scope}")
    return tuple(notes)


def _is_other_money(column: Column, kinds: Sequence[str]) -> bool:
    words = name_words(column.name)
    return not set(words) & _NO_MONEY and any(_has(words, kind) for kind in kinds)


def _has(words: list[str], kind: str) -> bool:
    text = f" {' '.join(words)} "
    return any(f" {word} " in text for word in _words(kind)) or "".join(words) in _words(kind)


@cache
def _words(kind: str) -> frozenset[str]:
    return frozenset(
        " ".join(name_words(word)) for words in load("money_words")[kind].values() for word in words
    )


def read_other_lines(lines: SampledLines) -> tuple[RefundLines | None, tuple[str, ...]]:
    """Return the lines of refunds without a minus sign, which are subtracted, and notes; None if none are.

    Args:
        lines: The sampled lines.

    Raises:
        ColumnError: If lines of tax or shipping are among those of goods, or lines of refunds without a minus
            sign, and the settings don't say if they count; the error shows the total of each type.
    """
    subtracted, notes = None, list[str]()
    if lines.settings.line_types == "all":
        return None, ()
    nets = lines.settings.line_types == "net"
    for column in _type_columns(lines.schema):
        has_exclusions = bool(exclusions_of(column, lines.settings))
        if column.path in lines.role_paths or (has_exclusions and not nets):
            continue
        by_type: dict[str, list[int]] = defaultdict(list)
        for line, value in enumerate(lines.sample.of(column)):
            if value is not None:
                by_type[value].append(line)
        kinds = {value: _kind_of(value) for value in by_type}
        no_goods = [value for value, kind in kinds.items() if kind in _NO_GOODS]
        refunds = [
            value
            for value, kind in kinds.items()
            if kind == "refund" and (nets or lines.sum_of(by_type[value]) > 0)
        ]
        others = [*no_goods, *([] if nets else refunds)]
        if others and not has_exclusions and len({*others, *refunds}) < len(by_type) <= _MOST_TYPES:
            raise _question(column, lines, by_type, no_goods, refunds)
        unknown = {value: by_type[value] for value, kind in kinds.items() if kind is None}
        if len(unknown) > 1 and _names_documents(column):
            notes.append(_unknown_types_note(column, unknown, lines))
        if nets and refunds and subtracted is None:
            subtracted = RefundLines(column, tuple(sorted({value.strip().lower() for value in refunds})))
            of_refunds = [line for value in refunds for line in by_type[value]]
            money = sum((abs(lines.amounts[line] or Decimal(0)) for line in of_refunds), Decimal(0))
            notes.append(
                f"lines of refunds by `{column.name}` are subtracted:"
                f" {format_count(len(of_refunds), 'line')}, {format_amount(money)}{lines.scope}"
            )
    return subtracted, tuple(notes)


def _names_documents(column: Column) -> bool:
    return fold(column.name) in load("money_words")["line_types"]["documents"]


def _unknown_types_note(column: Column, by_type: Mapping[str, Sequence[int]], lines: SampledLines) -> str:
    shown = [f"{value} ({format_count(len(by_type[value]), 'line')})" for value in by_type]
    more = f" and {len(shown) - _SHOWN} more" if len(shown) > _SHOWN else ""
    return f"`{column.name}` is {', '.join(shown[:_SHOWN])}{more}{lines.scope}, which all count"


def _type_columns(schema: Schema) -> Iterator[Column]:
    names = {fold(name) for name in load("money_words")["line_types"]["names"]}
    return (column for column in schema if column.kind is Kind.TEXT and fold(column.name) in names)


def _kind_of(value: str) -> str | None:
    words = name_words(value)
    return next((kind for kind in _KINDS_OF_LINES if _has(words, kind)), None)


def _question(
    column: Column,
    lines: SampledLines,
    by_type: Mapping[str, list[int]],
    no_goods: Sequence[str],
    refunds: Sequence[str],
) -> ColumnError:
    others = [value for value in by_type if value in {*no_goods, *refunds}]
    sums = {value: lines.sum_of(numbers_) for value, numbers_ in by_type.items()}
    listed = ", ".join(
        f"{value} {format_amount(sums[value])} ({format_count(len(by_type[value]), 'line')})"
        for value in by_type
    )
    everything = sum(sums.values(), Decimal(0))
    rest = everything - sum((sums[value] for value in others), Decimal(0))
    flags = " ".join(_exclusion(column, value) for value in others)
    negative = any(
        (lines.amounts[number] or 0) < 0
        for value in by_type
        if value not in others
        for number in by_type[value]
    )
    nets = " --returns net" if negative else ""
    if refunds and lines.settings.line_types != "net":
        flags_of_net = " ".join(["--line-types net", *(_exclusion(column, value) for value in no_goods)])
        refunded = sum((sums[value] for value in refunds), Decimal(0))
        return question(
            "lines_of_refunds",
            column=column.name,
            totals=listed,
            scope=lines.scope,
            nets=flags_of_net,
            less=format_amount(rest - refunded),
            exclusions=f"{flags}{nets}",
            rest=format_amount(rest),
            net=nets,
            everything=format_amount(everything),
        )
    return question(
        "lines_of_no_goods",
        column=column.name,
        totals=listed,
        scope=lines.scope,
        exclusions=f"{flags}{nets}",
        rest=format_amount(rest),
        net=nets,
        everything=format_amount(everything),
    )


def _exclusion(column: Column, value: str) -> str:
    name = fold(value) if fold(value).isascii() and fold(value).isidentifier() else _kind_of(value)
    written = column.name if column.name.isidentifier() else '"' + column.name.replace('"', '""') + '"'
    literal = value.replace("'", "''")
    condition = f"{name}={written} = '{literal}'"
    if written == column.name:
        return f'--exclude "{condition}"'
    return f"--exclude {shlex.quote(condition)}"
