"""The command line: parsing and printing only. Nothing heavy is imported before a command runs."""

from rfm_pipeline.cli.main import main

__all__ = ["main"]
