"""`pilothouse listeners`, `consumers`, `schedules`, `log-level`, `trigger` and `commands`: steering, with its true outcome."""

from typing import Annotated, Any

import typer

from pilothouse.base.errors import NotFound
from pilothouse.cli.output import Column
from pilothouse.cli.places import (
    WAIT_S,
    ConfirmOption,
    EnvironmentOption,
    InEnvironment,
    InIntegration,
    InProject,
    IntegrationOption,
    ProjectOption,
    SearchOption,
    TimeoutOption,
    WaitOption,
    check_place,
    confirmation_of,
    filled,
    find_runtime,
)
from pilothouse.cli.remote import Session, remote
from pilothouse.cli.runtimes import PackageOption, add_start_and_stop, tell_commands
from pilothouse.cli.waiting import runtime_name
from pilothouse.client import documents as ask

Json = dict[str, Any]
"""A JSON object. Any: JSON values."""

listeners = typer.Typer(no_args_is_help=True)
consumers = typer.Typer(no_args_is_help=True)
schedules = typer.Typer(no_args_is_help=True)
log_level = typer.Typer(no_args_is_help=True)
commands = typer.Typer(no_args_is_help=True)
_COLUMNS: tuple[Column, ...] = (
    ("queued", "queuedAt"),
    ("runtime", runtime_name),
    ("action", "action"),
    ("name", "name"),
    ("value", "value"),
    ("state", "state"),
    ("why", "reason"),
    ("id", "id"),
)


@listeners.callback()
def listeners_group() -> None:
    """Listeners: what takes requests."""


@consumers.callback()
def consumers_group() -> None:
    """Consumers of queues, topics and subjects."""


@schedules.callback()
def schedules_group() -> None:
    """Jobs that run by the clock."""


@log_level.callback()
def log_level_group() -> None:
    """Levels of loggers at run time."""


@commands.callback()
def commands_group() -> None:
    """Commands: steps from what is to what is desired, with a life of their own."""


add_start_and_stop(listeners, "LISTENER", "listener")
add_start_and_stop(consumers, "CONSUMER", "consumer")
add_start_and_stop(schedules, "SCHEDULE", "schedule")


@log_level.command("list")
@remote
def list_levels(
    session: Session,
    project: InProject,
    integration: InIntegration,
    environment: InEnvironment,
    search: SearchOption = None,
) -> None:
    """List loggers of an integration in an environment: what is desired, and what runtimes report."""
    place = {"project": project, "integration": integration, "environment": environment}
    nodes = session.client.pages(ask.LOG_LEVELS, "steering.artifacts", **place, search=search)
    session.out.items(
        nodes,
        (
            ("logger", "name"),
            ("desired", lambda row: [each["desired"]["value"] for each in row["aspects"] if each["desired"]]),
            ("observed", lambda row: [value["value"] for each in row["aspects"] for value in each["observed"]]),
            ("in sync", lambda row: all(each["inSync"] for each in row["aspects"])),
        ),
        "name",
    )


@log_level.command("set")
@remote
def set_level(
    session: Session,
    logger: Annotated[str, typer.Argument(help="Name of the logger.")],
    level: Annotated[str, typer.Argument(help="DEBUG, INFO, WARN, ERROR; PY and MI: FATAL; MI: TRACE, OFF.")],
    project: InProject,
    integration: InIntegration,
    environment: InEnvironment,
    confirm: ConfirmOption = None,
    wait: WaitOption = True,
    timeout: TimeoutOption = WAIT_S,
) -> None:
    """Set the level of a logger on every runtime of an integration in an environment, later ones too."""
    where: Json = {"project": project, "integration": integration, "environment": environment}
    where |= {"logger": logger, "level": level.upper(), "confirm": confirmation_of(session, environment, confirm)}
    change = session.client.ask(ask.CHANGE_LOG_LEVEL, input=where)["changeLogLevel"]
    tell_commands(session, change["commands"], wait=wait, timeout_s=timeout, waiting=change["waiting"])


