"""`pilothouse runtimes`, `artifacts` and `watch`: what runs, what it hosts, and how it changes."""

from typing import Annotated, Any

import typer

from pilothouse.cli.output import Column, said
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
    YesOption,
    agreed,
    check_place,
    confirmation_of,
    filled,
    find_runtime,
)
from pilothouse.cli.remote import Session, remote
from pilothouse.cli.waiting import Waiting, counted, judge
from pilothouse.client import documents as ask
from pilothouse.client.errors import Misused, WaitedTooLong

Json = dict[str, Any]
"""A JSON object. Any: JSON values."""

app = typer.Typer(no_args_is_help=True)
artifacts = typer.Typer(no_args_is_help=True)
RuntimeArgument = Annotated[str, typer.Argument(help="Its id, its runtimeId, or its name if only one bears it.")]
_COLUMNS: tuple[Column, ...] = (
    ("name", lambda row: row["name"] or row["runtimeId"]),
    ("type", "type"),
    ("status", "status"),
    ("changes", "changes.state"),
    ("environment", "environment.handle"),
    ("integration", lambda row: f"{row['project']['handle']}/{row['integration']['handle']}"),
    ("last heartbeat", "lastHeartbeatAt"),
    ("id", "id"),
)
_ALL: tuple[Column, ...] = (
    ("id", "id"),
    ("runtime id", "runtimeId"),
    ("name", "name"),
    ("type", "type"),
    ("status", "status"),
    ("why", "statusReason"),
    ("since", "statusSince"),
    ("changes", "changes.state"),
    ("why so", "changes.reason"),
    ("environment", "environment.handle"),
    ("project", "project.handle"),
    ("integration", "integration.handle"),
    ("last heartbeat", "lastHeartbeatAt"),
    ("address", "address"),
    ("version", "version"),
    ("registered", "registeredAt"),
    ("secret", "secretKeyId"),
    ("services", "serviceCount"),
    ("listeners", "listenerCount"),
    ("capabilities", "capabilities"),
    ("restartable", "restartable"),
    ("host", "node.hostname"),
    ("process", "node.processId"),
    ("platform", lambda row: " ".join(filter(None, (row["node"]["platformName"], row["node"]["platformVersion"])))),
    ("warnings", lambda row: [warning["message"] for warning in row["warnings"]]),
)


@app.callback()
def group() -> None:
    """Runtimes: running processes of integrations."""


@app.command("list")
@remote
def list_runtimes(
    session: Session,
    project: ProjectOption = None,
    integration: IntegrationOption = None,
    environment: EnvironmentOption = None,
    status: Annotated[
        list[str] | None, typer.Option("--status", help="RUNNING, OFFLINE or UNKNOWN; repeatable.")
    ] = None,
    search: SearchOption = None,
) -> None:
    """List runtimes with their status."""
    check_place(project, integration)
    statuses = [each.upper() for each in status] if status else None
    wanted = filled(project=project, integration=integration, environment=environment, statuses=statuses, search=search)
    session.out.items(session.client.pages(ask.RUNTIMES, "runtimes", filter=wanted), _COLUMNS)


@app.command("show")
@remote
def show(session: Session, runtime: RuntimeArgument) -> None:
    """Show one runtime, with why it is as it is."""
    session.out.item(find_runtime(session, runtime), _ALL)


@app.command("restart")
@remote
def restart(
    session: Session,
    runtime: RuntimeArgument,
    confirm: ConfirmOption = None,
    wait: WaitOption = True,
    timeout: TimeoutOption = WAIT_S,
) -> None:
    """Restart a Python runtime; done when its new process reports."""
    found = find_runtime(session, runtime)
    name = confirmation_of(session, found["environment"]["handle"], confirm)
    command = session.client.ask(ask.RESTART_RUNTIME, id=found["id"], confirm=name)["restartRuntime"]
    tell_commands(session, [command], wait=wait, timeout_s=timeout)


