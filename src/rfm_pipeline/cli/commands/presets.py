"""The command `rfm presets`."""

from __future__ import annotations

from typing import Annotated

import typer

from rfm_pipeline.cli.options import Json, quiet_option

Names = Annotated[bool, quiet_option("Print only the names of the presets, one per line.")]


def presets(
    name: Annotated[str | None, typer.Argument(help="Name of a preset to show.", show_default=False)] = None,
    toml: Annotated[
        bool, typer.Option("--toml", help="Print the preset's settings as a configuration file to edit.")
    ] = False,
    as_json: Json = False,
    quiet: Names = False,
) -> None:
    """List the presets (segment maps and export formats), or show one.

    A preset is a file of settings, selected with --preset.

    Examples:
      rfm presets

      rfm presets grid

      rfm presets classic --toml > rfm.toml
    """
    from rfm_pipeline.cli.render.json import print_json
    from rfm_pipeline.cli.render.presets import preset_json, preset_settings, print_list, print_preset
    from rfm_pipeline.config.presets import info, names
    from rfm_pipeline.errors import UsageError

    if name is None:
        if toml:
            raise UsageError(
                "--toml needs the name of a preset.", "for example `rfm presets classic --toml`."
            )
        if as_json:
            print_json({preset: preset_json(preset) for preset in names()})
        elif quiet:
            print("\n".join(names()))
        else:
            print_list()
    elif toml:
        print(preset_settings(name), end="")
    elif as_json:
        print_json(preset_json(name))
    elif quiet:
        print(info(name).name)
    else:
        print_preset(name)
