"""Files of equal content are found, whatever they are called and however they are compressed."""

from __future__ import annotations

import gzip
import os
from collections.abc import Mapping
from pathlib import Path
from unittest.mock import patch

import pytest

from rfm_pipeline.source import duplicates
from support.source_reader import open_test_source, read, sql_relation, write

HEADER = "order_id,customer_id,order_date,amount\n"
JANUARY = f"{HEADER}1,a,2026-01-05,10\n2,b,2026-01-20,20\n".encode()
FEBRUARY = f"{HEADER}3,a,2026-02-05,10\n4,b,2026-02-20,20\n".encode()
assert len(JANUARY) == len(FEBRUARY)


def equal_files(folder: Path, files: Mapping[str, bytes], pattern: str = "") -> dict[str, str]:
    """Write files; return those that equal an earlier file, each with that file, by name."""
    for name, content in files.items():
        write(folder / name, content)
    with open_test_source(folder / pattern if pattern else folder, folder.parent) as (source, _):
        numbered = source.numbered_files
        if numbered is None:
            return {}
        names = [str(Path(name).relative_to(folder)) for name in numbered.names]
        return {names[copy - 1]: names[first - 1] for copy, first in numbered.equal_to.items()}


CASES: Mapping[str, tuple[Mapping[str, bytes], Mapping[str, str]]] = {
    "two names": ({"a.csv": JANUARY, "a (1).csv": JANUARY}, {"a.csv": "a (1).csv"}),
    "equal size": ({"a.csv": JANUARY, "b.csv": FEBRUARY}, {}),
    "three copies": (
        {"a.csv": JANUARY, "b.csv": JANUARY, "c.csv": FEBRUARY, "d.csv": JANUARY},
        {"b.csv": "a.csv", "d.csv": "a.csv"},
    ),
    "two pairs": (
        {"a.csv": JANUARY, "b.csv": FEBRUARY, "c.csv": JANUARY, "d.csv": FEBRUARY},
        {"c.csv": "a.csv", "d.csv": "b.csv"},
    ),
    "in subfolders": (
        {"2026/01/orders.csv": JANUARY, "2026/02/orders.csv": JANUARY, "2026/03/orders.csv": FEBRUARY},
        {"2026/02/orders.csv": "2026/01/orders.csv"},
    ),
    "compressed": ({"a.csv": JANUARY, "a.csv.gz": gzip.compress(JANUARY)}, {"a.csv.gz": "a.csv"}),
    "compressed in two ways": (
        {"a.csv.gz": gzip.compress(JANUARY, 1), "b.csv.gz": gzip.compress(JANUARY, 9)},
        {"b.csv.gz": "a.csv.gz"},
    ),
    "compressed, of equal size": (
        {"a.csv.gz": gzip.compress(JANUARY), "b.csv.gz": gzip.compress(FEBRUARY)},
        {},
    ),
    "one line more": ({"a.csv": JANUARY, "b.csv": JANUARY + b"3,c,2026-01-30,5\n"}, {}),
    "other line ends": ({"a.csv": JANUARY, "b.csv": JANUARY.replace(b"\n", b"\r\n")}, {}),
    "headers alone": ({"a.csv": JANUARY, "b.csv": HEADER.encode(), "c.csv": HEADER.encode()}, {}),
    "empty files": ({"a.csv": JANUARY, "b.csv": b"", "c.csv": b""}, {}),
    "JSON": (
        {"a.jsonl": b'{"id": 1, "amount": 5}\n', "b.jsonl": b'{"id": 1, "amount": 5}\n'},
        {"b.jsonl": "a.jsonl"},
    ),
    "a readme is no table": (
        {"a.csv": JANUARY, "b.csv": JANUARY, "readme.txt": b"Orders of the shop.\nAsk Jo about them.\n"},
        {"b.csv": "a.csv"},
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_files_of_equal_content_are_found(case: str, tmp_path: Path) -> None:
    files, expected = CASES[case]
    assert equal_files(tmp_path / "in", files) == expected


def test_a_difference_after_the_first_bytes_is_noticed(tmp_path: Path) -> None:
    lines = HEADER + "1,a,2026-01-05,10\n" * 10_000
    files = {
        "a.csv": (lines + "2,b,2026-01-20,20\n").encode(),
        "b.csv": (lines + "2,b,2026-01-20,30\n").encode(),
    }
    assert equal_files(tmp_path / "in", files) == {}
    assert equal_files(tmp_path / "in", {"c.csv": files["a.csv"]}) == {"c.csv": "a.csv"}


@pytest.mark.parametrize("link", [os.link, os.symlink])
def test_a_link_to_a_file_is_that_file(link: object, tmp_path: Path) -> None:
    write(tmp_path / "in" / "a.csv", JANUARY)
    assert callable(link)
    link(tmp_path / "in" / "a.csv", tmp_path / "in" / "b.csv")
    assert equal_files(tmp_path / "in", {}) == {"b.csv": "a.csv"}


def test_files_of_a_glob_are_compared(tmp_path: Path) -> None:
    files = {"a.csv": JANUARY, "sub/a.csv": JANUARY, "sub/b.csv": FEBRUARY}
    assert equal_files(tmp_path / "in", files, "**/*.csv") == {"sub/a.csv": "a.csv"}
    assert equal_files(tmp_path / "in", {}, "sub/*.csv") == {}


def test_equal_files_of_two_hive_partitions_are_different(tmp_path: Path) -> None:
    for day in ("1", "2"):
        folder = tmp_path / "in" / f"day={day}"
        folder.mkdir(parents=True)
        sql_relation("SELECT 1 AS id, 5 AS amount").write_parquet(str(folder / "part-0.parquet"))
        sql_relation("SELECT 1 AS id, 5 AS amount").write_parquet(str(folder / "part-1.parquet"))
    expected = {f"day={day}/part-1.parquet": f"day={day}/part-0.parquet" for day in ("1", "2")}
    assert equal_files(tmp_path / "in", {}) == expected


def test_only_files_of_equal_size_and_beginning_are_read(tmp_path: Path) -> None:
    files = {"a.csv": JANUARY, "b.csv": FEBRUARY, "c.csv": JANUARY + b"9,z,2026-01-30,5\n", "d.csv": JANUARY}
    with patch.object(duplicates, "_content_hash", wraps=duplicates._content_hash) as hashed:
        equal_files(tmp_path / "in", files)
    assert [call.args[0][0].path.name for call in hashed.call_args_list] == ["a.csv", "d.csv"]


@pytest.mark.parametrize(
    ("files", "column"),
    [
        ({"a.csv": "id\n1\n2\n", "b.csv": "id\n3\n"}, "rfm_file"),
        ({"a.csv": "id;more\n1;x\n2;y\n", "b.csv": "id,more\n3,z\n"}, "rfm_file"),
        ({"a.csv": "id,RFM_file\n1,x\n2,y\n", "b.csv": "id,RFM_file\n3,z\n"}, "rfm_file_"),
        ({"a.csv": "id,file_index\n1,x\n2,y\n", "b.csv": "id,file_index\n3,z\n"}, "rfm_file"),
        ({"a[1].csv": "id,filename\n1,x\n2,y\n", "b*.csv": "id,filename\n3,z\n"}, "rfm_file"),
        ({"a.csv": b"id\n1\n2\n", "b.csv": "id\n3\n".encode("utf-16")}, "rfm_file"),
        ({"a.csv": "id\n1\n2\n", "b.csv": "", "c.csv": "id\n3\n"}, "rfm_file"),
        ({"a.jsonl": '{"id": 1}\n{"id": 2}\n', "b.jsonl": '{"id": 3}\n'}, "rfm_file"),
    ],
)
def test_each_row_has_the_number_of_its_file(
    files: Mapping[str, str | bytes], column: str, tmp_path: Path
) -> None:
    for name, content in files.items():
        write(tmp_path / "in" / name, content)
    with open_test_source(tmp_path / "in", tmp_path) as (source, connection):
        assert source.numbered_files is not None
        assert source.numbered_files.column == column
        rows = connection.execute(f"SELECT id, {column} FROM {source.relation} ORDER BY id").fetchall()
        assert rows == [("1", 1), ("2", 1), ("3", 2)]
        assert column not in [field.name for field in source.schema]


def test_a_single_file_is_not_numbered(tmp_path: Path) -> None:
    write(tmp_path / "a.csv", JANUARY)
    source = read(tmp_path / "a.csv", tmp_path).source
    assert source.numbered_files is None
    assert source.relation.startswith("read_csv(")


def test_many_equal_files_are_named_in_short(tmp_path: Path) -> None:
    files = {f"{number}.csv": JANUARY for number in range(1, 7)}
    for name, content in files.items():
        write(tmp_path / "in" / name, content)
    with open_test_source(tmp_path / "in", tmp_path) as (source, _):
        assert source.numbered_files is not None
        (note,) = source.numbered_files.duplicate_notes("left out")
    assert note.startswith(f"5 files left out: {tmp_path}/in/2.csv equals {tmp_path}/in/1.csv, ")
    assert note.endswith(" and 2 more")
