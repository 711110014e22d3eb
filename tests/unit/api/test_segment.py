"""`segment`: every kind of source gives the result of the command line, and no files are left."""

from __future__ import annotations

import json
import re
import sys
import weakref
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import rfm_pipeline
import rfm_pipeline as rfm
from rfm_pipeline.api.segmentation import SEGMENTATION_COLUMNS
from support.cli import Rfm
from support.databases import database, empty_database
from support.orders import EXPECTED_ROWS, ORDERS, contents, run_python
from support.paths import ROOT

Frame = Callable[[Path], Any]


class StreamOnly:
    """A source with only Arrow's stream interface, which yields its rows once."""

    def __init__(self, table: pa.Table) -> None:
        self._reader = table.to_reader()

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        return self._reader.__arrow_c_stream__(requested_schema)


FRAMES: dict[str, Frame] = {
    "pandas": pd.read_parquet,
    "polars": pl.read_parquet,
    "a lazy frame": pl.scan_parquet,
    "Arrow": pq.read_table,
    "an Arrow stream": lambda path: pq.read_table(path).to_reader(),
    "only a stream": lambda path: StreamOnly(pq.read_table(path)),
    "a relation": lambda path: duckdb.connect().read_parquet(str(path)),
    "a path": lambda path: path,
    "a path as text": str,
}


@pytest.fixture
def orders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The orders as a typed Parquet file in the current folder."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "orders.csv").write_text(ORDERS, encoding="utf-8")
    with empty_database() as connection:
        connection.execute(
            "COPY (SELECT customer_id, order_id, order_date, quantity::INTEGER AS quantity,"
            " unit_price::DECIMAL(12, 4) AS unit_price, country"
            " FROM read_csv('orders.csv', all_varchar = true)) TO 'orders.parquet'"
        )
    return tmp_path / "orders.parquet"


@pytest.fixture
def frame(orders: Path) -> pd.DataFrame:
    return pd.read_parquet(orders)


def published(file: Path) -> list[tuple[Any, ...]]:
    with database(file) as connection:
        return connection.execute(
            f"SELECT {', '.join(SEGMENTATION_COLUMNS)} FROM rfm_segments ORDER BY customer_id"
        ).fetchall()


def rows(segmentation: rfm.Segmentation) -> list[tuple[Any, ...]]:
    return [tuple(row.values()) for row in segmentation.to_arrow().to_pylist()]


def excluded_lines(segmentation: rfm.Segmentation) -> dict[str, int]:
    """Return the number of lines by reason."""
    exclusions = segmentation.exclusions
    return dict(zip(exclusions["reason"], exclusions["lines"], strict=True))


@pytest.mark.matrix
@pytest.mark.guarantee("python")
@pytest.mark.parametrize("kind", FRAMES)
def test_every_kind_of_frame_gives_the_result_of_the_command_line(kind: str, orders: Path, rfm: Rfm) -> None:
    from rfm_pipeline import segment

    expected = rfm("run", orders, "--json").json
    result = segment(FRAMES[kind](orders))
    assert rows(result) == published(orders.parent / "rfm.duckdb")
    assert [(*row[:4], str(row[5]), str(row[6])) for row in rows(result)] == EXPECTED_ROWS
    actual = result.to_json()
    assert {name: actual[name] for name in actual.keys() - {"source"}} == {
        name: expected[name] for name in actual.keys() - {"source"}
    }


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["pandas", "polars", "an Arrow stream", "a relation"])
def test_a_real_shop_gives_the_result_of_the_command_line(
    kind: str, real_orders: Path, rfm: Rfm, tmp_path: Path
) -> None:
    from rfm_pipeline import segment

    flags = ("--bins", "5", "--preset", "grid", "--returns", "net", "--window", "6 months")
    assert rfm("run", real_orders, *flags).code == 0
    result = segment(FRAMES[kind](real_orders), bins=5, preset="grid", returns="net", window="6 months")
    assert rows(result) == published(tmp_path / "rfm.duckdb")
    assert len(result) > 2000


