"""Parsing of --to: forms of the Parquet destination, and what is near to them."""

from __future__ import annotations

from pathlib import Path

import pytest

from rfm_pipeline.config.destination_location import (
    DuckDBDestinationLocation,
    ParquetDestinationLocation,
    parse_destination,
)
from rfm_pipeline.errors import ConfigurationError


@pytest.mark.parametrize(
    ("text", "file", "folder"),
    [
        ("segments.parquet", "segments.parquet", None),
        ("lake/segments.parquet", "lake/segments.parquet", None),
        ("lake/", "lake/rfm_segments.parquet", "lake"),
        ("existing", "existing/rfm_segments.parquet", "existing"),
        ("lake.parquet/", "lake.parquet/rfm_segments.parquet", "lake.parquet"),
        ("./a:b.parquet", "a:b.parquet", None),
    ],
)
def test_files_and_folders(
    text: str, file: str, folder: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("existing").mkdir()
    location = parse_destination(text)
    assert isinstance(location, ParquetDestinationLocation)
    assert location.file == Path(file)
    assert location.folder == (Path(folder) if folder else None)
    assert str(location) == text


def test_a_duckdb_file_may_be_called_as_it_likes() -> None:
    assert isinstance(parse_destination("duckdb:segments.parquet"), DuckDBDestinationLocation)


@pytest.mark.parametrize(
    "text",
    ["", "missing", "a.csv", ".parquet", "lake/.parquet", "A.PARQUET", "md:lake/", "parquet:a.parquet", "s3://a/",
     "s3://a/b.parquet", "https://example.com/b.parquet"],
)  # fmt: skip
def test_other_texts_are_refused(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigurationError):
        parse_destination(text)
