"""SQL expressions that differ between engines: the base class of the dialects.

An expression has the same value on every engine, for every input; tests compare the engines' values.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import ClassVar

from rfm_pipeline.common.number_format import (
    AMBIGUOUS_POINT,
    NEGATIVE,
    POSITIVE,
    NumberSeparators,
    currency_regex,
    number_regex,
)
from rfm_pipeline.common.schema import Column, Kind
from rfm_pipeline.config.window import Window
from rfm_pipeline.sql.dialects.dates import date_branches
from rfm_pipeline.sql.dialects.ids import Branch, customer_branches, placeholder_regex

QUICK_DATES = (date(1900, 1, 2), date(2999, 12, 31))
"""First and last date that a quick expression reads. STRPTIME of DuckDB reads `infinity` as 1900-01-01."""

_EXPONENT = r"^\s*[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)[eE][+-]?[0-9]+\s*$"


def exponent_regex(decimal: str) -> str:
    """Return the regular expression of numbers with an exponent."""
    return _EXPONENT.replace(r"\.", f"[{decimal}]")


def case_expression(branches: Sequence[Branch], otherwise: str | None = None) -> str:
    """Return a CASE expression, one line per branch of condition and value; None for no ELSE."""
    lines = [f"    WHEN {condition} THEN {value}" for condition, value in branches]
    lines += [] if otherwise is None else [f"    ELSE {otherwise}"]
    return "\n".join(["CASE", *lines, "  END"])


class Dialect(ABC):
    """The SQL dialect of an engine. Methods take and return SQL text, unless stated otherwise."""

    name: ClassVar[str]
    """Name of the dialect in sqlglot and `--dialect`."""
    types: ClassVar[Mapping[str, str]]
    """The engine's types for text, integer, money and date."""
    utc: ClassVar[str]
    """Suffix of a timestamp literal in UTC."""

    def literal(self, value: str | int | Decimal | date) -> str:
        """Return a Python value as a literal; a datetime must be in UTC."""
        if isinstance(value, datetime):
            return f"TIMESTAMP '{value:%Y-%m-%d %H:%M:%S.%f}{self.utc}'"
        if isinstance(value, date):
            return f"DATE '{value.isoformat()}'"
        if isinstance(value, str):
            return self.quoted_text(value)
        return f"{value:f}" if isinstance(value, Decimal) else str(value)

    def money(self, value: Decimal) -> str:
        """Return an amount of money as a literal of the type for money."""
        return self.cast(self.literal(value), "money")

    def column(self, column: Column) -> str:
        """Return a column of the source, each part of its name quoted; text types are cast to plain text."""
        name = ".".join(self.quoted_name(part) for part in column.path)
        # Types such as UUID and ENUM are of the kind text, but compare and concatenate in other ways.
        is_other = column.kind is Kind.TEXT and column.declared.upper() not in {"VARCHAR", "STRING"}
        return self.cast(name, "text") if is_other else name

    def numeric_column(self, column: Column) -> str:
        """Return a column of quantities, prices or amounts, each number equal to its printed value."""
        return self.column(column)

    def table(self, name: str) -> str:
        """Return a table's dotted name, each part quoted."""
        return ".".join(self.quoted_name(part) for part in name.split("."))

    def cast(self, expression: str, kind: str) -> str:
        """Return an expression cast to a kind of `types`: `text`, `integer`, `money` or `date`."""
        return f"CAST({expression} AS {self.types[kind]})"

    def text(self, expression: str, kind: Kind) -> str:
        """Return a value of a kind, cast to text unless it is text."""
        return expression if kind is Kind.TEXT else self.cast(expression, "text")

    def partition_key(self, expression: str, kind: Kind) -> str:  # noqa: ARG002 - BigQuery needs the kind
        """Return a value as a key that windows can be partitioned by; equal values have equal keys."""
        return expression

    def plain_text(self, expression: str, kind: Kind) -> str:
        """Return a value as text as a person writes it: a number without trailing zeros."""
        return self.text(expression, kind)

    def half_up_mean(self, first: str, second: str) -> str:
        """Return the mean of two scores, rounded half up."""
        return self.cast(f"CEIL(({first} + {second}) / 2.0)", "integer")

    def is_blank(self, expression: str, kind: Kind) -> str:
        """Return the condition that a value is NULL or, for text, only whitespace."""
        if kind is not Kind.TEXT:
            return f"({expression} IS NULL)"
        return f"({expression} IS NULL OR {self.is_whitespace(expression)})"

    def customer_key(
        self, expression: str, kind: Kind, placeholders: Sequence[str] = (), reversed_text: str | None = None
    ) -> str:
        """Return a customer id as the grouping key of lines; NULL if it is missing.

        Args:
            expression: The id.
            kind: Its kind.
            placeholders: Ids that are no customer: text in any case, and numbers.
            reversed_text: Column with the value of `reversed_text` for the id, if there is one.
        """
        if kind is Kind.TEXT:
            branches = customer_branches(self, expression, placeholders, reversed_text)
            return case_expression(branches, self.trimmed_quickly(expression))
        numbers = [number for number in placeholders if number.removeprefix("-").isdigit()]
        conditions = [self.is_finite(expression)] if kind is Kind.FLOAT else []
        conditions += [f"{expression} NOT IN ({', '.join(numbers)})"] if numbers else []
        return f"CASE WHEN {' AND '.join(conditions)} THEN {expression} END" if conditions else expression

    def order_key(self, expression: str, kind: Kind) -> str:
        """Return an order id as the grouping key of lines; NULL if it is missing.

        Text has no blanks around it. (Other whitespace is removed only where it is at the start.)
        """
        if kind is Kind.TEXT:
            # Nearly all ids match this cheap condition; if a whole batch does, DuckDB copies nothing.
            plain = f"{expression} BETWEEN '!' AND '~' AND NOT {self.ends_with(expression, ' ')}"
            return case_expression([(plain, expression)], f"NULLIF({self.trimmed(expression)}, '')")
        if kind is Kind.FLOAT:
            return f"CASE WHEN {self.is_finite(expression)} THEN {expression} END"
        return expression

    def number(self, expression: str, kind: Kind, size: tuple[int, int], separators: NumberSeparators) -> str:
        """Return a number in `size`, rounded half away from zero; NULL if it is unreadable or does not fit.

        Args:
            expression: The value.
            kind: Its kind.
            size: Precision and scale of the result.
            separators: How numbers that are text are written.
        """
        if kind is Kind.FLOAT:
            return self.float_number(expression, size)
        if kind is not Kind.TEXT:
            return self.exact_number(expression, size)
        plain = self.text_number(expression, size, separators.decimal)
        # Regular expressions run only for the few numbers that an engine can't cast.
        number = f"COALESCE({plain}, {self._decorated_number(expression, size, separators)})"
        if separators.thousands:
            return number
        may_be_thousands = f"{expression} LIKE '%.%' AND {self.matches(expression, AMBIGUOUS_POINT)}"
        return f"CASE WHEN {may_be_thousands} THEN NULL ELSE {number} END"

    def _decorated_number(self, text: str, size: tuple[int, int], separators: NumberSeparators) -> str:
        """Return text with separators, signs or a currency as a number; NULL if it is none."""
        minus = case_expression(
            [(self.matches(text, NEGATIVE), "'-'"), (self.matches(text, POSITIVE), "''")],
        )
        number = text
        if any(set(".,") & set(currency) for currency in separators.currencies):
            number = self.without(number, currency_regex(separators))
        number = self.without(number, f"[^0-9{separators.decimal}]")
        if separators.decimal == ",":
            number = f"REPLACE({number}, ',', '.')"
        # The operator, unlike CONCAT in DuckDB, is NULL if the sign is.
        signed = self.exact_number(f"{minus} || {number}", size)
        return f"CASE WHEN {self.matches(text, number_regex(separators))} THEN {signed} END"

    def date_text(self, expression: str, kind: Kind) -> str:
        """Return a date that is text or a number as text, without whitespace around it."""
        if kind is Kind.FLOAT:
            # As text, large floats have an exponent. A fraction is a part of a second or of a day.
            return self.cast(self.exact_number(f"FLOOR({expression})", (38, 0)), "text")
        return self.trim(self.text(expression, kind))

    def quick_date(self, text: str, formats: Sequence[str]) -> str | None:
        """Return the date of text in a usual form, at a lower cost than `local_date`, or None.

        A value within `QUICK_DATES` is the date that `local_date` reads; NULL and others say nothing.

        Args:
            text: The text; it may have whitespace around it.
            formats: Formats of the dates, tried in order.

        Returns:
            The expression; None if the engine has no quicker one for these formats.
        """
        del text, formats
        return None

    def local_date(self, expression: str, kind: Kind, timezone: str, formats: Sequence[str]) -> str:
        """Return the date of a date or time in a time zone; NULL if it is unreadable.

        Args:
            expression: The value; text must not have whitespace around it.
            kind: Its kind.
            timezone: IANA name of the zone, for instants; times without an offset are local times.
            formats: Formats of dates that are text, tried in order: `iso` or others (`check_format`).
        """
        if kind is Kind.DATE:
            return self.finite_moment(expression)
        if kind is Kind.TIMESTAMP:
            return self.cast(self.finite_moment(expression), "date")
        if kind is Kind.TIMESTAMPTZ:
            return self.date_in_zone(self.finite_moment(expression), timezone)
        branches: list[Branch] = []
        for date_format in formats:
            branches += date_branches(self, expression, date_format, timezone)
        return case_expression(branches)

    def regexp_replace(self, expression: str, pattern: str, replacement: str) -> str:
        """Return text with the match of a regular expression replaced."""
        return f"REGEXP_REPLACE({expression}, {self.literal(pattern)}, {self.literal(replacement)})"

    # sqlglot quotes names and text in the same way, but takes half a second to import; it is only imported
    # to validate SQL that users wrote.
    @abstractmethod
    def quoted_name(self, name: str) -> str:
        """Return a name as a quoted identifier; it may contain any character."""

    @abstractmethod
    def quoted_text(self, text: str) -> str:
        """Return a text as a string literal; it may contain any character."""

    @abstractmethod
    def trim(self, expression: str) -> str:
        """Return text without spaces, tabs, line breaks and no-break spaces around it."""

    @abstractmethod
    def trimmed(self, expression: str) -> str:
        """Return text without Unicode whitespace around it."""

    def trimmed_quickly(self, text: str) -> str:
        """Return the value of `trimmed`, at a lower cost for text without whitespace around it."""
        return self.trimmed(text)

    def is_placeholder(self, text: str, placeholders: Sequence[str]) -> str:
        """Return the condition that text is blank or a placeholder, in any case."""
        return self.matches(text, placeholder_regex(placeholders))

    def reversed_text(self, expression: str) -> str | None:
        """Return text of ASCII in reverse, NULL for other text; None if no id is quicker to read by it."""
        del expression
        return None

    def quick_customer_branches(self, text: str, reversed_text: str, words: Sequence[str]) -> list[Branch]:
        """Return branches that read most customer ids at a lower cost, with the same values as the others."""
        del text, reversed_text, words
        return []

    @abstractmethod
    def contains(self, expression: str, part: str) -> str:
        """Return the condition that text contains the Python string `part`."""

    @abstractmethod
    def lower(self, expression: str) -> str:
        """Return text in lower case, letter by letter."""

    @abstractmethod
    def is_whitespace(self, expression: str) -> str:
        """Return the condition that text is empty or only Unicode whitespace."""

    @abstractmethod
    def ends_with(self, expression: str, end: str) -> str:
        """Return the condition that text ends with the Python string `end`."""

    @abstractmethod
    def id_text(self, expression: str, kind: Kind) -> str:
        """Return an id, in the form of its grouping key, as text; a whole float has no `.0`."""

    @abstractmethod
    def sha256(self, text: str) -> str:
        """Return the SHA-256 hash of text, in lower-case hexadecimal digits."""

    @abstractmethod
    def hash_group(self, text: str) -> str:
        """Return the first two hexadecimal digits of the MD5 hash of text: one of 256 groups."""

    @abstractmethod
    def is_finite(self, expression: str) -> str:
        """Return the condition that a float is neither infinite nor NaN."""

    @abstractmethod
    def matches(self, expression: str, pattern: str) -> str:
        """Return the condition that some part of a text matches a regular expression."""

    @abstractmethod
    def without(self, expression: str, pattern: str) -> str:
        """Return text without all matches of a regular expression."""

    @abstractmethod
    def exact_number(self, expression: str, size: tuple[int, int]) -> str:
        """Return a decimal, integer or text without exponent in (precision, scale); NULL if too large."""

    @abstractmethod
    def text_number(self, expression: str, size: tuple[int, int], decimal: str) -> str:
        """Return text in (precision, scale); NULL if it is not a plain number, or does not fit.

        A plain number has no separators but the decimal one, `decimal`; it may have an exponent.
        """

    def float_number(self, expression: str, size: tuple[int, int]) -> str:
        """Return a float in (precision, scale), rounded from its shortest decimal form.

        2.675 rounds to 2.68, although the nearest binary fraction is less than 2.675. The shortest decimal is
        written and read only where the product with 10^scale, which is cheap, may round to another number.
        """
        # A float differs from its shortest decimal by a share of at most 2^-53, and the computed product by a
        # share of at most 2^-53 more: together by less than 2.3e-16 of the product. So if the product is
        # closer to a whole number than 0.4 less 4e-16 of itself, the decimal rounds to that number too, also
        # if an engine rounds it to nine decimals first.
        precision, scale = size
        limit = float(Decimal(10) ** (precision - scale) - Decimal(5).scaleb(-scale - 1))
        product = f"{expression} * 1e{scale}"
        is_certain = f"ABS({product} - ROUND({product})) + ABS({product}) * 4e-16 < 0.4"
        return case_expression(
            [
                (f"NOT ABS({expression}) < {limit!r}", "NULL"),
                (is_certain, self.rounded_float(expression, size)),
            ],
            self.exact_number(self.shortest_decimal(expression), size),
        )

    @abstractmethod
    def rounded_float(self, expression: str, size: tuple[int, int]) -> str:
        """Return a float in (precision, scale) that is certain to round to one decimal."""

    @abstractmethod
    def shortest_decimal(self, expression: str) -> str:
        """Return the shortest text that is read as a float again; of several, the closest one."""

    @abstractmethod
    def iso_date(self, expression: str) -> str:
        """Return the date of ISO text, its first ten characters; NULL if there is no such day."""

    @abstractmethod
    def try_date(self, expression: str) -> str:
        """Return the date of text such as 2024-1-31; NULL if there is no such day."""

    @abstractmethod
    def regexp_extract(self, expression: str, pattern: str) -> str:
        """Return the match of the only group of a pattern that matches the text."""

    @abstractmethod
    def instant_of_seconds(self, expression: str) -> str:
        """Return the instant of text: whole seconds since 1970."""

    @abstractmethod
    def date_of_serial(self, expression: str) -> str:
        """Return the date of text: whole days since 1899-12-30."""

    @abstractmethod
    def add_hours(self, instant: str, hours: str) -> str:
        """Return an instant some hours later."""

    @abstractmethod
    def instant(self, expression: str) -> str:
        """Return the instant of ISO text with an offset; NULL if there is no such day."""

    @abstractmethod
    def parsed_date(self, expression: str, date_format: str) -> str:
        """Return the date of text that matches a strptime format; NULL if there is no such day."""

    @abstractmethod
    def date_in_zone(self, expression: str, timezone: str) -> str:
        """Return the date of an instant in a time zone."""

    def finite_moment(self, expression: str) -> str:
        """Return a date or time; NULL if it is infinite, which only some engines have."""
        return expression

    @abstractmethod
    def days_between(self, earlier: str, later: str) -> str:
        """Return the days from one date to another."""

    @abstractmethod
    def window_start(self, end: str, window: Window) -> str:
        """Return the last date before a time window that ends on the date `end`."""

    @abstractmethod
    def product(self, quantity: str, price: str) -> str:
        """Return a quantity times a price, exact in nine decimals."""

    @abstractmethod
    def converted(self, amount: str, rates: Sequence[tuple[str, Decimal]]) -> str:
        """Return money multiplied by the rate of the first condition that holds, or else by 1.

        The product is rounded to nine decimals, half away from zero.
        """

    def in_unit(self, amount: str, unit: Decimal) -> str:
        """Return money multiplied by a power of ten, rounded to nine decimals, half away from zero."""
        return self.cast(f"{amount} * {self.literal(unit)}", "money")

    def less_share(self, amount: str, share: str) -> str:
        """Return money less a share of it, rounded to nine decimals, half away from zero."""
        return self.cast(f"{amount} * (1 - {share})", "money")

    @abstractmethod
    def average(self, total: str, count: str) -> str:
        """Return money divided by a positive count, rounded to nine decimals, half away from zero."""

    @abstractmethod
    def floor_divide(self, dividend: str, divisor: str) -> str:
        """Return the whole quotient of two integers, neither negative; compound terms are in parentheses."""

    @abstractmethod
    def coarse(self, expression: str) -> str:
        """Return money rounded to a coarse number: few distinct values, in the same order."""
