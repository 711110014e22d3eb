"""Random sequences of operations on a destination, each followed by a comparison with the model."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from random import Random
from typing import Any, Protocol

import duckdb
import pytest

from support.cli import Outcome, Rfm
from support.databases import database
from support.destination_model import (
    COLUMNS,
    REFUSED_FROM,
    Observed,
    Options,
    Row,
    Steps,
    World,
    differences,
)
from support.fork_server import ForkServer, Running
from support.parquet_files import change_file, files_by_table

TABLES = {"current": "rfm_segments", "history": "rfm_segments_history", "runs": "rfm_segments_runs"}
RUN_COLUMNS = "run_id, kind, status, as_of_date, restored_run_id, history_from, customers"
# Few dates, so that operations meet: reruns, dates before the current one, dates that retention removes.
DAYS = tuple(date(2024, 1, number) for number in (8, 12, 13, 17, 20, 24, 30))
KILLED = -9
DIRECTED: Mapping[str, Sequence[str]] = {
    "a later date after a rollback": ("run 0", "run 2", "run 4", "rollback 0", "run 6", "rollback"),
    "a rollback of a rollback": ("run 0", "run 2", "run 4", "rollback", "rollback", "run 6"),
    "a date between after a rollback": ("run 0", "run 4", "rollback 0", "run 2", "run 6"),
    "a date that was rolled back, again": ("run 0", "run 4", "rollback", "run 4", "rollback", "run 6"),
    "a backfill after a rollback": ("run 1", "run 4", "rollback 1", "backfill 2 4", "run 6", "rollback 4"),
    "retention after a rollback": (
        "run 0",
        "run 3",
        "run 5",
        "rollback 3",
        "run-keep 4",
        "run 6",
        "rollback",
    ),
}
"""Sequences that show which dates are active: commands, each with the numbers of its dates in `DAYS`."""
CONFIG = """\
duckdb.temp_directory = "scratch"
duckdb.threads = 1
[columns]
{columns}
[audits]
excluded_share = "off"
mostly_excluded = "off"
largest_customer = "off"
rows_dropped = "off"
customers_dropped = "off"
duplicate_load = "off"
segment_shares = "off"
"""
REFUSING = f"""
[audits.queries]
too_late = "SELECT customer_id FROM segments WHERE as_of_date >= DATE '{REFUSED_FROM}'"
"""


class Site(Protocol):
    """A destination, the source of its runs, and a way to run `rfm` on them."""

    last_kill: int
    """Line, or request, at which the last kill takes place; the longest operations have about as many."""
    creates_tables_first: bool
    """Whether missing tables are created before the transaction that fills them."""
    has_views: bool
    """Whether the current result and the history are views over the tables `rows` and `dates`."""
    reports_alterations: bool
    """Whether the next command sees an `ALTER TABLE`; the emulator reports the former columns."""
    other_source: str
    """SOURCE argument of a source with other columns."""
    flags: Sequence[str]
    """Flags that name the destination."""

    def run(self, arguments: Sequence[str], environment: Mapping[str, str]) -> Outcome:
        """Run a command in this process."""

    def start(self, arguments: Sequence[str], environment: Mapping[str, str], kill_at: int = 0) -> Running:
        """Start a command in another process, which is killed at a line or a request."""

    def write_lines(self, lines: Sequence[Row]) -> None:
        """Write the source."""

    def source(self) -> str:
        """Return the SOURCE argument."""

    def table(self, name: str) -> str:
        """Return the SQL name of a published table."""

    def execute(self, statement: str) -> None:
        """Change the destination's tables by SQL of a user."""

    def observe(self) -> Observed:
        """Return what readers see."""

    def after_kill(self) -> None:
        """Wait until everything that the killed process started has ended, and drop its lease."""

    def leftovers(self, rejected: Sequence[str]) -> list[str]:
        """Return the names of all files or tables that no operation should leave.

        Args:
            rejected: Ids of the rejected runs, whose staging tables are kept for inspection.
        """


@dataclass(frozen=True)
class Operation:
    """A command, and what it does in the model.

    Attributes:
        arguments: Arguments of the command.
        environment: Environment variables of the command.
        steps: Starts the operation of the model, which changes a model of the destination.
    """

    arguments: Sequence[str]
    environment: Mapping[str, str]
    steps: Callable[[World], Steps]

    def outcomes(self, world: World) -> list[tuple[int, World]]:
        """Return each state in which a kill can leave the destination, and at last the state at the end."""
        working, states = world.copy(), [(KILLED, world.copy())]
        steps = self.steps(working)
        while True:
            try:
                next(steps)
            except StopIteration as ended:
                return [*states, (int(ended.value), working)]
            states.append((KILLED, working.copy()))