def test_every_argument_is_the_setting_of_its_name(orders: Path) -> None:
    renamed = pl.read_parquet(orders).rename({"customer_id": "who", "order_date": "when"})
    result = rfm.segment(
        renamed,
        customer_id="who",
        ordered_at="when",
        as_of=date(2024, 3, 31),
        since="2024-01-01",
        timezone="Europe/Berlin",
        exclude={"french": "country = 'FR'"},
        method="fixed",
        settings={
            "scoring": {
                "recency": {"edges": [10, 20, 40]},
                "frequency": {"edges": [1, 2, 3]},
                "monetary": {"edges": [10, 50, 100]},
            }
        },
    )
    assert [(row[0], row[1], row[10]) for row in rows(result)] == [("007", 30, "224")]
    assert excluded_lines(result)["french"] == 5
    assert result.as_of == date(2024, 3, 31)
    assert result.edges["monetary"] == tuple(map(Decimal, (10, 50, 100)))
    assert result.columns["customer_id"] == "who"


def test_arguments_take_precedence_over_a_configuration_file(frame: pd.DataFrame, tmp_path: Path) -> None:
    (tmp_path / "rfm.toml").write_text('as_of = "2024-04-01"\nreturns = "net"\n', encoding="utf-8")
    # The file is read only if it is named.
    assert rfm.segment(frame).as_of == date(2024, 3, 1)
    result = rfm.segment(frame, config="rfm.toml", as_of="2024-03-31")
    assert result.as_of == date(2024, 3, 31)
    assert "non_positive_quantity" not in excluded_lines(result)
    assert rfm.segment(frame, config=tmp_path / "rfm.toml", settings={"returns": "exclude"}).revenue > 0


