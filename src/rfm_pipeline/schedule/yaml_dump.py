"""YAML that says the same to every parser: text that could be read as anything else stands in quotes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Any

from rfm_pipeline.errors import UsageError

_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_./-]*")
# Words that YAML 1.1 or 1.2 reads as true, false or nothing.
_OTHERWISE = {"y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf"}


def dump(*documents: Mapping[str, Any]) -> str:
    """One or more documents as YAML.

    Raises:
        UsageError: The library for it is not installed.
    """
    try:
        import yaml
    except ModuleNotFoundError:
        raise UsageError(
            "This scheduler reads YAML, and writing it needs the schedule extra.",
            "pip install 'rfm-pipeline[schedule]'",
        ) from None
    text: str = yaml.dump_all(
        documents,
        Dumper=_dumper(),
        sort_keys=False,
        allow_unicode=True,
        default_flow_style=False,
        width=10_000,
    )
    return text


@cache
def _dumper() -> Any:
    import yaml

    class Dumper(yaml.SafeDumper):
        def ignore_aliases(self, _data: Any) -> bool:
            return True

    def represent(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
        # YAML 1.1 takes these three for ends of lines, which only quotes keep as they are.
        if "\n" in text and not re.search("[\x85\u2028\u2029]", text):
            style: str | None = "|"
        else:
            plain = _PLAIN.fullmatch(text) and text.casefold() not in _OTHERWISE
            style = None if plain else '"'
        return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)

    Dumper.add_representer(str, represent)
    return Dumper
