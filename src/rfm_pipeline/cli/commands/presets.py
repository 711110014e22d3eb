"""`rfm presets`."""

from __future__ import annotations

from typing import Annotated

import typer

from rfm_pipeline.cli.options import Json


def presets(
    name: Annotated[str | None, typer.Argument(help="A preset to show.", show_default=False)] = None,
    toml: Annotated[
        bool, typer.Option("--toml", help="Print its settings as a file, to start a map of one's own from.")
    ] = False,
    as_json: Json = False,
) -> None:
    """List the segment maps and well-known exports, or show one.

    Examples:
      rfm presets

      rfm presets grid

      rfm presets classic --toml > rfm.toml
    """
    from rfm_pipeline.cli.render.json import print_json
    from rfm_pipeline.cli.render.presets import described, print_list, print_preset, settings_text
    from rfm_pipeline.config import presets as rooms
    from rfm_pipeline.errors import UsageError

    if name is None:
        if toml:
            raise UsageError(
                "--toml prints one preset, and none is named.", "for example `rfm presets classic --toml`."
            )
        if as_json:
            print_json({preset: described(preset) for preset in rooms.names()})
        else:
            print_list()
    elif toml:
        print(settings_text(name), end="")
    elif as_json:
        print_json(described(name))
    else:
        print_preset(name)
