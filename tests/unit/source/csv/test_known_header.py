"""Files with a known header row are read as detection would read them, with few opens and in one pass."""

from __future__ import annotations

import builtins
import io
import os
import shutil
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rfm_pipeline.common.duckdb_engine import execute_interruptibly
from rfm_pipeline.config.source import SourceOptions
from rfm_pipeline.errors import RfmError
from rfm_pipeline.source.csv import reader
from rfm_pipeline.source.csv.dialect import detect_dialect
from rfm_pipeline.source.csv.known_header import KnownHeader
from rfm_pipeline.source.csv.reader import scan_csv
from rfm_pipeline.source.file_type import detect_file_types
from rfm_pipeline.source.files import find_files
from rfm_pipeline.warehouse.duckdb import warehouse
from support.cli import Rfm
from support.lanes import max_examples
from support.orders import contents
from support.source_reader import open_test_source

HEADER = "customer_id,order_id,ordered_at,amount"
PLAIN = "c1,o1,2024-01-02,5.00\nc2,o2,2024-01-03,1.50\n"
# What changes how a file is read, or nearly does.
CELLS = (
    "c1", "o7", "2024-01-02", "12.50", "", " ", "Total", "total 5", "Grand Total:", "Zoë", "O'Brien", '"a,b"',
    '"', "\\", "a;b", "a\tb", "x|y", "records: 2", "=-", "Summe",
)  # fmt: skip
row = st.lists(st.sampled_from(CELLS), min_size=4, max_size=4)
line = st.one_of(
    st.tuples(*map(st.sampled_from, (("c1", "c2", ""), ("o1", "o2", ""), ("2024-01-02",), ("5", ""))))
    .map(list)
    .map(",".join),
    row.map(",".join),
    st.lists(st.sampled_from(CELLS), max_size=6).map(",".join),
)
body = st.tuples(st.lists(line, max_size=6), st.sampled_from(["\n", "\n", "\r\n", "\r"]), st.booleans()).map(
    lambda parts: parts[1].join([*parts[0], ""] if parts[2] else parts[0])
)


def scan(folder: Path) -> Any:
    """Return all that opening the files of a folder has as a result, or its error."""
    matched = find_files(str(folder))
    copies = folder.with_name(f"{folder.name}-copies")
    shutil.rmtree(copies, ignore_errors=True)
    try:
        files, _ = detect_file_types(matched.files)
        found = scan_csv(files, SourceOptions(), copies, from_folder=True)
    except RfmError as error:
        return str(error)
    return (found.relation, found.notes, found.rows, found.skipped_files, found.total_rows, found.copies)


@given(st.lists(body, min_size=1, max_size=3), st.sampled_from(["\n", "\r\n"]))
@example(["c1,o1,2024-01-02,5\nTotal,,,5"], "\n")
@example(["c1,o1,2024-01-02,5\nGrand Total,o2,2024-01-03,5"], "\n")
@example(["c1,o1,2024-01-02,5\n,,2024-01-02,6\n,,2024-01-02,7\n"], "\n")
@example(["c1,o1,2024-01-02,5\n\n"], "\n")
@example(["c1\n,,2024-01-02,5"], "\n")
@max_examples(200)
def test_a_file_with_a_known_header_row_is_read_as_detection_would(
    tmp_path_factory: pytest.TempPathFactory, bodies: list[str], line_end: str
) -> None:
    folder = tmp_path_factory.mktemp("files")
    plain = PLAIN.replace("\n", line_end)
    for number, text in enumerate([plain, *bodies]):
        (folder / f"{number}.csv").write_bytes(f"{HEADER}{line_end}{text}".encode())
    found = scan(folder)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(KnownHeader, "of", lambda *_: None)
        assert found == scan(folder)


@given(st.lists(body, min_size=2, max_size=4))
@max_examples(60)
def test_packed_files_have_the_rows_of_the_files(
    tmp_path_factory: pytest.TempPathFactory, bodies: list[str]
) -> None:
    folder = tmp_path_factory.mktemp("files")
    texts = [PLAIN, "c1,o1,2024-01-02,5\r\nc2,o2,2024-01-03,\r\n", PLAIN, "Zoë,o9,2024-01-02,'1'", *bodies]
    for number, text in enumerate(texts):
        (folder / f"{number}.csv").write_bytes(f"{HEADER}\n{text}".encode())
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("rfm_pipeline.source.packed._FEWEST_FILES", 1)
        # DuckDB refuses a line with too many values in both.
        with (
            suppress(RfmError, duckdb.Error),
            open_test_source(folder, folder.with_name(f"{folder.name}-copies")) as (source, connection),
        ):
            rows = connection.execute(f"SELECT * FROM {source.relation}").fetchall()
            assert source.packed_relation
            packed = connection.execute(f"SELECT * FROM {source.packed_relation}").fetchall()
            assert sorted(packed, key=repr) == sorted(rows, key=repr)


def test_a_file_of_many_is_opened_and_detected_a_bounded_number_of_times(
    rfm: Rfm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "orders").mkdir()
    for number in range(150):
        text = f"{HEADER}\nc{number % 30},o{number},2024-01-{number % 28 + 1:02},5.{number % 100:02}\n"
        (tmp_path / "orders" / f"{number:03}.csv").write_text(text, encoding="utf-8")
    opened, detected, statements = Counter[str](), list[str](), list[str]()
    counts: dict[str, Any] = {"open": builtins.open, "os.open": os.open}

    def counting(name: str) -> Any:
        def open_(path: Any, *arguments: Any, **named: Any) -> Any:
            opened[os.path.basename(os.fspath(path)) if not isinstance(path, int) else ""] += 1  # noqa: PTH119
            return counts[name](path, *arguments, **named)

        return open_

    monkeypatch.setattr(io, "open", counting("open"))
    monkeypatch.setattr(os, "open", counting("os.open"))

    def detect(*arguments: Any) -> Any:
        detected.append(arguments[1])
        return detect_dialect(*arguments)

    def execute(*arguments: Any) -> None:
        statements.append(arguments[1])
        execute_interruptibly(*arguments)

    monkeypatch.setattr(reader, "detect_dialect", detect)
    monkeypatch.setattr(warehouse, "execute_interruptibly", execute)
    outcome = rfm("run", "orders")
    assert outcome.code == 0, outcome.stderr
    assert "150 lines read, 150 kept" in outcome.stdout
    assert len(detected) == 1, "the dialect of the first file"
    by_file = [count for name, count in opened.items() if name.endswith(".csv") and name[:3].isdigit()]
    # Its content once; its end before the run, after planning, after staging and before publishing.
    assert len(by_file) == 150
    assert max(by_file) <= 6
    assert len(statements) <= 6, "as many as for a source of one file"
    assert not any("149.csv" in statement for statement in statements), "DuckDB scans one packed copy"
    assert "rfm.duckdb" in contents(tmp_path)
