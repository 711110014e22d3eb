"""`rfm movers` and audiences by movement, on a small shop."""

from __future__ import annotations

import atexit
import csv
import functools
import re
import shutil
import stat
import tempfile
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from rfm_pipeline.config.loader import load_configuration
from rfm_pipeline.pipeline.progress import NullObserver
from rfm_pipeline.pipeline.run import run
from support import moving_shop
from support.cli import Rfm
from support.databases import empty_database
from support.moving_shop import EARLIER, LATER, RULES
from support.orders import refused

NAMES = ("aged", "overtaken", "silent", "new", "lapsed", "returned", "steady")
"""Ids of the customers of the moving shop, in its order."""
ORDERS = dict(zip(NAMES, moving_shop.ORDERS.values(), strict=True))
FILTERS = {
    "a movement as printed, in a segment": ("--moved", "best → *", "--segment", "Recent"),
    "two movements": ("--moved", "Gone->Best", "--moved", "* -> slipping"),
    "a movement and a reason": ("--moved", "Best -> *", "--reason", "due"),
    "two reasons": ("--reason", "new-at-top", "--reason", "due"),
}


def write_shop(folder: Path, recent: str = "Recent", prefix: str = "") -> None:
    lines = [
        f"{prefix}{customer},{customer} {number},{day},10"
        for customer, days in ORDERS.items()
        for number, day in enumerate(days)
    ]
    (folder / "orders.csv").write_text("\n".join(["customer_id,order_id,date,amount", *lines]))
    (folder / "rfm.toml").write_text(RULES.format(recent=recent))


def publish(rfm: Rfm, *dates: str) -> None:
    for as_of in dates:
        ended = rfm("run", "orders.csv", "--as-of", as_of, "--quiet")
        assert ended.code == 0, ended.stderr


