"""`pilothouse secrets`: which there are, and the key that they are sealed under."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from pilothouse.app.secrets import list_secrets as read_secrets
from pilothouse.app.secrets import rotate_key as change_key
from pilothouse.base.clock import SystemClock
from pilothouse.base.instants import Instant, to_rfc3339
from pilothouse.config import Settings, load
from pilothouse.domain.secrets import SecretRow

app = typer.Typer(no_args_is_help=True)
Home = Annotated[Path | None, typer.Option("--home", help="Directory of database, certificate and key.")]
_COLUMNS = ("KEY ID", "ENVIRONMENT", "INTEGRATION", "STATE", "EXPIRES", "LAST USED", "RUNTIMES")
_NOTHING = "-"


@app.callback()
def group() -> None:
    """The secrets of runtimes, and the key that they are sealed under."""


@app.command("list")
def list_secrets(home: Home = None) -> None:
    """List the secrets that are not revoked, never their material. Works while the control plane runs."""
    now = SystemClock().now()
    rows = [_COLUMNS, *(_line(row, now) for row in asyncio.run(read_secrets(_settings(home))))]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_COLUMNS))]
    for row in rows:
        typer.echo("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())


@app.command("rotate-key")
def rotate_key(home: Home = None) -> None:
    """Seal all secrets under a new key and drop the old one. The control plane must be stopped; runtimes notice nothing."""
    settings = _settings(home)
    done = asyncio.run(change_key(settings))
    if done.was_begun_before:
        typer.echo("An earlier change of the key had not ended: it has now.")
    typer.echo(f"{done.resealed} secrets are sealed under the new key in {settings.secret_key_path}.")
    typer.echo("Back that file up. Keep the old one as long as you keep backups of the database from before.")


def _settings(home: Path | None) -> Settings:
    return load(home=None if home is None else home.expanduser().absolute())


def _line(row: SecretRow, now: Instant) -> tuple[str, ...]:
    return (
        row.key_id,
        row.environment_handle,
        f"{row.project_handle}/{row.integration_handle}" if row.bound else _NOTHING,
        row.life.state_at(now).value,
        _instant(row.expires_at),
        _instant(row.last_used_at),
        str(row.runtime_count),
    )


def _instant(instant: Instant | None) -> str:
    return _NOTHING if instant is None else to_rfc3339(instant)
