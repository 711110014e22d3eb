"""The expressions in which engines differ: one class an engine.

Each pair of expressions gives the same value on both, for every input; tests hold them against each other.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import ClassVar

from sqlglot import exp

from rfm_pipeline.config import Window
from rfm_pipeline.dates import ISO, format_regex
from rfm_pipeline.schema import Column, Kind

# A number as text: plain or with an exponent. Engines take more than that, and not the same.
_NUMBER = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?$"
_NUMBER_WITH_COMMA = r"^[+-]?([0-9]+|[0-9]{1,3}(\.[0-9]{3})+)(,[0-9]*)?$"
_TIME = r"[T ]([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9]([.,][0-9]{1,9})?)?"
_ISO_NAIVE = rf"^[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}({_TIME})?$"
_ISO_AWARE = rf"^[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}{_TIME} ?(Z|UTC|[+-][0-9]{{2}}(:?[0-9]{{2}})?)$"


class Dialect(ABC):
    """How an engine says things. Every method returns SQL text."""

    name: ClassVar[str]
    """As sqlglot and `--dialect` call it."""
    types: ClassVar[Mapping[str, str]]
    """The engine's types for text, integer, money and date."""
    window_is_one_worker: ClassVar[bool]
    """Whether a window without partitions runs on one worker, however many rows it has."""

    def literal(self, value: str | int | Decimal | date) -> str:
        """A value as the engine writes it."""
        if isinstance(value, date):
            return f"DATE '{value.isoformat()}'"
        if isinstance(value, str):
            return exp.Literal.string(value).sql(dialect=self.name)
        return f"{value:f}" if isinstance(value, Decimal) else str(value)

    def column(self, column: Column) -> str:
        """A column of the source, quoted part by part."""
        return ".".join(exp.to_identifier(part, quoted=True).sql(dialect=self.name) for part in column.path)

    def table(self, name: str) -> str:
        """A table by its dotted name, quoted part by part."""
        return ".".join(
            exp.to_identifier(part, quoted=True).sql(dialect=self.name) for part in name.split(".")
        )

    def cast(self, expression: str, kind: str) -> str:
        """An expression as `text`, `integer`, `money` or `date`."""
        return f"CAST({expression} AS {self.types[kind]})"

    def text(self, column: Column) -> str:
        """The column as text."""
        return self.column(column) if column.kind is Kind.TEXT else self.cast(self.column(column), "text")

    def half_up_mean(self, first: str, second: str) -> str:
        """The mean of two scores, a half rounded up."""
        return self.cast(f"CEIL(({first} + {second}) / 2.0)", "integer")

    def is_blank(self, column: Column) -> str:
        """Whether there is nothing in the column but blanks."""
        if column.kind is not Kind.TEXT:
            return f"({self.column(column)} IS NULL)"
        return f"COALESCE({self.trim(self.column(column))} = '', TRUE)"

    def id_key(self, column: Column) -> str:
        """A customer's or an order's id in the form in which lines are grouped; NULL where it is missing."""
        name = self.column(column)
        if column.kind is Kind.TEXT:
            return self.text_id(name)
        if column.kind is Kind.FLOAT:
            return f"CASE WHEN {self.is_nan(name)} THEN NULL ELSE {name} END"
        return name

    def number(self, column: Column, size: tuple[int, int], decimal: str) -> str:
        """A number in (precision, scale); NULL where it can't be read or is too large."""
        name = self.column(column)
        if column.kind is not Kind.TEXT:
            return self.sized(name, column.kind, size)
        trimmed = self.trim(name)
        if decimal == ",":
            plain = f"REPLACE(REPLACE({trimmed}, '.', ''), ',', '.')"
            return f"CASE WHEN {self.matches(trimmed, _NUMBER_WITH_COMMA)} THEN {self.sized(plain, Kind.TEXT, size)} END"
        return f"CASE WHEN {self.matches(trimmed, _NUMBER)} THEN {self.sized(trimmed, Kind.TEXT, size)} END"

    def local_date(self, column: Column, timezone: str, formats: Sequence[str]) -> str:
        """The date of a moment in a time zone; NULL where it can't be read."""
        name = self.column(column)
        if column.kind is Kind.DATE:
            return name
        if column.kind is Kind.TIMESTAMP:
            return self.cast(name, "date")
        if column.kind is Kind.TIMESTAMPTZ:
            return self.date_in_zone(name, timezone)
        written = self.trim(self.text(column))
        cases = []
        for text in formats:
            if text == ISO:
                cases.append((self.matches(written, _ISO_NAIVE), self.iso_date(written)))
                cases.append((self.matches(written, _ISO_AWARE), self.iso_instant_date(written, timezone)))
            else:
                cases.append((self.matches(written, format_regex(text)), self.parsed_date(written, text)))
        lines = [f"    WHEN {condition} THEN {value}" for condition, value in cases]
        return "\n".join(["CASE", *lines, "  END"])

    @abstractmethod
    def trim(self, expression: str) -> str:
        """Text without blanks around it."""

    @abstractmethod
    def text_id(self, expression: str) -> str:
        """A text id; NULL where blank, and without the `.0` that a float leaves behind."""

    @abstractmethod
    def id_text(self, column: Column, expression: str) -> str:
        """An id in its grouped form as text; an integer-valued float prints without `.0`."""

    @abstractmethod
    def is_nan(self, expression: str) -> str:
        """Whether a float is not a number."""

    @abstractmethod
    def matches(self, expression: str, pattern: str) -> str:
        """Whether text matches a regular expression somewhere."""

    @abstractmethod
    def sized(self, expression: str, kind: Kind, size: tuple[int, int]) -> str:
        """A number in (precision, scale), rounded half away from zero; NULL where it does not fit."""

    @abstractmethod
    def iso_date(self, expression: str) -> str:
        """The date at the head of ISO text; NULL where there is no such day."""

    @abstractmethod
    def iso_instant_date(self, expression: str, timezone: str) -> str:
        """The date in a zone of ISO text with an offset."""

    @abstractmethod
    def parsed_date(self, expression: str, date_format: str) -> str:
        """The date of text that is known to match a format; NULL where there is no such day."""

    @abstractmethod
    def date_in_zone(self, expression: str, timezone: str) -> str:
        """The date of an instant in a zone."""

    @abstractmethod
    def days_between(self, earlier: str, later: str) -> str:
        """Whole days from one date to another."""

    @abstractmethod
    def window_start(self, end: str, window: Window) -> str:
        """The last date before a window that ends on a date."""

    @abstractmethod
    def average(self, total: str, count: str) -> str:
        """Money divided by a positive count, to nine decimals, half away from zero."""

    @abstractmethod
    def leading_digits(self, expression: str) -> str:
        """Money cut after its third leading digit: a coarser number in the same order."""


