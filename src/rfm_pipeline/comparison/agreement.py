"""Agreement of two segmentations: segments with the same name, and Cohen's kappa."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping

from rfm_pipeline.common.customer_mask import mask_addresses
from rfm_pipeline.config.column_mapping import list_columns
from rfm_pipeline.config.column_names import fold_name
from rfm_pipeline.errors import UsageError


def cohens_kappa(customers: Mapping[tuple[str, str], int]) -> float | None:
    """Return Cohen's kappa: (observed - expected) / (1 - expected) agreement.

    Observed is the share of customers in the segment of the same name. Expected is the share that two
    segmentations of these sizes have if they are independent: the sum over the names of the product of the
    shares of customers with that name. Source: Cohen, "A coefficient of agreement for nominal scales", 1960.

    Args:
        customers: Number of customers by their segments in the two segmentations.

    Returns:
        1 if all customers are in the segment of the same name, 0 for what independence gives. None without
        customers, and if both segmentations put all of them in one segment of the same name.

    >>> cohens_kappa({("Best", "Best"): 20, ("Best", "Lost"): 5, ("Lost", "Best"): 10, ("Lost", "Lost"): 15})
    0.4
    """
    total = sum(customers.values())
    same = sum(number for (a, b), number in customers.items() if a == b)
    sizes_a, sizes_b = Counter[str](), Counter[str]()
    for (a, b), number in customers.items():
        sizes_a[a] += number
        sizes_b[b] += number
    # In units of 1 / total², so that integers are exact.
    expected = sum(number * sizes_b[name] for name, number in sizes_a.items())
    if expected == total * total:
        return None
    return (total * same - expected) / (total * total - expected)


def names_on_side_a(
    segments_a: Collection[str], segments_b: Collection[str], renamed: Mapping[str, str]
) -> dict[str, str]:
    """Return the segments of side B that have another name on side A, each with that name.

    A segment that is not renamed has the name of side A that differs only in case, spaces and punctuation,
    unless several segments of a side have such names: `At Risk` and `At-Risk`.

    Args:
        segments_a: Names on side A.
        segments_b: Names on side B.
        renamed: Names on side A by names on side B, as the user gives them.

    Raises:
        UsageError: If a side has no segment of a name in `renamed`.

    >>> names_on_side_a(["At-Risk", "Best"], ["At Risk", "Best", "Champs"], {"Champs": "Best"})
    {'At Risk': 'At-Risk', 'Champs': 'Best'}
    """
    for names, segments, side in ((renamed, segments_b, "B"), (renamed.values(), segments_a, "A")):
        for name in names:
            if name not in segments:
                raise UsageError(
                    f"Side {side} has no segment '{name}'.",
                    f"give the name on side B first, then that on side A; side {side} has"
                    f" {mask_addresses(list_columns(sorted(segments), 30))}.",
                )
    folded_a, folded_b = _by_folded(segments_a), _by_folded(segments_b)
    names = {}
    for name in sorted(segments_b):
        similar = folded_a.get(fold_name(name), [])
        if name in renamed:
            names[name] = renamed[name]
        elif name not in segments_a and len(similar) == 1 and len(folded_b[fold_name(name)]) == 1:
            names[name] = similar[0]
    return names


def _by_folded(segments: Collection[str]) -> dict[str, list[str]]:
    """Return the names by their letters and digits; a name without any is left out."""
    folded: dict[str, list[str]] = {}
    for name in segments:
        if key := fold_name(name):
            folded.setdefault(key, []).append(name)
    return folded
