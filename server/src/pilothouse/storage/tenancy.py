"""Organizations, environments, projects and integrations."""

from collections.abc import Collection
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, Table, and_, func, insert, or_, select, true, update
from sqlalchemy.exc import IntegrityError

from pilothouse.access.grants import EVERYTHING, Reach
from pilothouse.base.pages import Page, PageRequest
from pilothouse.domain.runtime_type import RuntimeType
from pilothouse.domain.tenancy import Environment, Integration, Organization, Project, Sort, list_name
from pilothouse.storage import project_admins
from pilothouse.storage.columns import Rows
from pilothouse.storage.ordering import Order, matches
from pilothouse.storage.scope import within
from pilothouse.storage.tables import environments, integrations, organizations, projects


class HandleTaken(Exception):
    """Another transaction took the handle after it was found free: the unique index decided."""


class Listing(msgspec.Struct, frozen=True, kw_only=True):
    """Which projects or integrations a list shows, and in which order."""

    search: str | None = None
    """Is in the display name or the handle, in whatever case."""
    sort: Sort = Sort.NAME
    project: str | None = None
    runtime_type: RuntimeType | None = None

    def cursors_of(self, of: str) -> str:
        """Name what the list's cursors belong to."""
        return list_name(of, self)


def add_organization(connection: Connection, organization: Organization) -> None:
    """Store an organization."""
    connection.execute(
        insert(organizations).values(
            id=organization.id, handle=organization.handle, display_name=organization.display_name
        )
    )


def find_organization(connection: Connection, handle: str) -> Organization | None:
    """Find an organization by its handle."""
    row = connection.execute(select(organizations).where(organizations.c.handle == handle)).mappings().first()
    return Organization(**row) if row else None


def add_environment(connection: Connection, organization_id: str, environment: Environment) -> None:
    """Store an environment.

    Raises: HandleTaken
    """
    taken = and_(environments.c.organization_id == organization_id, environments.c.handle == environment.handle)
    _insert(connection, environments, {"organization_id": organization_id, **_values(environment)}, taken)


def change_environment(connection: Connection, environment: Environment) -> None:
    """Store what may change of an environment."""
    connection.execute(
        update(environments)
        .where(environments.c.id == environment.id)
        .values(display_name=environment.display_name, critical=environment.critical)
    )


def find_environment(connection: Connection, handle: str, reach: Reach = EVERYTHING) -> Environment | None:
    """Find an environment by its handle; what lies outside of a reach is not there."""
    seen = within(reach, environment=environments.c.id)
    row = connection.execute(_environments().where(seen, environments.c.handle == handle)).mappings().first()
    return Environment(**row) if row else None


def all_environments(connection: Connection) -> list[Environment]:
    """List every environment: there are few."""
    return [Environment(**row) for row in connection.execute(_environments()).mappings()]


def list_environments(connection: Connection, reach: Reach, request: PageRequest) -> Page[Environment]:
    """List environments, oldest first."""
    seen = within(reach, environment=environments.c.id)
    return Order(environments.c.created_at, environments.c.id).page(
        connection,
        _environments().where(seen),
        _count(connection, select(environments.c.id).where(seen)),
        request,
        lambda row: Environment(**row),
        of="environments",
    )


def add_project(connection: Connection, organization_id: str, project: Project) -> None:
    """Store a project with the group of its admins, who is nobody yet: no project is without one.

    Raises: HandleTaken
    """
    values = {"organization_id": organization_id, **_values(project)}
    del values["integration_count"]
    taken = and_(projects.c.organization_id == organization_id, projects.c.handle == project.handle)
    _insert(connection, projects, values, taken)
    project_admins.add(connection, organization_id, project)


def change_project(connection: Connection, project: Project) -> None:
    """Store what may change of a project."""
    connection.execute(
        update(projects)
        .where(projects.c.id == project.id)
        .values(display_name=project.display_name, description=project.description)
    )


def find_project(connection: Connection, handle: str, reach: Reach = EVERYTHING) -> Project | None:
    """Find a project by its handle; what lies outside of a reach is not there."""
    seen = within(reach, project=projects.c.id)
    row = connection.execute(_projects(reach).where(seen, projects.c.handle == handle)).mappings().first()
    return Project(**row) if row else None


def list_projects(connection: Connection, reach: Reach, listing: Listing, request: PageRequest) -> Page[Project]:
    """List projects.

    Raises: InvalidInput when the cursor is none of this list
    """
    c = projects.c
    wanted = and_(within(reach, project=c.id), matches(listing.search, c.display_name, c.handle))
    return _order(listing.sort, projects, tie=c.handle).page(
        connection,
        _projects(reach).where(wanted),
        _count(connection, select(c.id).where(wanted)),
        request,
        lambda row: Project(**row),
        of=listing.cursors_of("projects"),
    )


def add_integration(connection: Connection, organization_id: str, integration: Integration) -> None:
    """Store an integration.

    Raises: HandleTaken
    """
    values = {
        "id": integration.id,
        "organization_id": organization_id,
        "project_id": integration.project_id,
        "handle": integration.handle,
        "display_name": integration.display_name,
        "description": integration.description,
        "runtime_type": integration.runtime_type.value,
        "created_at": integration.created_at,
        "created_by": integration.created_by,
    }
    c = integrations.c
    taken = and_(c.project_id == integration.project_id, c.handle == integration.handle)
    _insert(connection, integrations, values, taken)


