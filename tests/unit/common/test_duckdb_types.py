"""Every DuckDB type maps to an engine-independent kind."""

from __future__ import annotations

import pytest

from rfm_pipeline.common.duckdb_types import kind_of
from rfm_pipeline.common.schema import Kind
from support.source_reader import sql_relation


@pytest.mark.parametrize(
    ("expression", "kind"),
    [
        ("'x'", Kind.TEXT),
        ("uuid()", Kind.TEXT),
        ("'a'::ENUM('a', 'b(')", Kind.TEXT),
        ("NULL", Kind.TEXT),
        ("1::TINYINT", Kind.INTEGER),
        ("1::UBIGINT", Kind.INTEGER),
        ("1::HUGEINT", Kind.INTEGER),
        ("1.5", Kind.DECIMAL),
        ("1.5::FLOAT", Kind.FLOAT),
        ("1.5::DOUBLE", Kind.FLOAT),
        ("TRUE", Kind.BOOLEAN),
        ("DATE '2024-01-01'", Kind.DATE),
        ("TIMESTAMP '2024-01-01 10:00:00'", Kind.TIMESTAMP),
        ("'2024-01-01'::TIMESTAMP_S", Kind.TIMESTAMP),
        ("'2024-01-01'::TIMESTAMP_MS", Kind.TIMESTAMP),
        ("'2024-01-01'::TIMESTAMP_NS", Kind.TIMESTAMP),
        ("'2024-01-01'::TIMESTAMPTZ", Kind.TIMESTAMPTZ),
        ("TIME '10:00:00'", Kind.OTHER),
        ("INTERVAL 1 DAY", Kind.OTHER),
        ("'x'::BLOB", Kind.OTHER),
        ("'{}'::JSON", Kind.OTHER),
        ("['x']", Kind.OTHER),
        ("[1, 2]::INTEGER[2]", Kind.OTHER),
        ("{'a': 1}", Kind.OTHER),
        ("MAP {'a': 1}", Kind.OTHER),
    ],
)
def test_every_type_has_a_kind(expression: str, kind: Kind) -> None:
    assert kind_of(str(sql_relation(f"SELECT {expression} AS c").types[0])) is kind
