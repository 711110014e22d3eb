"""A path, a folder or a glob pattern selects all its files; the error is clear if there are none."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import pytest

from rfm_pipeline.source.files import reads_file
from support.source_reader import read, read_error, sql_relation, write

ROW = "id,text\n{},a\n"


def ids(*numbers: int) -> list[tuple[str, str]]:
    return [(str(number), "a") for number in numbers]


@pytest.mark.parametrize(
    "name",
    [
        "orders export.csv",
        "orders [1].csv",
        "a*b?.csv",
        "it's.csv",
        'double"quote.csv',
        "ünï.csv",
        "a{1,2}.csv",
        "100%.csv",
    ],
)
@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_a_path_with_special_characters_is_taken_literally(tmp_path: Path, name: str, suffix: str) -> None:
    path = tmp_path / f"{name}.{suffix}"
    if suffix == "parquet":
        sql_relation("SELECT '1' AS id, 'a' AS text").write_parquet(str(tmp_path / "p"))
        (tmp_path / "p").rename(path)
    else:
        write(path, ROW.format(1) if suffix == "csv" else '{"id": 1, "text": "a"}\n')
    write(tmp_path / f"orders 1.csv.{suffix}", "wrong,file\n1,2\n")
    write(tmp_path / f"axbx.csv.{suffix}", "wrong,file\n1,2\n")
    assert read(path, tmp_path).rows == ids(1)


def test_the_label_is_short(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        write(tmp_path / "exports" / f"{name}.csv", ROW.format(1))
    assert read(tmp_path / "exports" / "a.csv", tmp_path).source.label == "a.csv"
    assert read(tmp_path / "exports", tmp_path).source.label == f"3 files in {tmp_path / 'exports'}"
    assert read(tmp_path / "exports" / "[ab].csv", tmp_path).source.label.startswith("2 files, ")


def test_a_folder_is_searched_recursively_without_hidden_files(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    write(folder / "b.csv", ROW.format(2))
    write(folder / "a.CSV", ROW.format(1))
    write(folder / "2024" / "01" / "c.csv.gz", gzip.compress(ROW.format(3).encode()))
    for hidden in (".d.csv", ".git/e.csv", "_temporary/f.csv", "~$g.csv", "_SUCCESS", ".DS_Store"):
        write(folder / hidden, "other,columns\n9,9\n")
    result = read(folder, tmp_path)
    assert result.rows == ids(1, 2, 3)
    assert result.source.files == (folder / "2024/01/c.csv.gz", folder / "a.CSV", folder / "b.csv")
    assert result.source.size_bytes == sum(path.stat().st_size for path in result.source.files)
    assert result.source.notes == ()


def test_skipped_files_of_a_folder_are_reported(tmp_path: Path) -> None:
    write(tmp_path / "in" / "a.csv", ROW.format(1))
    write(tmp_path / "in" / "_b.csv", ROW.format(2))
    write(tmp_path / "in" / "read me.docx", "x")
    result = read(tmp_path / "in", tmp_path)
    assert result.rows == ids(1)
    assert "_b.csv, read me.docx" in result.notes


README = "Exported by the shop, at night\nAsk Ann, or Bob, about it\n"


@pytest.mark.parametrize("name", ["1.csv", "1.txt"])
def test_prose_in_a_folder_is_skipped_and_reported(tmp_path: Path, name: str) -> None:
    write(tmp_path / "in" / name, ROW.format(1))
    write(tmp_path / "in" / "deep" / name, ROW.format(2))
    write(tmp_path / "in" / "0 readme.txt", README)
    write(tmp_path / "in" / "licence.txt", "All rights reserved\nsince 1999\n")
    result = read(tmp_path / "in", tmp_path)
    assert result.columns == ("id", "text")
    assert result.rows == ids(1, 2)
    assert result.source.label == f"2 files in {tmp_path / 'in'}"
    assert result.source.files == (tmp_path / "in" / name, tmp_path / "in" / "deep" / name)
    assert "0 readme.txt, licence.txt (no column in common" in result.notes


def test_named_files_and_files_with_a_common_column_are_not_skipped(tmp_path: Path) -> None:
    write(tmp_path / "in" / "1.csv", ROW.format(1))
    write(tmp_path / "in" / "2.txt", "ID\tmore\n2\tb\n")
    assert read(tmp_path / "in", tmp_path).rows == [("1", "a", None), ("2", None, "b")]
    write(tmp_path / "in" / "3.csv", "other,columns\n3,c\n")
    assert len(read(tmp_path / "in", tmp_path).rows) == 3
    write(tmp_path / "in" / "4.txt", "prose\n")
    assert "prose" in read(tmp_path / "in" / "*", tmp_path).columns
    assert "prose" not in read(tmp_path / "in", tmp_path).columns


def test_links_between_folders_are_followed_once(tmp_path: Path) -> None:
    write(tmp_path / "in" / "a.csv", ROW.format(1))
    write(tmp_path / "elsewhere" / "b.csv", ROW.format(2))
    (tmp_path / "in" / "linked").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "round").symlink_to(tmp_path / "elsewhere")
    assert read(tmp_path / "in", tmp_path).rows == ids(1, 2)


def test_a_glob_finds_its_files(tmp_path: Path) -> None:
    for number, name in enumerate(("2024-01.csv", "2024-02.csv", "2025-01.csv", "deep/2024-03.csv"), start=1):
        write(tmp_path / "in" / name, ROW.format(number))
    assert read(tmp_path / "in/2024-*.csv", tmp_path).rows == ids(1, 2)
    assert read(tmp_path / "in/2024-0[13].csv", tmp_path).rows == ids(1)
    assert read(tmp_path / "in/**/2024-*.csv", tmp_path).rows == ids(1, 2, 4)


def test_a_named_file_with_an_unknown_suffix_is_read(tmp_path: Path) -> None:
    assert read(write(tmp_path / "orders.export", ROW.format(1)), tmp_path).rows == ids(1)
    assert read(write(tmp_path / "orders", ROW.format(1)), tmp_path).rows == ids(1)


def test_columns_are_matched_by_name_across_files(tmp_path: Path) -> None:
    write(tmp_path / "in" / "1.csv", "id,text\n1,a\n")
    write(tmp_path / "in" / "2.csv", "text;ID;extra\nb;2;x\n")
    write(tmp_path / "in" / "3.csv", "id,text\n3,c\n")
    result = read(tmp_path / "in", tmp_path)
    assert result.columns == ("id", "text", "extra")
    assert result.rows == [("1", "a", None), ("2", "b", "x"), ("3", "c", None)]
    assert "'extra' is missing from 2 of 3 files" in result.notes
    assert "semicolons between values (1 of 3 files)" in result.notes


def test_many_files_with_the_same_header_are_read_by_one_call(tmp_path: Path) -> None:
    for number in range(40):
        write(tmp_path / "in" / f"{number:03}.csv", ROW.format(number))
    result = read(tmp_path / "in", tmp_path)
    assert len(result.rows) == 40
    assert result.source.relation.count("read_csv") == 1


def test_empty_files_among_others_are_reported(tmp_path: Path) -> None:
    write(tmp_path / "in" / "1.csv", ROW.format(1))
    write(tmp_path / "in" / "2.csv", "")
    result = read(tmp_path / "in", tmp_path)
    assert result.rows == ids(1)
    assert "2.csv" in result.notes
    write(tmp_path / "in" / "1.csv", "")
    assert "All 2 files are empty" in read_error(tmp_path / "in", tmp_path).message


def test_the_error_for_two_formats_names_both_files(tmp_path: Path) -> None:
    write(tmp_path / "in" / "a.csv", ROW.format(1))
    write(tmp_path / "in" / "b.json", "[]")
    error = read_error(tmp_path / "in", tmp_path)
    assert "a.csv is CSV" in error.message
    assert "b.json is JSON" in error.message
    assert "*.csv" in str(error.hint)


# No files


def test_the_error_for_a_missing_file_suggests_the_closest_name(tmp_path: Path) -> None:
    write(tmp_path / "orders_2024.csv", ROW)
    write(tmp_path / "products.csv", ROW)
    error = read_error(tmp_path / "Orders_2042.csv", tmp_path)
    assert error.message == f"{tmp_path / 'Orders_2042.csv'} does not exist."
    assert "orders_2024.csv" in str(error.hint)
    assert read_error(tmp_path / "zzz.csv", tmp_path).hint == "check its spelling and the current folder."


def test_a_missing_folder_is_reported(tmp_path: Path) -> None:
    assert "nor does the folder" in read_error(tmp_path / "nowhere" / "a.csv", tmp_path).message


@pytest.mark.parametrize(
    ("pattern", "expected"), [("*.csv", "matches no file"), ("in*", "matches only folders")]
)
def test_a_glob_without_files_is_refused(tmp_path: Path, pattern: str, expected: str) -> None:
    (tmp_path / "inner").mkdir()
    assert expected in read_error(tmp_path / pattern, tmp_path).message


def test_a_folder_without_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "in" / "deep").mkdir(parents=True)
    assert "holds no files" in read_error(tmp_path / "in", tmp_path).message
    write(tmp_path / "in" / "notes.docx", "x")
    assert "only notes.docx" in read_error(tmp_path / "in", tmp_path).message


def test_a_delta_table_is_refused(tmp_path: Path) -> None:
    sql_relation("SELECT 1 AS id").write_parquet(str(tmp_path / "part.parquet"))
    write(tmp_path / "_delta_log" / "0.json", "{}")
    assert "Delta table" in read_error(tmp_path, tmp_path).message


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="nothing is forbidden to the superuser")
def test_a_file_without_permission_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", ROW)
    path.chmod(0)
    assert "no permission" in read_error(path, tmp_path).message


def test_a_permission_error_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "a.csv", ROW)

    def forbidden(self: Path, *_: object, **__: object) -> object:
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "open", forbidden)
    assert read_error(path, tmp_path).message == f"There is no permission to read {path}."


# Files that a source would read


@pytest.mark.parametrize(
    ("source", "read", "not_read"),
    [
        ("a", "a/new.csv a/b/new.txt a/b/old.csv", "new.csv a.csv"),
        ("a/old.csv", "a/old.csv", "a/new.csv a/OLD.json"),
        ("a/*.csv", "a/new.csv a/old.csv", "a/new.json a/b/new.csv new.csv a/.new.csv"),
        ("a/*", "a/new.csv a/new", "a/b/new.csv a/.new"),
        ("*/old.csv", "a/old.csv", "a/new.csv a/b/old.csv"),
        ("a/**/*.csv", "a/new.csv a/b/new.csv", "new.csv a/b/new.json"),
        ("**/*.csv", "new.csv a/new.csv a/b/new.csv", "new.json"),
        ("a/**", "a/new a/b/new", "new a/b/.new"),
        ("**", "new a/new", ".new"),
        ("*.[ct]sv", "new.csv new.tsv", "new.psv a/new.csv"),
    ],
)
def test_it_is_known_which_files_a_source_would_read(
    source: str, read: str, not_read: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a" / "b").mkdir(parents=True)
    for name in ("a/old.csv", "a/b/old.csv"):
        (tmp_path / name).touch()
    for pattern in (source, f"./{source}", str(tmp_path / source)):
        assert [name for name in read.split() if not reads_file(pattern, Path(name))] == []
        assert [name for name in not_read.split() if reads_file(pattern, tmp_path / name)] == []


@pytest.mark.skipif(os.name == "nt", reason="making a link takes a privilege on Windows")
@pytest.mark.parametrize("source", ["a", "a/*.csv", "a/**/*.csv", "a/old.csv"])
def test_a_file_that_a_source_reads_is_known_by_its_links(
    source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "old.csv").touch()
    (tmp_path / "symbolic").symlink_to("a/old.csv")
    (tmp_path / "hard").hardlink_to("a/old.csv")
    (tmp_path / "folder").symlink_to("a")
    for name in ("symbolic", "hard", "folder/old.csv"):
        assert reads_file(source, Path(name)), name
    assert reads_file(source, Path("folder/new.csv")) == (source != "a/old.csv")
