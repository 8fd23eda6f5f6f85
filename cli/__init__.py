"""The command line."""

from prefect_omnivideo.cli.commands import main

__all__ = ["main"]
