"""Google's analyser accepts every statement that stages, publishes and looks, on BigQuery."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from googlesql import Columns, GoogleSql
from rfm_pipeline.columns import ColumnMapping
from rfm_pipeline.errors import ConfigurationError
from rfm_pipeline.layout import RESULT_COLUMNS
from rfm_pipeline.presets import load
from rfm_pipeline.schema import Column, Kind, Partition
from rfm_pipeline.settings import Settings
from rfm_pipeline.sql.dialect import dialect_of
from rfm_pipeline.sql.partitions import narrowed, narrowing
from rfm_pipeline.sql.result import result_sql
from rfm_pipeline.warehouse import bigquery_statements as statements

pytestmark = pytest.mark.xdist_group("googlesql")

RESULT: Columns = {name: statements.TYPES[column.holds] for name, column in RESULT_COLUMNS.items()}
SEGMENTS: Columns = {
    name: kind for name, kind in RESULT.items() if name not in {"previous_segment", "segment_since", "run_id"}
}
STAGED = statements.quoted("shop", "sales", "rfm_segments__20260101T000000_abc__result")
PUBLISHED = statements.quoted("shop", "sales", "rfm_segments")
TABLES = {"shop.sales.rfm_segments__20260101T000000_abc__result": RESULT, "shop.sales.rfm_segments": RESULT}
LABELS = {"created_by": "rfm-pipeline", "rfm_run": "20260101t000000-abc"}


def test_a_staged_table() -> None:
    select = f"SELECT *\nFROM {PUBLISHED}"
    expires = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    text = statements.stage(STAGED, select, expires, LABELS)
    assert "TIMESTAMP '2026-01-02 03:04:05+00:00'" in text
    GoogleSql.load().analyse(text, TABLES)


def test_the_published_table_and_what_replaces_it() -> None:
    GoogleSql.load().analyse(statements.make_result(PUBLISHED, LABELS), TABLES)
    GoogleSql.load().analyse(statements.publish({PUBLISHED: STAGED}), TABLES)
    GoogleSql.load().analyse(statements.standing(PUBLISHED), TABLES)


def test_the_rows_that_are_published_with_and_without_an_earlier_result() -> None:
    tables = {"segments": SEGMENTS, "shop.sales.rfm_segments": RESULT}
    for previous in (None, PUBLISHED):
        GoogleSql.load().analyse(result_sql("segments", previous, "run", dialect_of("bigquery")), tables)


def test_a_staged_column_is_of_the_type_that_is_published() -> None:
    insert = statements.publish({PUBLISHED: STAGED})
    wrong = {**TABLES, "shop.sales.rfm_segments__20260101T000000_abc__result": {**RESULT, "monetary": "DATE"}}
    with pytest.raises(AssertionError):
        GoogleSql.load().analyse(insert, wrong)


PARTITIONS = {
    "DATE": Partition("day", Kind.DATE, is_required=True),
    "DATETIME": Partition("day", Kind.TIMESTAMP),
    "TIMESTAMP": Partition("day", Kind.TIMESTAMPTZ),
    "ingestion": Partition(None, Kind.DATE, is_required=True),
}


def settings(**given: object) -> Settings:
    return Settings.of({**load("classic"), "preset": (), **given})


def mapping(column: str = "day") -> ColumnMapping:
    return ColumnMapping(Column(("id",), Kind.TEXT, "STRING"), Column((column,), Kind.DATE, "DATE"))


@pytest.mark.parametrize("cut", PARTITIONS)
def test_the_partitions_that_can_not_count_are_not_read(cut: str) -> None:
    partition = PARTITIONS[cut]
    asked = settings(since="2024-01-31", as_of="2024-12-31", window="1 year")
    relation = narrowed("lines", partition, mapping(), asked, dialect_of("bigquery"))
    assert "'2024-01-30'" in relation
    assert "from 2024-01-30 on" in narrowing(partition, mapping(), asked)[0]
    kind = "DATE" if cut == "ingestion" else cut
    column = "_PARTITIONDATE" if cut == "ingestion" else "day"
    GoogleSql.load().analyse(f"SELECT id\nFROM {relation}", {"lines": {"id": "STRING", column: kind}})


def test_the_window_alone_decides_where_it_ends_on_a_date() -> None:
    asked = settings(as_of="2024-12-31", window="24 months")
    relation = narrowed("lines", PARTITIONS["DATE"], mapping(), asked, dialect_of("bigquery"))
    # Months are counted as long ones: a partition too many is read, and none too few.
    assert date(2022, 11, 1) < date.fromisoformat(relation.split("'")[1]) < date(2022, 12, 31)


def test_all_is_read_where_nothing_says_from_when_on() -> None:
    bigquery = dialect_of("bigquery")
    for asked in (settings(), settings(window="90 days")):
        assert narrowed("lines", PARTITIONS["DATETIME"], mapping(), asked, bigquery) == "lines"
    other = narrowed("lines", PARTITIONS["DATETIME"], mapping("at"), settings(since="2024-01-01"), bigquery)
    assert other == "lines"
    assert narrowed("lines", None, mapping(), settings(since="2024-01-01"), bigquery) == "lines"


def test_a_filter_that_is_required_is_asked_for() -> None:
    bigquery = dialect_of("bigquery")
    with pytest.raises(ConfigurationError, match="only read with a filter on `day`") as error:
        narrowed("lines", PARTITIONS["DATE"], mapping(), settings(window="90 days"), bigquery)
    assert "--since" in (error.value.hint or "")
    with pytest.raises(ConfigurationError, match="not the date of the order") as error:
        narrowed("lines", PARTITIONS["DATE"], mapping("at"), settings(since="2024-01-01"), bigquery)
    assert "map ordered_at to that column" in (error.value.hint or "")
