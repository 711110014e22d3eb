"""JSON: an array of objects, or one object a line.

DuckDB types a JSON file by its first 20,480 records, and fails on a later value of another type. So it is
asked for the structure only: objects stay structs, and every value in them is read as text, as from a CSV.
What no role takes (lists, and objects whose keys are data) stays JSON.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rfm_pipeline.common.duckdb_engine import duckdb
from rfm_pipeline.common.duckdb_quoting import columns_literal, identifier, paths_literal
from rfm_pipeline.common.duckdb_types import describe_columns
from rfm_pipeline.config.source import SourceOptions
from rfm_pipeline.errors import SourceError
from rfm_pipeline.source.base import Scan
from rfm_pipeline.source.encoding import HEAD, find_encoding, recode, spoken
from rfm_pipeline.source.errors import translate_read_errors
from rfm_pipeline.source.file_suffix import Format
from rfm_pipeline.source.file_type import Identity, compression_argument, unpacked
from rfm_pipeline.source.files import SourceFile
from rfm_pipeline.source.headers import checked_names
from rfm_pipeline.source.temp_files import temp_path

# Up to here a file is sampled whole, so that a key that comes late is seen.
_SAMPLED_WHOLE = 32 << 20
_DEDUPLICATED = re.compile(r"(.+)_\d+")


def scan_json(
    files: Sequence[tuple[SourceFile, Identity]],
    options: SourceOptions,
    connection: duckdb.DuckDBPyConnection,
    scratch: Path,
) -> Scan:
    """Finds the structure of JSON files, and the text that reads them.

    Raises:
        SourceError: One of them can't be read, or does not hold objects.
    """
    copies: dict[str, str] = {}
    notes: dict[str, None] = {}
    paths = []
    compressions = set()
    for file, identity in files:
        path, codec = _in_utf8(file, identity, options, scratch)
        if path == file.path:
            compressions.add(tuple(compression_argument(path, identity.compression)))
        else:
            copies[str(path)] = file.name
            compressions.add(())
            if codec != "utf-8-sig":
                notes[f"read as {spoken(codec)}"] = None
        paths.append(path)
    if len(compressions) > 1:
        raise SourceError(
            "Some of the files are not compressed as their names say.",
            "name those that are, or unpack them all.",
        )
    arguments = ["records = true", *compressions.pop(), "hive_partitioning = false"]
    literal = paths_literal(paths)
    with translate_read_errors(Format.JSON, copies, files[0][0].name):
        columns = _structure(connection, f"{literal}, {', '.join(arguments)}", files)
    relation = f"read_json({literal}, {', '.join(arguments)}, columns = {columns_literal(columns)})"
    return Scan(relation, tuple(notes), copies)


def _in_utf8(file: SourceFile, identity: Identity, options: SourceOptions, scratch: Path) -> tuple[Path, str]:
    """The file, or a copy in UTF-8 without a byte order mark, which DuckDB takes for a fault in JSON."""
    with unpacked(file, file.path, identity.compression) as stream:
        head = stream.read(HEAD)
        codec = options.encoding or find_encoding(head, file.name, whole=len(head) < HEAD)
        if identity.compression == "zstd":
            # DuckDB reads a zstd file that was cut off up to the cut, without an error.
            while stream.read(HEAD):
                pass
    if codec in {"utf-8", "ascii"}:
        return file.path, codec
    target = temp_path(scratch, file.path.name, ".json")
    recode(file, file.path, codec, target, compression=identity.compression)
    return target, codec


def _structure(
    connection: duckdb.DuckDBPyConnection, call: str, files: Sequence[tuple[SourceFile, Identity]]
) -> list[tuple[str, str]]:
    name = files[0][0].name
    columns = _sniffed(connection, call, files)
    _refuse_two_spellings(connection, [column for column, _ in columns], call, name)
    column, type_ = columns[0]
    if len(columns) == 1 and type_.id == "list" and str(type_).startswith("STRUCT"):
        raise SourceError(
            f"{name} is a single object, whose records are inside of {column!r}.",
            f"take them out first, for example: jq .{column} {name} > records.json",
        )
    return [(column, _as_text(type_)) for column, type_ in columns]


def _sniffed(
    connection: duckdb.DuckDBPyConnection, call: str, files: Sequence[tuple[SourceFile, Identity]]
) -> list[tuple[str, Any]]:
    size = sum(file.path.stat().st_size for file, _ in files)
    records = -1 if size <= _SAMPLED_WHOLE else 20480
    sampling = f"union_by_name = true, sample_size = {records}, maximum_sample_files = {max(32, len(files))}"
    try:
        return describe_columns(connection, f"SELECT * FROM read_json({call}, {sampling})")
    except duckdb.BinderException as error:
        if "expected records" not in str(error):
            raise
        # Records whose keys differ much look like maps; with maps ruled out, they are records.
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


def _refuse_two_spellings(
    connection: duckdb.DuckDBPyConnection, columns: Sequence[str], call: str, name: str
) -> None:
    """DuckDB renames the second of `ID` and `id` to `id_1`; the keys themselves tell."""
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
    checked_names(sorted(key for (key,) in keys), name)
