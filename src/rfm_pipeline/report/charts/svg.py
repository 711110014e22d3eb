"""SVG elements that the charts consist of, and the colours of both themes.

Elements have CSS classes instead of colours: on the page the charts follow its theme; a chart in a file of
its own contains a style sheet with the light theme's colours.

Why no chart library: a Vega-Lite page (altair, vl-convert) was twice the size, blank under the page's content
security policy, and had no flow chart; matplotlib writes colours inline, which would not follow the theme.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from rfm_pipeline.report.number_format import FormattedNumber, Phrase, escape_html

WIDTH = 440
"""Width of every chart in SVG user units: about the width of a phone, so that text stays readable there."""

LIGHT = {
    "bg": "#ffffff", "ink": "#14213d", "soft": "#55607a", "line": "#d5dae5",
    "one": "#0072b2", "two": "#c2410c", "up": "#1a7f5a", "off": "#8a94a8",
    "s0": "#1b4f9c", "s1": "#2f7fc1", "s2": "#1c919f", "s3": "#23925f", "s4": "#6f8f22",
    "s5": "#a07f0c", "s6": "#c8720c", "s7": "#cf4f26", "s8": "#a83253", "s9": "#6d4a8c",
    "h0": "#eef3f9", "h1": "#cfe1f2", "h2": "#9cc4e4", "h3": "#3272aa", "h4": "#1f5a92", "h5": "#0b3a66",
    "on-low": "#14213d", "on-high": "#ffffff",
}  # fmt: skip
"""Colours of the light theme.

`one` and `two` are the blue and a darker variant of the vermilion of Okabe and Ito's palette, which remain
distinguishable with any kind of colour blindness. `s0` to `s9` are segments from best to worst; a
segment's name is beside its colour or in its tooltip. The table of cohorts uses one hue, from light to dark.
"""
DARK = {
    "bg": "#171e2e", "ink": "#eef2fa", "soft": "#aab4c8", "line": "#37415a",
    "one": "#56b4e9", "two": "#f0a35e", "up": "#4cc29a", "off": "#76819a",
    "s0": "#6ea8ff", "s1": "#56c1f0", "s2": "#48cfc8", "s3": "#57d39b", "s4": "#b5d25a",
    "s5": "#e3c94b", "s6": "#f5a94f", "s7": "#f58564", "s8": "#ee7fa5", "s9": "#b99be0",
    "h0": "#1f2a40", "h1": "#21405f", "h2": "#24587f", "h3": "#5fa6d6", "h4": "#8fc5e8", "h5": "#c7e4f7",
    "on-low": "#eef2fa", "on-high": "#0e1626",
}  # fmt: skip
"""Colours of the dark theme, the table of cohorts runs from dark to light."""
FONT = "system-ui, 'Segoe UI', Roboto, 'Helvetica Neue', 'DejaVu Sans', sans-serif"
LOW_TINTS, TINTS = 3, 6
"""Number of tints of one hue with text in `on-low`, and of all of them; the others have text in `on-high`."""
SEGMENT_COLOURS = 10
OPACITIES = (0.12, 0.22, 0.32, 0.42)
"""Opacities of a segment's colour below text."""


def chart_css(colour_pattern: str) -> str:
    """Return the CSS rules of all classes.

    Args:
        colour_pattern: CSS value of a colour, with `{}` in place of its name, such as `var(--{})`.
    """

    def colour(name: str) -> str:
        return colour_pattern.replace("{}", name)

    rules = {
        "svg text": f"font-family:{FONT};font-size:12.5px;fill:{colour('ink')}",
        "svg .soft": f"fill:{colour('soft')};font-size:11.5px",
        "svg .small": "font-size:10.5px",
        "svg .strong": "font-weight:650",
        "svg .bg": f"fill:{colour('bg')}",
        "svg .grid": f"stroke:{colour('line')};stroke-width:1;fill:none",
        "svg .even": f"stroke:{colour('off')};stroke-width:1.5;stroke-dasharray:4 4;fill:none",
        "svg .edge": f"stroke:{colour('ink')};stroke-width:1.25;stroke-dasharray:3 3;fill:none",
        "svg .line-one": f"stroke:{colour('one')};stroke-width:2.5;fill:none;stroke-linejoin:round",
        "svg .line-two": f"stroke:{colour('two')};stroke-width:2.5;fill:none;stroke-linejoin:round",
        "svg .one": f"fill:{colour('one')}",
        "svg .two": f"fill:{colour('two')}",
        "svg .off": f"fill:{colour('off')}",
        "svg .flow": "fill-opacity:.5",
        "svg .empty": f"fill:{colour('h0')}",
        "svg .area": f"fill:{colour('one')};fill-opacity:.14",
    }
    for number in range(SEGMENT_COLOURS):
        rules[f"svg .s{number}"] = f"fill:{colour(f's{number}')}"
    rules["svg .tint"] = f"fill-opacity:{OPACITIES[1]}"
    for number, opacity in enumerate(OPACITIES):
        rules[f"svg .t{number}"] = f"fill-opacity:{opacity}"
    return "\n".join(f"{selector}{{{rule}}}" for selector, rule in rules.items())