@log_level.command("reset")
@remote
def reset_level(
    session: Session,
    logger: Annotated[str, typer.Argument(help="Name of the logger.")],
    project: InProject,
    integration: InIntegration,
    environment: InEnvironment,
    confirm: ConfirmOption = None,
    wait: WaitOption = True,
    timeout: TimeoutOption = WAIT_S,
) -> None:
    """Forget the desired level of a logger: Python runtimes go back to the program's own."""
    where: Json = {"project": project, "integration": integration, "environment": environment}
    where |= {"logger": logger, "confirm": confirmation_of(session, environment, confirm)}
    change = session.client.ask(ask.RESET_LOG_LEVEL, input=where)["resetLogLevel"]
    tell_commands(session, change["commands"], wait=wait, timeout_s=timeout, waiting=change["waiting"])


@remote
def trigger(
    session: Session,
    name: Annotated[str, typer.Argument(help="Name of the schedule (PY) or task (MI).")],
    runtime: Annotated[str, typer.Option("--runtime", help="On this runtime: id, runtimeId or name.")],
    kind: Annotated[str, typer.Option("--kind", help="SCHEDULE or TASK; by the runtime's type unless given.")] = "",
    package: PackageOption = None,
    confirm: ConfirmOption = None,
    wait: WaitOption = True,
    timeout: TimeoutOption = WAIT_S,
) -> None:
    """Run a schedule or a task once, now, on one runtime."""
    found = find_runtime(session, runtime)
    wanted = kind.upper() or ("TASK" if found["type"] == "MI" else "SCHEDULE")
    confirmed = confirmation_of(session, found["environment"]["handle"], confirm)
    wish = {"runtime": found["id"], "kind": wanted, "name": name, "package": package, "confirm": confirmed}
    command = session.client.ask(ask.TRIGGER, input=wish)["triggerArtifact"]
    tell_commands(session, [command], wait=wait, timeout_s=timeout)


@commands.command("list")
@remote
def list_commands(
    session: Session,
    project: ProjectOption = None,
    integration: IntegrationOption = None,
    environment: EnvironmentOption = None,
    runtime: Annotated[str | None, typer.Option("--runtime", help="Of this runtime: id, runtimeId or name.")] = None,
    state: Annotated[list[str] | None, typer.Option("--state", help="E.g. QUEUED, FAILED; repeatable.")] = None,
) -> None:
    """List commands, newest first."""
    check_place(project, integration)
    wanted = filled(
        project=project,
        integration=integration,
        environment=environment,
        runtime=None if runtime is None else find_runtime(session, runtime)["id"],
        states=[each.upper() for each in state] if state else None,
    )
    session.out.items(session.client.pages(ask.COMMANDS, "commands", filter=wanted), _COLUMNS)


@commands.command("show")
@remote
def show(session: Session, command: Annotated[str, typer.Argument(help="Its id.")]) -> None:
    """Show one command, with what the runtime answered."""
    found = session.client.ask(ask.COMMAND, id=command)["command"]
    if found is None:
        raise NotFound(
            f"There is no command '{command}', or you may not see it.", fix="See `pilothouse commands list`."
        )
    more: tuple[Column, ...] = (
        *_COLUMNS,
        ("by", "author"),
        ("route", "route"),
        ("attempts", "attempts"),
        ("delivered", "deliveredAt"),
        ("ended", "endedAt"),
        ("deadline", "deadline"),
        ("result", "result"),
    )
    session.out.item(found, more)


@commands.command("retry")
@remote
def retry(
    session: Session,
    command: Annotated[str, typer.Argument(help="Its id.")],
    wait: WaitOption = True,
    timeout: TimeoutOption = WAIT_S,
) -> None:
    """Try a failed or expired command once more, as a new one."""
    tried = session.client.ask(ask.RETRY_COMMAND, id=command)["retryCommand"]
    tell_commands(session, [tried], wait=wait, timeout_s=timeout)