class DuckDB(Dialect):
    """DuckDB, with its session's time zone set to UTC."""

    name = "duckdb"
    types: ClassVar = {"text": "VARCHAR", "integer": "BIGINT", "money": "DECIMAL(38, 9)", "date": "DATE"}
    window_is_one_worker = False

    def trim(self, expression: str) -> str:
        return f"TRIM({expression}, {_DUCKDB_BLANKS})"

    def text_id(self, expression: str) -> str:
        trimmed = self.trim(expression)
        # Text above '!' begins with no blank, so that the common id is looked at once.
        return (
            f"CASE\n    WHEN SUFFIX({expression}, '.0') AND {self.matches(expression, _FLOAT_ID)}"
            f" THEN LEFT({expression}, LENGTH({expression}) - 2)\n"
            f"    WHEN {expression} BETWEEN '!' AND '~' THEN {expression}\n"
            f"    WHEN {trimmed} <> '' THEN {expression}\n  END"
        )

    def id_text(self, column: Column, expression: str) -> str:
        if column.kind is Kind.TEXT:
            return expression
        if column.kind is Kind.FLOAT:
            return (
                f"CASE WHEN {expression} = TRUNC({expression}) AND ABS({expression}) < 1e18"
                f" THEN CAST(CAST({expression} AS BIGINT) AS VARCHAR) ELSE CAST({expression} AS VARCHAR) END"
            )
        return self.cast(expression, "text")

    def is_nan(self, expression: str) -> str:
        return f"ISNAN({expression})"

    def matches(self, expression: str, pattern: str) -> str:
        return f"REGEXP_MATCHES({expression}, {self.literal(pattern)})"

    def sized(self, expression: str, kind: Kind, size: tuple[int, int]) -> str:
        return f"TRY_CAST({expression} AS DECIMAL({size[0]}, {size[1]}))"

    def iso_date(self, expression: str) -> str:
        return f"TRY_CAST(LEFT({expression}, 10) AS DATE)"

    def iso_instant_date(self, expression: str, timezone: str) -> str:
        return self.date_in_zone(f"TRY_CAST({expression} AS TIMESTAMPTZ)", timezone)

    def parsed_date(self, expression: str, date_format: str) -> str:
        return f"CAST(TRY_STRPTIME({expression}, {self.literal(date_format)}) AS DATE)"

    def date_in_zone(self, expression: str, timezone: str) -> str:
        return f"CAST(TIMEZONE({self.literal(timezone)}, {expression}) AS DATE)"

    def days_between(self, earlier: str, later: str) -> str:
        return f"({later} - {earlier})"

    def window_start(self, end: str, window: Window) -> str:
        return f"CAST({end} - INTERVAL {window.count} {window.unit.upper()} AS DATE)"

    def average(self, total: str, count: str) -> str:
        # DuckDB divides decimals as doubles, so this divides whole billionths, a half up, and gives back the sign.
        units = f"(2 * ABS(CAST({total} * 1000000000 AS HUGEINT)) + {count}) // (2 * {count})"
        return f"CAST(SIGN({total}) * ({units}) AS DECIMAL(38, 0)) * CAST(0.000000001 AS DECIMAL(10, 9))"

    def leading_digits(self, expression: str) -> str:
        return expression


