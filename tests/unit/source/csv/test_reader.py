"""CSV files are read without losing a row or changing a value, in any dialect."""

from __future__ import annotations

import csv
import gzip
import io
import re
import sys
from pathlib import Path

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rfm_pipeline.common.schema import Column, Kind
from support.lanes import max_examples
from support.source_reader import Row, open_test_source, read, read_error, sql_relation, write

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd


def test_values_are_read_as_unchanged_text(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", 'id,amount,at\n00123,1.50,03/04/2011\n17850.0,"1,234.5",not a date\n')
    result = read(path, tmp_path)
    assert result.rows == [("00123", "1.50", "03/04/2011"), ("17850.0", "1,234.5", "not a date")]
    assert result.source.schema == tuple(
        Column((name,), Kind.TEXT, "VARCHAR") for name in ("id", "amount", "at")
    )
    assert result.source.rows is None, "a CSV has no row count in metadata"
    assert result.source.notes == ()


def test_the_relation_runs_in_another_session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "it's [1].csv", "it's;b\n1;2\n")
    relation = read("it's [1].csv", tmp_path).source.relation
    assert relation.startswith("read_csv('it''s [[]1].csv', auto_detect = false, header = true, delim = ';'")
    assert "'it''s': 'VARCHAR'" in relation
    assert sql_relation(f"SELECT * FROM {relation}").fetchall() == [("1", "2")]


@pytest.mark.parametrize(
    ("delimiter", "note"), [(",", ""), (";", "semicolons"), ("\t", "tabs"), ("|", "vertical bars")]
)
def test_the_delimiter_is_detected_and_reported(tmp_path: Path, delimiter: str, note: str) -> None:
    rows = [["id", "amount", "text"], ["1", "2.50", "a, b; c"], ["2", "3", 'say "hi"']]
    buffer = io.StringIO()
    csv.writer(buffer, delimiter=delimiter).writerows(rows)
    result = read(write(tmp_path / "a.csv", buffer.getvalue()), tmp_path)
    assert result.columns == ("id", "amount", "text")
    assert result.rows == [("1", "2.50", "a, b; c"), ("2", "3", 'say "hi"')]
    assert note in result.notes
    assert bool(result.notes) == bool(note)


def test_a_column_name_of_many_characters_is_read(tmp_path: Path) -> None:
    name = "x" * 60_000
    result = read(write(tmp_path / "a.csv", f"id,{name}\n1,2\n"), tmp_path)
    assert result.columns == ("id", name)


def test_a_decimal_comma_is_not_taken_for_a_delimiter(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "Total, EUR;Customer\n12,50;a\n7,25;b\n")
    assert read(path, tmp_path).columns == ("Total, EUR", "Customer")


