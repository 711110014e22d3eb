"""The key file that GOOGLE_APPLICATION_CREDENTIALS names, checked before Google's library reads it."""

from __future__ import annotations

import json
import os
import shlex
import stat
import sys
from pathlib import Path

from rfm_pipeline.common.installation import KEY_OPTIONS, in_container
from rfm_pipeline.errors import ConfigurationError

_VARIABLE = "GOOGLE_APPLICATION_CREDENTIALS"
# Longer paths do not exist, so that a longer value may be the key itself.
_MAX_PATH_LENGTH = 4096


def check_key_file() -> None:
    """Check that the file of the variable can be read and holds JSON; no part of its text is repeated.

    Raises:
        ConfigurationError: If the variable is set and its file can't be used.
    """
    name = os.environ.get(_VARIABLE)
    if not name:
        return
    if "{" in name or "\n" in name or len(name) > _MAX_PATH_LENGTH:
        raise ConfigurationError(
            f"{_VARIABLE} holds a key, not the path of one.", "write the key to a file, and name the file."
        )
    try:
        mode = Path(name).stat().st_mode
        if stat.S_ISDIR(mode):
            raise _folder(name)
        # A pipe can be read only once.
        text = Path(name).read_text(encoding="utf-8-sig") if stat.S_ISREG(mode) else "{}"
    except PermissionError:
        raise _no_permission(name) from None
    except FileNotFoundError:
        hint = f"mount the key: {KEY_OPTIONS}" if in_container() else "correct the path."
        raise ConfigurationError(f"The key {name}, which {_VARIABLE} names, does not exist.", hint) from None
    except (OSError, ValueError):
        raise _no_key(name) from None
    try:
        is_key = isinstance(json.loads(text), dict)
    except ValueError:
        is_key = False
    if not is_key:
        raise _no_key(name)


def _folder(name: str) -> ConfigurationError:
    hint = (
        "docker creates a folder if the file on the left of -v is missing: remove it, and correct the path."
        if in_container()
        else "name the file in it."
    )
    return ConfigurationError(f"{_VARIABLE} names {name}, which is a folder, not a key.", hint)


def _no_key(name: str) -> ConfigurationError:
    return ConfigurationError(
        f"The file {name}, which {_VARIABLE} names, is not the JSON key of an account.",
        "create one with `gcloud iam service-accounts keys create credentials.json --iam-account=ACCOUNT`.",
    )


def _no_permission(name: str) -> ConfigurationError:
    """Return the error for a file that the user of this process may not read."""
    if sys.platform == "win32":
        return ConfigurationError(
            f"Your account has no permission to read the key {name}, which {_VARIABLE} names.",
            "allow it in the file's properties.",
        )
    user = os.geteuid()
    try:
        status = Path(name).stat()
        owner = f", which belongs to UID {status.st_uid} and has mode {stat.S_IMODE(status.st_mode):03o}"
    except OSError:
        owner = ""
    hint = (
        f"on the host: sudo chown {user} credentials.json && sudo chmod 400 credentials.json"
        if in_container()
        else f"sudo chown {user} {shlex.quote(name)}"
    )
    return ConfigurationError(
        f"The user with UID {user} has no permission to read the key {name}{owner}; {_VARIABLE} names it.",
        hint,
    )
