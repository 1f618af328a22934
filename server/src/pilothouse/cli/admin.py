"""`pilothouse admin`: for who sits at the machine itself."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from pilothouse.app.people import give_new_password
from pilothouse.config import load
from pilothouse.operations.sign_in import FIRST_ADMINISTRATOR

app = typer.Typer(no_args_is_help=True)


@app.callback()
def group() -> None:
    """Access for who lost theirs."""


@app.command("reset-password")
def reset_password(
    username: Annotated[str, typer.Argument(help="Whose password.")] = FIRST_ADMINISTRATOR,
    home: Annotated[Path | None, typer.Option("--home", help="Directory of database, certificate and key.")] = None,
) -> None:
    """Give a user a new, generated password, and end all their sessions. Works while the control plane runs."""
    password = asyncio.run(give_new_password(load(home=home), username))
    typer.echo(f"New password of {username}: {password}")
    typer.echo("It is shown once; every session of this user has ended.")
