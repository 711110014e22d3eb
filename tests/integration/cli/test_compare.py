"""`rfm compare` on small shops: configurations, tables, dates, destinations, and wrong inputs."""

from __future__ import annotations

import csv
import io
import sys
from collections import Counter
from collections.abc import Mapping
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from random import Random
from shutil import copyfile, copytree

import duckdb
import pandas as pd
import pytest

import rfm_pipeline
from rfm_pipeline.cli import main
from rfm_pipeline.errors import UsageError
from support.cli import Rfm
from support.databases import empty_database
from support.orders import refused

DAYS = 120
EARLIER, LATER = "2024-02-29", "2024-03-31"


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with orders of 80 customers in four months, and what runs have made of them.

    `classic.csv`, `grid.csv` and `lifecycle.csv` are the segments by these maps, `rfm.duckdb` has the dates
    EARLIER and LATER, and the names of columns in `rfm.toml` are those of the orders.
    """
    folder, random = tmp_path_factory.mktemp("shop"), Random(5)
    lines = ["Kunde,order_id,date,amount"]
    for customer in range(80):
        for number in range(random.randint(1, 6)):
            day = pd.Timestamp("2024-01-01") + pd.Timedelta(days=random.randrange(DAYS))
            lines.append(
                f"c{customer},{customer}-{number},{day:%Y-%m-%d},{random.randrange(100, 9_999) / 100}"
            )
    (folder / "orders.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "rfm.toml").write_text('[columns]\ncustomer_id = "Kunde"\n', encoding="utf-8")
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(folder)
        for name in ("classic", "grid", "lifecycle"):
            _run(patched, "--preset", name, "-o", f"{name}.csv", "--to", "duckdb:other.duckdb#segments")
        for day in (EARLIER, LATER):
            _run(patched, "--as-of", day, "-o", f"{day}.csv")
    return folder


def _run(patched: pytest.MonkeyPatch, *arguments: str) -> None:
    patched.setattr(sys, "argv", ["rfm", "run", "orders.csv", "-q", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 0


@pytest.fixture
def shop(files: Path, tmp_path: Path) -> Path:
    """The orders, in the current folder with all files."""
    copytree(files, tmp_path, dirs_exist_ok=True)
    return tmp_path / "orders.csv"


def rows_of(file: str | Path) -> pd.DataFrame:
    with empty_database() as connection:
        return connection.execute(f"SELECT * FROM read_csv('{file}', all_varchar = true)").df()


def kappa(pairs: Mapping[tuple[str, str], int]) -> float:
    """Return Cohen's kappa from the number of customers of each pair of segments."""
    total, same = sum(pairs.values()), sum(number for (a, b), number in pairs.items() if a == b)
    sizes: tuple[Counter[str], Counter[str]] = (Counter(), Counter())
    for pair, number in pairs.items():
        for size, name in zip(sizes, pair, strict=True):
            size[name] += number
    chance = sum(sizes[0][name] * sizes[1][name] for name in sizes[0]) / total**2
    return (same / total - chance) / (1 - chance)


# Configurations


