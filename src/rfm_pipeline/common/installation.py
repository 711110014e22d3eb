"""How this copy of rfm-pipeline was installed, and the command that adds an extra or a package to it.

Installers leave `direct_url.json` (PEP 610) beside the metadata of a package that does not come from an
index, and uv leaves `uv-receipt.toml` in the environment of a tool. Modules of the standard library are
imported where they are used, as most commands print no such hint.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

DISTRIBUTION = "rfm-pipeline"
_IMAGE_VARIABLE = "CONTAINER_IMAGE"
"""Variable that the Dockerfile sets to the distribution's name."""
_IMAGE_HINT = f"in a checkout, build with all extras: docker build --build-arg OMIT= -t {DISTRIBUTION} ."
KEY_OPTIONS = (
    '-v "$PWD/credentials.json:/run/secrets/credentials.json:ro"'
    " -e GOOGLE_APPLICATION_CREDENTIALS=/run/secrets/credentials.json"
)
"""Options of `docker run` that pass the key of a service account to the container."""


class Origin(Struct, frozen=True):
    """Where the installed distribution comes from.

    Attributes:
        url: Direct reference, such as `git+https://...` or `file:///srv/rfm.whl`; None for an index.
        revision: Branch, tag or commit of a repository; empty for its default branch.
        checkout: Folder of the source code; None if it does not come from a folder.
        editable: Whether the modules are those of `checkout`.
    """

    url: str | None = None
    revision: str = ""
    checkout: Path | None = None
    editable: bool = False

    def requirement(self, extras: tuple[str, ...] = ()) -> str:
        """Return the requirement that pip and uv install this origin by."""
        brackets = f"[{','.join(extras)}]" if extras else ""
        if self.checkout:
            return f"{self.checkout}{brackets}"
        revision = f"@{self.revision}" if self.revision else ""
        return f"{DISTRIBUTION}{brackets}" + (f" @ {self.url}{revision}" if self.url else "")


def in_container() -> bool:
    """Return whether this process runs in the image of the Dockerfile."""
    return os.environ.get(_IMAGE_VARIABLE) == DISTRIBUTION


def extra_hint(extra: str) -> str:
    """Return the hint that installs an extra the way that rfm-pipeline was installed."""
    return _IMAGE_HINT if in_container() else _install(_origin(), extras=(extra,))


def package_hint(package: str) -> str:
    """Return the hint that installs another package into the environment of rfm-pipeline."""
    return _IMAGE_HINT if in_container() else _install(_origin(), packages=(package,))


def upgrade_hint() -> str:
    """Return the hint that installs the newest version."""
    if in_container():
        return "run a newer image."
    origin = _origin()
    install = _install(replace(origin, revision=""), upgrade=True)
    if origin.checkout is None:
        return f"upgrade: {install}"
    pull = _words("git", "-C", str(origin.checkout), "pull")
    return f"upgrade: {pull}" if origin.editable else f"upgrade: {pull} && {install}"


def _install(
    origin: Origin, *, extras: tuple[str, ...] = (), packages: tuple[str, ...] = (), upgrade: bool = False
) -> str:
    """Return the command that adds extras and packages and keeps the present ones, or that upgrades."""
    from importlib.util import find_spec

    receipt = _tool_requirements()
    if receipt is not None:
        present, others = receipt
        words = ["uv", "tool", "install", *(["--reinstall"] if upgrade else [])]
        requirement = origin.requirement(tuple(dict.fromkeys((*present, *extras))))
        return _words(*words, *_with(tuple(dict.fromkeys((*others, *packages)))), requirement)
    if "archive-v0" in Path(sys.prefix).parts:
        # The environment of uvx is a part of uv's cache.
        words = ["uvx", *(["--refresh"] if upgrade else []), *_with(packages)]
        return f"{_words(*words, '--from', origin.requirement(extras), 'rfm')} ..."
    if extras and origin.checkout and Path(sys.prefix).parent == origin.checkout:
        return _words("uv", "sync", "--directory", str(origin.checkout), "--all-extras")
    editable = ["-e"] if origin.editable else []
    own = [*editable, origin.requirement(extras)] if extras or upgrade else []
    if find_spec("pip"):
        again = ["--upgrade", *(["--force-reinstall"] if origin.url else [])] if upgrade else []
        return _words(sys.executable, "-m", "pip", "install", *again, *own, *packages)
    again = ["--upgrade", "--reinstall-package", DISTRIBUTION] if upgrade else []
    return _words("uv", "pip", "install", "--python", sys.executable, *again, *own, *packages)


def _with(packages: tuple[str, ...]) -> list[str]:
    return [word for name in packages for word in ("--with", name)]


def _words(*words: str) -> str:
    import shlex
    import subprocess

    return subprocess.list2cmdline(words) if sys.platform == "win32" else shlex.join(words)


def _tool_requirements() -> tuple[tuple[str, ...], tuple[str, ...]] | None:
    """Return the extras and the other packages of an environment of `uv tool`; None elsewhere."""
    import tomllib

    try:
        receipt = tomllib.loads(Path(sys.prefix, "uv-receipt.toml").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    requirements: list[dict[str, Any]] = receipt.get("tool", {}).get("requirements", [])
    own = next((each for each in requirements if each.get("name") == DISTRIBUTION), None)
    if own is None:
        return None
    others = tuple(str(each["name"]) for each in requirements if each is not own and "name" in each)
    return tuple(own.get("extras", ())), others


def _origin() -> Origin:
    import json
    from importlib import metadata

    try:
        text = metadata.distribution(DISTRIBUTION).read_text("direct_url.json")
    except metadata.PackageNotFoundError:
        # The modules are imported from a folder that is on the path of modules.
        folder = Path(__file__).parents[3]
        return Origin(checkout=folder, editable=True) if (folder / "pyproject.toml").exists() else Origin()
    return parse_origin(json.loads(text)) if text else Origin()


def parse_origin(direct_url: dict[str, Any]) -> Origin:
    """Return the origin that the content of a `direct_url.json` states.

    >>> vcs = {"vcs": "git", "commit_id": "1a2b", "requested_revision": "v1"}
    >>> parse_origin({"url": "https://git.example/rfm", "vcs_info": vcs}).requirement(("excel",))
    'rfm-pipeline[excel] @ git+https://git.example/rfm@v1'
    """
    from urllib.parse import unquote, urlsplit

    url = str(direct_url["url"])
    # A password in the address of a repository is not repeated.
    if (parts := urlsplit(url)).password:
        url = url.replace(f":{parts.password}@", "@", 1)
    if "dir_info" in direct_url:
        # On Windows the path is /C:/Shop.
        path = unquote(parts.path).removeprefix("/" if sys.platform == "win32" else "")
        return Origin(url, checkout=Path(path), editable=bool(direct_url["dir_info"].get("editable")))
    if vcs := direct_url.get("vcs_info"):
        return Origin(f"{vcs['vcs']}+{url}", vcs.get("requested_revision") or "")
    return Origin(url)
