"""The expressions in which engines differ: what all share, and what each has to say; one class an engine.

Each pair of expressions gives the same value on both, for every input; tests hold them against each other.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import ClassVar

from msgspec import Struct

from rfm_pipeline.common.date_formats import ISO, format_regex
from rfm_pipeline.common.schema import Column, Kind
from rfm_pipeline.config.window import Window

_WITH_COMMA = r"^\s*[+-]?([0-9]+|[0-9]{1,3}(\.[0-9]{3})+)(,[0-9]*)?\s*$"
# One group of thousands and no point may be a decimal comma: it takes a person to say which it is.
_THOUSANDS = r"^\s*[+-]?[0-9]{1,3},[0-9]{3}(\.[0-9]+|(,[0-9]{3})+(\.[0-9]+)?)\s*$"
_SAID_THOUSANDS = r"^\s*[+-]?[0-9]{1,3}(,[0-9]{3})+(\.[0-9]+)?\s*$"
_FLOAT_ID = (r"^([0-9]+)\.0$", r"\1")
EXPONENT = r"^\s*[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)[eE][+-]?[0-9]+\s*$"
# Years outside these are no order's, and in some zones no engine's.
_DAY = "[12][0-9]{3}-[0-9]{2}-[0-9]{2}"
_TIME = r"[T ]([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]{1,9})?)?"
_OFFSET = "[+-]((0[0-9]|1[0-3])(:?[0-5][0-9])?|14(:?00)?)"
_ISO_NAIVE = f"^{_DAY}({_TIME})?$"
_ISO_AWARE = f"^{_DAY}{_TIME}(Z| UTC| ?{_OFFSET})$"
_TO_THE_MINUTE = ("^(.{10}).(.{5})[:.0-9]*", r"\1 \2:00")
_COLON_IN_OFFSET = (" ?([+-][0-9]{2}):?([0-9]{2})$", r"\1:\2")


class NumberMarks(Struct, frozen=True):
    """The marks in text numbers: before the decimals, and between thousands; none is told by the text."""

    decimal: str = "."
    thousands: str = ""


def cases(branches: Sequence[tuple[str, str]]) -> str:
    """A CASE with one branch a line, and no ELSE."""
    lines = [f"    WHEN {condition} THEN {value}" for condition, value in branches]
    return "\n".join(["CASE", *lines, "  END"])


class Dialect(ABC):
    """How an engine says things. Every method returns SQL text."""

    name: ClassVar[str]
    """As sqlglot and `--dialect` call it."""
    types: ClassVar[Mapping[str, str]]
    """The engine's types for text, integer, money and date."""
    utc: ClassVar[str]
    """What stands behind a time, for it to be in UTC."""

    def literal(self, value: str | int | Decimal | date) -> str:
        """A value as the engine writes it; a time is in UTC."""
        if isinstance(value, datetime):
            return f"TIMESTAMP '{value:%Y-%m-%d %H:%M:%S.%f}{self.utc}'"
        if isinstance(value, date):
            return f"DATE '{value.isoformat()}'"
        if isinstance(value, str):
            return self.quoted_text(value)
        return f"{value:f}" if isinstance(value, Decimal) else str(value)

    def money(self, value: Decimal) -> str:
        """An amount of money with all of its digits."""
        return self.cast(self.literal(value), "money")

    def column(self, column: Column) -> str:
        """A column of the source, quoted part by part; text as plain text."""
        name = ".".join(self.quoted_name(part) for part in column.path)
        # What is text in kind may be of a type with rules of its own, such as UUID or ENUM.
        is_other = column.kind is Kind.TEXT and column.declared.upper() not in {"VARCHAR", "STRING"}
        return self.cast(name, "text") if is_other else name

    def measure(self, column: Column) -> str:
        """A column of quantities, prices or amounts, each number as it prints."""
        return self.column(column)

    def table(self, name: str) -> str:
        """A table by its dotted name, quoted part by part."""
        return ".".join(self.quoted_name(part) for part in name.split("."))

    def cast(self, expression: str, kind: str) -> str:
        """An expression as `text`, `integer`, `money` or `date`."""
        return f"CAST({expression} AS {self.types[kind]})"

    def text(self, expression: str, kind: Kind) -> str:
        """A value of some kind as text."""
        return expression if kind is Kind.TEXT else self.cast(expression, "text")

    def plain_text(self, expression: str, kind: Kind) -> str:
        """A value as a person writes it: a number without zeros at its end."""
        return self.text(expression, kind)

    def half_up_mean(self, first: str, second: str) -> str:
        """The mean of two scores, a half rounded up."""
        return self.cast(f"CEIL(({first} + {second}) / 2.0)", "integer")

    def is_blank(self, expression: str, kind: Kind) -> str:
        """Whether there is nothing, or nothing but blanks."""
        if kind is not Kind.TEXT:
            return f"({expression} IS NULL)"
        return f"({expression} IS NULL OR {self.only_blanks(expression)})"

    def customer_key(self, expression: str, kind: Kind) -> str:
        """A customer's id as lines are grouped by it; NULL where it is missing.

        Text that a float became, such as 17850.0, is the id that it was.
        """
        return self.unfloated(expression) if kind is Kind.TEXT else self.order_key(expression, kind)

    def order_key(self, expression: str, kind: Kind) -> str:
        """An order's id as lines are grouped by it; NULL where it is missing."""
        if kind is Kind.TEXT:
            return cases(self.text_id(expression))
        if kind is Kind.FLOAT:
            return f"CASE WHEN {self.is_finite(expression)} THEN {expression} END"
        return expression

    def number(self, expression: str, kind: Kind, size: tuple[int, int], marks: NumberMarks) -> str:
        """A number in (precision, scale), rounded half away from zero; NULL where it can't be read or held.

        Text is read with blanks around it and with an exponent; with a decimal comma, also with dots between
        thousands; with a decimal point, also with commas between thousands where they can be nothing else,
        or where the marks say so.
        """
        if kind is Kind.FLOAT:
            return self.float_number(expression, size)
        if kind is not Kind.TEXT:
            return self.exact_number(expression, size)
        if marks.decimal == ".":
            grouped = _SAID_THOUSANDS if marks.thousands else _THOUSANDS
            plain = f"REPLACE({expression}, ',', '')"
            # Nearly no number has commas: they are looked for only in what is none without.
            with_commas = (
                f"CASE WHEN {self.matches(expression, grouped)} THEN {self.exact_number(plain, size)} END"
            )
            return f"COALESCE({self.text_number(expression, size)}, {with_commas})"
        plain = f"REPLACE(REPLACE({expression}, '.', ''), ',', '.')"
        return f"CASE WHEN {self.matches(expression, _WITH_COMMA)} THEN {self.exact_number(plain, size)} END"

    def local_date(self, expression: str, kind: Kind, timezone: str, formats: Sequence[str]) -> str:
        """The date of a moment in a time zone; NULL where it can't be read. Text has no blanks around it."""
        if kind is Kind.DATE:
            return self.real_moment(expression)
        if kind is Kind.TIMESTAMP:
            return self.cast(self.real_moment(expression), "date")
        if kind is Kind.TIMESTAMPTZ:
            return self.date_in_zone(self.real_moment(expression), timezone)
        branches = []
        for text in formats:
            if text == ISO:
                instant = self.instant(self._canonical(expression))
                branches.append((self.matches(expression, _ISO_NAIVE), self.iso_date(expression)))
                branches.append((self.matches(expression, _ISO_AWARE), self.date_in_zone(instant, timezone)))
            else:
                read = self.parsed_date(expression, text)
                branches.append((self.matches(expression, format_regex(text)), read))
        return cases(branches)

    def _canonical(self, written: str) -> str:
        """ISO text with an offset as every engine reads it: to the minute, the offset with a colon.

        No zone has been off by seconds in the years that are read, so that the minute decides the date.
        """
        return self.replaced(self.replaced(written, *_TO_THE_MINUTE), *_COLON_IN_OFFSET)

    def replaced(self, expression: str, pattern: str, replacement: str) -> str:
        """Text with what matches a regular expression replaced."""
        return f"REGEXP_REPLACE({expression}, {self.literal(pattern)}, {self.literal(replacement)})"

    # Both quote as sqlglot does, which takes half a second to load and is here for what users wrote.
    @abstractmethod
    def quoted_name(self, name: str) -> str:
        """A name, whatever is in it."""

    @abstractmethod
    def quoted_text(self, text: str) -> str:
        """A text, whatever is in it."""

    @abstractmethod
    def trim(self, expression: str) -> str:
        """Text without blanks around it."""

    def text_id(self, expression: str) -> list[tuple[str, str]]:
        """The branches of a CASE that give a text id; none of them fits where it is blank."""
        # Text from '!' on begins with no blank. Nearly all ids take the first branch: an engine that sees a
        # whole batch take it copies nothing.
        plain = f"{expression} BETWEEN '!' AND '~'"
        return [(plain, expression), (f"NOT ({self.only_blanks(expression)})", expression)]

    def unfloated(self, expression: str) -> str:
        """A text id without the `.0` that a float leaves behind; NULL where blank."""
        # What begins behind the digits is no number, nor blank: the cheapest test comes first.
        is_word = f"{expression} BETWEEN ':' AND '~'"
        unfloated = self.replaced(expression, *_FLOAT_ID)
        return cases(
            [
                (is_word, expression),
                (self.ends_with(expression, ".0"), unfloated),
                *self.text_id(expression),
            ]
        )

    @abstractmethod
    def only_blanks(self, expression: str) -> str:
        """Whether text is empty or all white space, of any alphabet."""

    @abstractmethod
    def ends_with(self, expression: str, end: str) -> str:
        """Whether text ends in something."""

    @abstractmethod
    def id_text(self, expression: str, kind: Kind) -> str:
        """An id in its grouped form as text; an integer-valued float prints without `.0`."""

    @abstractmethod
    def is_finite(self, expression: str) -> str:
        """Whether a float is a number, and not an infinite one."""

    @abstractmethod
    def matches(self, expression: str, pattern: str) -> str:
        """Whether text matches a regular expression somewhere."""

    @abstractmethod
    def exact_number(self, expression: str, size: tuple[int, int]) -> str:
        """A decimal, an integer or plain text in (precision, scale); NULL where it does not fit."""

    @abstractmethod
    def text_number(self, expression: str, size: tuple[int, int]) -> str:
        """Any text in (precision, scale); NULL where it is no number or does not fit, or has commas."""

    @abstractmethod
    def float_number(self, expression: str, size: tuple[int, int]) -> str:
        """A float in (precision, scale), rounded as it prints: 2.675, not the binary fraction beside it."""

    @abstractmethod
    def iso_date(self, expression: str) -> str:
        """The date at the head of ISO text; NULL where there is no such day."""

    @abstractmethod
    def instant(self, expression: str) -> str:
        """The instant of ISO text with an offset; NULL where there is no such day."""

    @abstractmethod
    def parsed_date(self, expression: str, date_format: str) -> str:
        """The date of text that is known to match a format; NULL where there is no such day."""

    @abstractmethod
    def date_in_zone(self, expression: str, timezone: str) -> str:
        """The date of an instant in a zone."""

    def real_moment(self, expression: str) -> str:
        """A date or time; NULL for what the engine has besides those."""
        return expression

    @abstractmethod
    def days_between(self, earlier: str, later: str) -> str:
        """Whole days from one date to another."""

    @abstractmethod
    def window_start(self, end: str, window: Window) -> str:
        """The last date before a window that ends on a date."""

    @abstractmethod
    def product(self, quantity: str, price: str) -> str:
        """A quantity times a price, exact in nine decimals."""

    @abstractmethod
    def average(self, total: str, count: str) -> str:
        """Money divided by a positive count, to nine decimals, half away from zero."""

    @abstractmethod
    def coarse(self, expression: str) -> str:
        """Money as a coarser number, of which there are few, in the same order."""