def change_integration(connection: Connection, integration: Integration) -> None:
    """Store what may change of an integration."""
    connection.execute(
        update(integrations)
        .where(integrations.c.id == integration.id)
        .values(display_name=integration.display_name, description=integration.description)
    )


def find_integration(
    connection: Connection, project_handle: str, handle: str, reach: Reach = EVERYTHING
) -> Integration | None:
    """Find an integration by its project's handle and its own; what lies outside of a reach is not there."""
    row = (
        connection.execute(
            _integrations().where(
                _of_integrations(reach), projects.c.handle == project_handle, integrations.c.handle == handle
            )
        )
        .mappings()
        .first()
    )
    return _integration(row) if row else None


def list_integrations(
    connection: Connection, reach: Reach, listing: Listing, request: PageRequest
) -> Page[Integration]:
    """List integrations, of one project or of all.

    Raises: InvalidInput when the cursor is none of this list
    """
    c = integrations.c
    wanted = and_(
        _of_integrations(reach),
        true() if listing.project is None else projects.c.handle == listing.project,
        true() if listing.runtime_type is None else c.runtime_type == listing.runtime_type.value,
        matches(listing.search, c.display_name, c.handle),
    )
    return _order(listing.sort, integrations, tie=c.id).page(
        connection,
        _integrations().where(wanted),
        _count(connection, select(c.id).join(projects).where(wanted)),
        request,
        _integration,
        of=listing.cursors_of("integrations"),
    )


def list_names(
    connection: Connection, project_ids: Collection[str], integration_ids: Collection[str]
) -> tuple[dict[str, tuple[str, str]], dict[str, tuple[str, str]]]:
    """Find handles and display names of projects and integrations by their ids."""
    found: list[dict[str, tuple[str, str]]] = []
    for table, ids in ((projects, project_ids), (integrations, integration_ids)):
        statement = select(table.c.id, table.c.handle, table.c.display_name).where(table.c.id.in_(sorted(ids)))
        found.append({row[0]: (row[1], row[2]) for row in connection.execute(statement)} if ids else {})
    return found[0], found[1]


def count_all(connection: Connection, of_projects: Reach, of_integrations: Reach) -> tuple[int, int]:
    """Count projects and integrations."""
    return (
        _count(connection, select(projects.c.id).where(within(of_projects, project=projects.c.id))),
        _count(connection, select(integrations.c.id).where(_of_integrations(of_integrations))),
    )


def handles_like(connection: Connection, table: str, prefix: str, project_handle: str | None) -> frozenset[str]:
    """List the handles that are a prefix or begin with it and a dash; for suggesting a free one."""
    column = {"project": projects.c.handle, "environment": environments.c.handle, "integration": integrations.c.handle}[
        table
    ]
    statement = select(column).where(or_(column == prefix, column.like(f"{prefix}-%"))).limit(1000)
    if table == "integration":
        statement = statement.join(projects).where(projects.c.handle == project_handle)
    return frozenset(connection.execute(statement).scalars())


def _environments() -> Rows:
    c = environments.c
    return select(c.id, c.handle, c.display_name, c.critical, c.created_at)


def _of_integrations(reach: Reach) -> ColumnElement[bool]:
    return within(reach, project=integrations.c.project_id, integration=integrations.c.id)


def _projects(reach: Reach = EVERYTHING) -> Rows:
    c = projects.c
    count = (
        select(func.count())
        .select_from(integrations)
        .where(integrations.c.project_id == c.id, _of_integrations(reach))
        .scalar_subquery()
        .label("integration_count")
    )
    return select(c.id, c.handle, c.display_name, c.description, c.created_at, c.created_by, count)


def _integrations() -> Rows:
    c = integrations.c
    return select(
        c.id,
        c.handle,
        c.display_name,
        c.description,
        c.runtime_type,
        c.project_id,
        projects.c.handle.label("project_handle"),
        projects.c.display_name.label("project_display_name"),
        c.created_at,
        c.created_by,
    ).join(projects)


def _integration(row: Any) -> Integration:  # Any: SQLAlchemy's row mapping
    values: dict[str, Any] = {**row, "runtime_type": RuntimeType(row["runtime_type"])}
    return Integration(**values)


def _values(struct: Environment | Project) -> dict[str, Any]:  # Any: column values
    return {name: getattr(struct, name) for name in struct.__struct_fields__}


def _count(connection: Connection, statement: Rows) -> int:
    return connection.execute(select(func.count()).select_from(statement.subquery())).scalar_one()


def _order(sort: Sort, table: Table, *, tie: ColumnElement[str]) -> Order:
    if sort in (Sort.NEWEST, Sort.OLDEST):
        return Order(table.c.created_at, table.c.id, descending=sort is Sort.NEWEST)
    return Order(func.lower(table.c.display_name), tie, descending=sort is Sort.NAME_DESCENDING)


def _insert(connection: Connection, table: Table, values: dict[str, Any], taken: ColumnElement[bool]) -> None:
    """Insert a row whose handle was found free; another process may have taken it since then."""
    try:
        with connection.begin_nested():
            connection.execute(insert(table).values(values))
    except IntegrityError:
        if connection.execute(select(table.c.id).where(taken)).first() is not None:
            raise HandleTaken from None
        raise
