"""Organizations, environments, projects and integrations."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, func, insert, or_, select, true

from pilothouse.access.grants import EVERYTHING, Reach
from pilothouse.base.pages import Page, PageRequest, page_of
from pilothouse.domain.runtime_type import RuntimeType
from pilothouse.domain.tenancy import Environment, Integration, Organization, Project
from pilothouse.storage.columns import Rows
from pilothouse.storage.scope import within
from pilothouse.storage.tables import environments, integrations, organizations, projects

_LIKE_ESCAPE = "\\"


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
    """Store an environment."""
    connection.execute(insert(environments).values(organization_id=organization_id, **_values(environment)))


def find_environment(connection: Connection, handle: str, reach: Reach = EVERYTHING) -> Environment | None:
    """Find an environment by its handle; what lies outside of a reach is not there."""
    seen = within(reach, environment=environments.c.id)
    row = connection.execute(_environments().where(seen, environments.c.handle == handle)).mappings().first()
    return Environment(**row) if row else None


def match_environment(connection: Connection, handle: str) -> Environment | None:
    """Find the environment that a runtime means: by handle, or by its display name turned into one."""
    found = find_environment(connection, handle)
    if found is not None:
        return found
    lowered = func.lower(environments.c.display_name)
    rows = connection.execute(_environments().where(lowered == handle.replace("-", " "))).mappings().all()
    return Environment(**rows[0]) if len(rows) == 1 else None


def list_environments(connection: Connection, reach: Reach, request: PageRequest) -> Page[Environment]:
    """List environments, oldest first."""
    seen = within(reach, environment=environments.c.id)
    statement = _environments().where(seen)
    if request.after is not None:
        at_ms, after_id = request.after
        statement = statement.where(
            _after((environments.c.created_at, environments.c.id), (int(at_ms) / 1000, after_id))
        )
    rows = connection.execute(
        statement.order_by(environments.c.created_at, environments.c.id).limit(request.first + 1)
    ).mappings()
    return page_of(
        "environments",
        [Environment(**row) for row in rows],
        request,
        _count(connection, select(environments.c.id).where(seen)),
        lambda environment: (str(round(environment.created_at * 1000)), environment.id),
    )


def add_project(connection: Connection, organization_id: str, project: Project) -> None:
    """Store a project."""
    values = _values(project)
    del values["integration_count"]
    connection.execute(insert(projects).values(organization_id=organization_id, **values))


def find_project(connection: Connection, handle: str, reach: Reach = EVERYTHING) -> Project | None:
    """Find a project by its handle; what lies outside of a reach is not there."""
    seen = within(reach, project=projects.c.id)
    row = connection.execute(_projects(reach).where(seen, projects.c.handle == handle)).mappings().first()
    return Project(**row) if row else None


def list_projects(connection: Connection, reach: Reach, search: str | None, request: PageRequest) -> Page[Project]:
    """List projects by display name."""
    wanted = and_(within(reach, project=projects.c.id), _matches(search, projects.c.display_name, projects.c.handle))
    statement = _projects(reach).where(wanted)
    order = (func.lower(projects.c.display_name), projects.c.handle)
    if request.after is not None:
        statement = statement.where(_after(order, request.after))
    rows = connection.execute(statement.order_by(*order).limit(request.first + 1)).mappings()
    return page_of(
        "projects",
        [Project(**row) for row in rows],
        request,
        _count(connection, select(projects.c.id).where(wanted)),
        lambda project: (project.display_name.lower(), project.handle),
    )


def add_integration(connection: Connection, organization_id: str, integration: Integration) -> None:
    """Store an integration."""
    connection.execute(
        insert(integrations).values(
            id=integration.id,
            organization_id=organization_id,
            project_id=integration.project_id,
            handle=integration.handle,
            display_name=integration.display_name,
            description=integration.description,
            runtime_type=integration.runtime_type.value,
            created_at=integration.created_at,
            created_by=integration.created_by,
        )
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
    connection: Connection, reach: Reach, project_handle: str | None, search: str | None, request: PageRequest
) -> Page[Integration]:
    """List integrations by display name, of one project or of all."""
    wanted = and_(
        _of_integrations(reach),
        true() if project_handle is None else projects.c.handle == project_handle,
        _matches(search, integrations.c.display_name, integrations.c.handle),
    )
    statement = _integrations().where(wanted)
    order = (func.lower(integrations.c.display_name), integrations.c.id)
    if request.after is not None:
        statement = statement.where(_after(order, request.after))
    rows = connection.execute(statement.order_by(*order).limit(request.first + 1)).mappings()
    return page_of(
        "integrations",
        [_integration(row) for row in rows],
        request,
        _count(connection, select(integrations.c.id).join(projects).where(wanted)),
        lambda integration: (integration.display_name.lower(), integration.id),
    )


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


def _matches(search: str | None, *columns: ColumnElement[str]) -> ColumnElement[bool]:
    if not search or not search.strip():
        return true()
    text = search.strip().lower()
    for special in (_LIKE_ESCAPE, "%", "_"):
        text = text.replace(special, _LIKE_ESCAPE + special)
    return or_(*(func.lower(column).like(f"%{text}%", escape=_LIKE_ESCAPE) for column in columns))


def _after(columns: Sequence[ColumnElement[Any]], values: Sequence[Any]) -> ColumnElement[bool]:
    """Keyset paging: rows that sort after the given key."""
    first, second = columns
    return or_(first > values[0], and_(first == values[0], second > values[1]))