@pytest.mark.slow
def test_two_configurations_are_compared_as_two_runs_are(shop: Path, rfm: Rfm) -> None:
    before = {file.name: file.read_bytes() for file in shop.parent.iterdir()}
    ended = rfm("compare", shop, "--with", "preset=grid", "--json")
    assert (ended.code, ended.stderr) == (0, "")
    assert {file.name: file.read_bytes() for file in shop.parent.iterdir()} == before, "nothing is written"
    result = ended.json
    assert list(result) == [
        "a", "b", "engine", "equal", "customers", "agreement", "columns", "segments", "flows", "notes",
    ]  # fmt: skip
    a, b = (rows_of(name).set_index("customer_id") for name in ("classic.csv", "grid.csv"))
    pairs = Counter(zip(a.segment, b.segment.reindex(a.index), strict=True))
    found = {(flow["a"], flow["b"]): flow["customers"] for flow in result["flows"]}
    # The maps spell one segment in two ways.
    assert found == {
        (one, "At-Risk" if other == "At Risk" else other): n for (one, other), n in pairs.items()
    }
    same = sum(number for (one, other), number in found.items() if one == other)
    assert result["agreement"]["same_segment"] == same
    assert result["agreement"]["share"] == same / len(a)
    assert result["agreement"]["kappa"] == pytest.approx(kappa(found), abs=1e-12)
    assert result["columns"]["r_score"] == sum(a.r_score != b.r_score.reindex(a.index))
    assert result["columns"]["segment"] == len(a) - same
    for name in ("a", "b"):
        assert Decimal(result[name]["revenue"]) == sum(map(Decimal, a.monetary))
    tables = rfm("compare", "classic.csv", "grid.csv", "--json").json
    assert sorted(tables["flows"], key=str) == sorted(result["flows"], key=str)


@pytest.mark.slow
@pytest.mark.parametrize("changed", [("method", "ntile"), ("bins", "6")])
def test_a_method_or_a_number_of_bins_alone_is_compared_as_two_runs_are(
    changed: tuple[str, str], shop: Path, rfm: Rfm, tmp_path: Path
) -> None:
    with (tmp_path / "rfm.toml").open("a", encoding="utf-8") as file:
        file.write(
            '[scoring]\nbins = 4\n[segments]\nfallback = "Others"\n'
            '[[segments.rules]]\nsegment = "Best"\nr = ">=3"\nf = ">=3"\n'
            '[[segments.rules]]\nsegment = "Big"\nm = ">=3"\n'
        )
    name, value = changed
    for file_name, flags in (("a", ()), ("b", (f"--{name}", value))):
        out = ("-o", f"{file_name}.csv", "--to", f"duckdb:{file_name}.duckdb")
        assert rfm("run", shop, *flags, *out, "--quiet").code == 0
    result = rfm("compare", shop, "--with", f"{name}={value}", "--json").json
    a, b = (rows_of(file).set_index("customer_id") for file in ("a.csv", "b.csv"))
    pairs = Counter(zip(a.segment, b.segment.reindex(a.index), strict=True))
    assert any(one != other for one, other in pairs)
    assert {(flow["a"], flow["b"]): flow["customers"] for flow in result["flows"]} == pairs
    assert result["agreement"]["kappa"] == pytest.approx(kappa(pairs), abs=1e-12)
    scores = ("r_score", "f_score", "m_score")
    assert [result["columns"][each] for each in scores] == [
        sum(a[each] != b[each].reindex(a.index)) for each in scores
    ]


@pytest.mark.slow
@pytest.mark.parametrize("changes", ["bins=4,method=quantile", "preset=classic"])
def test_a_configuration_equals_itself(changes: str, shop: Path, rfm: Rfm) -> None:
    result = rfm("compare", shop, "--with", changes, "--json").json
    assert result["equal"] is True
    assert result["agreement"]["kappa"] == 1


@pytest.mark.slow
def test_what_is_said_of_a_method_is_said_of_side_b(shop: Path, rfm: Rfm) -> None:
    notes = rfm("compare", shop, "--with", "method=ntile", "--json").json["notes"]
    assert sum(note.startswith("ntile: ") for note in notes) == 1


@pytest.mark.slow
@pytest.mark.parametrize(("own", "other"), [("classic", "lifecycle"), ("lifecycle", "classic")])
def test_a_map_with_conditions_on_gaps_can_be_on_either_side(
    own: str, other: str, shop: Path, rfm: Rfm
) -> None:
    ended = rfm("compare", shop, "--preset", own, "--with", f"preset={other}", "--json")
    tables = rfm("compare", f"{own}.csv", f"{other}.csv", "--json").json
    assert ended.code == 0, ended
    assert sorted(ended.json["flows"], key=str) == sorted(tables["flows"], key=str)


# Tables


