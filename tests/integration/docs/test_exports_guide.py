"""The guide to exports: its flags exist, its examples are what runs print, and its tables are complete."""

from __future__ import annotations

import re
import shlex
import shutil
import tomllib
from pathlib import Path

import pytest
import typer

from rfm_pipeline import __version__
from rfm_pipeline.cli.commands.run import run
from rfm_pipeline.config import presets
from rfm_pipeline.config.loader import Configuration
from support.cli import Rfm
from support.markdown import blocks
from support.paths import ROOT

PAGE = (ROOT / "docs" / "guides" / "exports.md").read_text(encoding="utf-8")
EXAMPLES = {block.partition("\n")[0].removeprefix("$ "): block for block in blocks("text", PAGE)}
HEADER = "customer_id,order_id,order_date,amount\n"
FILES = {
    "ambiguous_dates.csv": HEADER + "1,A,01/02/2024,10\n2,B,03/04/2024,20\n3,C,05/06/2024,5\n",
    "ambiguous_numbers.csv": HEADER
    + '1,A,2024-02-01,"1,234"\n2,B,2024-04-03,"5,678"\n3,C,2024-06-05,"1,500"\n',
    "another_shop.csv": "User ID,Order Date,Total\nx1,2024-01-01,5\nx2,2024-01-05,6\n",
    "two_amounts.csv": "Cust ID,Order,Order Date,Paid Amount,Total\n"
    "1,A,2024-02-01,50,60\n1,B,2024-03-01,5,6\n2,C,2024-03-02,7,8\n",
    "shop.csv": HEADER + "1,A,2024-02-01,10\n2,B,2024-04-03,20\n",
}


def run_flags() -> set[str]:
    app = typer.Typer(add_completion=False)
    app.command("run")(run)
    parameters = typer.main.get_command(app).params
    return {option for parameter in parameters for option in (*parameter.opts, *parameter.secondary_opts)}


@pytest.mark.matrix
@pytest.mark.parametrize("command", EXAMPLES)
def test_an_example_is_what_a_run_prints(command: str, rfm: Rfm, tmp_path: Path) -> None:
    for name, text in FILES.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    for path in (ROOT / "tests" / "data" / "cases").glob("*.csv"):
        shutil.copy(path, tmp_path)
    rfm("run", "shop.csv", "--to", "duckdb:shop.duckdb")
    ended = rfm(*shlex.split(command)[1:])
    printed = (ended.stdout + ended.stderr).splitlines()
    shown = EXAMPLES[command].splitlines()[1:]
    assert shown
    assert [line for line in shown if line not in printed] == []


def test_the_flags_that_the_guide_names_exist() -> None:
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", PAGE))
    assert named >= {"--date-format", "--replace-source", "--zero-customer"}
    assert named - run_flags() == set()


def test_a_command_of_the_guide_is_valid() -> None:
    app = typer.Typer(add_completion=False)
    app.command("run")(run)
    command = typer.main.get_command(app)
    lines = [
        line for block in blocks("sh", PAGE) for line in block.splitlines() if line.startswith("rfm run ")
    ]
    assert len(lines) >= 2
    for line in lines:
        command.make_context("rfm run", shlex.split(line, comments=True)[2:])


def test_the_settings_that_the_guide_shows_are_valid() -> None:
    documented = tomllib.loads("\n".join(blocks("toml", PAGE)))
    settings = Configuration(file=documented).settings
    assert (settings.status.column, settings.currency.column) == ("Status", "currency")


def test_the_guide_lists_the_preset_of_every_export() -> None:
    table = PAGE.partition("## Shop systems")[2].partition("\n## ")[0]
    exports = {name for name in presets.names() if presets.info(name).kind == "source"}
    assert exports - set(re.findall(r"`([\w-]+)`", table)) == set()


def test_a_guide_links_each_script_of_a_finding() -> None:
    guides = [path.read_text(encoding="utf-8") for path in (ROOT / "docs/guides").glob("*.md")]
    linked = {name for text in guides for name in re.findall(r"\.\./\.\./findings/(\w+\.sh)", text)}
    assert linked == {path.name for path in (ROOT / "findings").glob("*.sh")}


def test_the_comparison_names_the_versions_that_its_scripts_install() -> None:
    page = (ROOT / "docs/guides/comparison.md").read_text(encoding="utf-8")
    header = next(line for line in page.partition("## Measured behaviour")[2].splitlines() if "|" in line)
    shown = re.findall(r"([\w-]+) (\d+\.\d+\.\d+)", header)
    versions = {name.casefold(): version for name, version in shown}
    scripts = set(re.findall(r"\.\./\.\./(findings/\w+\.sh)", page))
    assert len(scripts) == 7
    assert f"| rfm-pipeline {__version__} |" in header
    for script in scripts:
        package, version = re.findall(
            r"(duckdb|pymc-marketing|rfm|openretailscience)==(\S+)",
            (ROOT / script).read_text(encoding="utf-8"),
        )[0]
        assert versions[package] == version, script
