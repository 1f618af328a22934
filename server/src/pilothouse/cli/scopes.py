"""Whose telemetry of which time a command asks for, and groups whose first verb needs no name."""

from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from pilothouse.base.errors import Conflict, NotFound, PilothouseError
from pilothouse.cli.places import check_place, filled, find_runtime, past_instant
from pilothouse.cli.remote import Session
from pilothouse.client.errors import NOT_PERMITTED, Misused, status_of

Json = dict[str, Any]
"""A JSON object. Any: JSON values."""

_PANEL = "Whose, and of which time"
ProjectsOption = Annotated[
    str | None, typer.Option("--project", "-p", help="Handle of a project.", rich_help_panel=_PANEL)
]
IntegrationsOption = Annotated[
    list[str] | None,
    typer.Option("--integration", "-i", help="Handle of an integration of it; repeatable.", rich_help_panel=_PANEL),
]
EnvironmentsOption = Annotated[
    list[str] | None,
    typer.Option("--environment", "-e", help="Handle of an environment; repeatable.", rich_help_panel=_PANEL),
]
RuntimesOption = Annotated[
    list[str] | None,
    typer.Option(
        "--runtime",
        help="Id, runtimeId or name of a runtime, or the runtimeId of one that is gone; repeatable.",
        rich_help_panel=_PANEL,
    ),
]
SinceOption = Annotated[
    str | None, typer.Option("--since", help="From so long ago: 30s, 15m, 12h, 7d.", rich_help_panel=_PANEL)
]
BeginOption = Annotated[
    str | None,
    typer.Option("--from", help="From an instant, or so long ago; an hour ago unless given.", rich_help_panel=_PANEL),
]
EndOption = Annotated[
    str | None, typer.Option("--to", help="Until before an instant, or so long ago.", rich_help_panel=_PANEL)
]


class WithDefault(TyperGroup):
    """A group of verbs whose first one is meant where none is named: `logs -f` is `logs list -f`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # Any: a type that typer does not give out
        """Name the first verb where the words begin with none, and are no question for help."""
        if not args or (args[0] not in self.commands and args[0] not in ctx.help_option_names):
            args = [next(iter(self.commands)), *args]
        return super().parse_args(ctx, args)


def scope_of(
    session: Session,
    *,
    project: str | None,
    integrations: list[str] | None,
    environments: list[str] | None,
    runtimes: list[str] | None,
    since: str | None,
    begin: str | None,
    end: str | None,
    unclaimed: bool = False,
) -> Json | None:
    """Write a scope as the API takes it; None asks for everything that one may see.

    Raises: Misused, Conflict
    """
    check_place(project, integrations[0] if integrations else None)
    if since is not None and begin is not None:
        raise Misused("--since and --from both say where the time begins.", fix="Give one of them.")
    ids, names = _runtimes(session, runtimes or [])
    return filled(
        project=project,
        integrations=integrations or None,
        environments=environments or None,
        runtimes=ids or None,
        runtimeIds=names or None,
        unclaimed=True if unclaimed else None,
        **{
            "from": past_instant(since, "--since") if since else past_instant(begin, "--from"),
            "to": past_instant(end, "--to"),
        },
    )


def _runtimes(session: Session, named: list[str]) -> tuple[list[str], list[str]]:
    """Give the ids of runtimes that are there, and the names of those that may have been.

    With some of both, all are asked for by what they call themselves: every condition of a scope must hold.
    """
    there: list[Json] = []
    gone: list[str] = []
    for text in named:
        try:
            there.append(find_runtime(session, text))
        except Conflict:
            raise
        except PilothouseError as error:
            if not isinstance(error, NotFound) and status_of(error) != NOT_PERMITTED:
                raise
            gone.append(text)
    if gone:
        return [], [*gone, *(runtime["runtimeId"] for runtime in there)]
    return [runtime["id"] for runtime in there], []


def owner_of(origin: Json) -> str:
    """Tell whom a record belongs to: `retail/order-service@dev`."""
    if origin["unclaimed"]:
        return f"unclaimed {origin['runtimeId'] or ''}".strip()
    parts = [handle_of(origin, part) or "(deleted)" for part in ("project", "integration", "environment")]
    return f"{parts[0]}/{parts[1]}@{parts[2]}"


def handle_of(row: Json, part: str) -> str:
    """Give the handle of a row's project, integration or environment; nothing where that is gone."""
    found: Json | None = row[part]
    return "" if found is None else str(found["handle"])


def runtime_of(origin: Json) -> str:
    """Tell which runtime a record comes from, by its name where it has one."""
    runtime: Json | None = origin["runtime"]
    return str((runtime and runtime["name"]) or origin["runtimeId"] or "")
