"""What the documents say is so: commands, flags, figures, exit codes, reasons and links."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import tomllib
from collections.abc import Iterator
from importlib import import_module
from inspect import getdoc
from pathlib import Path
from typing import Any

import duckdb
import pytest
import typer

from rfm_pipeline import __version__, errors
from rfm_pipeline.cli.help import COMMANDS
from rfm_pipeline.config import presets
from rfm_pipeline.config.base import field_types
from rfm_pipeline.config.engines import BigQuerySettings
from rfm_pipeline.config.loader import Configuration, load
from rfm_pipeline.config.notifications import NotifySettings
from rfm_pipeline.config.settings import BUILT_IN_REASONS
from rfm_pipeline.notifications.message import RunContext, failure
from rfm_pipeline.warehouse.bigquery.errors import ROLES
from support.cli import Rfm
from support.markdown import README, blocks
from support.paths import ROOT

CHANGELOG = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
BIGQUERY = (ROOT / "docs" / "guides" / "bigquery.md").read_text(encoding="utf-8")
MONITORING = (ROOT / "docs" / "guides" / "monitoring.md").read_text(encoding="utf-8")
DOCUMENTS = [
    "README.md",
    "docs/contributing/architecture.md",
    "CHANGELOG.md",
    "docs/guides/bigquery.md",
    "docs/guides/monitoring.md",
    "docs/guides/bi.md",
    "docs/guides/report.md",
    "docs/contributing/performance.md",
    "benchmarks/README.md",
]


def the_command(name: str) -> Any:
    """A command as typer reads its arguments."""
    function = getattr(import_module(f"rfm_pipeline.cli.commands.{name}"), name)
    alone = typer.Typer(add_completion=False)
    alone.command(name)(function)
    return typer.main.get_command(alone)


def command_lines(text: str) -> Iterator[list[str]]:
    """Every call of `rfm` in some lines of shell: its arguments."""
    for line in text.splitlines():
        words = shlex.split(line, comments=True)
        while "rfm" in words:
            words = words[words.index("rfm") + 1 :]
            ends = [words.index(end) for end in ("|", ">", "&&") if end in words]
            yield words[: min(ends, default=len(words))]


def read(arguments: list[str]) -> None:
    """Lets typer read arguments, and run nothing; an option that is not there is an error."""
    command, *rest = arguments
    assert command in COMMANDS, f"there is no `rfm {command}`"
    the_command(command).make_context(f"rfm {command}", rest)


def flags(name: str) -> set[str]:
    return {option for parameter in the_command(name).params for option in parameter.opts}


# The readme


SHELL = [arguments for block in blocks("sh") for arguments in command_lines(block)]


def test_the_readme_shows_commands() -> None:
    assert len(SHELL) >= 7
    assert ["run", "-", "--json"] in SHELL


@pytest.mark.parametrize("arguments", SHELL, ids=" ".join)
def test_a_command_in_the_readme_is_one(arguments: list[str]) -> None:
    read(arguments)


@pytest.mark.parametrize("command", COMMANDS)
def test_an_example_in_the_help_is_a_command(command: str) -> None:
    function = getattr(import_module(f"rfm_pipeline.cli.commands.{command}"), command)
    examples = list(command_lines((getdoc(function) or "").partition("Examples:")[2]))
    assert examples
    assert all(arguments[0] == command for arguments in examples)
    for arguments in examples:
        read(arguments)


def test_the_checks_above_would_see_an_option_that_is_not_there() -> None:
    with pytest.raises(Exception, match="No such option: --bogus"):
        read(["run", "orders.csv", "--bogus"])
    with pytest.raises(AssertionError, match="there is no `rfm forecast`"):
        read(["forecast"])


def test_the_readmes_table_has_every_command() -> None:
    listed = re.findall(r"^\| `rfm (\w+)[^`]*` \|", README, re.MULTILINE)
    assert sorted(listed) == sorted(COMMANDS)


def test_a_flag_that_the_readme_mentions_is_one() -> None:
    mentioned = set(re.findall(r"`(--[a-z][a-z-]+)", README))
    assert mentioned >= {"--output", "--bins", "--returns"}
    assert mentioned <= {flag for command in COMMANDS for flag in flags(command)}


def test_the_readmes_configuration_is_valid() -> None:
    block, audits = blocks("toml")
    settings = Configuration(file=tomllib.loads(f"{block}\n{audits}")).settings
    assert (settings.timezone, str(settings.window)) == ("Europe/London", "24 months")
    assert set(settings.exclude) == {"test_orders", "wholesale"}
    assert (str(settings.audits.max_age.limit), set(settings.audits.custom)) == ("3 days", {"too_rich"})


def test_the_environment_variables_in_the_readme_are_settings() -> None:
    names = set(re.findall(r"`(RFM_[A-Z_]+)`", README))
    assert "RFM_SCORING__BINS" in names
    values = dict.fromkeys(names, "5")
    settings = load({"preset": ["grid"]}, environ=values, folder=Path("/nonexistent")).settings
    assert (str(settings.source), settings.scoring.bins) == ("5", 5)


def test_the_readme_names_every_reason_in_its_order() -> None:
    counts = README.partition("## What counts")[2].partition("##")[0]
    mentioned = [name for name in re.findall(r"`(\w+)`", counts) if name in BUILT_IN_REASONS]
    assert mentioned == list(BUILT_IN_REASONS)


def test_presets_that_documents_name_are_there() -> None:
    for document in DOCUMENTS:
        text = (ROOT / document).read_text(encoding="utf-8")
        named = re.findall(r"(?:--preset|rfm presets) ([a-z][a-z-]+)", text)
        assert set(named) <= set(presets.names()), document
    for name in presets.names():
        assert f"`{name}`" in CHANGELOG


def test_the_readmes_example_is_what_a_run_prints(rfm: Rfm, online_retail: Path, tmp_path: Path) -> None:
    (shown,) = (block for block in blocks("text") if block.startswith("orders export.csv"))
    with duckdb.connect() as connection:
        connection.execute(
            f"COPY (FROM read_parquet('{online_retail}')) TO '{tmp_path}/orders export.csv' (HEADER)"
        )
    ended = rfm("run", "orders export.csv")
    printed = [line.rstrip() for line in ended.stdout.splitlines()]
    before, after = shown.split("\n...\n")
    assert printed[: len(before.splitlines())] == before.splitlines()
    assert after.splitlines() == [line for line in printed if line.startswith("Published")]


@pytest.mark.parametrize("document", DOCUMENTS)
def test_a_link_between_documents_leads_somewhere(document: str) -> None:
    text = (ROOT / document).read_text(encoding="utf-8")
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", text):
        assert ((ROOT / document).parent / target).exists(), target


def test_a_file_that_a_document_names_is_there() -> None:
    text = (ROOT / "docs/contributing/architecture.md").read_text(encoding="utf-8")
    for target in re.findall(r"`((?:tests|src|docs|benchmarks)/[^`]+)`", text):
        assert (ROOT / target).exists(), target


def test_make_targets_that_the_readme_names_are_there() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = re.findall(r"^make (\w+)", "\n".join(blocks("sh")), re.MULTILINE)
    assert {"demo", "test"} <= set(targets)
    assert all(re.search(rf"^{target}:", makefile, re.MULTILINE) for target in targets)


# BigQuery


def test_a_command_in_the_page_on_bigquery_is_one() -> None:
    lines = [line for block in blocks("sh", BIGQUERY) for line in block.splitlines() if line[:4] == "rfm "]
    asked = list(command_lines("\n".join(lines)))
    assert {arguments[0] for arguments in asked} == {"check", "run", "load"}
    for arguments in asked:
        read(arguments)
    (job,) = re.findall(r"--args (\S+)", BIGQUERY)
    read(job.split(","))


def test_the_settings_on_the_page_on_bigquery_are_all_there_are() -> None:
    (block,) = blocks("toml", BIGQUERY)
    given = tomllib.loads(block)
    assert set(given["bigquery"]) == set(field_types(BigQuerySettings))
    settings = Configuration(file=given).settings.bigquery
    assert (settings.byte_limit, settings.project) == (200 * 10**9, "shop-jobs")
    assert "RFM_BIGQUERY__IMPERSONATE" in BIGQUERY


def test_the_roles_on_the_page_on_bigquery_are_those_that_errors_name() -> None:
    named = {role.split()[0] for role in ROLES.values()}
    assert named == set(re.findall(r"^\| `(roles/\S+)` \|", BIGQUERY, re.MULTILINE))
    codes = {int(code) for code in re.findall(r"^\| (\d) \|", BIGQUERY, re.MULTILINE)}
    assert codes <= {code_of(kind) for _, kind in tree()}


# Monitoring


def test_the_settings_on_the_page_on_monitoring_are_all_there_are() -> None:
    (block,) = blocks("toml", MONITORING)
    given = tomllib.loads(block)
    assert set(given["notify"]) == set(field_types(NotifySettings))
    assert Configuration(file=given).settings.notify.on == NotifySettings().on
    for line in re.findall(r"^rfm .+$", "\n".join(blocks("sh", MONITORING)), re.MULTILINE):
        read(shlex.split(line)[1:])


def test_the_message_on_the_page_is_what_is_said(rfm: Rfm) -> None:
    (shown,) = blocks("text", MONITORING)
    about = RunContext("run", "orders.csv", "duckdb:rfm.duckdb", "latest", "20251231T053000-1f9c3a")
    sentence, hint = re.findall(r"^(?:error|hint): (.+)$", rfm("run", "orders.csv").stderr, re.MULTILINE)
    assert shown == failure(errors.UsageError(sentence, hint), about) + "\n"


def test_the_events_on_the_page_are_those_that_are_written() -> None:
    rows = re.findall(r"^\| `(\w+)` \| ([A-Z, ]+) \| .+? \| (.*)\|$", MONITORING, re.MULTILINE)
    sources = [
        (ROOT / "src" / "rfm_pipeline" / name).read_text(encoding="utf-8")
        for name in ("cli/json_log.py", "warehouse/bigquery/jobs.py", "warehouse/bigquery/retry.py")
    ]
    told = "".join(sources)
    written = set(re.findall(r'"event": "(\w+)"', told))
    written |= set(re.findall(r'_write\(\s*(?:"[A-Z]+"|severity),\s*"(\w+)"', told))
    assert {event for event, _, _ in rows} == written
    for _, _, also in rows:
        for name in re.findall(r"`(\w+)`", also):
            assert re.search(rf'\b{name}=|"{name}"', told), name
    (example,) = blocks("json", MONITORING)
    assert list(json.loads(example))[:6] == ["time", "severity", "message", "event", "run_id", "elapsed_s"]


def test_the_exit_codes_on_the_page_on_monitoring_are_all_there_are() -> None:
    codes = [int(code) for code in re.findall(r"^\| (\d+) \|", MONITORING, re.MULTILINE)]
    assert codes == [*sorted({0, 1} | {code_of(kind) for _, kind in tree()}), 130]


# Exit codes


def tree(root: type[BaseException] = errors.RfmError) -> Iterator[tuple[int, type[BaseException]]]:
    for kind in root.__subclasses__():
        yield 1, kind
        yield from ((depth + 1, below) for depth, below in tree(kind))


def code_of(kind: type[BaseException]) -> int:
    assert issubclass(kind, errors.RfmError)
    return kind.exit_code


def test_the_readmes_exit_codes_are_those_of_the_errors(rfm: Rfm) -> None:
    table = README.partition("## Exit codes")[2].partition("##")[0]
    listed = {int(code): text for code, text in re.findall(r"^\| (\d) \| (.+?) \|$", table, re.MULTILINE)}
    assert set(listed) == {0, 1} | {code_of(kind) for _, kind in tree()}
    help_text = " ".join(re.sub(r"\x1b\[[0-9;]*m", "", rfm("--help").stdout).split())
    told = help_text.partition("Exit codes: ")[2].rstrip(".")
    assert [int(part.split()[0]) for part in told.split(", ")] == sorted(listed)


def test_the_drawing_of_the_errors_is_their_tree() -> None:
    drawn = [
        (len(indent) // 4, name, int(code))
        for indent, name, code in re.findall(
            r"^([ │├└─]+)(\w+Error) +(\d) ", errors.__doc__ or "", re.MULTILINE
        )
    ]
    first = min(depth for depth, _, _ in drawn)
    assert [(depth - first + 1, name, code) for depth, name, code in drawn] == [
        (depth, kind.__name__, code_of(kind)) for depth, kind in tree() if kind.__module__ == errors.__name__
    ]


def test_every_error_ends_in_error_and_says_what_it_is_for() -> None:
    for _, kind in tree():
        assert kind.__name__.endswith("Error")
        assert (kind.__doc__ or "").strip().endswith(".")


# Versions


def test_the_package_and_its_project_file_have_one_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["version"] == __version__


def test_the_changelog_begins_with_what_is_to_come_or_this_version() -> None:
    headings = re.findall(r"^## \[([^\]]+)\](?: - (\d{4}-\d{2}-\d{2}))?$", CHANGELOG, re.MULTILINE)
    assert headings
    released = [(version, day) for version, day in headings if version != "Unreleased"]
    assert headings[0][0] in ("Unreleased", __version__)
    assert all(day for _, day in released), "a released version has a date"
    if released:
        assert released[0][0] == __version__
    else:
        assert (__version__, "The first release" in CHANGELOG) == ("0.1.0", True)


def test_a_command_that_the_changelog_names_is_one() -> None:
    named = re.findall(r"`rfm (\w+)", CHANGELOG)
    assert set(named) == set(COMMANDS)


# Performance


def measured(work: str) -> Any:
    return json.loads((ROOT / "benchmarks" / "results" / f"{work}.json").read_text(encoding="utf-8"))


def test_the_figures_on_the_page_on_performance_are_those_that_were_measured() -> None:
    changed = subprocess.run(
        ["git", "diff", "--quiet", "HEAD", "--", "benchmarks/results"], cwd=ROOT, check=False
    )
    if changed.returncode == 1:
        pytest.skip("this machine's figures stand in benchmarks/results, and the page tells of another's")
    rows = [
        [cell.strip(" *`") for cell in line.strip("|").split("|")]
        for line in (ROOT / "docs" / "contributing" / "performance.md").read_text(encoding="utf-8").splitlines()
        if line.startswith("|")
    ]
    ten, contenders = measured("10m"), measured("10m")["contenders"]
    for name, begins in {
        "floor": "the floor:", "polars": "Polars", "usual": "DuckDB, the usual", "rfm": "rfm run",
        "pandas": "pandas", "pymc-marketing": "pymc-marketing",
    }.items():  # fmt: skip
        (row,) = [row for row in rows if row[0].startswith(begins)]
        beside = ten["ratios"][f"{name}/rfm"] if name != "rfm" else 1.0
        assert float(row[1]) == pytest.approx(contenders[name]["wall_s"], abs=0.051)
        assert float(row[2]) == pytest.approx(beside, abs=0.051)
    for work, begins in {
        "real": "541,909", "1m": "1 million", "wholesale": "10 million lines, 21", "10m": "10 million, two",
        "csv": "the same as CSV", "100m": "100 million", "1b": "1 billion",
    }.items():  # fmt: skip
        found = measured(work)
        (row,) = [row for row in rows if row[0].startswith(begins.replace(" lines", ""))]
        took = found["contenders"]["rfm"]
        digits = 0.51 if took["wall_s"] > 10 else 0.051
        assert float(row[2].removesuffix(" s")) == pytest.approx(took["wall_s"], abs=digits)
        assert float(row[3].removesuffix(" GB")) == pytest.approx(took["peak_mb"] / 1000, abs=0.051)
    for work in ("real", "wholesale", "1m", "10m", "csv", "100m"):
        (row,) = [row for row in rows if row[0] == work]
        ratios = measured(work)["ratios"]
        shown = [ratios["stored/floor"], ratios["rfm/floor"], ratios["rfm/stored"]]
        assert [float(cell) for cell in row[1:]] == pytest.approx(shown, abs=0.0051)
    scans, after = zip(*(scan_and_after(work) for work in ("1b", "100m")), strict=True)
    grew = [(scans[0] + after[0]) / (scans[1] + after[1]), scans[0] / scans[1], after[0] / after[1]]
    page = " ".join((ROOT / "docs" / "contributing" / "performance.md").read_text(encoding="utf-8").split())
    numbers = r"([\d.]+) times"
    beyond = re.search(
        f"took {numbers} as long a line as .*?: the scan {numbers},.*? follows {numbers}", page
    )
    assert beyond is not None
    assert [float(shown) for shown in beyond.groups()] == pytest.approx([one / 10 for one in grew], abs=0.051)


def scan_and_after(work: str) -> tuple[float, float]:
    """The seconds of the step that reads the lines, and of those that follow it."""
    steps = {name: step["seconds"] for name, step in measured(work)["steps"].items()}
    begun = list(steps).index("Reading, cleaning and measuring")
    scan, *after = list(steps.values())[begun:]
    return scan, sum(after)
