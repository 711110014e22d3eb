"""Inputs of the command line from grammars, and what must hold after each of them, whatever it is.

An input is a command, its files and its environment variables. It runs in a folder with the result of an
earlier run; after it the folder is as before, but for the files that a command with exit code 0 was asked to
write.
"""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import pytest

from support.bad_input import JARGON, make_shop
from support.cli import Outcome, Rfm
from support.orders import contents
from support.paths import ROOT
from support.shops import check_consistency

CORPUS = ROOT / "tests" / "data" / "fuzz"
CODES = {0, 2, 3, 4, 5, 6}
"""The documented exit codes, without 1, which is a bug."""
PROTECTED = ("orders.csv", "rfm.toml")
"""Files of the user, which no command changes; `rfm init` writes the second."""
LINKS = (
    ("link.duckdb", "rfm.duckdb"),
    ("link.csv", "orders.csv"),
    ("loop.duckdb", "loop.duckdb"),
    ("dangling.duckdb", "nowhere.duckdb"),
)
HARD_LINKS = (("hard.csv", "orders.csv"), ("hard.duckdb", "rfm.duckdb"))
"""Names of links in the folder, each with its target."""
_ERROR = re.compile(r"(?P<notes>([^\n]+\n)*?)error: (?P<sentence>[^\n]+[.!?])\nhint: (?P<hint>[^\n]+)\n")
# A column can be of such a type, and then it is named.
_NESTED_TYPE = re.compile(r"\b(MAP|STRUCT)\(.*\)")
# All but the line break, the tab and what a terminal prints.
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


@dataclass(frozen=True)
class Input:
    """A command, its files and its environment variables.

    Attributes:
        arguments: Arguments after `rfm`.
        files: Content of further files by name.
        environment: Environment variables.
        writes: Names of the files and folders that the command may write if it succeeds.
    """

    arguments: tuple[str, ...]
    files: Mapping[str, bytes] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    writes: tuple[str, ...] = ()

    def to_json(self) -> str:
        """Return the input as a file of the corpus holds it."""
        plain = {
            "arguments": self.arguments,
            "files": {name: _to_text(content) for name, content in self.files.items()},
            "environment": self.environment,
            "writes": self.writes,
        }
        return json.dumps(plain, indent=1)

    @classmethod
    def from_json(cls, text: str) -> Input:
        """Return the input of a file of the corpus."""
        plain = json.loads(text)
        files = {name: _to_bytes(content) for name, content in plain["files"].items()}
        return cls(tuple(plain["arguments"]), files, plain["environment"], tuple(plain["writes"]))


def _to_text(content: bytes) -> str | dict[str, str]:
    try:
        return content.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(content).decode()}


def _to_bytes(content: str | dict[str, str]) -> bytes:
    return content.encode() if isinstance(content, str) else base64.b64decode(content["base64"])