@app.command("remove")
@remote
def remove(
    session: Session,
    runtime: RuntimeArgument,
    revoke_secret: Annotated[
        bool, typer.Option("--revoke-secret", help="Its secret too, when no other runtime uses it.")
    ] = False,
    confirm: ConfirmOption = None,
    yes: YesOption = False,
) -> None:
    """Remove a runtime with its history of commands; one that still runs comes back unless its secret goes too."""
    found = find_runtime(session, runtime)
    name = found["name"] or found["runtimeId"]
    agreed(session, found["environment"], f"Remove {name}?", confirm, yes=yes)
    done = session.client.ask(ask.DELETE_RUNTIME, id=found["id"], revokeSecret=revoke_secret)["deleteRuntime"]
    orphan = done["orphanedKeyId"]
    told = f" No other runtime uses its secret {orphan}." if orphan and not done["secretRevoked"] else ""
    session.out.done({"id": found["id"], **done}, f"{name} is removed.{told}")


def tell_commands(session: Session, commands: list[Json], *, wait: bool, timeout_s: float, waiting: int = 0) -> None:
    """Follow commands, write what came of them, and fail if one did not do what it was for, or nobody is there to do it.

    Raises: Failed, WaitedTooLong
    """
    followed = Waiting(session.client, session.out)
    try:
        ended = followed.follow(commands, timeout_s) if wait else commands
    except WaitedTooLong:
        if not session.out.is_for_people:
            session.out.items(followed.known, ())
        raise
    if not session.out.is_for_people:
        session.out.items(ended, ())
    elif not ended and not waiting:
        session.out.line("Nothing to do: every running runtime is as you want it.")
    elif not wait:
        session.out.line(f"On the way: {counted(len(ended), 'command')}.")
    if wait and waiting and not ended:
        raise WaitedTooLong(
            f"Nobody confirmed it: no runtime is running now, {counted(waiting, 'runtime')} will follow when back.",
            fix="What is desired is kept. Look at `pilothouse runtimes list`; --no-wait does not ask for a confirmation.",
        )
    if waiting:
        session.out.note(f"Not running now: {counted(waiting, 'runtime')}; to follow when back.")
    judge(ended)
    if wait and ended and session.out.is_for_people:
        session.out.line(f"Confirmed by {len(ended)} of {counted(len(ended), 'runtime')}.")


@artifacts.callback()
def artifacts_group() -> None:
    """Artifacts: what runtimes host."""


@artifacts.command("list")
@remote
def list_artifacts(
    session: Session,
    runtime: Annotated[str | None, typer.Option("--runtime", help="Of this runtime alone.")] = None,
    project: ProjectOption = None,
    integration: IntegrationOption = None,
    environment: EnvironmentOption = None,
    kind: Annotated[str | None, typer.Option("--kind", help="E.g. SERVICE, LISTENER, CONSUMER.")] = None,
    search: SearchOption = None,
    differing: Annotated[bool, typer.Option("--differing", help="Only where running replicas differ.")] = False,
) -> None:
    """List artifacts of one runtime, or of an integration in an environment, merged over its replicas."""
    chosen = kind.upper() if kind else None
    if runtime is not None:
        found = find_runtime(session, runtime)
        nodes = session.client.pages(ask.ARTIFACTS, "runtime.artifacts", id=found["id"], kind=chosen, search=search)
        columns: tuple[Column, ...] = (("kind", "kind"), ("name", "name"), ("state", "state"), ("package", "package"))
    elif project and integration and environment:
        place = {"project": project, "integration": integration, "environment": environment}
        nodes = session.client.pages(
            ask.MERGED_ARTIFACTS, "mergedArtifacts", **place, kind=chosen, search=search, onlyDiffering=differing
        )
        columns = (
            ("kind", "kind"),
            ("name", "name"),
            ("state", "state"),
            ("in sync", "inSync"),
            ("hosted by", lambda row: row["hostCount"]),
            ("missing on", lambda row: len(row["missingOn"])),
        )
    else:
        raise Misused(
            "It is not said whose artifacts.", fix="Give --runtime, or --project, --integration and --environment."
        )
    session.out.items(nodes, columns, "name")


