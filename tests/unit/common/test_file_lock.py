"""Lock files and locked directories: links that somebody put in their place are not followed."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from rfm_pipeline.common.atomic_file import replace_file
from rfm_pipeline.common.file_lock import FileLock, LockedTempDir, remove_orphaned_directories

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="making a link takes a privilege on Windows")


@pytest.mark.parametrize("link", [os.symlink, os.link], ids=["symbolic", "hard"])
def test_a_lock_file_that_is_a_link_is_not_written(
    link: Callable[[Path, Path], None], tmp_path: Path
) -> None:
    victim = tmp_path / "victim"
    victim.write_text("kept", encoding="utf-8")
    link(victim, tmp_path / "lock")
    with pytest.raises(OSError, match="is a link to another file") as raised:
        FileLock(tmp_path / "lock").acquire("note")
    assert raised.value.errno == errno.ELOOP
    assert victim.read_text(encoding="utf-8") == "kept"


def test_a_lock_file_that_leads_nowhere_makes_no_file(tmp_path: Path) -> None:
    (tmp_path / "lock").symlink_to("new")
    with pytest.raises(OSError, match="is a link"):
        FileLock(tmp_path / "lock").acquire()
    assert not (tmp_path / "new").exists()


def test_a_pipe_is_no_lock_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "lock")
    with pytest.raises(OSError, match="is a link"):
        FileLock(tmp_path / "lock").acquire("note")


def test_a_linked_directory_is_no_orphan(tmp_path: Path) -> None:
    documents = tmp_path / "documents"
    documents.mkdir()
    for name in ("lock", "letter.txt"):
        (documents / name).write_text(name, encoding="utf-8")
    (tmp_path / "rfm-abcdefgh").symlink_to(documents)
    remove_orphaned_directories(tmp_path, "rfm-")
    assert sorted(path.name for path in documents.iterdir()) == ["letter.txt", "lock"]


def test_the_lock_of_an_orphan_that_is_a_link_is_not_written(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("kept", encoding="utf-8")
    for name in ("rfm-aaaaaaaa", "rfm-bbbbbbbb"):
        (tmp_path / name).mkdir()
    (tmp_path / "rfm-aaaaaaaa" / "lock").symlink_to(victim)
    (tmp_path / "rfm-bbbbbbbb" / "lock").touch()
    remove_orphaned_directories(tmp_path, "rfm-")
    assert victim.read_text(encoding="utf-8") == "kept"
    assert not (tmp_path / "rfm-bbbbbbbb").exists()


def test_a_directory_of_another_user_is_no_orphan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    left = LockedTempDir(tmp_path, "rfm-")
    left._lock.release()
    monkeypatch.setattr(os, "geteuid", lambda: left.path.stat().st_uid + 1)
    remove_orphaned_directories(tmp_path, "rfm-")
    assert left.path.exists()
    monkeypatch.undo()
    remove_orphaned_directories(tmp_path, "rfm-")
    assert not left.path.exists()


def test_a_file_is_replaced_with_its_mode_and_a_link_is_not_followed(tmp_path: Path) -> None:
    victim, link = tmp_path / "victim", tmp_path / "link"
    victim.write_text("kept", encoding="utf-8")
    link.symlink_to(victim)
    replace_file(link, b"new")
    assert (victim.read_bytes(), link.read_bytes(), link.is_symlink()) == (b"kept", b"new", False)
    link.chmod(0o640)
    replace_file(link, b"newer")
    assert link.stat().st_mode & 0o777 == 0o640
