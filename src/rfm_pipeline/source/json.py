"""JSON files: an array of objects, or one object per line.

DuckDB infers types from the first 20,480 records and fails on a later value of another type. Therefore only
the structure is inferred: objects become structs, and all other values are read as text, as from a CSV file.
Lists and objects whose keys are data (maps), which no role can use, stay JSON.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

from rfm_pipeline.common.duckdb_engine import duckdb
from rfm_pipeline.common.duckdb_quoting import columns_literal, identifier, paths_literal
from rfm_pipeline.common.duckdb_types import describe_columns
from rfm_pipeline.config.source import SourceOptions
from rfm_pipeline.errors import SourceError
from rfm_pipeline.source.base import FileRead, Scan
from rfm_pipeline.source.encoding import HEAD_SIZE, convert_to_utf8, detect_encoding, encoding_label
from rfm_pipeline.source.errors import translate_read_errors
from rfm_pipeline.source.file_suffix import FileFormat
from rfm_pipeline.source.file_type import FileType, compression_argument, open_decompressed
from rfm_pipeline.source.files import SourceFile
from rfm_pipeline.source.headers import unique_column_names
from rfm_pipeline.source.temp_files import temp_path

# Files up to this size in bytes are sampled as a whole, so that a key that occurs late is found.
_FULL_SAMPLE_LIMIT = 32 << 20
_DEDUPLICATED = re.compile(r"(.+)_\d+")


def scan_json(
    files: Sequence[tuple[SourceFile, FileType]],
    options: SourceOptions,
    connection: duckdb.DuckDBPyConnection,
    temp_dir: Path,
) -> Scan:
    """Return the SQL that scans JSON files with their common structure.

    Raises:
        SourceError: If a file can't be read or does not contain objects.
    """
    copies: dict[str, str] = {}
    notes: dict[str, None] = {}
    paths = []
    compressions = set()
    for file, file_type in files:
        path, codec = _to_utf8(file, file_type, options, temp_dir)
        if path == file.path:
            compressions.add(tuple(compression_argument(path, file_type.compression)))
        else:
            copies[str(path)] = file.name
            compressions.add(())
            if codec != "utf-8-sig":
                notes[f"read as {encoding_label(codec)}"] = None
        paths.append(path)
    if len(compressions) > 1:
        raise SourceError(
            "The compression of some files differs from their suffix.",
            "correct the suffixes, or unpack all files.",
        )
    arguments = ["records = true", *compressions.pop(), "hive_partitioning = false"]
    literal = paths_literal(paths)
    with translate_read_errors(FileFormat.JSON, copies, files[0][0].name):
        columns = _infer_columns(connection, f"{literal}, {', '.join(arguments)}", files)
    arguments.append(f"columns = {columns_literal(columns)}")
    read = FileRead("read_json", tuple(paths), tuple(file for file, _ in files), tuple(arguments))
    return Scan(read.relation(), tuple(notes), copies, reads=(read,))


def _to_utf8(
    file: SourceFile, file_type: FileType, options: SourceOptions, temp_dir: Path
) -> tuple[Path, str]:
    """Return the path to read and the original encoding.

    The path is a UTF-8 copy if the file has another encoding, or a byte order mark, which DuckDB rejects in
    JSON.
    """
    with open_decompressed(file, file.path, file_type.compression) as stream:
        head = stream.read(HEAD_SIZE)
        codec = options.encoding or detect_encoding(head, file.name, whole=len(head) < HEAD_SIZE)
        if file_type.compression or head.lstrip()[:1] == b"[":
            _check_end(stream, file, head, is_compressed=file_type.compression is not None)
    if codec in {"utf-8", "ascii"}:
        return file.path, codec
    target = temp_path(temp_dir, file.path.name, ".json")
    convert_to_utf8(file, file.path, codec, target, compression=file_type.compression)
    return target, codec


def _check_end(stream: BinaryIO, file: SourceFile, head: bytes, *, is_compressed: bool) -> None:
    """Raise SourceError for what DuckDB reads without an error: a damaged file, or an array that is cut off.

    DuckDB ignores that a zstd file is truncated, the checksum of a gzip file, and that an array ends in a
    comma.
    """
    tail = head
    if not is_compressed and len(head) == HEAD_SIZE:
        stream.seek(-HEAD_SIZE, os.SEEK_END)
    while block := stream.read(HEAD_SIZE):
        tail = (tail + block)[-HEAD_SIZE:]
    if head.lstrip()[:1] == b"[" and tail.rstrip()[-1:] == b",":
        raise SourceError(f"{file.name} is cut off: its array ends in a comma.", "export it again.")


def _infer_columns(
    connection: duckdb.DuckDBPyConnection, call: str, files: Sequence[tuple[SourceFile, FileType]]
) -> list[tuple[str, str]]:
    name = files[0][0].name
    columns = _describe(connection, call, files)
    _check_duplicate_keys(connection, [column for column, _ in columns], call, name)
    column, type_ = columns[0]
    if len(columns) == 1 and type_.id == "list" and str(type_).startswith("STRUCT"):
        raise SourceError(
            f"{name} is a single object that contains the records in {column!r}.",
            f"extract the records first, for example: jq .{column} {name} > records.json",
        )
    return [(column, _as_text(type_)) for column, type_ in columns]


def _describe(
    connection: duckdb.DuckDBPyConnection, call: str, files: Sequence[tuple[SourceFile, FileType]]
) -> list[tuple[str, Any]]:
    size = sum(file.path.stat().st_size for file, _ in files)
    sample_size = -1 if size <= _FULL_SAMPLE_LIMIT else 20480
    sampling = (
        f"union_by_name = true, sample_size = {sample_size}, maximum_sample_files = {max(32, len(files))}"
    )
    try:
        return describe_columns(connection, f"SELECT * FROM read_json({call}, {sampling})")
    except duckdb.BinderException as error:
        if "expected records" not in str(error):
            raise
        # DuckDB takes records with very different keys for maps; without map inference they are records.
        sampling += ", map_inference_threshold = -1, field_appearance_threshold = 0"
        return describe_columns(connection, f"SELECT * FROM read_json({call}, {sampling})")


def _as_text(type_: Any) -> str:
    if type_.id == "struct":
        return (
            "STRUCT("
            + ", ".join(f"{identifier(name)} {_as_text(field)}" for name, field in type_.children)
            + ")"
        )
    return "JSON" if type_.id in {"list", "map", "array", "union"} else "VARCHAR"


def _check_duplicate_keys(
    connection: duckdb.DuckDBPyConnection, columns: Sequence[str], call: str, name: str
) -> None:
    """Raise SourceError if keys differ only in case: DuckDB renames the second of `ID` and `id` to `id_1`."""
    lower = {column.lower() for column in columns}
    renamed = [
        match[0]
        for column in columns
        if (match := _DEDUPLICATED.fullmatch(column)) and match[1].lower() in lower
    ]
    if not renamed:
        return
    objects = call.partition(", records")[0]
    sample = f"SELECT json FROM read_json_objects({objects}) LIMIT 20480"
    keys = connection.execute(f"SELECT DISTINCT UNNEST(json_keys(json)) FROM ({sample})").fetchall()
    unique_column_names(sorted(key for (key,) in keys), name)
