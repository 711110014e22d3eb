"""`rfm export` to CSV, Parquet and Excel: content of the file, and its permissions."""

from __future__ import annotations

import zipfile
from collections import Counter
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import fastexcel
import pytest

from rfm_pipeline.results.tables import RESULT_COLUMNS
from support.audience_shop import assert_refused, copy_shop, published_rows, read_csv
from support.cli import Rfm
from support.databases import empty_database


@pytest.fixture
def shop(rfm: Rfm, tmp_path: Path) -> Rfm:
    """The command line in a folder with a result and contacts."""
    copy_shop(tmp_path)
    return rfm


def read_back(path: Path) -> list[dict[str, Any]]:
    """Return the rows of a file; Excel files are read by another library than the one that wrote them."""
    with empty_database() as connection:
        relation = f"'{path}'"
        if path.suffix == ".xlsx":
            connection.register("sheet", connection.from_arrow(fastexcel.read_excel(path).load_sheet(0)))
            relation = "sheet"
        cursor = connection.execute(f"SELECT * FROM {relation} ORDER BY customer_id")
        names = [column[0] for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def test_a_csv_has_the_rows_that_are_published(shop: Rfm, tmp_path: Path) -> None:
    outcome = shop("export", "-o", "all.csv")
    assert (outcome.code, outcome.stderr) == (0, "")
    rows = read_csv(tmp_path / "all.csv")
    assert list(rows[0]) == list(RESULT_COLUMNS)
    for row, expected in zip(rows, published_rows(tmp_path), strict=True):
        assert row["customer_id"] == expected["customer_id"]
        assert Decimal(row["monetary"]) == expected["monetary"]
        assert date.fromisoformat(row["last_order_date"]) == expected["last_order_date"]
        assert int(row["r_score"]) == expected["r_score"]
        assert row["segment"] == expected["segment"]
    assert rows[0]["monetary"] == "500.00"


def test_a_parquet_file_reads_back_to_the_published_rows(shop: Rfm, tmp_path: Path) -> None:
    assert shop("export", "-o", "all.parquet").code == 0
    assert read_back(tmp_path / "all.parquet") == published_rows(tmp_path)


def test_a_workbook_reads_back_to_the_published_rows(shop: Rfm, tmp_path: Path) -> None:
    assert shop("export", "-o", "all.xlsx", "--columns", "customer_id,segment,monetary,frequency").code == 0
    expected = published_rows(
        tmp_path, "customer_id, segment, CAST(monetary AS DOUBLE) AS monetary, frequency"
    )
    assert read_back(tmp_path / "all.xlsx") == expected


def test_segments_are_chosen_by_name_in_any_case(shop: Rfm, tmp_path: Path) -> None:
    sizes = Counter(row["segment"] for row in published_rows(tmp_path))
    (one, _), (other, _) = sizes.most_common(2)
    outcome = shop("export", "-s", one.lower(), "--segment", other, "-o", "some.csv", "--json")
    rows = read_csv(tmp_path / "some.csv")
    assert Counter(row["segment"] for row in rows) == {one: sizes[one], other: sizes[other]}
    assert outcome.json["segments"] == [one, other]
    assert outcome.json["customers"] == outcome.json["exported"] == len(rows)
    assert outcome.json["as_of"] == published_rows(tmp_path)[0]["as_of_date"].isoformat()


def test_a_segment_of_the_map_that_is_empty_today_gives_a_file_with_headings(
    shop: Rfm, tmp_path: Path
) -> None:
    segments = {row["segment"] for row in published_rows(tmp_path)}
    empty = next(
        name for name in ("Hibernating", "Promising", "About to Sleep", "Lost") if name not in segments
    )
    assert shop("export", "-s", empty, "-o", "none.csv", "--columns", "customer_id,segment").code == 0
    assert (tmp_path / "none.csv").read_text() == "customer_id,segment\n"


def test_columns_have_the_requested_order(shop: Rfm, tmp_path: Path) -> None:
    assert shop("export", "-o", "some.csv", "--columns", "segment, customer_id").code == 0
    assert list(read_csv(tmp_path / "some.csv")[0]) == ["segment", "customer_id"]


@pytest.mark.parametrize("name", ["all.csv", "all.parquet", "all.xlsx"])
def test_only_the_owner_can_read_the_file_even_if_it_replaces_another(
    shop: Rfm, tmp_path: Path, name: str
) -> None:
    (tmp_path / name).write_text("an earlier one")
    (tmp_path / name).chmod(0o644)
    before = set(tmp_path.iterdir())
    assert shop("export", "-o", name).code == 0
    assert (tmp_path / name).stat().st_mode & 0o777 == 0o600
    assert set(tmp_path.iterdir()) == before, "no temporary file is left"


def test_a_failed_write_leaves_the_existing_file(
    shop: Rfm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: Path, target: Path) -> Path:
        raise OSError(28, "No space left on device")

    (tmp_path / "all.csv").write_text("an earlier one")
    before = set(tmp_path.iterdir())
    monkeypatch.setattr(Path, "replace", full)
    assert_refused(
        shop("export", "-o", "all.csv"),
        "can't be written: no space left on device",
        "check the output path",
        code=4,
    )
    assert (tmp_path / "all.csv").read_text() == "an earlier one"
    assert set(tmp_path.iterdir()) == before


# Formulas


@pytest.fixture
def with_formulas(rfm: Rfm, tmp_path: Path) -> Rfm:
    """A shop with customer ids that a spreadsheet reads as formulas."""
    ids = ["=cmd|'/c calc'!A0", "+1+1", "-2", "@SUM(1)", "\t=3", "plain"]
    lines = [f'"{name}",o{number},2025-01-0{number + 1},5' for number, name in enumerate(ids)]
    (tmp_path / "orders.csv").write_text("\n".join(["customer_id,order_id,order_date,amount", *lines]) + "\n")
    assert rfm("run", "orders.csv", "--quiet").code == 0
    return rfm


def test_a_formula_in_a_csv_gets_an_apostrophe_and_a_number_does_not(
    with_formulas: Rfm, tmp_path: Path
) -> None:
    assert with_formulas("export", "-o", "all.csv").code == 0
    written = {row["customer_id"] for row in read_csv(tmp_path / "all.csv")}
    stored = {row["customer_id"] for row in published_rows(tmp_path)}
    assert {"=cmd|'/c calc'!A0", "-2", "plain"} <= stored
    assert {"'=cmd|'/c calc'!A0", "'+1+1", "'@SUM(1)", "-2", "plain"} <= written
    assert len(written) == len(stored)


def test_raw_leaves_formulas_unchanged(with_formulas: Rfm, tmp_path: Path) -> None:
    assert with_formulas("export", "-o", "all.csv", "--raw").code == 0
    written = {row["customer_id"] for row in read_csv(tmp_path / "all.csv")}
    assert written == {row["customer_id"] for row in published_rows(tmp_path)}


@pytest.mark.parametrize("name", ["all.xlsx", "all.parquet"])
def test_a_workbook_has_texts_and_no_formulas(with_formulas: Rfm, tmp_path: Path, name: str) -> None:
    assert with_formulas("export", "-o", name, "--columns", "customer_id,monetary").code == 0
    written = {row["customer_id"] for row in read_back(tmp_path / name)}
    assert written == {row["customer_id"] for row in published_rows(tmp_path)}
    if name.endswith(".xlsx"):
        with zipfile.ZipFile(tmp_path / name) as book:
            assert b"<f>" not in book.read("xl/worksheets/sheet1.xml")


# Ids that are addresses


@pytest.fixture
def with_addresses(rfm: Rfm, tmp_path: Path) -> Rfm:
    """A shop whose customer ids are e-mail addresses."""
    lines = [f"User.{number}@Example.com,o{number},2025-01-0{number},5" for number in range(1, 6)]
    (tmp_path / "orders.csv").write_text("\n".join(["email,order_id,order_date,amount", *lines]) + "\n")
    assert rfm("run", "orders.csv", "--quiet").code == 0
    return rfm


@pytest.mark.guarantee("hashed")
def test_ids_that_are_addresses_need_the_flag_clear(with_addresses: Rfm, tmp_path: Path) -> None:
    for name in ("all.csv", "all.parquet", "all.xlsx"):
        assert_refused(
            with_addresses("export", "-o", name), "5 customer ids contain e-mail addresses", "--clear"
        )
        assert not (tmp_path / name).exists()
    assert with_addresses("export", "-o", "all.csv", "--columns", "segment,monetary").code == 0
    assert "@" not in (tmp_path / "all.csv").read_text()
    assert with_addresses("export", "-o", "all.csv", "--clear").code == 0
    assert "user.1@example.com" in (tmp_path / "all.csv").read_text()


@pytest.mark.matrix
@pytest.mark.parametrize(
    "customer",
    [
        "Jo <jo@example.com>", "mailto:jo@example.com", "jo@localhost", "jo%40example.com", "id 7 jo@shop",
        "jo\uff20example.com", "JO@EXAMPLE.COM;DE",
    ],
)  # fmt: skip
def test_an_address_anywhere_in_an_id_needs_the_flag_clear(customer: str, rfm: Rfm, tmp_path: Path) -> None:
    lines = ["customer_id,order_id,order_date,amount", f"{customer},o1,2025-01-01,5", "c2,o2,2025-01-02,7"]
    (tmp_path / "orders.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    assert rfm("run", "orders.csv", "--quiet").code == 0
    refusal = "1 customer id contains an e-mail address"
    assert_refused(rfm("export", "-o", "all.csv"), refusal, "--clear")
    assert not (tmp_path / "all.csv").exists()


def test_ids_that_are_addresses_need_no_contacts(with_addresses: Rfm, tmp_path: Path) -> None:
    outcome = with_addresses("export", "-f", "google", "--email", "customer_id", "-o", "g.csv", "--json")
    assert (outcome.json["exported"], outcome.json["contacts"]) == (5, None)
    assert len({row["Email"] for row in read_csv(tmp_path / "g.csv")}) == 5
    assert "@" not in (tmp_path / "g.csv").read_text()


# Errors


@pytest.mark.parametrize(
    ("arguments", "error", "hint"),
    [
        (("-o", "x.txt"), "x.txt is not clear from its suffix", "--format"),
        (("-o", "x.csv", "-f", "exel"), "There is no format 'exel'", "xlsx, google"),
        (("-o", "x.csv", "-f", "parquet"), "written to a .parquet file", ".parquet"),
        (("-o", "x.xlsx", "-f", "google", "--email", "customer_id"), "written to a .csv file", ".csv"),
        (("-o", "x.csv", "-s", "Champion"), "There is no segment 'Champion'", "did you mean 'Champions'?"),
        (("-o", "x.csv", "--columns", "segmnt"), "no column `segmnt`", "did you mean 'segment'?"),
        (("-o", "x.csv", "--columns", "segment,segment"), "names a column twice", "once"),
        (("-o", "there/x.csv"), "a folder that does not exist", "folder"),
        (("-o", "x.csv", "--to", "duckdb:other.duckdb"), "no result at duckdb:other.duckdb", "rfm run"),
        (("-o", "x.csv", "-f", "meta"), "needs addresses", "--contacts FILE"),
    ],
)
def test_an_invalid_request_is_an_error_and_writes_nothing(
    shop: Rfm, tmp_path: Path, arguments: tuple[str, ...], error: str, hint: str
) -> None:
    before = set(tmp_path.iterdir())
    assert_refused(shop("export", *arguments), error, hint)
    assert set(tmp_path.iterdir()) == before


def test_the_summary_counts_the_customers_in_the_file(shop: Rfm, tmp_path: Path) -> None:
    output = shop("export", "-o", "all.xlsx").stdout
    assert "10 customers\n10  exported\n" in output
    assert "Wrote all.xlsx" in output
    assert "duckdb:rfm.duckdb#rfm_segments as of 2025-" in output


def test_nothing_is_left_in_the_temporary_folder(shop: Rfm, tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    (tmp_path / "rfm.toml").write_text(f'[duckdb]\ntemp_directory = "{scratch}"\n')
    assert shop("export", "-f", "google", "--contacts", "contacts.csv", "-o", "g.csv").code == 0
    assert list(scratch.iterdir()) == []