class Arena:
    """A folder with the result of an earlier run, in which inputs run one after the other.

    Args:
        folder: An empty folder.
        rfm: Runs a command in this process.
        patch: Sets environment variables and the current folder.
    """

    def __init__(self, folder: Path, rfm: Rfm, patch: pytest.MonkeyPatch) -> None:
        self._shop, self._backup = folder / "shop", folder / "backup"
        self._scratch = folder / "scratch"
        for path in (self._shop, self._backup, self._scratch):
            path.mkdir()
        make_shop(self._backup)
        self._rfm, self._patch = rfm, patch
        patch.setattr(tempfile, "tempdir", str(self._scratch))
        self.codes: dict[int, int] = {}
        self._is_fresh = False
        self._reset(Input(()))
        self._contents = contents(self._shop)

    def check(self, given: Input) -> Outcome:
        """Run an input, and assert what must hold after any input.

        Raises:
            AssertionError: If it does not; the message is the input as a file of the corpus.
        """
        self._reset(given)
        before = self._state()
        with self._patch.context() as patched:
            for name, value in given.environment.items():
                patched.setenv(name, value)
            outcome = self._rfm(*given.arguments)
        self.codes[outcome.code] = self.codes.get(outcome.code, 0) + 1
        faults = self._message_faults(given, outcome)
        self._is_fresh = not given.files and self._state() == before
        if self._state() != before:
            # Reading the contents of all files takes longer than most commands.
            written = {name: (before[name][-1], content) for name, content in given.files.items()}
            faults += self._file_faults(given, {**self._contents, **written}, outcome)
            folders = [name for name, about in self._state().items() if not about and name not in before]
            faults += [f"the folder {name} is left" for name in folders if outcome.code]
        faults += [f"{path} is left" for path in self._left(given, outcome)]
        if outcome.code == 0 and "--json" in given.arguments and given.arguments[0] == "run":
            faults += _unreconciled(outcome)
        if faults:
            listed = "\n".join(faults)
            raise AssertionError(f"{listed}\n{outcome.stderr}\n{given.to_json()}")
        return outcome

    def _reset(self, given: Input) -> None:
        """Restore the folder if an input has changed it, and write the files of an input."""
        if self._is_fresh and not given.files:
            return
        shutil.rmtree(self._shop)
        shutil.copytree(self._backup, self._shop)
        self._patch.chdir(self._shop)
        for name, content in given.files.items():
            path = self._shop / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        for name, target in LINKS:
            (self._shop / name).symlink_to(target)
        for name, target in HARD_LINKS:
            os.link(self._shop / target, self._shop / name)

    def _state(self) -> dict[str, tuple[int, ...]]:
        """Return inode, size and modification time of each file, and the name of each folder."""
        state: dict[str, tuple[int, ...]] = {}
        for path in self._shop.rglob("*"):
            about = path.lstat()
            is_folder = path.is_dir() and not path.is_symlink()
            key = path.relative_to(self._shop).as_posix()
            state[key] = () if is_folder else (about.st_ino, about.st_size, about.st_mtime_ns)
        return state

    def _message_faults(self, given: Input, outcome: Outcome) -> list[str]:
        faults = [] if outcome.code in CODES else [f"exit code {outcome.code}"]
        if _CONTROLS.search(outcome.stderr):
            faults.append(f"control characters on stderr: {outcome.stderr!r}")
        match = _ERROR.fullmatch(outcome.stderr)
        if outcome.code and not match:
            faults.append("no sentence and hint")
        elif match and "lines.sql" not in given.files:
            # Who writes a query file knows the words of SQL.
            shown = _NESTED_TYPE.sub("", match["sentence"]) + match["hint"]
            # A message may quote what the user wrote.
            written = given.to_json()
            words = [found[0] for found in JARGON.finditer(shown) if found[0] not in written]
            faults += [f"words of a library: {word}" for word in words]
        return faults

    def _file_faults(self, given: Input, before: Mapping[str, Any], outcome: Outcome) -> list[str]:
        after = contents(self._shop)
        allowed = given.writes if outcome.code == 0 else ()
        allowed += tuple(name for name, target in (*LINKS, *HARD_LINKS) if target in allowed)
        changed = [
            name
            for name in sorted({*before, *after})
            if before.get(name) != after.get(name) and not name.startswith(tuple(allowed) or ("\0",))
        ]
        protected = PROTECTED[: 1 if given.arguments[:1] == ("init",) else 2]
        changed += [name for name in protected if before.get(name) != after.get(name) and name not in changed]
        faults = [f"{name} was changed, made or removed" for name in changed]
        if before["rfm.duckdb"] != after.get("rfm.duckdb"):
            faults += self._broken_destination()
        return faults

    def _broken_destination(self) -> list[str]:
        """Return what is wrong with the destination's tables, which a command has changed."""
        try:
            check_consistency(self._shop / "rfm.duckdb")
        except (duckdb.Error, AssertionError) as error:
            return [f"the tables of rfm.duckdb are damaged: {error}"]
        return []

    def _left(self, given: Input, outcome: Outcome) -> list[str]:
        """Return the files that no command leaves: leases, temporary files, staging tables without reason."""
        left = [path.name for path in self._scratch.iterdir()]
        for path in self._shop.rglob("*"):
            if path.name.endswith((".lease", ".wal", ".new")) and path.name not in given.files:
                left.append(path.name)
            if ".rejected-" in path.name and outcome.code != 3:
                left.append(path.name)
        for path in self._scratch.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        return left


def _unreconciled(outcome: Outcome) -> list[str]:
    rows = outcome.json["rows"]
    accounted = rows["kept"] + sum(rows["excluded"].values())
    return [] if rows["read"] == accounted else [f"{rows['read']} lines read, {accounted} accounted for"]
