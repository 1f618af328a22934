"""`pilothouse secrets`: those of a control plane, and, of a home directory of this machine, the key that seals them."""

# The server is imported by the commands that need it, so that those that ask a control plane start sooner.

import asyncio
from pathlib import Path
from typing import Annotated, Any

import typer

from pilothouse.base.clock import SystemClock
from pilothouse.base.errors import NotFound
from pilothouse.base.instants import Instant, to_rfc3339
from pilothouse.cli.output import Column
from pilothouse.cli.places import (
    ConfirmOption,
    EnvironmentOption,
    InEnvironment,
    IntegrationOption,
    ProjectOption,
    YesOption,
    agreed,
    check_place,
    filled,
    instant,
    seconds,
)
from pilothouse.cli.remote import Session, remote
from pilothouse.cli.waiting import counted
from pilothouse.client import documents as ask
from pilothouse.client.errors import Misused
from pilothouse.config import Settings, load
from pilothouse.domain.secrets import SecretRow

app = typer.Typer(no_args_is_help=True)
Home = Annotated[Path | None, typer.Option("--home", help="Directory of database, certificate and key.")]
_COLUMNS = ("KEY ID", "ENVIRONMENT", "INTEGRATION", "STATE", "EXPIRES", "LAST USED", "RUNTIMES")
_NOTHING = "-"
Json = dict[str, Any]
"""A JSON object. Any: JSON values."""
KeyArgument = Annotated[str, typer.Argument(help="Its key id, the part before the dot.")]
_REMOTE_COLUMNS: tuple[Column, ...] = (
    ("key id", "keyId"),
    ("environment", "environment.handle"),
    ("integration", lambda row: f"{row['project']['handle']}/{row['integration']['handle']}" if row["bound"] else None),
    ("state", "state"),
    ("expires", "expiresAt"),
    ("last used", "lastUsedAt"),
    ("runtimes", "runtimeCount"),
)


@app.callback()
def group() -> None:
    """The secrets of runtimes: at a control plane, or with --home in the home directory of this machine."""


@app.command("list")
@remote
def list_secrets(
    session: Session,
    project: ProjectOption = None,
    integration: IntegrationOption = None,
    environment: EnvironmentOption = None,
    home: Annotated[
        Path | None, typer.Option("--home", help="Of this home directory, without asking a control plane.")
    ] = None,
) -> None:
    """List the secrets that are not revoked, never their material."""
    if home is not None:
        if any((project, integration, environment, session.context_given)):
            raise Misused("--home reads a directory, the other options ask a control plane.", fix="Give one of them.")
        _list_local(home)
        return
    check_place(project, integration)
    wanted = filled(project=project, integration=integration, environment=environment)
    session.out.items(session.client.pages(ask.SECRETS, "secrets", filter=wanted), _REMOTE_COLUMNS, "keyId")


