"""Currencies: the column that names them, and whether the amounts can be added up."""

from __future__ import annotations

import re
import shlex
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

from rfm_pipeline.common.formatting import format_amount, format_count
from rfm_pipeline.common.number_format import NumberSeparators
from rfm_pipeline.common.schema import NUMBERS, Column, Kind
from rfm_pipeline.config.column_mapping import NO_COLUMN, find_column, list_columns, unknown_column
from rfm_pipeline.config.questions import question
from rfm_pipeline.config.sale_rules import Currency, CurrencyRule
from rfm_pipeline.config.vocabulary import load
from rfm_pipeline.errors import ColumnError
from rfm_pipeline.source.profile.amounts import SampledLines, number
from rfm_pipeline.source.profile.number_forms import candidates, chosen_code, spellings
from rfm_pipeline.source.profile.own_exclusions import exclusions_of
from rfm_pipeline.source.profile.status_words import fold, name_words

_MONEY_WORDS = frozenset(
    {
        "amount",
        "betrag",
        "gross",
        "importe",
        "montant",
        "net",
        "price",
        "revenue",
        "sum",
        "total",
        "valor",
        "value",
    }
)
_OTHER_MONEY_WORDS = frozenset(
    {"fee", "fees", "refund", "refunded", "refunds", "shipping", "tax", "taxes", "tip"}
)
_OTHER_CURRENCIES = frozenset(
    {"account", "bank", "customer", "fee", "from", "payout", "preferred", "source", "target", "to", "user"}
)
_BESIDE_CURRENCY = re.compile(r"[0-9.,'’()+\s−–-]")  # noqa: RUF001 (signs that people write)
_MOST_SHOWN = 6


class _Found(Struct, frozen=True):
    """The currencies of a column in the lines of the sample that are sales.

    Attributes:
        column: The column.
        texts: How each currency is written, in capitals, by code; the most frequent first.
        written: Values of the column by code.
        lines: The lines of each currency, by code.
    """

    column: Column
    texts: Mapping[str, tuple[str, ...]]
    lines: Mapping[str, list[int]]
    written: Mapping[str, tuple[str, ...]]


