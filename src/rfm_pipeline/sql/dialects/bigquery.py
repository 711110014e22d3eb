"""The SQL dialect of BigQuery."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import ClassVar

from rfm_pipeline.common.schema import Kind
from rfm_pipeline.config.window import Window
from rfm_pipeline.sql.dialects.base import Dialect, case_expression, exponent_regex

# Blanks of ASCII, and the no-break space that web pages and workbooks leave around values.
_TRIMMED = r"CONCAT(' \t\n\v\f\r', CHR(160))"
_ESCAPES = str.maketrans(
    {
        "\\": r"\\",
        "'": r"\'",
        "\n": r"\n",
        "\r": r"\r",
        "\t": r"\t",
        "\0": r"\x00",
        "\a": r"\a",
        "\b": r"\b",
        "\f": r"\f",
        "\v": r"\v",
    }
)


class BigQuery(Dialect):
    """GoogleSQL, the SQL dialect of BigQuery."""

    name = "bigquery"
    types: ClassVar = {"text": "STRING", "integer": "INT64", "money": "NUMERIC", "date": "DATE"}
    utc = "+00:00"

    def quoted_name(self, name: str) -> str:
        return "`" + name.replace("\\", "\\\\").replace("`", "\\`") + "`"

    def quoted_text(self, text: str) -> str:
        return "'" + text.translate(_ESCAPES) + "'"

    def money(self, value: Decimal) -> str:
        # A number with a point and without a type is a FLOAT64 literal.
        return f"NUMERIC '{value:f}'"

    def trim(self, expression: str) -> str:
        return f"TRIM({expression}, {_TRIMMED})"

    def trimmed(self, expression: str) -> str:
        return f"TRIM({expression})"

    def contains(self, expression: str, part: str) -> str:
        return f"STRPOS({expression}, {self.literal(part)}) > 0"

    def lower(self, expression: str) -> str:
        # LOWER alone makes two letters of the dotted capital I, and looks at the letters around a sigma.
        return f"LOWER(REPLACE(REPLACE({expression}, 'İ', 'i'), 'Σ', 'σ'))"  # noqa: RUF001 - both letters are meant

    def is_whitespace(self, expression: str) -> str:
        return f"TRIM({expression}) = ''"

    def ends_with(self, expression: str, end: str) -> str:
        return f"ENDS_WITH({expression}, {self.literal(end)})"

    def id_text(self, expression: str, kind: Kind) -> str:
        if kind is Kind.FLOAT:
            whole = f"{expression} = TRUNC({expression}) AND ABS({expression}) < 9e18"
            number = f"CAST(CAST({expression} AS INT64) AS STRING)"
            return f"CASE WHEN {whole} THEN {number} ELSE FORMAT('%.17g', {expression}) END"
        return self.text(expression, kind)

    def partition_key(self, expression: str, kind: Kind) -> str:
        # Windows can't be partitioned by FLOAT64.
        return self.id_text(expression, kind) if kind is Kind.FLOAT else expression

    def sha256(self, text: str) -> str:
        return f"TO_HEX(SHA256({text}))"

    def hash_group(self, text: str) -> str:
        return f"LEFT(TO_HEX(MD5({text})), 2)"

    def is_finite(self, expression: str) -> str:
        return f"NOT (IS_NAN({expression}) OR IS_INF({expression}))"

    def matches(self, expression: str, pattern: str) -> str:
        return f"REGEXP_CONTAINS({expression}, {self.literal(pattern)})"

    def without(self, expression: str, pattern: str) -> str:
        return self.regexp_replace(expression, pattern, "")

    def exact_number(self, expression: str, size: tuple[int, int]) -> str:
        # SAFE_CAST to a type with parameters raises an error instead of returning NULL; NUMERIC rounds twice.
        precision, scale = size
        rounded = f"ROUND(SAFE_CAST({expression} AS BIGNUMERIC), {scale})"
        return f"CASE WHEN ABS({rounded}) < 1e{precision - scale} THEN CAST({rounded} AS NUMERIC) END"

    def text_number(self, expression: str, size: tuple[int, int], decimal: str) -> str:
        special, text = "[eE_]", expression
        if decimal == ",":
            special, text = "[eE_.]", f"REPLACE({expression}, ',', '.')"
        may_be_number = f"NOT {self.matches(expression, special)}"
        has_exponent = self.matches(expression, exponent_regex(decimal))
        return f"CASE WHEN {may_be_number} OR {has_exponent} THEN {self.exact_number(text, size)} END"

    def rounded_float(self, expression: str, size: tuple[int, int]) -> str:
        return f"ROUND(CAST({expression} AS NUMERIC), {size[1]})"

    def shortest_decimal(self, expression: str) -> str:
        # A cast to STRING has 15 or 17 digits: 17 also where 16 are enough.
        texts = [f"FORMAT('%.{digits}g', {expression})" for digits in (15, 16, 17)]
        branches = " ".join(f"WHEN CAST({text} AS FLOAT64) THEN {text}" for text in texts[:2])
        return f"CASE {expression} {branches} ELSE {texts[2]} END"

    def iso_date(self, expression: str) -> str:
        return f"SAFE_CAST(SUBSTR({expression}, 1, 10) AS DATE)"

    def try_date(self, expression: str) -> str:
        return f"SAFE_CAST({expression} AS DATE)"

    def regexp_extract(self, expression: str, pattern: str) -> str:
        return f"REGEXP_EXTRACT({expression}, {self.literal(pattern)})"

    def instant_of_seconds(self, expression: str) -> str:
        return f"TIMESTAMP_SECONDS(SAFE_CAST({expression} AS INT64))"

    def date_of_serial(self, expression: str) -> str:
        return f"DATE_ADD(DATE '1899-12-30', INTERVAL SAFE_CAST({expression} AS INT64) DAY)"

    def add_hours(self, instant: str, hours: str) -> str:
        return f"TIMESTAMP_ADD({instant}, INTERVAL {hours} HOUR)"

    def instant(self, expression: str) -> str:
        return f"SAFE_CAST({expression} AS TIMESTAMP)"

    def parsed_date(self, expression: str, date_format: str) -> str:
        return f"DATE(SAFE.PARSE_DATETIME({self.literal(date_format)}, {expression}))"

    def date_in_zone(self, expression: str, timezone: str) -> str:
        return f"DATE({expression}, {self.literal(timezone)})"

    def days_between(self, earlier: str, later: str) -> str:
        return f"DATE_DIFF({later}, {earlier}, DAY)"

    def window_start(self, end: str, window: Window) -> str:
        return f"DATE_SUB({end}, INTERVAL {window.count} {window.unit.upper()})"

    def product(self, quantity: str, price: str) -> str:
        return f"{quantity} * {price}"

    def converted(self, amount: str, rates: Sequence[tuple[str, Decimal]]) -> str:
        branches = [(condition, self.money(rate)) for condition, rate in rates]
        return f"{amount} * {case_expression(branches, '1')}"

    def in_unit(self, amount: str, unit: Decimal) -> str:
        return f"{amount} * {self.money(unit)}"

    def less_share(self, amount: str, share: str) -> str:
        return f"{amount} * (1 - {share})"

    def average(self, total: str, count: str) -> str:
        return f"{total} / {count}"

    def floor_divide(self, dividend: str, divisor: str) -> str:
        return f"DIV({dividend}, {divisor})"

    def coarse(self, expression: str) -> str:
        # The three leading digits: about ten thousand distinct values at most, for any number of customers.
        digits = f"LENGTH(CAST(TRUNC(ABS({expression})) AS STRING))"
        third = f"CAST(CONCAT('1e', CAST({digits} - 3 AS STRING)) AS NUMERIC)"
        return f"{expression} - MOD({expression}, {third})"
