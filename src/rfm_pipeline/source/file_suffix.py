"""What a file's name says about its format."""

from __future__ import annotations

from enum import StrEnum


class Format(StrEnum):
    """How a table is written in a file."""

    CSV = "CSV"
    PARQUET = "Parquet"
    JSON = "JSON"
    EXCEL = "Excel"


_FORMATS = {
    "csv": Format.CSV,
    "tsv": Format.CSV,
    "tab": Format.CSV,
    "psv": Format.CSV,
    "txt": Format.CSV,
    "parquet": Format.PARQUET,
    "pq": Format.PARQUET,
    "json": Format.JSON,
    "jsonl": Format.JSON,
    "ndjson": Format.JSON,
    "xlsx": Format.EXCEL,
    "xlsm": Format.EXCEL,
    "xls": Format.EXCEL,
    "xlsb": Format.EXCEL,
    "ods": Format.EXCEL,
}
_COMPRESSED = (".gz", ".zst")


def format_by_suffix(name: str) -> Format | None:
    """The format that a file's suffix names; None for a suffix that names none.

    >>> format_by_suffix("Orders.CSV.gz")
    <Format.CSV: 'CSV'>
    """
    name = name.lower()
    for ending in _COMPRESSED:
        name = name.removesuffix(ending)
    _, dot, suffix = name.rpartition(".")
    return _FORMATS.get(suffix) if dot else None


def is_compressed(name: str) -> bool:
    """Whether a file's suffix says that it is compressed as a whole.

    >>> is_compressed("Orders.CSV.gz")
    True
    """
    return name.lower().endswith(_COMPRESSED)
