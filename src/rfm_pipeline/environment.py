"""Settings from the environment: `RFM_SOURCE`, and `RFM_SCORING__BINS` for a setting in a table."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

from rfm_pipeline.errors import ConfigurationError
from rfm_pipeline.settings import Settings

_PREFIX = "RFM_"
# These are about the program, and not settings of a run.
_OTHERS = {"config", "debug"}
# Lists that are written with commas and not as JSON.
_LISTS = {"output", "preset", "date_format"}


def read_environment(environ: Mapping[str, str]) -> dict[str, Any]:
    """The settings that the environment gives, in the shape of `rfm.toml`.

    Raises:
        ConfigurationError: A variable names no setting, or its value can't be read.
    """
    given = {name: value for name, value in environ.items() if name.startswith(_PREFIX)}
    for name in given:
        _check_name(name)
    # Reading them takes a library that takes a while to load, and most runs have none.
    return _read(given) if given else {}


def _read(given: Mapping[str, str]) -> dict[str, Any]:
    from pydantic.fields import FieldInfo
    from pydantic_settings import BaseSettings, EnvSettingsSource
    from pydantic_settings.exceptions import SettingsError

    class Source(EnvSettingsSource):
        def prepare_field_value(
            self,
            field_name: str,
            field: FieldInfo,
            value: Any,
            value_is_complex: bool,  # noqa: FBT001
        ) -> Any:
            if field_name in _LISTS:
                return value
            return super().prepare_field_value(field_name, field, value, value_is_complex)

    model = type("_Environment", (BaseSettings, Settings), {})
    source = Source(model, env_prefix=_PREFIX, env_nested_delimiter="__")
    source.env_vars = {name.casefold(): value for name, value in given.items()}
    try:
        return source()
    except SettingsError as error:
        # It names the setting and not the variable, and nothing of what it could not read.
        setting = next((name for name in Settings.model_fields if f'"{name}"' in str(error)), "")
        name = f"{_PREFIX}{setting.upper()}"
        raise ConfigurationError(
            f"The environment variable {name} is {given.get(name, '')!r}, and must be JSON.",
            f"set its parts one by one, as in {name}__NAME=VALUE, or write it into rfm.toml.",
        ) from None


def _check_name(name: str) -> None:
    settings = set(Settings.model_fields) | _OTHERS
    setting = name.removeprefix(_PREFIX).split("__")[0].casefold()
    if setting not in settings:
        close = difflib.get_close_matches(setting, settings, n=1)
        meant = f"did you mean {_PREFIX}{close[0].upper()}?" if close else None
        hint = meant or f"settings: {', '.join(sorted(settings))}."
        raise ConfigurationError(f"The environment variable {name} names no setting.", hint)
