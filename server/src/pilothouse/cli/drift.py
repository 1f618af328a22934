"""`pilothouse drift`: where integrations are not as wanted, and in what."""

from enum import StrEnum, unique
from typing import Annotated, Any

import typer

from pilothouse.cli.output import Column
from pilothouse.cli.places import EnvironmentOption, ProjectOption, filled
from pilothouse.cli.remote import Session, remote
from pilothouse.client import documents as ask
from pilothouse.client.errors import CHANGES

Json = dict[str, Any]
"""A JSON object. Any: JSON values."""


@unique
class Trouble(StrEnum):
    """In what a place is not as wanted."""

    DIFFERING = "differing"
    FAILED = "failed"
    UNREACHED = "unreached"


app = typer.Typer(no_args_is_help=True)


def _integration_of(row: Json) -> str:
    return f"{row['project']['handle']}/{row['integration']['handle']}"


def _many(count: int, what: str) -> str | None:
    return f"{count} {what}{'' if count == 1 else 's'}" if count else None


_PLACES: tuple[Column, ...] = (
    ("integration", _integration_of),
    ("environment", "environment.handle"),
    ("running", "running"),
    ("copies", lambda row: _many(row["forms"] if row["forms"] > 1 else 0, "differing form")),
    ("failed artifacts", lambda row: row["failed"] or None),
    ("not carried out", lambda row: _many(row["unreached"], "change")),
)


@app.callback()
def group() -> None:
    """Drift: where running copies differ, artifacts failed or a desired state was not carried out."""


@app.command("list")
@remote
def list_places(
    session: Session,
    project: ProjectOption = None,
    environment: EnvironmentOption = None,
    trouble: Annotated[
        Trouble | None,
        typer.Option("--trouble", help="Only where copies differ, artifacts failed, or desired states wait."),
    ] = None,
    exit_code: Annotated[
        bool, typer.Option("--exit-code", help="End with 9 when any is listed: for a step that waits for a good end.")
    ] = False,
) -> None:
    """List integrations that are not as wanted, by environment; `artifacts list --differing` tells in what."""
    wanted = filled(project=project, environment=environment, trouble=trouble and trouble.name)
    found = list(session.client.pages(ask.NOT_AS_WANTED, "notAsWanted", filter=wanted))
    session.out.items(found, _PLACES, name=lambda row: f"{_integration_of(row)} {row['environment']['handle']}")
    if exit_code and found:
        raise typer.Exit(CHANGES)