@functools.cache
def published_shop() -> Path:
    """Return a folder with a shop and its results of both dates, which tests copy."""
    folder = Path(tempfile.mkdtemp(prefix="movers-shop-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    write_shop(folder)
    flags = {"source": f"{folder}/orders.csv", "to": f"duckdb:{folder}/rfm.duckdb"}
    for as_of in (EARLIER, LATER):
        configuration = load_configuration({**flags, "as_of": as_of}, config=folder / "rfm.toml")
        run(configuration, NullObserver())
    return folder


@pytest.fixture
def published(tmp_path: Path, rfm: Rfm) -> Path:
    shutil.copytree(published_shop(), tmp_path, dirs_exist_ok=True)
    return tmp_path


def written(rfm: Rfm, *flags: str) -> list[dict[str, str]]:
    ended = rfm("movers", *flags, "-o", "movers.csv", "--json")
    assert ended.code == 0, ended.stderr
    with Path("movers.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_each_customer_is_listed_with_the_reasons_the_most_money_first(published: Path, rfm: Rfm) -> None:
    rows = written(rfm)
    assert [(row["customer_id"], row["reasons"], row["monetary"]) for row in rows] == [
        ("returned", "woke_up, new_at_top", "40.00"),
        ("silent", "slipped, due", "30.00"),
        ("overtaken", "slipped, due", "20.00"),
        ("aged", "slipped", "10.00"),
    ]
    assert rows[1] == {
        "customer_id": "silent", "reasons": "slipped, due", "from_segment": "Best", "segment": "Slipping",
        "cause": "time", "monetary": "30.00", "frequency": "3", "recency_days": "31",
        "last_order_date": "2024-01-29", "mean_gap_days": "12.0",
    }  # fmt: skip
    assert stat.S_IMODE(Path("movers.csv").stat().st_mode) == 0o600


def test_json_has_the_totals_and_masked_customers(published: Path, rfm: Rfm) -> None:
    result = rfm("movers", "--top", "1", "--json").json
    assert (result["from"], result["to"]) == (EARLIER, LATER)
    assert (result["customers"], result["revenue"]) == (6, "130.00")
    assert result["at_risk"] == {"customers": 2, "revenue": "50.00", "revenue_share": 0.3846}
    assert result["chosen"] == {"customers": 4, "revenue": "100.00"}
    assert result["by_reason"] == {
        "slipped": {"customers": 3, "revenue": "60.00"},
        "woke_up": {"customers": 1, "revenue": "40.00"},
        "new_at_top": {"customers": 1, "revenue": "40.00"},
        "due": {"customers": 2, "revenue": "50.00"},
    }
    (mover,) = result["movers"]
    assert (mover["customer_id"], mover["reasons"]) == ("r...", ["woke_up", "new_at_top"])


@pytest.mark.slow
def test_a_run_states_the_revenue_at_risk(published: Path, rfm: Rfm) -> None:
    ran = rfm("run", "orders.csv", "--as-of", LATER, "--json").json
    assert ran["at_risk"] == {"customers": 2, "revenue": "50.00"}
    assert rfm("report", "--quiet").code == 0
    # The first tiles are those of all customers; the others are of single segments.
    tile, *_ = re.findall(
        r"<dt>Revenue at risk</dt><dd>.*?</dd>", Path("report.html").read_text(encoding="utf-8")
    )
    assert "50.00" in tile
    assert "38.5\u00a0%</span>: 2 customers are due" in tile


@pytest.mark.slow
def test_customers_are_shown_on_a_terminal_only(
    published: Path, rfm: Rfm, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ("returned", "silent", "overtaken", "aged")
    piped = rfm("movers").stdout
    assert not any(name in piped for name in names)
    assert "Customers are masked" in piped
    monkeypatch.setattr("rfm_pipeline.cli.render.movers.shows_customers", lambda: True)
    shown = rfm("movers", "--top", "3").stdout
    assert [name in shown for name in names] == [True, True, True, False]
    assert "and 1 more" in shown


@pytest.mark.slow
def test_an_audience_has_the_movers_of_the_same_filter(published: Path, rfm: Rfm) -> None:
    for name, flags in FILTERS.items():
        expected = sorted(row["customer_id"] for row in written(rfm, *flags))
        ended = rfm("export", *flags, "--columns", "customer_id", "-o", "audience.csv", "--json")
        assert ended.code == 0, ended.stderr
        assert Path("audience.csv").read_text(encoding="utf-8").split() == ["customer_id", *expected], name
        assert ended.json["customers"] == ended.json["exported"] == len(expected) > 0
        assert ended.json["movers"]["from"] == EARLIER


@pytest.mark.slow
def test_other_dates_can_be_named(published: Path, rfm: Rfm) -> None:
    publish(rfm, "2024-02-15")
    flags = ("--moved", "Best -> *", "--from", EARLIER)
    expected = sorted(row["customer_id"] for row in written(rfm, *flags))
    assert len(expected) == 3
    assert rfm("export", *flags, "--columns", "customer_id", "-o", "audience.csv").code == 0
    assert Path("audience.csv").read_text(encoding="utf-8").split()[1:] == expected
    at_15 = rfm("movers", "--until", "2024-02-15", "--json").json
    assert (at_15["from"], at_15["to"]) == (EARLIER, "2024-02-15")
    assert rfm("movers", "--json").json["from"] == "2024-02-15"


@pytest.mark.slow
def test_moves_by_changed_rules_are_left_out_and_counted(tmp_path: Path, rfm: Rfm) -> None:
    write_shop(tmp_path)
    publish(rfm, EARLIER)
    write_shop(tmp_path, recent="Fresh")
    publish(rfm, LATER)
    result = rfm("movers", "--json").json
    # "aged", "overtaken" and "steady" are in Fresh, which the earlier map does not have.
    assert result["left_out_by_rules"] == 3
    assert result["by_reason"]["slipped"] == {"customers": 1, "revenue": "30.00"}
    assert result["unknown_segments"] == ["Recent"]
    assert [row["customer_id"] for row in written(rfm, "--moved", "* -> *")] == ["returned", "silent"]
    due = {row["customer_id"]: row for row in written(rfm, "--reason", "due")}
    assert (due["overtaken"]["from_segment"], due["overtaken"]["cause"]) == ("", "rules")
    exported = rfm("export", "--moved", "* -> Fresh", "-o", "audience.csv", "--json").json
    assert (exported["customers"], exported["movers"]["left_out_by_rules"]) == (0, 3)
    text = " ".join(rfm("movers").stdout.split())
    command = "rfm backfill orders.csv --to duckdb:rfm.duckdb --every stored"
    assert f"3 moves are due to changed rules, and left out; `{command}`" in text
    assert f"the segment map of {LATER} does not have Recent, which that of {EARLIER} has" in text
    assert rfm(*command.split()[1:]).code == 0
    assert rfm("movers", "--json").json["left_out_by_rules"] == 0


@pytest.mark.slow
def test_of_a_first_result_only_who_is_due_is_listed(tmp_path: Path, rfm: Rfm) -> None:
    write_shop(tmp_path)
    publish(rfm, LATER)
    result = rfm("movers", "--json").json
    assert result["from"] is None
    assert result["chosen"] == result["by_reason"]["due"] == {"customers": 2, "revenue": "50.00"}
    assert "there is no result before 2024-02-29" in " ".join(rfm("movers").stdout.split())
    for command in (("movers",), ("export", "-o", "audience.csv")):
        sentence, _ = refused(rfm(*command, "--moved", "Best -> *"))
        assert sentence.endswith(f"has no result before {LATER} to compare with.")
    assert rfm("export", "--reason", "due", "-o", "audience.csv", "--json").json["exported"] == 2


KNOWN = "There are Best, Recent, Slipping, Gone."
NO_MOVE, EXAMPLE = (
    "which is no movement FROM -> TO.",
    "for example --moved 'Champions -> *'; * is any segment.",
)
WRONG: dict[tuple[str, ...], tuple[str, str]] = {
    ("--moved", "Bes -> *"): ("There is no segment 'Bes'.", f"did you mean 'Best'? {KNOWN}"),
    ("--moved", "* -> Gonne"): ("There is no segment 'Gonne'.", f"did you mean 'Gone'? {KNOWN}"),
    ("--segment", "Xyz", "--reason", "due"): ("There is no segment 'Xyz'.", "there are Best, "),
    ("--moved", "Best"): (f"--moved is 'Best', {NO_MOVE}", EXAMPLE),
    ("--moved", "Best -> * -> Gone"): (NO_MOVE, EXAMPLE),
    ("--moved", "Best ->"): (NO_MOVE, EXAMPLE),
    ("--moved", "Best -> best"): ("'Best -> Best' is no movement.", EXAMPLE),
    ("--reason", "late"): ("There is no reason 'late'.", "slipped, woke_up, new_at_top, due"),
    ("--reason", "due", "--from", "2024-02-01"): ("no result as of 2024-02-01.", EARLIER),
    ("--moved", "* -> *", "--from", LATER): ("not before the later date", f"before {LATER}"),
}


def test_wrong_conditions_are_refused_with_what_is_right(published: Path, rfm: Rfm) -> None:
    for number, (flags, (expected, advice)) in enumerate(WRONG.items()):
        # Both commands share the checks.
        command = ("movers",) if number % 2 else ("export", "-o", "audience.csv")
        sentence, hint = refused(rfm(*command, *flags))
        assert expected in sentence, flags
        assert advice in hint, flags
    sentence, hint = refused(rfm("export", "--from", EARLIER, "-o", "audience.csv"))
    assert "--from is the earlier date of movements" in sentence
    assert "--moved" in hint
    assert not Path("audience.csv").exists()


@pytest.mark.slow
def test_addresses_are_written_only_if_that_is_allowed(tmp_path: Path, rfm: Rfm) -> None:
    write_shop(tmp_path, prefix="=jane@example.com")
    publish(rfm, EARLIER, LATER)
    sentence, hint = refused(rfm("movers", "-o", "movers.csv"))
    assert sentence == "4 customer ids contain e-mail addresses, and would be readable in the file."
    assert "--clear" in hint
    assert not Path("movers.csv").exists()
    assert rfm("movers", "--json").json["movers"][0]["customer_id"].startswith("=...@")
    rows = written(rfm, "--clear")
    # A spreadsheet would run the text as a formula.
    assert {row["customer_id"][:2] for row in rows} == {"'="}


def test_a_parquet_file_has_typed_columns(published: Path, rfm: Rfm) -> None:
    assert rfm("movers", "-o", "movers.parquet").code == 0
    with empty_database() as connection:
        rows = connection.execute(
            "SELECT customer_id, monetary, mean_gap_days, last_order_date FROM 'movers.parquet'"
        ).fetchall()
    assert rows[:2] == [
        ("returned", Decimal(40), 28.3, date(2024, 2, 28)),
        ("silent", Decimal(30), 12.0, date(2024, 1, 29)),
    ]


def test_an_output_that_is_no_file_of_movers_is_refused(published: Path, rfm: Rfm) -> None:
    for output in ("movers.txt", "orders.csv", "missing/movers.csv"):
        flags = () if output != "orders.csv" else ("--config", "source.toml")
        Path("source.toml").write_text('source = "orders.csv"\n')
        refused(rfm("movers", "-o", output, *flags))
    assert Path("orders.csv").read_text().startswith("customer_id")