class BigQuery(Dialect):
    """GoogleSQL, the language of BigQuery."""

    name = "bigquery"
    types: ClassVar = {"text": "STRING", "integer": "INT64", "money": "NUMERIC", "date": "DATE"}
    window_is_one_worker = True

    def trim(self, expression: str) -> str:
        return f"TRIM({expression})"

    def text_id(self, expression: str) -> str:
        return (
            f"CASE\n    WHEN {self.matches(expression, _FLOAT_ID)}"
            f" THEN SUBSTR({expression}, 1, LENGTH({expression}) - 2)\n"
            f"    WHEN {self.trim(expression)} <> '' THEN {expression}\n  END"
        )

    def id_text(self, column: Column, expression: str) -> str:
        if column.kind is Kind.TEXT:
            return expression
        if column.kind is Kind.FLOAT:
            return (
                f"CASE WHEN {expression} = TRUNC({expression}) AND ABS({expression}) < 1e18"
                f" THEN CAST(CAST({expression} AS INT64) AS STRING) ELSE CAST({expression} AS STRING) END"
            )
        return self.cast(expression, "text")

    def is_nan(self, expression: str) -> str:
        return f"IS_NAN({expression})"

    def matches(self, expression: str, pattern: str) -> str:
        return f"REGEXP_CONTAINS({expression}, {self.literal(pattern)})"

    def sized(self, expression: str, kind: Kind, size: tuple[int, int]) -> str:
        return f"SAFE_CAST({expression} AS NUMERIC({size[0]}, {size[1]}))"

    def iso_date(self, expression: str) -> str:
        return f"SAFE_CAST(SUBSTR({expression}, 1, 10) AS DATE)"

    def iso_instant_date(self, expression: str, timezone: str) -> str:
        return self.date_in_zone(f"SAFE_CAST({expression} AS TIMESTAMP)", timezone)

    def parsed_date(self, expression: str, date_format: str) -> str:
        return f"SAFE.PARSE_DATE({self.literal(date_format)}, {expression})"

    def date_in_zone(self, expression: str, timezone: str) -> str:
        return f"DATE({expression}, {self.literal(timezone)})"

    def days_between(self, earlier: str, later: str) -> str:
        return f"DATE_DIFF({later}, {earlier}, DAY)"

    def window_start(self, end: str, window: Window) -> str:
        return f"DATE_SUB({end}, INTERVAL {window.count} {window.unit.upper()})"

    def average(self, total: str, count: str) -> str:
        return f"{total} / {count}"

    def leading_digits(self, expression: str) -> str:
        digits = f"LENGTH(CAST(TRUNC(ABS({expression})) AS STRING))"
        return f"TRUNC({expression}, 3 - {digits})"


_FLOAT_ID = r"^[0-9]+\.0$"
_DUCKDB_BLANKS = r"' ' || CHR(9) || CHR(10) || CHR(11) || CHR(12) || CHR(13) || CHR(160)"

DIALECTS: Mapping[str, Dialect] = {dialect.name: dialect for dialect in (DuckDB(), BigQuery())}


def dialect_of(name: str) -> Dialect:
    """The dialect of an engine by its name, `duckdb` or `bigquery`."""
    return DIALECTS[name]
