"""`pilothouse tokens` and `sessions`: what lets somebody in."""

from typing import Annotated, Any

import typer

from pilothouse.cli.output import Column
from pilothouse.cli.people import user_id
from pilothouse.cli.places import YesOption, filled, instant
from pilothouse.cli.remote import Session, ask_or_refuse, remote
from pilothouse.client import documents as ask
from pilothouse.client.apply.present import schema_name
from pilothouse.client.errors import Misused

Json = dict[str, Any]
"""A JSON object. Any: JSON values."""

tokens = typer.Typer(no_args_is_help=True)
sessions = typer.Typer(no_args_is_help=True)
UserOption = Annotated[str | None, typer.Option("--user", help="Of this user; one's own unless given.")]
_TOKEN: tuple[Column, ...] = (
    ("name", "name"),
    ("owner", "owner.username"),
    ("begins", "hint"),
    ("state", "state"),
    ("expires", "expiresAt"),
    ("last used", "lastUsedAt"),
    ("id", "id"),
)
_SESSION: tuple[Column, ...] = (
    ("kind", "kind"),
    ("method", "method"),
    ("since", "createdAt"),
    ("last used", "lastUsedAt"),
    ("address", "address"),
    ("program", "userAgent"),
    ("this one", "current"),
    ("id", "id"),
)


@tokens.callback()
def tokens_group() -> None:
    """API tokens, for scripts and CI."""


@sessions.callback()
def sessions_group() -> None:
    """Sessions that are open."""


@tokens.command("list")
@remote
def list_tokens(
    session: Session,
    user: UserOption = None,
    ended: Annotated[bool, typer.Option("--ended", help="Expired and revoked ones, too.")] = False,
) -> None:
    """List API tokens, never the tokens themselves."""
    whom = None if user is None else user_id(session, user)
    session.out.items(session.client.pages(ask.TOKENS, "apiTokens", user=whom, includeEnded=ended), _TOKEN)


@tokens.command("create")
@remote
def create_token(
    session: Session,
    name: Annotated[str, typer.Argument(help="What it is for.")],
    user: Annotated[str | None, typer.Option("--user", help="For this service account; oneself unless given.")] = None,
    expires: Annotated[str | None, typer.Option("--expires", help="An instant, or a duration: 90d.")] = None,
    permission: Annotated[
        list[str] | None, typer.Option("--permission", help="It carries no more than these; repeatable.")
    ] = None,
) -> None:
    """Create an API token. It is shown once; --quiet writes it alone."""
    wanted = filled(
        name=name,
        user=None if user is None else user_id(session, user),
        expiresAt=None if expires is None else instant(expires, "--expires"),
        permissions=[schema_name(each) for each in permission] if permission else None,
    )
    made = session.client.ask(ask.CREATE_TOKEN, input=wanted)["createApiToken"]
    if session.out.is_for_people:
        session.out.note(f"API token {name} of {made['apiToken']['owner']['username']}; it is shown once:")
    session.out.done(made, made["token"], "token")


@tokens.command("revoke")
@remote
def revoke_token(session: Session, token: Annotated[str, typer.Argument(help="Its id.")]) -> None:
    """Revoke an API token: it stops at once."""
    done = session.client.ask(ask.REVOKE_TOKEN, id=token)["revokeApiToken"]
    session.out.done(done, f"API token {done['name']} is revoked.")


@sessions.command("list")
@remote
def list_sessions(session: Session, user: UserOption = None) -> None:
    """List sessions that are open."""
    whom = None if user is None else user_id(session, user)
    session.out.items(session.client.pages(ask.SESSIONS, "sessions", user=whom), _SESSION)


@sessions.command("end")
@remote
def end_session(
    session: Session,
    which: Annotated[str | None, typer.Argument(metavar="[ID]", help="One session, as `sessions list` tells.")] = None,
    everywhere: Annotated[bool, typer.Option("--all", help="All of them, this one too.")] = False,
    user: UserOption = None,
    yes: YesOption = False,
) -> None:
    """End one session, or all of a user."""
    if (which is None) == (not everywhere):
        raise Misused("It is not said which session.", fix="Give an id, or --all.")
    if which is not None:
        session.client.ask(ask.END_SESSION, id=which)
        session.out.done({"id": which, "ended": 1}, "The session is ended.")
        return
    if not yes and not ask_or_refuse(session, f"Sign {user or 'yourself'} out everywhere?", "Add --yes."):
        raise typer.Exit(1)
    whom = None if user is None else user_id(session, user)
    ended = session.client.ask(ask.END_ALL_SESSIONS, user=whom)["endAllSessions"]
    session.out.done({"ended": ended}, f"{ended} sessions are ended.", "ended")
