"""Configurations to compare: segment maps, numbers of bins and scoring methods for the same customers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from rfm_pipeline.config import presets
from rfm_pipeline.config.loader import Configuration, merge
from rfm_pipeline.config.segment_map import SegmentMap
from rfm_pipeline.config.settings import Settings
from rfm_pipeline.errors import UsageError
from rfm_pipeline.sql.query_spec import QuerySpec

_KEYS = ("preset", "bins", "method")


class Choice(Struct, frozen=True):
    """A configuration that is compared with that of the run.

    Attributes:
        label: Its name in the output, as the user wrote it.
        settings: Settings whose `scoring` and `segments` are used.
        segment_map: The validated segment map.
    """

    label: str
    settings: Settings
    segment_map: SegmentMap

    def apply(self, spec: QuerySpec) -> QuerySpec:
        """Return a specification with the scoring and the segments of this configuration."""
        settings = replace(spec.settings, scoring=self.settings.scoring, segments=self.settings.segments)
        return replace(spec, settings=settings, segment_map=self.segment_map, frozen={})


def staging_spec(spec: QuerySpec, choices: Sequence[Choice]) -> QuerySpec:
    """Return the specification whose staged customers have the columns that each configuration needs."""
    maps = [spec.segment_map, *(choice.segment_map for choice in choices)]
    return replace(spec, segment_map=next((each for each in maps if each.uses_gap), spec.segment_map))


def label_of(settings: Settings) -> str:
    """Return the name of a run's configuration, such as `classic, 4 bins`."""
    scoring = settings.scoring
    counts = sorted(set(scoring.bins_by_dimension))
    bins = " and ".join(map(str, counts))
    methods = {dimension.method for dimension in scoring.dimensions}
    method = f", {' and '.join(sorted(methods))}" if methods != {"quantile"} else ""
    return f"{settings.segments.name}, {bins} bins{method}"


def parse_choice(
    choice: str | Mapping[str, Any], option: str = "--compare", more_keys: Sequence[str] = ()
) -> dict[str, Any]:
    """Return what a configuration to compare sets: some of `preset`, `bins` and `method`.

    >>> parse_choice("preset=grid,bins=5")
    {'preset': 'grid', 'bins': '5'}

    Args:
        choice: Text of NAME=VALUE, separated by commas, or a mapping.
        option: The option that takes the configuration, for messages.
        more_keys: What it may also set.

    Raises:
        UsageError: If it sets something else, or the text is not NAME=VALUE.
    """
    keys = (*_KEYS, *more_keys)
    if isinstance(choice, str):
        parts = [part.partition("=") for part in choice.split(",")]
        values: dict[str, Any] = {name.strip(): value.strip() for name, _, value in parts}
        is_valid = all(equals and value.strip() for _, equals, value in parts) and len(values) == len(parts)
    else:
        values, is_valid = dict(choice), bool(choice)
    unknown = [name for name in values if name not in keys]
    if not is_valid or unknown:
        what = f"sets '{unknown[0]}'" if is_valid else f"is '{choice}', not NAME=VALUE"
        is_text = isinstance(choice, str)
        example = f"{option} preset=grid, or {option} method=ntile"
        raise UsageError(
            f"A configuration to compare {what}; it takes {', '.join(keys[:-1])} and {keys[-1]}.",
            f"for example {example}." if is_text else 'for example {"preset": "grid", "bins": 5}.',
        )
    return values


def configurations(
    configuration: Configuration, choices: Sequence[str | Mapping[str, Any]], option: str = "--compare"
) -> list[Choice]:
    """Return the configurations to compare.

    With a preset, a configuration has the map and the scoring of the preset, whatever the other layers set.

    Args:
        configuration: All layers of settings.
        choices: What each configuration sets.
        option: The option that takes them, for messages.

    Raises:
        UsageError: If a choice is not valid.
        ConfigurationError: If there is no such preset or method, or the map does not fit the bins.
    """
    compared = []
    for choice in choices:
        values = parse_choice(choice, option)
        label = choice if isinstance(choice, str) else ",".join(f"{k}={v}" for k, v in choice.items())
        # The edges of an earlier run are those of other bins, or of another method.
        changed: dict[str, Any] = {"scoring": {"edges": "recomputed", "calibration": "latest"}}
        changed["scoring"] |= {name: values[name] for name in ("bins", "method") if name in values}
        layers = configuration
        if "preset" in values:
            if presets.info(values["preset"]).kind != "segments":
                raise UsageError(
                    f"The preset '{values['preset']}' of {option} is an export format, not a segment map.",
                    "`rfm presets` lists both.",
                )
            without = ("scoring", "segments", "preset")
            layers = replace(
                configuration,
                **{
                    name: {
                        key: value
                        for key, value in getattr(configuration, name).items()
                        if key not in without
                    }
                    for name in ("flags", "environment", "file")
                },
            )
            changed["preset"] = values["preset"]
        merged = merge([layers.flags, changed])
        settings = Configuration(merged, layers.environment, layers.file, layers.origin).settings
        segment_map = SegmentMap.from_config(settings.segments, settings.scoring.bins_by_dimension)
        compared.append(Choice(label, settings, segment_map))
    return compared
