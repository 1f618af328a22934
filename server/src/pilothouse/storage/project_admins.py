"""The group that every project has: its admins."""

from sqlalchemy import Connection, bindparam, func, insert, select, true, update

from pilothouse.access.roles import BuiltInRole
from pilothouse.base.ids import new_id
from pilothouse.domain.tenancy import Project, admins_name
from pilothouse.storage.ordering import LIKE_ESCAPE, literal
from pilothouse.storage.tables import groups, projects, role_mappings, roles


def list_groups(connection: Connection, project_id: str) -> list[tuple[str, str]]:
    """List the groups that exist for a project alone: ids and names."""
    rows = connection.execute(select(groups.c.id, groups.c.name).where(groups.c.project_id == project_id))
    return [(row.id, row.name) for row in rows]


def ensure_all(connection: Connection, organization_id: str) -> None:
    """Give every project that was there before such groups its own."""
    c = projects.c
    without = select(c.id).where(
        c.organization_id == organization_id,
        c.id.not_in(select(groups.c.project_id).where(groups.c.project_id.is_not(None))),
    )
    columns = select(c.id, c.handle, c.display_name, c.description, c.created_at, c.created_by).where(c.id.in_(without))
    for row in connection.execute(columns).mappings().all():
        add(connection, organization_id, Project(**row))


def rename(connection: Connection, organization_id: str, group_id: str, display_name: str) -> str:
    """Give the group of a project's admins the name that follows the project's, and return it."""
    name = _free_name(connection, organization_id, display_name, except_for=group_id)
    connection.execute(update(groups).where(groups.c.id == group_id).values(name=name))
    return name


def add(connection: Connection, organization_id: str, project: Project) -> None:
    """Make the group of a project's admins, with its role in the project, and nobody in it."""
    role = select(roles.c.id).where(
        roles.c.organization_id == organization_id, roles.c.built_in == BuiltInRole.PROJECT_ADMIN.value
    )
    group_id = new_id()
    made = {
        "organization_id": organization_id,
        "project_id": project.id,
        "created_at": project.created_at,
        "created_by": project.created_by,
    }
    connection.execute(
        insert(groups).values(
            id=group_id,
            name=_free_name(connection, organization_id, project.display_name),
            description=f"Manage the project {project.handle}.",
            **made,
        )
    )
    role_id = connection.execute(role).scalar_one()
    connection.execute(
        insert(role_mappings).values(group_id=group_id, role_id=role_id, scope=f"{project.id}/-/-", **made)
    )


def _free_name(
    connection: Connection, organization_id: str, display_name: str, *, except_for: str | None = None
) -> str:
    begins = func.lower(bindparam("begins", f"{literal(admins_name(display_name, ()))}%"))
    taken = connection.execute(
        select(groups.c.name).where(
            groups.c.organization_id == organization_id,
            func.lower(groups.c.name).like(begins, escape=LIKE_ESCAPE),
            true() if except_for is None else groups.c.id != except_for,
        )
    )
    return admins_name(display_name, list(taken.scalars()))
