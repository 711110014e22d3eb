"""Settings from environment variables: `RFM_SOURCE`, and `RFM_SCORING__BINS` for a setting inside a table."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from typing import Any, get_origin

from rfm_pipeline.config.base import (
    MAX_NESTING,
    SettingPath,
    field_types,
    is_compound,
    is_nested_too_deeply,
    settings_table_in,
    type_at,
)
from rfm_pipeline.config.notifications import read_notify_variables
from rfm_pipeline.config.settings import Settings
from rfm_pipeline.errors import ConfigurationError

_PREFIX = "RFM_"
# Options of the program that are no settings of a run.
_PROGRAM_OPTIONS = {"config", "debug", "log_format"}
# Lists that are written with commas, not as JSON.
_COMMA_SEPARATED = {"output", "preset"}
_SHOWN_LENGTH = 60


def read_environment(environ: Mapping[str, str]) -> dict[str, Any]:
    """Return the settings of the environment variables as nested dicts in the structure of `rfm.toml`.

    Raises:
        ConfigurationError: If a variable names no setting, or its value can't be parsed.
    """
    settings: dict[str, Any] = {}
    # Tables (fewer underscores) first, so that variables of single settings override the table's JSON.
    for name in sorted(
        (name for name in environ if name.startswith(_PREFIX)), key=lambda name: name.count("__")
    ):
        _check_name(name)
        *tables, setting = location = tuple(name.removeprefix(_PREFIX).casefold().split("__"))
        if len(location) > MAX_NESTING:
            raise _nested_error(f"The environment variable {name[:_SHOWN_LENGTH]}…")
        if location[0] in _PROGRAM_OPTIONS:
            continue
        table = settings
        for part in tables:
            inner = table.setdefault(part, {})
            # A value that is no table is rejected later, by validation, with its own name.
            table = inner if isinstance(inner, dict) else {}
        table[setting] = _parse(name, environ[name], location)
    if "notify" in settings:
        settings["notify"] = read_notify_variables(settings["notify"])
    return settings


def _parse(name: str, text: str, location: SettingPath) -> Any:
    """Return a variable's text, parsed as JSON if the setting may be a table or a list."""
    kind = type_at(Settings, location)
    if location[0] in _COMMA_SEPARATED:
        return [part.strip() for part in text.split(",") if part.strip()]
    if location[0] == "date_format" or not is_compound(kind):
        return text
    # The parent's parser may accept a short form of the table, such as a level for an audit.
    parent = settings_table_in(type_at(Settings, location[:-1])) or Settings
    has_short_form = settings_table_in(kind) is kind and location[-1] in parent.PARSERS
    must_be_table = get_origin(kind) is dict or (settings_table_in(kind) is kind and not has_short_form)
    try:
        value = json.loads(text)
    except RecursionError:
        raise _nested_error(f"The value of the environment variable {name}") from None
    except ValueError:
        if not must_be_table:
            return text
        # The text in place of the table [notify] may be the webhook URL, which is a secret.
        shown = "" if location[0] == "notify" else f" is {text!r}, and"
        raise ConfigurationError(
            f"The environment variable {name}{shown} must be JSON.",
            f"set its settings one by one, as in {name}__NAME=VALUE, or write the table into rfm.toml.",
        ) from None
    if is_nested_too_deeply(value):
        raise _nested_error(f"The value of the environment variable {name}")
    return value if must_be_table or isinstance(value, dict | list) else text


def _nested_error(subject: str) -> ConfigurationError:
    return ConfigurationError(
        f"{subject} is nested more than {MAX_NESTING} levels deep.", "write the setting into rfm.toml."
    )


def _check_name(name: str) -> None:
    settings = set(field_types(Settings)) | _PROGRAM_OPTIONS
    setting = name.removeprefix(_PREFIX).split("__")[0].casefold()
    if setting not in settings:
        close = difflib.get_close_matches(setting, settings, n=1)
        suggestion = f"did you mean {_PREFIX}{close[0].upper()}?" if close else None
        hint = suggestion or f"settings: {', '.join(sorted(settings))}."
        raise ConfigurationError(f"The environment variable {name} names no setting.", hint)
