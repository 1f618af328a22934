"""`pilothouse backup` and `restore`: the whole database, embedded or on a server."""

# The server is imported by the commands that need it, so that those that ask a control plane start sooner.

import datetime as dt
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from pilothouse.base.errors import InvalidInput
from pilothouse.cli.waiting import counted
from pilothouse.config import load

if TYPE_CHECKING:
    from pilothouse.app.backup import Backup

_PIPE: Final = Path("-")
HOME = Annotated[Path | None, typer.Option("--home", help="Directory of database, certificate and key.")]


def backup(
    to: Annotated[Path, typer.Argument(metavar="FILE", help="Where to; `-` is the standard output.")],
    home: HOME = None,
) -> None:
    """Write everything that the database holds into one file. Works while the control plane runs.

    Secrets stay sealed; the key that opens them is not in it: keep that in another place. Logs, metrics and traces are not in it either.
    """
    from pilothouse.app.backup import back_up, write_archive

    settings = load(home=None if home is None else home.expanduser().absolute())
    if to == _PIPE:
        if sys.stdout.isatty():
            raise InvalidInput("A backup is no text for a terminal.", fix="Name a file, or send it through a pipe.")
        made = write_archive(settings, sys.stdout.buffer)
        sys.stdout.buffer.flush()
    else:
        made = back_up(settings, to.expanduser().absolute())
    _say(f"Backed up {settings.database.shown}: {_words(made)}.")
    _say(f"Its secrets are sealed under the key {made.key_number}: {settings.secret_key_path}, to be kept elsewhere.")


def restore(
    source: Annotated[Path, typer.Argument(metavar="FILE", help="From where; `-` is the standard input.")],
    home: HOME = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Where there is a database already: keep it under another name.")
    ] = False,
    without_key: Annotated[
        bool, typer.Option("--without-key", help="The key is lost: every runtime's secret has to be made anew.")
    ] = False,
) -> None:
    """Put a backup back, whole or not at all. The control plane must be stopped; everybody signs in again after it.

    It may be of another kind of database: so one moves from the embedded one to a server, and back.
    """
    from pilothouse.app import backup as backups

    settings = load(home=None if home is None else home.expanduser().absolute())
    path = backups.spooled(sys.stdin.buffer, settings.home) if source == _PIPE else source.expanduser().absolute()
    try:
        called = "The standard input" if source == _PIPE else ""
        done = backups.restore(settings, path, replace=replace, without_key=without_key, called=called)
    finally:
        if source == _PIPE:
            path.unlink(missing_ok=True)
    at = dt.datetime.fromtimestamp(done.at, dt.UTC).isoformat(timespec="seconds")
    _say(f"Restored as of {at}: {_words(done)}.")
    _say(done.chain)
    if done.replaced is not None:
        _say(f"What was here before is in {done.replaced}.")
    if without_key:
        secrets = counted(done.rows.get("secrets", 0), "secret")
        _say(
            f"The {secrets} in it can be read under the key {done.key_number} alone. Without it: start the control plane, and generate"
            " new ones for the runtimes (Add Runtime in the console, or pilothouse secrets generate). Until a runtime has its new one,"
            " its heartbeats are refused with KEY_UNREADABLE, and it stands in the list of refused heartbeats."
        )
        return
    _say("Start the control plane: runtimes report again by themselves.")


def _words(made: "Backup") -> str:
    named = ("projects", "integrations", "environments", "runtimes", "secrets", "users", "events", "audit_records")
    counts = ", ".join(counted(made.rows.get(name, 0), name.removesuffix("s").replace("_", " ")) for name in named)
    return f"{counts}; {counted(sum(made.rows.values()), 'row')} in all"


def _say(sentence: str) -> None:
    typer.echo(sentence, err=True)  # the standard output may be the backup itself
