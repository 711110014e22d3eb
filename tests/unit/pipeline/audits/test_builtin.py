"""Built-in audits of a staged result: their outcome at each level and limit, and their hints."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from rfm_pipeline.config.audits import Audits
from rfm_pipeline.config.base import field_types
from rfm_pipeline.pipeline.audits.builtin import AUDITS, run_builtin_audits
from rfm_pipeline.pipeline.audits.hints import audit_hint
from rfm_pipeline.pipeline.audits.statistics import AuditInput
from rfm_pipeline.results.statistics import Audit, DimensionScores, Excluded
from support.audit_statistics import PASSING, changed, segments


def audit(name: str, staged: AuditInput, **configured: Any) -> Audit:
    """Return the result of one audit."""
    (result,) = [each for each in run_builtin_audits(staged, Audits.of(configured)) if each.name == name]
    return result


def test_audits_run_in_the_order_of_their_settings() -> None:
    assert [check.__name__ for check in AUDITS] == [name for name in field_types(Audits) if name != "queries"]
    settings = Audits.of({"max_age": "3 days"})
    results = run_builtin_audits(PASSING, settings)
    assert [result.name for result in results] == [check.__name__ for check in AUDITS]


def test_a_valid_result_passes_every_audit() -> None:
    results = run_builtin_audits(PASSING, Audits.of({"max_age": "3 days"}))
    statuses = {result.name: result.status for result in results}
    assert {name for name, status in statuses.items() if status != "passed"} == COMPARING
    assert {statuses[name] for name in COMPARING} == {"not_compared"}
    assert all(result.detail.endswith(".") and not result.rows for result in results)


COMPARING = {"rows_dropped", "customers_dropped", "duplicate_load", "segment_shares"}
TWO_WAYS = "'1,234' can be read in two ways: --thousands ',' reads 1234, and --decimal ',' reads 1.234"
FAILING: dict[str, tuple[AuditInput, str]] = {
    "source_not_empty": (
        changed(PASSING, rows_read=0, rows_kept=0, exclusions=()),
        "orders.csv has no lines.",
    ),
    "reconciliation": (changed(PASSING, rows_kept=6), "10 rows were read, 6 kept and 3 excluded."),
    "customers_unique": (changed(PASSING, staged_rows=5), "5 rows for 4 customers, of 4 with kept lines."),
    "scores_in_range": (changed(PASSING, out_of_range=2), "2 customers have a score outside the bins."),
    "segments_total": (changed(PASSING, without_segment=1), "1 customer has no segment."),
    "bins_collapsed": (
        changed(PASSING, edges=(DimensionScores("monetary", "quantile", (Decimal(3),), (4, 0)),)),
        "All customers have one monetary score, which tells nothing: equal values get equal scores.",
    ),
    "amounts_read": (
        changed(PASSING, exclusions=(Excluded("invalid_amount", 3, None, "1,234"),)),
        f"3 lines left out as invalid_amount: {TWO_WAYS}.",
    ),
    "dates_read": (
        changed(PASSING, exclusions=(Excluded("invalid_date", 3, None, "2024-02-30"),)),
        (
            "3 lines left out as invalid_date, such as '2024-02-30': no calendar has such a day; correct such"
            " values in the source, or name the lines in [skip] if they are no sales."
        ),
    ),
    "mostly_excluded": (
        changed(PASSING, rows_kept=1, exclusions=(Excluded("missing_customer", 10),)),
        "10 of 11 lines (90.9 %) were excluded, 10 as missing_customer.",
    ),
    "excluded_share": (
        changed(
            PASSING, rows_kept=2, exclusions=(Excluded("missing_customer", 6), Excluded("invalid_date", 2))
        ),
        "8 of 10 lines (80.0 %) were excluded, 6 as missing_customer.",
    ),
    "max_age": (
        changed(PASSING, newest_order_date=date(2024, 2, 29)),
        "The newest order is of 2024-02-29, 4 days before 2024-03-04, and may be 3 days old.",
    ),
}
LEVELS = {"block": "failed", "warn": "warning"}


@pytest.mark.parametrize(
    ("name", "level"),
    [(name, level) for name in FAILING for level in LEVELS if (name, level) != ("source_not_empty", "warn")],
)
def test_the_level_decides_whether_a_violation_fails_or_warns(name: str, level: str) -> None:
    staged, detail = FAILING[name]
    limit = {"limit": "3 days"} if name == "max_age" else {}
    result = audit(name, staged, **{name: {"level": level, **limit}})
    assert (result.status, result.detail) == (LEVELS[level], detail)


@pytest.mark.parametrize("name", [name for name in FAILING if name != "source_not_empty"])
def test_an_audit_that_is_off_does_not_run(name: str) -> None:
    results = run_builtin_audits(FAILING[name][0], Audits.of({name: "off"}))
    assert name not in {result.name for result in results}


def test_by_default_faults_block_and_properties_of_the_data_warn() -> None:
    assert Audits().levels == {
        **dict.fromkeys(
            ("source_not_empty", "reconciliation", "customers_unique", "scores_in_range", "segments_total"),
            "block",
        ),
        **dict.fromkeys(("bins_collapsed", "dates_read", "amounts_read", "excluded_share"), "warn"),
        **dict.fromkeys(("mostly_excluded", "duplicate_orders"), "block"),
        "largest_customer": "warn",
        "max_age": "off",
        **dict.fromkeys(("rows_dropped", "customers_dropped", "duplicate_load"), "block"),
        "segment_shares": "warn",
    }


@pytest.mark.parametrize(
    ("name", "lines", "status"),
    [
        ("excluded_share", 3, "passed"),
        ("excluded_share", 4, "warning"),
        ("mostly_excluded", 63, "passed"),
        ("mostly_excluded", 64, "failed"),
    ],
)
def test_a_share_may_be_as_large_as_its_limit(name: str, lines: int, status: str) -> None:
    staged = changed(PASSING, rows_read=7 + lines, exclusions=(Excluded("missing_customer", lines),))
    assert audit(name, staged).status == status


@pytest.mark.parametrize(
    "reason",
    ["not_a_sale", "duplicate_file", "duplicate_order", "total_row", "future_dated", "outside_window"],
)
def test_lines_that_are_no_sales_do_not_count_in_the_excluded_share(reason: str) -> None:
    staged = changed(PASSING, exclusions=(Excluded(reason, 1_000), Excluded("missing_customer", 3)))
    for name in ("excluded_share", "mostly_excluded"):
        assert audit(name, staged).detail == "3 of 10 lines (30.0 %) were excluded."


@pytest.mark.parametrize(
    ("example", "formats", "advice"),
    [
        ("31/12/2024", ("iso",), "--date-format 'iso' --date-format '%d/%m/%Y' reads '31/12/2024' too."),
        ("31.12.2024 08:15", ("iso",), "--date-format 'iso' --date-format '%d.%m.%Y %H:%M' reads"),
        ("2024-02-30", ("iso",), "no calendar has such a day; correct such values in the source"),
        ("soon", ("%d/%m/%Y",), "correct such values in the source"),
        ("03/04/2024", ("%d.%m.%Y",), "correct such values in the source"),
    ],
)
def test_dates_that_could_not_be_read_come_with_advice(
    example: str, formats: tuple[str, ...], advice: str
) -> None:
    staged = changed(PASSING, exclusions=(Excluded("invalid_date", 1, None, example),), date_formats=formats)
    found = audit("dates_read", staged)
    assert found.status == "warning"
    assert found.detail.startswith(f"1 line left out as invalid_date, such as '{example}': {advice}")


def test_numbers_that_could_not_be_read_are_a_warning_at_any_share() -> None:
    staged = changed(PASSING, rows_kept=1_000_000, exclusions=(Excluded("invalid_amount", 1, None, "n/a"),))
    assert audit("amounts_read", staged).detail.startswith(
        "1 line left out as invalid_amount, such as 'n/a': "
    )


@pytest.mark.parametrize("example", [None, "", "  "])
def test_values_that_are_blank_are_no_unreadable_values(example: str | None) -> None:
    for name, reason in (("dates_read", "invalid_date"), ("amounts_read", "invalid_amount")):
        assert (
            audit(name, changed(PASSING, exclusions=(Excluded(reason, 1, None, example),))).status == "passed"
        )


def test_the_hint_about_excluded_lines_names_the_largest_reason_that_counts_and_how_to_allow_it() -> None:
    staged = changed(
        PASSING,
        rows_kept=1,
        exclusions=(
            Excluded("not_a_sale", 500),
            Excluded("invalid_amount", 30, None, "12,50"),
            Excluded("missing_customer", 5),
        ),
    )
    hint = audit_hint([audit("mostly_excluded", staged)], staged.statistics)
    assert hint == (
        "most are invalid_amount, such as '12,50': '12,50' is written with a decimal comma: give --decimal"
        " ','; if this is intended, RFM_AUDITS__MOSTLY_EXCLUDED=warn lets a run pass."
        " (Failed: mostly_excluded.)"
    )


def test_expected_exclusions_do_not_count_in_the_excluded_share() -> None:
    excluded = (
        Excluded("outside_window", 900),
        Excluded("future_dated", 90),
        Excluded("continuation_line", 500),
        Excluded("missing_customer", 3),
    )
    staged = changed(
        PASSING, exclusions=excluded, expected_exclusions=PASSING.expected_exclusions | {"continuation_line"}
    )
    assert audit("excluded_share", staged).detail == "3 of 10 lines (30.0 %) were excluded."
    assert audit("excluded_share", staged, excluded_share=0.29).status == "warning"


@pytest.mark.parametrize(
    ("limit", "newest", "status"),
    [
        ("3 days", date(2024, 3, 1), "passed"),
        ("3 days", date(2024, 2, 29), "failed"),
        ("1 week", date(2024, 2, 26), "passed"),
        ("1 week", date(2024, 2, 25), "failed"),
        ("1 month", date(2024, 2, 4), "passed"),
        ("1 month", date(2024, 2, 3), "failed"),
        ("1 year", date(2023, 3, 4), "passed"),
        ("1 year", date(2023, 3, 3), "failed"),
    ],
)
def test_the_newest_order_may_be_as_old_as_its_limit(limit: str, newest: date, status: str) -> None:
    assert audit("max_age", changed(PASSING, newest_order_date=newest), max_age=limit).status == status


def test_an_empty_source_fails_one_audit_only() -> None:
    empty = changed(
        PASSING, rows_declared=0, rows_read=0, rows_kept=0, amount_kept=Decimal(0), exclusions=(), orders=0,
        staged_rows=0, customers=0, customers_kept=0, revenue=Decimal(0), oldest_order_date=None,
        newest_order_date=None, segments=segments({"Lost": 0}),
    )  # fmt: skip
    results = run_builtin_audits(empty, Audits.of({"max_age": "3 days"}))
    assert [result.name for result in results if result.status == "failed"] == ["source_not_empty"]


# Hints


def test_a_hint_names_all_failed_audits_and_shows_the_rows_that_fit() -> None:
    rows = tuple({"customer_id": f"customer {n}", "copies": n, "since": None} for n in range(1, 6))
    failed = [Audit("rich", "failed", "`rich` found 5 rows.", rows), Audit("rows_dropped", "failed", "Fell.")]
    advice, _, rest = audit_hint(failed, PASSING.statistics).partition(" Such as: ")
    assert advice == 'look at what `audits.queries.rich` found, or give it level = "warn".'
    shown = "customer_id customer 1, copies 1, since NULL; customer_id customer 2, copies 2, since NULL"
    assert rest == f"{shown}. (Failed: rich, rows_dropped.)"


def test_rows_in_a_hint_have_no_line_breaks_and_are_left_out_if_too_long() -> None:
    row = {"customer_id": "a\nb\x1b[31m", "monetary": Decimal("4310.500000000")}
    hint = audit_hint(
        [Audit("rich", "failed", "Found.", (row, {"customer_id": "x" * 200}))], PASSING.statistics
    )
    assert "Such as: customer_id a\ufffdb\ufffd[31m, monetary 4310.50. (Failed" in hint
    assert "Such as" not in audit_hint(
        [Audit("rich", "failed", "Found.", ({"text": "x" * 200},))], PASSING.statistics
    )


@pytest.mark.parametrize("name", [check.__name__ for check in AUDITS])
def test_each_audit_has_its_own_advice(name: str) -> None:
    staged = FAILING[name][0] if name in FAILING else PASSING
    hint = audit_hint([Audit(name, "failed", "It failed.")], staged.statistics)
    assert hint.endswith(f" (Failed: {name}.)")
    assert "audits.queries" not in hint
