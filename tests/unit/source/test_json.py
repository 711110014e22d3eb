"""JSON objects are read as structs and values as text, so that no value of another type fails the scan."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from rfm_pipeline.common.schema import Kind
from support.source_reader import read, read_error, write

ORDERS = [
    {"id": 1, "amount": 2.5, "at": "2024-01-31", "customer": {"id": "00123", "tags": ["a"]}},
    {"id": "x-2", "amount": "n/a", "at": "03/04/2024", "customer": {"id": 7}},
]


@pytest.mark.parametrize("form", ["array", "pretty", "lines", "concatenated"])
@pytest.mark.parametrize("packed", [False, True])
def test_arrays_and_one_object_per_line_are_read_alike(tmp_path: Path, form: str, packed: bool) -> None:
    text = {
        "array": json.dumps(ORDERS),
        "pretty": json.dumps(ORDERS, indent=2),
        "lines": "\n".join(map(json.dumps, ORDERS)),
        "concatenated": "".join(map(json.dumps, ORDERS)),
    }[form]
    path = write(
        tmp_path / ("a.json.gz" if packed else "a.json"), gzip.compress(text.encode()) if packed else text
    )
    result = read(path, tmp_path)
    assert result.columns == ("id", "amount", "at", "customer")
    assert result.rows == [
        ("1", "2.5", "2024-01-31", {"id": "00123", "tags": '["a"]'}),
        ("x-2", "n/a", "03/04/2024", {"id": "7", "tags": None}),
    ]


def test_fields_of_nested_objects_are_columns_with_a_path(tmp_path: Path) -> None:
    schema = read(write(tmp_path / "a.json", json.dumps(ORDERS)), tmp_path).source.schema
    assert [(column.name, column.kind) for column in schema] == [
        ("id", Kind.TEXT),
        ("amount", Kind.TEXT),
        ("at", Kind.TEXT),
        ("customer", Kind.OTHER),
        ("customer.id", Kind.TEXT),
        ("customer.tags", Kind.OTHER),
    ]


def test_a_value_of_another_type_after_the_sample_is_read_as_text(tmp_path: Path) -> None:
    lines = [f'{{"id": {n}, "amount": 1.5}}' for n in range(30_000)] + ['{"id": "odd", "amount": null}']
    result = read(write(tmp_path / "a.jsonl", "\n".join(lines)), tmp_path)
    assert len(result.rows) == 30_001
    assert ("odd", None) in result.rows


def test_a_key_that_first_occurs_late_is_a_column(tmp_path: Path) -> None:
    lines = [f'{{"id": {n}}}' for n in range(30_000)] + ['{"id": 1, "late": "x"}']
    assert read(write(tmp_path / "a.jsonl", "\n".join(lines)), tmp_path).columns == ("id", "late")


def test_records_with_very_different_keys_are_not_taken_for_maps(tmp_path: Path) -> None:
    lines = [json.dumps({"id": n, f"k{n}": 1}) for n in range(500)]
    assert len(read(write(tmp_path / "a.jsonl", "\n".join(lines)), tmp_path).columns) == 501


def test_numbers_keep_all_digits(tmp_path: Path) -> None:
    path = write(tmp_path / "a.json", '[{"n": 12345678901234567890}, {"n": 0.1}, {"n": -2}, {"n": true}]')
    assert read(path, tmp_path).rows == [("-2",), ("0.1",), ("12345678901234567890",), ("true",)]


def test_several_files_are_matched_by_key(tmp_path: Path) -> None:
    write(tmp_path / "in" / "1.json", '[{"a": 1}]')
    write(tmp_path / "in" / "2.jsonl", '{"b": 2, "a": "x"}\n')
    write(tmp_path / "in" / "3.ndjson.gz", gzip.compress(b'{"b": 3}\n'))
    assert read(tmp_path / "in", tmp_path).rows == [("1", None), ("x", "2"), (None, "3")]


@pytest.mark.parametrize("codec", ["utf-8-sig", "utf-16", "cp1252"])
def test_other_encodings_and_byte_order_marks_are_read(tmp_path: Path, codec: str) -> None:
    path = write(tmp_path / "a.json", '[{"näme": "Müller"}]'.encode(codec))
    result = read(path, tmp_path)
    assert (result.columns, result.rows) == (("näme",), [("Müller",)])


def test_keys_with_special_characters_are_kept(tmp_path: Path) -> None:
    path = write(tmp_path / "a.json", json.dumps([{"it's": 1, "a b": {'x"y': 2, "c,d": 3}}]))
    result = read(path, tmp_path)
    assert result.rows == [("1", {'x"y': "2", "c,d": "3"})]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("[1, 2, 3]", "does not contain objects"),
        ("[]", "does not contain objects"),
        ('{"a": 1}\n{"a": 2', "not valid JSON"),
        ('[{"a": 1}, {"a": 2', "not valid JSON"),
        ('[{"a": 1}, {"a": 2},\n', "is cut off: its array ends in a comma"),
        ('{"a": 1}\nnot json\n', "record 2: it is not valid JSON"),
        ('{"a": 1, "a": 2}', "twice"),
        ('{"a": 1, "A": 2}', "'A' and a column 'a'"),
        ('{"n": {"a": 1, "A": 2}}', "twice"),
        ('{"orders": [{"id": 1}, {"id": 2}]}', "contains the records in 'orders'"),
        (b'{"a": "caf\xc3\xa9"}\n{"a": "caf\xe9"}\n', "not UTF-8"),
        (json.dumps({"orders": ["x" * 100] * 200_000}), "more than 16 MB"),
    ],
)
def test_json_that_is_not_a_table_is_refused(tmp_path: Path, content: str | bytes, expected: str) -> None:
    path = write(tmp_path / "a.json", content)
    error = read_error(path, tmp_path)
    assert expected in error.message
    assert "a.json" in error.message


def test_an_original_key_that_ends_in_a_number_is_kept(tmp_path: Path) -> None:
    assert read(write(tmp_path / "a.json", '[{"a": 1, "a_1": 2}]'), tmp_path).columns == ("a", "a_1")


@pytest.mark.parametrize("compress", [bytes, gzip.compress])
def test_an_array_that_is_cut_off_behind_a_comma_is_refused(
    tmp_path: Path, compress: Callable[[bytes], bytes]
) -> None:
    """DuckDB reads more than a megabyte of such an array without an error."""
    objects = b",\n".join(b'{"id": %d, "text": "%s"}' % (n, b"x" * 100) for n in range(15_000))
    path = write(tmp_path / "a.json", compress(b"[" + objects + b",\n"))
    assert read_error(path, tmp_path).message == f"{path} is cut off: its array ends in a comma."


def test_a_gzip_file_of_another_checksum_is_refused(tmp_path: Path) -> None:
    """DuckDB ignores the checksum."""
    content = bytearray(gzip.compress(b"".join(b'{"id": %d}\n' % n for n in range(200_000))))
    content[-8] ^= 1
    path = write(tmp_path / "a.jsonl.gz", bytes(content))
    assert read_error(path, tmp_path).message == f"{path} is damaged or incomplete."
