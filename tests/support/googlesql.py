"""GoogleSQL's analyser and reference evaluator, for tests: which SQL BigQuery accepts, and its results.

`zetasql` on PyPI is GoogleSQL, the SQL dialect of BigQuery, compiled to WebAssembly. The module is compiled
on first use (about 20 s) and the compiled code is kept in the user's cache directory, so later processes load
it in half a second; `GoogleSql.load()` keeps one evaluator per process.

The evaluator is for thousands of rows. Scans, joins, groupings and ranking functions take about 0.1 ms a row;
an aggregate as a window (`SUM(...) OVER`), `IN (SELECT ...)` and a scalar subquery per row take time with the
square of the rows: a second for a thousand, twenty for four thousand.
"""

# mypy: disable-error-code="import-untyped"

from __future__ import annotations

import contextlib
import ctypes
import datetime as dt
import functools
import re
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal, localcontext
from typing import Any, Final, TypeVar

import zetasql.core.wasm_client as wasm
from google.protobuf import empty_pb2, message
from wasmtime import Config, WasmtimeError
from zetasql.core.exceptions import ServerError
from zetasql.wasi import get_wasm_path
from zetasql.wasi._pb2.zetasql.local_service import local_service_pb2 as service
from zetasql.wasi._pb2.zetasql.proto import options_pb2, simple_catalog_pb2
from zetasql.wasi._pb2.zetasql.public import options_pb2 as language_pb2
from zetasql.wasi._pb2.zetasql.public import type_pb2, value_pb2

Columns = Mapping[str, str]
"""Column name -> type, as BigQuery writes it: `STRING`, `NUMERIC`, `STRUCT<a INT64, b ARRAY<DATE>>`."""

Row = Mapping[str, object]

Reply = TypeVar("Reply", bound=message.Message)

# Features of GoogleSQL that BigQuery lacks, or implements in another way than the reference evaluator: a
# query that uses one of them is rejected here, as BigQuery rejects it. Timestamps of BigQuery hold
# microseconds.
NOT_IN_BIGQUERY: Final = (
    "FEATURE_AGGREGATE_FILTERING",
    "FEATURE_ARRAY_AGGREGATION_FUNCTIONS",
    "FEATURE_ARRAY_FIND_FUNCTIONS",
    "FEATURE_ARRAY_ZIP",
    "FEATURE_BARE_ARRAY_ACCESS",
    "FEATURE_FIRST_AND_LAST_N",
    "FEATURE_INSERT_ON_CONFLICT_CLAUSE",
    "FEATURE_LATERAL_JOIN",
    "FEATURE_LIMIT_OFFSET_EXPRESSIONS",
    "FEATURE_MULTILEVEL_AGGREGATION",
    "FEATURE_MULTIWAY_UNNEST",
    "FEATURE_NULLIFZERO_ZEROIFNULL",
    "FEATURE_PI_FUNCTIONS",
    "FEATURE_TIMESTAMP_NANOS",
    "FEATURE_TIMESTAMP_PICOS",
    "FEATURE_TIMESTAMP_PRECISION",
    "FEATURE_UUID_TYPE",
)

KINDS: Final[Mapping[str, int]] = {
    "BOOL": type_pb2.TYPE_BOOL,
    "INT64": type_pb2.TYPE_INT64,
    "FLOAT64": type_pb2.TYPE_DOUBLE,
    "NUMERIC": type_pb2.TYPE_NUMERIC,
    "BIGNUMERIC": type_pb2.TYPE_BIGNUMERIC,
    "STRING": type_pb2.TYPE_STRING,
    "BYTES": type_pb2.TYPE_BYTES,
    "DATE": type_pb2.TYPE_DATE,
    "DATETIME": type_pb2.TYPE_DATETIME,
    "TIMESTAMP": type_pb2.TYPE_TIMESTAMP,
}

# The field of a cell that holds a value of each kind.
FIELDS: Final[Mapping[int, str]] = {
    type_pb2.TYPE_ARRAY: "array_value",
    type_pb2.TYPE_STRUCT: "struct_value",
    **{kind: f"{name.lower()}_value" for name, kind in KINDS.items()},
    type_pb2.TYPE_DOUBLE: "double_value",
}