@pytest.mark.slow
def test_the_table_of_another_pipeline_is_compared_by_detected_and_renamed_names(
    shop: Path, rfm: Rfm, tmp_path: Path
) -> None:
    old = rows_of(tmp_path / "classic.csv")[["customer_id", "segment", "monetary"]]
    old = old.rename(columns={"customer_id": "Client ID", "segment": "RFM group", "monetary": "LTV"})
    old["RFM group"] = old["RFM group"].replace({"Champions": "VIP", "At-Risk": "at risk"})
    old.loc[len(old)] = ["nobody", "VIP", "7.5"]
    old.loc[len(old)] = ["", "VIP", "1"]
    old.to_csv(tmp_path / "old.csv", index=False)
    ended = rfm("compare", "classic.csv", "old.csv", "--rename", "VIP=Champions", "--json")
    assert (ended.code, ended.stderr) == (0, "")
    result = ended.json
    assert result["agreement"] == {
        "same_segment": 80,
        "share": 1.0,
        "kappa": 1.0,
        "common_segments": result["agreement"]["common_segments"],
    }
    assert result["customers"] == {"both": 80, "only_a": 0, "only_b": 1}
    assert result["equal"] is False
    assert result["columns"] == {"segment": 0, "monetary": 0}
    assert {"a": None, "b": "Champions", "customers": 1, "revenue_a": None, "revenue_b": "7.50"} in result[
        "flows"
    ]
    assert "'at risk' of side B is 'At-Risk' of side A" in result["notes"]
    assert "1 row of old.csv without a customer id" in result["notes"]
    without = rfm("compare", "classic.csv", "old.csv", "--json").json
    champions = sum(flow["customers"] for flow in result["flows"] if flow["a"] == "Champions")
    assert without["agreement"]["same_segment"] == 80 - champions > 0


@pytest.mark.slow
def test_chosen_columns_apply_to_the_tables_that_have_them(shop: Path, rfm: Rfm, tmp_path: Path) -> None:
    with closing(duckdb.connect(str(tmp_path / "old.duckdb"))) as connection:
        connection.execute(
            "CREATE TABLE marts AS SELECT customer_id AS who, rfm_score AS segment, segment AS grp, 0 AS ltv,"
            " CAST(monetary AS DOUBLE) AS spent FROM 'classic.csv'"
        )
    columns = ("--customer-id", "who", "--segment", "grp", "--monetary", "spent")
    for old in ("duckdb:old.duckdb#marts", "old.duckdb"):
        result = rfm("compare", "classic.csv", old, *columns, "--json").json
        assert (result["equal"], result["columns"]) == (True, {"segment": 0, "monetary": 0})
    query = "SELECT who AS customer_id, grp AS segment FROM marts"
    with closing(duckdb.connect(str(tmp_path / "old.duckdb"))) as connection:
        connection.execute(f"COPY ({query}) TO 'plain.csv'")
    (tmp_path / "old.sql").write_text("SELECT * FROM 'plain.csv'", encoding="utf-8")
    result = rfm("compare", "old.sql", "duckdb:rfm.duckdb#rfm_segments", "--json").json
    assert (result["a"]["revenue"], result["a"]["as_of"], result["b"]["as_of"]) == (None, None, LATER)


