"""The command `pilothouse`."""

from pilothouse.cli.main import main

__all__ = ["main"]
