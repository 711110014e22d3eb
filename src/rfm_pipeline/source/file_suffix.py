"""File format and compression by file name suffix."""

from __future__ import annotations

from enum import StrEnum


class FileFormat(StrEnum):
    """Format of a table in a file."""

    CSV = "CSV"
    PARQUET = "Parquet"
    JSON = "JSON"
    EXCEL = "Excel"


_FORMATS = {
    "csv": FileFormat.CSV,
    "tsv": FileFormat.CSV,
    "tab": FileFormat.CSV,
    "psv": FileFormat.CSV,
    "txt": FileFormat.CSV,
    "parquet": FileFormat.PARQUET,
    "pq": FileFormat.PARQUET,
    "json": FileFormat.JSON,
    "jsonl": FileFormat.JSON,
    "ndjson": FileFormat.JSON,
    "xlsx": FileFormat.EXCEL,
    "xlsm": FileFormat.EXCEL,
    "xls": FileFormat.EXCEL,
    "xlsb": FileFormat.EXCEL,
    "ods": FileFormat.EXCEL,
}
_COMPRESSION_SUFFIXES = (".gz", ".zst")


def format_by_suffix(name: str) -> FileFormat | None:
    """Return the format for a file name's suffix, without `.gz` and `.zst`; None if the suffix is unknown.

    >>> format_by_suffix("Orders.CSV.gz")
    <FileFormat.CSV: 'CSV'>
    """
    name = name.lower()
    for compression in _COMPRESSION_SUFFIXES:
        name = name.removesuffix(compression)
    _, dot, suffix = name.rpartition(".")
    return _FORMATS.get(suffix) if dot else None


def has_compressed_suffix(name: str) -> bool:
    """Return whether a file name's suffix means that the whole file is compressed.

    >>> has_compressed_suffix("Orders.CSV.gz")
    True
    """
    return name.lower().endswith(_COMPRESSION_SUFFIXES)
