"""How numbers that are text are written: the decimal separator of each column, and its currency."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from itertools import islice

from msgspec import Struct, field
from msgspec.structs import replace

from rfm_pipeline.common.duckdb_quoting import identifier
from rfm_pipeline.common.formatting import format_amount, format_count
from rfm_pipeline.common.number_format import (
    COMMA,
    ONLY_COMMA,
    ONLY_POINT,
    POINT,
    NumberSeparators,
    parse_number,
)
from rfm_pipeline.common.schema import Column, Kind
from rfm_pipeline.config.column_mapping import ColumnMapping, flag
from rfm_pipeline.config.questions import question
from rfm_pipeline.config.settings import Settings
from rfm_pipeline.errors import ColumnError
from rfm_pipeline.source.profile.number_forms import (
    Currency,
    TextColumn,
    candidates,
    chosen_code,
    number_parts,
    shape,
    spellings,
    value_of,
)
from rfm_pipeline.source.profile.number_words import without_words, words_beside, words_of_pieces
from rfm_pipeline.source.profile.sample import SAMPLE_ROWS, Sample
from rfm_pipeline.source.profile.unit import amount_unit

# Words that multiply a number, as in 1.5k; without them it would be read a thousand times too small.
_SCALES = frozenset(
    {
        "%",
        "b",
        "bn",
        "cr",
        "crore",
        "k",
        "lakh",
        "m",
        "mil",
        "mill",
        "mio",
        "mld",
        "mln",
        "mn",
        "mrd",
        "t",
        "tsd",
        "tys",
    }
)
_MOST_EXAMPLES = 3
_ROLES_OF_PIECES = ("quantity",)

NUMBER_ROLES = (
    "quantity",
    "unit_price",
    "amount",
    "discount",
    "refund",
    "total",
    "adjusted_total",
    "frequency",
    "monetary",
)
"""Roles whose columns have numbers."""


class Numbers(Struct, frozen=True):
    """How the numbers of a source are read.

    Attributes:
        separators: How the numbers of each role with a column of text are written.
        unit: What amounts are multiplied by: 0.01 if they are in cents.
        unreadable: Up to three values in the first rows that are no numbers.
        notes: What was decided, one phrase each.
    """

    separators: Mapping[str, NumberSeparators] = field(default_factory=dict)
    unit: Decimal = Decimal(1)
    unreadable: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def read_numbers(mapping: ColumnMapping, sample: Sample, settings: Settings) -> Numbers:
    """Decide how the numbers of a source are written.

    Args:
        mapping: Column of each role.
        sample: The first rows of the source.
        settings: The merged settings: `decimal`, `thousands` and `unit` are obeyed.

    Raises:
        ColumnError: If the numbers of a column can be read in two ways, if they are in several currencies, or
            if most of them contradict the settings.
    """
    roles = {role: column for role, column in mapping.roles().items() if role in NUMBER_ROLES}
    pieces = {
        role: words_of_pieces(sample.filled(column))
        for role, column in roles.items()
        if role in _ROLES_OF_PIECES and column.kind is Kind.TEXT
    }
    if mapping.discount and any("%" in value for value in sample.filled(mapping.discount)):
        pieces["discount"] = ("%",)
    texts = tuple(
        TextColumn.of(role, column, without_words(sample.filled(column), pieces.get(role, ())))
        for role, column in roles.items()
        if column.kind is Kind.TEXT
    )
    source = _Source(roles, texts, sample)
    separators = _separators(source, settings)
    if currencies := _currencies(source, separators, settings):
        separators = {role: replace(chosen, currencies=currencies) for role, chosen in separators.items()}
    separators |= {
        role: replace(separators[role], currencies=words) for role, words in pieces.items() if words
    }
    _check_words(source, separators)
    unit, unit_notes = amount_unit(mapping, sample, separators, settings)
    pieces_notes = [
        f"numbers in `{roles[role].name}` read without {' and '.join(words)}"
        for role, words in pieces.items()
        if words
    ]
    notes = (*_notes(source, separators, settings), *pieces_notes, *unit_notes)
    return Numbers(separators, unit, tuple(islice(_unreadable(source, separators), _MOST_EXAMPLES)), notes)


class _Source(Struct, frozen=True):
    """The columns with numbers, and the sample.

    Attributes:
        roles: Column of each role that is a number.
        texts: Those that are text.
        sample: The first rows.
    """

    roles: Mapping[str, Column]
    texts: tuple[TextColumn, ...]
    sample: Sample

    def total(self, text: TextColumn, separators: NumberSeparators) -> str:
        """Return what the lines of the sample amount to if a column, and those beside it, are read so."""
        factors = [role for role in ("quantity", "unit_price") if role in self.roles]
        columns = [self.roles[role] for role in (factors if text.role in factors else [text.role])]
        reading = replace(separators, currencies=tuple(word for known in text.currencies for word in known))
        total = Decimal(0)
        for values in zip(*map(self.sample.of, columns), strict=True):
            product = Decimal(1)
            for value, column in zip(values, columns, strict=True):
                product *= value_of(value, column, reading) or 0
            total += product
        return format_amount(total) + self.scope

    @property
    def scope(self) -> str:
        """Words that say of which lines a figure is; empty for all lines."""
        return "" if self.sample.is_whole else f" in the first {SAMPLE_ROWS:,} lines"


# The decimal separator


def _separators(source: _Source, settings: Settings) -> dict[str, NumberSeparators]:
    """Return how the numbers of each role are written, without currencies."""
    if configured := configured_separators(settings):
        return _as_configured(source, configured, settings)
    decided: dict[str, NumberSeparators] = {}
    for text in source.texts:
        points, commas = text.count("point"), text.count("comma")
        if points and commas:
            raise _two_conventions(source, text, points, commas)
        if points or commas:
            decided[text.role] = POINT if points else COMMA
    # The columns of one export follow one convention.
    shared = set(decided.values())
    for text in source.texts:
        if text.role in decided:
            continue
        if len(shared) == 1:
            decided[text.role] = next(iter(shared))
        elif text.count("two_readings"):
            decided[text.role] = _counted(source, text)
        else:
            decided[text.role] = NumberSeparators()
    return decided


def configured_separators(settings: Settings) -> NumberSeparators | None:
    """Return how the settings say that numbers are written; None if they say nothing."""
    if settings.decimal == "." or (settings.decimal is None and settings.thousands == ","):
        return POINT
    return COMMA if settings.decimal or settings.thousands else None


def _counted(source: _Source, text: TextColumn) -> NumberSeparators:
    """Decide about a column whose numbers in the sample can all be read in two ways: count in all rows."""
    if not source.sample.is_whole and source.sample.count:
        counts = source.sample.count(text.column, {"point": ONLY_POINT, "comma": ONLY_COMMA})
        points, commas = counts["point"], counts["comma"]
        if points and commas:
            raise _two_conventions(source, text, points, commas)
        if points or commas:
            return POINT if points else COMMA
    raise _two_readings(source, text)


def _as_configured(
    source: _Source, configured: NumberSeparators, settings: Settings
) -> dict[str, NumberSeparators]:
    mine, other = ("point", "comma") if configured == POINT else ("comma", "point")
    contradicting = [text for text in source.texts if text.count(other) > text.count(mine)]
    fitting = [text for text in source.texts if text not in contradicting]
    if contradicting and not any(text.count(mine, "two_readings") for text in fitting):
        raise _contradicted(contradicting[0], mine, other, settings)
    # The settings are meant for another column; one whose numbers are evident is read as it is written.
    opposite = COMMA if configured == POINT else POINT
    return {text.role: opposite if text in contradicting else configured for text in source.texts}


def _contradicted(text: TextColumn, mine: str, other: str, settings: Settings) -> ColumnError:
    option, value = (
        ("--decimal", settings.decimal) if settings.decimal else ("--thousands", settings.thousands)
    )
    return question(
        "other_decimal_mark",
        column=text.column.name,
        other=other,
        value=text.examples[other],
        flag=option,
        given=value,
        mark=mine,
        setting=option[2:],
    )


def _two_conventions(source: _Source, text: TextColumn, points: int, commas: int) -> ColumnError:
    shown = [
        f"'{text.examples[form]}' has a decimal {form}"
        for form in ("comma", "point")
        if form in text.examples
    ]
    answers = [
        f"--decimal '{mark}' reads those with a {name}, in total {source.total(text, separators)}, and"
        f" excludes {format_count(others, 'value')} as invalid_amount"
        for mark, name, count, others, separators in (
            (",", "comma", commas, points, COMMA),
            (".", "point", points, commas, POINT),
        )
        # A reading that most numbers contradict is refused.
        if count >= others
    ]
    return question(
        "two_decimal_marks",
        column=text.column.name,
        examples=f"{': ' if shown else ''}{', '.join(shown)}",
        answers="; ".join(answers),
    )


def _two_readings(source: _Source, text: TextColumn) -> ColumnError:
    example = text.examples["two_readings"]
    words = tuple(word for known in text.currencies for word in known)
    as_point, as_comma = (parse_number(example, replace(way, currencies=words)) for way in (POINT, COMMA))
    return question(
        "ambiguous_numbers",
        column=text.column.name,
        value=example,
        with_point=as_point,
        with_comma=as_comma,
        point_flag="--thousands ','" if "," in example else "--decimal '.'",
        point_total=source.total(text, POINT),
        comma_total=source.total(text, COMMA),
    )


# Currencies


def _currencies(
    source: _Source, separators: Mapping[str, NumberSeparators], settings: Settings
) -> tuple[str, ...]:
    """Return the signs, codes and words that may be beside a number; all mean one currency.

    Raises:
        ColumnError: If there are several currencies, and no exclusion leaves the lines of the others out.
    """
    families = _families(source.texts)
    if code := settings.currency.code:
        return tuple(sorted(text for text, meanings in spellings().items() if code in meanings))
    if not families:
        return ()
    written = {word.casefold() for family in families for known in family for word in known}
    if len(families) > 1:
        if not _excluded(families[1:], settings):
            raise _several_currencies(source, separators, families)
        return tuple(sorted(written))
    common = _meanings_of(families[0])
    return tuple(sorted(written | {text for text, meanings in spellings().items() if common <= meanings}))


def _families(texts: Iterable[TextColumn]) -> list[list[Currency]]:
    """Return what is written beside numbers, by currency: the most frequent currency first."""
    counts: dict[Currency, int] = {}
    for text in texts:
        for currency, count in text.currencies.items():
            counts[currency] = counts.get(currency, 0) + count
    families: list[tuple[frozenset[str], list[Currency]]] = []
    for currency in sorted(counts, key=lambda known: -counts[known]):
        for index, (meanings, family) in enumerate(families):
            if common := meanings & _meanings(currency):
                families[index] = (common, [*family, currency])
                break
        else:
            families.append((_meanings(currency), [currency]))
    return [family for _, family in families]


def _meanings(currency: Currency) -> frozenset[str]:
    return frozenset.intersection(*map(candidates, currency))


def _meanings_of(family: Iterable[Currency]) -> frozenset[str]:
    return frozenset.intersection(*map(_meanings, family))


def _pattern(currency: Currency) -> str:
    """Return the LIKE pattern, in quotes, of the lines with a currency."""
    return f"'%{currency[-1]}%'"


def _excluded(families: Iterable[Iterable[Currency]], settings: Settings) -> bool:
    conditions = [text for text in settings.exclude.values() if isinstance(text, str)]
    patterns = [_pattern(currency) for family in families for currency in family]
    return all(any(pattern in condition for condition in conditions) for pattern in patterns)


def _several_currencies(
    source: _Source, separators: Mapping[str, NumberSeparators], families: list[list[Currency]]
) -> ColumnError:
    text = max(source.texts, key=lambda each: len(each.currencies))
    values = [(value, number_parts(value)) for value in source.sample.filled(text.column)]
    totals = []
    for family in families:
        words = tuple(word for currency in family for word in currency)
        reading = replace(separators[text.role], currencies=words)
        amounts = [parse_number(value, reading) for value, parts in values if parts and parts[1] in family]
        total = format_amount(sum((amount or Decimal(0) for amount in amounts), Decimal(0)))
        totals.append(f"{' '.join(family[0])} {total} in {format_count(len(amounts), 'line')}")
    return question(
        "several_currency_signs",
        column=text.column.name,
        totals=", ".join(totals),
        scope=source.scope,
        code=chosen_code(" ".join(families[0][0])),
    )


# Examples and notes


def _check_words(source: _Source, separators: Mapping[str, NumberSeparators]) -> None:
    """Raise ColumnError if each number of a column has a word beside it that is no currency: `2 kg`."""
    for text in source.texts:
        words = {words_beside(value) for value in text.shapes.values()}
        values = [f"'{value}'" for value in dict.fromkeys(source.sample.filled(text.column))]
        way = separators[text.role]
        is_read = any(parse_number(value, way) is not None for value in text.shapes.values())
        if is_read or len(values) < 2 or any(word is None or candidates(word) for word in words):
            continue
        column, named = identifier(text.column.name), sorted(filter(None, words))
        facts = {
            "column": text.column.name,
            "role": text.role,
            "words": " and ".join(f"'{word}'" for word in named[:_MOST_EXAMPLES]),
            "values": ", ".join(values[:_MOST_EXAMPLES]),
            "flag": flag(text.role),
        }
        if any(word.strip(".").casefold() in _SCALES for word in named):
            raise question("scaled_numbers", **facts)
        query = f"SELECT * REPLACE (regexp_extract({column}, '[0-9.,]+') AS {column}) FROM 'FILE'"
        raise question("words_beside_numbers", **facts, query=query)


def _unreadable(source: _Source, separators: Mapping[str, NumberSeparators]) -> Iterable[str]:
    for text in source.texts:
        way = separators[text.role]
        unreadable = {known for known, value in text.shapes.items() if parse_number(value, way) is None}
        if unreadable:
            values = dict.fromkeys(source.sample.filled(text.column))
            yield from (value for value in values if shape(value) in unreadable)


def _notes(source: _Source, separators: Mapping[str, NumberSeparators], settings: Settings) -> Iterable[str]:
    is_detected = configured_separators(settings) is None
    for text in source.texts:
        name, chosen = text.column.name, separators[text.role]
        if is_detected and chosen.decimal == "," and text.count("comma", "two_readings"):
            yield f"numbers in `{name}` read with a decimal comma"
        elif is_detected and chosen.thousands == "," and "," in text.examples:
            yield f"commas in `{name}` read as thousands separators"
        if text.currencies:
            signs = dict.fromkeys(word for currency in text.currencies for word in currency)
            yield f"numbers in `{name}` read without {' and '.join(signs)}"
        if "(" in text.examples:
            yield f"numbers in brackets in `{name}` read as negative"