SCALES: Final[Mapping[str, int]] = {"numeric_value": 9, "bignumeric_value": 38}
EPOCH: Final = dt.date(1970, 1, 1)
EPOCH_UTC: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


class GoogleSql:
    """GoogleSQL with BigQuery's features: `analyse` checks SQL, `execute` runs a query.

    `GoogleSql.load()` returns the one evaluator of this process.
    """

    def __init__(self) -> None:
        self._client = _Client(str(get_wasm_path()))
        request = service.LanguageOptionsRequest(maximum_features=True)
        language = self._client.call("GetLanguageOptions", request, options_pb2.LanguageOptionsProto)
        left_out = {language_pb2.LanguageFeature.Value(name) for name in NOT_IN_BIGQUERY}
        features = [feature for feature in language.enabled_language_features if feature not in left_out]
        del language.enabled_language_features[:]
        language.enabled_language_features.extend(features)
        language.product_mode = language_pb2.PRODUCT_EXTERNAL
        del language.supported_statement_kinds[:]  # an empty list allows all
        options = self._client.call(
            "GetAnalyzerOptions", service.AnalyzerOptionsRequest(), options_pb2.AnalyzerOptionsProto
        )
        options.ClearField("allowed_hints_and_options")  # names types that no catalog here has
        options.language_options.CopyFrom(language)
        options.error_message_mode = language_pb2.ERROR_MESSAGE_MULTI_LINE_WITH_CARET
        options.default_timezone = "UTC"
        self._options = options

    @staticmethod
    @functools.cache
    def load() -> GoogleSql:
        """Return the evaluator of this process; the first call creates it."""
        return GoogleSql()

    def analyse(self, sql: str, tables: Mapping[str, Columns]) -> None:
        """Resolve and type-check each statement: queries, DDL, DML, transactions.

        Args:
            sql: Statements, separated by semicolons.
            tables: Table name -> columns; `t`, `dataset.t` or `project.dataset.t`, with backticks or without.
                A table that one statement makes and a later one reads must be listed too. Columns of a dotted
                name are reached through an alias: BigQuery would also know them by the name's last part.

        Raises:
            AssertionError: If a statement is invalid; the message has the numbered text and a caret.
        """
        request = service.AnalyzeRequest(options=self._options, simple_catalog=self._catalog(tables))
        sql = _whole_names(sql, tables)
        request.parse_resume_location.input = sql
        end = len(sql.rstrip().encode())
        while request.parse_resume_location.byte_position < end:
            with _rejections(sql):
                reply = self._client.call("Analyze", request, service.AnalyzeResponse)
            request.parse_resume_location.byte_position = reply.resume_byte_position

    def execute(
        self, sql: str, tables: Mapping[str, Columns], rows: Mapping[str, Sequence[Row]]
    ) -> list[dict[str, object]]:
        """Run one query on the given rows.

        Args:
            sql: A query.
            tables: As for `analyse`.
            rows: Table name as in `tables` -> its rows; a column left out is NULL, a table left out is empty.
                Values are Python's: `Decimal` or `int` for NUMERIC and BIGNUMERIC, `date`, naive `datetime`
                for DATETIME, aware `datetime` for TIMESTAMP, `dict` for STRUCT, `list` for ARRAY.

        Returns:
            The rows in the order of the query, with the same Python types; aware datetimes are in UTC.

        Raises:
            AssertionError: If the query is invalid, or fails while it runs.
        """
        return self.execute_typed(sql, tables, rows)[0]

    def execute_typed(
        self, sql: str, tables: Mapping[str, Columns], rows: Mapping[str, Sequence[Row]]
    ) -> tuple[list[dict[str, object]], dict[str, str]]:
        """Run one query as `execute` does; return also the type of each column that is not nested."""
        unknown = rows.keys() - tables.keys()
        if unknown:
            raise KeyError(f"rows for tables without columns: {sorted(unknown)}")
        sql = _whole_names(sql, tables)
        request = service.PrepareQueryRequest(
            sql=sql, options=self._options, simple_catalog=self._catalog(tables)
        )
        for name, columns in tables.items():
            types = {column: _parse_type(text) for column, text in columns.items()}
            content = request.table_content[_full_name(name)]
            content.table_data.SetInParent()
            for row in rows.get(name, ()):
                if not row.keys() <= types.keys():
                    raise KeyError(f"{name} has no column {sorted(row.keys() - types.keys())}")
                cells = content.table_data.row.add().cell
                for column, kind in types.items():
                    _write(row.get(column), kind, cells.add())
        with _rejections(sql):
            prepared = self._client.call("PrepareQuery", request, service.PrepareQueryResponse).prepared
            run = service.EvaluateQueryRequest(prepared_query_id=prepared.prepared_query_id)
            try:
                content = self._client.call("EvaluateQuery", run, service.EvaluateQueryResponse).content
            finally:
                done = service.UnprepareQueryRequest(prepared_query_id=prepared.prepared_query_id)
                self._client.call("UnprepareQuery", done, empty_pb2.Empty)
        names = [column.name or f"f{position}_" for position, column in enumerate(prepared.columns)]
        if len(set(names)) < len(names):
            raise AssertionError(f"GoogleSQL: duplicate column names in the result: {names}")
        kinds = [column.type for column in prepared.columns]
        read = [dict(zip(names, map(_read, row.cell, kinds), strict=True)) for row in content.table_data.row]
        texts = {number: text for text, number in KINDS.items()}
        types = {
            name: texts[kind.type_kind]
            for name, kind in zip(names, kinds, strict=True)
            if kind.type_kind in texts
        }
        return read, types

    def _catalog(self, tables: Mapping[str, Columns]) -> simple_catalog_pb2.SimpleCatalogProto:
        catalog = simple_catalog_pb2.SimpleCatalogProto(name="catalog")
        catalog.builtin_function_options.language_options.CopyFrom(self._options.language_options)
        for number, (name, columns) in enumerate(tables.items(), start=1):
            full_name = _full_name(name)
            table = catalog.table.add(name=full_name, full_name=full_name, serialization_id=number)
            for column, text in columns.items():
                table.column.add(name=column, type=_parse_type(text))
        return catalog


