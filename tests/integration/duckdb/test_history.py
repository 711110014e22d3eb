"""The history after reruns, older as-of dates, backfills, rollbacks and retention."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from support.cli import Rfm
from support.orders import refused
from support.shops import (
    DAYS,
    assert_segment_changes,
    check_consistency,
    current,
    day,
    history,
    runs,
    write_orders,
)

LATER = DAYS - 1


@pytest.fixture
def orders(tmp_path: Path) -> Path:
    return write_orders(tmp_path)


def run_ok(rfm: Rfm, *arguments: object) -> None:
    """Run a command, and assert that it succeeds."""
    ended = rfm(*arguments)
    assert ended.code == 0, ended.stderr


# Reruns


def test_a_rerun_gives_the_same_rows_and_changes_nothing_else(orders: Path, rfm: Rfm) -> None:
    file = orders.parent / "rfm.duckdb"
    for number in (10, 20, 30):
        run_ok(rfm, "run", orders, "--as-of", day(number))
    before, shown = history(file, with_run_id=True), current(file)
    run_ok(rfm, "run", orders, "--as-of", day(30))
    after = history(file, with_run_id=True)
    assert {as_of: rows for as_of, rows in after.items() if as_of != day(30)} == {
        as_of: rows for as_of, rows in before.items() if as_of != day(30)
    }
    assert history(file)[day(30)] == current(file) == shown
    assert {row["run_id"] for row in after[day(30)]} != {row["run_id"] for row in before[day(30)]}
    run_ok(rfm, "run", orders, "--as-of", day(20))
    assert history(file)[day(20)] == [
        {name: value for name, value in row.items() if name != "run_id"} for row in before[day(20)]
    ]
    assert current(file) == shown


def test_a_run_as_of_yesterday_is_recorded_by_its_date_which_repeats_it(orders: Path, rfm: Rfm) -> None:
    file, a_day = orders.parent / "rfm.duckdb", timedelta(days=1)
    first = datetime.now(UTC).date() - a_day
    run_ok(rfm, "run", orders, "--as-of", "yesterday")
    ((as_of, rows),) = history(file).items()
    assert first.isoformat() <= as_of <= (datetime.now(UTC).date() - a_day).isoformat()
    run_ok(rfm, "run", orders, "--as-of", as_of)
    assert history(file) == {as_of: rows}
    assert [run["as_of_date"].isoformat() for run in runs(file)] == [as_of, as_of]


@pytest.mark.guarantee("equal-scores")
def test_rows_do_not_depend_on_the_order_of_lines_or_the_threads(orders: Path, rfm: Rfm) -> None:
    file = orders.parent / "rfm.duckdb"
    run_ok(rfm, "run", orders, "--as-of", day(25))
    before = current(file)
    head, *lines = orders.read_text(encoding="utf-8").splitlines()
    orders.write_text("\n".join([head, *reversed(lines)]), encoding="utf-8")
    run_ok(rfm, "run", orders, "--as-of", day(25), "--threads", "1")
    assert current(file) == before


# Older dates


def test_an_older_date_goes_into_the_history_only(orders: Path, rfm: Rfm) -> None:
    file = orders.parent / "rfm.duckdb"
    run_ok(rfm, "run", orders, "--as-of", day(30))
    shown = current(file)
    result = rfm("run", orders, "--as-of", day(10), "--json").json
    assert result["status"] == "history_only"
    assert current(file) == shown
    assert list(history(file)) == [day(10), day(30)]
    assert [(run["kind"], run["status"]) for run in runs(file)] == [
        ("run", "published"),
        ("run", "history_only"),
    ]
    # The later date keeps the values of the time when it was written; a rerun computes them again.
    assert {row["previous_segment"] for row in history(file)[day(30)]} == {None}
    run_ok(rfm, "run", orders, "--as-of", day(30))
    assert_segment_changes(history(file))


# Backfills


@pytest.mark.slow
@pytest.mark.guarantee("backfill")
@pytest.mark.parametrize(
    ("every", "numbers"), [("day", range(20, 28)), ("week", range(4, 39, 7)), ("month", (4, 35))]
)
def test_a_backfill_writes_what_daily_runs_would_have_written(
    every: str, numbers: range | tuple[int, ...], orders: Path, rfm: Rfm
) -> None:
    filled, daily = orders.parent / "filled.duckdb", orders.parent / "daily.duckdb"
    span = ("--from", day(numbers[0]), "--until", day(numbers[-1]))
    run_ok(rfm, "backfill", orders, *span, "--every", every, "--to", f"duckdb:{filled}")
    for number in numbers:
        run_ok(rfm, "run", orders, "--as-of", day(number), "--to", f"duckdb:{daily}")
    assert list(history(filled)) == [day(number) for number in numbers]
    assert history(filled) == history(daily)
    assert current(filled) == current(daily)
    assert {run["kind"] for run in runs(filled)} == {"backfill"}
    assert_segment_changes(history(filled))
    check_consistency(filled)


@pytest.mark.slow
def test_a_backfill_of_older_dates_leaves_the_current_result(orders: Path, rfm: Rfm) -> None:
    file = orders.parent / "rfm.duckdb"
    run_ok(rfm, "run", orders, "--as-of", day(LATER))
    shown = current(file)
    run_ok(rfm, "backfill", orders, "--from", day(10), "--until", day(12))
    assert current(file) == shown
    assert [run["status"] for run in runs(file)] == [
        "published",
        "history_only",
        "history_only",
        "history_only",
    ]


@pytest.mark.slow
def test_a_repeated_backfill_continues_after_the_last_published_date(
    orders: Path, rfm: Rfm, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = orders.parent / "rfm.duckdb"
    arguments = ("backfill", orders, "--from", day(20), "--until", day(29), "--json")
    publish = "rfm_pipeline.pipeline.run._publish"
    from rfm_pipeline.pipeline import run as run_module

    original, published = run_module._publish, list[object]()

    def publish_four(plan: object, record: object) -> None:
        if len(published) == 4:
            raise KeyboardInterrupt
        published.append(record)
        original(plan, record)  # type: ignore[arg-type]

    with monkeypatch.context() as patched:
        patched.setattr(publish, publish_four)
        stopped = rfm(*arguments)
    assert stopped.code == 130
    assert "4 dates had been published, and the same backfill continues there." in stopped.stderr
    assert list(history(file)) == [day(number) for number in range(20, 24)]
    done = rfm(*arguments).json
    assert [entry["as_of"] for entry in done["published"]] == [day(number) for number in range(24, 30)]
    assert done["skipped"] == [day(number) for number in range(20, 24)]
    assert_segment_changes(history(file))
    again = rfm(*arguments).json
    assert (again["published"], len(again["skipped"])) == ([], 10)


@pytest.mark.slow
def test_a_backfill_with_other_settings_recomputes_all_dates(orders: Path, rfm: Rfm) -> None:
    span = ("--from", day(20), "--until", day(22), "--json")
    run_ok(rfm, "backfill", orders, *span)
    assert len(rfm("backfill", orders, *span, "--bins", "5", "--preset", "grid").json["published"]) == 3


@pytest.mark.slow
def test_a_backfill_recomputes_a_date_written_before_the_date_that_precedes_it(
    orders: Path, rfm: Rfm
) -> None:
    file = orders.parent / "rfm.duckdb"
    run_ok(rfm, "run", orders, "--as-of", day(22))
    done = rfm("backfill", orders, "--from", day(20), "--until", day(22), "--json").json
    assert [entry["as_of"] for entry in done["published"]] == [day(20), day(21), day(22)]
    assert_segment_changes(history(file))


# Rollbacks


@pytest.mark.guarantee("rollback")
def test_a_rollback_restores_the_previous_date_unchanged(orders: Path, rfm: Rfm) -> None:
    file = orders.parent / "rfm.duckdb"
    run_ok(rfm, "run", orders, "--as-of", day(20))
    shown = current(file)
    run_ok(rfm, "run", orders, "--as-of", day(30))
    kept = history(file)
    done = rfm("rollback", "--json").json
    assert current(file) == shown
    assert history(file) == kept
    rollback = runs(file)[-1]
    assert (rollback["kind"], rollback["status"], rollback["as_of_date"].isoformat()) == (
        "rollback",
        "published",
        day(20),
    )
    assert (done["restored_run_id"], done["as_of"]) == (runs(file)[0]["run_id"], day(20))
    assert rollback["restored_run_id"] == done["restored_run_id"]
    # An inactive date is not the previous date of a later one, until it is published again.
    run_ok(rfm, "run", orders, "--as-of", day(35))
    before = {row["customer_id"]: row["segment"] for row in shown}
    assert all(row["previous_segment"] == before.get(row["customer_id"]) for row in current(file))
    run_ok(rfm, "run", orders, "--as-of", day(30))
    run_ok(rfm, "run", orders, "--as-of", day(35))
    assert_segment_changes(history(file))


@pytest.mark.slow
def test_a_rollback_restores_the_run_that_it_names(orders: Path, rfm: Rfm) -> None:
    file = orders.parent / "rfm.duckdb"
    for number in (10, 20, 30):
        run_ok(rfm, "run", orders, "--as-of", day(number))
    first = runs(file)[0]["run_id"]
    run_ok(rfm, "rollback", first)
    assert current(file) == history(file)[day(10)]
    # A date that the rollback made inactive can be restored by its run.
    run_ok(rfm, "rollback", runs(file)[2]["run_id"])
    assert current(file) == history(file)[day(30)]
    assert rfm("check", orders, "--json").json["published"]["as_of"] == day(30)


def test_a_rollback_without_a_valid_target_is_an_error(orders: Path, rfm: Rfm) -> None:
    file = orders.parent / "rfm.duckdb"
    run_ok(rfm, "run", orders, "--as-of", day(20))
    assert "has no earlier result to go back to" in refused(rfm("rollback"))[0]
    assert "has no run nobody" in refused(rfm("rollback", "nobody"))[0]
    replaced = runs(file)[0]["run_id"]
    run_ok(rfm, "run", orders, "--as-of", day(20))
    sentence, hint = refused(rfm("rollback", replaced))
    assert f"The rows of the run {replaced} were replaced" in sentence
    assert runs(file)[1]["run_id"] in hint
    assert rfm("run", orders, "--as-of", "2001-01-01").code == 3
    sentence, _ = refused(rfm("rollback", runs(file)[-1]["run_id"]))
    assert sentence.endswith("published nothing: an audit rejected its result.")


# Retention


@pytest.mark.slow
def test_the_next_publish_deletes_dates_older_than_retention(orders: Path, rfm: Rfm) -> None:
    file = orders.parent / "rfm.duckdb"
    for number in (5, 15, 25):
        run_ok(rfm, "run", orders, "--as-of", day(number))
    (orders.parent / "rfm.toml").write_text('history.keep = "12 days"\n', encoding="utf-8")
    run_ok(rfm, "run", orders, "--as-of", day(30))
    assert list(history(file)) == [day(25), day(30)]
    assert len(runs(file)) == 4
    sentence, hint = refused(rfm("rollback", runs(file)[0]["run_id"]))
    assert sentence == f"The history has no rows as of {day(5)} any more."
    assert "rfm run --as-of" in hint
    sentence, _ = refused(rfm("run", orders, "--as-of", day(6)))
    assert sentence.startswith("The history keeps 12 days, which begin on ")


# Run records


@pytest.mark.slow
def test_every_run_is_recorded_with_its_statistics(orders: Path, rfm: Rfm) -> None:
    result = rfm("run", orders, "--as-of", day(20), "--exclude", "first=customer_id = 'c001'", "--json").json
    assert rfm("run", orders, "--as-of", "2001-01-01").code == 3
    listed = rfm("runs", "--json").json["runs"]
    assert [(run["status"], run["kind"]) for run in listed] == [("rejected", "run"), ("published", "run")]
    assert listed[0]["error"].startswith("Nothing was published, because an audit failed")
    shown = rfm("runs", result["run_id"], "--json").json
    assert shown == listed[1]
    assert shown["rows_read"] == result["rows"]["read"]
    assert {entry["reason"]: entry["lines"] for entry in shown["exclusions"]} == result["rows"]["excluded"]
    assert {entry["reason"]: entry["amount"] for entry in shown["exclusions"]} == result["amount"]["excluded"]
    assert [entry["edges"] for entry in shown["edges"]] == list(result["edges"].values())
    assert [(entry["name"], entry["status"]) for entry in shown["audits"]] == [
        (entry["name"], entry["status"]) for entry in result["audits"]
    ]
    assert [(entry["segment"], entry["customers"], entry["revenue"]) for entry in shown["segments"]] == [
        (entry["segment"], entry["customers"], entry["revenue"]) for entry in result["segments"]
    ]
    assert (shown["customers"], shown["orders"], shown["revenue"]) == (
        result["customers"], result["orders"], result["revenue"],
    )  # fmt: skip
    assert shown["started_at"] < shown["finished_at"]
    printed = rfm("runs", result["run_id"]).stdout
    for words in (result["run_id"], "published", "future_dated", "rows_dropped", "Champions"):
        assert words in printed
    assert "rejected" in rfm("runs").stdout
    assert len(rfm("runs", "--limit", "1", "--json").json["runs"]) == 1


def test_a_failed_run_is_recorded_if_the_runs_table_exists(orders: Path, rfm: Rfm) -> None:
    run_ok(rfm, "run", orders)
    # A fault that only the scan finds: the first lines, which are looked at before the run, are in order.
    lines = [f"c{number},o{number},2024-01-10,{number % 70}.5\n" for number in range(3_000)]
    with orders.open("a", encoding="utf-8") as stream:
        stream.writelines(["\n", *lines, "c1,o3001,03/04/2024,5\n"])
    ended = rfm("run", orders)
    assert ended.code == 2
    failed = rfm("runs", "--json").json["runs"][0]
    assert failed["status"] == "failed"
    assert "can be read in two ways" in failed["error"]
