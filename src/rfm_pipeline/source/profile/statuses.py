"""Statuses: the columns that say which lines are no sale, and what they say about the sample."""

from __future__ import annotations

import shlex
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from msgspec import Struct

from rfm_pipeline.common.formatting import format_amount, format_count
from rfm_pipeline.common.schema import Column, Kind, Schema
from rfm_pipeline.config.column_mapping import NO_COLUMN, find_column, shell_word, unknown_column
from rfm_pipeline.config.questions import question
from rfm_pipeline.config.sale_rules import StatusRule
from rfm_pipeline.config.settings import ColumnCondition, Settings
from rfm_pipeline.errors import ColumnError
from rfm_pipeline.source.profile.amounts import SampledLines
from rfm_pipeline.source.profile.flag_columns import read_flags
from rfm_pipeline.source.profile.own_exclusions import exclusions_of
from rfm_pipeline.source.profile.status_words import (
    Meaning,
    NameKind,
    StatusWords,
    fold,
    name_kind,
)

_NO_SALE = frozenset({Meaning.NO_SALE})
_WITH_REFUNDED = frozenset({Meaning.NO_SALE, Meaning.REFUNDED})
_MOST_STATUSES = 40
"""Different values above which a column of unknown words is no status but a text."""
_SHOWN = 5
_LEAST_CUSTOMERS = 3
"""Customers with several dates that show whether a status is the order's or the customer's."""


class StatusColumn(Struct, frozen=True):
    """A column of statuses, and what its values in the sample mean.

    Attributes:
        column: The column.
        kind: Kind of its name; `chosen` if the user named it.
        values: Number of lines of each value, the most frequent first.
        meanings: What each value means; None if it is unknown.
    """

    column: Column
    kind: NameKind | str
    values: Mapping[str, int]
    meanings: Mapping[str, Meaning | None]

    def count(self, meanings: Iterable[Meaning | None]) -> int:
        """Return the number of lines whose status has one of the meanings."""
        wanted = set(meanings)
        return sum(lines for value, lines in self.values.items() if self.meanings[value] in wanted)

    def shown(self, meanings: Iterable[Meaning | None]) -> str:
        """Return the statuses of some meanings with their lines: `Cancelled (4), Failed (1)`."""
        wanted = set(meanings)
        listed = [
            f"{value} ({lines:,})" for value, lines in self.values.items() if self.meanings[value] in wanted
        ]
        more = f" and {len(listed) - _SHOWN} more" if len(listed) > _SHOWN else ""
        return ", ".join(listed[:_SHOWN]) + more


class Statuses(Struct, frozen=True):
    """What the statuses of a source say.

    Attributes:
        rules: The columns that say which lines are no sale.
        excluded: Whether each line of the sample is no sale.
        notes: What was decided, one phrase each.
    """

    rules: tuple[StatusRule, ...]
    excluded: tuple[bool, ...]
    notes: tuple[str, ...]


