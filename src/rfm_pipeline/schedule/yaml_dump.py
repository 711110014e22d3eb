"""YAML that parsers of YAML 1.1 and 1.2 read alike: text that either could take for another type is quoted.

PyYAML writes the YAML; only the choice of quotes is our own. PyYAML leaves `1e3` and `0o17` unquoted, which
are numbers in YAML 1.2; ruamel.yaml leaves `no`, `on` and `12:30:00` unquoted, which are booleans and a
number in YAML 1.1.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from types import ModuleType
from typing import Any

from rfm_pipeline.common.installation import extra_hint
from rfm_pipeline.errors import UsageError

_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_./-]*")
# Words that YAML 1.1 or 1.2 reads as a boolean, null or a number.
_RESERVED_WORDS = {"y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf"}


def load_documents(text: str) -> list[Any]:
    """Return the documents of a YAML text.

    Raises:
        UsageError: If PyYAML is not installed.
    """
    yaml = _pyyaml()
    return list(yaml.safe_load_all(text))


def dump(*documents: Mapping[str, Any]) -> str:
    """Return documents as YAML, keys in their order.

    Raises:
        UsageError: If PyYAML is not installed.
    """
    yaml = _pyyaml()
    text: str = yaml.dump_all(
        documents,
        Dumper=_dumper(),
        sort_keys=False,
        allow_unicode=True,
        default_flow_style=False,
        width=10_000,
    )
    return text


def _pyyaml() -> ModuleType:
    try:
        import yaml
    except ModuleNotFoundError:
        raise UsageError(
            "This scheduler reads YAML, and PyYAML, which writes it, is not installed.",
            extra_hint("schedule"),
        ) from None
    return yaml


@cache
def _dumper() -> Any:
    import yaml

    class Dumper(yaml.SafeDumper):
        def ignore_aliases(self, _data: Any) -> bool:
            return True

    def represent(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
        # In YAML 1.1 these three characters end a line; only double quotes preserve them.
        if "\n" in text and not re.search("[\x85\u2028\u2029]", text):
            style: str | None = "|"
        else:
            plain = _PLAIN.fullmatch(text) and text.casefold() not in _RESERVED_WORDS
            style = None if plain else '"'
        return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)

    Dumper.add_representer(str, represent)
    return Dumper
