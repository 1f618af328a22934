"""Options that several groups of commands share: where, how long, with which confirmation."""

import datetime as dt
import re
from typing import Annotated, Any

import typer

from pilothouse.base.errors import Conflict, NotFound
from pilothouse.cli.remote import Session, ask_or_refuse, confirmed_name
from pilothouse.client import documents as ask
from pilothouse.client.errors import Misused

Json = dict[str, Any]
"""A JSON object. Any: JSON values."""

ProjectOption = Annotated[str | None, typer.Option("--project", "-p", help="Handle of a project.")]
IntegrationOption = Annotated[str | None, typer.Option("--integration", "-i", help="Handle of an integration of it.")]
EnvironmentOption = Annotated[str | None, typer.Option("--environment", "-e", help="Handle of an environment.")]
InProject = Annotated[str, typer.Option("--project", "-p", help="Handle of the project.")]
InIntegration = Annotated[str, typer.Option("--integration", "-i", help="Handle of the integration.")]
InEnvironment = Annotated[str, typer.Option("--environment", "-e", help="Handle of the environment.")]
SearchOption = Annotated[str | None, typer.Option("--search", help="Part of a name.")]
ConfirmOption = Annotated[
    str | None, typer.Option("--confirm", help="The name of what is touched, where it is asked for.")
]
WaitOption = Annotated[bool, typer.Option("--wait/--no-wait", help="Wait for the true outcome.")]
TimeoutOption = Annotated[float, typer.Option("--timeout", min=0.0, help="Seconds to wait at most.")]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Without asking.")]
WAIT_S = 90.0

_DURATION = re.compile(r"(\d{1,9})([smhd])")
_UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def filled(**values: object) -> Json | None:
    """Collect what was given; nothing given is no filter at all."""
    return {name: value for name, value in values.items() if value is not None} or None


def check_place(project: str | None, integration: str | None) -> None:
    """An integration is named together with its project.

    Raises: Misused
    """
    if integration is not None and project is None:
        raise Misused("An integration is named without its project.", fix="Add --project.")


def seconds(text: str, option: str) -> int:
    """Read a duration such as 30s, 15m, 12h or 7d.

    Raises: Misused
    """
    found = _DURATION.fullmatch(text.strip())
    if found is None:
        raise Misused(f"{option}: '{text}' is no duration.", fix="Write 30s, 15m, 12h or 7d.")
    return int(found[1]) * _UNITS_S[found[2]]


def instant(text: str, option: str) -> str:
    """Read an instant: RFC 3339, or a duration from now.

    Raises: Misused
    """
    now = dt.datetime.now(dt.UTC)
    if _DURATION.fullmatch(text.strip()):
        moment = now + dt.timedelta(seconds=seconds(text, option))
    else:
        try:
            moment = dt.datetime.fromisoformat(text)
        except ValueError:
            raise Misused(
                f"{option}: '{text}' is no instant.", fix="Write 2026-11-21T10:00:00Z, or a duration: 7d."
            ) from None
        if moment.tzinfo is None:
            raise Misused(f"{option}: '{text}' names no time zone.", fix="End it with Z for UTC, or with +02:00.")
    return moment.astimezone(dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def past_instant(text: str | None, option: str) -> str | None:
    """Read an instant: RFC 3339, or a duration ago."""
    if text is None or not _DURATION.fullmatch(text.strip()):
        return None if text is None else instant(text, option)
    moment = dt.datetime.now(dt.UTC) - dt.timedelta(seconds=seconds(text, option))
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def confirmation_of(session: Session, environment: str, given: str | None) -> str | None:
    """Find out whether an environment is critical, and have its name written then.

    Raises: NotFound, Misused
    """
    found = session.client.ask(ask.ENVIRONMENT, handle=environment)["environment"]
    if found is None:
        raise NotFound(f"There is no environment '{environment}'.", fix="See `pilothouse environments list`.")
    return (
        confirmed_name(session, environment, f"The critical environment {environment}", given)
        if found["critical"]
        else given
    )


def agreed(session: Session, environment: Json, question: str, given: str | None, *, yes: bool) -> str | None:
    """Have the name of a critical environment written, or a question answered; gives what was confirmed. Ends where it is refused.

    Raises: Misused
    """
    handle = environment["handle"]
    if environment["critical"]:
        return confirmed_name(session, handle, f"The critical environment {handle}", given)
    if not yes and not ask_or_refuse(session, question, "Add --yes."):
        raise typer.Exit(1)
    return None


def find_runtime(session: Session, text: str) -> Json:
    """Find one runtime by its id, its runtimeId or its name.

    Raises: NotFound, Conflict
    """
    found = session.client.ask(ask.RUNTIME, id=text)["runtime"]
    if found is not None:
        return found
    nodes = list(session.client.pages(ask.RUNTIMES, "runtimes", filter={"search": text}))
    same = [node for node in nodes if text in (node["runtimeId"], node["name"])]
    if not same:
        raise NotFound(f"There is no runtime '{text}', or you may not see it.", fix="See `pilothouse runtimes list`.")
    if len(same) > 1:
        told = ", ".join(node["id"] for node in same[:10])
        raise Conflict(f"{len(same)} runtimes are called '{text}': {told}.", fix="Name one by its id.")
    return session.client.ask(ask.RUNTIME, id=same[0]["id"])["runtime"]