class StatusReader:
    """Decides about the statuses of one source.

    Args:
        lines: The sampled lines.
        refunds_exclude: Whether a status such as `refunded` is no sale: not where refunds are subtracted.
    """

    def __init__(self, lines: SampledLines, *, refunds_exclude: bool = True) -> None:
        self._lines, self._schema, self._sample = lines, lines.schema, lines.sample
        self._settings, self._mapping = lines.settings, lines.mapping
        self._words = StatusWords.of(lines.settings.status)
        self._excluding = _WITH_REFUNDED if refunds_exclude else _NO_SALE

    def read(self) -> Statuses:
        """Decide which columns say that a line is no sale.

        Raises:
            ColumnError: If the configured column does not exist, two columns disagree, or a status may be the
                customer's.
        """
        configured = self._settings.status.column
        if configured is not None and configured.casefold() == NO_COLUMN:
            return Statuses((), (False,) * self._sample.rows, ("no status column is used: all lines count",))
        if configured:
            return self._result([self._chosen(configured)], [], [])
        columns, notes = self._detected()
        self._refuse_disagreement(columns)
        flags, flag_notes = read_flags(self._lines, excludes_refunded=Meaning.REFUNDED in self._excluding)
        return self._result(columns, flags, [*notes, *flag_notes])

    def _chosen(self, name: str) -> StatusColumn:
        column = find_column(self._schema, name)
        if column is None:
            raise unknown_column(self._schema, name, "The setting status.column")
        return self._status_column(column, "chosen")

    def _status_column(self, column: Column, kind: NameKind | str) -> StatusColumn:
        values = dict(Counter(self._sample.filled(column)).most_common())
        return StatusColumn(column, kind, values, {value: self._words.meaning(value) for value in values})

    def _detected(self) -> tuple[list[StatusColumn], list[str]]:
        """Return the columns with an order's or a payment's status, and notes about the others."""
        columns, notes = [], []
        for status in self._candidates():
            name, no_sale = status.column.name, status.shown(_WITH_REFUNDED)
            if not any(status.meanings.values()):
                notes += self._unknown_note(status)
                # The lines after the sample may have words that are known.
                if not self._sample.is_whole and (status.kind == "order" or not status.values):
                    columns.append(status)
            elif conditions := exclusions_of(status.column, self._settings):
                notes += self._own_exclusion_note(status, conditions)
            elif status.kind == "other":
                notes += [f"`{name}` is no order's status and excludes nothing: {no_sale}"] if no_sale else []
            elif self._is_customers(status):
                if status.kind == "order" or not self._words.has_customers(status.values):
                    raise self._customers_or_orders(status)
                notes.append(
                    f"`{name}` is the same on all lines of each customer, so it is the customer's and"
                    f" excludes nothing: {no_sale} (--status-column {shlex.quote(name)} excludes them)"
                )
            else:
                columns.append(status)
        notes += self._unnamed()
        if not self._sample.rows:
            notes += [
                f"the statuses in `{column.name}` were not looked at, as the source has no sample:"
                f" --status-column {shlex.quote(column.name)} excludes those that are no sale"
                for column in self._named(("order", "plain"))
            ]
        return columns, notes

    def _named(self, kinds: Sequence[NameKind]) -> Iterator[Column]:
        roles = self._lines.role_paths
        for column in self._schema:
            is_value = column.kind in {Kind.TEXT, Kind.INTEGER}
            if is_value and column.path not in roles and name_kind(column.name) in kinds:
                yield column

    def _candidates(self) -> Iterator[StatusColumn]:
        for column in self._named(("order", "plain", "weak", "other")):
            kind = name_kind(column.name)
            assert kind is not None  # it is one of those
            status = self._status_column(column, kind)
            known = sum(meaning is not None for meaning in status.meanings.values())
            # Most values of a region's or an article's state are no statuses.
            # After a sample without any, statuses may follow.
            may_follow = not self._sample.is_whole and self._sample.rows and kind in {"order", "plain"}
            if not status.values and may_follow:
                yield status
            if status.values and (kind not in {"weak", "other"} or 2 * known >= len(status.values)):
                yield status

    def _unnamed(self) -> Iterator[str]:
        """Yield notes about columns that are not named like a status and have hardly anything else."""
        roles = self._lines.role_paths
        for column in self._schema:
            of = self._sample.of(column)
            # Most columns show in their first lines that they have too many values.
            if column.kind is not Kind.TEXT or len(set(of[: 3 * _MOST_STATUSES])) > _MOST_STATUSES:
                continue
            values = {value for value in of if value}
            if not 1 < len(values) <= _MOST_STATUSES or column.path in roles or name_kind(column.name):
                continue
            status = self._status_column(column, "unnamed")
            known = sum(meaning is not None for meaning in status.meanings.values())
            no_sale = status.shown(_NO_SALE)
            if no_sale and 5 * known >= 4 * len(values) and not exclusions_of(column, self._settings):
                yield (
                    f"`{column.name}` is not named like a status and excludes nothing: {no_sale}"
                    f" (--status-column {shlex.quote(column.name)} excludes them)"
                )

    def _unknown_note(self, status: StatusColumn) -> list[str]:
        if not status.values:
            blank = f"`{status.column.name}` is blank in the first {self._sample.rows:,} lines"
            return [f"{blank}; known statuses below them exclude lines"]
        if len(status.values) > _MOST_STATUSES or status.kind in {"weak", "other"}:
            return []
        note = (
            f"no value of `{status.column.name}` is a known status, so it excludes nothing:"
            f" {status.shown([None])} ([status] no_sale in rfm.toml excludes values)"
        )
        return [note]

    def _own_exclusion_note(self, status: StatusColumn, conditions: Mapping[str, object]) -> list[str]:
        """Return a note about a column that the user's own exclusions read, if more of it is no sale."""
        handled = {
            fold(text)
            for condition in conditions.values()
            if isinstance(condition, ColumnCondition)
            for text in condition.equals or ()
        }
        left = [
            f"{value} ({lines:,})"
            for value, lines in status.values.items()
            if status.meanings[value] in self._excluding and fold(value) not in handled
        ]
        note = (
            f"`{status.column.name}` is read by {' and '.join(conditions)}, so no other status excludes a"
            f" line: {', '.join(left[:_SHOWN])}"
        )
        return [note] if left else []

    # Whose status it is

    def _is_customers(self, status: StatusColumn) -> bool:
        """Return whether a status never changes between the dates of a customer."""
        dates: dict[str, set[str]] = defaultdict(set)
        statuses: dict[str, str] = {}
        changed = set[str]()
        of = self._sample.of
        lines = zip(
            of(self._mapping.customer_id), of(self._mapping.ordered_at), of(status.column), strict=True
        )
        for customer, ordered_at, value in lines:
            if customer and ordered_at and value:
                dates[customer].add(ordered_at)
                if statuses.setdefault(customer, value) != value:
                    changed.add(customer)
                if customer in changed and len(dates[customer]) > 1:
                    return False
        several = [customer for customer, days in dates.items() if len(days) > 1]
        different = {statuses[customer] for customer in several}
        no_sale = any(status.meanings[value] in self._excluding for value in different)
        return len(several) >= _LEAST_CUSTOMERS and len(different) > 1 and no_sale

    def _customers_or_orders(self, status: StatusColumn) -> ColumnError:
        name = status.column.name
        kept = [line for line, excluded in enumerate(self._no_sale(status)) if not excluded]
        everything = self._lines.total()
        return question(
            "status_of_customer",
            column=name,
            statuses=status.shown(self._excluding),
            scope=self._lines.scope,
            without=format_amount(self._lines.total(kept)),
            everything=format_amount(everything),
            word=shell_word(name),
        )

    def _no_sale(self, status: StatusColumn) -> list[bool]:
        return [
            value is not None and status.meanings[value] in self._excluding
            for value in self._sample.of(status.column)
        ] or [False] * self._sample.rows

    def _refuse_disagreement(self, columns: Sequence[StatusColumn]) -> None:
        """Raise if one column says that a line is no sale and another one that it is.

        Raises:
            ColumnError: If there is such a line.
        """
        for number, first in enumerate(columns):
            for second in columns[number + 1 :]:
                if pairs := self._disagreements(first, second):
                    raise self._disagreement(first, second, pairs)

    def _disagreements(self, first: StatusColumn, second: StatusColumn) -> list[str]:
        """Return the pairs of statuses of which one is no sale and the other one is a sale."""
        pairs = Counter(
            (one, other)
            for one, other in zip(self._sample.of(first.column), self._sample.of(second.column), strict=True)
            if one and other
        )
        found = []
        for (one, other), lines in pairs.most_common():
            meanings = {first.meanings[one], second.meanings[other]}
            if Meaning.SALE in meanings and meanings & self._excluding:
                found.append(f"{one} and {other} ({format_count(lines, 'line')})")
        return found

    def _disagreement(self, first: StatusColumn, second: StatusColumn, pairs: Sequence[str]) -> ColumnError:
        results = []
        for status in (first, second):
            kept = [line for line, excluded in enumerate(self._no_sale(status)) if not excluded]
            results.append(
                f"--status-column {shell_word(status.column.name)} counts"
                f" {format_amount(self._lines.total(kept))} ({format_count(len(kept), 'line')})"
            )
        return question(
            "statuses_disagree",
            first=first.column.name,
            second=second.column.name,
            pairs=", ".join(pairs[:_SHOWN]),
            choices=", ".join(results),
            scope=self._lines.scope,
        )

    def _result(
        self,
        columns: Sequence[StatusColumn],
        flags: Sequence[tuple[StatusRule, list[bool]]],
        notes: Sequence[str],
    ) -> Statuses:
        rules = [
            StatusRule(status.column, self._words.texts(status.values, self._excluding), self._kept(status))
            for status in columns
        ]
        marked = [*map(self._no_sale, columns), *(lines for _, lines in flags)]
        excluded = tuple(any(line) for line in zip(*marked, strict=True)) or (False,) * self._sample.rows
        return Statuses(
            (*rules, *(rule for rule, _ in flags)),
            excluded,
            (*(note for status in columns for note in self._notes(status)), *notes),
        )

    def _kept(self, status: StatusColumn) -> tuple[str, ...]:
        """Return the most frequent values that are kept, as they are written."""
        kept = [value for value in status.values if status.meanings[value] not in self._excluding]
        return tuple(sorted(kept[:_SHOWN]))

    def _notes(self, status: StatusColumn) -> Iterator[str]:
        name, where = status.column.name, self._lines.scope
        if no_sale := status.shown(self._excluding):
            yield f"no sale by `{name}`: {no_sale}{where}"
        elif status.values:
            yield f"no status in `{name}` is no sale{where}"
        undecided: list[Meaning | None] = [Meaning.PENDING, None]
        if kept := status.shown(undecided):
            yield f"kept, although `{name}` does not say that it was paid: {kept}"


def status_columns_named(schema: Schema, settings: Settings) -> tuple[Column, ...]:
    """Return the columns that are named like an order's or a payment's status, or the one of the settings."""
    if name := settings.status.column:
        return (column,) if (column := find_column(schema, name)) else ()
    return tuple(column for column in schema if name_kind(column.name) not in {None, "other"})
