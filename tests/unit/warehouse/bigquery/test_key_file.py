"""The key that GOOGLE_APPLICATION_CREDENTIALS names: errors repeat nothing of the key."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from rfm_pipeline.errors import ConfigurationError
from rfm_pipeline.warehouse.bigquery.key_file import check_key_file

VARIABLE = "GOOGLE_APPLICATION_CREDENTIALS"
posix = pytest.mark.skipif(sys.platform == "win32", reason="needs user ids")


@pytest.fixture(params=[False, True], ids=["machine", "container"])
def in_image(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    monkeypatch.setenv("CONTAINER_IMAGE", "rfm-pipeline" if request.param else "")
    return bool(request.param)


def error(value: object, monkeypatch: pytest.MonkeyPatch) -> ConfigurationError:
    monkeypatch.setenv(VARIABLE, str(value))
    with pytest.raises(ConfigurationError) as raised:
        check_key_file()
    assert "hunter2" not in f"{raised.value} {raised.value.hint}"
    return raised.value


def test_a_missing_key_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *, in_image: bool) -> None:
    found = error(tmp_path / "none.json", monkeypatch)
    assert str(found) == f"The key {tmp_path / 'none.json'}, which {VARIABLE} names, does not exist."
    assert ('-v "$PWD/credentials.json:' in str(found.hint)) == in_image


def test_a_folder_is_no_key(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *, in_image: bool) -> None:
    found = error(tmp_path, monkeypatch)
    assert "which is a folder, not a key" in str(found)
    assert ("docker creates a folder" in str(found.hint)) == in_image


@pytest.mark.parametrize("content", [b"", b"hunter2", b"[]", b"\xff\xfehunter2"])
def test_a_file_that_is_no_json_object_is_no_key(
    content: bytes, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "key.json").write_bytes(content)
    assert "is not the JSON key of an account" in str(error(tmp_path / "key.json", monkeypatch))


@pytest.mark.parametrize("value", ['{"private_key": "hunter2"}', "hunter2\nhunter2", "hunter2" * 1000])
def test_a_key_in_place_of_its_path_is_not_repeated(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert str(error(value, monkeypatch)) == f"{VARIABLE} holds a key, not the path of one."


@posix
def test_a_key_without_permission_names_the_user_and_the_owner(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *, in_image: bool
) -> None:
    key = tmp_path / "key.json"
    key.write_text("{}", encoding="utf-8")
    key.chmod(0o400)

    def refuse(*_: object, **__: object) -> str:
        raise PermissionError

    # Root may read every file.
    monkeypatch.setattr(Path, "read_text", refuse)
    monkeypatch.setattr(os, "geteuid", lambda: 10001)
    found = error(key, monkeypatch)
    assert str(found) == (
        f"The user with UID 10001 has no permission to read the key {key}, which belongs to UID"
        f" {key.stat().st_uid} and has mode 400; {VARIABLE} names it."
    )
    assert found.hint == (
        "on the host: sudo chown 10001 credentials.json && sudo chmod 400 credentials.json"
        if in_image
        else f"sudo chown 10001 {key}"
    )


def test_a_key_or_no_variable_is_accepted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "key.json").write_text('{"type": "service_account"}', encoding="utf-8")
    monkeypatch.setenv(VARIABLE, str(tmp_path / "key.json"))
    check_key_file()
    monkeypatch.delenv(VARIABLE)
    check_key_file()