class SvgChart(Struct, frozen=True):
    """A drawn chart.

    Attributes:
        name: Name of the chart, one of `report.write.CHARTS`.
        title: Heading.
        summary: The main finding in one sentence, also read by screen readers.
        height: Height in SVG user units.
        shapes: SVG elements.
    """

    name: str
    title: str
    summary: Phrase
    height: float
    shapes: Sequence[str]

    def inline(self) -> str:
        """Return the `<svg>` element for an HTML page that has the chart's CSS rules."""
        label = escape_html(f"{self.title}. {self.summary.text}")
        return (
            f'<svg class="chart" role="img" aria-label="{label}"'
            f' viewBox="0 0 {WIDTH} {format_coordinate(self.height)}">{"".join(self.shapes)}</svg>'
        )

    def standalone(self, subtitle: str) -> str:
        """Return an SVG file with a title, in the light theme's colours.

        Args:
            subtitle: Line below the title.
        """
        css = chart_css("{}")
        for name, colour in sorted(LIGHT.items(), key=lambda item: -len(item[0])):
            css = css.replace(f"fill:{name}", f"fill:{colour}").replace(f"stroke:{name}", f"stroke:{colour}")
        width, height, inner = WIDTH + 40, self.height + 84, "".join(self.shapes)
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" role="img" width="{width * 2}"'
            f' height="{format_coordinate(height * 2)}" viewBox="0 0 {width} {format_coordinate(height)}">'
            f"<title>{escape_html(self.title)}</title><desc>{escape_html(self.summary.text)}</desc><style>{css}"
            f"svg .title{{font-size:17px;font-weight:700}}</style>"
            f'<rect class="bg" width="{width}" height="{format_coordinate(height)}"/>'
            f"{text_element(20, 34, self.title, 'title')}{text_element(20, 54, subtitle, 'soft')}"
            f'<g transform="translate(20 68)">{inner}</g></svg>\n'
        )


def format_coordinate(value: float) -> str:
    """Return a coordinate with at most one decimal.

    >>> format_coordinate(12.0), format_coordinate(1 / 3)
    ('12', '0.3')
    """
    return f"{value:.1f}".removesuffix(".0")


def text_element(
    x: float, y: float, content: str | FormattedNumber, css_class: str = "", anchor: str = ""
) -> str:
    """Return a `<text>` element with its start, or the `anchor` `middle` or `end`, at (x, y)."""
    number = content if isinstance(content, FormattedNumber) else FormattedNumber(content)
    classes = f' class="{css_class}"' if css_class else ""
    anchored = f' text-anchor="{anchor}"' if anchor else ""
    position = f'x="{format_coordinate(x)}" y="{format_coordinate(y)}"'
    return f"<text {position}{classes}{anchored}{number.attributes}>{escape_html(number.text)}</text>"


def rect_element(  # noqa: PLR0917 - position, size, class and tooltip
    x: float, y: float, width: float, height: float, css_class: str, tooltip: str = ""
) -> str:
    """Return a `<rect>` element with rounded corners; a negative size becomes 0."""
    position = f'x="{format_coordinate(x)}" y="{format_coordinate(y)}"'
    size = f'width="{format_coordinate(max(0.0, width))}" height="{format_coordinate(max(0.0, height))}"'
    classes = f' class="{css_class}"' if css_class else ""
    title = f"<title>{escape_html(tooltip)}</title>" if tooltip else ""
    return f'<rect {position} {size} rx="2"{classes}>{title}</rect>'


def cell_path(x: float, y: float, width: float, height: float) -> str:
    """Return the path commands of a rectangle with a gap around it; one path draws many."""
    left, top = format_coordinate(x + 1), format_coordinate(y + 1)
    return f"M{left} {top}h{format_coordinate(width - 2)}v{format_coordinate(height - 2)}H{left}z"


def mark_element(shapes: Sequence[str], segment: int | None) -> str:
    """Return a group of shapes that stands for a segment, which a click chooses.

    Args:
        shapes: The shapes.
        segment: Position of the segment in the filter; None if the shapes stand for none.
    """
    attribute = "" if segment is None else f' data-s="{segment}"'
    return f"<g{attribute}>{''.join(shapes)}</g>"


def line_element(points: Sequence[tuple[float, float]], css_class: str) -> str:
    """Return a `<path>` element that connects the points by straight lines."""
    steps = " ".join(f"{format_coordinate(x)} {format_coordinate(y)}" for x, y in points)
    return f'<path d="M{steps}" class="{css_class}"/>'


def truncate_label(name: str, limit: int) -> str:
    """Return a name of at most `limit` characters, cut with an ellipsis.

    >>> truncate_label("Potential Loyalists", 10)
    'Potential…'
    """
    return name if len(name) <= limit else f"{name[: limit - 1].rstrip()}…"
