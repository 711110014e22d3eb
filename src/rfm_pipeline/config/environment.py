"""Settings from the environment: `RFM_SOURCE`, and `RFM_SCORING__BINS` for a setting in a table."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from typing import Any, get_origin

from rfm_pipeline.config.base import SettingPath, field_types, has_parts, settings_table_in, type_at
from rfm_pipeline.config.notifications import from_variables
from rfm_pipeline.config.settings import Settings
from rfm_pipeline.errors import ConfigurationError

_PREFIX = "RFM_"
# These are about the program, and not settings of a run.
_OTHERS = {"config", "debug", "log_format"}
# Lists that are written with commas and not as JSON.
_LISTS = {"output", "preset"}


def read_environment(environ: Mapping[str, str]) -> dict[str, Any]:
    """The settings that the environment gives, in the shape of `rfm.toml`.

    Raises:
        ConfigurationError: A variable names no setting, or its value can't be read.
    """
    settings: dict[str, Any] = {}
    # A table comes before the parts of it that are set one by one; otherwise their order is the user's.
    for name in sorted(
        (name for name in environ if name.startswith(_PREFIX)), key=lambda name: name.count("__")
    ):
        _check_name(name)
        *tables, setting = location = tuple(name.removeprefix(_PREFIX).casefold().split("__"))
        if location[0] in _OTHERS:
            continue
        table = settings
        for part in tables:
            inner = table.setdefault(part, {})
            # What stands where a table must be is refused later, by its own name.
            table = inner if isinstance(inner, dict) else {}
        table[setting] = _value(name, environ[name], location)
    if "notify" in settings:
        settings["notify"] = from_variables(settings["notify"])
    return settings


def _value(name: str, text: str, location: SettingPath) -> Any:
    """A variable's text, or what it holds as JSON where the setting may be a table or a list."""
    kind = type_at(Settings, location)
    if location[0] in _LISTS:
        return [part.strip() for part in text.split(",") if part.strip()]
    if location[0] == "date_format" or not has_parts(kind):
        return text
    # A table may have a shorter form, which its own table reads.
    outer = settings_table_in(type_at(Settings, location[:-1])) or Settings
    is_short = settings_table_in(kind) is kind and location[-1] in outer.FORMS
    must_be_table = get_origin(kind) is dict or (settings_table_in(kind) is kind and not is_short)
    try:
        value = json.loads(text)
    except ValueError:
        if not must_be_table:
            return text
        # What stands where a table is asked for may be the address that messages go to, which is a secret.
        found = "" if location[0] == "notify" else f" is {text!r}, and"
        raise ConfigurationError(
            f"The environment variable {name}{found} must be JSON.",
            f"set its parts one by one, as in {name}__NAME=VALUE, or write it into rfm.toml.",
        ) from None
    return value if must_be_table or isinstance(value, dict | list) else text


def _check_name(name: str) -> None:
    settings = set(field_types(Settings)) | _OTHERS
    setting = name.removeprefix(_PREFIX).split("__")[0].casefold()
    if setting not in settings:
        close = difflib.get_close_matches(setting, settings, n=1)
        meant = f"did you mean {_PREFIX}{close[0].upper()}?" if close else None
        hint = meant or f"settings: {', '.join(sorted(settings))}."
        raise ConfigurationError(f"The environment variable {name} names no setting.", hint)
