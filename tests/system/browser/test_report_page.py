"""The page in a real browser without a network: what it shows, and what nothing in it can do."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from rfm_pipeline.report.charts.svg import DARK, LIGHT, LOW_TINTS, TINTS
from rfm_pipeline.report.write import CHARTS
from support.browser import browser, opened
from support.cli import Rfm
from support.report_shop import HOSTILE, hostile, orders

if TYPE_CHECKING:
    from playwright.sync_api import Browser

# One browser for all of them.
pytestmark = pytest.mark.xdist_group("browser")


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser() as running:
        yield running


@pytest.fixture
def report(rfm: Rfm, tmp_path: Path) -> Path:
    """The page of a shop with two results."""
    source = orders(tmp_path / "orders.csv")
    for day in ("2024-05-31", "2024-09-30"):
        flags = ("--window", "5 months", "--quiet", "--report", "report.html")
        ended = rfm("run", source, "--as-of", day, *flags)
        assert ended.code == 0, ended.stderr
    return tmp_path / "report.html"


def test_it_asks_for_nothing_and_draws_every_chart(chromium: Browser, report: Path) -> None:
    with opened(chromium, report) as found:
        assert (found.said, found.asked) == ([], [])
        drawn = found.page.evaluate(
            "[...document.querySelectorAll('#view svg')].map((one) => {"
            " const box = one.getBoundingClientRect();"
            " return [box.width, box.height, one.querySelectorAll('rect, path, circle').length]; })"
        )
    assert len(drawn) == len(CHARTS)
    assert all(width > 200 and height > 60 and shapes > 2 for width, height, shapes in drawn)


def test_the_filter_changes_every_chart_and_table(chromium: Browser, report: Path) -> None:
    with opened(chromium, report) as found:
        whole = found.parts()
        seen = [whole]
        for name in found.segments:
            found.page.select_option("#segment", label=name)
            if found.shown == f"{name}: 0 customers":
                continue
            shown = found.parts()
            assert {part for part in shown if part.startswith("svg")} == {f"svg {name}" for name in CHARTS}
            for earlier in seen[:3]:
                common = earlier.keys() & shown.keys()
                assert len(common) >= len(CHARTS) + 8
                # Two segments may well have a chart alike, but none is like that of all customers.
                alike = {part for part in common if earlier[part] == shown[part]}
                assert not alike if earlier is whole else len(alike) < len(common) / 2
            seen.append(shown)
        assert len(seen) > 4
        found.page.click("#reset")
        assert found.parts() == whole
        assert found.page.evaluate("document.activeElement.id") == "segment"
        assert found.said == []


def test_a_segments_figures_are_those_of_its_row(chromium: Browser, report: Path) -> None:
    with opened(chromium, report) as found:
        rows = [
            [cell.inner_text() for cell in row.query_selector_all("th, td")]
            for row in found.page.query_selector_all("#view table.segments tbody tr")
        ]
        assert [name for name, *_ in rows] == found.segments
        for name, customers, _, revenue, *_ in rows:
            found.page.select_option("#segment", label=name)
            tiles = [tile.inner_text().split("\n")[0] for tile in found.page.query_selector_all(".tiles dd")]
            assert tiles[:2] == [customers, revenue]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [375, 1240])
def test_axe_finds_nothing_wrong(chromium: Browser, report: Path, scheme: Any, width: int) -> None:
    with opened(chromium, report, color_scheme=scheme, viewport={"width": width, "height": 900}) as found:
        for index in (0, 1):
            found.page.select_option("#segment", index=index)
            found.open_all()
            assert found.axe() == []


@pytest.mark.parametrize("width", [320, 375, 768, 1240])
def test_nothing_is_wider_than_the_screen(chromium: Browser, report: Path, width: int) -> None:
    with opened(chromium, report, viewport={"width": width, "height": 800}) as found:
        found.open_all()
        assert found.page.evaluate("document.documentElement.scrollWidth") <= width


def test_nothing_is_wider_than_a_sheet_of_paper(chromium: Browser, report: Path) -> None:
    # A4 within Chromium's margins, at 96 dots per inch.
    with opened(chromium, report, viewport={"width": 718, "height": 1000}) as found:
        found.page.emulate_media(media="print")
        found.open_all()
        assert found.page.evaluate("document.documentElement.scrollWidth") <= 718


def test_it_is_dark_where_the_reader_is_and_either_by_a_button(chromium: Browser, report: Path) -> None:
    colour = "getComputedStyle(document.querySelector('.card')).backgroundColor"
    with opened(chromium, report, color_scheme="light") as found:
        light = found.page.evaluate(colour)
    with opened(chromium, report, color_scheme="dark") as found:
        dark = found.page.evaluate(colour)
        assert dark != light
        found.page.click("#theme")
        assert found.page.evaluate(colour) == light
        found.page.click("#theme")
        assert found.page.evaluate(colour) == dark
        found.page.emulate_media(media="print", color_scheme="dark")
        assert found.page.evaluate(colour) == "rgb(255, 255, 255)"


def test_printing_opens_what_is_closed(chromium: Browser, report: Path) -> None:
    closed = "document.querySelectorAll('details:not([open])').length"
    with opened(chromium, report) as found:
        before = found.page.evaluate(closed)
        assert before > 5
        found.page.evaluate("dispatchEvent(new Event('beforeprint'))")
        assert found.page.evaluate(closed) == 0
        found.page.evaluate("dispatchEvent(new Event('afterprint'))")
        assert found.page.evaluate(closed) == before


def test_the_keyboard_reaches_all_of_it(chromium: Browser, report: Path) -> None:
    with opened(chromium, report) as found:
        keyboard = found.page.keyboard
        active = "document.activeElement.id || document.activeElement.className"
        for expected in ("skip", "segment"):
            keyboard.press("Tab")
            assert found.page.evaluate(active) == expected
        keyboard.press("ArrowDown")
        assert found.shown.startswith(f"{found.segments[0]}: ")
        keyboard.press("Tab")
        assert found.page.evaluate(active) == "reset"
        keyboard.press("Enter")
        assert found.shown.startswith("All customers: ")
        found.page.focus("summary")
        keyboard.press("Enter")
        assert found.page.evaluate("document.querySelector('details').open")


def test_without_scripts_it_shows_all_customers(chromium: Browser, report: Path) -> None:
    with opened(chromium, report, java_script_enabled=False) as found:
        assert found.page.locator("#view svg").count() == len(CHARTS)
        assert not found.page.locator("#controls").is_visible()


def test_names_that_are_markup_are_text_and_run_nothing(chromium: Browser, rfm: Rfm, tmp_path: Path) -> None:
    hostile(tmp_path)
    ended = rfm("run", "--quiet", "--report", "report.html")
    assert ended.code == 0, ended.stderr
    with opened(chromium, tmp_path / "report.html") as found:
        assert HOSTILE in found.segments
        for index in (0, 1, 2):
            found.page.select_option("#segment", index=index)
            found.open_all()
            assert found.page.locator("img, #view script").count() == 0
            if index < 2:
                assert HOSTILE in found.page.inner_text("#view")
        assert found.page.locator("script").count() == 1
        assert (found.said, found.asked) == ([], [])


def test_what_is_not_ours_may_not_run(chromium: Browser, report: Path) -> None:
    spoiled, text = report.with_name("spoiled.html"), report.read_text(encoding="utf-8")
    theirs = "<script>document.title = 'taken'</script>"
    spoiled.write_text(text.replace("</main>", f"</main>{theirs}", 1), encoding="utf-8")
    with opened(chromium, spoiled) as found:
        assert found.page.title().startswith("Customer segments")
        assert any("Content Security Policy" in said for said in found.said)


def test_a_locale_writes_every_figure_with_all_its_digits(
    chromium: Browser, rfm: Rfm, tmp_path: Path
) -> None:
    lines = "customer_id,order_date,amount\na,2024-01-01,123456789012345678.25\nb,2024-01-02,1234.5\n"
    (tmp_path / "orders.csv").write_text(lines, encoding="utf-8")
    assert rfm("run", "orders.csv", "--quiet").code == 0
    ended = rfm("report", "-o", "de.html", "--currency", "EUR", "--locale", "de-DE", "--quiet")
    assert ended.code == 0, ended.stderr
    with opened(chromium, tmp_path / "de.html") as found:
        revenue = found.page.inner_text(".tiles dd >> nth=1").replace("\xa0", " ")
        assert revenue.startswith("123.456.789.012.346.912,75 €")
        found.page.select_option("#segment", index=1)
        assert "€" in found.page.inner_text(".tiles")
        assert found.said == []
    assert "€123,456,789,012,346,912.75" in (tmp_path / "de.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
def test_letters_and_shapes_stand_out_from_what_is_behind_them(theme: dict[str, str]) -> None:
    def light(colour: str) -> float:
        parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        r, g, b = (part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
        return 0.2126 * r + 0.7152 * g + 0.0722 * b

    def contrast(one: str, other: str) -> float:
        low, high = sorted((light(theme[one]), light(theme[other])))
        return (high + 0.05) / (low + 0.05)

    assert min(contrast("ink", "bg"), contrast("soft", "bg")) >= 4.5
    # Shapes need less than letters.
    assert min(contrast(name, "bg") for name in ("one", "two", "off")) >= 3
    for tint in range(TINTS):
        assert contrast("on-low" if tint < LOW_TINTS else "on-high", f"h{tint}") >= 4.5, tint
