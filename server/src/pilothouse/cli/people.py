"""`pilothouse users`, `groups`, `roles`, `mappings` and `why`: who may do what, and through what."""

from typing import Annotated, Any

import typer

from pilothouse.base.errors import NotFound
from pilothouse.cli.output import Column, said
from pilothouse.cli.places import (
    EnvironmentOption,
    IntegrationOption,
    ProjectOption,
    SearchOption,
    YesOption,
    check_place,
    filled,
)
from pilothouse.cli.remote import Session, ask_or_refuse, one_by_name, remote
from pilothouse.client import documents as ask
from pilothouse.client.apply.present import schema_name
from pilothouse.client.errors import Misused

Json = dict[str, Any]
"""A JSON object. Any: JSON values."""

users = typer.Typer(no_args_is_help=True)
groups = typer.Typer(no_args_is_help=True)
roles = typer.Typer(no_args_is_help=True)
mappings = typer.Typer(no_args_is_help=True)

UserArgument = Annotated[str, typer.Argument(help="User name or id.")]
GroupArgument = Annotated[str, typer.Argument(help="Name or id of the group.")]
RoleArgument = Annotated[str, typer.Argument(help="Name or id of the role.")]
UsersArgument = Annotated[list[str], typer.Argument(help="User names or ids.")]
DescriptionOption = Annotated[str | None, typer.Option("--description", help="A few sentences.")]
_USER: tuple[Column, ...] = (
    ("user name", "username"),
    ("name", "displayName"),
    ("kind", "kind"),
    ("state", "state"),
    ("groups", "groups"),
    ("last sign-in", "lastSignInAt"),
    ("id", "id"),
)
_GROUP: tuple[Column, ...] = (
    ("name", "name"),
    ("members", "memberCount"),
    ("built in", "builtIn"),
    ("project", "project.handle"),
    ("description", "description"),
    ("id", "id"),
)
_ROLE: tuple[Column, ...] = (
    ("name", "name"),
    ("built in", "builtIn"),
    ("groups", "groupCount"),
    ("permissions", "permissions"),
    ("id", "id"),
)


def _place(scope: Json) -> str:
    parts = [said(scope[name]["handle"]) for name in ("project", "integration") if scope[name]]
    where = "/".join(parts) or "organization"
    return f"{where} in {scope['environment']['handle']}" if scope["environment"] else where


_MAPPING: tuple[Column, ...] = (
    ("group", "group.name"),
    ("role", "role.name"),
    ("scope", lambda row: _place(row["scope"])),
    ("by", "createdBy"),
    ("id", "id"),
)


@users.callback()
def users_group() -> None:
    """People and service accounts."""


@groups.callback()
def groups_group() -> None:
    """Groups: people get roles through them."""


@roles.callback()
def roles_group() -> None:
    """Roles: sets of permissions."""


@mappings.callback()
def mappings_group() -> None:
    """Mappings: which group has which role, and where."""


def user_id(session: Session, name: str) -> str:
    """Find a user by name or id."""
    return one_by_name(session, ask.USERS, "users", "username", name)["id"]


def group_id(session: Session, name: str) -> str:
    """Find a group by name or id."""
    return one_by_name(session, ask.GROUPS, "groups", "name", name)["id"]


def _role_id(session: Session, name: str) -> str:
    return one_by_name(session, ask.ROLES, "roles", "name", name)["id"]


@users.command("list")
@remote
def list_users(
    session: Session,
    search: SearchOption = None,
    group: Annotated[str | None, typer.Option("--group", help="Only members of it.")] = None,
) -> None:
    """List users."""
    wanted = filled(search=search, group=None if group is None else group_id(session, group))
    session.out.items(session.client.pages(ask.USERS, "users", filter=wanted), _USER, "username")


@users.command("create")
@remote
def create_user(
    session: Session,
    username: Annotated[str, typer.Argument(help="Lower-case letters, digits, `.`, `_`, `-`, `@`; it stays.")],
    name: Annotated[str | None, typer.Option("--name", help="What people read; the user name unless given.")] = None,
    email: Annotated[str | None, typer.Option("--email", help="Where to reach them.")] = None,
    service: Annotated[
        bool, typer.Option("--service", help="A service account: no password, acts through API tokens.")
    ] = False,
    group: Annotated[list[str] | None, typer.Option("--group", help="Put them into it; repeatable.")] = None,
) -> None:
    """Create a user. A person's first password is shown once and must be changed."""
    wanted = filled(
        username=username,
        displayName=name or username,
        email=email,
        kind="SERVICE" if service else "PERSON",
        groups=[group_id(session, each) for each in group] if group else None,
    )
    made = session.client.ask(ask.CREATE_USER, input=wanted)["createUser"]
    session.out.done(made, f"User {username} is created.", "user.username")
    if made["oneTimePassword"] and session.out.is_for_people:
        session.out.line(f"First password, shown once: {made['oneTimePassword']}")