class Player:
    """Plays one sequence of operations.

    Args:
        site: The destination.
        seed: Seed of everything that is random.
    """

    def __init__(self, site: Site, seed: int) -> None:
        self.site, self.random = site, Random(seed)
        self.log = [f"seed {seed}"]
        self.tokens: dict[str, int] = {}
        self.leaves_orphans = False
        self._orders = 0
        # Lines before the first date, and on each later one, so that the dates have different results.
        lines = list(self._new_lines(DAYS[0] - timedelta(7), 14))
        for day in DAYS:
            lines += self._new_lines(day, 2)
        self.world = World(tuple(lines), has_views=site.has_views)
        site.write_lines(self.world.lines)

    def play(self, length: int) -> None:
        """Carry out operations, and compare the destination with the model after each of them."""
        choices: list[tuple[int, Callable[[], None]]] = [
            (12, self.one_command),
            (3, self.kill),
            (6, self.rollback_and_run),
            (2, self.two_at_once),
            (3, self.edit),
            (1, self.altered_table),
            (1, self.other_source),
            (3, self.more_lines),
        ]
        weights = [weight for weight, _ in choices]
        for _ in range(length):
            ((_, choice),) = self.random.choices(choices, weights)
            choice()

    def play_directed(self, steps: Sequence[str]) -> None:
        """Carry out the steps of a sequence of `DIRECTED`, each with a comparison as in `play`."""
        for step in steps:
            command, *numbers = step.split()
            days = [DAYS[int(number)] for number in numbers]
            if command == "rollback":
                self.one_command(self._rollback(self.world.active()[days[0]].token if days else None))
            else:
                keep = 12 if command == "run-keep" else None
                self.one_command(self._run(command.partition("-")[0], days[0], Options(keep=keep), days[1:]))

    # Operations

    def one_command(self, operation: Operation | None = None) -> None:
        operation = operation or self._operation()
        self._note("", operation)
        outcome = self.site.run(operation.arguments, operation.environment)
        self._compare(operation.outcomes(self.world)[-1:], outcome.code, outcome.stderr)
        if outcome.code == 0 and operation.arguments[0] in {"run", "calibrate"}:
            self.leaves_orphans = False
        if not self.leaves_orphans:
            tokens = {record.token for record in self.world.records or () if record.status == "rejected"}
            rejected = [run_id for run_id, token in self.tokens.items() if token in tokens]
            assert self.site.leftovers(rejected) == [], "\n".join(self.log)

    def rollback_and_run(self) -> None:
        """Roll back to an earlier date, then run as of a date after those that no longer count."""
        active = self.world.active()
        if len(active) < 2:
            self.one_command(self._run("backfill", self.random.choice(DAYS)))
            return
        *earlier, last = active
        self.one_command(self._rollback(active[self.random.choice(earlier)].token))
        self.one_command(self._run("run", last + timedelta(self.random.randrange(1, 8))))

    def kill(self) -> None:
        operation = self._operation()
        kill_at = self.random.randrange(1, self.site.last_kill)
        self._note(f"killed at {kill_at}: ", operation)
        code, stderr = self.site.start(operation.arguments, operation.environment, kill_at).wait()
        self.site.after_kill()
        self.leaves_orphans = True
        outcomes = operation.outcomes(self.world)
        if self.site.creates_tables_first:
            created = self.world.copy()
            created.create_tables()
            outcomes.insert(1, (KILLED, created))
        self._compare(outcomes if code == KILLED else outcomes[-1:], code, stderr)

    def two_at_once(self) -> None:
        """Start two commands; each ends as if it were alone, or exits 5 and changes nothing."""
        pair = [self._operation(single=True), self._operation(single=True)]
        for operation in pair:
            self._note("at once: ", operation)
        running = [self.site.start(operation.arguments, operation.environment) for operation in pair]
        ended = [process.wait() for process in running]
        codes = [code for code, _ in ended]
        candidates = []
        for first, second in ((0, 1), (1, 0)):
            one, world = self._or_held(pair[first], codes[first], self.world)
            other, world = self._or_held(pair[second], codes[second], world)
            if {first: one, second: other} == dict(enumerate(codes)):
                candidates.append((0, world))
        self.log.append(f"  codes {codes}")
        assert candidates, "\n".join([*self.log, *(stderr for _, stderr in ended)])
        assert codes != [5, 5], "\n".join(self.log)
        self._compare(candidates, 0, str(ended))

    def _or_held(self, operation: Operation, code: int, world: World) -> tuple[int, World]:
        return (5, world) if code == 5 else operation.outcomes(world)[-1]

    def edit(self) -> None:
        """Change the tables as a user with an SQL client would."""
        world = self.world.copy()
        kinds = (self._drop, self._delete_current, self._edit_history, self._delete_run)
        statement = self.random.choice(kinds)(world)
        if statement is None:
            return
        # Without its record, the staging tables of a rejected run are orphans.
        self.leaves_orphans = True
        self.log.append(f"by a user: {statement}")
        self.site.execute(statement)
        self._compare([(0, world)], 0, "")

    def _drop(self, world: World) -> str | None:
        if not (existing := world.tables()):
            return None
        name = self.random.choice(existing)
        world.drop(name)
        kind = "VIEW" if self.site.has_views and name != "runs" else "TABLE"
        return f"DROP {kind} {self.site.table(name)}"

    def _delete_current(self, world: World) -> str | None:
        if not world.current or self.site.has_views:
            return None
        limit = self.random.choice([*[row["customer_id"] for row in world.current], "z"])
        world.current = [row for row in world.current if row["customer_id"] >= limit]
        return f"DELETE FROM {self.site.table('current')} WHERE customer_id < '{limit}'"

    def _edit_history(self, world: World) -> str | None:
        if not world.history:
            return None
        day = self.random.choice(sorted(world.history))
        rows = world.history[day]
        table = self.site.table("rows" if self.site.has_views else "history")
        if not rows:
            return None
        limit = self.random.choice([*[row["customer_id"] for row in rows], "z"])
        where = f"WHERE as_of_date = DATE '{day}'"
        if self.random.random() < 0.5:
            world.history[day] = [row for row in rows if row["customer_id"] >= limit]
            if not world.history[day]:
                del world.history[day]
            self._read_current_again(world)
            return f"DELETE FROM {table} {where} AND customer_id < '{limit}'"
        world.history[day] = [
            {**row, "segment": "Lost"} if row["customer_id"] == limit else row for row in rows
        ]
        self._read_current_again(world)
        return f"UPDATE {table} SET segment = 'Lost' {where} AND customer_id = '{limit}'"

    def _read_current_again(self, world: World) -> None:
        """Let the current result be the history's rows of its date, if both are views."""
        if self.site.has_views and world.current is not None and world.current_date is not None:
            assert world.history is not None
            world.current = world.history.get(world.current_date, [])

    def _delete_run(self, world: World) -> str | None:
        if not world.records:
            return None
        record = self.random.choice(world.records)
        world.records.remove(record)
        ids = {token: run_id for run_id, token in self.tokens.items()}
        return f"DELETE FROM {self.site.table('runs')} WHERE run_id = '{ids[record.token]}'"

    def altered_table(self) -> None:
        """A table with a column more is refused by each command, and accepted without it."""
        existing = self.world.tables()
        if not existing or not self.site.reports_alterations:
            return
        altered = ["rows", "dates", "runs"] if self.site.has_views else existing
        table = self.site.table(
            self.random.choice([name for name in altered if name != "runs" or name in existing])
        )
        operation = self._operation()
        self._note(f"{table} has a column more: ", operation)
        self.site.execute(f"ALTER TABLE {table} ADD COLUMN note INTEGER")
        outcome = self.site.run(operation.arguments, operation.environment)
        self.site.execute(f"ALTER TABLE {table} DROP COLUMN note")
        self._compare([(2, self.world.copy())], outcome.code, outcome.stderr)

    def other_source(self) -> None:
        """A source with other columns is refused where the destination has a result on record."""
        if self.world.as_of not in self.world.active():
            return
        self.log.append("another source")
        arguments = ["run", self.site.other_source, *self.site.flags, "--as-of", str(DAYS[-1])]
        outcome = self.site.run(arguments, {})
        self._compare([(2, self.world.copy())], outcome.code, outcome.stderr)

    def more_lines(self) -> None:
        first = self.random.choice(DAYS)
        self.world.lines += tuple(self._new_lines(first - timedelta(4), self.random.randrange(1, 6)))
        self.log.append(f"the source has {len(self.world.lines)} lines")
        self.site.write_lines(self.world.lines)

    # Parts

    def _operation(self, *, single: bool = False) -> Operation:
        kinds = ("run", "rollback", "calibrate") if single else ("run", "rollback", "calibrate", "backfill")
        (kind,) = self.random.choices(kinds, (8, 4, 2, 2)[: len(kinds)])
        if kind == "rollback":
            return self._rollback(self.random.choice([None, None, *self.tokens.values()]))
        return self._run(kind, self.random.choice(DAYS))

    def _run(
        self, kind: str, first: date, options: Options | None = None, until: Sequence[date] = ()
    ) -> Operation:
        """Return a run, a calibration, or a backfill of two or three weeks.

        Args:
            kind: `run`, `calibrate` or `backfill`.
            first: The as-of date, or the first one of a backfill.
            options: Settings; drawn if None.
            until: The last date of a backfill; drawn if empty.
        """
        count = 1
        if kind == "backfill":
            count = (until[0] - first).days // 7 + 1 if until else self.random.randrange(2, 4)
        days = [first + timedelta(7 * number) for number in range(count)]
        options = options or self._options()
        dates = ["--as-of", str(days[0])]
        if kind == "backfill":
            dates = ["--from", str(days[0]), "--until", str(days[-1]), "--every", "week"]
        if kind == "calibrate":
            arguments = ["calibrate", self.site.source(), *self.site.flags, *dates]
            options = Options(options.preset, keep=options.keep, refusing=options.refusing)
        else:
            arguments = [kind, self.site.source(), *self.site.flags, *dates]

        def steps(world: World) -> Steps:
            if kind == "backfill":
                return world.backfill(days, options)
            return world.run({"calibrate": "calibration"}.get(kind, kind), days[0], options)

        return Operation([*arguments, *options.arguments()], options.environment(), steps)

    def _rollback(self, token: int | None) -> Operation:
        """Return a rollback to the run with this number; None for the date before the current one."""
        ids = {token: run_id for run_id, token in self.tokens.items()}
        named = [] if token is None else [ids[token]]
        return Operation(["rollback", *named, *self.site.flags], {}, lambda world: world.rollback(token))

    def _options(self) -> Options:
        return Options(
            preset=self.random.choice(["classic", "classic", "grid"]),
            freeze=self.random.random() < 0.15,
            keep=self.random.choice([None, None, None, 5, 12]),
            refusing=self.random.random() < 0.12,
        )

    def _new_lines(self, first: date, count: int) -> Iterator[Row]:
        for _ in range(count):
            self._orders += 1
            day = first + timedelta(self.random.randrange(8))
            customer = f"c{self.random.randrange(12):02}"
            amount = f"{self.random.randrange(100, 5000) / 100:.2f}"
            values = (customer, f"o{self._orders}", day.isoformat(), amount)
            yield dict(zip(COLUMNS, values, strict=True))

    def _note(self, how: str, operation: Operation) -> None:
        variables = " ".join(f"{name}={value!r}" for name, value in operation.environment.items())
        self.log.append(f"{how}{variables} rfm {' '.join(operation.arguments)}")

    def _compare(self, outcomes: Sequence[tuple[int, World]], code: int, stderr: str) -> None:
        """Assert that the destination is in one of the states, and go on from that state."""
        observed = self.site.observe()
        found: list[str] = []
        for expected_code, world in outcomes:
            if expected_code != code:
                found.append(f"exit code {code}, expected {expected_code}: {stderr}")
                continue
            tokens = dict(self.tokens)
            if not (differs := differences(world, observed, tokens)):
                self.world, self.tokens = world, tokens
                return
            found += differs
        pytest.fail("\n".join([*self.log, stderr, *found]))


