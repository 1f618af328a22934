"""`pilothouse projects`, `integrations` and `environments`."""

from typing import Annotated, Any

import typer

from pilothouse.cli.output import Column
from pilothouse.cli.places import ConfirmOption, InProject, ProjectOption, SearchOption, confirmation_of, filled
from pilothouse.cli.remote import Session, confirmed_name, remote
from pilothouse.client import documents as ask

Json = dict[str, Any]
"""A JSON object. Any: JSON values."""

projects = typer.Typer(no_args_is_help=True)
integrations = typer.Typer(no_args_is_help=True)
environments = typer.Typer(no_args_is_help=True)

_COUNTS: tuple[Column, ...] = (("runtimes", "runtimes.total"), ("running", "runtimes.running"))
_PROJECT: tuple[Column, ...] = (
    ("handle", "handle"),
    ("name", "displayName"),
    ("integrations", "integrationCount"),
    *_COUNTS,
)
_INTEGRATION: tuple[Column, ...] = (
    ("project", "project.handle"),
    ("handle", "handle"),
    ("name", "displayName"),
    ("type", "runtimeType"),
    *_COUNTS,
)
_ENVIRONMENT: tuple[Column, ...] = (
    ("handle", "handle"),
    ("name", "displayName"),
    ("critical", "critical"),
    ("try-it", "tryIt"),
    *_COUNTS,
)

HandleArgument = Annotated[str, typer.Argument(help="Its handle.")]
NameArgument = Annotated[str, typer.Argument(help="What people read.")]
HandleOption = Annotated[str | None, typer.Option("--handle", help="Derived from the name unless given; it stays.")]
DescriptionOption = Annotated[str | None, typer.Option("--description", help="A few sentences.")]
NameOption = Annotated[str | None, typer.Option("--name", help="What people read.")]
CascadeOption = Annotated[bool, typer.Option("--cascade", help="With all that hangs on it; confirmed by the handle.")]


@projects.callback()
def projects_group() -> None:
    """Projects: groups of integrations."""


@integrations.callback()
def integrations_group() -> None:
    """Integrations: deployable units of projects."""


@environments.callback()
def environments_group() -> None:
    """Environments: where integrations are deployed."""


@projects.command("list")
@remote
def list_projects(session: Session, search: SearchOption = None) -> None:
    """List projects."""
    session.out.items(session.client.pages(ask.PROJECTS, "projects", search=search), _PROJECT, "handle")


@projects.command("create")
@remote
def create_project(
    session: Session, name: NameArgument, handle: HandleOption = None, description: DescriptionOption = None
) -> None:
    """Create a project, with its group of administrators, and be one of them."""
    wanted = filled(displayName=name, handle=handle, description=description)
    made = session.client.ask(ask.CREATE_PROJECT, input=wanted)["createProject"]
    session.out.done(made, f"Project {made['handle']} is created.", "handle")


@projects.command("update")
@remote
def update_project(
    session: Session, handle: HandleArgument, name: NameOption = None, description: DescriptionOption = None
) -> None:
    """Change a project's name or description."""
    wanted = filled(displayName=name, description=description) or {}
    made = session.client.ask(ask.UPDATE_PROJECT, handle=handle, input=wanted)["updateProject"]
    session.out.done(made, f"Project {handle} is changed.", "handle")


@projects.command("delete")
@remote
def delete_project(
    session: Session, handle: HandleArgument, cascade: CascadeOption = False, confirm: ConfirmOption = None
) -> None:
    """Delete a project; while something hangs on it, only with --cascade."""
    name = confirmed_name(session, handle, f"Deleting the project {handle}", confirm)
    done = session.client.ask(ask.DELETE_PROJECT, handle=handle, cascade=cascade, confirm=name)["deleteProject"]
    session.out.done(done, done["message"], "handle")


@integrations.command("list")
@remote
def list_integrations(
    session: Session,
    project: ProjectOption = None,
    runtime_type: Annotated[str | None, typer.Option("--type", help="PY, BI or MI.")] = None,
    search: SearchOption = None,
) -> None:
    """List integrations, of one project or of all."""
    kind = runtime_type.upper() if runtime_type else None
    nodes = session.client.pages(ask.INTEGRATIONS, "integrations", project=project, runtimeType=kind, search=search)
    session.out.items(nodes, _INTEGRATION, "handle")