class CurrencyReader:
    """Decides about the currencies of one source.

    Args:
        lines: The sampled lines.
        excluded: Whether each line of the sample is no sale.
    """

    def __init__(self, lines: SampledLines, excluded: Sequence[bool]) -> None:
        self._lines, self._schema, self._sample = lines, lines.schema, lines.sample
        self._mapping, self._excluded = lines.mapping, excluded
        self._settings = lines.settings.currency

    def read(self) -> tuple[CurrencyRule | None, tuple[str, ...]]:
        """Return the currencies that are expected, and notes; None if there is no column of currencies.

        Raises:
            ColumnError: If the lines have several currencies and none is chosen, or the settings name a
                column, a currency or rates that do not fit the source.
        """
        settings = self._settings
        if settings.column is not None and settings.column.casefold() == NO_COLUMN:
            return None, ("no currency column is used: all amounts are taken to be in one currency",)
        column = self._column()
        if column is None:
            return self._without_column()
        if conditions := exclusions_of(column, self._lines.settings):
            note = (
                f"`{column.name}` is read by {' and '.join(conditions)}: whether the other lines have one"
                " currency is not checked"
            )
            return None, (note,)
        found = self._found(column)
        if settings.rates:
            return self._converted(found)
        if settings.code:
            return self._chosen(found, settings.code)
        if not found.texts and self._sample.rows and not self._sample.is_whole:
            # Any currency of a later line stops the run, as these lines have none.
            return CurrencyRule(column, ()), ()
        if not found.texts:
            return None, self._not_looked_at(column)
        if len(found.texts) > 1:
            raise self.question(found)
        ((code, texts),) = found.texts.items()
        return CurrencyRule(column, (Currency(code, texts),), as_written=found.written[code]), ()

    def _without_column(self) -> tuple[CurrencyRule | None, tuple[str, ...]]:
        """Return what is known of the currencies of a source without a column for them."""
        settings = self._settings
        if settings.code and (beside := self._beside_amounts()):
            return beside
        if (settings.code or settings.rates) and self._is_converted(self._money_column()):
            return None, self._in_one_currency()
        if settings.code or settings.rates:
            raise self._no_column()
        return None, self._converted_name()

    def _in_one_currency(self) -> tuple[str, ...]:
        """Return a note on amounts in one currency by their name, which is the chosen one.

        Raises:
            ColumnError: If another currency was chosen, or rates were given.
        """
        column, code = self._money_column(), self._settings.code
        words = {word.upper() for word in name_words(column.name)}
        named = sorted(words & set(load("currencies")["codes"]))
        if code and (not named or code in named):
            return (f"all lines count, as the amounts in `{column.name}` are in {code} by their name",)
        raise question(
            "amounts_in_one_currency",
            setting=f"--currency {code}" if code else "the setting currency.rates",
            column=column.name,
            currency=" or ".join(named) or "one currency",
        )

    # The column

    def _column(self) -> Column | None:
        if self._settings.column:
            column = find_column(self._schema, self._settings.column)
            if column is None:
                raise unknown_column(self._schema, self._settings.column, "The setting currency.column")
            return column
        vocabulary = load("currency_columns")
        named, others = [], []
        roles = self._lines.role_paths
        for column in self._schema:
            words = set(name_words(column.name))
            if column.kind is not Kind.TEXT or column.path in roles:
                continue
            if fold(column.name) in vocabulary["names"]:
                named.append(column)
            elif words & set(vocabulary["words"]):
                others.append(column)
        if self._is_converted(self._money_column()):
            shared = set(name_words(self._money_column().name)) & set(vocabulary["converted"])
            return next((column for column in others if shared & set(name_words(column.name))), None)
        blocked = {*_OTHER_CURRENCIES, *vocabulary["converted"]}
        plain = [column for column in others if not blocked & set(name_words(column.name))]
        return next(iter([*named, *plain]), None) or self._by_values(roles, blocked)

    def _converted_name(self) -> tuple[str, ...]:
        """Return a note if the amounts are in one currency by their name, and lines name several."""
        column = self._money_column()
        if not self._is_converted(column):
            return ()
        names = load("currency_columns")["names"]
        others = [
            f"`{other.name}`"
            for other in self._schema
            if fold(other.name) in names and len({*map(str.upper, self._sample.filled(other))}) > 1
        ]
        note = f"amounts in `{column.name}` are taken to be in one currency, as its name says, whatever"
        return (f"{note} {others[0]} says",) if others else ()

    def _money_column(self) -> Column:
        mapping = self._mapping
        return mapping.amount or mapping.unit_price or mapping.ordered_at

    @staticmethod
    def _is_converted(column: Column) -> bool:
        return bool(set(name_words(column.name)) & set(load("currency_columns")["converted"]))

    def _by_values(self, roles: set[tuple[str, ...]], blocked: set[str]) -> Column | None:
        """Return a column that has nothing but codes of currencies, and several of them."""
        codes = set(load("currencies")["codes"])
        for column in self._schema:
            if column.kind is not Kind.TEXT or column.path in roles:
                continue
            if blocked & set(name_words(column.name)):
                continue
            values = self._sample.filled(column)
            # Nearly all columns are decided by their first value.
            if any(value.upper() not in codes for value in values):
                continue
            if 1 < len({value.upper() for value in values}) <= _MOST_SHOWN:
                return column
        return None

    def _not_looked_at(self, column: Column) -> tuple[str, ...]:
        note = (
            f"the currencies in `{column.name}` were not looked at, as the source has no sample: --currency"
            " excludes all but one"
        )
        return () if self._sample.rows else (note,)

    # The currencies

    def _found(self, column: Column) -> _Found:
        lines: dict[str, list[int]] = defaultdict(list)
        texts: dict[str, set[str]] = defaultdict(set)
        codes: dict[str, str] = {}
        for number_, value in enumerate(self._sample.of(column)):
            if value is None or self._excluded[number_]:
                continue
            if value not in codes:
                codes[value] = _code(value.upper())
                texts[codes[value]].add(value.upper())
            lines[codes[value]].append(number_)
        _merge_signs(lines, texts)
        ordered = sorted(lines, key=lambda code: (-len(lines[code]), code))
        return _Found(
            column,
            {code: tuple(sorted({*texts[code], code})) for code in ordered},
            {code: lines[code] for code in ordered},
            {code: tuple(sorted(text for text in codes if codes[text] == code)) for code in ordered},
        )

    def _beside_amounts(self) -> tuple[CurrencyRule, tuple[str, ...]] | None:
        """Return the rule for currencies that are written beside the amounts; None if none are."""
        column, code = self._money_column(), self._settings.code
        assert code is not None  # as it is chosen
        if column.kind is not Kind.TEXT:
            return None
        own = tuple(sorted(text.upper() for text, codes in spellings().items() if code in codes))
        others: dict[str, set[str]] = defaultdict(set)
        shown: dict[str, int] = defaultdict(int)
        has_own = False
        for value in self._sample.filled(column):
            text = _BESIDE_CURRENCY.sub("", value).upper()
            if text in own:
                has_own = True
            elif candidates(text):
                others[_code(text)].add(text)
                shown[_code(text)] += 1
        if not has_own and not others and self._sample.rows:
            return None
        if not has_own and self._sample.is_whole:
            raise question(
                "currency_not_found",
                code=code,
                column=column.name,
                currencies=", ".join(others),
                other=chosen_code(next(iter(others))),
            )
        excluded = [
            Currency(other, tuple(sorted(texts)), is_excluded=True) for other, texts in sorted(others.items())
        ]
        rule = CurrencyRule(
            column, (Currency(code, own), *excluded), stops_at_others=False, is_in_amount=True
        )
        listed = ", ".join(f"{other} ({format_count(count, 'line')})" for other, count in shown.items())
        left_out = f", and not {listed}{self._lines.scope}" if listed else ""
        return rule, (f"counted are amounts in {code}{left_out}",)

    def _converted(self, found: _Found) -> tuple[CurrencyRule, tuple[str, ...]]:
        rates = self._settings.rates
        if missing := [code for code in found.texts if code not in rates]:
            raise missing_rates(found.column, missing, f"{self._listed(found, missing)}{self._lines.scope}")
        currencies = tuple(
            Currency(code, found.texts.get(code, (code,)), rate) for code, rate in rates.items()
        )
        base = next((code for code, rate in rates.items() if rate == 1), "")
        shown = ", ".join(f"{code} × {rate:f}" for code, rate in rates.items() if rate != 1)
        into = f" into {base}" if base else ""
        return CurrencyRule(found.column, currencies), (
            f"amounts converted{into} by `{found.column.name}`: {shown or 'nothing'}",
        )

    def _chosen(self, found: _Found, chosen: str) -> tuple[CurrencyRule, tuple[str, ...]]:
        if found.texts and chosen not in found.texts and self._sample.is_whole:
            raise question(
                "currency_not_found",
                code=chosen,
                column=found.column.name,
                currencies=self._listed(found),
                other=chosen_code(next(iter(found.texts))),
            )
        others = [code for code in found.texts if code != chosen]
        currencies = (
            Currency(chosen, found.texts.get(chosen, (chosen,))),
            *(Currency(code, found.texts[code], is_excluded=True) for code in others),
        )
        rule = CurrencyRule(
            found.column, currencies, stops_at_others=False, as_written=found.written.get(chosen, ())
        )
        left_out = f", and not {self._listed(found, others)}{self._lines.scope}" if others else ""
        return rule, (f"counted are lines in {chosen}{left_out}",)

    def _listed(self, found: _Found, codes: Iterable[str] | None = None) -> str:
        listed = list(found.texts if codes is None else codes)
        shown = [
            f"{code} {format_amount(self._lines.total(found.lines[code]))}"
            f" ({format_count(len(found.lines[code]), 'line')})"
            for code in listed[:_MOST_SHOWN]
        ]
        more = f" and {len(listed) - _MOST_SHOWN} more" if len(listed) > _MOST_SHOWN else ""
        return ", ".join(shown) + more

    # Questions

    def question(self, found: _Found) -> ColumnError:
        """Return the question which of several currencies counts."""
        totals = f"{self._listed(found)}{self._lines.scope}"
        return several_currencies(found.column, list(found.texts), totals, self._converted_columns())

    def _converted_columns(self) -> str:
        """Return the flags of amounts that are converted to one currency; empty if there are none."""
        amount = refund = None
        for column in self._schema:
            words = set(name_words(column.name))
            if not self._is_converted(column) or not words & _MONEY_WORDS or not self._is_number(column):
                continue
            if not words & _OTHER_MONEY_WORDS:
                amount = amount or column
            elif words & {"refund", "refunded", "refunds"}:
                refund = refund or column
        if amount is None:
            return ""
        flags = f"--amount {shlex.quote(amount.name)}"
        if self._mapping.refund:
            flags += f" --refund {shlex.quote(refund.name)}" if refund else " --refund none"
        return flags

    def _is_number(self, column: Column) -> bool:
        if column.kind in NUMBERS:
            return True
        values = self._sample.filled(column)
        separators = NumberSeparators(".", ",")
        return bool(values) and all(number(value, column.kind, separators) is not None for value in values)

    def _no_column(self) -> ColumnError:
        what = f"--currency {self._settings.code}" if self._settings.code else "The setting currency.rates"
        columns = list_columns([column.name for column in self._schema])
        return question("no_currency_column", setting=what, columns=columns)


