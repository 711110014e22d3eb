"""What a sale is: statuses that are none, refunds that are lines of their own, currencies, other money."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from decimal import Decimal

from msgspec import Struct
from msgspec.structs import replace

from rfm_pipeline.common.formatting import format_amount, format_count
from rfm_pipeline.common.number_format import NumberSeparators
from rfm_pipeline.common.schema import Schema
from rfm_pipeline.config.column_mapping import ColumnMapping
from rfm_pipeline.config.questions import question
from rfm_pipeline.config.sale_rules import SaleRules
from rfm_pipeline.config.settings import Settings
from rfm_pipeline.source.profile.amounts import SampledLines, numbers
from rfm_pipeline.source.profile.currency import CurrencyReader
from rfm_pipeline.source.profile.kinds_of_lines import refuse_other_events, refuse_totals_among_lines
from rfm_pipeline.source.profile.other_money import read_other_lines, unused_money_notes
from rfm_pipeline.source.profile.own_exclusions import excluded_by_settings
from rfm_pipeline.source.profile.sample import Sample
from rfm_pipeline.source.profile.status_words import Meaning, StatusWords
from rfm_pipeline.source.profile.statuses import StatusReader, status_columns_named

_ZERO = Decimal(0)
_POINT = NumberSeparators(".", ",")


class Sales(Struct, frozen=True):
    """What was decided about sales.

    Attributes:
        rules: What a sale is.
        notes: What was decided, one phrase each.
    """

    rules: SaleRules = SaleRules()
    notes: tuple[str, ...] = ()


def read_sales(
    schema: Schema,
    sample: Sample,
    settings: Settings,
    mapping: ColumnMapping,
    separators: Mapping[str, NumberSeparators],
) -> Sales:
    """Decide what a sale is.

    Args:
        schema: The columns of the source.
        sample: Its first rows.
        settings: The merged settings.
        mapping: Column of each role.
        separators: How the numbers of each role are written.

    Raises:
        ColumnError: If two readings differ in money: statuses that disagree, several currencies, taxes.
    """
    lines = SampledLines(schema, sample, settings, mapping, separators)
    refunds = _Refunds(lines, separators.get("refund", _POINT))
    nets, refund_notes = refunds.nets()
    if nets:
        lines = replace(lines, settings=replace(settings, returns="net"))
    excluding, column_notes = refunds.status_excludes(nets=nets)
    statuses = StatusReader(lines, refunds_exclude=excluding).read()
    excluded = [any(pair) for pair in zip(statuses.excluded, excluded_by_settings(lines), strict=True)]
    currency, currency_notes = CurrencyReader(lines, excluded).read()
    refuse_other_events(lines)
    refund_lines, line_notes = read_other_lines(lines)
    refuse_totals_among_lines(lines)
    nets_lines = nets or (refund_lines is not None and settings.returns != "exclude")
    rules = SaleRules(
        statuses.rules,
        currency,
        nets_refunds=nets_lines and settings.returns != "net",
        refund_lines=refund_lines,
    )
    money = separators.get("amount") or separators.get("unit_price") or _POINT
    notes = (*statuses.notes, *refund_notes, *column_notes, *currency_notes, *line_notes)
    return Sales(rules, (*notes, *unused_money_notes(lines, money)))


class _Refunds:
    """Refunds in the sample: lines with negative amounts, and the column of refunds."""

    def __init__(self, lines: SampledLines, separators: NumberSeparators) -> None:
        self._lines = lines
        self._settings, self._mapping = lines.settings, lines.mapping
        words, sample, mapping = StatusWords.of(lines.settings.status), lines.sample, lines.mapping
        self._refunded, self._refunded_in_full = set[int](), set[int]()
        for column in status_columns_named(lines.schema, lines.settings):
            meanings = {value: words.meaning(value) for value in set(sample.filled(column))}
            if not {Meaning.REFUNDED, Meaning.PARTLY_REFUNDED} & set(meanings.values()):
                continue
            for line, value in enumerate(sample.of(column)):
                meaning = meanings[value] if value else None
                if meaning is Meaning.REFUNDED:
                    self._refunded_in_full.add(line)
                if meaning in {Meaning.REFUNDED, Meaning.PARTLY_REFUNDED}:
                    self._refunded.add(line)
        self._orders: dict[str, list[int]] = defaultdict(list)
        if mapping.order_id and lines.negative:
            for line, order in enumerate(sample.of(mapping.order_id)):
                if order is not None:
                    self._orders[order].append(line)
        self._negative = lines.negative
        self._refunds = numbers(sample, mapping.refund, separators) if mapping.refund else ()

    def nets(self) -> tuple[bool, tuple[str, ...]]:
        """Return whether refunds are lines of their own that are subtracted, and notes.

        Raises:
            ColumnError: If the same refunds are both lines and in a column, and would be subtracted twice.
        """
        of_sales = self._refund_lines()
        money = format_amount(self._lines.sum_of(of_sales))
        lines = f"{format_count(len(of_sales), 'line')}, {money}{self._lines.scope}"
        if self._settings.returns == "net":
            refund = self._mapping.refund
            if refund and any(self._refunds[line] for line in self._with_refund_lines(of_sales)):
                raise question("refunds_twice", column=refund.name, lines=lines)
            return True, ()
        if self._settings.returns == "exclude" or not of_sales or self._mapping.refund:
            return False, ()
        if self._refunded & self._with_refund_lines(of_sales):
            note = f"lines of refunds are subtracted: {lines} (--returns exclude leaves them out)"
            return True, (note,)
        return False, (
            f"negative lines of orders with sales are left out: {lines} (--returns net nets them)",
        )

    def _refund_lines(self) -> list[int]:
        """Return the lines with a negative amount whose order has a sale."""
        found = []
        for lines in self._orders.values():
            negative = [line for line in lines if line in self._negative]
            if negative and any((self._lines.amounts[line] or _ZERO) > 0 for line in lines):
                found += negative
        return found

    def _with_refund_lines(self, refund_lines: list[int]) -> set[int]:
        """Return all lines of the orders of some lines."""
        negative = set(refund_lines)
        return {line for lines in self._orders.values() if negative & set(lines) for line in lines}

    def status_excludes(self, *, nets: bool) -> tuple[bool, tuple[str, ...]]:
        """Return whether a status such as `refunded` is no sale, and notes.

        It is not where the refunds are subtracted: nothing is taken off twice.
        """
        if not self._refunded_in_full:
            return not nets, ()
        if nets and (self._negative or not self._lines.sample.is_whole):
            return False, ("a refunded order is a sale, as its refund is a line of its own",)
        partly = [
            line
            for line in self._refunded_in_full
            if self._refunds
            and _ZERO < abs(self._refunds[line] or _ZERO) < (self._lines.amounts[line] or _ZERO)
        ]
        if self._mapping.refund and partly:
            return False, (
                f"a refunded order is a sale, as `{self._mapping.refund.name}` says how much was refunded",
            )
        return True, ()
