"""The files of a Parquet destination: a publish is seen whole, wherever the process dies, or not at all."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from rfm_pipeline.warehouse.parquet.files import PublishedFiles

OLD, KEPT, NEW = date(2024, 1, 1), date(2024, 1, 8), date(2024, 1, 15)


class Interrupted(Exception):  # noqa: N818 - stands for the death of the process
    """The process dies."""


def publish(
    files: PublishedFiles, *, stop_at: int = 0, monkeypatch: pytest.MonkeyPatch | None = None
) -> None:
    """Publish a new date, which becomes the current one, and remove the oldest one.

    Args:
        files: The files.
        stop_at: Number of the call of the file system, from 1, before which the process dies; 0 for none.
        monkeypatch: Replaces the functions of the file system; None if none is to be replaced.
    """
    draft = files.new_draft()
    draft.dated(NEW).write_text("new")
    draft.link_current(draft.dated(NEW))
    draft.runs.write_text("two runs")
    draft.remove(OLD)
    if monkeypatch is None:
        files.publish(draft)
        return
    calls = 0

    def counted(function: object) -> object:
        def call(*arguments: object, **options: object) -> object:
            nonlocal calls
            calls += 1
            if calls == stop_at:
                raise Interrupted
            return function(*arguments, **options)  # type: ignore[operator]

        return call

    with monkeypatch.context() as patched:
        for name in ("rename", "replace", "rmdir", "unlink"):
            patched.setattr(Path, name, counted(getattr(Path, name)))
        files.publish(draft)


@pytest.fixture
def files(tmp_path: Path) -> PublishedFiles:
    """The files of a destination with two dates."""
    files = PublishedFiles(tmp_path / "a.parquet")
    draft = files.new_draft()
    for day in (OLD, KEPT):
        draft.dated(day).write_text(f"rows of {day}")
    draft.link_current(draft.dated(KEPT))
    draft.runs.write_text("one run")
    files.publish(draft)
    return files


def seen(files: PublishedFiles) -> dict[str, str]:
    """Return what a reader finds."""
    found = {"current": files.find(files.current), "runs": files.find(files.runs)}
    found |= {str(day): path for day, path in files.dated().items()}
    return {name: path.read_text() for name, path in found.items() if path}


BEFORE = {
    "current": f"rows of {KEPT}",
    "runs": "one run",
    str(OLD): f"rows of {OLD}",
    str(KEPT): f"rows of {KEPT}",
}
AFTER = {"current": "new", "runs": "two runs", str(KEPT): f"rows of {KEPT}", str(NEW): "new"}


@pytest.mark.parametrize("step", range(1, 12))
def test_readers_see_one_publish_wherever_the_process_dies(
    step: int, files: PublishedFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert seen(files) == BEFORE
    try:
        publish(files, stop_at=step, monkeypatch=monkeypatch)
    except Interrupted:
        # The first call is the commit.
        assert seen(files) == (BEFORE if step == 1 else AFTER)
        # What other programs read is complete.
        assert files.current.read_text() in {BEFORE["current"], AFTER["current"]}
        if not files.committed.exists():
            publish(files)
    files.complete()
    files.remove_orphans()
    assert seen(files) == AFTER
    names = {path.relative_to(files.current.parent).as_posix() for path in files.current.parent.rglob("*")}
    assert names == {
        "a.parquet", "a_history", f"a_history/{KEPT}.parquet", f"a_history/{NEW}.parquet",
        "a_runs", "a_runs/runs.parquet",
    }  # fmt: skip
    assert files.current.samefile(files.dated()[NEW])


def test_a_signal_before_the_commit_stops_and_one_after_it_does_not(
    files: PublishedFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Path, "rename", interrupt)
        with pytest.raises(KeyboardInterrupt):
            publish(files)
    assert seen(files) == BEFORE
    replace, calls = Path.replace, []

    def interrupt_once(path: Path, target: Path) -> Path:
        calls.append(path)
        if len(calls) == 1:
            raise KeyboardInterrupt
        return replace(path, target)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", interrupt_once)
        publish(files)
    assert seen(files) == AFTER
    assert not files.committed.exists()


def test_a_result_that_is_current_already_can_be_published_again(files: PublishedFiles) -> None:
    # A rename between two links to one file removes neither.
    draft = files.new_draft()
    draft.link_current(files.dated()[KEPT])
    draft.runs.write_text("a rollback")
    files.publish(draft)
    assert not files.committed.exists()
    assert seen(files) == {**BEFORE, "runs": "a rollback"}


def test_two_publishes_at_once_do_not_mix(files: PublishedFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Interrupted):
        publish(files, stop_at=2, monkeypatch=monkeypatch)
    with pytest.raises(OSError, match="not empty"):
        publish(files)
    assert seen(files) == AFTER


def test_other_names_in_the_history_are_no_dates(files: PublishedFiles) -> None:
    for name in ("2024-02-31.parquet", "2024-01-02.csv", "notes.parquet", "x2024-01-02.parquet"):
        (files.history / name).touch()
    assert list(files.dated()) == [OLD, KEPT]


def test_a_link_to_the_file_leads_to_the_same_files(files: PublishedFiles) -> None:
    link = files.current.with_name("link.parquet")
    link.symlink_to(files.current.name)
    assert PublishedFiles(link).history == files.history
