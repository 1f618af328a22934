"""`pilothouse audit list|export|check`, `events` and `graphql`: what happened, and everything else."""

import sys
from pathlib import Path
from typing import Annotated, Any, cast
from urllib.parse import urlencode

import msgspec
import typer

from pilothouse.cli import audit
from pilothouse.cli.output import Column, Form
from pilothouse.cli.places import (
    EnvironmentOption,
    IntegrationOption,
    ProjectOption,
    check_place,
    filled,
    find_runtime,
    past_instant,
)
from pilothouse.cli.remote import Session, remote
from pilothouse.client import documents as ask
from pilothouse.client.errors import Failed, Misused
from pilothouse.client.http import refusal_of

Json = dict[str, Any]
"""A JSON object. Any: JSON values."""

events = typer.Typer(no_args_is_help=True)
FromOption = Annotated[str | None, typer.Option("--from", help="An instant, or how long ago: 24h.")]
ToOption = Annotated[str | None, typer.Option("--to", help="An instant, or how long ago.")]
_AUDIT: tuple[Column, ...] = (
    ("number", "number"),
    ("at", "at"),
    ("who", "actor"),
    ("what", "action"),
    ("target", "target"),
    ("outcome", "outcome"),
    ("detail", "detail"),
)
_EVENT: tuple[Column, ...] = (("at", "at"), ("kind", "kind"), ("what", "message"))


@events.callback()
def events_group() -> None:
    """What happened to the fleet."""


@audit.app.command("list")
@remote
def list_audit(
    session: Session,
    actor: Annotated[str | None, typer.Option("--actor", help="`user:<name>`, the whole of it.")] = None,
    action: Annotated[
        str | None, typer.Option("--action", help="`project.delete`, or all of a thing: `project.`")
    ] = None,
    outcome: Annotated[str | None, typer.Option("--outcome", help="DONE or REFUSED.")] = None,
    search: Annotated[str | None, typer.Option("--search", help="Part of target or detail.")] = None,
    since: FromOption = None,
    until: ToOption = None,
) -> None:
    """List audit records of a control plane, newest first."""
    wanted = filled(
        actor=actor,
        action=action,
        outcome=outcome and outcome.upper(),
        search=search,
        **{"from": past_instant(since, "--from"), "to": past_instant(until, "--to")},
    )
    session.out.items(session.client.pages(ask.AUDIT, "auditRecords", filter=wanted), _AUDIT, "number")


@audit.app.command("check")
@remote
def check_audit(session: Session) -> None:
    """Have a control plane go through the chain of its audit records; ends with 1 where it is broken."""
    found = session.client.ask(ask.AUDIT_CHECK)["auditCheck"]
    session.out.done(found, found["message"], "intact")
    if not found["intact"]:
        raise Failed("The audit is not intact.", fix="Compare the database with a backup.")


@audit.app.command("export")
@remote
def export_audit(
    session: Session,
    file: Annotated[Path | None, typer.Option("--file", help="Into this file, which must not exist yet.")] = None,
    actor: Annotated[str | None, typer.Option("--actor", help="`user:<name>`, the whole of it.")] = None,
    action: Annotated[str | None, typer.Option("--action", help="`project.delete`, or all of a thing.")] = None,
    outcome: Annotated[str | None, typer.Option("--outcome", help="DONE or REFUSED.")] = None,
    since: FromOption = None,
    until: ToOption = None,
) -> None:
    """Export audit records as lines of JSON, oldest first."""
    wanted = filled(
        actor=actor,
        action=action,
        outcome=outcome and outcome.upper(),
        **{"from": past_instant(since, "--from"), "to": past_instant(until, "--to")},
    )
    path = "/audit/export" + (f"?{urlencode(wanted)}" if wanted else "")
    with session.client.stream("GET", path, accept="application/x-ndjson") as response:
        try:
            target = sys.stdout.buffer if file is None else file.open("xb")
        except OSError as error:
            raise Misused(
                f"{file} cannot be written: {error.strerror}.", fix="Name a file that is not there yet."
            ) from error
        for chunk in response.iter_bytes():
            target.write(chunk)
        target.flush()
    if file is not None:
        target.close()
        session.out.note(f"Exported to {file}.")


@events.command("list")
@remote
def list_events(
    session: Session,
    project: ProjectOption = None,
    integration: IntegrationOption = None,
    environment: EnvironmentOption = None,
    runtime: Annotated[str | None, typer.Option("--runtime", help="Of this runtime: id, runtimeId or name.")] = None,
    kind: Annotated[
        list[str] | None, typer.Option("--kind", help="`runtime.offline`, or `runtime.`; repeatable.")
    ] = None,
    since: FromOption = None,
    until: ToOption = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as they happen, until Ctrl-C.")] = False,
) -> None:
    """List events, newest first; with --follow those to come, one a line."""
    check_place(project, integration)
    wanted = filled(
        project=project,
        integration=integration,
        environment=environment,
        runtime=None if runtime is None else find_runtime(session, runtime)["id"],
        kinds=kind or None,
        **{"from": past_instant(since, "--from"), "to": past_instant(until, "--to")},
    )
    if not follow:
        session.out.items(session.client.pages(ask.EVENTS, "events", filter=wanted), _EVENT, "sequence")
        return
    for change in session.client.follow(ask.EVENT_HAPPENED, "eventHappened", {"filter": wanted}, session.note_break):
        event = change["event"]
        if change["resync"] or event is None:
            session.out.note("Some events were missed: `pilothouse events list` shows them.")
        else:
            session.out.record(event, f"{event['at']}  {event['kind']}  {event['message']}")


@remote
def graphql(
    session: Session,
    query: Annotated[str, typer.Argument(help="The operation; `@file` reads a file, `-` the standard input.")],
    variables: Annotated[
        str | None, typer.Option("--variables", "-v", help="A JSON object; `@file` reads a file.")
    ] = None,
) -> None:
    """Send any operation and write the whole answer; ends with the status of its first error."""
    text = _text(query)
    given: Json = {}
    if variables is not None:
        try:
            given = msgspec.json.decode(_text(variables), type=Json)
        except msgspec.DecodeError as error:
            raise Misused(f"--variables is no JSON object: {error}", fix='Write it as {"name": "value"}.') from error
    answer = session.client.answer(text, given)
    if session.out.form is Form.TABLE:
        session.out.form = Form.JSON
    session.out.data(answer)
    errors = cast("list[Json]", answer.get("errors") or [])
    if errors:
        raise refusal_of(errors[0])


def _text(argument: str) -> str:
    try:
        if argument == "-":
            return sys.stdin.read()
        return Path(argument[1:]).read_text(encoding="utf-8") if argument.startswith("@") else argument
    except (OSError, UnicodeDecodeError) as error:
        raise Misused(f"{argument[1:]} cannot be read: {error}", fix="Name a file of UTF-8 text.") from error