@users.command("disable")
@remote
def disable_user(session: Session, user: UserArgument) -> None:
    """Keep a user out: every session ends and every token stops."""
    _set_disabled(session, user, disabled=True)


@users.command("enable")
@remote
def enable_user(session: Session, user: UserArgument) -> None:
    """Let a disabled user in again."""
    _set_disabled(session, user, disabled=False)


def _set_disabled(session: Session, user: str, *, disabled: bool) -> None:
    done = session.client.ask(ask.UPDATE_USER, id=user_id(session, user), input={"disabled": disabled})["updateUser"]
    session.out.done(done, f"User {done['username']} is {'disabled' if disabled else 'enabled'}.", "username")


@users.command("reset-password")
@remote
def reset_password(session: Session, user: UserArgument) -> None:
    """Give a user a password that is shown once; every session of theirs ends."""
    done = session.client.ask(ask.RESET_PASSWORD, user=user_id(session, user))["resetPassword"]
    session.out.done(done, f"New password of {user}, shown once: {done['password']}", "password")


@users.command("unlock")
@remote
def unlock_user(session: Session, user: UserArgument) -> None:
    """Forget failed attempts, so that they may try again at once."""
    session.client.ask(ask.UNLOCK_USER, id=user_id(session, user))
    session.out.done({"user": user}, f"User {user} may try again.", "user")


@users.command("delete")
@remote
def delete_user(session: Session, user: UserArgument, yes: YesOption = False) -> None:
    """Delete a user; their name stays in the audit."""
    found = user_id(session, user)
    if not yes and not ask_or_refuse(session, f"Delete user {user}?", "Add --yes."):
        raise typer.Exit(1)
    session.client.ask(ask.DELETE_USER, id=found)
    session.out.done({"id": found, "deleted": True}, f"User {user} is deleted.")


@groups.command("list")
@remote
def list_groups(session: Session, search: SearchOption = None) -> None:
    """List groups."""
    session.out.items(session.client.pages(ask.GROUPS, "groups", search=search), _GROUP, "name")


@groups.command("members")
@remote
def members(session: Session, group: GroupArgument) -> None:
    """List the members of a group."""
    nodes = session.client.pages(ask.GROUP_MEMBERS, "group.members", id=group_id(session, group))
    columns: tuple[Column, ...] = (
        ("user name", "user.username"),
        ("name", "user.displayName"),
        ("since", "addedAt"),
        ("by SSO", "fromSso"),
    )
    session.out.items(nodes, columns, "user.username")


@groups.command("create")
@remote
def create_group(
    session: Session,
    name: Annotated[str, typer.Argument(help="Its name.")],
    description: DescriptionOption = None,
) -> None:
    """Create a group."""
    made = session.client.ask(ask.CREATE_GROUP, input=filled(name=name, description=description))["createGroup"]
    session.out.done(made, f"Group {name} is created.", "name")


@groups.command("delete")
@remote
def delete_group(
    session: Session,
    group: GroupArgument,
    cascade: Annotated[bool, typer.Option("--cascade", help="With the roles mapped to it.")] = False,
    yes: YesOption = False,
) -> None:
    """Delete a group."""
    found = group_id(session, group)
    if not yes and not ask_or_refuse(session, f"Delete group {group}?", "Add --yes."):
        raise typer.Exit(1)
    session.client.ask(ask.DELETE_GROUP, id=found, cascade=cascade)
    session.out.done({"id": found, "deleted": True}, f"Group {group} is deleted.")


@groups.command("add")
@remote
def add_members(session: Session, group: GroupArgument, users_: UsersArgument) -> None:
    """Put users into a group."""
    ids = [user_id(session, each) for each in users_]
    done = session.client.ask(ask.ADD_MEMBERS, group=group_id(session, group), users=ids)["addGroupMembers"]
    session.out.done(done, f"Group {done['name']} has {done['memberCount']} members.", "name")


@groups.command("remove")
@remote
def remove_members(session: Session, group: GroupArgument, users_: UsersArgument) -> None:
    """Take users out of a group."""
    ids = [user_id(session, each) for each in users_]
    done = session.client.ask(ask.REMOVE_MEMBERS, group=group_id(session, group), users=ids)["removeGroupMembers"]
    session.out.done(done, f"Group {done['name']} has {done['memberCount']} members.", "name")


PermissionsOption = Annotated[
    list[str], typer.Option("--permission", help="E.g. integration_mgt:view; repeatable. See `roles permissions`.")
]


