"""A BigQuery dataset as the site of random sequences of operations."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from support.bigquery_proxy import Proxy, Request, Response
from support.bigquery_shop import Shop
from support.cli import Outcome, Rfm
from support.destination_model import COLUMNS, Observed, Row
from support.destination_sequences import TABLES, observe_tables, write_files
from support.fork_server import ForkServer, Running

LEASE = "rfm_segments__lease"


@dataclass
class BigQuerySite:
    """A dataset of BigQuery, with a table of it as the source.

    Attributes:
        folder: Working directory of the commands.
        shop: The dataset.
        proxy: The proxy in front of the emulator.
        rfm: Runs a command in this process.
        server: Starts a command in another process.
        patch: Sets environment variables.
    """

    folder: Path
    shop: Shop
    proxy: Proxy
    rfm: Rfm
    server: ForkServer
    patch: pytest.MonkeyPatch
    last_kill: int = 60
    creates_tables_first: bool = True
    has_views: bool = False
    reports_alterations: bool = False

    def __post_init__(self) -> None:
        self.patch.chdir(self.folder)
        write_files(self.folder)
        self.flags: Sequence[str] = ("--to", self.shop.destination)
        self.other_source = self.shop.create_table(
            "other",
            "SELECT 'c01' AS customer_id, '1' AS order_id, '2024-01-08' AS ordered_at, 7 AS price_paid",
        )
        self._is_idle = threading.Condition()
        self._pending = 0
        respond = self.proxy.respond

        def respond_and_count(request: Request) -> Response:
            try:
                return respond(request)
            finally:
                with self._is_idle:
                    self._pending -= 1
                    self._is_idle.notify_all()

        self.proxy.respond = respond_and_count  # type: ignore[method-assign]
        self.proxy.on_request = lambda _: self._count_pending()

    def source(self) -> str:
        return self.shop.source()

    def table(self, name: str) -> str:
        return self.shop.name(TABLES[name])

    def run(self, arguments: Sequence[str], environment: Mapping[str, str]) -> Outcome:
        with self.patch.context() as patched:
            for name, value in environment.items():
                patched.setenv(name, value)
            return self.rfm(*arguments)

    def start(self, arguments: Sequence[str], environment: Mapping[str, str], kill_at: int = 0) -> Running:
        self.proxy.requests.clear()
        processes: list[Running] = []
        is_started = threading.Event()

        def kill(_: Request) -> None:
            self._count_pending()
            if len(self.proxy.requests) == kill_at and is_started.wait(60):
                processes[0].kill()

        self.proxy.on_request = kill
        variables = {**environment, "BIGQUERY_EMULATOR_HOST": self.proxy.address}
        processes.append(self.server.start(arguments, self.folder, variables))
        is_started.set()
        return processes[0]

    def write_lines(self, lines: Sequence[Row]) -> None:
        selects = [
            "SELECT "
            + ", ".join(f"'{line[name]}' AS {name}" for name in COLUMNS[:-1])
            + f", NUMERIC '{line['amount']}' AS amount"
            for line in lines
        ]
        self.shop.create_table(select="\nUNION ALL ".join(selects))

    def execute(self, statement: str) -> None:
        self.shop.execute(statement)

    def observe(self) -> Observed:
        names = {name: self.table(name) for name in TABLES}
        return observe_tables(set(self.shop.tables()), self._rows, names)

    def after_kill(self) -> None:
        self.proxy.on_request = lambda _: self._count_pending()
        with self._is_idle:
            assert self._is_idle.wait_for(lambda: not self._pending, 60)
        if LEASE in self.shop.tables():
            # BigQuery would drop the table at its expiry.
            self.shop.execute(f"DROP TABLE {self.shop.name(LEASE)}")

    def leftovers(self, rejected: Sequence[str]) -> list[str]:
        kept = tuple(f"rfm_segments__{run_id.replace('-', '_')}__" for run_id in rejected)
        expected = {"orders", "other", *TABLES.values()}
        return [name for name in self.shop.tables() if name not in expected and not name.startswith(kept)]

    def _count_pending(self) -> None:
        with self._is_idle:
            self._pending += 1

    def _rows(self, select: str) -> list[dict[str, Any]]:
        rows = self.shop.execute(select)
        for row in rows:
            # The client reads an instant with its time zone.
            row.update(
                {name: value.replace(tzinfo=None) for name, value in row.items() if hasattr(value, "tzinfo")}
            )
        return rows
