"""Whether two paths lead to the same file."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from rfm_pipeline.common import file_identity
from rfm_pipeline.common.file_identity import is_same_file

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="making a link takes a privilege on Windows")


def test_links_and_paths_through_other_folders_lead_to_the_same_file(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    (tmp_path / "other").touch()
    (tmp_path / "symbolic").symlink_to("file")
    (tmp_path / "hard").hardlink_to(file)
    (tmp_path / "folder").symlink_to(".")
    for name in ("file", "symbolic", "hard", "folder/file", "folder/folder/file"):
        assert is_same_file(tmp_path / name, file), name
    for name in ("other", "new", "folder"):
        assert not is_same_file(tmp_path / name, file), name


def test_a_file_that_does_not_exist_has_an_identity(tmp_path: Path) -> None:
    (tmp_path / "folder").symlink_to(".")
    (tmp_path / "dangling").symlink_to("new")
    for name in ("new", "folder/new", "dangling"):
        assert is_same_file(tmp_path / name, tmp_path / "new"), name
    assert not is_same_file(tmp_path / "new", tmp_path / "newer")
    assert is_same_file(tmp_path / "none" / "new", tmp_path / "none" / "new")


def test_case_matters_where_the_folder_tells_it_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "orders.csv").touch()
    assert is_same_file(tmp_path / "New", tmp_path / "new") == (tmp_path / "ORDERS.CSV").exists()
    exists = os.path.lexists
    # A folder in which the other case of a name is found, without being listed, does not tell cases apart.
    monkeypatch.setattr(os.path, "lexists", lambda path: exists(path) or Path(path).name == "ORDERS.CSV")
    assert is_same_file(tmp_path / "New", tmp_path / "new")
    assert is_same_file(tmp_path / "\u00e9", tmp_path / "e\u0301")
    assert not is_same_file(tmp_path / "new", tmp_path / "newer")


def test_an_empty_folder_is_like_the_one_above(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "empty").mkdir()
    asked: list[str] = []

    def exists(path: str) -> bool:
        asked.append(path)
        return True

    monkeypatch.setattr(os.path, "lexists", exists)
    assert file_identity._folds_case(str(tmp_path / "empty"))
    assert asked == [str(tmp_path / "EMPTY")]