def test_delimiters_inside_quotes_are_ignored(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", 'id,"one; two; three; four"\n1,"a;b;c;d"\n2,"e;f;g;h"\n')
    assert read(path, tmp_path).rows == [("1", "a;b;c;d"), ("2", "e;f;g;h")]


def test_a_configured_delimiter_takes_precedence(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "a:b;c:d\n1:2;3:4\n")
    assert read(path, tmp_path, delimiter=":").columns == ("a", "b;c", "d")
    path = write(tmp_path / "b.csv", "a\tb\n1\t2\n")
    assert read(path, tmp_path, delimiter="tab").columns == ("a", "b")


def test_a_wrong_configured_delimiter_is_refused(tmp_path: Path) -> None:
    error = read_error(write(tmp_path / "a.csv", "id;amount\n1;2\n"), tmp_path, delimiter=",")
    assert "'id;amount'" in error.message
    assert "';'" in str(error.hint)


def test_the_sep_line_of_excel_sets_the_delimiter(tmp_path: Path) -> None:
    result = read(write(tmp_path / "a.csv", "sep=;\r\nid;amount\r\n1;2\r\n"), tmp_path)
    assert (result.columns, result.rows) == (("id", "amount"), [("1", "2")])


def test_single_quotes_around_all_names_are_quotes(tmp_path: Path) -> None:
    result = read(write(tmp_path / "a.csv", "'id','text'\n'1','a, b'\n'2','it''s'\n"), tmp_path)
    assert result.columns == ("id", "text")
    assert result.rows == [("1", "a, b"), ("2", "it's")]
    assert "single quotes" in result.notes


def test_an_apostrophe_is_not_a_quote(tmp_path: Path) -> None:
    assert read(write(tmp_path / "a.csv", "id,name\n1,O'Brien\n2,'t Hart\n"), tmp_path).rows == [
        ("1", "O'Brien"),
        ("2", "'t Hart"),
    ]


def test_backslash_escapes_are_detected(tmp_path: Path) -> None:
    result = read(write(tmp_path / "a.csv", 'id,text\n1,"say \\"hi\\", ok"\n'), tmp_path)
    assert result.rows == [("1", 'say "hi", ok')]


def test_quotes_can_be_switched_off(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tsv", 'id\ttext\n1\t"half open\n2\t5" wide\n')
    assert "read.quote" in str(read_error(path, tmp_path).hint)
    assert read(path, tmp_path, quote="").rows == [("1", '"half open'), ("2", '5" wide')]


# Lines


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_any_one_kind_of_line_end_is_read(tmp_path: Path, end: str) -> None:
    path = write(tmp_path / "a.csv", end.join(["id,text", "1,a", '2,"b"', "3,c", ""]))
    assert read(path, tmp_path).rows == [("1", "a"), ("2", "b"), ("3", "c")]


@pytest.mark.parametrize(
    "content",
    [
        "id,text\r\n1,a\n2,b\r\n3,c\n",
        "id,text\n1,a\n2,b\r\n3,c\r\n",
        "id,text\r\r\n1,a\r\r\n2,b\r\r\n3,c\r\r\n",
    ],
)
def test_mixed_line_ends_are_normalized(tmp_path: Path, content: str) -> None:
    result = read(write(tmp_path / "a.csv", content), tmp_path)
    assert result.rows == [("1", "a"), ("2", "b"), ("3", "c")]
    assert "line ends" in result.notes


def test_line_ends_that_change_after_the_head_are_detected(tmp_path: Path) -> None:
    content = "id,text\n" + "1,aaaaaaaaaaaaaaa\n" * 100_000 + "2,b\r\n"
    assert len(read(write(tmp_path / "a.csv", content), tmp_path).rows) == 100_001


def test_a_quoted_value_may_hold_line_breaks(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", 'id,text\r\n1,"two\r\nlines"\r\n2,"three\n\nlines"\r\n')
    assert read(path, tmp_path).rows == [("1", "two\r\nlines"), ("2", "three\n\nlines")]


@pytest.mark.parametrize("threads", [1, 2, 8])
def test_quoted_line_breaks_are_read_alike_with_any_number_of_threads(tmp_path: Path, threads: int) -> None:
    # 12 MB: DuckDB splits it into chunks; one that starts inside a value finds lines that look like records.
    inside = "\n".join(["8,9,10"] * 2000)
    path = write(tmp_path / "a.csv", "id,text,n\n" + "".join(f'{i},"{inside}\n",{i}\n' for i in range(900)))
    with open_test_source(path, tmp_path, threads=threads) as (source, connection):
        rows = connection.execute(
            f"SELECT COUNT(*), COUNT(DISTINCT id), MIN(LENGTH(text)), MAX(n::INT) FROM {source.relation}"
        ).fetchall()
    assert rows == [(900, 900, len(inside) + 1, 899)]


def test_a_file_without_quoted_line_breaks_is_read_in_parallel(tmp_path: Path) -> None:
    plain = write(tmp_path / "a.csv", 'id,text\r\n1,"quoted, ""twice"""\r\n2,b\r\n')
    assert "parallel" not in read(plain, tmp_path).source.relation
    broken = write(tmp_path / "b.csv", 'id,text\r\n1,"a\r\nb"\r\n')
    assert "parallel = false" in read(broken, tmp_path).source.relation


def test_blank_lines_are_skipped(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "\n\nid,text\n\n1,a\n\n\n2,b\n\n")
    assert read(path, tmp_path).rows == [("1", "a"), ("2", "b")]


def test_a_line_that_starts_with_a_hash_is_a_row(tmp_path: Path) -> None:
    assert read(write(tmp_path / "a.csv", "id,text\n#1,a\n#2,b\n"), tmp_path).rows == [
        ("#1", "a"),
        ("#2", "b"),
    ]


def test_a_last_line_without_line_end_is_a_row(tmp_path: Path) -> None:
    assert read(write(tmp_path / "a.csv", "id,text\n1,a\n2,b"), tmp_path).rows == [("1", "a"), ("2", "b")]


@pytest.mark.parametrize(
    ("line", "expected"), [("3,c,too,many", "more values than the 2 columns"), ("3", "1 of the 2 values")]
)
def test_the_error_for_a_line_of_another_width_has_its_number(
    tmp_path: Path, line: str, expected: str
) -> None:
    path = write(tmp_path / "a.csv", f"id,text\n1,a\n\n{line}\n4,d\n")
    error = read_error(path, tmp_path)
    assert error.message == f"{path}, line 4: it has {expected} of the header."


def test_the_error_has_the_right_file_and_line_number_far_down(tmp_path: Path) -> None:
    write(tmp_path / "in" / "a.csv", "id,text\n1,a\n")
    bad = write(
        tmp_path / "in" / "b.csv", "id,text\n" + "1,aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n" * 300_000 + "2\n"
    )
    assert read_error(tmp_path / "in", tmp_path).message.startswith(f"{bad}, line 300,002:")


def test_with_quoted_line_breaks_the_error_has_the_record_number(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", 'id,text\n1,"a\nb"\n2,c,d\n')
    assert f"{path}, record 3:" in read_error(path, tmp_path).message


def test_a_trailing_delimiter_on_each_line_is_an_unnamed_column(tmp_path: Path) -> None:
    result = read(write(tmp_path / "a.csv", "id,text,\n1,a,\n2,b,\n"), tmp_path)
    assert result.columns == ("id", "text", "column3")
    assert result.rows == [("1", "a", None), ("2", "b", None)]
    assert "columns without a name: 3" in result.notes


@pytest.mark.parametrize(
    ("body", "record"),
    [
        ('1,a\n2,"b\n3,c\n', 3),
        ('1,a\n2,"b', 3),
        ('1,a\n2,"', 3),
        ('1,"a\nb"\n2,"b\n3,c\n', 3),
        # A single quote inside an unquoted value makes the number of quotes even.
        ('1,5" wide\n2,"b\n3,c\n', 3),
        ('1,"a\nb"\n2,5" wide\n3, "b\n4,c\n', 4),
        ('1,"a\nb"\n2,"b" "\n3,c\n', 3),
        ('1,x"y\n"', 3),
        ('1,"a"b\n', 2),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_a_quote_that_is_never_closed_is_refused(
    tmp_path: Path, body: str, record: int, packed: bool
) -> None:
    content = f"id,text\n{body}".encode()
    path = write(
        tmp_path / ("a.csv.gz" if packed else "a.csv"), gzip.compress(content) if packed else content
    )
    error = read_error(path, tmp_path)
    location, _, fault = error.message.removeprefix(f"{path}, ").partition(": ")
    assert location in (f"line {record}", f"record {record}")
    assert fault == "a quoted value does not end where it should."


def test_a_quote_after_a_backslash_does_not_close_the_value(tmp_path: Path) -> None:
    error = read_error(write(tmp_path / "a.csv", 'id,text\n1,"a \\"b\\" c"\n2,"b\\"\n3,c\n'), tmp_path)
    assert ", record 3: a quoted value does not end" in error.message


@max_examples(60)
@given(
    pieces=st.lists(
        st.sampled_from(["a", "1", ",", ",", '"', '"', "\n", "\n", '""', " ", 'x"y', '"q"', '"q,\nr"']),
        max_size=14,
    )
)
def test_any_content_is_read_as_from_a_single_chunk_or_refused(
    tmp_path_factory: pytest.TempPathFactory, pieces: list[str]
) -> None:
    folder = tmp_path_factory.mktemp("any")
    path = write(folder / "a.csv", "h1,h2\n1,2\n" + "".join(pieces))
    # DuckDB reads a file of a single chunk correctly, also with quoted line breaks and unclosed quotes.
    plain = "auto_detect = false, header = true, delim = ',', quote = '\"', escape = '\"'"
    call = f"read_csv('{path}', {plain}, columns = {{'h1': 'VARCHAR', 'h2': 'VARCHAR'}})"
    try:
        expected = sorted(sql_relation(f"FROM {call}").fetchall(), key=repr)
    except duckdb.Error:
        read_error(path, folder)
    else:
        assert read(path, folder, delimiter=",", quote='"').rows == expected


# Headers


def test_column_names_are_spelled_as_in_the_header(tmp_path: Path) -> None:
    header = [
        "Customer ID",
        " padded ",
        "with,comma",
        'with "quotes"',
        "select",
        "Größe",
        "two\nlines",
        "it's",
        "?",
    ]
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerows([header, [str(n) for n in range(9)]])
    result = read(write(tmp_path / "a.csv", buffer.getvalue()), tmp_path)
    assert result.columns == tuple(header)
    assert result.rows == [tuple(str(n) for n in range(9))]


def test_a_duplicate_column_name_that_no_role_needs_is_numbered(tmp_path: Path) -> None:
    result = read(write(tmp_path / "a.csv", "id,Name,name,Name_2,NAME\n1,2,3,4,5\n"), tmp_path)
    assert result.columns == ("id", "Name", "name_2_", "Name_2", "NAME_3")
    assert "column 3, another `name`, is called `name_2_`" in result.notes


@pytest.mark.parametrize(
    ("header", "expected_parts"),
    [
        ("Order ID,b,Order ID", ["'Order ID' twice", "columns 1 and 3", "order_id"]),
        ("Amount,b,AMOUNT", ["'Amount'", "'AMOUNT'", "amount"]),
    ],
)
def test_a_duplicate_column_name_that_a_role_needs_is_asked_about(
    tmp_path: Path, header: str, expected_parts: list[str]
) -> None:
    path = write(tmp_path / "a.csv", f"{header}\n1,2,3\n")
    error = read_error(path, tmp_path)
    assert all(part in error.message for part in expected_parts)
    flags = re.findall(r"--([a-z-]+) (?:'([^']+)'|(\S+?))[ ;]", str(error.hint))
    role, name = flags[1][0].replace("-", "_"), flags[1][1] or flags[1][2]
    assert dict(zip(*read_columns(path, tmp_path, {role: name}), strict=True))[name] == "3"


def read_columns(path: Path, tmp_path: Path, columns: dict[str, str | None]) -> tuple[tuple[str, ...], Row]:
    result = read(path, tmp_path, columns=columns)
    return result.columns, result.rows[0]


def test_a_header_alone_is_a_table_without_rows(tmp_path: Path) -> None:
    result = read(write(tmp_path / "a.csv", "id,text"), tmp_path)
    assert (result.columns, result.rows) == (("id", "text"), [])


@pytest.mark.parametrize("content", ["", "\n\n \n"])
def test_a_file_without_even_a_header_is_refused(tmp_path: Path, content: str) -> None:
    assert "a.csv" in read_error(write(tmp_path / "a.csv", content), tmp_path).message


def test_a_first_line_of_values_is_reported_and_can_be_read_as_a_row(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "17850,2010-12-01,2.55\n17851,2010-12-02,3.10\n")
    assert "'17850' looks like a value" in read(path, tmp_path).notes
    result = read(path, tmp_path, header=False)
    assert result.columns == ("column1", "column2", "column3")
    assert result.rows == [("17850", "2010-12-01", "2.55"), ("17851", "2010-12-02", "3.10")]


# Compression


def test_a_partition_folder_adds_no_column_to_a_csv(tmp_path: Path) -> None:
    path = write(tmp_path / "day=2020-01-01" / "a.csv", "day,n\n1,2\n")
    assert read(path, tmp_path).rows == [("1", "2")]


def test_zstd_is_read_without_a_copy(tmp_path: Path) -> None:
    path = tmp_path / "a.csv.zst"
    sql_relation("SELECT i AS id, 'some text' AS text FROM range(50000) t(i)").write_csv(
        str(path), compression="zstd"
    )
    result = read(path, tmp_path)
    assert len(result.rows) == 50_000
    assert result.source.copies == {}
    # Frames may follow each other, and skippable frames (RFC 8878, section 3.1.2) may stand between them.
    whole, skippable = path.read_bytes(), b"\x50\x2a\x4d\x18\x03\x00\x00\x00abc"
    path = write(tmp_path / "frames.csv.zst", skippable + whole + skippable + whole + skippable)
    assert len(read(path, tmp_path).rows) == 100_001
    assert len(read(write(tmp_path / "misnamed.csv", whole), tmp_path).rows) == 50_000


@pytest.mark.parametrize("suffix", ["csv", "json"])
def test_a_damaged_zstd_file_is_refused(tmp_path: Path, suffix: str) -> None:
    rows = "SELECT i AS id, 'some text' AS text FROM range(50000) t(i)"
    path = tmp_path / f"a.{suffix}.zst"
    duckdb.connect().execute(f"COPY ({rows}) TO '{path}' (FORMAT {suffix}, COMPRESSION zstd)")
    whole = path.read_bytes()
    assert len(read(path, tmp_path).rows) == 50_000
    for content in (whole[: len(whole) // 2], whole[:-1], whole[:6], whole + b"more", whole + whole[:3]):
        error = read_error(write(path, content), tmp_path)
        assert error.message == f"{path} is damaged or incomplete."


def test_zstd_in_another_encoding_is_read(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv.zst", zstd.compress("id;text\n1;Müller\n".encode("cp1252")))
    assert read(path, tmp_path).rows == [("1", "Müller")]
    path = write(tmp_path / "a.jsonl.zst", zstd.compress('{"id": 1, "text": "Müller"}'.encode("utf-16")))
    assert read(path, tmp_path).rows == [("1", "Müller")]


def test_the_error_for_a_zstd_window_beyond_the_limit_says_so(tmp_path: Path) -> None:
    large = zstd.ZstdCompressor(options={zstd.CompressionParameter.window_log: 28})
    path = write(tmp_path / "a.csv.zst", large.compress(b"id,text\n1,a\n") + large.flush())
    assert "a window of more than 128 MiB" in read_error(path, tmp_path).message
