"""Frames of a result: of the kind of the source, with segments from worst to best; charts; thresholds."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import rfm_pipeline as rfm
from rfm_pipeline.api.arguments import NOT_SETTINGS
from rfm_pipeline.api.segmentation import SEGMENTATION_COLUMNS
from rfm_pipeline.cli.options import FLAGS
from support.orders import ORDERS

ORDER = [
    "Lost", "Hibernating", "At-Risk", "About to Sleep", "Needs Attention", "Promising", "New Customers",
    "Potential Loyalists", "Loyal Customers", "Champions",
]  # fmt: skip


@pytest.fixture
def lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pl.DataFrame:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "orders.csv").write_text(ORDERS, encoding="utf-8")
    return pl.read_csv("orders.csv", infer_schema=False)


def sources(lines: pl.DataFrame) -> dict[type, Any]:
    """Return a source by the class of its frames."""
    return {
        pd.DataFrame: lines.to_pandas(),
        pl.DataFrame: lines.lazy(),
        pa.Table: lines.to_arrow(),
        duckdb.DuckDBPyRelation: "orders.csv",
    }


def records(frame: Any) -> list[dict[str, Any]]:
    """Return the rows of a frame of any kind, with None for what is absent and exact numbers as text."""
    if isinstance(frame, duckdb.DuckDBPyRelation):
        table = [dict(zip(frame.columns, row, strict=True)) for row in frame.fetchall()]
    elif isinstance(frame, pd.DataFrame):
        table = frame.astype(object).where(frame.notna(), None).to_dict("records")
    else:
        table = frame.to_pylist() if isinstance(frame, pa.Table) else frame.to_dicts()
    return [
        {name: float(value) if isinstance(value, Decimal) else value for name, value in row.items()}
        for row in table
    ]


def test_each_table_is_a_frame_of_the_kind_of_the_source(lines: pl.DataFrame) -> None:
    tables: dict[str, list[list[dict[str, Any]]]] = {}
    for kind, source in sources(lines).items():
        result = rfm.segment(source)
        for name in ("customers", "segments", "thresholds", "exclusions", "audits"):
            frame = getattr(result, name)
            assert isinstance(frame, kind)
            rows = [
                {key: str(value)[:10] if key.endswith("_date") else value for key, value in row.items()}
                for row in records(frame)
            ]
            tables.setdefault(name, []).append(rows)
    for first, *others in tables.values():
        assert first
        assert all(other == first for other in others)


def test_segments_are_ordered_from_worst_to_best(lines: pl.DataFrame) -> None:
    result = rfm.segment(lines)
    for frame in (result.to_pandas(), rfm.segment(lines, frames="pandas").segments):
        assert frame["segment"].cat.ordered
        assert list(frame["segment"].cat.categories) == ORDER
    at_most_lost = result.to_pandas().query("segment <= 'Needs Attention'")
    assert sorted(at_most_lost["customer_id"]) == ["ann", "bob"]
    for polars in (result.customers, result.segments):
        assert polars.schema["segment"] == pl.Enum(ORDER)
    for table in (result.to_arrow(), rfm.segment(lines, frames="arrow").segments):
        column = table.column("segment")
        assert column.type.ordered
        assert column.chunk(0).dictionary.to_pylist() == ORDER
    # A relation keeps the result open, though nothing refers to it.
    relation = rfm.segment(lines, frames="duckdb").customers.order("segment DESC")
    assert relation.project("segment").fetchall()[0] == ("Champions",)
    assert list(result.segments["segment"]) == ORDER[::-1]


def test_the_tables_of_a_result_agree_with_each_other(lines: pl.DataFrame) -> None:
    result = rfm.segment(lines)
    assert result.customers.columns == list(SEGMENTATION_COLUMNS)
    assert result.segments["customers"].sum() == len(result) == 4
    assert result.segments["revenue"].sum() == result.revenue
    assert dict(result.exclusions.select("reason", "lines").iter_rows())["non_positive_quantity"] == 1
    assert result.exclusions.filter(reason="invalid_date")["example"].item() == "2024-02-30"
    # Each customer's values are between the thresholds of the scores, and of no other score.
    for dimension, score in (("recency_days", "r_score"), ("frequency", "f_score"), ("monetary", "m_score")):
        scored = result.customers.select(pl.col(dimension).cast(pl.Decimal(38, 9)).alias("value"), score)
        limits = result.thresholds.filter(dimension=dimension)
        joined = scored.join(limits, how="cross").filter(
            (pl.col("value") > pl.col("above")).fill_null(value=True)
            & (pl.col("value") <= pl.col("up_to")).fill_null(value=True)
        )
        assert joined.height == 4
        assert (joined[score] == joined["score"]).all()
        assert limits["customers"].sum() == 4
        assert limits["score"].to_list() == [4, 3, 2, 1]


def test_text_of_a_segment_map_is_only_text(lines: pl.DataFrame) -> None:
    name = "it's \"best\"'); DROP TABLE result; --"
    settings = {"segments": {"rules": [{"segment": name, "r": 4}], "fallback": "Others"}}
    for source in (lines, "orders.csv"):
        result = rfm.segment(source, settings=settings)
        assert {row["segment"] for row in records(result.customers)} == {name, "Others"}
        assert [row["segment"] for row in records(result.segments)] == [name, "Others"]


def test_an_unknown_kind_of_frame_is_named(lines: pl.DataFrame) -> None:
    with pytest.raises(rfm.RfmError, match="`frames` is 'numpy', which is no kind of frame"):
        rfm.segment(lines, frames="numpy")  # type: ignore[arg-type]


# Charts


def test_a_chart_is_shown_by_a_notebook_and_saved(lines: pl.DataFrame, tmp_path: Path) -> None:
    result = rfm.segment(lines)
    chart = result.chart("grid", currency="EUR")
    assert chart._repr_svg_().startswith("<svg")
    assert "as of 2024-03-01" in chart.svg
    assert repr(chart) == "<Chart: grid>"
    chart.save("grid.svg")
    assert (tmp_path / "grid.svg").read_text(encoding="utf-8") == chart.svg
    assert "Champions" in result.chart("recency", segment="champions").svg
    for wrong, message in (("trend", "There is no chart 'trend'."), ("pie", "There is no chart 'pie'.")):
        with pytest.raises(rfm.RfmError, match=message):
            result.chart(wrong)
    with pytest.raises(rfm.RfmError, match=r"grid.pdf does not end in .svg"):
        chart.save("grid.pdf")


# Thresholds of an earlier result


def test_the_thresholds_of_an_earlier_result_score_later_customers(lines: pl.DataFrame) -> None:
    earlier = rfm.segment(lines, as_of="2024-02-25")
    later = rfm.segment(lines, thresholds=earlier)
    assert later.edges == earlier.edges != rfm.segment(lines).edges
    assert later.thresholds["up_to"].to_list() == earlier.thresholds["up_to"].to_list()
    # A result that was scored by thresholds passes them on, also after it was closed.
    later.close()
    assert rfm.segment(lines, thresholds=later).edges == earlier.edges
    assert later.to_json()["edges_from"] == earlier.record.run_id


FIXED = {
    "scoring": {
        name: {"method": "fixed", "edges": [1, 2, 3]} for name in ("recency", "frequency", "monetary")
    }
}


@pytest.mark.parametrize(
    ("earlier", "later", "message"),
    [
        (
            {},
            {"bins": 5, "preset": "grid"},
            "it scored recency in 4 bins by quantile, and this call scores it in 5 bins by quantile",
        ),
        ({"method": "ntile"}, {}, "in 4 bins by ntile, and this call scores it in 4 bins by quantile"),
        ({"method": "ntile"}, {"method": "ntile"}, "has no thresholds: it scored recency by ntile"),
        ({"settings": FIXED}, {}, "in 4 bins by fixed, and"),
        (
            {"settings": FIXED},
            {
                "settings": {
                    "scoring": {**FIXED["scoring"], "recency": {"method": "fixed", "edges": [1, 2, 4]}}
                }
            },
            "The fixed edges of recency are not those of the earlier result.",
        ),
    ],
)
def test_thresholds_of_another_scoring_are_refused(
    earlier: dict[str, Any], later: dict[str, Any], message: str, lines: pl.DataFrame
) -> None:
    result = rfm.segment(lines, **earlier)
    with pytest.raises(rfm.RfmError, match=message):
        rfm.segment(lines, thresholds=result, **later)


def test_thresholds_are_a_result(lines: pl.DataFrame) -> None:
    assert rfm.segment(lines, thresholds=rfm.segment(lines, settings=FIXED), settings=FIXED).edges
    with pytest.raises(rfm.RfmError, match="`thresholds` is a dict, not a result"):
        rfm.segment(lines, thresholds={"recency": [1]})  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="unexpected keyword argument 'thresholds'"):
        rfm.compare(lines, {"preset": "grid"}, thresholds=None)
    with pytest.raises(TypeError, match="unexpected keyword argument 'frames'"):
        rfm.evaluate(lines, frames="pandas")


# Input


def test_a_table_of_customers_is_segmented() -> None:
    customers = pd.DataFrame(
        {"who": ["a", "b", "c"], "last": ["2025-01-01", "2025-02-01", "2025-03-01"], "n": [1, 2, 9],
         "spent": [10, 20, 900]}
    )  # fmt: skip
    result = rfm.segment(customers, customer_id="who", ordered_at="last", frequency="n", monetary="spent")
    assert result.customers["frequency"].tolist() == [1, 2, 9]
    assert (result.orders, str(result.revenue)) == (12, "930.000000000")


def test_hints_name_arguments_that_exist() -> None:
    arguments = set(rfm.segment.__kwdefaults__ or ()) | NOT_SETTINGS
    elsewhere = {"freeze", "to", "output", "project", "max_bytes"}
    named = {
        name.strip().lstrip("-/").replace("-", "_").removeprefix("no_")
        for flag in FLAGS
        for name in flag.names[:1]
    }
    assert named - arguments - elsewhere == set()
