"""Charts of a result: SVG that notebooks show, and that can be saved."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

from msgspec import Struct


class Chart(Struct, frozen=True):
    """A chart of `rfm report`, as a notebook shows it.

    Attributes:
        name: Name of the chart, such as `grid`.
        svg: The text of an SVG file, which needs no other file.
    """

    name: str
    svg: str

    def save(self, path: str | PathLike[str]) -> None:
        """Write the chart to a file; an existing file is replaced.

        Args:
            path: An .svg file, or a .png file, which needs the extra `report`.

        Raises:
            RfmError: If the file can't be written, or has another suffix.
        """
        from rfm_pipeline.report.write import check_report_path, svg_to_png, write_atomically

        file = Path(path)
        check_report_path(file, (".svg", ".png"))
        is_png = file.suffix.casefold() == ".png"
        write_atomically(file, svg_to_png(self.svg) if is_png else self.svg.encode(), is_private=False)

    def __repr__(self) -> str:
        """Return the name in one line; the SVG is long."""
        return f"<Chart: {self.name}>"

    def _repr_svg_(self) -> str:
        """Return the chart for notebooks."""
        return self.svg
