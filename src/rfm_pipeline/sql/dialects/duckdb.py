"""The SQL dialect of DuckDB."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import ClassVar

from rfm_pipeline.common.date_formats import ISO
from rfm_pipeline.common.schema import Column, Kind
from rfm_pipeline.config.window import Window
from rfm_pipeline.sql.dialects.base import Dialect, case_expression, exponent_regex
from rfm_pipeline.sql.dialects.ids import SPACE, Branch

# Blanks of ASCII, and the no-break space that web pages and workbooks leave around values.
_TRIMMED = r"E' \t\n\x0B\f\r' || CHR(160)"
_OUTER_SPACE = rf"^{SPACE}+|{SPACE}+$"


class DuckDB(Dialect):
    """DuckDB in a session whose time zone is UTC."""

    name = "duckdb"
    types: ClassVar = {"text": "VARCHAR", "integer": "BIGINT", "money": "DECIMAL(38, 9)", "date": "DATE"}
    utc = ""

    def quoted_name(self, name: str) -> str:
        return '"' + name.replace('"', '""') + '"'

    def quoted_text(self, text: str) -> str:
        return "'" + text.replace("'", "''") + "'"

    def column(self, column: Column) -> str:
        name = super().column(column)
        # ISFINITE and comparisons do not accept the type that pandas writes to Parquet.
        return f"CAST({name} AS TIMESTAMPTZ)" if column.declared == "TIMESTAMPTZ_NS" else name

    def numeric_column(self, column: Column) -> str:
        name = self.column(column)
        # The 32-bit float 9.99 is 9.9899998, and so is its cast to DOUBLE; its shortest text is 9.99.
        return f"CAST(CAST({name} AS VARCHAR) AS DOUBLE)" if column.declared == "FLOAT" else name

    def trim(self, expression: str) -> str:
        # TRIM with a list of characters is slow, and most texts have no whitespace at their ends.
        trimmed = f"{expression} BETWEEN '!' AND '~' AND NOT CONTAINS({_TRIMMED}, {expression}[-1])"
        return f"CASE WHEN {trimmed} THEN {expression} ELSE TRIM({expression}, {_TRIMMED}) END"

    def trimmed(self, expression: str) -> str:
        return f"REGEXP_REPLACE({expression}, {self.literal(_OUTER_SPACE)}, '', 'g')"

    def reversed_text(self, expression: str) -> str:
        # Of other text, REVERSE reverses graphemes, which takes fifteen times as long.
        return f"CASE WHEN STRLEN({expression}) = LENGTH({expression}) THEN REVERSE({expression}) END"

    def quick_customer_branches(self, text: str, reversed_text: str, words: Sequence[str]) -> list[Branch]:
        # Text that ends in a digit is no address, and no usual placeholder. Comparisons of whole texts take a
        # fourth of the time of a look at the last character. Other branches read text that ends in `.0`.
        if any("@" in word or (word[-1:].isdigit() and word[:1] > "0") for word in words):
            return []
        address = f"{reversed_text} BETWEEN 'a' AND 'z~' AND {self.contains(text, '@')}"
        return [
            (f"{text} BETWEEN '1' AND '~' AND {reversed_text} BETWEEN '0/' AND '9~'", text),
            (f"{text} IS NULL", "NULL"),
            (f"{address} AND {text} BETWEEN '!' AND '~'", self.lower(text)),
        ]

    def is_placeholder(self, text: str, placeholders: Sequence[str]) -> str:
        longest = max(map(len, placeholders), default=0)
        may_be = f"(LENGTH({text}) <= {longest} OR NOT ({self._is_trimmed(text)}))"
        return f"{may_be} AND {super().is_placeholder(text, placeholders)}"

    def _is_trimmed(self, text: str) -> str:
        """Return the condition that text begins and ends with a visible character of ASCII."""
        return f"{text} BETWEEN '!' AND '~' AND {text}[-1] BETWEEN '!' AND '~'"

    def trimmed_quickly(self, text: str) -> str:
        return f"CASE WHEN {self._is_trimmed(text)} THEN {text} ELSE {self.trimmed(text)} END"

    def contains(self, expression: str, part: str) -> str:
        return f"CONTAINS({expression}, {self.literal(part)})"

    def lower(self, expression: str) -> str:
        return f"LOWER({expression})"

    def is_whitespace(self, expression: str) -> str:
        return f"REGEXP_FULL_MATCH({expression}, {self.literal(f'{SPACE}*')})"

    def ends_with(self, expression: str, end: str) -> str:
        return f"SUFFIX({expression}, {self.literal(end)})"

    def id_text(self, expression: str, kind: Kind) -> str:
        if kind is Kind.FLOAT:
            return self._whole_or(expression, f"PRINTF('%.17g', {expression})")
        return self.plain_text(expression, kind)

    def plain_text(self, expression: str, kind: Kind) -> str:
        text = self.text(expression, kind)
        if kind is Kind.FLOAT:
            return self._whole_or(expression, text)
        if kind is Kind.DECIMAL:
            shortened = f"RTRIM(RTRIM({text}, '0'), '.')"
            return f"CASE WHEN CONTAINS({text}, '.') THEN {shortened} ELSE {text} END"
        return text

    @staticmethod
    def _whole_or(number: str, otherwise: str) -> str:
        """Return a float as text without `.0` if it is a whole number, else `otherwise`."""
        whole = f"{number} = TRUNC({number}) AND ABS({number}) < 9e18"
        return f"CASE WHEN {whole} THEN CAST(CAST({number} AS BIGINT) AS VARCHAR) ELSE {otherwise} END"

    def sha256(self, text: str) -> str:
        return f"SHA256({text})"

    def hash_group(self, text: str) -> str:
        return f"LEFT(MD5({text}), 2)"

    def is_finite(self, expression: str) -> str:
        return f"ISFINITE({expression})"

    def matches(self, expression: str, pattern: str) -> str:
        return f"REGEXP_MATCHES({expression}, {self.literal(pattern)})"

    def without(self, expression: str, pattern: str) -> str:
        return f"REGEXP_REPLACE({expression}, {self.literal(pattern)}, '', 'g')"

    def exact_number(self, expression: str, size: tuple[int, int]) -> str:
        return f"TRY_CAST({expression} AS DECIMAL({size[0]}, {size[1]}))"

    def text_number(self, expression: str, size: tuple[int, int], decimal: str) -> str:
        # DuckDB also casts 1_000 to a decimal.
        characters, text = "eE_", expression
        if decimal == ",":
            characters, text = "eE_.", f"REPLACE({expression}, ',', '.')"
        special = " OR ".join(f"CONTAINS({expression}, '{character}')" for character in characters)
        # Of text with an exponent DuckDB makes decimals that exceed a precision below 38, and drops digits.
        wide = self.exact_number(text, (38, size[1]))
        return case_expression(
            [
                (f"NOT ({special})", self.exact_number(text, size)),
                (self.matches(expression, exponent_regex(decimal)), self.exact_number(wide, size)),
            ]
        )

    def rounded_float(self, expression: str, size: tuple[int, int]) -> str:
        return self.exact_number(expression, size)

    def shortest_decimal(self, expression: str) -> str:
        return self.cast(expression, "text")

    def iso_date(self, expression: str) -> str:
        return f"TRY_CAST(LEFT({expression}, 10) AS DATE)"

    def try_date(self, expression: str) -> str:
        return f"TRY_CAST({expression} AS DATE)"

    def regexp_extract(self, expression: str, pattern: str) -> str:
        return f"REGEXP_EXTRACT({expression}, {self.literal(pattern)}, 1)"

    def instant_of_seconds(self, expression: str) -> str:
        return f"TO_TIMESTAMP(TRY_CAST({expression} AS BIGINT))"

    def date_of_serial(self, expression: str) -> str:
        return f"DATE '1899-12-30' + TRY_CAST({expression} AS INTEGER)"

    def add_hours(self, instant: str, hours: str) -> str:
        return f"{instant} + TO_HOURS({hours})"

    def instant(self, expression: str) -> str:
        return f"TRY_CAST({expression} AS TIMESTAMPTZ)"

    def quick_date(self, text: str, formats: Sequence[str]) -> str | None:
        # A regular expression takes twice the time of STRPTIME. The lengths are those of the usual forms.
        if not formats or formats[0] != ISO:
            return None
        times = {19: "%H:%M:%S", 16: "%H:%M"}
        branches = [
            (
                f"LENGTH({text}) = {length}",
                f"CAST(TRY_STRPTIME({text}, ['%Y-%m-%d {time}', '%Y-%m-%dT{time}']) AS DATE)",
            )
            for length, time in times.items()
        ]
        branches.append((f"LENGTH({text}) = 10", f"CAST(TRY_STRPTIME({text}, '%Y-%m-%d') AS DATE)"))
        return case_expression(branches)

    def parsed_date(self, expression: str, date_format: str) -> str:
        return f"CAST(TRY_STRPTIME({expression}, {self.literal(date_format)}) AS DATE)"

    def date_in_zone(self, expression: str, timezone: str) -> str:
        return f"CAST(TIMEZONE({self.literal(timezone)}, {expression}) AS DATE)"

    def finite_moment(self, expression: str) -> str:
        return f"CASE WHEN ISFINITE({expression}) THEN {expression} END"

    def days_between(self, earlier: str, later: str) -> str:
        return f"({later} - {earlier})"

    def window_start(self, end: str, window: Window) -> str:
        return f"CAST({end} - INTERVAL {window.count} {window.unit.upper()} AS DATE)"

    def product(self, quantity: str, price: str) -> str:
        # The product of two narrow decimals is narrow in DuckDB, and overflows for amounts of billions.
        return f"CAST({quantity} AS DECIMAL(38, 3)) * {price}"

    def converted(self, amount: str, rates: Sequence[tuple[str, Decimal]]) -> str:
        branches = [(condition, self.literal(rate)) for condition, rate in rates]
        # Literals are narrow decimals, which leave more digits to the amount than the type of money does.
        product = f"CAST({amount} AS DECIMAL(38, 9)) * {case_expression(branches, '1')}"
        return f"CAST({product} AS DECIMAL(38, 9))"

    def average(self, total: str, count: str) -> str:
        # DuckDB divides decimals as doubles, so this divides integers of billionths, rounded half away from
        # zero. Up to two million, a double has these exactly, and is ten times as fast as HUGEINT.
        def divided(units: str) -> str:
            quotient = f"(2 * {units} + SIGN({total}) * {count}) // (2 * {count})"
            return f"CAST({quotient} AS DECIMAL(38, 0)) * 0.000000001"

        quick = divided(f"CAST(ROUND(CAST({total} AS DOUBLE) * 1e9) AS BIGINT)")
        wide = divided(f"CAST({total} * 1000000000 AS HUGEINT)")
        # No shop has amounts that exceed HUGEINT; a double is accurate enough for them and does not fail.
        inexact = f"CAST(CAST({total} AS DOUBLE) / {count} AS DECIMAL(38, 9))"
        return case_expression(
            [(f"ABS({total}) < 2000000", quick), (f"ABS({total}) < 1e20", wide), ("TRUE", inexact)]
        )

    def floor_divide(self, dividend: str, divisor: str) -> str:
        return f"{dividend} // {divisor}"

    def coarse(self, expression: str) -> str:
        return f"FLOOR(CAST({expression} AS DOUBLE))"
