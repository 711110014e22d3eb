"""Names of segments that a user gave: resolved in any case, or refused with the known names."""

from __future__ import annotations

import difflib
from collections.abc import Collection

from rfm_pipeline.errors import UsageError


def resolve_segments(requested: tuple[str, ...], available: Collection[str]) -> tuple[str, ...]:
    """Return the requested segments in the spelling of the result, without duplicates.

    Args:
        requested: Names in any case; empty means all segments.
        available: Names of all segments, including those without customers.

    Raises:
        UsageError: If there is no such segment.
    """
    by_folded_name = {name.casefold(): name for name in available}
    for name in requested:
        if name.casefold() not in by_folded_name:
            raise UsageError(f"There is no segment '{name}'.", suggest_name(name, tuple(available)))
    resolved = (by_folded_name[name.casefold()] for name in requested)
    return tuple(dict.fromkeys(resolved)) or tuple(available)


def suggest_name(name: str, available: tuple[str, ...]) -> str:
    """Return a hint with the name that is closest to an unknown one, if one is close, and all names."""
    close = difflib.get_close_matches(name, available, n=1, cutoff=0.5)
    suggestion = f"did you mean '{close[0]}'? " if close else ""
    return f"{suggestion}{'There' if suggestion else 'there'} are {', '.join(available)}."
