"""Drawing: the few shapes that charts are made of, as SVG text.

Shapes carry classes and not colours: on the page they follow its theme, and a picture by itself has the light
theme's colours in a style of its own.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from rfm_pipeline.report.number_format import FormattedNumber, escaped

WIDTH = 440
"""The width of every chart, in its own units: as wide as a phone, so that letters stay readable there."""

LIGHT = {
    "bg": "#ffffff", "ink": "#14213d", "soft": "#55607a", "line": "#d5dae5",
    "one": "#0072b2", "two": "#c2410c", "off": "#8a94a8",
    "h0": "#eef3f9", "h1": "#cfe1f2", "h2": "#9cc4e4", "h3": "#3272aa", "h4": "#1f5a92", "h5": "#0b3a66",
    "on-low": "#14213d", "on-high": "#ffffff",
}  # fmt: skip
"""The colours of the light theme.

`one` and `two` are the blue of Okabe and Ito's palette and a darker vermilion than its own, which people with
any kind of colour blindness tell apart; the heat map is one hue, from light to dark.
"""
DARK = {
    "bg": "#171e2e", "ink": "#eef2fa", "soft": "#aab4c8", "line": "#37415a",
    "one": "#56b4e9", "two": "#f0a35e", "off": "#76819a",
    "h0": "#1f2a40", "h1": "#21405f", "h2": "#24587f", "h3": "#5fa6d6", "h4": "#8fc5e8", "h5": "#c7e4f7",
    "on-low": "#eef2fa", "on-high": "#0e1626",
}  # fmt: skip
"""Those of the dark theme, from the same palette; the heat map runs from dark to light."""
FONT = "system-ui, 'Segoe UI', Roboto, 'Helvetica Neue', 'DejaVu Sans', sans-serif"
LOW_TINTS, TINTS = 3, 6
"""The tints of the heat map, and how many of them carry letters in `on-low`."""


def chart_css(colour: str) -> str:
    """The rules of all shapes.

    Args:
        colour: How a colour's name becomes a colour, with `{}` for the name.
    """

    def named(name: str) -> str:
        return colour.replace("{}", name)

    rules = {
        "svg text": f"font-family:{FONT};font-size:12.5px;fill:{named('ink')}",
        "svg .soft": f"fill:{named('soft')};font-size:11.5px",
        "svg .small": "font-size:10.5px",
        "svg .strong": "font-weight:650",
        "svg .bg": f"fill:{named('bg')}",
        "svg .grid": f"stroke:{named('line')};stroke-width:1;fill:none",
        "svg .even": f"stroke:{named('off')};stroke-width:1.5;stroke-dasharray:4 4;fill:none",
        "svg .edge": f"stroke:{named('ink')};stroke-width:1.25;stroke-dasharray:3 3;fill:none",
        "svg .line-one": f"stroke:{named('one')};stroke-width:2.5;fill:none;stroke-linejoin:round",
        "svg .line-two": f"stroke:{named('two')};stroke-width:2.5;fill:none;stroke-linejoin:round",
        "svg .one": f"fill:{named('one')}",
        "svg .two": f"fill:{named('two')}",
        "svg .off": f"fill:{named('off')}",
        "svg .flow": "fill-opacity:.5",
        "svg .empty": f"fill:{named('h0')}",
        "svg .area": f"fill:{named('one')};fill-opacity:.14",
    }
    for tint in range(TINTS):
        letters = "on-low" if tint < LOW_TINTS else "on-high"
        rules[f"svg .h{tint} rect"] = f"fill:{named(f'h{tint}')}"
        rules[f"svg .h{tint} text"] = f"fill:{named(letters)}"
    return "\n".join(f"{selector}{{{rule}}}" for selector, rule in rules.items())


class SvgChart(Struct, frozen=True):
    """A chart as it is drawn.

    Attributes:
        name: What it is called among the charts.
        title: Its heading.
        told: What it shows, in one sentence, for who does not see it.
        height: In its own units.
        shapes: What is drawn.
    """

    name: str
    title: str
    told: str
    height: float
    shapes: Sequence[str]

    def inline(self) -> str:
        """The chart as it stands in a page."""
        return (
            f'<svg class="chart" role="img" aria-label="{escaped(f"{self.title}. {self.told}")}"'
            f' viewBox="0 0 {WIDTH} {number(self.height)}">{"".join(self.shapes)}</svg>'
        )

    def alone(self, subtitle: str) -> str:
        """The chart as a picture of its own, in light colours.

        Args:
            subtitle: What it is of, under its title.
        """
        css = chart_css("{}")
        for name, colour in sorted(LIGHT.items(), key=lambda one: -len(one[0])):
            css = css.replace(f"fill:{name}", f"fill:{colour}").replace(f"stroke:{name}", f"stroke:{colour}")
        width, height, inner = WIDTH + 40, self.height + 84, "".join(self.shapes)
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" role="img" width="{width * 2}"'
            f' height="{number(height * 2)}" viewBox="0 0 {width} {number(height)}">'
            f"<title>{escaped(self.title)}</title><desc>{escaped(self.told)}</desc><style>{css}"
            f"svg .title{{font-size:17px;font-weight:700}}</style>"
            f'<rect class="bg" width="{width}" height="{number(height)}"/>'
            f"{text(20, 34, self.title, 'title')}{text(20, 54, subtitle, 'soft')}"
            f'<g transform="translate(20 68)">{inner}</g></svg>\n'
        )


def number(value: float) -> str:
    """A coordinate, to a tenth.

    >>> number(12.0), number(1 / 3)
    ('12', '0.3')
    """
    return f"{value:.1f}".removesuffix(".0")


def text(x: float, y: float, said: str | FormattedNumber, kind: str = "", anchor: str = "") -> str:
    """Letters at a place; `anchor` is `middle` or `end`."""
    figure = said if isinstance(said, FormattedNumber) else FormattedNumber(said)
    classes = f' class="{kind}"' if kind else ""
    ends = f' text-anchor="{anchor}"' if anchor else ""
    place = f'x="{number(x)}" y="{number(y)}"'
    return f"<text {place}{classes}{ends}{figure.attributes}>{escaped(figure.text)}</text>"


def bar(  # noqa: PLR0917 - a place, a size, and what it is
    x: float, y: float, width: float, height: float, kind: str, told: str = ""
) -> str:
    """A rectangle, with what it is for whoever points at it."""
    place = f'x="{number(x)}" y="{number(y)}"'
    size = f'width="{number(max(0.0, width))}" height="{number(max(0.0, height))}"'
    classes = f' class="{kind}"' if kind else ""
    title = f"<title>{escaped(told)}</title>" if told else ""
    return f'<rect {place} {size} rx="2"{classes}>{title}</rect>'


def path(points: Sequence[tuple[float, float]], kind: str) -> str:
    """A line through points."""
    steps = " ".join(f"{number(x)} {number(y)}" for x, y in points)
    return f'<path d="M{steps}" class="{kind}"/>'


def truncate_label(name: str, most: int) -> str:
    """A name as long as there is room for.

    >>> shortened("Potential Loyalists", 10)
    'Potential…'
    """
    return name if len(name) <= most else f"{name[: most - 1].rstrip()}…"
