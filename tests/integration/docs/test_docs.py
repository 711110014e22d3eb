"""The documentation agrees with the code: commands, flags, figures, exit codes, reasons and links."""

from __future__ import annotations

import json
import re
import shlex
import tomllib
from collections import defaultdict
from collections.abc import Iterator
from decimal import Decimal
from functools import cache
from importlib import import_module
from inspect import getdoc
from pathlib import Path
from typing import Any

import pytest
import typer

from rfm_pipeline import __version__, errors
from rfm_pipeline.cli.help import COMMANDS
from rfm_pipeline.config import presets
from rfm_pipeline.config.base import field_types
from rfm_pipeline.config.engines import BigQuerySettings
from rfm_pipeline.config.loader import NO_PRESET, Configuration, load_configuration
from rfm_pipeline.config.notifications import NotifySettings
from rfm_pipeline.config.settings import BUILT_IN_REASONS
from rfm_pipeline.notifications.message import RunContext, failure_message
from rfm_pipeline.warehouse.bigquery.errors import FINE_GRAINED_READER, ROLES_BY_PERMISSION
from support.cli import Rfm
from support.databases import empty_database
from support.markdown import README, blocks
from support.paths import ROOT
from support.reference import effective_edges, segment_of

CHANGELOG = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
BIGQUERY = (ROOT / "docs" / "guides" / "bigquery.md").read_text(encoding="utf-8")
MONITORING = (ROOT / "docs" / "guides" / "monitoring.md").read_text(encoding="utf-8")
CONFIGURATION = (ROOT / "docs" / "guides" / "configuration.md").read_text(encoding="utf-8")
GETTING_STARTED = (ROOT / "docs" / "getting-started.md").read_text(encoding="utf-8")
PERFORMANCE = (ROOT / "docs" / "contributing" / "performance.md").read_text(encoding="utf-8")
DOCUMENTS = sorted(
    path.relative_to(ROOT).as_posix()
    for folder, pattern in ((".", "*.md"), ("docs", "**/*.md"), ("benchmarks", "*.md"))
    for path in (ROOT / folder).glob(pattern)
)


@cache
def click_command(name: str) -> Any:
    """Return a command as the click command that parses its arguments."""
    function = getattr(import_module(f"rfm_pipeline.cli.commands.{name}"), name)
    app = typer.Typer(add_completion=False)
    app.command(name)(function)
    return typer.main.get_command(app)


def command_lines(text: str) -> Iterator[list[str]]:
    """Yield the arguments of each call of `rfm` in some lines of shell."""
    for line in text.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        while "rfm" in words:
            words = words[words.index("rfm") + 1 :]
            ends = [words.index(end) for end in ("|", ">", "&&") if end in words]
            yield words[: min(ends, default=len(words))]


def parse(arguments: list[str]) -> None:
    """Parse the arguments of `rfm` without running the command.

    Raises:
        Exception: If the command has no such option.
    """
    command, *rest = arguments
    assert command in COMMANDS, f"there is no `rfm {command}`"
    click_command(command).make_context(f"rfm {command}", rest)


def flags(name: str) -> set[str]:
    return {option for parameter in click_command(name).params for option in parameter.opts}


# README.md and the pages of the documentation


def shown_commands(page: str) -> list[list[str]]:
    """Return the arguments of each call of `rfm` in the shell blocks of a page."""
    lines = "\n".join(blocks("sh", page)).replace("\\\n", " ").splitlines()
    return list(command_lines("\n".join(line for line in lines if re.search(r"(^|[|&] *)rfm ", line))))


def test_the_pages_show_commands() -> None:
    commands = shown_commands(README)
    assert len(commands) >= 7
    assert ["run", "-", "--json"] in commands
    pages = [(ROOT / document).read_text(encoding="utf-8") for document in DOCUMENTS]
    assert sum(len(shown_commands(page)) for page in pages) > 150


@pytest.mark.parametrize("document", DOCUMENTS)
def test_the_commands_of_a_page_are_valid(document: str) -> None:
    for arguments in shown_commands((ROOT / document).read_text(encoding="utf-8")):
        parse(arguments)


