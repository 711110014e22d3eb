"""Start-up and help of the commands."""

from __future__ import annotations

import inspect
import json
import re
from importlib import import_module
from pathlib import Path
from typing import Annotated

import pytest
import typer

from rfm_pipeline import __version__
from rfm_pipeline.cli.help import COMMANDS, GROUPS
from support.cli import Rfm
from support.orders import ORDERS, run_python


@pytest.fixture
def orders(tmp_path: Path) -> Path:
    path = tmp_path / "orders.csv"
    path.write_text(ORDERS, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("words", "completions"),
    [("rfm ex", ["explain", "export"]), ("rfm run --pre", ["--preset"])],
)
def test_a_shell_completes_commands_and_options(words: str, completions: list[str]) -> None:
    position = str(len(words.split(" ")) - 1)
    done = run_python(
        "-m", "rfm_pipeline", _RFM_COMPLETE="complete_bash", COMP_WORDS=words, COMP_CWORD=position
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.split() == completions


def test_each_command_belongs_to_one_group_of_the_help(rfm: Rfm) -> None:
    assert sorted(name for names in GROUPS.values() for name in names) == sorted(COMMANDS)
    printed = rfm("--help").stdout
    positions = [printed.index(f"─ {title} ─") for title in GROUPS]
    assert positions == sorted(positions)


# Start-up

IMPORTED_MODULES = """
import json, sys
from rfm_pipeline.cli import main
try:
    main()
except SystemExit:
    print("\\n" + json.dumps(sorted(sys.modules)))
"""
ENGINES = {
    "duckdb",
    "_duckdb",
    "sqlglot",
    "pydantic",
    "fastexcel",
    "xlsxwriter",
    "rfm_pipeline.config.loader",
}


@pytest.mark.matrix
@pytest.mark.parametrize(
    ("arguments", "unwanted"),
    [
        (["--help"], ENGINES | {"msgspec", "typer", "rich"}),
        (["--version"], ENGINES | {"msgspec", "typer", "rich"}),
        *((([command, "--help"]), ENGINES) for command in COMMANDS),
        (["run", "--nonsense"], ENGINES),
        (["presets"], {"_duckdb", "fastexcel", "xlsxwriter"}),
        (["presets", "grid"], {"_duckdb", "fastexcel", "xlsxwriter"}),
        (["init"], {"_duckdb", "sqlglot", "fastexcel", "xlsxwriter"}),
        (["schedule", "cron", "--program", "/opt/rfm"], ENGINES | {"yaml"}),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_command_loads_only_what_it_needs(
    arguments: list[str], unwanted: set[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = run_python("-c", IMPORTED_MODULES, *arguments)
    loaded = set(json.loads(done.stdout.splitlines()[-1]))
    assert "rfm_pipeline.cli.main" in loaded
    assert unwanted & loaded == set()


def test_a_run_loads_no_optional_part(orders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(orders.parent)
    loaded = json.loads(run_python("-c", IMPORTED_MODULES, "run", str(orders)).stdout.splitlines()[-1])
    # Of DuckDB, only its C extension is imported.
    assert "_duckdb" in loaded
    absent = {"duckdb", "pydantic", "fastexcel", "xlsxwriter", "pandas", "polars", "pyarrow", "google.cloud"}
    assert not absent & set(loaded)


@pytest.mark.matrix
@pytest.mark.parametrize("arguments", [["--version"], ["run", "--help"], ["presets", "--json"]])
def test_python_dash_m_is_the_command(arguments: list[str], rfm: Rfm) -> None:
    done = run_python("-m", "rfm_pipeline", *arguments, COLUMNS="120")
    assert (done.returncode, done.stderr) == (0, "")
    plain = re.sub(r"\x1b\[[0-9;]*m", "", done.stdout)
    assert plain == re.sub(r"\x1b\[[0-9;]*m", "", rfm(*arguments).stdout)


def test_the_version_is_the_packages(rfm: Rfm) -> None:
    assert rfm("--version").stdout == f"rfm {__version__}\n"


def test_the_commands_are_these() -> None:
    assert sorted(COMMANDS) == [
        "backfill", "calibrate", "check", "compare", "demo", "evaluate", "explain", "export", "forget",
        "init", "load", "movers", "presets", "report", "rollback", "run", "runs", "schedule", "sql",
        "transitions",
    ]  # fmt: skip


@pytest.mark.matrix
@pytest.mark.parametrize("command", COMMANDS)
def test_a_commands_help_has_a_summary_and_examples(command: str, rfm: Rfm) -> None:
    ended = rfm(command, "--help")
    text = re.sub(r"\x1b\[[0-9;]*m", "", ended.stdout)
    assert (ended.code, ended.stderr) == (0, "")
    assert f"Usage: rfm {command} [OPTIONS]" in text
    function = getattr(import_module(f"rfm_pipeline.cli.commands.{command}"), command)
    summary = function.__doc__.splitlines()[0]
    assert re.fullmatch(r"[A-Z].{20,}\.", summary)
    # `rfm --help` prints the summary without importing the command.
    assert summary == COMMANDS[command]
    about, _, examples = text.partition("Examples:")
    assert summary in " ".join(about.split())
    assert re.search(rf"\n +rfm {command}\b", examples)
    assert rfm(command, "-h").stdout == ended.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_a_commands_help_prints_every_text_in_full(
    command: str, rfm: Rfm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "300")
    function = getattr(import_module(f"rfm_pipeline.cli.commands.{command}"), command)
    lines = re.sub(r"\x1b\[[0-9;]*m", "", rfm(command, "--help").stdout).splitlines()
    # As wide as `rfm --help`, however wide the terminal is.
    assert max(len(line.rstrip()) for line in lines) == 100
    printed = " ".join(re.sub(r"[│╭╮╰╯─]", "", " ".join(lines)).split())
    assert " ".join(function.__doc__.split()) in printed
    # An example is one line, which can be copied.
    examples = [line.strip() for line in function.__doc__.partition("Examples:")[2].splitlines()]
    assert set(examples) <= {line.strip() for line in lines}
    assert "--quiet -q" in printed
    options = [
        option.help
        for parameter in inspect.signature(function, eval_str=True).parameters.values()
        for option in getattr(parameter.annotation, "__metadata__", ())
    ]
    assert len(options) >= 2
    assert [text for text in options if " ".join(text.split()) not in printed] == []
    monkeypatch.setenv("COLUMNS", "80")
    # The ellipsis of a word that does not fit into its column.
    assert "…" not in rfm(command, "--help").stdout


def test_rich_markup_in_a_help_text_is_printed_literally(rfm: Rfm, monkeypatch: pytest.MonkeyPatch) -> None:
    def command(option: Annotated[str, typer.Option(help="In [read] and [Red].")] = "") -> None:
        """Read [scoring] and [/x]."""

    monkeypatch.setattr("rfm_pipeline.cli.commands.sql.sql", command)
    printed = rfm("sql", "--help").stdout
    assert "Read [scoring] and [/x]." in printed
    assert "In [read] and [Red]." in printed


def test_the_overview_lists_each_command_with_its_summary(rfm: Rfm) -> None:
    ended = rfm("--help")
    assert (ended.code, ended.stderr) == (0, "")
    text = re.sub(r"[│╭╮╰╯─\s]+", " ", ended.stdout)
    for command, summary in COMMANDS.items():
        assert f" {command} {summary} " in text
    for arguments in (["-h"], ["--help", "run"], ["--debug", "--help"]):
        assert rfm(*arguments).stdout == ended.stdout


@pytest.mark.parametrize("columns", [40, 80, 300])
def test_the_overview_fills_the_width_of_the_terminal(columns: int) -> None:
    lines = run_python("-m", "rfm_pipeline", "--help", COLUMNS=str(columns)).stdout.splitlines()
    frames = [line for line in lines if line.startswith(("╭", "│", "╰"))]
    assert {len(line) for line in frames} == {min(columns, 100)}
    assert max(map(len, lines)) == min(columns, 100)


@pytest.mark.parametrize(
    ("environ", "is_coloured"),
    [({}, False), ({"FORCE_COLOR": "1"}, True), ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, False)],
)
def test_the_overview_is_coloured_as_the_environment_asks(environ: dict[str, str], is_coloured: bool) -> None:
    assert ("\x1b[" in run_python("-m", "rfm_pipeline", "--help", **environ).stdout) is is_coloured


def test_without_a_command_the_overview_is_printed_and_the_exit_code_is_2(rfm: Rfm) -> None:
    ended = rfm()
    assert ended.code == 2
    assert "Usage: rfm" in re.sub(r"\x1b\[[0-9;]*m", "", ended.stdout)
    assert re.fullmatch(r"error: .+\nhint: .*`rfm demo`.*`rfm run orders.csv`.*\n", ended.stderr)