def _list_local(home: Path) -> None:
    """Works while the control plane runs."""
    from pilothouse.app.secrets import list_secrets as read_secrets

    now = SystemClock().now()
    rows = [_COLUMNS, *(_line(row, now) for row in asyncio.run(read_secrets(_settings(home))))]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_COLUMNS))]
    for row in rows:
        typer.echo("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())


@app.command("generate")
@remote
def generate(
    session: Session,
    environment: InEnvironment,
    project: ProjectOption = None,
    integration: IntegrationOption = None,
    expires: Annotated[str | None, typer.Option("--expires", help="An instant, or a duration: 90d.")] = None,
) -> None:
    """Generate a secret. It is shown once, with the lines for Config.toml; --quiet writes the secret alone."""
    ends = None if expires is None else instant(expires, "--expires")
    wanted = filled(environment=environment, project=project, integration=integration, expiresAt=ends)
    _tell_new(session, session.client.ask(ask.GENERATE_SECRET, input=wanted)["generateSecret"])


def _tell_new(session: Session, made: Json) -> None:
    if session.out.is_for_people:
        session.out.note(f"Secret {made['keyId']} for {made['environment']['handle']}; it is shown once:")
        for line in str(made["configToml"]).rstrip().splitlines():
            session.out.line(line)
    else:
        session.out.done(made, "", "secret")


@app.command("rotate")
@remote
def rotate(
    session: Session,
    key_id: KeyArgument,
    overlap: Annotated[str, typer.Option("--overlap", help="How long the old one goes on: 0s to 90d.")] = "7d",
) -> None:
    """Generate a second secret for the same place; the old one ends by itself."""
    variables = {"keyId": key_id, "overlapSeconds": seconds(overlap, "--overlap")}
    done = session.client.ask(ask.ROTATE_SECRET, **variables)["rotateSecret"]
    if session.out.is_for_people:
        session.out.note(f"The old secret {key_id} ends at {done['old']['expiresAt']}.")
        _tell_new(session, done["generated"])
    else:
        session.out.done(done, "", "generated.secret")


@app.command("revoke")
@remote
def revoke(
    session: Session,
    key_id: KeyArgument,
    grace: Annotated[str | None, typer.Option("--grace", help="Refuse kindly for so long, up to 30d, first.")] = None,
    confirm: ConfirmOption = None,
    yes: YesOption = False,
) -> None:
    """Revoke a secret: runtimes that use it cannot report until they are given another."""
    found = session.client.ask(ask.SECRET, keyId=key_id)["secret"]
    if found is None:
        raise NotFound(f"There is no secret '{key_id}', or you may not see it.", fix="See `pilothouse secrets list`.")
    question = f"Revoke {key_id}, which {found['runtimeCount']} runtimes use?"
    agreed(session, found["environment"], question, confirm, yes=yes)
    after = None if grace is None else seconds(grace, "--grace")
    done = session.client.ask(ask.REVOKE_SECRET, keyId=key_id, graceSeconds=after)["revokeSecret"]
    session.out.done(done, f"{key_id} ends at {done['effectiveAt']}; {done['runtimeCount']} runtimes used it.", "keyId")


@app.command("restore")
@remote
def restore(session: Session, key_id: KeyArgument) -> None:
    """Take back a revocation whose grace period is not over."""
    done = session.client.ask(ask.RESTORE_SECRET, keyId=key_id)["restoreSecret"]
    session.out.done(done, f"{key_id} is {done['state'].lower()} again.", "keyId")


@app.command("expire")
@remote
def expire(
    session: Session,
    key_id: KeyArgument,
    at: Annotated[str, typer.Option("--at", help="An instant, a duration (30d), or `never`.")],
) -> None:
    """Set, move or remove the instant from which on a secret is refused."""
    ends = None if at == "never" else instant(at, "--at")
    done = session.client.ask(ask.EXPIRE_SECRET, keyId=key_id, expiresAt=ends)["setSecretExpiry"]
    session.out.done(done, f"{key_id} ends at {done['expiresAt'] or 'no time'}.", "keyId")


@app.command("rotate-key")
def rotate_key(
    home: Home = None,
    all_stopped: Annotated[
        bool, typer.Option("--all-stopped", help="On SQL Server and Oracle: no control plane uses the database now.")
    ] = False,
    old_is_lost: Annotated[
        bool,
        typer.Option("--old-is-lost", help="The key file of this database is lost for good: begin with a new one."),
    ] = False,
) -> None:
    """Seal all secrets under a new key and drop the old one. The control plane must be stopped; runtimes notice nothing.

    Where several use one database, all of them; each needs the new key file before it starts again.
    """
    from pilothouse.app.secrets import rotate_key as change_key

    settings = _settings(home)
    done = asyncio.run(change_key(settings, all_stopped=all_stopped, old_is_lost=old_is_lost))
    if old_is_lost:
        typer.echo(f"Secrets are sealed under the key in {settings.secret_key_path} from now on: back that file up.")
        typer.echo(
            "What was sealed under the lost one cannot be opened: generate new secrets, set channels' secrets anew."
        )
        return
    if done.was_begun_before:
        typer.echo("An earlier change of the key had not ended: it has now.")
    verb = "is" if done.resealed == 1 else "are"
    typer.echo(f"{counted(done.resealed, 'secret')} {verb} sealed under the new key in {settings.secret_key_path}.")
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
