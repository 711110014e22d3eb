"""GoogleSQL's analyser accepts every statement that stages, publishes and reads tables in BigQuery."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from msgspec.structs import replace

from rfm_pipeline.common.schema import Column, Kind, Partition, Pseudocolumn
from rfm_pipeline.config.column_mapping import ColumnMapping
from rfm_pipeline.config.presets import load_preset
from rfm_pipeline.config.settings import Settings
from rfm_pipeline.errors import ConfigurationError
from rfm_pipeline.results.recognition import table_comment
from rfm_pipeline.results.run_record import RunRecord
from rfm_pipeline.results.statistics import Usage
from rfm_pipeline.results.tables import LAYOUTS, RESULT_COLUMNS, RUN_COLUMNS, SUFFIXES, Tables
from rfm_pipeline.sql.dialects.registry import dialect_of
from rfm_pipeline.sql.partition_pruning import describe_pruning, prune_partitions
from rfm_pipeline.sql.publication import Publication
from rfm_pipeline.sql.publish import publish_sql, record_sql, restore_sql, unchanged_sql
from rfm_pipeline.sql.report_queries import cells_sql, lapsed_sql, moves_sql, top_sql, values_sql
from rfm_pipeline.sql.result_rows import previous_sql, result_sql
from rfm_pipeline.warehouse.bigquery import statements
from rfm_pipeline.warehouse.bigquery.schema import COLUMN_TYPES
from support.audit_statistics import EMPTY
from support.googlesql import Columns, GoogleSql

pytestmark = pytest.mark.xdist_group("googlesql")

RESULT: Columns = {name: COLUMN_TYPES[column.holds] for name, column in RESULT_COLUMNS.items()}
RUNS: Columns = {name: COLUMN_TYPES[column.holds] for name, column in RUN_COLUMNS.items()}
SEGMENTS: Columns = {
    name: kind for name, kind in RESULT.items() if name not in {"previous_segment", "segment_since", "run_id"}
}
BIGQUERY = dialect_of("bigquery")
STAGED = statements.qualified_name("shop", "sales", "rfm_segments__20260101T000000_abc123__result")
PUBLISHED = Tables(
    *(statements.qualified_name("shop", "sales", f"rfm_segments{end}") for end in SUFFIXES.values())
)
TABLES = {
    "shop.sales.rfm_segments__20260101T000000_abc123__result": RESULT,
    "shop.sales.rfm_segments": RESULT,
    "shop.sales.rfm_segments_history": RESULT,
    "shop.sales.rfm_segments_runs": RUNS,
}
LABELS = {"created_by": "rfm-pipeline", "rfm_run": "20260101t000000-abc123"}
DAY = date(2026, 1, 1)


def record() -> RunRecord:
    at = datetime(2026, 1, 1, 6, 0, 0, 123456)  # noqa: DTZ001 - records are in UTC, without a zone
    return RunRecord(
        "20260101T000000-abc123", "run", "published", at, at, DAY, source="it's \\ `it`\n--", error=None,
        statistics=replace(EMPTY, rows_read=3, revenue=Decimal("8911407.904")), usage=Usage(jobs=("rfm-1",)),
    )  # fmt: skip


def test_a_staging_table() -> None:
    select = f"SELECT *\nFROM {PUBLISHED.current}"
    expires = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    text = statements.create_staging_table_sql(STAGED, select, expires, LABELS)
    assert "TIMESTAMP '2026-01-02 03:04:05+00:00'" in text
    GoogleSql.load().analyse(text, TABLES)


@pytest.mark.parametrize("name", SUFFIXES)
def test_the_published_tables(name: str) -> None:
    table = getattr(PUBLISHED, name)
    comment = table_comment(name, "rfm_segments", LAYOUTS["bigquery"])
    created = statements.create_published_table_sql(name, table, comment, LABELS)
    GoogleSql.load().analyse(f"{created};\n{statements.keep_published_table_sql(name, table)}", TABLES)


@pytest.mark.parametrize("replaces_current", [True, False])
@pytest.mark.parametrize("history_from", [None, date(2024, 1, 1)])
def test_the_statements_of_a_publish(replaces_current: bool, history_from: date | None) -> None:
    publication = Publication(STAGED, DAY, replaces_current, history_from)
    changes = publish_sql(PUBLISHED, publication, BIGQUERY)
    assert len(changes) == 2 + 2 * replaces_current + (history_from is not None)
    unchanged = unchanged_sql(PUBLISHED, "20260101T000000-abc123", 3, BIGQUERY)
    for statement in [unchanged, *changes, *record_sql(PUBLISHED, record().to_row(), BIGQUERY)]:
        GoogleSql.load().analyse(statement, TABLES)


def test_the_statements_of_a_rollback_and_of_lookups() -> None:
    for statement in restore_sql(PUBLISHED, DAY, BIGQUERY):
        GoogleSql.load().analyse(statement, TABLES)
    GoogleSql.load().analyse(previous_sql(PUBLISHED.history, DAY, BIGQUERY), TABLES)


def test_the_rows_to_publish_with_and_without_an_earlier_result() -> None:
    earlier = f"(\n{previous_sql(PUBLISHED.history, DAY, BIGQUERY)}\n)"
    for previous in (None, earlier):
        select = result_sql("segments", previous, "run", BIGQUERY)
        GoogleSql.load().analyse(select, {**TABLES, "segments": SEGMENTS})


def test_a_staged_column_has_the_published_type() -> None:
    wrong = {
        **TABLES,
        "shop.sales.rfm_segments__20260101T000000_abc123__result": {**RESULT, "monetary": "DATE"},
    }
    publication = Publication(STAGED, DAY, replaces_current=True)
    (_, insert, *_) = publish_sql(PUBLISHED, publication, BIGQUERY)
    with pytest.raises(AssertionError):
        GoogleSql.load().analyse(insert, wrong)


PARTITIONS = {
    "DATE": Partition("day", Kind.DATE, is_required=True),
    "DATETIME": Partition("day", Kind.TIMESTAMP),
    "TIMESTAMP": Partition("day", Kind.TIMESTAMPTZ),
    "ingestion": Partition(Pseudocolumn.INGESTION, Kind.TIMESTAMPTZ, is_required=True),
}


def settings(**given: object) -> Settings:
    return Settings.of({**load_preset("classic"), "preset": (), **given})


def mapping(column: str = "day") -> ColumnMapping:
    return ColumnMapping(Column(("id",), Kind.TEXT, "STRING"), Column((column,), Kind.DATE, "DATE"))


@pytest.mark.parametrize("partitioning", PARTITIONS)
def test_partitions_before_the_window_are_not_read(partitioning: str) -> None:
    partition = PARTITIONS[partitioning]
    options = settings(since="2024-01-31", as_of="2024-12-31", window="1 year")
    relation = prune_partitions("lines", partition, mapping(), options, dialect_of("bigquery"))
    assert "'2024-01-30'" in relation
    assert "from 2024-01-30 on" in describe_pruning(partition, mapping(), options)[0]
    kind = "TIMESTAMP" if partitioning == "ingestion" else partitioning
    values: dict[str, object] = {
        "early": date(2024, 1, 29) if kind == "DATE" else datetime(2024, 1, 29, 23, 59),  # noqa: DTZ001
        "first": date(2024, 1, 30) if kind == "DATE" else datetime(2024, 1, 30),  # noqa: DTZ001
        "none": None,
    }
    if kind == "TIMESTAMP":
        values = {
            id_: at.replace(tzinfo=UTC) if isinstance(at, datetime) else None for id_, at in values.items()
        }
    rows = [{"id": id_, str(partition.column): value} for id_, value in values.items()]
    read = GoogleSql.load().execute(
        f"SELECT id\nFROM {relation}",
        {"lines": {"id": "STRING", str(partition.column): kind}},
        {"lines": rows},
    )
    # Lines without a date are counted as invalid_date. Streamed lines have no ingestion partition until they
    # are stored.
    assert [row["id"] for row in read] == ["first", "none"]


def test_a_window_that_ends_on_a_date_prunes_partitions() -> None:
    options = settings(as_of="2024-12-31", window="24 months")
    relation = prune_partitions("lines", PARTITIONS["DATE"], mapping(), options, dialect_of("bigquery"))
    # Months are counted as 31 days: a partition too many may be read, but none too few.
    assert date(2022, 11, 1) < date.fromisoformat(relation.split("'")[1]) < date(2022, 12, 31)


def test_all_partitions_are_read_without_a_lower_bound() -> None:
    bigquery = dialect_of("bigquery")
    for options in (settings(), settings(window="90 days")):
        assert prune_partitions("lines", PARTITIONS["DATETIME"], mapping(), options, bigquery) == "lines"
    other = prune_partitions(
        "lines", PARTITIONS["DATETIME"], mapping("at"), settings(since="2024-01-01"), bigquery
    )
    assert other == "lines"
    assert prune_partitions("lines", None, mapping(), settings(since="2024-01-01"), bigquery) == "lines"


def test_a_missing_required_filter_is_an_error() -> None:
    bigquery = dialect_of("bigquery")
    with pytest.raises(ConfigurationError, match="only be read with a filter on `day`") as error:
        prune_partitions("lines", PARTITIONS["DATE"], mapping(), settings(window="90 days"), bigquery)
    assert "--since" in (error.value.hint or "")
    with pytest.raises(ConfigurationError, match="not the column of the order date") as error:
        prune_partitions("lines", PARTITIONS["DATE"], mapping("at"), settings(since="2024-01-01"), bigquery)
    assert "map ordered_at to that column" in (error.value.hint or "")


@pytest.mark.parametrize(
    "select",
    [
        cells_sql(PUBLISHED.current, BIGQUERY),
        values_sql(PUBLISHED.current, BIGQUERY),
        moves_sql(PUBLISHED.current),
        lapsed_sql(PUBLISHED.current, PUBLISHED.history, DAY, BIGQUERY),
        top_sql(PUBLISHED.current, {"it's `it`": Decimal("-1.5"), "b": Decimal(2)}, 10, BIGQUERY),
    ],
    ids=["cells", "values", "moves", "lapsed", "top"],
)
def test_the_queries_of_the_report(select: str) -> None:
    GoogleSql.load().analyse(select, TABLES)
