"""`pilothouse try`: what can be asked of a runtime's services, and one request, sent by the control plane."""

from collections.abc import Sequence
from typing import Annotated, Any, Final

import msgspec
import typer

from pilothouse.base.errors import NotFound
from pilothouse.cli.output import Column, Form
from pilothouse.cli.places import (
    ConfirmOption,
    EnvironmentOption,
    IntegrationOption,
    ProjectOption,
    SearchOption,
    find_runtime,
)
from pilothouse.cli.remote import Session, confirmed_name, remote
from pilothouse.cli.try_it_answer import write_answer, write_text
from pilothouse.cli.try_it_request import content_of, encoded_path
from pilothouse.client import documents as ask
from pilothouse.client.errors import ControlPlaneRefused, Misused
from pilothouse.client.openapi import Operation, find_operation, operations_of, unreadable

Json = dict[str, Any]
"""A JSON object. Any: JSON values."""

_PATH: Final = "/api/try-it"
_CHANGES_NOTHING: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_COLUMNS: Final[tuple[Column, ...]] = (
    ("method", "method"),
    ("path", "path"),
    ("port", "port"),
    ("what", lambda row: f"{row['summary']}{' (deprecated)' if row['deprecated'] else ''}"),
    ("from", "source"),
)


@remote
def try_out(
    session: Session,
    runtime: Annotated[
        str | None,
        typer.Argument(
            help="Its id, runtimeId or name; left out where --project, --integration and --environment say whose: then one "
            "that runs there is asked."
        ),
    ] = None,
    method: Annotated[str | None, typer.Argument(help="E.g. GET; without it, what can be asked for is listed.")] = None,
    path: Annotated[str | None, typer.Argument(help="With its query: `/orders?limit=1`.")] = None,
    project: ProjectOption = None,
    integration: IntegrationOption = None,
    environment: EnvironmentOption = None,
    port: Annotated[
        int | None, typer.Option("--port", min=1, max=65_535, help="One of its ports, where it has several.")
    ] = None,
    header: Annotated[
        list[str] | None, typer.Option("--header", "-H", help="`Name: value`, sent as it is; repeatable.")
    ] = None,
    data: Annotated[
        str | None,
        typer.Option("--data", "-d", help="The body; `@file` reads a file, `-` the standard input, as they are."),
    ] = None,
    example: Annotated[
        bool, typer.Option("--example", help="Send nothing: write a body that fits the operation's schema.")
    ] = False,
    search: SearchOption = None,
    confirm: ConfirmOption = None,
    whole: Annotated[bool, typer.Option("--json", help="The whole answer, as `--output json`.")] = False,
) -> None:
    """List what can be asked of a runtime's services, or ask: the body goes to the standard output, the rest beside it.

    The control plane sends the request, under your name and into the audit. Ends with 1 where the service answers 400 or more.
    """
    if whole:
        session.out.form = Form.JSON
    place = {"project": project, "integration": integration, "environment": environment}
    if any(place.values()):
        if path is not None:
            raise Misused("Runtime and place are both named.", fix="Name the runtime, or the place it runs in.")
        found, method, path = _running_in(session, place), runtime, method
    elif runtime is None:
        raise Misused(
            "It is not said whom to ask.", fix="Name a runtime, or --project, --integration and --environment."
        )
    else:
        found = find_runtime(session, runtime)
    tried = session.client.ask(ask.TRY_IT, id=found["id"])["runtime"]
    if tried is None:
        raise NotFound(f"The runtime '{found['id']}' is gone.", fix="See `pilothouse runtimes list`.")
    operations = operations_of(tried["tryIt"]["definitions"], tried["services"]["nodes"], tried["listeners"]["nodes"])
    if method is None:
        _list(session, tried, operations, search)
        return
    if path is None:
        raise Misused("It is not said what to ask for.", fix="Name method and path: `GET /orders?limit=1`.")
    asked = find_operation(operations, method.upper(), path)
    if example:
        write_text(session.out, _example(asked, method.upper(), path))
        return
    wanted = {
        "runtime": tried["id"],
        "port": _port(tried, asked, port),
        "method": method.upper(),
        "path": encoded_path(path),
        **content_of(asked, header or [], data),
    }
    if wanted["method"] not in _CHANGES_NOTHING and tried["environment"]["critical"]:
        handle = tried["environment"]["handle"]
        confirmed_name(session, handle, f"The critical environment {handle}", confirm)
    connection = session.client.connection
    answer = session.client.authorized(lambda token: connection.send("POST", _PATH, wanted, token=token))
    write_answer(session.out, answer)


def _running_in(session: Session, place: Json) -> Json:
    """Find a runtime that runs in an integration's environment, and say which.

    Raises: Misused, NotFound
    """
    if not all(place.values()):
        raise Misused("It is not said whom to ask.", fix="Give --project, --integration and --environment together.")
    wanted = {**place, "statuses": ["RUNNING"]}
    found = next(session.client.pages(ask.RUNTIMES, "runtimes", filter=wanted, first=1), None)
    if found is None:
        told = f"{place['project']}/{place['integration']} in {place['environment']}"
        raise NotFound(f"No runtime of {told} runs, or you may not see it.", fix="See `pilothouse runtimes list`.")
    session.out.note(f"Of {found['name'] or found['runtimeId']}:")
    return found


def _list(session: Session, tried: Json, operations: Sequence[Operation], search: str | None) -> None:
    told = tried["tryIt"]
    rows: list[Json] = [msgspec.to_builtins(each) for each in operations]
    if search:
        low = search.lower()
        rows = [row for row in rows if low in f"{row['method']} {row['path']} {row['summary']}".lower()]
    session.out.items(rows, _COLUMNS, lambda row: f"{row['method']} {row['path']}")
    if broken := unreadable(told["definitions"]):
        session.out.note(f"Not an OpenAPI document: {', '.join(broken)}.")
    if doors := told["doors"]:
        session.out.note(f"Ports: {', '.join(_door(door) for door in doors)}.")
    if blocked := told["blocked"]:
        session.out.note(f"Nothing can be sent now: {blocked['message']} {blocked['fix']} ({blocked['code']})")


def _door(door: Json) -> str:
    return f"{door['port']} ({door['scheme']}{'' if door['open'] else ', closed'})"


def _port(tried: Json, asked: Operation | None, given: int | None) -> int:
    """Choose the port: the one that is given, the only one, or where the operation is said to be served.

    Raises: ControlPlaneRefused if nothing can be sent, Misused
    """
    blocked, doors = tried["tryIt"]["blocked"], tried["tryIt"]["doors"]
    if blocked is not None:
        raise ControlPlaneRefused(blocked["message"], code=blocked["code"], fix=blocked["fix"])
    if given is not None:
        return given
    ports: list[int] = [door["port"] for door in doors]
    if asked is not None and asked.port is not None and asked.port in ports:
        return asked.port
    if len(ports) == 1:
        return ports[0]
    raise Misused(
        f"It takes requests at {len(ports)} ports.", fix=f"Add --port: {', '.join(_door(door) for door in doors)}."
    )


def _example(asked: Operation | None, method: str, path: str) -> str:
    body = None if asked is None else next((each.example for each in asked.bodies if each.example), None)
    if body is None:
        raise NotFound(
            f"No definition tells of a body for {method} {path}.", fix="See what there is: the same without --example."
        )
    return body
