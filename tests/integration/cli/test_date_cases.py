"""Dates as people write them: exports are read right, or questioned with a hint that works."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path

import duckdb
import pytest

from support.cli import Outcome, Rfm
from support.databases import empty_database
from support.paths import TEST_DATA

CASES = TEST_DATA / "cases"


def figures(outcome: Outcome) -> tuple[int, int, str, str]:
    """Return customers, orders, revenue and as-of date of a result."""
    assert outcome.code == 0, outcome.stderr
    result = outcome.json
    return result["customers"], result["orders"], result["revenue"], result["as_of"]


def question(outcome: Outcome) -> tuple[str, str]:
    """Return message and hint of a question, each as one line."""
    assert outcome.code == 2, outcome
    message, _, hint = outcome.stderr.partition("hint: ")
    return " ".join(message.split()), " ".join(hint.split())


def choices(hint: str) -> list[list[str]]:
    """Return the arguments of each choice that a hint gives, as a shell splits them."""
    flags = re.findall(r"( or )?(--date-format (?:'[^']*'|[a-z_]+))", hint)
    arguments: list[list[str]] = [[]]
    for other, flag in flags:
        if other:
            arguments.append([])
        arguments[-1] += shlex.split(flag)
    return arguments


def orders(folder: Path, dates: Sequence[str]) -> Path:
    """Write a file with one order of one customer per date."""
    path = folder / "orders.csv"
    lines = [f'o{number};c{number};"{text}";10' for number, text in enumerate(dates, 1)]
    path.write_text("\n".join(["order_id;customer_id;order_date;amount", *lines, ""]), encoding="utf-8")
    return path


@pytest.mark.matrix
@pytest.mark.parametrize(
    ("name", "right", "read_as"),
    [
        ("d_de.csv", (2, 2, "20.00", "2024-01-25"), "%d.%m.%Y"),
        ("d_mon.csv", (2, 2, "20.00", "2024-02-13"), "%b %d, %Y"),
        ("d_slash.csv", (2, 2, "20.00", "2024-02-01"), None),
        ("d_yyyymmdd.csv", (2, 2, "20.00", "2024-02-15"), "%Y%m%d"),
        ("d_us_clear.csv", (2, 2, "11.00", "2024-01-25"), "%m/%d/%Y"),
        ("month_names.csv", (8, 40, "1980.00", "2024-07-16"), "%d-%b-%y"),
        ("two_digit_years.csv", (8, 40, "1980.00", "2024-07-16"), "%m/%d/%y"),
        ("iso_ampm.csv", (2, 2, "30.00", "2026-02-05"), None),
        ("dmy_tz.csv", (2, 2, "30.00", "2026-01-15"), "%d/%m/%Y"),
        ("d_epoch_s.csv", (3, 3, "30.00", "2024-03-01"), "epoch_s"),
        ("d_epoch_ms.csv", (2, 2, "20.00", "2024-02-01"), "epoch_ms"),
        ("epoch.csv", (7, 40, "1580.00", "2024-08-25"), "epoch_s"),
        ("d_serial.csv", (3, 3, "30.00", "2024-03-01"), "excel_serial"),
        ("xl_serial.xlsx", (2, 2, "30.00", "2026-01-06"), "excel_serial"),
    ],
)
def test_a_case_is_read_right_and_says_how(
    rfm: Rfm, name: str, right: tuple[int, int, str, str], read_as: str | None
) -> None:
    outcome = rfm("run", CASES / name, "--json")
    assert figures(outcome) == right
    notes = [note for note in outcome.json["notes"] if note.startswith("dates in")]
    assert len(notes) == (1 if read_as else 0)
    assert all(f" read as {read_as}" in note for note in notes)


def test_the_offset_of_a_date_moves_it_to_the_time_zone(rfm: Rfm) -> None:
    rfm("run", CASES / "dmy_tz.csv", "--timezone", "Asia/Tokyo", "--to", "duckdb:t.duckdb")
    with duckdb.connect("t.duckdb") as connection:
        days = connection.execute("SELECT last_order_date FROM rfm_segments ORDER BY customer_id").fetchall()
    assert days == [(date(2026, 1, 6),), (date(2026, 1, 15),)]


def test_formats_that_contradict_each_other_are_a_question(rfm: Rfm) -> None:
    message, hint = question(rfm("run", CASES / "d_mixed.csv"))
    assert "`order_date`" in message
    assert "iso does not read 25/01/2024 (1), 02/13/2024 (1)" in message
    second_choice = ["--date-format", "iso", "--date-format", "%m/%d/%Y"]
    assert choices(hint) == [["--date-format", "iso", "--date-format", "%d/%m/%Y"], second_choice]
    for flags, newest in zip(choices(hint), ("2024-02-01", "2024-02-13"), strict=True):
        outcome = rfm("run", CASES / "d_mixed.csv", *flags, "--to", f"duckdb:{newest}.duckdb", "--json")
        assert figures(outcome) == (3, 3, "30.00", newest)
        assert outcome.json["rows"]["excluded"]["invalid_date"] == 1


QUESTIONS = (
    ["03/04/2024", "05/06/2024"],
    ["03.04.2024 10:00", "05.06.2024 11:00"],
    ["03/04/24", "05/06/24"],
    ["24-01-05", "24-01-15", "24-02-20"],
    ["03042024", "05062024"],
    ["2024-01-05", "2024-02-05", "03/04/2024"],
    ["2024-01-05", "25/01/2024"],
    ["25/01/2024", "26/01/2024", "01/25/2024"],
    ["1704067200", "1704067201", "2024-01-05"],
    ["45292", "45293", "2024-01-05"],
    ["5 Jan 2024", "6 Jan 2024", "03/04/2024"],
    ["01/02/2024", "2024-01-05 10:00", "Jan 5, 2024"],
)


@pytest.mark.matrix
@pytest.mark.parametrize("dates", QUESTIONS)
def test_a_hint_that_is_followed_publishes(dates: Sequence[str], rfm: Rfm, tmp_path: Path) -> None:
    path = orders(tmp_path, dates)
    _, hint = question(rfm("check", path))
    assert question(rfm("run", path))[1] == hint
    assert all(choices(hint))
    for number, flags in enumerate(choices(hint)):
        outcome = rfm("run", path, *flags, "--to", f"duckdb:{number}.duckdb", "--json")
        assert outcome.code == 0, outcome.stderr
        assert not any(note.startswith("dates in") for note in outcome.json["notes"])


@pytest.mark.matrix
@pytest.mark.parametrize(
    ("dates", "wrong"),
    [
        (["25/01/2024", "03/04/2024", "05/06/2024"], "%m/%d/%Y"),
        (["2024-01-05", "2024-01-06"], "%d/%m/%Y"),
        (["1704067200000"], "epoch_s"),
        (["Jan 5, 2024"], "%d.%m.%Y"),
    ],
)
def test_a_configured_format_that_the_values_contradict_is_refused(
    dates: Sequence[str], wrong: str, rfm: Rfm, tmp_path: Path
) -> None:
    path = orders(tmp_path, dates)
    message, hint = question(rfm("run", path, "--date-format", wrong))
    assert f"The date format {wrong} reads" in message
    ((*flags,),) = choices(hint)
    assert rfm("run", path, *flags).code == 0


def long_file(folder: Path, last: str, written: str = "%Y-%m-%d") -> Path:
    """Write more rows than a sample has, of which only the last one has a date in another form."""
    days = [f"{date(2024, 1, 1) + timedelta(days=number % 300):{written}}" for number in range(2100)]
    return orders(folder, [*days, last])


def test_an_ambiguous_date_after_the_sample_stops_the_run(rfm: Rfm, tmp_path: Path) -> None:
    path = long_file(tmp_path, "03/04/2024")
    message, hint = question(rfm("run", path))
    assert "03/04/2024" in message
    for number, flags in enumerate(choices(hint)):
        outcome = rfm("run", path, *flags, "--to", f"duckdb:{number}.duckdb", "--json")
        assert outcome.json["rows"]["kept"] == 2101


@pytest.mark.slow
def test_a_late_date_in_another_form_is_excluded_with_an_example(rfm: Rfm, tmp_path: Path) -> None:
    outcome = rfm("run", long_file(tmp_path, "02/13/2024", "%d/%m/%Y"), "--json")
    assert outcome.code == 0
    assert outcome.json["rows"]["excluded"]["invalid_date"] == 1
    assert "02/13/2024" in rfm("run", tmp_path / "orders.csv", "--to", "duckdb:b.duckdb").stdout


@pytest.mark.slow
def test_a_date_after_the_sample_decides_which_number_is_the_day(rfm: Rfm, tmp_path: Path) -> None:
    ambiguous = [f"{1 + number % 12:02}/{1 + number % 11:02}/2024" for number in range(2100)]
    outcome = rfm("run", orders(tmp_path, [*ambiguous, "25/01/2024"]), "--json")
    assert any("read as %d/%m/%Y" in note for note in outcome.json["notes"])
    assert outcome.json["rows"]["kept"] == 2101
    message, hint = question(rfm("run", orders(tmp_path, [*ambiguous, "25/01/2024", "01/25/2024"])))
    assert "both fit 2,101 values" in message
    assert choices(hint) == [["--date-format", "%d/%m/%Y"], ["--date-format", "%m/%d/%Y"]]


@pytest.mark.matrix
@pytest.mark.parametrize(
    ("values", "right"),
    [
        ("TIMESTAMPTZ_NS '2024-01-05 23:30:00+00'", "2024-01-06"),
        ("TIMESTAMP_NS '2024-01-05 23:30:00'", "2024-01-05"),
        ("1704497400::BIGINT", "2024-01-06"),
        ("1704497400000::BIGINT", "2024-01-06"),
        ("20240105::INTEGER", "2024-01-05"),
        ("45296.98::DOUBLE", "2024-01-05"),
        ("45296.98::DECIMAL(9, 2)", "2024-01-05"),
    ],
)
def test_columns_of_parquet_are_read_by_their_type(values: str, right: str, rfm: Rfm, tmp_path: Path) -> None:
    path = tmp_path / "orders.parquet"
    with empty_database() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute(
            f"COPY (SELECT 'o1' AS order_id, 'c1' AS customer_id, {values} AS order_date, 10.0 AS amount)"
            f" TO '{path}'"
        )
    assert rfm("run", path, "--timezone", "Asia/Kolkata", "--json").json["as_of"] == right


def test_a_date_and_a_time_in_two_columns_are_told(rfm: Rfm, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(
        "Date,Time,Time Zone,order_id,customer_id,amount\n"
        "2026-06-01,23:30:00,Eastern Time (US & Canada),o1,c1,5\n",
        encoding="utf-8",
    )
    notes = rfm("run", path, "--json").json["notes"]
    assert "`Date` is taken as the local date; `Time` and `Time Zone` are not applied" in notes