@pytest.mark.parametrize("command", COMMANDS)
def test_an_example_in_the_help_is_valid(command: str) -> None:
    function = getattr(import_module(f"rfm_pipeline.cli.commands.{command}"), command)
    examples = list(command_lines((getdoc(function) or "").partition("Examples:")[2]))
    assert examples
    assert all(arguments[0] == command for arguments in examples)
    for arguments in examples:
        parse(arguments)


def test_the_checks_above_detect_an_unknown_option() -> None:
    with pytest.raises(Exception, match="No such option: --bogus"):
        parse(["run", "orders.csv", "--bogus"])
    with pytest.raises(AssertionError, match="there is no `rfm forecast`"):
        parse(["forecast"])


def test_the_readmes_table_has_every_command() -> None:
    listed = re.findall(r"^\| `rfm (\w+)[^`]*` \|", README, re.MULTILINE)
    assert sorted(listed) == sorted(COMMANDS)


def test_a_flag_that_the_readme_mentions_exists() -> None:
    mentioned = set(re.findall(r"`(--[a-z][a-z-]+)", README))
    assert mentioned >= {"--output", "--bins", "--returns"}
    assert mentioned <= {flag for command in COMMANDS for flag in flags(command)}


def test_the_documented_configuration_is_valid() -> None:
    guide = blocks("toml", CONFIGURATION)
    (from_r,) = (block for block in guide if block.startswith('preset = "r-rfm"'))
    guide.remove(from_r)
    recency, frequency, _ = Configuration(file=tomllib.loads(from_r)).settings.scoring.dimensions
    assert (recency.edges[2], frequency.edges) == (
        Decimal(297),
        (Decimal(3), Decimal(4), Decimal(5), Decimal(7)),
    )
    documented = "\n".join(blocks("toml") + guide)
    settings = Configuration(file=tomllib.loads(documented)).settings
    assert (settings.timezone, str(settings.window)) == ("Europe/London", "24 months")
    assert set(settings.exclude) == {"test_orders", "wholesale"}
    assert (str(settings.audits.max_age.limit), set(settings.audits.custom)) == ("3 days", {"too_rich"})
    assert settings.scoring.recency.edges == (Decimal(30), Decimal(90), Decimal(365))


def test_the_environment_variables_in_the_readme_are_settings() -> None:
    names = set(re.findall(r"`(RFM_[A-Z_]+)`", README))
    assert "RFM_SCORING__BINS" in names
    values = dict.fromkeys(names, "5")
    settings = load_configuration({"preset": ["grid"]}, environ=values, folder=Path("/nonexistent")).settings
    assert (str(settings.source), settings.scoring.bins) == ("5", 5)


def test_the_guide_lists_every_exclusion_reason_in_order() -> None:
    section = CONFIGURATION.partition("## Which lines count")[2].partition("\n## ")[0]
    listed = "\n".join(re.findall(r"^\d+\. .+$", section, re.MULTILINE))
    assert [name for name in re.findall(r"`(\w+)`", listed) if name in BUILT_IN_REASONS] == list(
        BUILT_IN_REASONS
    )


def test_presets_that_documents_name_exist() -> None:
    for document in DOCUMENTS:
        text = (ROOT / document).read_text(encoding="utf-8")
        named = re.findall(r"(?:--preset|rfm presets) ([a-z][a-z-]+)", text)
        assert set(named) <= {*presets.names(), NO_PRESET}, document
    for name in presets.names():
        assert f"`{name}`" in CHANGELOG


def test_the_output_in_getting_started_is_of_a_run(rfm: Rfm, online_retail: Path, tmp_path: Path) -> None:
    (shown,) = (block for block in blocks("text", GETTING_STARTED) if block.startswith("orders export.csv"))
    with empty_database() as connection:
        connection.execute(
            f"COPY (FROM read_parquet('{online_retail}')) TO '{tmp_path}/orders export.csv' (HEADER)"
        )
    printed = [line.rstrip() for line in rfm("run", "orders export.csv").stdout.splitlines()]
    beginning, end = shown.split("\n...\n")
    assert printed[: len(beginning.splitlines())] == beginning.splitlines()
    assert end.splitlines() == [line for line in printed if line.startswith("Published")]


