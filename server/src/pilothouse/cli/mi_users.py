"""`pilothouse runtimes users`: who signs in to a Micro Integrator; a password is typed or read, never an argument."""

import getpass
import json
import sys
from typing import Annotated, Any, Final

import typer

from pilothouse.base.errors import InvalidInput
from pilothouse.cli.places import (
    WAIT_S,
    ConfirmOption,
    TimeoutOption,
    WaitOption,
    YesOption,
    agreed,
    confirmation_of,
    find_runtime,
)
from pilothouse.cli.remote import Session, remote
from pilothouse.cli.runtimes import RuntimeArgument, tell_commands
from pilothouse.cli.waiting import Waiting, judge
from pilothouse.client import documents as ask
from pilothouse.client.errors import Misused
from pilothouse.domain.mi_users import PASSWORD_CHARS_MAX, NewUser, check_new

Json = dict[str, Any]
"""A JSON object. Any: JSON values."""

app = typer.Typer(no_args_is_help=True)
NameArgument = Annotated[str, typer.Argument(help="Name of the user, as `list` shows it.")]
_LINE_CHARS_MAX: Final = PASSWORD_CHARS_MAX + 2


@app.callback()
def group() -> None:
    """Users of a Micro Integrator's own user store."""


@app.command("list")
@remote
def list_users(session: Session, runtime: RuntimeArgument, timeout: TimeoutOption = WAIT_S) -> None:
    """Ask a Micro Integrator for its users."""
    found = find_runtime(session, runtime)
    asked = session.client.ask(ask.ASK_RUNTIME, input={"runtime": found["id"], "question": "USERS"})["askRuntime"]
    judge(Waiting(session.client, session.out).follow([asked], timeout))
    command = session.client.ask(ask.COMMAND, id=asked["id"])["command"]
    session.out.items(_listed(command["result"]), (("name", "userId"),), "userId")


@app.command("add")
@remote
def add(
    session: Session,
    runtime: RuntimeArgument,
    name: Annotated[str, typer.Argument(help="Name of the new user.")],
    administrator: Annotated[
        bool, typer.Option("--administrator", help="It may do all that the runtime allows.")
    ] = False,
    confirm: ConfirmOption = None,
    wait: WaitOption = True,
    timeout: TimeoutOption = WAIT_S,
) -> None:
    """Add a user; the password is asked for twice, or read from the first line of the standard input."""
    found = find_runtime(session, runtime)
    handle = confirmation_of(session, found["environment"]["handle"], confirm)
    password = _password(session, name)
    wish = {
        "runtime": found["id"],
        "name": name,
        "password": password,
        "administrator": administrator,
        "confirm": handle,
    }
    command = session.client.ask(ask.ADD_MI_USER, input=wish)["addMicroIntegratorUser"]
    tell_commands(session, [command], wait=wait, timeout_s=timeout)


@app.command("remove")
@remote
def remove(
    session: Session,
    runtime: RuntimeArgument,
    name: NameArgument,
    confirm: ConfirmOption = None,
    yes: YesOption = False,
    wait: WaitOption = True,
    timeout: TimeoutOption = WAIT_S,
) -> None:
    """Remove a user: nobody signs in to the runtime by that name any more."""
    found = find_runtime(session, runtime)
    question = f"Remove the user {name} of {found['name'] or found['runtimeId']}?"
    handle = agreed(session, found["environment"], question, confirm, yes=yes)
    wish = {"runtime": found["id"], "name": name, "confirm": handle}
    command = session.client.ask(ask.REMOVE_MI_USER, input=wish)["removeMicroIntegratorUser"]
    tell_commands(session, [command], wait=wait, timeout_s=timeout)


def _password(session: Session, name: str) -> str:
    """Have a password typed twice, or read it; what cannot be one is refused here, so that it does not travel.

    Raises: Misused
    """
    if session.is_interactive:
        password = getpass.getpass(f"Password of {name}: ")
        if getpass.getpass("The same again: ") != password:
            raise Misused("The two are not the same.", fix="Type the password again.")
    else:
        password = sys.stdin.readline(_LINE_CHARS_MAX).rstrip("\r\n")
        if not password:
            raise Misused(
                "There is no password on the standard input.",
                fix="Write it there: `pilothouse runtimes users add RUNTIME NAME < file`.",
            )
    try:
        check_new(NewUser(name=name, password=password))
    except InvalidInput as error:
        raise Misused(error.message, fix=error.fix) from None
    return password


def _listed(result: str | None) -> list[Json]:
    """Read the users in an answer.

    Raises: InvalidInput
    """
    try:
        rows = json.loads(result or "null")["list"]
        return [{"userId": str(row["userId"])} for row in rows]
    except (ValueError, KeyError, TypeError):
        raise InvalidInput("The runtime answered no list of users.", fix="See `pilothouse commands list`.") from None