def _change(
    session: Session, kind: str, name: str, value: str, where: Json, more: Json, *, wait: bool, timeout_s: float
) -> None:
    confirm = confirmation_of(session, where["environment"], more.pop("confirm", None))
    wish = {**where, **more, "kind": kind.upper(), "name": name, "value": value, "confirm": confirm}
    change = session.client.ask(ask.CHANGE_ARTIFACT, input=wish)["changeArtifact"]
    tell_commands(session, change["commands"], wait=wait, timeout_s=timeout_s, waiting=change["waiting"])


PackageOption = Annotated[str | None, typer.Option("--package", help="Where two artifacts of one kind bear the name.")]


def add_start_and_stop(app_: typer.Typer, kind: str, noun: str) -> None:
    """Give a group of commands `start` and `stop` for one kind of artifact."""

    def verb(value: str) -> Any:  # Any: a function that typer reads
        def change(
            session: Session,
            name: Annotated[str, typer.Argument(help=f"Name of the {noun}.")],
            project: InProject,
            integration: InIntegration,
            environment: InEnvironment,
            package: PackageOption = None,
            confirm: ConfirmOption = None,
            wait: WaitOption = True,
            timeout: TimeoutOption = WAIT_S,
        ) -> None:
            where = {"project": project, "integration": integration, "environment": environment}
            more = {"aspect": "STATE", "package": package, "confirm": confirm}
            _change(session, kind, name, value, where, more, wait=wait, timeout_s=timeout)

        return change

    for name, value in (("start", "ENABLED"), ("stop", "DISABLED")):
        sentence = f"{name.capitalize()} a {noun} on every runtime of an integration in an environment, later ones too."
        app_.command(name, help=sentence)(remote(verb(value)))


@artifacts.command("set")
@remote
def set_artifact(
    session: Session,
    kind: Annotated[str, typer.Argument(help="E.g. PROXY_SERVICE, ENDPOINT, TASK.")],
    name: Annotated[str, typer.Argument(help="Name of the artifact.")],
    value: Annotated[str, typer.Argument(help="ENABLED or DISABLED.")],
    project: InProject,
    integration: InIntegration,
    environment: InEnvironment,
    aspect: Annotated[str, typer.Option("--aspect", help="STATE, TRACING or STATISTICS.")] = "STATE",
    package: PackageOption = None,
    confirm: ConfirmOption = None,
    wait: WaitOption = True,
    timeout: TimeoutOption = WAIT_S,
) -> None:
    """Set what is desired of an artifact of any kind: its state, tracing or statistics."""
    where = {"project": project, "integration": integration, "environment": environment}
    more = {"aspect": aspect.upper(), "package": package, "confirm": confirm}
    _change(session, kind, name, value.upper(), where, more, wait=wait, timeout_s=timeout)


@remote
def watch(
    session: Session,
    project: ProjectOption = None,
    integration: IntegrationOption = None,
    environment: EnvironmentOption = None,
) -> None:
    """Follow changes of runtimes as they happen, until Ctrl-C; a broken connection goes on where it was."""
    check_place(project, integration)
    wanted = filled(project=project, integration=integration, environment=environment)
    for change in session.client.follow(ask.RUNTIME_CHANGED, "runtimeChanged", {"filter": wanted}, session.note_break):
        session.out.record(change, _sentence(change))


def _sentence(change: Json) -> str:
    if change["resync"]:
        return f"{change['at']}  some changes were missed: see `pilothouse runtimes list`"
    runtime, command = change["runtime"], change["command"]
    name = said(runtime and (runtime["name"] or runtime["runtimeId"]))
    if command is not None:
        return f"{change['at']}  {name}  {command['action']} {command['name']}: {command['state']}: {command['reason']}"
    reason = f": {runtime['statusReason']}" if runtime else ""
    return f"{change['at']}  {name}  {change['kind']}{reason}"
