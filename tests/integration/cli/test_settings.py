"""Sources of settings: presets, the file that `rfm init` writes, variables and flags; and the demo."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from rfm_pipeline.config import presets
from rfm_pipeline.config.base import field_types
from rfm_pipeline.config.engines import DuckDBSettings
from rfm_pipeline.config.loader import Configuration, load_configuration
from rfm_pipeline.config.scoring import Scoring
from rfm_pipeline.config.settings import Settings
from rfm_pipeline.config.source import SourceOptions
from rfm_pipeline.pipeline.init_config import starter_config
from support.cli import Rfm
from support.orders import ORDERS, published, refused, without_run_id


@pytest.fixture
def orders(tmp_path: Path) -> Path:
    path = tmp_path / "orders.csv"
    path.write_text(ORDERS, encoding="utf-8")
    return path


# rfm presets


def test_the_list_has_every_preset_with_its_title(rfm: Rfm) -> None:
    shown = rfm("presets").stdout
    for name in presets.names():
        assert re.search(rf"^  {name} +{re.escape(presets.info(name).title)}\s*$", shown, re.MULTILINE)
    assert set(rfm("presets", "--json").json) == set(presets.names())


@pytest.mark.parametrize("name", presets.names())
def test_a_preset_is_described(name: str, rfm: Rfm) -> None:
    shown, info = rfm("presets", name), presets.info(name)
    assert (shown.code, shown.stderr) == (0, "")
    assert shown.stdout.startswith(info.title)
    described = rfm("presets", name, "--json").json
    assert (described["title"], described["kind"]) == (info.title, info.kind)
    if info.kind == "segments":
        for segment in described["segments"]:
            assert segment["segment"] in shown.stdout
            assert segment["action"] in " ".join(shown.stdout.split()), segment["action"]
    else:
        assert described["columns"] == presets.load_preset(name)["columns"]
        # The printed text is TOML.
        below = shown.stdout.split("\n\n", 1)[1]
        assert tomllib.loads(below)["columns"] == described["columns"]


@pytest.mark.parametrize("name", presets.names())
def test_a_presets_file_is_a_configuration_file(name: str, rfm: Rfm, tmp_path: Path) -> None:
    ended = rfm("presets", name, "--toml")
    assert (ended.code, ended.stderr) == (0, "")
    config = tmp_path / "rfm.toml"
    config.write_text(ended.stdout, encoding="utf-8")
    loaded = Configuration(file=tomllib.loads(ended.stdout)).settings
    chosen = Configuration(flags={"preset": [name]}).settings
    assert msgspec.structs.replace(loaded, preset=()) == msgspec.structs.replace(chosen, preset=())


@pytest.mark.slow
def test_the_toml_of_a_preset_gives_the_same_segments_as_the_preset(
    rfm: Rfm, orders: Path, tmp_path: Path
) -> None:
    (tmp_path / "rfm.toml").write_text(rfm("presets", "grid", "--toml").stdout, encoding="utf-8")
    assert rfm("run", orders, "--to", "duckdb:file.duckdb").code == 0
    (tmp_path / "rfm.toml").unlink()
    assert rfm("run", orders, "--preset", "grid", "--to", "duckdb:flag.duckdb").code == 0
    assert without_run_id(tmp_path / "file.duckdb") == without_run_id(tmp_path / "flag.duckdb")


# rfm init


def uncommented(text: str) -> dict[str, Any]:
    """Return the file with all commented-out settings activated."""
    loaded = tomllib.loads(re.sub(r"^# (?=\[|\w+ = )", "", text, flags=re.MULTILINE))
    # Roles that are detected by name have a placeholder.
    loaded["columns"] = {role: name for role, name in loaded["columns"].items() if name != "..."}
    return loaded


def test_every_setting_in_the_starter_file_is_valid() -> None:
    settings = Configuration(file=uncommented(starter_config(None))).settings
    assert str(settings.source) == "orders.csv"
    assert set(settings.exclude) == {"test_orders", "wholesale"}
    assert [dimension.method for dimension in settings.scoring.dimensions] == ["fixed", "fixed", "quantile"]


def test_the_starter_file_has_every_setting() -> None:
    file = uncommented(starter_config(None))
    assert set(file) == set(field_types(Settings))
    assert set(file["read"]) == set(field_types(SourceOptions))
    assert set(file["duckdb"]) == set(field_types(DuckDBSettings))
    assert set(file["scoring"]) == set(field_types(Scoring))


@pytest.mark.slow
def test_the_starter_file_without_a_source_changes_nothing(rfm: Rfm, orders: Path, tmp_path: Path) -> None:
    assert rfm("run", orders, "--to", "duckdb:a.duckdb").code == 0
    assert rfm("init").stdout == "Wrote rfm.toml. Next: rfm check, then rfm run.\n"
    assert rfm("run", orders, "--to", "duckdb:b.duckdb").code == 0
    assert without_run_id(tmp_path / "a.duckdb") == without_run_id(tmp_path / "b.duckdb")


def test_init_writes_the_columns_of_a_source_for_check_and_run(
    rfm: Rfm, orders: Path, tmp_path: Path
) -> None:
    assert rfm("init", "orders.csv").code == 0
    file = tomllib.loads((tmp_path / "rfm.toml").read_text(encoding="utf-8"))
    assert file == {
        "source": "orders.csv",
        "to": "duckdb:rfm.duckdb",
        "columns": {
            "customer_id": "customer_id",
            "order_id": "order_id",
            "ordered_at": "order_date",
            "quantity": "quantity",
            "unit_price": "unit_price",
        },
    }
    checked = rfm("check", "--json")
    assert checked.code == 0, checked.stderr
    assert all(column["configured"] for column in checked.json["columns"].values())
    assert rfm("run").code == 0
    assert rfm("run", orders, "--config", os.devnull, "--to", "duckdb:b.duckdb").code == 0
    assert without_run_id(tmp_path / "rfm.duckdb") == without_run_id(tmp_path / "b.duckdb")


def test_init_writes_the_preset_of_a_recognised_export(rfm: Rfm, tmp_path: Path) -> None:
    (tmp_path / "items.csv").write_text(
        "id,order_id,user_id,product_id,inventory_item_id,status,created_at,returned_at,sale_price\n"
        "1,1,1,1,1,Complete,2024-01-01,,5\n",
        encoding="utf-8",
    )
    assert rfm("init", "items.csv", "--preset", "grid").code == 0
    text = (tmp_path / "rfm.toml").read_text(encoding="utf-8")
    assert tomllib.loads(text)["preset"] == ["thelook", "grid"]
    # Each setting has one line: uncommenting all of them makes no duplicates.
    assert uncommented(text)["preset"] == ["thelook", "grid"]
    assert rfm("check", "--json").json["rules"]["excluded"] == "cancelled, returned"


@pytest.mark.slow
def test_init_writes_flags_that_the_source_needs(rfm: Rfm, tmp_path: Path) -> None:
    (tmp_path / "w.csv").write_text("Konto;Zeit;Geld\n1;03/02/2024;3,50\n2;13/02/2024;4\n", encoding="utf-8")
    assert refused(rfm("init", "w.csv"))[1].startswith("name it with --customer-id COLUMN --ordered-at")
    assert not (tmp_path / "rfm.toml").exists()
    columns = ["--customer-id", "Konto", "--ordered-at", "Zeit", "--amount", "Geld", "--delimiter", ";"]
    assert rfm("init", "w.csv", *columns, "--date-format", "%d/%m/%Y", "--decimal", ",").code == 0
    shown = rfm("run", "--json").json
    assert (shown["as_of"], shown["revenue"], shown["orders"]) == ("2024-02-13", "7.50", 2)


def test_init_overwrites_only_with_force(rfm: Rfm, tmp_path: Path) -> None:
    config = tmp_path / "rfm.toml"
    config.write_text("# mine\n", encoding="utf-8")
    assert refused(rfm("init")) == ("rfm.toml exists already.", "`rfm init --force` overwrites it.")
    assert config.read_text(encoding="utf-8") == "# mine\n"
    assert rfm("init", "--config", "other.toml").code == 0
    assert rfm("init", "--force").code == 0
    assert config.read_bytes() == (tmp_path / "other.toml").read_bytes()


# rfm demo


def test_a_demo_generates_a_shop_and_publishes_its_customers(rfm: Rfm, tmp_path: Path) -> None:
    shown = rfm("demo", "--lines", "2_000", "--json").json
    assert shown["rows"]["read"] == 2_000
    assert sorted(path.name for path in tmp_path.iterdir()) == ["demo.csv", "demo.duckdb"]
    assert len(published(tmp_path / "demo.duckdb")) == shown["customers"] > 100
    again = rfm("run", "demo.csv", "--json").json
    assert (again["rows"], again["segments"]) == (shown["rows"], shown["segments"])


@pytest.mark.slow
def test_a_demo_ignores_the_configuration_for_real_data(rfm: Rfm, tmp_path: Path) -> None:
    (tmp_path / "rfm.toml").write_text('output = ["segments.csv"]\nto = "real.duckdb"\n', encoding="utf-8")
    assert rfm("demo", "--lines", "1000").code == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["demo.csv", "demo.duckdb", "rfm.toml"]
    assert rfm("demo", "--lines", "1000", "--config", "rfm.toml").code == 0
    assert (tmp_path / "segments.csv").exists()


# Precedence

ZONES = {
    "preset": "Europe/London",
    "file": "Europe/Paris",
    "environment": "Europe/Berlin",
    "flag": "Asia/Tokyo",
}


@pytest.mark.matrix
@pytest.mark.guarantee("precedence")
@pytest.mark.parametrize(
    ("layers", "winner"),
    [
        (["none"], "UTC"),
        # Column flags add to a recognised export.
        ([], "Europe/London"),
        (["preset"], "Europe/London"),
        (["file"], "Europe/Paris"),
        (["preset", "file"], "Europe/Paris"),
        (["file", "environment"], "Europe/Berlin"),
        (["preset", "environment"], "Europe/Berlin"),
        (["preset", "file", "environment", "flag"], "Asia/Tokyo"),
        (["file", "flag"], "Asia/Tokyo"),
        (["environment", "flag"], "Asia/Tokyo"),
    ],
)
def test_flags_override_environment_file_and_presets_in_this_order(
    layers: list[str], winner: str, rfm: Rfm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "o.csv").write_text(
        "Invoice,StockCode,Quantity,InvoiceDate,Price,Customer ID\n1,a,1,2024-01-01,5,1\n", encoding="utf-8"
    )
    arguments = ["--preset", "online-retail-ii"] if "preset" in layers else ["--customer-id", "Customer ID"]
    if "none" in layers:
        arguments += ["--preset", "none"]
    if "file" in layers:
        (tmp_path / "rfm.toml").write_text(f'timezone = "{ZONES["file"]}"\n', encoding="utf-8")
    if "environment" in layers:
        monkeypatch.setenv("RFM_TIMEZONE", ZONES["environment"])
    if "flag" in layers:
        arguments += ["--timezone", ZONES["flag"]]
    assert rfm("check", "o.csv", *arguments, "--json").json["rules"]["time zone"] == winner


def test_tables_of_several_layers_are_merged(
    rfm: Rfm, orders: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "rfm.toml").write_text(
        'source = "orders.csv"\npreset = "grid"\nscoring.method = "ntile"\nexclude.a = "quantity = \'3\'"\n',
        encoding="utf-8",
    )
    monkeypatch.setenv("RFM_SCORING__MONETARY", '{"method": "quantile"}')
    monkeypatch.setenv("RFM_OUTPUT", "a.csv, b.csv")
    shown = rfm("check", "--exclude", "b=quantity = '4'", "--json").json
    assert shown["rules"]["scores"] == "recency 5 ntile, frequency 5 ntile, monetary 5 quantile"
    assert shown["rules"]["excluded"] == "a, b"
    assert shown["outputs"] == ["a.csv", "b.csv"]


@pytest.mark.parametrize(
    ("environment", "same"),
    [
        ({"RFM_SCORING__BINS": "5 "}, {"scoring": {"bins": 5}}),
        ({"RFM_SCORING__BINS": "5.0"}, {"scoring": {"bins": 5.0}}),
        ({"RFM_READ__HEADER": "No"}, {"read": {"header": False}}),
        ({"RFM_READ__DELIMITER": "tab"}, {"read": {"delimiter": "\t"}}),
        ({"RFM_WINDOW": "90 Days"}, {"window": "90d"}),
        ({"RFM_SINCE": "2025-01-31"}, {"since": date(2025, 1, 31)}),
        ({"RFM_COLUMNS__AMOUNT": "[1]"}, {"columns": {"amount": "[1]"}}),
        ({"RFM_EXCLUDE__ODD": '"x" = 1'}, {"exclude": {"odd": '"x" = 1'}}),
        (
            {"RFM_EXCLUDE__ODD": '{"column": "a", "equals": "x"}'},
            {"exclude": {"odd": {"column": "a", "equals": ["x"]}}},
        ),
        (
            {"RFM_SCORING": '{"bins": 3, "monetary": {"method": "fixed"}}',
             "RFM_SCORING__MONETARY__EDGES": "[10.1, 20]"},
            {"scoring": {"bins": 3, "monetary": {"method": "fixed", "edges": [Decimal("10.1"), 20]}}},
        ),
        (
            {"RFM_SEGMENTS__RULES": '[{"segment": " All ", "r": ">=1"}]'},
            {"segments": {"rules": [{"segment": "All", "r": ">=1"}]}},
        ),
    ],
)  # fmt: skip
def test_a_variable_has_the_same_meaning_as_the_setting_in_the_file(
    environment: Mapping[str, str], same: dict[str, Any]
) -> None:
    assert (
        load_configuration({}, environ=environment).settings
        == Configuration(file=same).settings
        != Configuration().settings
    )


def test_exclusions_apply_in_the_order_of_the_variables() -> None:
    environment = {"RFM_EXCLUDE__ODD": "a = '1'", "RFM_EXCLUDE__EVEN": "a = '2'"}
    assert list(load_configuration({}, environ=environment).settings.exclude) == ["odd", "even"]


def test_the_hash_changes_exactly_with_settings_that_can_change_the_result() -> None:
    def hashed(**file: Any) -> str:
        return Configuration(file=file).settings.config_hash

    assert hashed() == hashed(source="a.csv", to="b.duckdb", output=["c.csv"], duckdb={"threads": 2})
    # The as-of date, audits and history do not affect the result of a given as-of date.
    assert hashed() == hashed(as_of="2025-01-31") == hashed(audits={"max_age": "3d"}, history={"keep": "1y"})
    assert hashed(scoring={"bins": 4}) == hashed(scoring={"bins": "4"}) == hashed()
    different: list[dict[str, Any]] = [
        {"since": "2024-01-31"},
        {"window": "2 years"},
        {"columns": {"amount": "total"}},
        {"exclude": {"odd": "a = '1'"}},
        {"scoring": {"monetary": {"method": "fixed", "edges": [1, 2, 3]}}},
        {"scoring": {"monetary": {"method": "fixed", "edges": [1, 2, 3.5]}}},
    ]
    assert len({hashed(), *(hashed(**file) for file in different)}) == 1 + len(different)


def test_a_run_can_be_configured_by_variables_alone(
    rfm: Rfm, orders: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment: Mapping[str, str] = {
        "RFM_SOURCE": "orders.csv",
        "RFM_TO": "duckdb:env.duckdb#env",
        "RFM_AS_OF": "2024-03-31",
        "RFM_PRESET": "klaviyo",
        "RFM_RETURNS": "net",
        "RFM_COLUMNS__CUSTOMER_ID": "country",
        "RFM_EXCLUDE": '{"cheap": "TRY_CAST(unit_price AS DECIMAL) < 1"}',
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    shown = rfm("run", "--json").json
    # France: 20 + 10 − 2.5 (net of the return) + 9 (no customer id) + 7 (cyd); 0.9999 and 0 are cheap.
    assert (shown["as_of"], shown["destination"]) == ("2024-03-31", "duckdb:env.duckdb#env")
    assert shown["rows"]["excluded"] == {"cheap": 2, "invalid_date": 1}
    assert published(tmp_path / "env.duckdb", "SELECT customer_id, monetary FROM env ORDER BY 1") == [
        ("DE", Decimal("125.50")),
        ("FR", Decimal("43.50")),
    ]


def test_another_configuration_file_replaces_rfm_toml(
    rfm: Rfm, orders: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "rfm.toml").write_text('timezone = "Europe/Paris"\n', encoding="utf-8")
    (tmp_path / "a.toml").write_text('preset = "grid"\n', encoding="utf-8")
    (tmp_path / "b.toml").write_text('preset = "klaviyo"\n', encoding="utf-8")
    monkeypatch.setenv("RFM_CONFIG", "a.toml")
    rules = rfm("check", orders, "--json").json["rules"]
    assert (rules["time zone"], rules["segments"]) == ("UTC", "grid, 10 segments")
    rules = rfm("check", orders, "--config", "b.toml", "--json").json["rules"]
    assert rules["segments"] == "klaviyo, 6 segments"


def test_an_unknown_variable_is_rejected(rfm: Rfm, orders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RFM_TIMEZONES", "Europe/Paris")
    sentence, hint = refused(rfm("run", orders))
    assert sentence == "The environment variable RFM_TIMEZONES names no setting."
    assert hint == "did you mean RFM_TIMEZONE?"


@pytest.mark.slow
def test_choosing_a_segment_map_keeps_the_preset_of_the_export(rfm: Rfm, tmp_path: Path) -> None:
    (tmp_path / "items.csv").write_text(
        "id,order_id,user_id,product_id,inventory_item_id,status,created_at,returned_at,sale_price\n"
        "1,1,1,1,1,Complete,2024-01-01,,5\n2,2,2,2,2,Cancelled,2024-01-01,,5\n",
        encoding="utf-8",
    )
    assert rfm("init", "items.csv").code == 0
    assert rfm("run", "--json").json["rows"]["excluded"] == {"cancelled": 1}
    assert rfm("run", "--preset", "grid", "--json").json["rows"]["excluded"] == {"cancelled": 1}