@roles.command("list")
@remote
def list_roles(session: Session, search: SearchOption = None) -> None:
    """List roles."""
    session.out.items(session.client.pages(ask.ROLES, "roles", search=search), _ROLE, "name")


@roles.command("permissions")
@remote
def permissions(session: Session) -> None:
    """List every permission that can be granted, with its meaning."""
    rows = session.client.ask(ask.PERMISSIONS)["permissions"]
    columns: tuple[Column, ...] = (("permission", "name"), ("meaning", "meaning"))
    session.out.items(rows, columns, "name")


@roles.command("create")
@remote
def create_role(
    session: Session,
    name: Annotated[str, typer.Argument(help="Its name.")],
    permission: PermissionsOption,
    description: DescriptionOption = None,
) -> None:
    """Create a role."""
    wanted = filled(name=name, description=description, permissions=[schema_name(each) for each in permission])
    made = session.client.ask(ask.CREATE_ROLE, input=wanted)["createRole"]
    session.out.done(made, f"Role {name} is created.", "name")


@roles.command("delete")
@remote
def delete_role(session: Session, role: RoleArgument, yes: YesOption = False) -> None:
    """Delete a role that is mapped nowhere."""
    found = _role_id(session, role)
    if not yes and not ask_or_refuse(session, f"Delete role {role}?", "Add --yes."):
        raise typer.Exit(1)
    session.client.ask(ask.DELETE_ROLE, id=found)
    session.out.done({"id": found, "deleted": True}, f"Role {role} is deleted.")


@mappings.command("list")
@remote
def list_mappings(
    session: Session,
    group: Annotated[str | None, typer.Option("--group", help="Roles of this group.")] = None,
    role: Annotated[str | None, typer.Option("--role", help="Groups with this role.")] = None,
) -> None:
    """List the mappings of a group or of a role."""
    if (group is None) == (role is None):
        raise Misused("It is not said whose mappings.", fix="Give --group or --role.")
    if group is not None:
        nodes = session.client.pages(ask.GROUP_MAPPINGS, "group.mappings", id=group_id(session, group))
    else:
        nodes = session.client.pages(ask.ROLE_MAPPINGS, "role.mappings", id=_role_id(session, role or ""))
    session.out.items(nodes, _MAPPING)


@mappings.command("map")
@remote
def map_role(
    session: Session,
    group: GroupArgument,
    role: RoleArgument,
    project: ProjectOption = None,
    integration: IntegrationOption = None,
    environment: EnvironmentOption = None,
) -> None:
    """Give a group a role, in the whole organization unless a place is named."""
    check_place(project, integration)
    wanted = {
        "group": group_id(session, group),
        "role": _role_id(session, role),
        "scope": filled(project=project, integration=integration, environment=environment),
    }
    made = session.client.ask(ask.MAP_ROLE, input=wanted)["mapRole"]
    session.out.done(made, f"Group {group} has the role {role} in {_place(made['scope'])}.")


@mappings.command("unmap")
@remote
def unmap_role(
    session: Session, mapping: Annotated[str, typer.Argument(help="Its id, as `mappings list` tells.")]
) -> None:
    """Take a role from a group."""
    session.client.ask(ask.UNMAP_ROLE, id=mapping)
    session.out.done({"id": mapping, "deleted": True}, "The mapping is gone.")


@remote
def why(
    session: Session,
    user: Annotated[str, typer.Argument(help="User name, id, or `me`.")],
    permission: Annotated[str, typer.Argument(help="E.g. integration_mgt:edit.")],
    project: ProjectOption = None,
    integration: IntegrationOption = None,
    environment: EnvironmentOption = None,
) -> None:
    """Tell whether somebody may do something in a place, and why; ends with 4 if not."""
    check_place(project, integration)
    place = filled(project=project, integration=integration, environment=environment)
    known = {each["name"] for each in session.client.ask(ask.PERMISSIONS)["permissions"]}
    if permission not in known and permission.lower().replace("_mgt_", "_mgt:") not in known:
        raise NotFound(f"There is no permission '{permission}'.", fix="See `pilothouse roles permissions`.")
    whom = None if user == "me" else user_id(session, user)
    variables = {"permission": schema_name(permission), "place": place, "user": whom}
    decision = session.client.ask(ask.ACCESS, **variables)["access"]
    if session.out.is_for_people:
        session.out.line(f"{'yes' if decision['allowed'] else 'no'}: {decision['reason']}")
        for title, field in (("through", "through"), ("only elsewhere", "elsewhere")):
            for grant in decision[field]:
                where = _place(grant["scope"])
                session.out.line(f"  {title}: group {grant['group']['name']}, role {grant['role']['name']}, in {where}")
    else:
        session.out.done(decision, "", "allowed")
    if not decision["allowed"]:
        raise typer.Exit(4)
