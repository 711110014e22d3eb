"""How DuckDB says things."""

from __future__ import annotations

from typing import ClassVar

from rfm_pipeline.common.schema import Column, Kind
from rfm_pipeline.config.window import Window
from rfm_pipeline.sql.dialects.base import EXPONENT, Dialect, cases

# Space, tab, line breaks and the no-break space that pages and workbooks leave behind.
_AROUND = r"E' \t\n\r' || CHR(160)"
# What GoogleSQL's TRIM takes off.
_ALL_BLANKS = r"[\t-\r\x{85}\p{Z}]*"


class DuckDB(Dialect):
    """DuckDB, with its session's time zone set to UTC."""

    name = "duckdb"
    types: ClassVar = {"text": "VARCHAR", "integer": "BIGINT", "money": "DECIMAL(38, 9)", "date": "DATE"}
    utc = ""

    def quoted_name(self, name: str) -> str:
        return '"' + name.replace('"', '""') + '"'

    def quoted_text(self, text: str) -> str:
        return "'" + text.replace("'", "''") + "'"

    def measure(self, column: Column) -> str:
        name = self.column(column)
        # In 32 bits 9.99 is 9.9899998, and a double would keep that; in its shortest text it is 9.99.
        return f"CAST(CAST({name} AS VARCHAR) AS DOUBLE)" if column.declared == "FLOAT" else name

    def trim(self, expression: str) -> str:
        # Taking off characters that are named is slow, and most texts have none at their ends.
        clean = f"{expression} BETWEEN '!' AND '~' AND {expression}[-1] BETWEEN '!' AND '~'"
        return f"CASE WHEN {clean} THEN {expression} ELSE TRIM({expression}, {_AROUND}) END"

    def only_blanks(self, expression: str) -> str:
        return f"REGEXP_FULL_MATCH({expression}, {self.literal(_ALL_BLANKS)})"

    def ends_with(self, expression: str, end: str) -> str:
        return f"SUFFIX({expression}, {self.literal(end)})"

    def id_text(self, expression: str, kind: Kind) -> str:
        if kind is Kind.FLOAT:
            return self._whole_or(expression, f"PRINTF('%.17g', {expression})")
        return self.plain_text(expression, kind)

    def plain_text(self, expression: str, kind: Kind) -> str:
        written = self.text(expression, kind)
        if kind is Kind.FLOAT:
            return self._whole_or(expression, written)
        if kind is Kind.DECIMAL:
            shortened = f"RTRIM(RTRIM({written}, '0'), '.')"
            return f"CASE WHEN CONTAINS({written}, '.') THEN {shortened} ELSE {written} END"
        return written

    @staticmethod
    def _whole_or(number: str, otherwise: str) -> str:
        """A float as text: without `.0` where it is a whole number."""
        whole = f"{number} = TRUNC({number}) AND ABS({number}) < 9e18"
        return f"CASE WHEN {whole} THEN CAST(CAST({number} AS BIGINT) AS VARCHAR) ELSE {otherwise} END"

    def is_finite(self, expression: str) -> str:
        return f"ISFINITE({expression})"

    def matches(self, expression: str, pattern: str) -> str:
        return f"REGEXP_MATCHES({expression}, {self.literal(pattern)})"

    def exact_number(self, expression: str, size: tuple[int, int]) -> str:
        return f"TRY_CAST({expression} AS DECIMAL({size[0]}, {size[1]}))"

    def text_number(self, expression: str, size: tuple[int, int]) -> str:
        # DuckDB also reads 1_000, and has a way of its own with exponents: those go through a double.
        odd = " OR ".join(f"CONTAINS({expression}, '{mark}')" for mark in "eE_")
        number = self.float_number(f"TRY_CAST({expression} AS DOUBLE)", size)
        return cases(
            [
                (f"NOT ({odd})", self.exact_number(expression, size)),
                (self.matches(expression, EXPONENT), number),
            ]
        )

    def float_number(self, expression: str, size: tuple[int, int]) -> str:
        return self.exact_number(expression, size)

    def iso_date(self, expression: str) -> str:
        return f"TRY_CAST(LEFT({expression}, 10) AS DATE)"

    def instant(self, expression: str) -> str:
        return f"TRY_CAST({expression} AS TIMESTAMPTZ)"

    def parsed_date(self, expression: str, date_format: str) -> str:
        return f"CAST(TRY_STRPTIME({expression}, {self.literal(date_format)}) AS DATE)"

    def date_in_zone(self, expression: str, timezone: str) -> str:
        return f"CAST(TIMEZONE({self.literal(timezone)}, {expression}) AS DATE)"

    def real_moment(self, expression: str) -> str:
        return f"CASE WHEN ISFINITE({expression}) THEN {expression} END"

    def days_between(self, earlier: str, later: str) -> str:
        return f"({later} - {earlier})"

    def window_start(self, end: str, window: Window) -> str:
        return f"CAST({end} - INTERVAL {window.count} {window.unit.upper()} AS DATE)"

    def product(self, quantity: str, price: str) -> str:
        # Of two narrow decimals DuckDB makes a narrow one, which a line of billions does not fit.
        return f"CAST({quantity} AS DECIMAL(38, 3)) * {price}"

    def average(self, total: str, count: str) -> str:
        # DuckDB divides decimals as doubles, so this divides whole billionths, a half away from zero. Up to
        # two million a double holds those exactly, and is ten times as fast as the wide integer.
        def divided(units: str) -> str:
            quotient = f"(2 * {units} + SIGN({total}) * {count}) // (2 * {count})"
            return f"CAST({quotient} AS DECIMAL(38, 0)) * 0.000000001"

        quick = divided(f"CAST(ROUND(CAST({total} AS DOUBLE) * 1e9) AS BIGINT)")
        wide = divided(f"CAST({total} * 1000000000 AS HUGEINT)")
        # Beyond what the wide integer holds no shop has been; the double is good enough and fails nothing.
        rough = f"CAST(CAST({total} AS DOUBLE) / {count} AS DECIMAL(38, 9))"
        return cases([(f"ABS({total}) < 2000000", quick), (f"ABS({total}) < 1e20", wide), ("TRUE", rough)])

    def coarse(self, expression: str) -> str:
        return f"FLOOR(CAST({expression} AS DOUBLE))"