@integrations.command("create")
@remote
def create_integration(
    session: Session,
    name: NameArgument,
    project: InProject,
    runtime_type: Annotated[str, typer.Option("--type", help="PY, BI or MI; it stays.")],
    handle: HandleOption = None,
    description: DescriptionOption = None,
) -> None:
    """Create an integration."""
    wanted = filled(
        project=project, displayName=name, handle=handle, description=description, runtimeType=runtime_type.upper()
    )
    made = session.client.ask(ask.CREATE_INTEGRATION, input=wanted)["createIntegration"]
    session.out.done(made, f"Integration {project}/{made['handle']} is created.", "handle")


@integrations.command("update")
@remote
def update_integration(
    session: Session,
    handle: HandleArgument,
    project: InProject,
    name: NameOption = None,
    description: DescriptionOption = None,
) -> None:
    """Change an integration's name or description."""
    wanted = filled(displayName=name, description=description) or {}
    made = session.client.ask(ask.UPDATE_INTEGRATION, project=project, handle=handle, input=wanted)
    session.out.done(made["updateIntegration"], f"Integration {project}/{handle} is changed.", "handle")


@integrations.command("delete")
@remote
def delete_integration(
    session: Session,
    handle: HandleArgument,
    project: InProject,
    cascade: CascadeOption = False,
    confirm: ConfirmOption = None,
) -> None:
    """Delete an integration; while something hangs on it, only with --cascade."""
    name = confirmed_name(session, handle, f"Deleting the integration {handle}", confirm)
    variables = {"project": project, "handle": handle, "cascade": cascade, "confirm": name}
    done = session.client.ask(ask.DELETE_INTEGRATION, **variables)["deleteIntegration"]
    session.out.done(done, done["message"], "handle")


@environments.command("list")
@remote
def list_environments(session: Session) -> None:
    """List environments."""
    session.out.items(session.client.pages(ask.ENVIRONMENTS, "environments"), _ENVIRONMENT, "handle")


CriticalOption = Annotated[
    bool | None, typer.Option("--critical/--not-critical", help="Whether what touches it is confirmed by name.")
]


@environments.command("create")
@remote
def create_environment(
    session: Session, name: NameArgument, handle: HandleOption = None, critical: CriticalOption = None
) -> None:
    """Create an environment; it is critical only if told."""
    wanted = filled(displayName=name, handle=handle, critical=bool(critical))
    made = session.client.ask(ask.CREATE_ENVIRONMENT, input=wanted)["createEnvironment"]
    session.out.done(made, f"Environment {made['handle']} is created.", "handle")


@environments.command("update")
@remote
def update_environment(
    session: Session, handle: HandleArgument, name: NameOption = None, critical: CriticalOption = None
) -> None:
    """Change an environment's name, or whether it is critical."""
    wanted = filled(displayName=name, critical=critical) or {}
    made = session.client.ask(ask.UPDATE_ENVIRONMENT, handle=handle, input=wanted)["updateEnvironment"]
    session.out.done(made, f"Environment {handle} is changed.", "handle")


@environments.command("try-it")
@remote
def set_try_it(
    session: Session,
    handle: HandleArgument,
    allow: Annotated[bool, typer.Option("--allow/--forbid", help="Whether services may be tried out there.")],
    confirm: ConfirmOption = None,
) -> None:
    """Say whether services may be tried out in an environment; unless said, they may where it is not critical."""
    if allow:
        confirmation_of(session, handle, confirm)
    made = session.client.ask(ask.SET_TRY_IT, environment=handle, allowed=allow)["setTryIt"]
    told = "may be tried out" if made["tryIt"] else "are not tried out"
    session.out.done(made, f"Services {told} in {handle}.", "handle")


@environments.command("delete")
@remote
def delete_environment(
    session: Session, handle: HandleArgument, cascade: CascadeOption = False, confirm: ConfirmOption = None
) -> None:
    """Delete an environment; while something hangs on it, only with --cascade."""
    name = confirmed_name(session, handle, f"Deleting the environment {handle}", confirm)
    done = session.client.ask(ask.DELETE_ENVIRONMENT, handle=handle, cascade=cascade, confirm=name)
    session.out.done(done["deleteEnvironment"], done["deleteEnvironment"]["message"], "handle")
