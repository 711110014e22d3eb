"""A run that is stopped when its result has been published: it says so, and does not say that nothing was."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rfm_pipeline.cli.render import run_result as terminal
from rfm_pipeline.common.cancellation import received_signals
from rfm_pipeline.config.notifications import WEBHOOK_VARIABLE
from rfm_pipeline.errors import WarehouseError
from rfm_pipeline.pipeline import run as runner
from rfm_pipeline.pipeline.output_files import OutputFiles
from support.chat_server import Chat, chatting
from support.cli import Rfm
from support.orders import ORDERS, contents

STANDS = "Stopped; the result had been published."


@pytest.fixture
def chat(rfm: Rfm, monkeypatch: pytest.MonkeyPatch) -> Iterator[Chat]:
    with chatting() as running:
        monkeypatch.setenv(WEBHOOK_VARIABLE, running.address)
        yield running


@pytest.fixture
def orders(tmp_path: Path) -> Path:
    path = tmp_path / "orders.csv"
    path.write_text(ORDERS, encoding="utf-8")
    return path


def stop(*_arguments: object) -> None:
    signal.raise_signal(signal.SIGTERM)


def fail(*_arguments: object) -> None:
    raise WarehouseError("The result was published, but the output can't be written.", "look at the disk.")


def fail_after_a_stop_that_came_with_the_commit(*_arguments: object) -> None:
    received_signals.append(signal.SIGTERM)
    fail()


@pytest.mark.parametrize("breaks_off", [stop, fail_after_a_stop_that_came_with_the_commit])
@pytest.mark.parametrize("where", [(OutputFiles, "move"), (runner, "_reported")])
def test_a_stop_after_the_publish_says_that_the_result_stands(
    *,
    where: tuple[object, str],
    breaks_off: Callable[..., None],
    rfm: Rfm,
    chat: Chat,
    orders: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(*where, breaks_off)
    ended = rfm("run", orders, "--output", "segments.csv")
    assert (ended.code, ended.stderr) == (130, f"error: {STANDS}\n")
    assert chat.message.startswith("rfm run was stopped; the result had been published.\n")
    assert rfm("runs", "--json").json["runs"][0]["status"] == "published"


def test_what_fails_after_the_publish_is_told_where_nobody_stopped_it(
    rfm: Rfm, orders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(OutputFiles, "move", fail)
    ended = rfm("run", orders)
    assert (ended.code, ended.stderr.splitlines()[0]) == (
        4, "error: The result was published, but the output can't be written.",
    )  # fmt: skip


def test_a_stop_before_the_publish_says_that_nothing_was_published(
    rfm: Rfm, chat: Chat, orders: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = contents(tmp_path)
    monkeypatch.setattr(OutputFiles, "write", stop)
    ended = rfm("run", orders)
    assert (ended.code, ended.stderr) == (130, "error: Stopped; nothing was published.\n")
    assert chat.message.startswith("rfm run was stopped; nothing was published.\n")
    assert contents(tmp_path) == before


def test_a_stop_while_the_result_is_shown_says_that_it_stands(
    rfm: Rfm, orders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(terminal, "print_result", stop)
    ended = rfm("run", orders)
    assert (ended.code, ended.stderr) == (130, "error: Stopped; what had been done stands.\n")
    # Of an earlier command in the same process nothing is left, for another or for the library.
    assert received_signals == []
    monkeypatch.setattr(OutputFiles, "write", stop)
    assert rfm("run", orders).stderr == "error: Stopped; nothing was published.\n"
