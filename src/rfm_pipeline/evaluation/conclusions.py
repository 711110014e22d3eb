"""Conclusions: sentences about differences in AUC that claim what the intervals show, and no more."""

from __future__ import annotations

from collections.abc import Sequence

from rfm_pipeline.common import formatting
from rfm_pipeline.evaluation.result import Comparison, DateEvaluation
from rfm_pipeline.evaluation.statistics import AucDifference


def conclusions(dates: Sequence[DateEvaluation], comparisons: Sequence[Comparison]) -> tuple[str, ...]:
    """Return what the differences between maps, and between a map and the sum of the scores, show.

    Args:
        dates: The evaluations of all configurations.
        comparisons: The differences between the first configuration and the others.
    """
    sentences = []
    compared = list(dict.fromkeys(comparison.configuration for comparison in comparisons))
    first = dates[0].configuration
    for name in compared:
        differences = [one.difference for one in comparisons if one.configuration == name]
        sentences.append(_sentence(f"the map of {name}", f"that of {first}", differences))
    for name in dict.fromkeys(one.configuration for one in dates):
        differences = [one.map_less_sum for one in dates if one.configuration == name]
        sentences.append(_sentence(f"the map of {name}", "its r + f + m", differences))
    return tuple(sentences)


def _sentence(one: str, other: str, differences: Sequence[AucDifference | None]) -> str:
    known = [difference for difference in differences if difference is not None]
    capital, count = one[0].upper() + one[1:], len(known)
    if not known:
        return f"{capital} is not compared with {other}: no date has the figures for it."
    better = sum(difference.sign > 0 for difference in known)
    worse = sum(difference.sign < 0 for difference in known)
    without = len(differences) - count
    any_date, each_date = (f"on any of {count} dates", f"on each of {count} dates")
    if count == 1:
        any_date = each_date = "on the one date with figures" if without else "on the one date"
    elif without:
        any_date, each_date = f"{any_date} with figures", f"{each_date} with figures"
    missing = f" ({formatting.format_count(without, 'date')} without)" if without else ""
    if not better and not worse:
        return f"No difference is shown between {one} and {other} {any_date}{missing}."
    if count in (better, worse):
        which = "better" if better else "worse"
        return f"{capital} separates those who bought again {which} than {other} {each_date}{missing}."
    parts = [(better, "better"), (worse, "worse"), (count - better - worse, "no difference shown")]
    found = ", ".join(f"{what} on {number}" for number, what in parts if number)
    dates = f"{count} dates{' with figures' if without else ''}{missing}"
    return f"{capital} against {other}: {found} of {dates}, which may be chance."