def test_values_that_can_not_be_read_are_not_compared(shop: Path, rfm: Rfm, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("customer_id,segment,monetary,frequency\n1,x,12,1\n2,y,soon,2\n")
    (tmp_path / "b.csv").write_text("customer_id,segment,monetary,frequency\n1,x,12.0,1\n2,y,soon,3\n")
    result = rfm("compare", "a.csv", "b.csv", "--json").json
    assert result["columns"] == {"segment": 0, "frequency": 1}
    assert result["a"]["revenue"] is None
    assert "`monetary` of a.csv is not compared: it has 1 value that is no number" in result["notes"]


def test_addresses_in_the_column_of_the_segment_are_masked(shop: Path, rfm: Rfm, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("customer_id,contact\n1,ann@example.com\n2,x\n", encoding="utf-8")
    (tmp_path / "b.csv").write_text("customer_id,contact\n1,x\n2,x\n", encoding="utf-8")
    for extra in ((), ("--json",), ("--csv",), ("--rename", "y=z"), ("--customers", "segment")):
        ended = rfm("compare", "b.csv", "a.csv", "--segment", "contact", *extra)
        assert "ann@" not in ended.stdout + ended.stderr
        assert "a...@example.com" in ended.stdout + ended.stderr


# Dates and destinations


def test_two_dates_of_a_destination_are_compared(shop: Path, rfm: Rfm) -> None:
    later = rfm("compare", "duckdb:rfm.duckdb", "--with", f"as_of={EARLIER}", "--json").json
    assert (later["a"]["as_of"], later["b"]["as_of"]) == (LATER, EARLIER)
    files = rfm("compare", f"{LATER}.csv", f"{EARLIER}.csv", "--json").json
    assert sorted(map(str, later["flows"])) == sorted(map(str, files["flows"]))
    asked = ("compare", "rfm.duckdb", "--as-of", EARLIER, "--with", f"as_of={LATER}", "--json")
    moves = rfm(*asked).json
    transitions = rfm("transitions", "--from", EARLIER, "--until", LATER, "--json").json
    assert {(flow["a"], flow["b"]): flow["customers"] for flow in moves["flows"]} == {
        (flow["from"], flow["to"]): flow["customers"] for flow in transitions["flows"]
    }
    assert moves["customers"]["only_b"] == transitions["new"]
    listed = rfm(*asked[:-1], "--customers", "frequency", "--csv").stdout
    rows = list(csv.DictReader(io.StringIO(listed)))
    assert len(rows) == moves["columns"]["frequency"] > 0
    assert all(int(row["frequency_a"]) < int(row["frequency_b"]) for row in rows)


def test_equal_results_are_equal_and_one_cent_is_found(shop: Path, rfm: Rfm, tmp_path: Path) -> None:
    copyfile(tmp_path / "rfm.duckdb", tmp_path / "two.duckdb")
    result = rfm("compare", "duckdb:rfm.duckdb", "duckdb:two.duckdb", "--json").json
    assert (result["equal"], result["agreement"]["kappa"]) == (True, 1)
    assert len(result["columns"]) == 14
    assert not any(result["columns"].values())
    with closing(duckdb.connect(str(tmp_path / "two.duckdb"))) as connection:
        connection.execute(
            "CREATE TABLE edited AS SELECT * REPLACE (CASE WHEN customer_id = 'c7' THEN monetary + 0.01"
            " ELSE monetary END AS monetary) FROM rfm_segments"
        )
    both = ("compare", "duckdb:rfm.duckdb", "duckdb:two.duckdb#edited")
    result = rfm(*both, "--json").json
    assert result["equal"] is False
    assert [name for name, number in result["columns"].items() if number] == ["monetary"]
    assert result["agreement"]["kappa"] == 1
    listed = rfm(*both, "--customers", "monetary", "--csv").stdout
    assert [row["customer_id"] for row in csv.DictReader(io.StringIO(listed))] == ["c7"]


# Output


@pytest.mark.slow
def test_the_csv_has_the_table_of_segments_or_the_customers(shop: Path, rfm: Rfm) -> None:
    asked = ("compare", shop, "--with", "preset=pymc")
    flows = list(csv.DictReader(io.StringIO(rfm(*asked, "--csv").stdout)))
    assert sum(int(flow["customers"]) for flow in flows) == 80
    assert list(flows[0]) == ["segment_a", "segment_b", "customers", "revenue_a", "revenue_b"]
    moved = list(csv.DictReader(io.StringIO(rfm(*asked, "--csv", "--customers", "segment").stdout)))
    expected = sum(int(flow["customers"]) for flow in flows if flow["segment_a"] != flow["segment_b"])
    assert len({row["customer_id"] for row in moved}) == len(moved) == expected
    assert all(row["segment_a"] != row["segment_b"] for row in moved)
    scores = list(csv.DictReader(io.StringIO(rfm(*asked, "--csv", "--customers", "f_score").stdout)))
    assert all(row["f_score_a"] != row["f_score_b"] and row["f_score_a"].isdigit() for row in scores)


@pytest.mark.parametrize("width", ["50", "100"])
def test_customers_are_masked_outside_a_terminal(
    width: str, shop: Path, rfm: Rfm, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, rest = shop.read_text(encoding="utf-8").split("\n", 1)
    shop.write_text(f"{first}\nann@example.com,0,2024-04-01,5000\n{rest}", encoding="utf-8")
    monkeypatch.setenv("COLUMNS", width)
    asked = ("compare", shop, "--with", "preset=grid", "--customers", "rfm_score")
    piped = rfm(*asked)
    assert piped.code == 0, piped
    assert max(map(len, piped.stdout.splitlines())) <= int(width)
    assert "ann@" not in piped.stdout
    assert "Customers are masked, as this is no" in piped.stdout
    assert "more: --csv lists all" in piped.stdout
    monkeypatch.setattr("rfm_pipeline.cli.render.compare.shows_customers", lambda: True)
    shown = rfm(*asked).stdout
    assert "ann@example" in shown
    assert "Customers are masked" not in shown


# Wrong inputs


@pytest.mark.parametrize(
    ("arguments", "sentence", "hint"),
    [
        ((), "A comparison takes two sides.", "for example rfm compare orders.csv --with preset=grid"),
        (("orders.csv",), "A comparison takes two sides.", "for example rfm compare orders.csv"),
        (
            ("orders.csv", "--with", "window=3"),
            "A configuration to compare sets 'window'; it takes preset, bins, method and as_of.",
            "for example --with preset=grid, or --with method=ntile.",
        ),
        (
            ("orders.csv", "old.csv"),
            "No column of orders.csv was recognised as the segment.",
            "name it with --segment; transaction lines are compared by two configurations, such as",
        ),
        (
            ("old.csv", "old.csv", "--with", "preset=grid"),
            "'preset' is for two configurations of the same lines, and does not go with a second table.",
            "give one source of transaction lines",
        ),
        (
            ("old.csv", "old.csv", "--with", "as_of=2024-03-31"),
            "old.csv is no destination of rfm, so that it has no result as of 2024-03-31.",
            "leave the date out",
        ),
        (
            ("duckdb:rfm.duckdb", "--with", "as_of=2024-01-01"),
            "duckdb:rfm.duckdb has no result as of 2024-01-01.",
            "the nearest dates with a result are 2024-02-29, 2024-03-31.",
        ),
        (
            ("duckdb:rfm.duckdb", "--with", "as_of=2024-03-31"),
            "Both sides are duckdb:rfm.duckdb as of 2024-03-31.",
            "give another date to side B",
        ),
        (("duckdb:rfm.duckdb", "--with", "as_of=soon"), "as_of: ", "write year, month and day."),
        (
            ("duckdb:rfm.duckdb", "twice.csv"),
            "twice.csv has 2 rows of 1 customer, by `customer_id`, and a comparison takes one row of each",
            "select one row of each customer in a .sql file",
        ),
        (
            ("duckdb:rfm.duckdb", "empty.csv"),
            "No row of empty.csv has a customer id, in `customer_id`.",
            "choose another column with --customer-id.",
        ),
        (
            ("old.csv", "ids.csv", "--segment", "nr"),
            "`nr` of ids.csv has 80 different values for 80 customers, so that it is no segment.",
            "choose another column with --segment.",
        ),
        (
            ("old.csv", "old.csv", "--customer-id", "nr"),
            "--customer-id names the column `nr`, which neither old.csv nor old.csv has.",
            "give the name of a column",
        ),
        (
            ("old.csv", "old.csv", "--customers", "r_score"),
            "`r_score` is not among the columns that were compared.",
            "choose one of `segment`.",
        ),
        (
            ("old.csv", "old.csv", "--csv", "--json"),
            "--csv and --json can't be combined.",
            "give one of them.",
        ),
        (
            ("old.csv", "old.csv", "--customers", "segment", "--json"),
            "--json names no customers.",
            "give --csv",
        ),
        (("old.csv", "old.csv", "--rename", "VIP"), "--rename is 'VIP', not NAME=NAME.", "write the name on"),
        (
            ("old.csv", "ids.csv", "--segment", "grp"),
            "ids.csv has no column `grp`, and no other was recognised as the segment.",
            "name it with --segment",
        ),
        (
            ("orders.csv", "--with", "preset=grid", "--segment", "grp"),
            "--segment is a column of tables of segmented customers",
            "leave it out.",
        ),
        (("old.csv", "none.csv"), "none.csv does not exist.", "check its spelling and the current folder."),
    ],
)
def test_wrong_inputs_are_refused_with_a_hint(
    arguments: tuple[str, ...], sentence: str, hint: str, shop: Path, rfm: Rfm
) -> None:
    tmp_path = shop.parent
    (tmp_path / "old.csv").write_text("customer_id,segment\n1,VIP\n2,Lost\n", encoding="utf-8")
    (tmp_path / "twice.csv").write_text("customer_id,segment\n1,VIP\n1,Lost\n", encoding="utf-8")
    (tmp_path / "empty.csv").write_text("customer_id,segment\n,VIP\n", encoding="utf-8")
    ids = "".join(f"{number},n{number}\n" for number in range(80))
    (tmp_path / "ids.csv").write_text(f"customer_id,nr\n{ids}", encoding="utf-8")
    said, told = refused(rfm("compare", *arguments))
    assert said.startswith(sentence)
    assert told.startswith(hint)


# Python


@pytest.mark.slow
def test_python_compares_results_frames_files_and_configurations(
    shop: Path, rfm: Rfm, tmp_path: Path
) -> None:
    lines = pd.read_csv(shop)
    with (
        rfm_pipeline.segment(lines, customer_id="Kunde") as classic,
        rfm_pipeline.segment(lines, customer_id="Kunde", preset="grid") as grid,
    ):
        result = rfm_pipeline.compare(classic, grid, customers="segment")
        frame = grid.to_pandas()
        assert rfm_pipeline.compare("classic.csv", classic).is_equal
        frames = rfm_pipeline.compare(classic.to_polars(), frame[["customer_id", "segment"]])
    assert len(result.customers) == result.moved > 0
    assert result.segments[:2] == ("Champions", "Loyal Customers"), "from best to worst"
    asked = rfm_pipeline.compare(lines, {"preset": "grid"}, customer_id="Kunde")
    assert asked.kappa == result.kappa == frames.kappa
    assert sum(row["customers"] for row in asked.rows()) == 80
    on_command_line = rfm("compare", shop, "--with", "preset=grid", "--json").json
    assert {**on_command_line, "notes": []} == {**asked.to_json(), "notes": []}


def test_python_hints_name_arguments(shop: Path) -> None:
    lines = pd.read_csv(shop)
    with pytest.raises(UsageError, match="A configuration to compare sets 'window'") as raised:
        rfm_pipeline.compare(lines, {"window": 3})
    assert raised.value.hint == 'for example {"preset": "grid", "bins": 5}.'
    with pytest.raises(UsageError, match="recognised as the segment") as raised:
        rfm_pipeline.compare(lines, lines, customer_id="Kunde")
    assert raised.value.hint is not None
    assert raised.value.hint.startswith("name it with segment; ")
    with pytest.raises(TypeError, match="unexpected keyword argument 'presets'"):
        rfm_pipeline.compare(lines, {"preset": "grid"}, presets="grid")
