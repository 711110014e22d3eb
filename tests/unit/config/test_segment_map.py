"""A segment map is valid exactly if each cell has a segment and each rule is the first match of a cell."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rfm_pipeline.config.base import SettingsError
from rfm_pipeline.config.day_conditions import Rhythm
from rfm_pipeline.config.segment_map import Segment, SegmentMap, SegmentsConfig, cell_text
from rfm_pipeline.config.segment_rules import (
    BinCounts,
    Range,
    RuleConfig,
    ScoreTriple,
    SegmentRule,
    frequency_monetary,
    parse_rule,
)
from rfm_pipeline.errors import ConfigurationError, SegmentMapError


def build(*rules: dict[str, Any], bins: BinCounts = (4, 4, 4), **settings: Any) -> SegmentMap:
    return SegmentMap.from_config(SegmentsConfig.of({"rules": list(rules), **settings}), bins)


def map_error(*rules: dict[str, Any], bins: BinCounts = (4, 4, 4), **settings: Any) -> SegmentMapError:
    with pytest.raises(SegmentMapError) as caught:
        build(*rules, bins=bins, **settings)
    return caught.value


def configuration_error(*rules: dict[str, Any], **settings: Any) -> ConfigurationError:
    with pytest.raises(ConfigurationError) as caught:
        build(*rules, **settings)
    return caught.value


# The segment of a cell


def test_the_first_rule_that_covers_a_cell_names_its_segment() -> None:
    segment_map = build(
        {"segment": "Best", "r": 4, "f": ">=3"},
        {"segment": "Recent", "r": ">=3"},
        {"segment": "Rest", "r": "<=2"},
    )
    assert segment_map.segment_of(4, 3, 1) == "Best"
    assert segment_map.segment_of(4, 2, 4) == "Recent"
    assert segment_map.segment_of(3, 4, 4) == "Recent"
    assert segment_map.segment_of(2, 4, 4) == "Rest"


def test_the_fallback_gets_the_cells_that_no_rule_covers() -> None:
    segment_map = build({"segment": "Best", "cells": ["222"]}, bins=(2, 2, 2), fallback="Others")
    assert [cell for cell, segment in segment_map.cells().items() if segment == "Best"] == [(2, 2, 2)]
    assert set(segment_map.cells().values()) == {"Best", "Others"}


def test_every_cell_is_listed_once_in_ascending_order() -> None:
    segment_map = build({"segment": "All", "r": ">=1"}, bins=(2, 3, 4))
    assert list(segment_map.cells()) == list(itertools.product((1, 2), (1, 2, 3), (1, 2, 3, 4)))


def test_a_segment_may_have_several_rules() -> None:
    segment_map = build(
        {"segment": "Edge", "r": 1, "f": 1},
        {"segment": "Middle", "r": 1},
        {"segment": "Edge", "r": 2},
        bins=(2, 2, 2),
    )
    assert segment_map.segment_of(1, 1, 2) == segment_map.segment_of(2, 2, 2) == "Edge"
    assert segment_map.segment_of(1, 2, 1) == "Middle"


def test_fm_is_the_mean_of_f_and_m_rounded_up() -> None:
    assert [frequency_monetary(f, m) for f, m in [(1, 1), (1, 2), (2, 5), (5, 5)]] == [1, 2, 4, 5]
    segment_map = build({"segment": "Top", "fm": 4}, {"segment": "Rest", "fm": "<=3"})
    assert {cell[1:] for cell, segment in segment_map.cells().items() if segment == "Top"} == {
        (3, 4),
        (4, 3),
        (4, 4),
    }


def test_each_dimension_has_its_own_number_of_bins() -> None:
    segment_map = build({"segment": "New", "r": ">=2"}, {"segment": "Old", "r": 1}, bins=(3, 2, 5))
    assert segment_map.segment_of(3, 2, 5) == "New"
    with pytest.raises(KeyError):
        segment_map.segment_of(3, 3, 5)


@pytest.mark.parametrize(
    ("written", "covered"),
    [
        (4, {4}),
        ("4", {4}),
        ("2-4", {2, 3, 4}),
        (" 2 - 4 ", {2, 3, 4}),
        (">=3", {3, 4, 5}),
        (">= 5", {5}),
        ("<=2", {1, 2}),
    ],
)
def test_a_score_condition_covers_its_range(written: int | str, covered: set[int]) -> None:
    segment_map = build({"segment": "In", "f": written}, bins=(5, 5, 5), fallback="Out")
    assert {f for f in range(1, 6) if segment_map.segment_of(1, f, 1) == "In"} == covered


def test_cells_are_written_as_digits_or_with_dashes() -> None:
    segment_map = build({"segment": "In", "cells": ["111", "10-1-10"]}, bins=(10, 10, 10), fallback="Out")
    assert {cell for cell, name in segment_map.cells().items() if name == "In"} == {(1, 1, 1), (10, 1, 10)}


def test_a_cell_is_written_with_dashes_as_soon_as_a_score_can_have_two_digits() -> None:
    assert cell_text((4, 4, 1), (9, 9, 9)) == "441"
    assert cell_text((4, 4, 1), (4, 10, 4)) == "4-4-1"


def test_rules_are_exposed_as_ranges_and_cells() -> None:
    segment_map = build(
        {"segment": "A", "r": ">=3", "fm": "1-2"},
        {"segment": "B", "cells": ["111"]},
        fallback="C",
        name="mine",
    )
    ranged, listed = segment_map.rules
    assert ranged == SegmentRule("A", r=Range(3, 4), fm=Range(1, 2))
    assert ranged.ranges == (("r", Range(3, 4)), ("fm", Range(1, 2)))
    assert listed == SegmentRule("B", cells=frozenset({(1, 1, 1)}))
    assert (segment_map.name, segment_map.fallback, segment_map.bins) == ("mine", "C", (4, 4, 4))


def test_segments_come_in_the_order_of_their_first_rule_with_the_fallback_last() -> None:
    segment_map = build(
        {"segment": "B", "cells": ["111"], "action": "call"},
        {"segment": "A", "cells": ["112"], "description": "first"},
        {"segment": "B", "cells": ["121"], "description": "later", "action": "ignored"},
        {"segment": "B", "cells": ["122"], "description": "too late"},
        fallback="C",
        fallback_description="the rest",
        fallback_action="wait",
    )
    assert segment_map.segments == (
        Segment("B", "later", "call"),
        Segment("A", "first", ""),
        Segment("C", "the rest", "wait"),
    )


def test_a_fallback_that_is_also_a_rules_segment_is_listed_once() -> None:
    segment_map = build({"segment": "Lost", "r": 1}, {"segment": "Best", "r": 4}, fallback="Lost")
    assert [segment.name for segment in segment_map.segments] == ["Best", "Lost"]


def test_segments_are_listed_from_best_to_worst_and_the_fallback_last() -> None:
    segment_map = build(
        {"segment": "Lapsed spenders", "r": 1, "m": 4},
        {"segment": "Recent", "r": 4, "f": 1},
        {"segment": "Frequent", "r": 1, "f": 4},
        {"segment": "Top", "r": 4, "f": 4, "m": 4},
        fallback="Others",
    )
    names = [segment.name for segment in segment_map.segments]
    # The mean frequency of lapsed spenders is above the mean monetary score that rule 1 leaves to rule 3.
    assert names == ["Top", "Recent", "Lapsed spenders", "Frequent", "Others"]


def test_a_map_uses_m_only_where_m_can_change_the_segment() -> None:
    assert not build({"segment": "A", "r": ">=2"}, {"segment": "B", "r": 1, "m": ">=1"}).uses_m
    assert build({"segment": "A", "m": 4}, fallback="B").uses_m
    assert build({"segment": "A", "fm": 4}, fallback="B").uses_m
    assert build({"segment": "A", "cells": ["444"]}, fallback="B").uses_m


# Invalid maps and their messages


def test_an_uncovered_cell_is_rejected_by_name() -> None:
    error = map_error({"segment": "A", "f": ">=2"}, bins=(2, 2, 2), name="mine")
    assert error.message == (
        'The segment map "mine" does not fit its 2 x 2 x 2 score cells: no rule covers 111, 112, 211 and 212.'
    )
    assert error.hint is not None
    assert error.hint.startswith("add rules for these cells or a fallback")


def test_many_uncovered_cells_are_abbreviated() -> None:
    assert (
        "no rule covers 411, 412, 413, 414, 421, 422, 423, 424 and 8 more."
        in map_error({"segment": "A", "r": "<=3"}).message
    )


def test_uncovered_cells_are_written_with_dashes_if_scores_have_two_digits() -> None:
    assert (
        "no rule covers 10-1-1, 10-1-2," in map_error({"segment": "A", "r": "<=9"}, bins=(10, 2, 2)).message
    )


def test_an_unreachable_rule_is_rejected_with_the_rules_that_cover_its_cells() -> None:
    error = map_error(
        {"segment": "Recent", "r": 2, "f": 2},
        {"segment": "Frequent", "f": 2, "m": 1},
        {"segment": "Rest", "r": ">=1"},
        {"segment": "Lost", "f": 2, "m": 1},
        bins=(2, 2, 2),
    )
    assert error.message.endswith(
        ": rule 4 (Lost) is never reached,"
        " because rule 1 (Recent) and rule 2 (Frequent) already cover 121 and 221."
    )
    assert error.hint == (
        "move a rule that is never reached above the rules that cover its cells, narrow those rules,"
        " or delete it."
    )


def test_a_rule_with_contradictory_conditions_is_rejected() -> None:
    assert map_error({"segment": "A", "f": 1, "m": 1, "fm": 4}, fallback="B").message.endswith(
        ": rule 1 (A) is never reached, because no cell meets all of its conditions."
    )


def test_an_unreachable_fallback_is_rejected() -> None:
    error = map_error({"segment": "All", "r": ">=1"}, fallback="Others")
    assert error.message.endswith(
        ': the fallback "Others" is never reached, because the rules cover every cell.'
    )
    assert error.hint == "delete the fallback."


@pytest.mark.parametrize(
    ("condition", "description"),
    [
        ({"r": 5}, "r = 5 (r ends at 4)"),
        ({"f": "4-5"}, "f = 4-5 (f ends at 4)"),
        ({"m": ">=5"}, "m = 5 (m ends at 4)"),
        ({"r": "<=5"}, "r = 1-5 (r ends at 4)"),
        ({"fm": 5}, "fm = 5 (fm ends at 4)"),
        ({"r": 5, "fm": 5}, "r = 5 (r ends at 4) and fm = 5 (fm ends at 4)"),
        ({"cells": ["455", "111", "545"]}, "455 and 545 (the last cell is 444)"),
    ],
)
def test_scores_above_the_bins_are_rejected_with_their_value(
    condition: dict[str, Any], description: str
) -> None:
    error = map_error({"segment": "High", **condition}, {"segment": "Low", "m": ">=1"})
    assert f": rule 1 (High) requires {description}" in error.message
    assert error.hint is not None
    assert error.hint.startswith(
        "set the bins under [scoring] that the map was written for, or lower the scores"
    )


def test_all_problems_of_a_map_are_one_error() -> None:
    error = map_error(
        {"segment": "A", "r": 1, "f": 2},
        {"segment": "Dead", "r": 1, "f": 2, "m": 2},
        {"segment": "High", "r": 3},
        {"segment": "Dead too", "f": 2, "r": 1, "m": 1},
        bins=(2, 2, 2),
    )
    assert re.search(
        r"no rule covers 111, .* and 222; "
        r"rule 2 \(Dead\) is never reached, because rule 1 \(A\) already covers 122; "
        r"rule 3 \(High\) requires r = 3 \(r ends at 2\); "
        r"rule 4 \(Dead too\) is never reached, because rule 1 \(A\) already covers 121\.$",
        error.message,
    )
    assert error.hint is not None
    assert error.hint.count("move a rule") == 1


@pytest.mark.parametrize("value", ["4+", "", "four", "-1", ">3", "2-", "2-3-4", "4.0", "٤"])
def test_an_invalid_range_of_scores_is_rejected_with_value_and_hint(value: str) -> None:
    error = configuration_error({"segment": "A", "r": 1}, {"segment": "B", "m": value})
    assert error.message == f'Rule 2 ("B") has m = "{value}", which is not a score or a range of scores.'
    assert error.hint == 'write scores as 4, "2-4", ">=3" or "<=2"; they start at 1, which is worst.'


@pytest.mark.parametrize("value", [0, "0", "0-2", ">=0", "<=0"])
def test_scores_below_one_are_rejected(value: int | str) -> None:
    error = configuration_error({"segment": "A", "r": value})
    assert error.message.endswith(", but scores start at 1.")


def test_a_reversed_range_is_rejected_with_the_correct_one() -> None:
    error = configuration_error({"segment": "A", "r": "4-2"})
    assert error.message == 'Rule 1 ("A") has r = "4-2", a range that ends before it starts.'
    assert error.hint == 'write "2-4".'


@pytest.mark.parametrize("text", ["44", "4444", "4-4", "r4", "10-10", "101010"])
def test_an_invalid_cell_is_rejected_with_value_and_hint(text: str) -> None:
    error = configuration_error({"segment": "A", "cells": ["444", text]})
    assert error.message == f'Rule 1 ("A") lists the cell "{text}", which is not three scores.'
    assert error.hint == 'write cells as r, f and m: "444", or "10-10-10"; scores start at 1, which is worst.'


def test_a_cell_with_a_zero_is_rejected() -> None:
    assert configuration_error({"segment": "A", "cells": ["401"]}).message.endswith("scores start at 1.")


def test_a_cell_that_is_listed_twice_is_rejected() -> None:
    assert (
        'lists the cell "4-4-1" twice'
        in configuration_error({"segment": "A", "cells": ["441", "4-4-1"]}).message
    )


def test_cells_and_ranges_do_not_mix_in_a_rule() -> None:
    error = configuration_error({"segment": "A", "cells": ["444"], "r": 4, "m": 4})
    assert error.message == 'Rule 1 ("A") has both cells and r and m; expected one or the other.'


@pytest.mark.parametrize("rule", [{}, {"cells": []}])
def test_a_rule_without_a_condition_is_rejected_with_a_hint_at_the_fallback(rule: dict[str, Any]) -> None:
    error = configuration_error({"segment": "A", **rule})
    assert (
        error.message
        == 'Rule 1 ("A") has no condition; expected r, f, m, fm, cells, first_order_days or gap.'
    )
    assert error.hint is not None
    assert "fallback" in error.hint


@pytest.mark.parametrize("name", ["", "  ", "two\nlines"])
def test_blank_and_unprintable_names_are_rejected(name: str) -> None:
    assert configuration_error({"segment": name, "r": ">=1"}).message.startswith(
        "Rule 1 has the segment name"
    )
    assert configuration_error({"segment": "A", "r": 1}, fallback=name).message.startswith("The fallback has")


def test_spaces_around_a_name_are_ignored() -> None:
    segment_map = build({"segment": "Loyal", "r": 1}, {"segment": " Loyal ", "r": ">=2"})
    assert segment_map.segments == (Segment("Loyal"),)


@pytest.mark.parametrize("other", ["at risk", "AT RISK", "At  Risk"])
def test_names_that_differ_in_case_or_spaces_only_are_rejected(other: str) -> None:
    error = configuration_error({"segment": "At Risk", "r": 1}, {"segment": other, "r": ">=2"})
    assert error.message == f'The segment names "At Risk" and "{other}" differ in nothing but case or spaces.'


def test_a_fallback_that_differs_from_a_segment_in_case_only_is_rejected() -> None:
    assert '"Lost" and "lost"' in configuration_error({"segment": "Lost", "r": 1}, fallback="lost").message


def test_a_described_fallback_without_a_name_is_rejected() -> None:
    error = configuration_error({"segment": "A", "r": ">=1"}, fallback_action="call", name="mine")
    assert error.message == 'The segment map "mine" describes a fallback that it does not name.'


def test_an_invalid_map_can_not_be_constructed() -> None:
    with pytest.raises(SegmentMapError):
        SegmentMap("holes", (SegmentRule("A", r=Range(1, 1)),), None, (2, 2, 2))


@pytest.mark.parametrize(
    "rule",
    [{"segment": "A", "R": 4}, {"segment": "A", "r": True}, {"segment": "A", "r": 4.0}, {"r": 4}],
)
def test_a_rule_of_the_wrong_shape_is_rejected(rule: dict[str, Any]) -> None:
    with pytest.raises(SettingsError):
        RuleConfig.of(rule)


def test_a_map_without_rules_is_rejected() -> None:
    with pytest.raises(SettingsError):
        SegmentsConfig.of({"fallback": "Others", "rules": []})


# Random maps


@st.composite
def maps(draw: st.DrawFn) -> tuple[list[dict[str, Any]], BinCounts, str | None]:
    """Random maps: some conditions are narrow (uncovered cells), others wide (unreachable rules)."""
    bins = (draw(st.integers(2, 4)), draw(st.integers(2, 4)), draw(st.integers(2, 4)))
    tops = {"r": bins[0], "f": bins[1], "m": bins[2], "fm": max(bins[1], bins[2])}

    def scores(top: int) -> st.SearchStrategy[int | str]:
        one = st.integers(1, top)
        pair = st.tuples(one, one).map(lambda ends: f"{min(ends)}-{max(ends)}")
        return st.one_of(one, pair, one.map(lambda n: f">={n}"), one.map(lambda n: f"<={n}"))

    ranged = st.fixed_dictionaries({}, optional={name: scores(top) for name, top in tops.items()}).filter(
        bool
    )
    cell = st.tuples(*(st.integers(1, count) for count in bins)).map(lambda c: "".join(map(str, c)))
    listed = st.lists(cell, min_size=1, max_size=10, unique=True).map(lambda cells: {"cells": cells})
    conditions: st.SearchStrategy[dict[str, Any]] = st.one_of(ranged, listed)
    rules = draw(st.lists(conditions, min_size=1, max_size=6))
    names = draw(st.lists(st.sampled_from("ABCDE"), min_size=len(rules), max_size=len(rules)))
    if draw(st.booleans()):
        rules.append({"r": ">=1"})
        names.append("Z")
    fallback = draw(st.sampled_from([None, "Fallback", "A"]))
    return [{"segment": n, **rule} for n, rule in zip(names, rules, strict=True)], bins, fallback


def is_met(condition: int | str, score: int) -> bool:
    """Evaluate a condition independently of the package."""
    text = str(condition)
    if text.startswith(">="):
        return score >= int(text[2:])
    if text.startswith("<="):
        return score <= int(text[2:])
    low, _, high = text.partition("-")
    return int(low) <= score <= int(high or low)


def covered(rule: dict[str, Any], cell: ScoreTriple) -> bool:
    if "cells" in rule:
        return "".join(map(str, cell)) in rule["cells"]
    r, f, m = cell
    scores = {"r": r, "f": f, "m": m, "fm": -(-(f + m) // 2)}
    return all(is_met(value, scores[name]) for name, value in rule.items() if name != "segment")


@given(maps())
def test_a_map_is_valid_exactly_if_brute_force_finds_no_problem(
    drawn: tuple[list[dict[str, Any]], BinCounts, str | None],
) -> None:
    rules, bins, fallback = drawn
    cells = list(itertools.product(*(range(1, count + 1) for count in bins)))
    first: dict[Any, int | None] = {
        cell: next((number for number, rule in enumerate(rules) if covered(rule, cell)), None)  # type: ignore[arg-type]
        for cell in cells
    }
    highest_fm = -(-(bins[1] + bins[2]) // 2)
    too_high = any(
        int(digits) > highest_fm for rule in rules for digits in re.findall("[0-9]+", str(rule.get("fm", "")))
    )
    total = (None in first.values()) == (fallback is not None)
    all_rules_reached = set(range(len(rules))) <= set(first.values())
    if total and all_rules_reached and not too_high:
        segment_map = build(*rules, bins=bins, fallback=fallback)
        expected = {
            cell: fallback if number is None else rules[number]["segment"] for cell, number in first.items()
        }
        assert segment_map.cells() == expected
        assert all(segment_map.segment_of(*cell) == segment for cell, segment in expected.items())
    else:
        message = map_error(*rules, bins=bins, fallback=fallback).message
        for number in range(len(rules)):
            if number not in first.values():
                assert f"rule {number + 1} (" in message


# Conditions on days


def rhythm(first_order_days: int = 100, recency_days: int = 10, twice_median_gap: int | None = 20) -> Rhythm:
    return Rhythm(first_order_days, recency_days, twice_median_gap)


def test_a_condition_on_the_gap_compares_exactly() -> None:
    # 11 days since the last order, and a median gap of 7.5 days: 22/15, which 1.4667 is just above.
    own = rhythm(recency_days=11, twice_median_gap=15)
    for condition, holds in {"<=1.4667": True, "<1.4666": False, ">1.4666": True, ">=1.4667": False}.items():
        segment_map = build({"segment": "In", "gap": condition}, fallback="Out")
        assert segment_map.segment_of(1, 1, 1, own) == ("In" if holds else "Out"), condition


@pytest.mark.parametrize(
    ("condition", "holds"), [("<=1", True), ("<1", False), (">1", False), (">=1", True), ("none", False)]
)
def test_the_bound_of_a_condition_on_the_gap_is_in_or_out(condition: str, holds: bool) -> None:
    segment_map = build({"segment": "In", "gap": condition}, fallback="Out")
    assert segment_map.segment_of(1, 1, 1, rhythm()) == ("In" if holds else "Out")
    # A customer with one order day has no gap, which only one condition holds for.
    without = rhythm(twice_median_gap=None)
    assert segment_map.segment_of(1, 1, 1, without) == ("In" if condition == "none" else "Out")


@pytest.mark.parametrize(
    ("written", "covered"),
    [("<=30", range(31)), (">=31", range(31, 99)), ("5-7", range(5, 8)), (0, [0]), ("0 - 1", [0, 1])],
)
def test_a_condition_on_the_first_order_covers_whole_days(written: int | str, covered: Sequence[int]) -> None:
    segment_map = build({"segment": "In", "first_order_days": written}, fallback="Out")
    days = [day for day in range(99) if segment_map.segment_of(1, 1, 1, rhythm(day)) == "In"]
    assert days == list(covered)


def test_conditions_on_days_and_scores_must_all_hold() -> None:
    rule = {"segment": "In", "r": 4, "first_order_days": ">=50", "gap": "<=2"}
    segment_map = build(rule, fallback="Out")
    assert segment_map.segment_of(4, 1, 1, rhythm()) == "In"
    assert segment_map.segment_of(3, 1, 1, rhythm()) == "Out"
    assert segment_map.segment_of(4, 1, 1, rhythm(first_order_days=49)) == "Out"
    assert segment_map.segment_of(4, 1, 1, rhythm(recency_days=21)) == "Out"
    assert segment_map.rules[0].conditions() == ["r 4", "first_order_days >=50", "gap <=2"]


def test_a_map_with_days_is_total_only_with_a_rule_for_each_interval() -> None:
    error = map_error(
        {"segment": "A", "gap": "<=1"},
        {"segment": "B", "gap": ">1.5"},
        {"segment": "C", "gap": "none", "r": 1},
    )
    assert "no rule covers 111 (gap >1 <=1.5), 112 (gap >1 <=1.5)" in error.message
    error = map_error(
        {"segment": "New", "first_order_days": "<=30"},
        {"segment": "Old", "first_order_days": ">=32"},
        bins=(2, 2, 2),
    )
    assert "no rule covers 111 (first_order_days 31), 112 (first_order_days 31)" in error.message
    build({"segment": "New", "first_order_days": "<=30"}, {"segment": "Old", "first_order_days": ">=31"})
    build({"segment": "A", "gap": "<2"}, {"segment": "B", "gap": ">=2"}, {"segment": "C", "gap": "none"})


def test_a_rule_whose_days_earlier_rules_cover_is_never_reached() -> None:
    error = map_error(
        {"segment": "A", "gap": "<=1"},
        {"segment": "B", "gap": ">0.5"},
        {"segment": "C", "gap": "<=3", "r": 4, "f": 4, "m": 4},
        fallback="D",
    )
    assert error.message.endswith(
        "rule 3 (C) is never reached, because rule 1 (A) and rule 2 (B) already cover 444 (gap <=0.5),"
        " 444 (gap >0.5 <=1) and 444 (gap >1 <=3)."
    )


GAPS = st.sampled_from(["<=1", "<1", ">1", ">=1", "<=1.5", ">2.25", ">=0", "none"])
DAYS = st.sampled_from(["<=30", ">=31", "10-40", 0, "31-31", ">=0"])


@given(
    st.lists(
        st.fixed_dictionaries({}, optional={"gap": GAPS, "first_order_days": DAYS, "r": st.just(2)}).filter(
            bool
        ),
        min_size=1,
        max_size=5,
    )
)
def test_the_check_of_a_map_with_days_agrees_with_customers(drawn: list[dict[str, Any]]) -> None:
    """A map is accepted exactly if customers of all kinds have a segment, and each rule has a customer."""
    rules = [{"segment": f"S{number}", **rule} for number, rule in enumerate(drawn)]
    config = SegmentsConfig.of({"rules": rules})
    parsed = [parse_rule(1, rule, (2, 2, 2)) for rule in config.rules]
    # Days since the last order, of customers with a median gap of 100 days or with one order day.
    recencies = [(days, 200) for days in (0, 50, 99, 100, 101, 149, 150, 151, 224, 225, 226, 900)]
    customers = [
        (r, rhythm(first_order_days, *recency))
        for r in (1, 2)
        for first_order_days in (0, 9, 10, 30, 31, 32, 40, 41, 500)
        for recency in [*recencies, (5, None)]
    ]
    first = [
        next(
            (
                n
                for n, rule in enumerate(parsed)
                if rule.covers(r, 1, 1) and own.meets(rule.first_order_days, rule.gap)
            ),
            None,
        )
        for r, own in customers
    ]
    is_valid = None not in first and set(first) == set(range(len(rules)))
    if not is_valid:
        with pytest.raises(SegmentMapError):
            SegmentMap.from_config(config, (2, 2, 2))
        return
    segment_map = SegmentMap.from_config(config, (2, 2, 2))
    assert [segment_map.segment_of(r, 1, 1, own) for r, own in customers] == [
        f"S{number}" for number in first
    ]


@pytest.mark.parametrize(
    ("rule", "message", "hint"),
    [
        ({"gap": "1.5"}, 'has gap = "1.5", which is not a comparison with a number.', 'or "none".'),
        ({"gap": "<0"}, 'has gap = "<0", but a gap is never below 0.', 'or "none".'),
        ({"first_order_days": "<30"}, "which is not a number of days or a range.", '"<=30"'),
        ({"first_order_days": "9-3"}, "a range that ends before it starts.", 'write "3-9".'),
    ],
)
def test_a_condition_on_days_that_is_none_is_rejected(rule: dict[str, Any], message: str, hint: str) -> None:
    error = configuration_error({"segment": "A", **rule})
    assert error.message.startswith('Rule 1 ("A") has ')
    assert message in error.message
    assert hint in (error.hint or "")


def test_texts_do_not_change_what_decides_the_segments() -> None:
    one = SegmentsConfig.of({"rules": [{"segment": "A", "r": ">=1", "action": "call"}], "description": "x"})
    other = SegmentsConfig.of({"rules": [{"segment": "A", "r": ">=1", "description": "all"}]})
    third = SegmentsConfig.of({"rules": [{"segment": "A", "r": ">=1", "gap": ">1"}]})
    assert one.without_texts() == other.without_texts() != third.without_texts()
