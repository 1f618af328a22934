"""`pilothouse ingest-tokens`: what collectors, which are no runtimes, send telemetry with."""

from typing import Annotated

import typer

from pilothouse.cli.output import Column
from pilothouse.cli.places import (
    EnvironmentOption,
    InEnvironment,
    IntegrationOption,
    ProjectOption,
    check_place,
    filled,
    instant,
)
from pilothouse.cli.remote import Session, remote
from pilothouse.client import documents as ask

app = typer.Typer(no_args_is_help=True)
_COLUMNS: tuple[Column, ...] = (
    ("name", "name"),
    ("environment", "environment.handle"),
    ("project", "project.handle"),
    ("integration", "integration.handle"),
    ("begins", "hint"),
    ("state", "state"),
    ("expires", "expiresAt"),
    ("last used", "lastUsedAt"),
    ("id", "id"),
)


@app.callback()
def group() -> None:
    """Tokens with which collectors (Fluent Bit, an OpenTelemetry Collector) send telemetry of runtimes."""


@app.command("list")
@remote
def list_tokens(
    session: Session,
    environment: EnvironmentOption = None,
    ended: Annotated[bool, typer.Option("--ended", help="Expired and revoked ones, too.")] = False,
) -> None:
    """List ingest tokens, never the tokens themselves."""
    found = session.client.pages(ask.INGEST_TOKENS, "ingestTokens", environment=environment, includeEnded=ended)
    session.out.items(found, _COLUMNS)


@app.command("create")
@remote
def create_token(
    session: Session,
    name: Annotated[str, typer.Argument(help="What sends with it.")],
    environment: InEnvironment,
    project: ProjectOption = None,
    integration: IntegrationOption = None,
    expires: Annotated[str | None, typer.Option("--expires", help="An instant, or a duration: 90d.")] = None,
) -> None:
    """Create a token for the runtimes in one place. It is shown once; --quiet writes it alone."""
    check_place(project, integration)
    ends = None if expires is None else instant(expires, "--expires")
    wanted = filled(name=name, environment=environment, project=project, integration=integration, expiresAt=ends)
    made = session.client.ask(ask.CREATE_INGEST_TOKEN, input=wanted)["createIngestToken"]
    if session.out.is_for_people:
        session.out.note(f"Ingest token {name} for {environment}; it is shown once:")
    session.out.done(made, made["token"], "token")


@app.command("revoke")
@remote
def revoke_token(session: Session, token: Annotated[str, typer.Argument(help="Its id.")]) -> None:
    """Revoke an ingest token: what it sends is refused at once."""
    done = session.client.ask(ask.REVOKE_INGEST_TOKEN, id=token)["revokeIngestToken"]
    session.out.done(done, f"Ingest token {done['name']} is revoked.")