def write_files(folder: Path) -> None:
    """Write the configuration, one that refuses late dates, and a source of other columns."""
    columns = "\n".join(f'{name} = "{name}"' for name in COLUMNS)
    config = CONFIG.format(columns=columns)
    (folder / "rfm.toml").write_text(config, encoding="utf-8")
    (folder / "refusing.toml").write_text(f"{config}{REFUSING}", encoding="utf-8")
    other = "".join(f"c{number:02},{number},2024-01-0{number},7\n" for number in range(1, 9))
    (folder / "other.csv").write_text(
        f"customer_id,order_id,ordered_at,price_paid\n{other}", encoding="utf-8"
    )
    (folder / "scratch").mkdir()


@dataclass
class DuckDBSite:
    """A DuckDB file in a folder, with a CSV file as the source.

    Attributes:
        folder: The folder.
        rfm: Runs a command in this process.
        server: Starts a command in another process.
        patch: Sets environment variables.
    """

    folder: Path
    rfm: Rfm
    server: ForkServer
    patch: pytest.MonkeyPatch
    last_kill: int = 1_000
    creates_tables_first: bool = False
    has_views: bool = True
    reports_alterations: bool = True
    other_source: str = "other.csv"
    flags: Sequence[str] = ()

    def __post_init__(self) -> None:
        self.patch.chdir(self.folder)
        write_files(self.folder)

    def source(self) -> str:
        return "orders.csv"

    def table(self, name: str) -> str:
        return TABLES.get(name, f"rfm_segments_{name}")

    def run(self, arguments: Sequence[str], environment: Mapping[str, str]) -> Outcome:
        with self.patch.context() as patched:
            for name, value in environment.items():
                patched.setenv(name, value)
            return self.rfm(*arguments)

    def start(self, arguments: Sequence[str], environment: Mapping[str, str], kill_at: int = 0) -> Running:
        return self.server.start(arguments, self.folder, environment, kill_at)

    def write_lines(self, lines: Sequence[Row]) -> None:
        text = "\n".join([",".join(COLUMNS), *(",".join(line.values()) for line in lines)])
        (self.folder / "orders.csv").write_text(text, encoding="utf-8")

    def execute(self, statement: str) -> None:
        with database(self.folder / "rfm.duckdb", read_only=False) as connection:
            connection.execute(statement)

    def observe(self) -> Observed:
        file = self.folder / "rfm.duckdb"
        if not file.exists():
            return Observed(None, None, None)
        with database(file) as connection:
            tables = {
                name
                for (name,) in connection.execute(
                    "SELECT table_name FROM information_schema.tables"
                ).fetchall()
            }

            def rows(select: str) -> list[dict[str, Any]]:
                cursor = connection.execute(select)
                names = [column[0] for column in cursor.description]
                return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

            return observe_tables(tables, rows, TABLES)

    def after_kill(self) -> None:
        pass

    def leftovers(self, rejected: Sequence[str]) -> list[str]:
        expected = {"orders.csv", "other.csv", "rfm.toml", "refusing.toml", "rfm.duckdb", "scratch"}
        names = {path.relative_to(self.folder).as_posix() for path in self.folder.rglob("*")}
        return sorted(name for name in names - expected if ".rejected-" not in name)


