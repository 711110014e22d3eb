"""Cancellation after the commit: the message and the notification say that the result had been published."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from rfm_pipeline.cli.render import run_result
from rfm_pipeline.common.cancellation import received_signals
from rfm_pipeline.config.notifications import WEBHOOK_VARIABLE
from rfm_pipeline.errors import WarehouseError
from rfm_pipeline.pipeline import run as pipeline_run
from rfm_pipeline.pipeline.output_files import OutputFiles
from rfm_pipeline.warehouse.duckdb.destination import DuckDBDestination
from support.chat_server import Chat, run_chat
from support.cli import Rfm
from support.orders import ORDERS, contents

PUBLISHED = "Stopped; the result had been published."


@pytest.fixture
def chat(rfm: Rfm, monkeypatch: pytest.MonkeyPatch) -> Iterator[Chat]:
    with run_chat() as running:
        monkeypatch.setenv(WEBHOOK_VARIABLE, running.address)
        yield running


@pytest.fixture
def orders(tmp_path: Path) -> Path:
    path = tmp_path / "orders.csv"
    path.write_text(ORDERS, encoding="utf-8")
    return path


def send_signal(*_arguments: object) -> None:
    signal.raise_signal(signal.SIGTERM)


def fail(*_arguments: object) -> None:
    raise WarehouseError("The result was published, but the output can't be written.", "look at the disk.")


def fail_after_a_signal_during_the_commit(*_arguments: object) -> None:
    received_signals.append(signal.SIGTERM)
    fail()


@pytest.mark.parametrize("interruption", [send_signal, fail_after_a_signal_during_the_commit])
@pytest.mark.parametrize("where", [(OutputFiles, "move"), (pipeline_run, "_write_report")])
def test_a_signal_after_the_commit_reports_the_result_as_published(
    *,
    where: tuple[object, str],
    interruption: Callable[..., None],
    rfm: Rfm,
    chat: Chat,
    orders: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(*where, interruption)
    ended = rfm("run", orders, "--output", "segments.csv")
    assert (ended.code, ended.stderr) == (130, f"error: {PUBLISHED}\n")
    assert chat.message.startswith("rfm run was stopped; the result had been published.\n")
    assert rfm("runs", "--json").json["runs"][0]["status"] == "published"


def test_an_error_after_the_commit_is_reported_without_a_signal(
    rfm: Rfm, orders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(OutputFiles, "move", fail)
    ended = rfm("run", orders)
    assert (ended.code, ended.stderr.splitlines()[0]) == (
        4, "error: The result was published, but the output can't be written.",
    )  # fmt: skip


def test_a_signal_while_the_file_is_detached_after_the_commit_leaves_the_run_successful(
    rfm: Rfm, orders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert rfm("run", orders).code == 0
    attached = DuckDBDestination._attached

    @contextmanager
    def interrupted_at_the_end(
        destination: DuckDBDestination, file: Path, *, read_only: bool
    ) -> Iterator[None]:
        with attached(destination, file, read_only=read_only):
            yield
        if not read_only:
            send_signal()

    monkeypatch.setattr(DuckDBDestination, "_attached", interrupted_at_the_end)
    ended = rfm("run", orders)
    assert (ended.code, ended.stderr) == (0, "")
    assert [run["status"] for run in rfm("runs", "--json").json["runs"]] == ["published", "published"]


def test_a_signal_before_the_commit_reports_that_nothing_was_published(
    rfm: Rfm, chat: Chat, orders: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = contents(tmp_path)
    monkeypatch.setattr(OutputFiles, "write", send_signal)
    ended = rfm("run", orders)
    assert (ended.code, ended.stderr) == (130, "error: Stopped; nothing was published.\n")
    assert chat.message.startswith("rfm run was stopped; nothing was published.\n")
    assert contents(tmp_path) == before


def test_a_signal_while_the_result_is_printed_reports_it_as_kept(
    rfm: Rfm, orders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_result, "print_result", send_signal)
    ended = rfm("run", orders)
    assert (ended.code, ended.stderr) == (130, "error: Stopped; what was published before is kept.\n")
    # The signal does not affect the next command in this process.
    assert received_signals == []
    monkeypatch.setattr(OutputFiles, "write", send_signal)
    assert rfm("run", orders).stderr == "error: Stopped; nothing was published.\n"
