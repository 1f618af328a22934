"""`pilothouse sso-mappings`: which groups of an identity provider or a directory lead into which groups here."""

from typing import Annotated

import typer

from pilothouse.cli.output import Column
from pilothouse.cli.people import GroupArgument, group_id
from pilothouse.cli.places import filled
from pilothouse.cli.remote import Session, remote
from pilothouse.client import documents as ask

mappings = typer.Typer(no_args_is_help=True)
_COLUMNS: tuple[Column, ...] = (
    ("value", "value"),
    ("group", "group.name"),
    ("issuer", "issuer"),
    ("claim", "claim"),
    ("by", "createdBy"),
    ("id", "id"),
)


@mappings.callback()
def mappings_group() -> None:
    """Mappings of single sign-on: which groups of the identity provider lead into which groups here."""


@mappings.command("list")
@remote
def list_mappings(session: Session) -> None:
    """List them all."""
    session.out.items(session.client.pages(ask.SSO_MAPPINGS, "ssoGroupMappings"), _COLUMNS)


@mappings.command("create")
@remote
def create(
    session: Session,
    value: Annotated[str, typer.Argument(help="The group, as the identity provider or the directory names it.")],
    group: GroupArgument,
    issuer: Annotated[
        str | None,
        typer.Option("--issuer", help="The identity provider, or the directory; the configured one unless given."),
    ] = None,
    claim: Annotated[
        str | None, typer.Option("--claim", help="The claim that holds the groups; the configured one unless given.")
    ] = None,
) -> None:
    """Have members of a group there become members of a group here when they sign in."""
    wanted = {"value": value, "group": group_id(session, group), **(filled(issuer=issuer, claim=claim) or {})}
    made = session.client.ask(ask.CREATE_SSO_MAPPING, input=wanted)["createSsoGroupMapping"]
    session.out.done(made, f"{made['value']} at {made['issuer']} leads into group {made['group']['name']}.")


@mappings.command("delete")
@remote
def delete(
    session: Session, mapping: Annotated[str, typer.Argument(help="Its id, as `sso-mappings list` tells.")]
) -> None:
    """Delete one: whom it put into the group leaves it at their next sign-in."""
    session.client.ask(ask.DELETE_SSO_MAPPING, id=mapping)
    session.out.done({"id": mapping, "deleted": True}, "The mapping is gone.")
