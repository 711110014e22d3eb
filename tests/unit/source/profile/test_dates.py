"""How the profile finds the format of order dates, or asks for it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence

import pytest

from rfm_pipeline.common.date_formats import check_format
from rfm_pipeline.common.schema import Column, Kind
from rfm_pipeline.config.column_mapping import ColumnMapping
from rfm_pipeline.config.loader import Configuration
from rfm_pipeline.errors import ColumnError
from rfm_pipeline.source.profile.dates import (
    DateDecision,
    are_times_of_day,
    detect_date_formats,
    late_date_choices,
    read_dates,
)
from rfm_pipeline.source.profile.sample import Sample
from support.databases import empty_database

DETECTED: tuple[tuple[Sequence[str], Sequence[str]], ...] = (
    (["2024-01-05", "2024-02-01 10:00"], ["iso"]),
    (["2024-01-05T10:00:00Z", "2024-02-01T10:00:00+02:00"], ["iso"]),
    (["2024/01/05", "2024/2/1 10:00"], ["iso"]),
    (["2026-01-05 10:00 AM", "2026-02-05 01:00:00 PM"], ["iso"]),
    (["2026-06-01 23:45:10 +0100"], ["iso"]),
    (["05.01.2024 13:45", "25.01.2024 10:00"], ["%d.%m.%Y"]),
    (["5. 1. 2024", "25. 1. 2024"], ["%d. %m. %Y"]),
    (["05-01-2024", "25-01-2024"], ["%d-%m-%Y"]),
    (["05/01/2024", "25/01/2024 13:45", "26/01/2024 13:45:10 +0100"], ["%d/%m/%Y"]),
    (["25/01/2024", "05.02.2024"], ["%d/%m/%Y", "%d.%m.%Y"]),
    (["25/01/2024", "05/02/24"], ["%d/%m/%Y", "%d/%m/%y"]),
    (["1/25/2024", "12/31/2023"], ["%m/%d/%Y"]),
    (["1/5/2024, 1:45:10 PM", "1/25/2024, 9:00:00 AM"], ["%m/%d/%Y"]),
    (["01/03/24", "01/13/24"], ["%m/%d/%y"]),
    (["03.01.24", "13.01.24"], ["%d.%m.%y"]),
    (["05-01-24", "15-01-24", "20-02-24"], ["%d-%m-%y"]),
    (["99-12-31", "99-12-30"], ["%y-%m-%d"]),
    (["2024-25-01"], ["%Y-%d-%m"]),
    (["Jan 5, 2024", "Feb 13, 2024"], ["%b %d, %Y"]),
    (["Jun 12, 2026 13:05:33 PM", "Jun 1, 2026 00:05:33 AM"], ["%b %d, %Y"]),
    (["03-Jan-24", "08-Jan-24"], ["%d-%b-%y"]),
    (["05-oct.-26", "06-févr.-26"], ["%d-%b-%y"]),
    (["Jun-01-26", "Jun-15-26"], ["%b-%d-%y"]),
    (["3 März 2024", "14. Dezember 2024"], ["%d %b %Y"]),
    (["5 de enero de 2026", "6 de fevereiro de 2026"], ["%d %b %Y"]),
    (["Mon, 05 Jan 2026 23:00:00 GMT"], ["%d %b %Y"]),
    (["2024 Mar 5"], ["%Y %b %d"]),
    (["Jan 5, 2024", "5 Jan 2024"], ["%b %d, %Y", "%d %b %Y"]),
    (["2024-01-05", "5 Jan 2024"], ["iso", "%d %b %Y"]),
    (["25/01/2024", "5 Feb 2024"], ["%d/%m/%Y", "%d %b %Y"]),
    (["20240101", "20240215"], ["%Y%m%d"]),
    (["20240101.0", "20240215.0"], ["%Y%m%d"]),
    (["20240101235959"], ["%Y%m%d"]),
    (["20240101 235959", "20240215 0826"], ["%Y%m%d"]),
    (["20240101", "2024-02-15"], ["%Y%m%d", "iso"]),
    (["31012024", "01022024"], ["%d%m%Y"]),
    (["050124", "150124"], ["%d%m%y"]),
    (["1704067200", "1706745600"], ["epoch_s"]),
    (["999999999", "1706745600.25"], ["epoch_s"]),
    (["1704067200000"], ["epoch_ms"]),
    (["1704067200000000"], ["epoch_us"]),
    (["1704067200000000000"], ["epoch_ns"]),
    (["45292", "45323.5"], ["excel_serial"]),
    # The same date in both readings, for all values
    (["01/01/2024", "02/02/2024"], ["%d/%m/%Y"]),
    # Values that are no dates say nothing about the format
    (["25/01/2024", "26/01/2024", "never"], ["%d/%m/%Y"]),
    (["25/01/2024", "31/02/2024", "NULL", "0000-00-00", "n/a", "-"], ["%d/%m/%Y"]),
    (["2024-01-05", "2024-02-30"], ["iso"]),
    (["NULL", "nan"], ["iso"]),
    ([], ["iso"]),
)

AMBIGUOUS = (
    (["03/04/2024", "05/06/2024"], "%d/%m/%Y", "%m/%d/%Y"),
    (["3.4.2024 10:00"], "%d.%m.%Y", "%m.%d.%Y"),
    (["03-04-2024"], "%d-%m-%Y", "%m-%d-%Y"),
    (["03/04/24"], "%d/%m/%y", "%m/%d/%y"),
    (["03042024"], "%d%m%Y", "%m%d%Y"),
    (["030424"], "%d%m%y", "%m%d%y"),
    (["03/04/2024", "5 Jun 2024"], "%d/%m/%Y", "%m/%d/%Y"),
    (["03/04/2024", "never"], "%d/%m/%Y", "%m/%d/%Y"),
    # A first number that changes less often than the last one is the year
    (["24-01-05", "24-01-15", "24-02-20"], "%d-%m-%y", "%y-%m-%d"),
    (["240105", "240115", "240220"], "%d%m%y", "%y%m%d"),
)

CONTRADICTORY = (
    ["2024-01-05", "25/01/2024", "02/13/2024", "2024-02-01"],
    ["2024-01-05", "25/01/2024"],
    ["2024-01-05", "03/04/2024"],
    ["25/01/2024", "01/25/2024"],
    ["25.01.2024", "01/25/2024", "26.01.2024"],
    ["1704067200", "2024-01-05"],
    ["1704067200", "1704067200000"],
    ["45292", "2024-01-05 10:00"],
    ["20240105", "45292"],
    ["13/13/2024", "25/01/2024", "Jan 25, 2024", "01/26/2024"],
)

NO_DATES = (
    ["soon", "next week"],
    ["2024", "2023"],
    ["2024-01", "2024-02"],
    ["Q1 2024"],
    ["10:00", "11:30"],
    ["2024-02-30"],
    ["12.5", "17.25"],
    ["A-1001", "A-1002"],
    ["123456789012345678901"],
    ["2024-01-05", "soon", "later", "never"],
)


def decided(
    values: Sequence[str | None], configured: Sequence[str] = ("iso",), **options: object
) -> DateDecision:
    return detect_date_formats(values, configured, column="at", **options)  # type: ignore[arg-type]


def question(
    values: Sequence[str | None], configured: Sequence[str] = ("iso",), **options: object
) -> ColumnError:
    with pytest.raises(ColumnError) as raised:
        decided(values, configured, **options)
    assert "`at`" in raised.value.message
    return raised.value


def flags(hint: str | None) -> list[list[str]]:
    """Return the formats of each choice of a hint."""
    choices = re.split(r" or (?=--date-format)", hint or "")
    return [
        [words[index + 1].rstrip(".,;") for index, word in enumerate(words) if word == "--date-format"]
        for words in (shlex.split(choice.replace("%S.", "%S")) for choice in choices)
    ]


@pytest.mark.parametrize(("values", "formats"), DETECTED)
def test_the_one_reading_that_fits_all_values_is_taken_and_noted(
    values: Sequence[str], formats: Sequence[str]
) -> None:
    decision = decided(values)
    assert list(decision.formats) == formats
    assert decision.may_be_ambiguous
    if formats == ["iso"]:
        assert not decision.notes
    else:
        (note,) = decision.notes
        assert note.startswith(f"dates in `at` read as {' and '.join(formats)}")
    for date_format in formats:
        check_format(date_format)


@pytest.mark.parametrize(("values", "first", "second"), AMBIGUOUS)
def test_two_readings_are_a_question_whose_hint_works(values: Sequence[str], first: str, second: str) -> None:
    error = question(values)
    assert "can be read in two ways" in error.message
    assert values[0] in error.message
    choices = flags(error.hint)
    assert [choice[0] for choice in choices] == [first, second]
    for choice in choices:
        assert list(decided(values, choice).formats) == choice


@pytest.mark.parametrize("values", CONTRADICTORY)
def test_values_that_no_order_fits_are_a_question_whose_hint_works(values: Sequence[str]) -> None:
    error = question(values)
    assert "No date format fits all" in error.message
    for choice in flags(error.hint):
        decision = decided(values, choice)
        assert sum(decision.fits.values()) >= len(values) / 2


@pytest.mark.parametrize("values", NO_DATES)
def test_a_column_without_dates_is_a_question(values: Sequence[str]) -> None:
    error = question(values)
    assert "--ordered-at" in (error.hint or "")


def test_outliers_are_shown_with_their_counts() -> None:
    values = ["2024-01-05"] * 9 + ["25/01/2024"] * 3 + [f"{day}/02/2024" for day in range(20, 24)]
    message = question(values).message
    assert "iso reads 9, %d/%m/%Y reads 7" in message
    assert "25/01/2024 (3), 20/02/2024 (1), 21/02/2024 (1) and 2 others" in message


@pytest.mark.parametrize(
    ("values", "configured", "suggested"),
    [
        (["25/01/2024", "26/01/2024"], ["%m/%d/%Y"], [["%d/%m/%Y"]]),
        (["25/01/2024", "03/04/2024", "05/06/2024"], ["%m/%d/%Y"], [["%d/%m/%Y"]]),
        (["2024-01-05"], ["%d/%m/%Y"], [["iso"]]),
        (["03.04.2024"], ["%d/%m/%Y"], [["%d.%m.%Y"], ["%m.%d.%Y"]]),
        (["1704067200000"], ["epoch_s"], [["epoch_ms"]]),
        (["1704067200"], ["excel_serial"], [["epoch_s"]]),
        (["3 März 2024"], ["%d/%m/%Y", "iso"], [["%d %b %Y"]]),
    ],
)
def test_a_configured_format_that_the_values_contradict_is_refused(
    values: Sequence[str], configured: Sequence[str], suggested: list[list[str]]
) -> None:
    error = question(values, configured)
    assert values[0] in error.message
    assert flags(error.hint) == suggested


@pytest.mark.parametrize(
    ("values", "configured"),
    [
        (["03/04/2024"], ["%m/%d/%Y"]),
        (["03/04/2024 10:00"], ["%d/%m/%Y %H:%M"]),
        (["2024-01-05", "25/01/2024", "02/13/2024"], ["iso", "%d/%m/%Y"]),
        (["24-01-05", "24-01-15"], ["%y-%m-%d"]),
        (["12:30 05/12/2024"], ["%H:%M %d/%m/%Y"]),
        (["never"], ["%d/%m/%Y"]),
        ([], ["%d/%m/%Y"]),
    ],
)
def test_a_configured_format_that_fits_is_taken_without_a_note(
    values: Sequence[str], configured: Sequence[str]
) -> None:
    decision = decided(values, configured)
    assert list(decision.formats) == configured
    assert not decision.may_be_ambiguous
    assert not decision.notes


def counts(**numbers: int) -> object:
    def count(patterns: Mapping[str, str]) -> Mapping[str, int]:
        assert patterns.keys() == numbers.keys()
        return numbers

    return count


def test_a_sample_that_decides_is_not_counted_beyond() -> None:
    def count(patterns: Mapping[str, str]) -> Mapping[str, int]:
        raise AssertionError(patterns)

    assert decided(["25/01/2024"], is_whole=False, count=count).formats == ("%d/%m/%Y",)
    assert decided(["2024-01-05"], is_whole=False, count=count).formats == ("iso",)


def test_the_whole_source_decides_what_the_sample_cannot() -> None:
    values = ["03/04/2024", "04/04/2024"]
    decision = decided(values, is_whole=False, count=counts(dmy=90, mdy=40, any=90))
    assert decision.formats == ("%d/%m/%Y",)
    decision = decided(values, is_whole=False, count=counts(dmy=40, mdy=90, any=90))
    assert decision.formats == ("%m/%d/%Y",)


@pytest.mark.parametrize(
    ("numbers", "shown"),
    [
        ({"dmy": 90, "mdy": 90, "any": 90}, "both fit 90 values"),
        ({"dmy": 80, "mdy": 30, "any": 90}, "%d/%m/%Y fits 80 values, %m/%d/%Y fits 30 values"),
    ],
)
def test_counts_of_the_whole_source_are_shown_if_it_cannot_decide(
    numbers: Mapping[str, int], shown: str
) -> None:
    error = question(["03/04/2024"], is_whole=False, count=counts(**numbers))
    assert shown in error.message


def test_equal_dates_of_a_part_of_the_source_decide_nothing() -> None:
    assert "both fit 1 value" in question(["01/01/2024"], is_whole=False).message


def test_a_late_ambiguous_date_gets_flags_that_keep_the_other_formats() -> None:
    assert late_date_choices("03.04.24", ["iso", "%d/%m/%Y"]) == (
        "--date-format iso --date-format '%d/%m/%Y' --date-format '%d.%m.%y'",
        "--date-format iso --date-format '%d/%m/%Y' --date-format '%m.%d.%y'",
    )
    assert not late_date_choices("never", ["iso"])


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["23:45:10", "9:05"], True),
        (["11:30 PM"], True),
        (["23:45", "2024-01-05 23:45"], False),
        (["Eastern Time (US & Canada)"], False),
        ([], False),
    ],
)
def test_times_of_day_are_no_dates(values: Sequence[str], expected: bool) -> None:
    assert are_times_of_day(values) is expected


def column(name: str, kind: Kind = Kind.TEXT) -> Column:
    return Column((name,), kind, kind.value)


def read(columns: Mapping[str, Sequence[str | None]], kind: Kind = Kind.TEXT) -> DateDecision:
    schema = tuple(column(name, kind if name == "Date" else Kind.TEXT) for name in columns)
    mapping = ColumnMapping(customer_id=column("customer"), ordered_at=column("Date", kind))
    sample = Sample({name: tuple(values) for name, values in columns.items()}, is_whole=True)
    return read_dates(schema, mapping, sample, Configuration().settings)


def test_a_date_beside_a_time_and_a_zone_is_the_local_date() -> None:
    decision = read(
        {"Date": ["2026-06-01"], "Time": ["23:30:00"], "Time Zone": ["Eastern Time"], "Note": ["x"]}
    )
    assert decision.notes == ("`Date` is taken as the local date; `Time` and `Time Zone` are not applied",)
    decision = read({"Date": ["25/01/2024"], "Order Time": ["23:30"]})
    assert decision.notes[1:] == ("`Date` is taken as the local date; `Order Time` is not applied",)
    assert not read({"Date": ["2026-06-01 10:00"], "Time": ["23:30:00"]}).notes
    assert not read({"Date": ["2026-06-01"], "Time Zone": ["UTC"]}).notes


def test_a_column_of_dates_or_of_numbers_has_its_formats() -> None:
    assert read({"Date": ["2026-06-01"]}, Kind.DATE).formats == ("iso",)
    assert not read({"Date": ["2026-06-01"]}, Kind.TIMESTAMP).may_be_ambiguous
    assert read({"Date": ["1704067200"]}, Kind.INTEGER).formats == ("epoch_s",)
    assert read({"Date": ["45292.5"]}, Kind.FLOAT).formats == ("excel_serial",)
    with pytest.raises(ColumnError, match="a number is no date by itself"):
        read({}, Kind.INTEGER)


@pytest.mark.parametrize(
    ("values", "day"),
    [
        (["Jan 2025", "Feb 2025"], "'1 ' || \"d\""),
        (["März 2025", "Dezember 2025"], "'1 ' || \"d\""),
        (["févr.-2025"], "'1 ' || \"d\""),
        (["2025-01", "2025-12"], "\"d\" || '-01'"),
        (["2025/1"], "\"d\" || '/01'"),
        (["01/2025", "12/2025"], 'regexp_replace("d"'),
        (["1.2025"], 'regexp_replace("d"'),
    ],
)
def test_dates_without_a_day_are_not_guessed(values: Sequence[str], day: str) -> None:
    with pytest.raises(ColumnError, match="have no day") as caught:
        detect_date_formats(values, column="d")
    hint = caught.value.hint or ""
    assert day in hint
    query = hint.partition(".sql file with ")[2].partition(", which")[0]
    with empty_database() as connection:
        connection.execute("CREATE TABLE source AS SELECT UNNEST($1) AS d", [list(values)])
        days = connection.execute(query.replace("'FILE'", "source")).fetchall()
    assert detect_date_formats([text for (text,) in days]).fits


def test_values_of_other_kinds_are_no_months() -> None:
    for values in (["Jan 2025", "never"], ["Order 2025 A"], ["2025-13"]):
        with pytest.raises(ColumnError, match="are no dates"):
            detect_date_formats(values)


@pytest.mark.parametrize(
    ("kind", "values", "date"),
    [
        (Kind.TEXT, ["2026-01-05", "1970-01-01", "1970-01-01 00:00:00"], "1970-01-01"),
        (Kind.TEXT, ["25/01/2024", "01/01/1900", "01/01/1900"], "1900-01-01"),
        (Kind.TIMESTAMP, ["2026-01-05 10:00:00", "0001-01-01 00:00:00", "0001-01-01 00:00:00"], "0001-01-01"),
        (Kind.DATE, ["2026-01-05", "1899-12-30", "1899-12-30"], "1899-12-30"),
        (Kind.TEXT, ["2026-01-05", "1753-01-01", "1753-01-01T00:00:00"], "1753-01-01"),
        (Kind.TEXT, ["25/01/2024", "01/01/1601", "01/01/1601"], "1601-01-01"),
    ],
)
def test_dates_that_may_be_missing_ones_are_stated(kind: Kind, values: Sequence[str], date: str) -> None:
    stated = f"`Date` is {date} on 2 lines, which count"
    assert any(note.startswith(stated) for note in read({"Date": values}, kind).notes)


def test_the_days_beside_those_of_missing_dates_are_not_stated() -> None:
    assert read({"Date": ["1970-01-02", "1900-02-01", "2026-01-05"]}).notes == ()