class _Client(wasm.WasmClient):  # type: ignore[misc]
    """The package's client, but bytes are copied in one call, and the compiled module is cached."""

    def __init__(self, path: str) -> None:
        plain = wasm.Config
        wasm.Config = _cached_config
        try:
            super().__init__(path)
        finally:
            wasm.Config = plain

    def write_bytes(self, ptr: int, data: bytes) -> None:
        ctypes.memmove(ctypes.addressof(self.memory.data_ptr().contents) + ptr, data, len(data))

    def read_bytes(self, ptr: int, size: int) -> bytes:
        return ctypes.string_at(ctypes.addressof(self.memory.data_ptr().contents) + ptr, size)

    def call(self, method: str, request: message.Message, reply: type[Reply]) -> Reply:
        answer: Reply = self.call_grpc_func(f"ZetaSqlLocalService_{method}", request, reply)
        return answer


def _cached_config() -> Config:
    config = Config()
    with contextlib.suppress(WasmtimeError):  # the cache directory is not writable: compile each time
        config.cache = True
    return config


@contextlib.contextmanager
def _rejections(sql: str) -> Iterator[None]:
    try:
        yield
    except ServerError as error:
        message = re.sub(r"^Code: \d+, Message: ", "", error.raw_error)
        text = "\n".join(f"{number:4} | {line}" for number, line in enumerate(sql.splitlines(), start=1))
        raise AssertionError(f"GoogleSQL: {message}\n\n{text}") from None


def _full_name(name: str) -> str:
    return name.replace("`", "")


def _whole_names(sql: str, tables: Mapping[str, Columns]) -> str:
    """Write each dotted table name as one quoted identifier, because the evaluator's catalog is flat."""
    for name in tables:
        parts = _full_name(name).split(".")
        if len(parts) > 1:
            path = r"\.".join(f"`?{re.escape(part)}`?" for part in parts)
            sql = re.sub(rf"(?<![\w`.-]){path}(?![\w`-])", f"`{_full_name(name)}`", sql)
    return sql


@functools.cache
def _parse_type(text: str) -> type_pb2.TypeProto:
    kind, rest = _take_type(text.strip())
    if rest:
        raise ValueError(f"not a type: {text!r}")
    return kind


