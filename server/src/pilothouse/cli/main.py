"""Verbs of the command line, and how its errors are said."""

import os
import sys
from typing import Annotated

import typer
from rich.console import Console

from pilothouse import __version__
from pilothouse.base.errors import PilothouseError
from pilothouse.cli import admin, audit, secrets, tls, up
from pilothouse.config import unknown_variables

FAILED = 1
app = typer.Typer(no_args_is_help=True, add_completion=True, pretty_exceptions_enable=False, rich_markup_mode="rich")
app.command("up", help="Start a control plane with the example integration: for the first hour.")(up.up)
app.command("serve", help="Start a control plane, and nothing else: for everything after the first hour.")(up.serve)
app.add_typer(tls.app, name="tls", help="The certificate: show it, have this machine trust it.")
app.add_typer(admin.app, name="admin", help="Access for who lost theirs.")
app.add_typer(audit.app, name="audit", help="The audit records: whether they are what they were.")
app.add_typer(secrets.app, name="secrets", help="The secrets of runtimes: list them, change the key that seals them.")


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def options(
    _version_wanted: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Tell the version.")
    ] = False,
) -> None:
    """Pilothouse: one place to see, steer and prove every running integration."""
    for sentence in unknown_variables(os.environ):
        typer.echo(f"warning: {sentence}", err=True)


def main() -> None:
    """Run the command line; an error says what is wrong and how to mend it."""
    try:
        app()
    except PilothouseError as error:
        console = Console(stderr=True, soft_wrap=True, highlight=False)
        console.print("error:", style="bold red", end=" ")
        console.print(f"{error.message} ({error.code})", markup=False)
        if error.fix:
            console.print("  fix:", style="bold", end=" ")
            console.print(error.fix, markup=False)
        sys.exit(FAILED)