@pytest.mark.slow
def test_the_figures_in_getting_started_are_those_of_the_reference(online_retail: Path) -> None:
    kept = "CustomerID IS NOT NULL AND Quantity > 0 AND UnitPrice > 0"
    with empty_database() as connection:
        customers = connection.execute(
            "SELECT DATE '2011-12-09' - MAX(InvoiceDate)::DATE, COUNT(DISTINCT InvoiceNo),"
            " CAST(1000000 * SUM(CAST(UnitPrice AS DECIMAL(18, 6)) * Quantity) AS BIGINT)"
            f" FROM read_parquet('{online_retail}') WHERE {kept} GROUP BY CustomerID"
        ).fetchall()
    columns = list(zip(*customers, strict=True))
    days, orders = (effective_edges(column, 4) for column in columns[:2])
    # The amounts have no ties at the thresholds, where the reference would take long to find that out.
    money = [sorted(columns[2])[-(-len(customers) * share // 4) - 1] for share in (1, 2, 3)]
    low, mid, high = (f"{Decimal(edge) / 1_000_000:,.2f}" for edge in money)
    scores = [
        f"4 up to {days[0]} days {orders[2] + 1} orders and more above {high}",
        f"3 {days[0] + 1} to {days[1]} days {orders[1] + 1} to {orders[2]} orders above {mid} to {high}",
        f"2 {days[1] + 1} to {days[2]} days {orders[1]} orders above {low} to {mid}",
        f"1 {days[2] + 1} days and more {orders[0]} order up to {low}",
    ]
    assert " ".join(scores) in " ".join(GETTING_STARTED.split())
    total = sum(columns[2])
    revenues: dict[str, list[int]] = defaultdict(list)
    for recency, frequency, monetary in customers:
        r = 4 - sum(edge < recency for edge in days)
        f = 1 + sum(edge < frequency for edge in orders)
        m = 1 + sum(edge < monetary for edge in money)
        revenues[segment_of(presets.load_preset("classic")["segments"], r, f, m)].append(monetary)
    for name in ("Champions", "Loyal Customers", "Potential Loyalists"):
        (shown,) = re.findall(
            rf"^{name} +([\d,]+) +([\d.]+) % +([\d,.]+) +([\d.]+) %", GETTING_STARTED, re.MULTILINE
        )
        count, revenue = len(revenues[name]), sum(revenues[name])
        shares = f"{100 * count / len(customers):.1f}", f"{100 * revenue / total:.1f}"
        assert shown == (f"{count:,}", shares[0], f"{Decimal(revenue) / 1_000_000:,.2f}", shares[1])


def heading_anchors(text: str) -> set[str]:
    """Return the anchors that GitHub gives to the headings of a page."""
    prose = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.+)$", prose, re.MULTILINE)
    slugs = (re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings)
    return set(slugs)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_a_link_between_documents_leads_to_a_file_and_a_heading(document: str) -> None:
    page = ROOT / document
    for link in re.findall(r"\]\((?!https?:)([^)\s]+)\)", page.read_text(encoding="utf-8")):
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        assert target.exists(), link
        assert not anchor or anchor in heading_anchors(target.read_text(encoding="utf-8")), link


def test_anchors_are_those_of_github() -> None:
    assert heading_anchors("# Edges, `bins` & maps\n```sh\n# no heading\n```\n## Who may see it?") == {
        "edges-bins--maps",
        "who-may-see-it",
    }


def test_no_document_installs_from_the_package_index() -> None:
    for document in DOCUMENTS:
        text = (ROOT / document).read_text(encoding="utf-8")
        assert not re.search(r"(pip|tool) install [^.\n]*rfm-pipeline", text), document


@pytest.mark.parametrize("document", ["docs/contributing/architecture.md", "docs/contributing/testing.md"])
def test_a_file_that_a_page_for_contributors_names_exists(document: str) -> None:
    text = (ROOT / document).read_text(encoding="utf-8")
    for target in re.findall(r"`((?:tests|src|docs|benchmarks)/[^`{ ]+)`", text):
        assert (ROOT / target).exists(), target


def test_make_targets_that_the_documents_name_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^make (\w+)", "\n".join(blocks("sh")), re.MULTILINE))
    assert {"demo", "test"} <= targets
    for document in DOCUMENTS:
        targets |= set(re.findall(r"`make ([\w-]+)", (ROOT / document).read_text(encoding="utf-8")))
    assert all(re.search(rf"^{target}:", makefile, re.MULTILINE) for target in targets), targets


# BigQuery


def test_a_command_in_the_bigquery_guide_is_valid() -> None:
    lines = [line for block in blocks("sh", BIGQUERY) for line in block.splitlines() if line[:4] == "rfm "]
    commands = list(command_lines("\n".join(lines)))
    assert {arguments[0] for arguments in commands} == {"check", "run", "load"}
    for arguments in commands:
        parse(arguments)
    (job,) = re.findall(r"--args (\S+)", BIGQUERY)
    parse(job.split(","))


def test_the_bigquery_guide_shows_every_setting_of_the_table() -> None:
    (block,) = blocks("toml", BIGQUERY)
    configured = tomllib.loads(block)
    assert set(configured["bigquery"]) == set(field_types(BigQuerySettings))
    settings = Configuration(file=configured).settings.bigquery
    assert (settings.byte_limit, settings.project) == (200 * 10**9, "shop-jobs")
    assert "RFM_BIGQUERY__IMPERSONATE" in BIGQUERY


def test_the_bigquery_guide_lists_the_roles_that_errors_name() -> None:
    named = {role.split()[0] for role in (*ROLES_BY_PERMISSION.values(), FINE_GRAINED_READER)}
    assert named == set(re.findall(r"^\| `(roles/\S+)` \|", BIGQUERY, re.MULTILINE))
    codes = {int(code) for code in re.findall(r"^\| (\d) \|", BIGQUERY, re.MULTILINE)}
    assert codes <= {exit_code(kind) for _, kind in error_tree()}


# Monitoring


def test_the_monitoring_guide_shows_every_setting_of_the_table() -> None:
    (block,) = blocks("toml", MONITORING)
    configured = tomllib.loads(block)
    assert set(configured["notify"]) == set(field_types(NotifySettings))
    assert Configuration(file=configured).settings.notify.on == NotifySettings().on
    for line in re.findall(r"^rfm .+$", "\n".join(blocks("sh", MONITORING)), re.MULTILINE):
        parse(shlex.split(line)[1:])


def test_the_notification_in_the_guide_is_what_a_failed_run_sends(rfm: Rfm) -> None:
    (shown,) = blocks("text", MONITORING)
    context = RunContext("run", "orders.csv", "duckdb:rfm.duckdb", "latest", "20251231T053000-1f9c3a")
    sentence, hint = re.findall(r"^(?:error|hint): (.+)$", rfm("run", "orders.csv").stderr, re.MULTILINE)
    assert shown == failure_message(errors.SourceError(sentence, hint), context) + "\n"


def test_the_monitoring_guide_lists_the_events_that_are_written() -> None:
    rows = re.findall(r"^\| `(\w+)` \| ([A-Z, ]+) \| .+? \| (.*)\|$", MONITORING, re.MULTILINE)
    sources = [
        (ROOT / "src" / "rfm_pipeline" / name).read_text(encoding="utf-8")
        for name in ("cli/json_log.py", "warehouse/bigquery/jobs.py", "warehouse/bigquery/retry.py")
    ]
    code = "".join(sources)
    written = set(re.findall(r'"event": "(\w+)"', code))
    written |= set(re.findall(r'_write\(\s*(?:"[A-Z]+"|severity),\s*"(\w+)"', code))
    assert {event for event, _, _ in rows} == written
    for _, _, fields in rows:
        for name in re.findall(r"`(\w+)`", fields):
            assert re.search(rf'\b{name}=|"{name}"', code), name
    (example,) = blocks("json", MONITORING)
    assert list(json.loads(example))[:6] == ["time", "severity", "message", "event", "run_id", "elapsed_s"]


def test_the_monitoring_guide_lists_every_exit_code() -> None:
    codes = [int(code) for code in re.findall(r"^\| (\d+) \|", MONITORING, re.MULTILINE)]
    assert codes == [*sorted({0, 1} | {exit_code(kind) for _, kind in error_tree()}), 130]


# Exit codes


def error_tree(root: type[BaseException] = errors.RfmError) -> Iterator[tuple[int, type[BaseException]]]:
    """Yield the subclasses of an error in depth-first order, each with its depth from 1 on."""
    for kind in root.__subclasses__():
        yield 1, kind
        yield from ((depth + 1, subclass) for depth, subclass in error_tree(kind))


def exit_code(kind: type[BaseException]) -> int:
    assert issubclass(kind, errors.RfmError)
    return kind.exit_code


def test_the_readmes_exit_codes_are_those_of_the_errors(rfm: Rfm) -> None:
    table = README.partition("## Exit codes")[2].partition("##")[0]
    listed = {int(code): text for code, text in re.findall(r"^\| (\d) \| (.+?) \|$", table, re.MULTILINE)}
    assert set(listed) == {0, 1} | {exit_code(kind) for _, kind in error_tree()}
    help_text = " ".join(re.sub(r"\x1b\[[0-9;]*m", "", rfm("--help").stdout).split())
    codes = help_text.partition("Exit codes: ")[2].rstrip(".")
    assert [int(part.split()[0]) for part in codes.split(", ")] == sorted(listed)


def test_the_docstring_of_errors_draws_their_tree() -> None:
    drawn = [
        (len(indent) // 4, name, int(code))
        for indent, name, code in re.findall(
            r"^([ │├└─]+)(\w+Error) +(\d) ", errors.__doc__ or "", re.MULTILINE
        )
    ]
    top = min(depth for depth, _, _ in drawn)
    assert [(depth - top + 1, name, code) for depth, name, code in drawn] == [
        (depth, kind.__name__, exit_code(kind))
        for depth, kind in error_tree()
        if kind.__module__ == errors.__name__
    ]


def test_every_error_class_is_named_error_and_has_a_docstring() -> None:
    for _, kind in error_tree():
        assert kind.__name__.endswith("Error")
        assert (kind.__doc__ or "").strip().endswith(".")


# Versions


def test_the_package_and_its_project_file_have_one_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["version"] == __version__


def test_the_changelog_begins_with_unreleased_changes_or_this_version() -> None:
    headings = re.findall(r"^## \[([^\]]+)\](?: - (\d{4}-\d{2}-\d{2}))?$", CHANGELOG, re.MULTILINE)
    assert headings
    released = [(version, day) for version, day in headings if version != "Unreleased"]
    assert headings[0][0] in ("Unreleased", __version__)
    assert all(day for _, day in released), "a released version has a date"
    if released:
        assert released[0][0] == __version__
    else:
        assert (__version__, "The first release" in CHANGELOG) == ("0.1.0", True)


def test_the_changelog_names_every_command() -> None:
    named = re.findall(r"`rfm (\w+)", CHANGELOG)
    assert set(named) == set(COMMANDS)


# Performance


def test_the_tables_of_measurements_are_the_recorded_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    report = import_module("report")
    results = report.saved(ROOT / "benchmarks" / "results")
    assert {"start-up", "real", "10m", "next-day-10m", "evaluate"} <= results.keys()
    assert report.with_tables(PERFORMANCE, results) == PERFORMANCE
    assert report.page_of(results) == (ROOT / "benchmarks" / "RESULTS.md").read_text(encoding="utf-8")