def observe_tables(
    tables: set[str], rows: Callable[[str], list[dict[str, Any]]], names: Mapping[str, str]
) -> Observed:
    """Read the published tables.

    Args:
        tables: Names of the tables that exist.
        rows: Function that returns the rows of a SELECT.
        names: SQL names of the published tables.
    """
    current = records = None
    history: dict[date, list[Row]] | None = None
    if TABLES["current"] in tables:
        current = sorted(rows(f"SELECT * FROM {names['current']}"), key=lambda row: row["customer_id"])
    if TABLES["history"] in tables:
        history = {}
        for row in sorted(rows(f"SELECT * FROM {names['history']}"), key=lambda row: row["customer_id"]):
            history.setdefault(row["as_of_date"], []).append(row)
    if TABLES["runs"] in tables:
        select = f"SELECT {RUN_COLUMNS} FROM {names['runs']} ORDER BY finished_at, run_id"
        records = [tuple(row.values()) for row in rows(select)]
    return Observed(current, history, records)


@dataclass
class ParquetSite(DuckDBSite):
    """Parquet files in a folder, with a CSV file as the source.

    A user's statement replaces the file whose rows it changes, so that the current result and the history
    are files of their own afterwards.
    """

    has_views: bool = False
    reports_alterations: bool = False
    flags: Sequence[str] = ("--to", "rfm.parquet")

    def execute(self, statement: str) -> None:
        table = next(name for name in sorted(TABLES.values(), reverse=True) if name in statement)
        for file in files_by_table(self.folder / "rfm.parquet")[table]:
            change_file(file, statement.replace(table, "rows"))

    def observe(self) -> Observed:
        files = files_by_table(self.folder / "rfm.parquet")
        if not files[TABLES["runs"]]:
            return Observed(None, None, None)
        with closing(duckdb.connect()) as connection:
            for table, paths in files.items():
                rows_of_files = f"read_parquet({[str(path) for path in paths]})"
                nothing = "(SELECT NULL AS customer_id, NULL AS as_of_date WHERE FALSE)"
                connection.execute(f"CREATE VIEW {table} AS FROM {rows_of_files if paths else nothing}")

            def rows(select: str) -> list[dict[str, Any]]:
                cursor = connection.execute(select)
                names = [column[0] for column in cursor.description]
                return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

            return observe_tables(set(TABLES.values()), rows, TABLES)

    def leftovers(self, rejected: Sequence[str]) -> list[str]:
        own = re.compile(r"rfm\.parquet|rfm_history(/[\d-]+\.parquet)?|rfm_runs(/runs\.parquet)?")
        return [name for name in super().leftovers(rejected) if not own.fullmatch(name)]


class ParquetPlayer(Player):
    """A player whose user drops no table: a file that is gone is another state than a table without rows."""

    def _drop(self, world: World) -> str | None:
        return None