@pytest.mark.guarantee("python")
def test_no_file_is_written_and_no_environment_variable_is_read(
    frame: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RFM_AS_OF", "2030-01-01")
    monkeypatch.setenv("RFM_TO", "duckdb:elsewhere.duckdb")
    before = contents(tmp_path)
    with rfm.segment(frame) as result:
        assert result.as_of == date(2024, 3, 1)
        assert len(result.to_polars()) == 4
    assert contents(tmp_path) == before


def test_the_summary_lists_each_segment_and_adds_up(frame: pd.DataFrame) -> None:
    result = rfm.segment(frame)
    assert [segment.segment for segment in result.summary][:2] == ["Champions", "Loyal Customers"]
    assert sum(segment.customers for segment in result.summary) == len(result) == 4
    assert sum(segment.orders for segment in result.summary) == result.orders == 6
    assert sum(segment.revenue for segment in result.summary) == result.revenue == Decimal("163.4999")
    counted = result.to_polars()["segment"].value_counts().rows_by_key("segment")
    for segment in result.summary:
        assert segment.customers == counted.get(segment.segment, [(0,)])[0][0]
        assert segment.description
        assert segment.action
    assert len(pd.DataFrame(result.summary)) == 10
    assert set(result.audits["status"]) == {"passed", "warning", "not_compared"}


def test_each_form_has_the_same_customers(frame: pd.DataFrame) -> None:
    result = rfm.segment(frame)
    table = result.to_arrow()
    assert table.schema.field("monetary").type == pa.decimal128(38, 9)
    # As in the published table and in Parquet files.
    assert table.schema.field("recency_days").type == pa.int32()
    assert result.to_polars().to_arrow().to_pylist() == table.to_pylist()
    as_pandas = result.to_pandas()
    assert list(as_pandas.columns) == list(SEGMENTATION_COLUMNS)
    assert as_pandas["monetary"].tolist() == [float(row["monetary"]) for row in table.to_pylist()]
    # Consumers of Arrow streams read the segmentation itself, any number of times.
    for _ in range(2):
        with empty_database() as connection:
            (counted,) = connection.from_arrow(result).aggregate("SUM(monetary)").fetchall()
        assert counted == (Decimal("163.4999"),)


# Types


def lines(**columns: Any) -> pl.DataFrame:
    return pl.DataFrame(
        {"customer_id": ["a", "b"], "ordered_at": [date(2025, 1, 1), date(2025, 1, 2)], "amount": [5, 7]}
        | columns
    )


@pytest.mark.matrix
@pytest.mark.parametrize(
    "columns",
    [
        {"customer_id": pl.Series(["a", "b"], dtype=pl.Categorical)},
        {"customer_id": pl.Series(["a", "b"], dtype=pl.Enum(["b", "a"]))},
        {"amount": pl.Series(["5", "7"])},
        {"amount": pl.Series([Decimal("5.00"), Decimal("7.00")])},
        {"amount": pl.Series([5, 7], dtype=pl.UInt8)},
        {"amount": pl.Series([5, 7], dtype=pl.Float32)},
        {"ordered_at": ["2025-01-01", "2025-01-02"]},
        {"ordered_at": [datetime(2025, 1, 1, 23), datetime(2025, 1, 2, 1)]},  # noqa: DTZ001 - naive on purpose
        {"ordered_at": [datetime(2025, 1, 1, 23, tzinfo=UTC), datetime(2025, 1, 2, 1, tzinfo=UTC)]},
        {"order_id": pl.Series([1, 2], dtype=pl.Int64)},
        {"nested": pl.Series([[1], [2, 3]])},
    ],
    ids=lambda columns: " ".join(f"{name} {pl.Series(some).dtype}" for name, some in columns.items()),
)
@pytest.mark.parametrize("form", ["polars", "pandas", "arrow"])
def test_columns_of_any_type_are_read_correctly(columns: dict[str, Any], form: str) -> None:
    frame: Any = lines(**columns)
    frame = {"polars": frame, "pandas": frame.to_pandas(), "arrow": frame.to_arrow()}[form]
    result = [(row[0], row[1], row[3], row[5]) for row in rows(rfm.segment(frame))]
    assert result == [("a", 1, 5, date(2025, 1, 1)), ("b", 0, 7, date(2025, 1, 2))]


def test_integer_ids_that_pandas_stored_as_floats_are_integers() -> None:
    frame = pd.DataFrame(
        {
            "customer_id": [17850.0, None, 12.0],
            "date": pd.to_datetime(["2025-01-01"] * 3),
            "amount": [1, 2, 3.5],
        }
    )
    result = rfm.segment(frame)
    assert [row[0] for row in rows(result)] == ["12", "17850"]
    assert excluded_lines(result) == {"missing_customer": 1}


def test_a_wide_decimal_beyond_the_first_thousand_of_a_pandas_frame_is_read() -> None:
    amounts = [Decimal("1.00")] * 5_001 + [Decimal("123456.01")] + [Decimal("2.50")] * 3_000
    frame = pd.DataFrame({"amount": amounts, "note": pd.Series([None] * len(amounts), dtype=object)})
    result = rfm.segment(frame.assign(customer_id="ann", date=pd.Timestamp(2025, 1, 1)), order_id="none")
    assert result.revenue == Decimal("135957.01")


@pytest.mark.matrix
@pytest.mark.parametrize("limit", [1, 7, 50, 256])
def test_a_frame_in_many_pieces_is_read_whole(limit: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rfm_pipeline.source.dataframe._LARGE", 0)
    monkeypatch.setattr("rfm_pipeline.source.dataframe._MAX_SLICES", limit)
    pieces = [lines(customer_id=[f"c{n}", "b"]) for n in range(50)]
    result = rfm.segment(pl.concat(pieces, rechunk=False))
    assert (len(result), result.orders, result.revenue) == (51, 100, Decimal(600))


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux can reset the peak memory of a process")
@pytest.mark.parametrize("pieces", [1, 20])
def test_a_large_frame_is_not_copied(pieces: int) -> None:
    script = ROOT / "benchmarks" / "experiments" / "frame_memory.py"
    done = run_python(str(script), "segment", "4000000", str(pieces))
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) < 0.6


# Errors


@pytest.mark.parametrize(
    ("frame", "message", "hint"),
    [
        (
            pd.DataFrame({"x": [1], "y": [2]}),
            "No column was recognised as customer_id",
            "customer_id='COLUMN'",
        ),
        (lines().clear(), "The frame, a polars.DataFrame, has no rows.", "look at where it comes from."),
        (
            pd.DataFrame({0: [1], 1: [2]}),
            "The name of column 0 of a pandas.DataFrame is not text but of type int.",
            "rename it",
        ),
        (
            pd.DataFrame({"x": [1], "month": pd.period_range("2025-01", periods=1, freq="M")}),
            "DuckDB can't read column 'month' of a pandas.DataFrame",
            "or leave them out",
        ),
        (
            lines(total=pl.Series([1, 2], dtype=pl.Int128)),
            "DuckDB can't read column 'total' of a polars.DataFrame",
            "or leave them out",
        ),
        (
            pd.DataFrame([[1, 2]], columns=["a", "A"]),
            "a pandas.DataFrame has a column 'a' and a column 'A': columns 1 and 2.",
            "rename one",
        ),
        (
            lines(total=[1, 2]),
            "The amount of a line could be `amount` (12.00 in all) or `total` (3.00 in all).",
            "set amount='amount', or amount='total'.",
        ),
        ({"customer_id": ["a"]}, "A builtins.dict is not a source.", "give a path, a pandas or Polars"),
        (3, "A builtins.int is not a source.", "give a path"),
        ("nowhere.csv", "nowhere.csv", None),
        (
            "bigquery://a.b.c",
            "bigquery://a.b.c is a BigQuery table, and `segment` computes on this machine.",
            "`rfm run`",
        ),
        (lines(ordered_at=["03/04/2025", "04/05/2025"]), "can be read in two ways", "date_format='%d/%m/%Y'"),
    ],
)
def test_errors_name_arguments_and_not_flags(
    frame: Any, message: str, hint: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(rfm.RfmError) as error:
        rfm.segment(frame)
    assert message in error.value.message
    assert (hint or "") in (error.value.hint or "")
    assert "--" not in (error.value.hint or "")
    # Notebooks show the message and the notes of an exception.
    assert [f"hint: {error.value.hint}"] == error.value.__notes__


def test_named_levels_of_the_index_are_columns(frame: pd.DataFrame) -> None:
    expected = rfm.segment(frame).to_pandas()
    indexed = frame.set_index(["customer_id", "order_id"])
    pd.testing.assert_frame_equal(rfm.segment(indexed).to_pandas(), expected)
    assert list(indexed.index.names) == ["customer_id", "order_id"]
    # A level without a name, or with that of a column, is no column.
    for index in (frame.index, pd.Index(["x"] * len(frame), name="customer_id")):
        pd.testing.assert_frame_equal(rfm.segment(frame.set_index(index)).to_pandas(), expected)


def test_invalid_settings_are_named(frame: pd.DataFrame) -> None:
    with pytest.raises(rfm.RfmError, match="bins"):
        rfm.segment(frame, bins=99)
    with pytest.raises(rfm.RfmError, match="scorin"):
        rfm.segment(frame, settings={"scorin": {}})


def test_an_audit_that_blocks_leaves_no_result_and_no_file(frame: pd.DataFrame, tmp_path: Path) -> None:
    before = contents(tmp_path)
    with pytest.raises(rfm.AuditError, match="All 11 lines were excluded"):
        rfm.segment(frame, as_of="2001-01-01")
    with pytest.raises(rfm.AuditError, match="`rich` found 1 row"):
        rfm.segment(
            frame,
            settings={
                "audits": {"queries": {"rich": "SELECT customer_id FROM segments WHERE monetary > 50"}}
            },
        )
    assert contents(tmp_path) == before


def test_a_closed_segmentation_keeps_its_statistics(frame: pd.DataFrame) -> None:
    with rfm.segment(frame) as result:
        pass
    assert len(result) == 4
    assert excluded_lines(result)["invalid_date"] == 1
    with pytest.raises(rfm.RfmError, match="was closed"):
        result.to_polars()


@pytest.mark.slow
def test_the_report_equals_that_of_the_command_line_without_a_history(
    frame: pd.DataFrame, orders: Path, rfm: Rfm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from rfm_pipeline import segment

    monkeypatch.setenv("RFM_REPORT__CURRENCY", "EUR")
    assert rfm("run", orders, "--report", "theirs.html").code == 0
    with segment(frame, settings={"report": {"currency": "EUR"}}) as result:
        result.report("ours.html")
        assert '<th scope="row">007</th>' in (tmp_path / "ours.html").read_text(encoding="utf-8")
        # The figures are equal; run, source and destination differ.
        ours, theirs = (
            (tmp_path / name).read_text(encoding="utf-8").partition('<div id="view">')[2]
            for name in ("ours.html", "theirs.html")
        )
        for name in ("segments", "grid", "concentration", "recency", "monetary"):
            pattern = rf'data-part="{name}">.*?</section>'
            drawn = [re.findall(pattern, page, re.DOTALL) for page in (ours, theirs)]
            assert drawn[0] == drawn[1]
            assert drawn[0]
        result.report("ours.html", top_customers=0)
        assert '<th scope="row">007</th>' not in (tmp_path / "ours.html").read_text(encoding="utf-8")
        with pytest.raises(rfm_pipeline.RfmError) as error:
            result.report("ours.html", currency="POUNDS")
        assert "look at currency" in (error.value.hint or "")
        with pytest.raises(rfm_pipeline.RfmError, match=r"report.txt does not end in .html"):
            result.report("report.txt")
    with pytest.raises(rfm_pipeline.RfmError, match="was closed"):
        result.report("late.html")


@pytest.mark.slow
def test_the_frame_is_released_once_it_has_been_read(orders: Path) -> None:
    frame = pd.read_parquet(orders)
    gone = weakref.ref(frame)
    result = rfm.segment(frame)
    del frame
    import gc

    gc.collect()
    assert gone() is None
    assert len(result.to_arrow()) == 4


# Display


def test_a_notebook_shows_the_segments_with_escaped_names(frame: pd.DataFrame) -> None:
    script = "<script>alert(1)</script>"
    result = rfm.segment(
        frame, settings={"segments": {"rules": [{"segment": script, "r": 4}], "fallback": "<b>Others"}}
    )
    page = result._repr_html_()
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "&lt;b&gt;Others" in page
    assert "4 customers, 6 orders, revenue 163.50" in page
    assert repr(result) == "<Segmentation: 4 customers, 6 orders, revenue 163.50, as of 2024-03-01>"


# The package


def test_the_package_lists_its_names_and_imports_them_lazily() -> None:
    assert set(rfm.__all__) <= set(dir(rfm))
    for name in rfm.__all__:
        assert getattr(rfm, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'segmnt'"):
        _ = rfm.segmnt
    loaded = run_python("-c", "import sys, rfm_pipeline; print(*sys.modules)").stdout.split()
    assert not {"_duckdb", "duckdb", "msgspec", "pandas", "pyarrow", "rfm_pipeline.api.segment"} & set(loaded)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("absent", "code", "wanted"),
    [
        ("pyarrow", "rfm.segment(polars_frame).to_polars()", "4"),
        ("pyarrow", "rfm.segment('orders.csv').to_pandas()", "4"),
        ("pyarrow", "rfm.segment('orders.csv').to_arrow()", "pyarrow is not installed."),
        ("polars", "rfm.segment('orders.csv').to_polars()", "polars is not installed."),
    ],
)
def test_only_the_package_of_the_requested_form_is_needed(
    absent: str, code: str, wanted: str, orders: Path
) -> None:
    program = f"""
import sys
sys.modules[{absent!r}] = None
import os; os.chdir({str(orders.parent)!r})
import rfm_pipeline
import rfm_pipeline as rfm
if "polars_frame" in {code!r}:
    import polars
    polars_frame = polars.read_csv("orders.csv", infer_schema=False)
try:
    print(len({code}))
except rfm.RfmError as error:
    print(error)
"""
    done = run_python("-c", program)
    assert (done.returncode, done.stdout.strip()) == (0, wanted), done.stderr
