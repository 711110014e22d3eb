"""Tests of the report page in headless Chromium without a network."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from rfm_pipeline.report.charts.svg import DARK, LIGHT, LOW_TINTS, OPACITIES, SEGMENT_COLOURS, TINTS
from rfm_pipeline.report.write import CHARTS
from support.browser import launch_chromium, open_page
from support.cli import Rfm
from support.report_shop import HOSTILE, write_hostile_shop, write_orders

if TYPE_CHECKING:
    from playwright.sync_api import Browser

# All tests share one browser process.
pytestmark = pytest.mark.xdist_group("browser")


_ROWS = """[...document.querySelectorAll('#view table.segments tbody tr')].map((row) => [
  row.querySelector('th').textContent, row.querySelector('[data-count]').dataset.count,
  row.querySelector('[data-money]').dataset.money])"""
_CUT_TABLES = """[...document.querySelectorAll('.scroll')].filter(
  (box) => box.scrollWidth > box.clientWidth + 1).map((box) => box.ariaLabel)"""
_TILES = """[...document.querySelectorAll('.tiles dd > span:first-child')].slice(0, 2).map(
  (tile) => tile.dataset.count || tile.dataset.whole || tile.dataset.money)"""


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with launch_chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("report")


@pytest.fixture
def report(rfm: Rfm, folder: Path) -> Path:
    """The report of a shop with two results, which the first test writes."""
    page = folder / "report.html"
    if not page.exists():
        source = write_orders(folder / "orders.csv")
        for day in ("2024-05-31", "2024-09-30"):
            finished = rfm("run", source, "--as-of", day, "--window", "5 months", "--quiet", "--report", page)
            assert finished.code == 0, finished.stderr
    return page


@pytest.mark.guarantee("offline-report")
def test_the_page_requests_nothing_and_draws_every_chart(chromium: Browser, report: Path) -> None:
    with open_page(chromium, report) as opened:
        assert (opened.messages, opened.requests) == ([], [])
        drawn = opened.page.evaluate(
            "[...document.querySelectorAll('#view svg')].map((one) => {"
            " const box = one.getBoundingClientRect();"
            " return [box.width, box.height, one.querySelectorAll('rect, path, circle').length]; })"
        )
    assert len(drawn) == len(CHARTS)
    assert all(width > 200 and height > 60 and shapes > 2 for width, height, shapes in drawn)


def test_the_filter_changes_every_chart_and_table(chromium: Browser, report: Path) -> None:
    with open_page(chromium, report) as opened:
        whole = opened.parts()
        seen = [whole]
        for name in opened.segments:
            opened.page.select_option("#segment", label=name)
            if opened.status == f"{name}: 0 customers":
                continue
            shown = opened.parts()
            assert {part for part in shown if part.startswith("svg")} == {f"svg {name}" for name in CHARTS}
            for earlier in seen[:3]:
                common = earlier.keys() & shown.keys()
                assert len(common) >= len(CHARTS) + 8
                # Two segments may have an equal chart, but never one equal to that of all customers.
                equal = {part for part in common if earlier[part] == shown[part]}
                assert not equal if earlier is whole else len(equal) < len(common) / 2
            seen.append(shown)
        assert len(seen) > 4
        opened.page.click("#reset")
        assert opened.parts() == whole
        assert opened.page.evaluate("document.activeElement.id") == "segment"
        assert opened.messages == []


def test_the_view_of_a_segment_agrees_with_its_row(chromium: Browser, report: Path) -> None:
    with open_page(chromium, report) as opened:
        rows = opened.page.evaluate(_ROWS)
        assert [name for name, *_ in rows] == opened.segments
        for name, customers, revenue in rows:
            opened.page.select_option("#segment", label=name)
            assert opened.page.evaluate(_TILES) == [customers, revenue]


@pytest.mark.parametrize(
    ("width", "scheme"),
    [
        (375, "dark"),
        (1240, "light"),
        pytest.param(375, "light", marks=pytest.mark.long),
        pytest.param(1240, "dark", marks=pytest.mark.long),
    ],
)
def test_axe_finds_no_violation(chromium: Browser, report: Path, scheme: Any, width: int) -> None:
    with open_page(chromium, report, color_scheme=scheme, viewport={"width": width, "height": 900}) as opened:
        for index in (0, 1):
            opened.page.select_option("#segment", index=index)
            opened.open_all()
            assert opened.axe_violations() == []


def test_the_page_fits_the_screen_width(chromium: Browser, rfm: Rfm, folder: Path) -> None:
    # Without a time window, so that there are cohorts: 12 months of them.
    source, page = write_orders(folder / "all_orders.csv"), folder / "cohorts.html"
    dates = ("--from", "2024-01-31", "--until", "2024-12-31", "--every", "month")
    for command in (
        ("backfill", source, *dates, "--to", "duckdb:cohorts.duckdb", "--quiet"),
        (
            "run",
            source,
            "--as-of",
            "2024-12-31",
            "--to",
            "duckdb:cohorts.duckdb",
            "--quiet",
            "--report",
            page,
        ),
    ):
        finished = rfm(*command)
        assert finished.code == 0, finished.stderr
    with open_page(chromium, page) as opened:
        opened.open_all()
        for width in (320, 375, 768, 1280, 1440, 1920):
            opened.page.set_viewport_size({"width": width, "height": 800})
            assert opened.page.evaluate("document.documentElement.scrollWidth") <= width
            cut = opened.page.evaluate(_CUT_TABLES)
            if width >= 1280:
                assert cut == [], width
            elif width == 375:
                # Each row of the other tables becomes a list. The cohorts scroll, and say so.
                assert [label.partition(",")[0] for label in cut] == [
                    "Share of each cohort that bought again"
                ]
            assert opened.page.locator(".swipe").is_visible() == (width <= 600)


def test_the_printed_page_fits_the_paper_width(chromium: Browser, report: Path) -> None:
    # A4 within Chromium's margins, at 96 dots per inch.
    with open_page(chromium, report, viewport={"width": 718, "height": 1000}) as opened:
        opened.page.emulate_media(media="print")
        opened.open_all()
        assert opened.page.evaluate("document.documentElement.scrollWidth") <= 718


def test_the_theme_follows_the_system_and_the_button(chromium: Browser, report: Path) -> None:
    colour = "getComputedStyle(document.querySelector('.card')).backgroundColor"
    with open_page(chromium, report, color_scheme="light") as opened:
        light = opened.page.evaluate(colour)
    with open_page(chromium, report, color_scheme="dark") as opened:
        dark = opened.page.evaluate(colour)
        assert dark != light
        opened.page.click("#theme")
        assert opened.page.evaluate(colour) == light
        opened.page.click("#theme")
        assert opened.page.evaluate(colour) == dark
        opened.page.emulate_media(media="print", color_scheme="dark")
        assert opened.page.evaluate(colour) == "rgb(255, 255, 255)"


def test_print_is_a_summary_of_two_pages(chromium: Browser, report: Path) -> None:
    with open_page(chromium, report) as opened:
        pages = re.findall(rb"/Type\s*/Page(?!s)", opened.page.pdf(format="A4"))
    assert len(pages) == 2


def test_marks_explain_themselves_and_choose_their_segment(chromium: Browser, report: Path) -> None:
    with open_page(chromium, report) as opened:
        page, tip = opened.page, opened.page.locator("#tip")
        mark = page.locator("[data-part=segments] [data-s='1'] rect").first
        expected = page.locator("#segment option").nth(2).inner_text()
        mark.hover()
        assert tip.inner_text().startswith(f"{expected}: ")
        assert page.locator("svg title").count() == 0  # else browsers would show a second tooltip
        mark.click()
        assert opened.status.startswith(f"{expected}: ")
        assert page.evaluate("decodeURIComponent(location.hash)") == f"#show={expected}"
        page.go_back()
        page.wait_for_function("document.querySelector('#segment').value === 'all'")
        assert opened.status.startswith("All customers: ")
        page.focus("[data-part=segments] svg")
        page.keyboard.press("ArrowRight")
        assert tip.inner_text().startswith(f"{opened.segments[0]}: ")
        page.keyboard.press("Escape")
        assert not tip.is_visible()
        page.keyboard.press("ArrowRight")
        page.keyboard.press("Enter")
        assert opened.status.startswith(f"{opened.segments[0]}: ")
        assert page.evaluate("document.activeElement.id") == "segment"
        assert opened.messages == []


def test_a_touch_explains_a_mark_and_a_touch_elsewhere_hides_that(chromium: Browser, report: Path) -> None:
    phone = {"has_touch": True, "is_mobile": True, "viewport": {"width": 375, "height": 800}}
    with open_page(chromium, report, **phone) as opened:
        page, tip = opened.page, opened.page.locator("#tip")
        mark = page.locator("[data-part=segments] [data-s='1'] rect").first
        expected = page.locator("#segment option").nth(2).inner_text()
        for elsewhere in ("#view h2 >> nth=0", "header h1"):
            mark.tap()
            assert tip.inner_text().startswith(f"{expected}: ")
            assert opened.status.startswith("All customers: ")
            page.locator(elsewhere).tap()
            assert not tip.is_visible()
            assert opened.status.startswith("All customers: ")
        mark.tap()
        mark.tap()
        assert opened.status.startswith(f"{expected}: ")
        assert not tip.is_visible()
        assert opened.messages == []


def test_an_address_with_a_choice_opens_it(chromium: Browser, report: Path) -> None:
    with open_page(chromium, report) as opened:
        name = opened.segments[1]
        opened.page.goto(f"{report.resolve().as_uri()}#show={quote(name)}")
        opened.page.reload()
        assert opened.status.startswith(f"{name}: ")
        opened.page.goto(f"{report.resolve().as_uri()}#show=no%20such%ZZ")
        assert opened.status.startswith(f"{name}: ")


def test_tables_sort_and_are_saved_as_csv(chromium: Browser, report: Path, tmp_path: Path) -> None:
    with open_page(chromium, report) as opened:
        rows = "[...document.querySelectorAll('table.segments tbody tr')]"
        column = f"{rows}.map((row) => row.cells[3].dataset.money)"
        opened.page.click("table.segments thead th:nth-child(4) button")
        values = [float(value) for value in opened.page.evaluate(column)]
        assert values == sorted(values, reverse=True)
        opened.page.click("table.segments thead th:nth-child(4) button")
        assert opened.page.evaluate(column) == opened.page.evaluate(f"({column}).toSorted((a, b) => a - b)")
        with opened.page.expect_download() as started:
            opened.page.click(".scroll:has(table.segments) + .tool")
        started.value.save_as(tmp_path / "saved.csv")
        exact = opened.page.evaluate(column)
        with opened.page.expect_download() as ranges:
            opened.page.click("[data-part=monetary] .scroll + .tool")
        ranges.value.save_as(tmp_path / "ranges.csv")
        assert opened.messages == []
    with (tmp_path / "saved.csv").open(encoding="utf-8-sig", newline="") as file:
        lines = list(csv.reader(file))
    assert [line[3] for line in lines[1:]] == exact
    assert lines[0][:2] == ["Segment", "Customers"]
    # A cell with several numbers keeps all of them.
    assert re.search(r"above [\d.]+ to [\d.]+,", (tmp_path / "ranges.csv").read_text(encoding="utf-8"))


def test_a_command_is_copied_and_a_customer_found(chromium: Browser, report: Path) -> None:
    with open_page(chromium, report) as opened:
        command = opened.page.locator(".command").first
        copy = opened.page.locator(".command + .tool").first
        copy.click()
        opened.page.wait_for_function(
            "document.querySelector('.command + .tool').textContent !== 'Copy command'"
        )
        if copy.inner_text() != "Copied":  # the browser refused its clipboard
            assert opened.page.evaluate("getSelection().toString()") == command.inner_text()
        rows = opened.page.locator(".named tbody tr")
        wanted = rows.first.locator("th").text_content()
        assert wanted is not None
        opened.page.fill("#find", f" {wanted.upper()} ")
        visible = [row.text_content() for row in rows.all() if row.is_visible()]
        assert len(visible) == 1
        assert str(visible[0]).startswith(wanted)
        assert opened.page.inner_text(".search output") == "1 listed"


def test_the_page_works_by_keyboard(chromium: Browser, report: Path) -> None:
    with open_page(chromium, report) as opened:
        keyboard = opened.page.keyboard
        active = "document.activeElement.id || document.activeElement.className"
        for expected in ("skip", "segment"):
            keyboard.press("Tab")
            assert opened.page.evaluate(active) == expected
        keyboard.press("ArrowDown")
        assert opened.status.startswith(f"{opened.segments[0]}: ")
        keyboard.press("Tab")
        assert opened.page.evaluate(active) == "reset"
        keyboard.press("Enter")
        assert opened.status.startswith("All customers: ")
        opened.page.focus("summary")
        keyboard.press("Enter")
        assert opened.page.evaluate("document.querySelector('details').open")


def test_without_scripts_the_page_shows_all_customers(chromium: Browser, report: Path) -> None:
    with open_page(chromium, report, java_script_enabled=False) as opened:
        assert opened.page.locator("#view svg").count() == len(CHARTS)
        assert not opened.page.locator("#controls").is_visible()


def test_names_with_markup_are_shown_as_text(chromium: Browser, rfm: Rfm, tmp_path: Path) -> None:
    write_hostile_shop(tmp_path)
    finished = rfm("run", "--quiet", "--report", "report.html")
    assert finished.code == 0, finished.stderr
    with open_page(chromium, tmp_path / "report.html") as opened:
        assert HOSTILE in opened.segments
        for index in (0, 1, 2):
            opened.page.select_option("#segment", index=index)
            opened.open_all()
            assert opened.page.locator("img, #view script").count() == 0
            if index < 2:
                assert HOSTILE in opened.page.inner_text("#view")
        assert opened.page.locator("script").count() == 1
        assert (opened.messages, opened.requests) == ([], [])


def test_an_injected_script_does_not_run(chromium: Browser, report: Path) -> None:
    modified, html = report.with_name("modified.html"), report.read_text(encoding="utf-8")
    injected = "<script>document.title = 'taken'</script>"
    modified.write_text(html.replace("</main>", f"</main>{injected}", 1), encoding="utf-8")
    with open_page(chromium, modified) as opened:
        assert opened.page.title().startswith("Customer segments")
        assert any("Content Security Policy" in message for message in opened.messages)


def test_a_locale_formats_numbers_with_all_digits(chromium: Browser, rfm: Rfm, tmp_path: Path) -> None:
    lines = "customer_id,order_date,amount\na,2024-01-01,123456789012345678.25\nb,2024-01-02,1234.5\n"
    (tmp_path / "orders.csv").write_text(lines, encoding="utf-8")
    assert rfm("run", "orders.csv", "--quiet").code == 0
    finished = rfm("report", "-o", "de.html", "--currency", "EUR", "--locale", "de-DE", "--quiet")
    assert finished.code == 0, finished.stderr
    with open_page(chromium, tmp_path / "de.html") as opened:
        tile, row = (
            opened.page.inner_text(selector).replace("\xa0", " ")
            for selector in (".tiles dd >> nth=1", "table.segments tbody >> nth=0")
        )
        assert tile.startswith("123.456.789.012.346.913 €")
        assert "123.456.789.012.345.678,25 €" in row
        opened.page.select_option("#segment", index=1)
        assert "€" in opened.page.inner_text(".tiles")
        assert opened.messages == []
    assert "€123,456,789,012,346,912.75" in (tmp_path / "de.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
def test_colours_have_enough_contrast(theme: dict[str, str]) -> None:
    def luminance(colour: str) -> float:
        parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        r, g, b = (part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
        return 0.2126 * r + 0.7152 * g + 0.0722 * b

    def contrast(one: str, other: str) -> float:
        low, high = sorted((luminance(theme.get(one, one)), luminance(theme.get(other, other))))
        return (high + 0.05) / (low + 0.05)

    def tinted(name: str, opacity: float) -> str:
        channels = [[int(theme[colour][at : at + 2], 16) for at in (1, 3, 5)] for colour in (name, "bg")]
        mixed = [round(opacity * over + (1 - opacity) * under) for over, under in zip(*channels, strict=True)]
        return "#" + "".join(f"{channel:02x}" for channel in mixed)

    assert min(contrast("ink", "bg"), contrast("soft", "bg")) >= 4.5
    # WCAG asks for 4.5 for text and 3 for graphics.
    assert min(contrast(name, "bg") for name in ("one", "two", "off")) >= 3
    for name in (f"s{number}" for number in range(SEGMENT_COLOURS)):
        assert contrast(name, "bg") >= 3, name
        assert min(contrast("ink", tinted(name, opacity)) for opacity in OPACITIES) >= 4.5, name
    for tint in range(TINTS):
        assert contrast("on-low" if tint < LOW_TINTS else "on-high", f"h{tint}") >= 4.5, tint
