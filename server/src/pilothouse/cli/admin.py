"""`pilothouse admin`: for who sits at the machine itself."""

# The server is imported by the commands that need it, so that those that ask a control plane start sooner.

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from pilothouse.config import load

FIRST_ADMINISTRATOR = "admin"  # a test holds it to the one that the server makes
app = typer.Typer(no_args_is_help=True)


@app.callback()
def group() -> None:
    """Access for who lost theirs."""


@app.command("reset-password")
def reset_password(
    username: Annotated[str, typer.Argument(help="Whose password.")] = FIRST_ADMINISTRATOR,
    must_change: Annotated[
        bool,
        typer.Option("--must-change", help="They must change it at the next sign-in: for somebody else's password."),
    ] = False,
    home: Annotated[Path | None, typer.Option("--home", help="Directory of database, certificate and key.")] = None,
) -> None:
    """Give a user a new, generated password, and end all their sessions. Works while the control plane runs."""
    from pilothouse.app.people import give_new_password

    password = asyncio.run(give_new_password(load(home=home), username, must_change=must_change))
    typer.echo(f"New password of {username}: {password}")
    typer.echo("It is shown once; every session of this user has ended.")


@app.command("allow-password")
def allow_password(
    username: Annotated[str, typer.Argument(help="Which Super Admin.")] = FIRST_ADMINISTRATOR,
    home: Annotated[Path | None, typer.Option("--home", help="Directory of database, certificate and key.")] = None,
) -> None:
    """Let a Super Admin sign in by password for a quarter of an hour where passwords are switched off. It is audited."""
    from pilothouse.app.people import let_in_by_password
    from pilothouse.operations.sign_in import LET_IN_S

    asyncio.run(let_in_by_password(load(home=home), username))
    typer.echo(f"{username} may sign in by password for {LET_IN_S / 60:g} minutes.")
