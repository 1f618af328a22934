"""What the tests of the command line call things."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from click.testing import Result

PASSWORD = "correct horse battery staple"


@dataclass
class Served:
    """A control plane that runs, and its certificate."""

    url: str
    runtime_url: str
    home: Path


Run = Callable[..., Result]
"""Runs a command and tells what it printed and how it ended."""