def missing_rates(column: Column, codes: Sequence[str], shown: str) -> ColumnError:
    """Return the error for currencies without a rate.

    Args:
        column: The column of currencies.
        codes: The currencies.
        shown: The currencies with their totals.
    """
    rates = ", ".join(f"{code} = RATE" for code in codes)
    return question("currency_without_rate", column=column.name, currencies=shown, rates=rates)


def several_currencies(column: Column, codes: Sequence[str], totals: str, converted: str = "") -> ColumnError:
    """Return the question which of several currencies counts.

    Args:
        column: The column of currencies.
        codes: The currencies, the most frequent first.
        totals: The total of each currency.
        converted: Flags of the amounts in one currency; empty if the source has none.
    """
    first, *others = codes
    return question(
        "several_currencies",
        column=column.name,
        number=format_count(len(codes), "currency", "currencies"),
        totals=totals,
        code=chosen_code(first),
        converted=f"{converted} reads converted amounts, " if converted else "",
        rates=", ".join([f"{first} = 1", *(f"{code} = RATE" for code in others[:_MOST_SHOWN])]),
    )


def _code(text: str) -> str:
    """Return the code of a currency as a column writes it; the text itself if it may mean several."""
    meanings = candidates(text)
    return next(iter(meanings)) if len(meanings) == 1 else text


def _merge_signs(lines: dict[str, list[int]], texts: dict[str, set[str]]) -> None:
    """Let a sign such as `$`, which may mean several currencies, be the only one of them in the column."""
    for text in [code for code in lines if len(candidates(code)) > 1]:
        same = [code for code in lines if code != text and code in candidates(text)]
        if len(same) == 1:
            lines[same[0]] += lines.pop(text)
            texts[same[0]] |= texts.pop(text)
