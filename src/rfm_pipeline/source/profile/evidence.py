"""The evidence for a column's role: its name, by the vocabulary, and its values in the sample."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from decimal import Decimal

from msgspec import Struct

from rfm_pipeline.common.schema import Column, Schema
from rfm_pipeline.config.column_names import Meaning, meaning_of
from rfm_pipeline.source.profile.customers import known_placeholders
from rfm_pipeline.source.profile.sample import SAMPLE_ROWS, Sample
from rfm_pipeline.source.profile.shapes import loose_numbers

Keys = Sequence[str | None]
"""Values of a column that identify something, in the order of the rows; None where there is none."""

_NUMBERS_OF_NOBODY = ("0", "-1")


class Candidate(Struct, frozen=True):
    """A column whose name is known for a role.

    Attributes:
        column: The column.
        kind: Kind of the name, such as `email` (`Meaning.kind`).
        rank: 0 for the most specific names of the role.
    """

    column: Column
    kind: str
    rank: int

    @property
    def name(self) -> str:
        """Name of the column."""
        return self.column.name


class Evidence:
    """The columns of a source by what their names mean, and the values in its sample.

    Args:
        schema: The columns of the source.
        sample: Its first rows.
        taken: Paths of columns that have a role already.
        nets_returns: Whether negative amounts are subtracted; if not, they are left out.
    """

    def __init__(
        self, schema: Schema, sample: Sample, taken: set[tuple[str, ...]], *, nets_returns: bool = False
    ) -> None:
        self.schema = schema
        self.sample = sample
        self.nets_returns = nets_returns
        self._by_role: dict[str, list[Candidate]] = {}
        self._keys: dict[str, Keys] = {}
        self._numbers: dict[str, list[Decimal | None]] = {}
        for column in schema:
            meaning: Meaning | None = meaning_of(column.name) if len(column.path) == 1 else None
            if meaning and column.path not in taken:
                candidate = Candidate(column, meaning.kind, meaning.rank)
                self._by_role.setdefault(meaning.role, []).append(candidate)

    @property
    def has_values(self) -> bool:
        """Whether there are rows to look at."""
        return self.sample.rows > 0

    @property
    def scope(self) -> str:
        """The words that say of which lines a figure is; empty for all lines."""
        return "" if self.sample.is_whole else f" in the first {SAMPLE_ROWS:,} lines"

    def candidates(self, role: str) -> list[Candidate]:
        """Return the columns whose names are known for a role, in the order of the source."""
        return list(self._by_role.get(role, ()))

    def filled_candidates(self, role: str) -> list[Candidate]:
        """Return the candidates without columns that are blank on all lines; all if all are."""
        known = self.candidates(role)
        return [each for each in known if any(self.sample.of(each.column))] or known

    def values(self, column: Column) -> Keys:
        """Return the values of a column; all None if its type is one that the sample leaves out."""
        return self.sample.of(column) or (None,) * self.sample.rows

    def keys(self, column: Column) -> Keys:
        """Return the values of a column that identify something; None for blanks and placeholders."""
        if column.name not in self._keys:
            values = self.values(column)
            counts = Counter(value for value in values if value is not None)
            known = {*known_placeholders(), *_NUMBERS_OF_NOBODY}
            placeholders = {value for value in counts if value.casefold() in known}
            # Ids may run from 0: then 0 occurs about as often as others.
            usual = max((counts[value] for value in counts if value not in placeholders), default=0)
            placeholders -= {value for value in _NUMBERS_OF_NOBODY if counts[value] <= 2 * usual}
            self._keys[column.name] = [None if value in placeholders else value for value in values]
        return self._keys[column.name]

    def key_share(self, column: Column) -> float:
        """Return the share of lines on which a column identifies something; 0 without lines."""
        keys = self.keys(column)
        return sum(key is not None for key in keys) / len(keys) if keys else 0.0

    def filled_share(self, column: Column) -> float:
        """Return the share of lines on which a column is not blank; 0 without lines."""
        values = self.values(column)
        return sum(value is not None for value in values) / len(values) if values else 0.0

    def numbers(self, column: Column) -> list[Decimal | None]:
        """Return the numbers of a column; None where a value is no number."""
        if column.name not in self._numbers:
            self._numbers[column.name] = loose_numbers(self.values(column))
        return self._numbers[column.name]

    def has_numbers(self, column: Column) -> bool:
        """Return whether most of a column's values are numbers."""
        count = sum(number is not None for number in self.numbers(column))
        return count > 0 and 2 * count >= len(self.sample.filled(column))
