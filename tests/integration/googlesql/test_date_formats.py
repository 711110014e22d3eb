"""DuckDB, GoogleSQL's evaluator and the profile in Python read the same dates from text."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta

import pytest
from hypothesis import Phase, given
from hypothesis import strategies as st

from rfm_pipeline.common.schema import Kind
from rfm_pipeline.config import vocabulary
from rfm_pipeline.source.profile.date_values import read_date
from rfm_pipeline.sql.dialects.registry import dialect_of
from support.databases import empty_database
from support.dates import DATES
from support.googlesql import GoogleSql
from support.lanes import max_examples

pytestmark = pytest.mark.xdist_group("googlesql")

FORMATS = tuple(dict.fromkeys(date_format for date_format, *_ in DATES))
TEXTS = tuple(dict.fromkeys(text for _, text, *_ in DATES))


def of_duckdb(texts: Sequence[str], formats: Sequence[str], zone: str) -> list[date | None]:
    with empty_database() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute("CREATE TABLE t (i INTEGER, v VARCHAR)")
        connection.executemany("INSERT INTO t VALUES (?, ?)", list(enumerate(texts)))
        moment = dialect_of("duckdb").local_date("v", Kind.TEXT, zone, formats)
        return [day for (day,) in connection.execute(f"SELECT {moment} FROM t ORDER BY i").fetchall()]


def of_google(texts: Sequence[str], formats: Sequence[str], zone: str) -> list[object]:
    moment = dialect_of("bigquery").local_date("v", Kind.TEXT, zone, formats)
    rows = [{"i": index, "v": text} for index, text in enumerate(texts)]
    columns = {"i": "INT64", "v": "STRING"}
    answer = GoogleSql.load().execute(f"SELECT i, {moment} AS day FROM t", {"t": columns}, {"t": rows})
    days = {row["i"]: row["day"] for row in answer}
    return [days[index] for index in range(len(texts))]


@pytest.mark.parametrize(
    ("date_format", "zone"),
    [*((name, "Asia/Kolkata") for name in FORMATS), ("iso", "America/New_York"), ("%d/%m/%Y", "UTC")],
)
def test_each_format_reads_the_same_texts_on_both_engines(date_format: str, zone: str) -> None:
    days = of_duckdb(TEXTS, [date_format], zone)
    assert of_google(TEXTS, [date_format], zone) == days
    # The profile ignores offsets, but reads the same texts.
    assert [read_date(text, date_format) is None for text in TEXTS] == [day is None for day in days]


def test_both_engines_read_numbers_that_are_floats() -> None:
    for value, date_format in (
        (1704067200.0, "epoch_s"),
        (1704067200000000.0, "epoch_us"),
        (45323.5, "excel_serial"),
    ):
        days = []
        for name, kind in (("duckdb", "DOUBLE"), ("bigquery", "FLOAT64")):
            dialect = dialect_of(name)
            moment = dialect.local_date("v", Kind.TEXT, "UTC", [date_format])
            text = dialect.date_text("v", Kind.FLOAT)
            inner = f"SELECT {text} AS v FROM (SELECT CAST('{value}' AS {kind}) AS v)"
            query = f"SELECT {moment} AS day FROM ({inner})"
            if name == "duckdb":
                with empty_database() as connection:
                    connection.execute("SET TimeZone = 'UTC'")
                    days.append(connection.execute(query).fetchall()[0][0])
            else:
                days.append(GoogleSql.load().execute(query, {}, {})[0]["day"])
        assert days[0] == days[1] is not None


NAMES = [
    (number, name)
    for months in vocabulary.load("months").values()
    for number, names in enumerate(months, start=1)
    for name in names
]


def test_both_engines_know_all_names_of_months() -> None:
    spellings = ((" ", " "), ("-", ".-"))
    texts = [
        f"5{before}{spelled}{after}2024"
        for _, name in NAMES
        for spelled, (before, after) in zip((name.upper(), name.title()), spellings, strict=True)
    ]
    expected = [date(2024, number, 5) for number, _ in NAMES for _ in spellings]
    assert of_duckdb(texts, ["%d %B %Y"], "UTC") == expected
    assert of_google(texts, ["%d %B %Y"], "UTC") == expected
    assert [read_date(text, "%d %B %Y") for text in texts] == expected


@st.composite
def written_dates(draw: st.DrawFn) -> tuple[str, str, datetime]:
    """Draw a format, a moment written in it, with or without a time and an offset, and the moment in UTC."""
    day = draw(st.dates(date(1995, 1, 1), date(2067, 12, 31)))
    minute = draw(st.integers(0, 24 * 60 - 1))
    local = datetime(day.year, day.month, day.day) + timedelta(minutes=minute)  # noqa: DTZ001
    date_format = draw(
        st.sampled_from(["iso", "%Y/%m/%d", "%d.%m.%Y", "%m/%d/%y", "%d-%b-%y", "%b %d, %Y", "%Y%m%d"])
    )
    text = local.strftime("%Y-%m-%d" if date_format == "iso" else date_format)
    clock = draw(st.sampled_from(["", " %H:%M", " %H:%M:%S", ", %I:%M %p", "T%H:%M", " %H:%M %p"]))
    text += local.strftime(clock)
    if clock and draw(st.booleans()):
        offset = draw(st.sampled_from([0, 330, -480, 840, -720]))
        sign, minutes = "-" if offset < 0 else "+", abs(offset)
        colon, blank = draw(st.sampled_from(["", ":"])), draw(st.sampled_from(["", " "]))
        text += f"{blank}{sign}{minutes // 60:02}{colon}{minutes % 60:02}"
        local -= timedelta(minutes=offset)
    return date_format, text, local


# The evaluator takes a tenth of a second for a query, whatever the number of rows.
@max_examples(6, phases=(Phase.explicit, Phase.reuse, Phase.generate))
@given(st.lists(written_dates(), min_size=100, max_size=150))
def test_dates_as_written_are_read_back(cases: list[tuple[str, str, datetime]]) -> None:
    for date_format in {written for written, _, _ in cases}:
        texts = [text for written, text, _ in cases if written == date_format]
        moments = [moment.date() for written, _, moment in cases if written == date_format]
        assert of_duckdb(texts, [date_format], "UTC") == moments
        assert of_google(texts, [date_format], "UTC") == moments
