"""Tests of `rfm report` and `rfm run --report`: files, their permissions, and errors."""

from __future__ import annotations

import html
import json
import re
import shutil
import stat
import struct
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from rfm_pipeline.common.installation import extra_hint
from rfm_pipeline.report.write import CHARTS
from support.cli import Rfm
from support.orders import contents, published, refused
from support.report_shop import HOSTILE, write_hostile_shop, write_orders

EVALUATED = ("--horizon", "30d")


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty folder; the first test that needs a published shop fills it for the others."""
    return tmp_path_factory.mktemp("template")


@pytest.fixture
def shop(rfm: Rfm, tmp_path: Path, template: Path) -> Path:
    """The folder of a shop whose result is published, a copy of its own for each test."""
    if not any(template.iterdir()):
        finished = rfm("run", write_orders(tmp_path / "orders.csv"), "--quiet")
        assert finished.code == 0, finished.stderr
        shutil.copytree(tmp_path, template, dirs_exist_ok=True)
    shutil.copytree(template, tmp_path, dirs_exist_ok=True)
    return tmp_path


def mode(file: Path) -> int:
    return stat.S_IMODE(file.stat().st_mode)


def svg_elements(file: Path) -> list[ET.Element]:
    """Return all elements of an SVG file, parsed as XML."""
    return list(ET.fromstring(file.read_text(encoding="utf-8")).iter())  # noqa: S314 - our own


@pytest.mark.slow
def test_run_and_report_write_the_same_page(rfm: Rfm, tmp_path: Path) -> None:
    source = write_orders(tmp_path / "orders.csv")
    finished = rfm("run", source, "--report", "run.html", "-o", "segments.csv", "--json")
    assert finished.code == 0, finished.stderr
    assert finished.json["outputs"] == ["segments.csv", "run.html"]
    assert rfm("report", "-o", "after.html", "--quiet").code == 0
    assert (tmp_path / "run.html").read_bytes() == (tmp_path / "after.html").read_bytes()


@pytest.mark.slow
def test_the_page_contains_all_amounts_of_the_run(rfm: Rfm, shop: Path) -> None:
    result = rfm("run", "orders.csv", "--json", "--report", "report.html").json
    text = (shop / "report.html").read_text(encoding="utf-8")
    expected = {result["revenue"], result["amount"]["kept"]}
    expected |= {segment["revenue"] for segment in result["segments"]}
    expected |= {amount for amount in result["amount"]["excluded"].values() if amount is not None}
    assert len(expected) > 6
    assert expected <= set(re.findall(r'data-money="([^"]+)"', text))


def test_markdown_has_the_sentences_and_commands_and_no_customer(rfm: Rfm, shop: Path) -> None:
    for flags, name in ((("--format", "md"), "report.md"), (("-o", "week.md"), "week.md")):
        output = rfm("report", *flags, "--currency", "GBP", "--json").json
        assert (output["written"], output["named_customers"]) == ([name], 0)
    text = (shop / "week.md").read_text(encoding="utf-8")
    assert text == (shop / "report.md").read_text(encoding="utf-8")
    assert text.startswith("# Customer segments\n\nAs of ")
    assert len(re.findall(r"^- ", text, re.MULTILINE)) == 3
    assert "    rfm export --reason due --segment " in text
    assert re.search(r"^\| Champions \| \d+ \| [\d.]+\u00a0% \| £", text, re.MULTILINE)
    rows = [line.strip("| ").split(" | ") for line in text.splitlines() if " | £" in line]
    for column in (3, 5):
        assert len({row[column].count(".") for row in rows}) == 1, rows
    assert not re.search(r"\bc\d{3}\b", text)
    assert mode(shop / "week.md") != 0o600
    assert not (shop / "report.html").exists()


def test_names_with_markup_are_text_in_markdown(rfm: Rfm, tmp_path: Path) -> None:
    write_hostile_shop(tmp_path)
    assert rfm("run", "--quiet").code == 0
    assert rfm("report", "--format", "md", "--quiet").code == 0
    lines = (tmp_path / "report.md").read_text(encoding="utf-8").splitlines()
    # Markup is code, which begins with four blanks, or is escaped.
    assert not [line for line in lines if re.search(r"(?<!\\)<", line) and not line.startswith("    ")]
    assert any(line.startswith("| \\</script") for line in lines)


@pytest.mark.slow
def test_the_command_prints_the_files_it_wrote(rfm: Rfm, shop: Path) -> None:
    finished = rfm("report")
    assert finished.code == 0
    assert "Wrote report.html" in finished.stdout
    assert "listed by id: only the file's owner can read the page" in finished.stdout
    output = rfm("report", "--json", "--top-customers", "0", "-o", "a.html").json
    assert (output["written"], output["named_customers"]) == (["a.html"], 0)
    assert output["run_id"] == published(shop / "rfm.duckdb")[0][-1]
    assert rfm("report", "--quiet").stdout == ""


def test_a_page_with_customer_ids_is_readable_by_its_owner_only(rfm: Rfm, shop: Path) -> None:
    (shop / "report.html").touch(mode=0o644)
    assert rfm("report", "--quiet").code == 0
    assert mode(shop / "report.html") == 0o600
    assert rfm("report", "--quiet", "--top-customers", "0").code == 0
    (shop / "plain").touch()
    assert mode(shop / "report.html") == mode(shop / "plain")


@pytest.mark.matrix
@pytest.mark.parametrize("chart", CHARTS)
def test_a_chart_is_well_formed_svg(chart: str, rfm: Rfm, shop: Path) -> None:
    for name, flags in (("all.svg", ()), ("one.svg", ("--segment", "lost"))):
        finished = rfm("report", "--chart", chart, "--svg", name, "--quiet", *flags)
        assert finished.code == 0, finished.stderr
        assert len(svg_elements(shop / name)) > 6
    assert not (shop / "report.html").exists()
    whole = (shop / "all.svg").read_text(encoding="utf-8")
    assert "All customers, as of" in whole
    assert "Lost, as of" in (shop / "one.svg").read_text(encoding="utf-8")
    # A file of its own has no theme: it contains the colours.
    colours = re.findall(r"(?:fill|stroke):([^;}]+)", whole)
    assert all(re.fullmatch(r"none|#[0-9a-f]{6}", colour) for colour in colours)


@pytest.mark.slow
def test_a_chart_is_a_png(rfm: Rfm, shop: Path) -> None:
    pytest.importorskip("vl_convert")
    finished = rfm("report", "--chart", "grid", "--png", "grid.png", "--quiet")
    assert finished.code == 0, finished.stderr
    content = (shop / "grid.png").read_bytes()
    assert content.startswith(b"\x89PNG")
    width, height = struct.unpack(">II", content[16:24])
    assert (width > 1000, height > 500, len(content) > 10_000) == (True, True, True)


def test_a_png_without_the_extra_is_an_error_with_the_install_command(
    rfm: Rfm, shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "vl_convert", None)
    sentence, hint = refused(rfm("report", "--chart", "grid", "--png", "grid.png"))
    assert sentence == "Drawing a PNG needs the report extra."
    assert hint == extra_hint("report")
    assert rfm("report", "--chart", "grid", "--svg", "grid.svg", "--quiet").code == 0


def test_hostile_names_are_escaped_in_svg(rfm: Rfm, tmp_path: Path) -> None:
    write_hostile_shop(tmp_path)
    assert rfm("run", "--quiet").code == 0
    assert rfm("report", "--chart", "segments", "--svg", "a.svg", "--quiet").code == 0
    drawn = svg_elements(tmp_path / "a.svg")
    assert not {"script", "img"} & {element.tag.rpartition("}")[2] for element in drawn}
    assert any((element.text or "").startswith(HOSTILE[:9]) for element in drawn)


@pytest.mark.parametrize(
    ("arguments", "sentence", "hint"),
    [
        (["-o", "report.pdf"], "report.pdf does not end in .html.", "name it like report.html."),
        (
            ["-o", "no/report.html"],
            "is in a folder that does not exist.",
            "name a file in an existing folder.",
        ),
        (["--chart", "pie", "--svg", "a.svg"], "There is no chart 'pie'.", "choose one of segments, treemap"),
        (
            ["--chart", "grid"],
            "The chart grid has no file to be written to.",
            "give --svg FILE or --png FILE.",
        ),
        (["--svg", "a.svg"], "No chart was named.", "give --chart"),
        (["--chart", "grid", "--svg", "a.png"], "a.png does not end in .svg.", "name it like report.svg."),
        (
            ["--chart", "grid", "--svg", "a.svg", "-s", "Champion"],
            "There is no segment 'Champion'.",
            "did you mean 'Champions'?",
        ),
        (["--format", "pdf"], "There is no format 'pdf' of a report.", "give html or md."),
        (["--format", "md", "-o", "a.html"], "a.html does not end in .md.", "name it like report.md."),
        (["--currency", "pounds"], "'POUNDS' is not a currency such as GBP", ""),
        (["--locale", "en GB"], "'en GB' is not a locale such as en-GB", ""),
        (["--top-customers", "51"], "at most 50", ""),
        (["--to", "duckdb:none.duckdb"], "There is no result at duckdb:none.duckdb", "`rfm run` publishes"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_invalid_arguments_are_errors_and_write_nothing(
    arguments: list[str], sentence: str, hint: str, rfm: Rfm, shop: Path
) -> None:
    before = contents(shop)
    message, printed_hint = refused(rfm("report", *arguments))
    assert sentence in message
    assert hint in printed_hint
    assert contents(shop) == before


@pytest.mark.parametrize("path", ["no/report.html", "report.csv"])
def test_a_run_does_not_start_if_its_report_path_is_invalid(path: str, rfm: Rfm, tmp_path: Path) -> None:
    write_orders(tmp_path / "orders.csv")
    before = contents(tmp_path)
    assert path in refused(rfm("run", "orders.csv", "--report", path))[0]
    assert contents(tmp_path) == before


@pytest.mark.slow
def test_a_report_error_after_the_publish_says_that_the_result_is_published(
    rfm: Rfm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def raise_disk_full(path: Path, *_: object, **__: object) -> None:
        raise OSError(28, "No space left on device", str(path))

    write_orders(tmp_path / "orders.csv")
    (tmp_path / "report.html").write_text("earlier", encoding="utf-8")
    # Fails only the rename of the report: the rest of the run uses `Path` as usual.
    target = "rfm_pipeline.report.write.Path.replace"
    monkeypatch.setattr(target, raise_disk_full)
    sentence, hint = refused(rfm("run", "orders.csv", "--report", "report.html", "--quiet"), code=4)
    assert sentence == (
        "The result was published, but not reported: the report report.html can't be written:"
        " no space left on device."
    )
    assert hint.startswith("`rfm report` writes it again;")
    assert published(tmp_path / "rfm.duckdb")
    assert (tmp_path / "report.html").read_text(encoding="utf-8") == "earlier"
    assert not list(tmp_path.glob(".report*"))


@pytest.mark.slow
def test_the_report_settings_do_not_change_the_config_hash(rfm: Rfm, shop: Path) -> None:
    table = '[report]\ncurrency = "gbp"\ntop_customers = 1\nfile = "daily.html"\n'
    (shop / "rfm.toml").write_text(table, encoding="utf-8")
    assert rfm("run", "orders.csv", "--quiet").code == 0
    text = (shop / "daily.html").read_text(encoding="utf-8")
    assert 'data-currency="GBP"' in text
    assert "£" in text
    hashes = "SELECT config_hash, COUNT(*) FROM rfm_segments_runs GROUP BY 1"
    assert [runs for _, runs in published(shop / "rfm.duckdb", hashes)] == [2]


@pytest.mark.slow
@pytest.mark.parametrize(
    "command",
    [
        ["calibrate", "orders.csv"],
        ["backfill", "orders.csv", "--from", "2024-11-01", "--until", "2024-11-02"],
    ],
    ids=["calibrate", "backfill"],
)
def test_only_run_writes_the_configured_report(command: list[str], rfm: Rfm, shop: Path) -> None:
    (shop / "rfm.toml").write_text('[report]\nfile = "daily.html"\n', encoding="utf-8")
    finished = rfm(*command, "--quiet")
    assert finished.code == 0, finished.stderr
    assert not (shop / "daily.html").exists()


@pytest.mark.slow
@pytest.mark.usefixtures("few_replicates")
def test_an_evaluation_is_a_section_of_the_page(rfm: Rfm, shop: Path) -> None:
    ended = rfm("evaluate", "orders.csv", *EVALUATED, "--stability", "--json")
    assert ended.code == 0, ended.stderr
    (shop / "evaluation.json").write_text(ended.stdout, encoding="utf-8")
    assert rfm("report", "--evaluation", "evaluation.json", "--quiet").code == 0
    page = (shop / "report.html").read_text(encoding="utf-8")
    newest = ended.json["evaluations"][-1]
    assert f"customers scored as of {newest['as_of']}" in page
    assert "Keep their segment" in page
    _, _, section = page.partition("What segments are worth")
    for segment in newest["segments"]:
        if segment["customers"]:
            assert f"{100 * segment['bought_again_share']:.1f}\u00a0%" in section
    for sentence in ended.json["conclusions"]:
        assert sentence in html.unescape(section)
    assert rfm("report", "--quiet").code == 0
    assert "What segments are worth" not in (shop / "report.html").read_text(encoding="utf-8")


@pytest.mark.usefixtures("few_replicates")
def test_text_of_an_evaluation_is_escaped(rfm: Rfm, shop: Path) -> None:
    evaluation = rfm("evaluate", "orders.csv", *EVALUATED, "--json").json
    hostile = "<script>alert(1)</script>"
    evaluation |= {"source": hostile, "conclusions": [hostile], "notes": [hostile]}
    evaluation["evaluations"][0] |= {"configuration": hostile}
    evaluation["evaluations"][0]["segments"][0]["segment"] = hostile
    (shop / "evaluation.json").write_text(json.dumps(evaluation), encoding="utf-8")
    assert rfm("report", "--evaluation", "evaluation.json", "--quiet").code == 0
    page = (shop / "report.html").read_text(encoding="utf-8")
    assert "<script>alert" not in page
    assert page.count(html.escape(hostile)) >= 5


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"source": 1}', None])
def test_what_is_no_evaluation_is_one_sentence_with_a_hint(content: str | None, rfm: Rfm, shop: Path) -> None:
    if content is not None:
        (shop / "e.json").write_text(content, encoding="utf-8")
    sentence, hint = refused(rfm("report", "--evaluation", "e.json"))
    what = "The evaluation e.json can't be read: no such file or directory."
    assert sentence == (what if content is None else "e.json is not an evaluation.")
    assert hint == "`rfm evaluate SOURCE --json > evaluation.json` writes one."


def test_an_evaluation_needs_a_page(rfm: Rfm, shop: Path) -> None:
    for flags in (("--chart", "grid", "--svg", "g.svg"), ("--format", "md")):
        sentence, _ = refused(rfm("report", *flags, "--evaluation", "e.json"))
        assert sentence == "--evaluation is for a section of the HTML page, which is not written."
