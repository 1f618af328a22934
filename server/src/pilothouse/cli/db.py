"""`pilothouse db`: the schema of the database, and its way into another one."""

# The server is imported by the commands that need it, so that those that ask a control plane start sooner.

from pathlib import Path
from typing import Annotated

import typer

from pilothouse.cli import backup
from pilothouse.config import load

app = typer.Typer(no_args_is_help=True)
Home = Annotated[Path | None, typer.Option("--home", help="Directory of database, certificate and key.")]


@app.callback()
def group() -> None:
    """The schema of the database that PILOTHOUSE_DATABASE_URL names, or of the embedded one."""


@app.command("upgrade")
def upgrade(home: Home = None) -> None:
    """Bring the database to this release's schema. The embedded one is brought there at each start by itself.

    Several may run at once: one does it, the others wait. Back up first: there is no way back but the backup.
    """
    from pilothouse.app.database import upgrade_of

    settings = load(home=None if home is None else home.expanduser().absolute())
    before, after = upgrade_of(settings)
    database = settings.database
    if before.is_current:
        typer.echo(f"{database.shown}: nothing to do, its schema is {after.current}.")
        return
    for step in before.pending:
        typer.echo(f"  {step}")
    typer.echo(f"{database.shown}: its schema is {after.current} now.")


@app.command("status")
def status(home: Home = None) -> None:
    """Tell where the database's schema stands, changing nothing. Ends with 1 when an upgrade is needed."""
    from pilothouse.app.database import status_of

    settings = load(home=None if home is None else home.expanduser().absolute())
    found = status_of(settings)
    typer.echo(f"database: {settings.database.shown}")
    typer.echo(f"schema: {found.current or 'none'}")
    typer.echo(f"this release: {found.newest}")
    if not found.is_known:
        typer.echo("A newer release wrote it: this one cannot work with it.")
    for step in found.pending:
        typer.echo(f"pending: {step}")
    if not found.is_current:
        raise typer.Exit(1)


@app.command("export")
def export(
    to: Annotated[Path, typer.Argument(metavar="[FILE]", help="Where to; without it, the standard output.")] = Path(
        "-"
    ),
    home: Home = None,
) -> None:
    """Write everything that the database holds, to be imported into another one: the same as `pilothouse backup`."""
    backup.backup(to, home)


@app.command("import")
def import_(
    source: Annotated[
        Path, typer.Argument(metavar="[FILE]", help="From where; without it, the standard input.")
    ] = Path("-"),
    home: Home = None,
) -> None:
    """Put what was exported into an empty database of any kind, with its history: the same as `pilothouse restore`."""
    backup.restore(source, home)