def _take_type(text: str) -> tuple[type_pb2.TypeProto, str]:
    """Return the type at the beginning of a text, and the rest of the text."""
    head = re.match(r"(\w+)\s*(?:\([\d\s,]*\)\s*)?", text)
    if head is None:
        raise ValueError(f"not a type: {text!r}")
    name, rest = head[1].upper(), text[head.end() :]
    kind = type_pb2.TypeProto()
    if name == "ARRAY":
        kind.type_kind = type_pb2.TYPE_ARRAY
        element, rest = _take_type(rest.removeprefix("<").lstrip())
        kind.array_type.element_type.CopyFrom(element)
    elif name == "STRUCT":
        kind.type_kind = type_pb2.TYPE_STRUCT
        while rest[:1] in {"<", ","}:
            field = re.match(r"[<,]\s*(\w+)\s+", rest)
            if field is None:
                raise ValueError(f"not a type: {text!r}")
            inner, rest = _take_type(rest[field.end() :])
            kind.struct_type.field.add(field_name=field[1], field_type=inner)
    elif name in KINDS:
        kind.type_kind = KINDS[name]
        return kind, rest
    else:
        raise ValueError(f"unknown type: {text!r}")
    if not rest.startswith(">"):
        raise ValueError(f"not a type: {text!r}")
    return kind, rest[1:].lstrip()


def _write(value: Any, kind: type_pb2.TypeProto, cell: value_pb2.ValueProto) -> None:
    """Write a Python value into a cell; an empty cell is NULL."""
    if value is None:
        return
    name = FIELDS[kind.type_kind]
    match name:
        case "numeric_value" | "bignumeric_value":
            setattr(cell, name, _scaled(value, SCALES[name]))
        case "date_value":
            cell.date_value = (value - EPOCH).days
        case "datetime_value":
            bits = value.year << 26 | value.month << 22 | value.day << 17 | _clock(value)
            cell.datetime_value.bit_field_datetime_seconds = bits
            cell.datetime_value.nanos = value.microsecond * 1000
        case "timestamp_value":
            cell.timestamp_value.FromDatetime(value.astimezone(dt.UTC).replace(tzinfo=None))
        case "array_value":
            cell.array_value.SetInParent()
            for item in value:
                _write(item, kind.array_type.element_type, cell.array_value.element.add())
        case "struct_value":
            cell.struct_value.SetInParent()
            for field in kind.struct_type.field:
                _write(value.get(field.field_name), field.field_type, cell.struct_value.field.add())
        case _:
            setattr(cell, name, value)


def _read(cell: value_pb2.ValueProto, kind: type_pb2.TypeProto) -> object:
    """Return the Python value of a cell."""
    name = cell.WhichOneof("value")
    if name is None:
        return None
    value = getattr(cell, name)
    match name:
        case "numeric_value" | "bignumeric_value":
            with localcontext(prec=100):
                value = Decimal(int.from_bytes(value, "little", signed=True)).scaleb(-SCALES[name])
        case "date_value":
            value = EPOCH + dt.timedelta(days=value)
        case "datetime_value":
            bits, micros = value.bit_field_datetime_seconds, value.nanos // 1000
            day = dt.date(bits >> 26, bits >> 22 & 15, bits >> 17 & 31)
            value = dt.datetime.combine(day, dt.time(bits >> 12 & 31, bits >> 6 & 63, bits & 63, micros))
        case "timestamp_value":
            value = EPOCH_UTC + dt.timedelta(seconds=value.seconds, microseconds=value.nanos // 1000)
        case "array_value":
            value = [_read(item, kind.array_type.element_type) for item in value.element]
        case "struct_value":
            pairs = zip(kind.struct_type.field, value.field, strict=True)
            value = {field.field_name: _read(item, field.field_type) for field, item in pairs}
    return value


def _clock(value: dt.datetime) -> int:
    return value.hour << 12 | value.minute << 6 | value.second


def _scaled(value: Decimal | int, scale: int) -> bytes:
    """Return a NUMERIC in the engine's encoding: value times 10^scale, little-endian two's complement."""
    with localcontext(prec=100):
        shifted = Decimal(value).scaleb(scale)
        if shifted != shifted.to_integral_value():
            raise ValueError(f"{value} has more than {scale} decimals")
    number = int(shifted)
    return number.to_bytes(number.bit_length() // 8 + 1, "little", signed=True)
