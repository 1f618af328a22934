"""Mappings of groups to roles within scopes, of identity providers' groups to groups, and everybody who may do something."""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, Literal

import msgspec
from sqlalchemy import ColumnElement, Connection, and_, delete, exists, false, insert, or_, select, true

from pilothouse.access.grants import EVERYTHING, Place, Reach
from pilothouse.access.permissions import CONTAINED, Permission
from pilothouse.base.instants import Instant
from pilothouse.base.pages import Page, PageRequest, page_of
from pilothouse.storage.columns import Rows
from pilothouse.storage.groups import seen
from pilothouse.storage.statements import add_numbered
from pilothouse.storage.tables import (
    environments,
    group_members,
    groups,
    integrations,
    projects,
    role_mappings,
    role_permissions,
    roles,
    sso_group_mappings,
    users,
)
from pilothouse.storage.users import count

_UNLIMITED = "-"


class MappingRow(msgspec.Struct, frozen=True, kw_only=True):
    """A group has a role within a scope."""

    number: int
    group_id: str
    group_name: str
    group_built_in: str | None
    role_id: str
    role_name: str
    role_built_in: str | None
    project_id: str | None
    project_handle: str | None
    project_display_name: str | None
    integration_id: str | None
    integration_handle: str | None
    integration_display_name: str | None
    environment_id: str | None
    environment_handle: str | None
    environment_display_name: str | None
    environment_critical: bool | None
    created_at: Instant
    created_by: str

    @property
    def scope(self) -> Place:
        """Where the group has the role."""
        return Place(project_id=self.project_id, integration_id=self.integration_id, environment_id=self.environment_id)


class SsoMappingRow(msgspec.Struct, frozen=True, kw_only=True):
    """A group of an identity provider leads into a group here."""

    id: str
    issuer: str
    claim: str
    value: str
    group_id: str
    group_name: str
    created_at: Instant
    created_by: str


def touching(reach: Reach) -> ColumnElement[bool]:
    """Make the condition that keeps the mappings that have anything in common with a reach: `Reach.touches` in SQL."""
    if reach.everything:
        return true()
    m = role_mappings.c
    wanted: dict[str | None, dict[str, set[str]]] = defaultdict(lambda: {"project": set(), "integration": set()})
    everywhere_in: set[str | None] = set()
    for place in reach.places:
        if place.project_id is None:
            everywhere_in.add(place.environment_id)
        elif place.integration_id is None:
            wanted[place.environment_id]["project"].add(place.project_id)
        else:
            wanted[place.environment_id]["integration"].add(place.integration_id)
            wanted[place.environment_id].setdefault("above", set()).add(place.project_id)
    conditions: list[ColumnElement[bool]] = [_in_environment(environment_id) for environment_id in everywhere_in]
    for environment_id, ids in wanted.items():
        tree = or_(
            m.project_id.is_(None),
            m.project_id.in_(sorted(ids["project"])),
            and_(m.integration_id.is_(None), m.project_id.in_(sorted(ids.get("above", ())))),
            m.integration_id.in_(sorted(ids["integration"])),
        )
        conditions.append(and_(tree, _in_environment(environment_id)))
    return or_(false(), *conditions)


def list_of(
    connection: Connection, reach: Reach, by: Literal["group_id", "role_id", "number"], ids: Iterable[str | int]
) -> list[MappingRow]:
    """List the mappings of several groups or roles, or several mappings, in the order in which they were made."""
    m = role_mappings.c
    statement = _mappings().where(m[by].in_(list(ids)), touching(reach)).order_by(m.number)
    return [MappingRow(**row) for row in connection.execute(statement).mappings()]


def scopes_of_role(connection: Connection, role_id: str) -> list[Place]:
    """List the scopes in which any group has a role."""
    m = role_mappings.c
    statement = select(m.project_id, m.integration_id, m.environment_id).where(m.role_id == role_id).distinct()
    return [Place(**row) for row in connection.execute(statement).mappings()]


def find(connection: Connection, group_id: str, role_id: str, scope: Place) -> int | None:
    """Find the number of a mapping."""
    m = role_mappings.c
    statement = select(m.number).where(m.group_id == group_id, m.role_id == role_id, m.scope == scope_text(scope))
    return connection.execute(statement).scalar_one_or_none()


def count_all(connection: Connection) -> int:
    """Count mappings."""
    return count(connection, select(role_mappings.c.number))


def add(
    connection: Connection,
    organization_id: str,
    *,
    group_id: str,
    role_id: str,
    scope: Place,
    created_at: Instant,
    created_by: str,
) -> int:
    """Store a mapping and tell its number."""
    return add_numbered(
        connection,
        insert(role_mappings),
        {
            "organization_id": organization_id,
            "group_id": group_id,
            "role_id": role_id,
            "project_id": scope.project_id,
            "integration_id": scope.integration_id,
            "environment_id": scope.environment_id,
            "scope": scope_text(scope),
            "created_at": created_at,
            "created_by": created_by,
        },
    )


def remove(connection: Connection, number: int) -> None:
    """Delete a mapping."""
    connection.execute(delete(role_mappings).where(role_mappings.c.number == number))


def scope_text(scope: Place) -> str:
    """Write a scope as `role_mappings.scope` keeps it: the three ids, `-` for none."""
    return "/".join(id_ or _UNLIMITED for id_ in (scope.project_id, scope.integration_id, scope.environment_id))


def list_who_may(
    connection: Connection, permission: Permission, place: Place, request: PageRequest
) -> Page[tuple[str, str]]:
    """List id and user name of everybody who may do something in all of a place, by user name; disabled users may nothing."""
    m, wanted = role_mappings.c, [own.value for own in Permission if permission in CONTAINED[own]]
    covering = exists(
        select(m.number)
        .join(group_members, group_members.c.group_id == m.group_id)
        .join(role_permissions, role_permissions.c.role_id == m.role_id)
        .where(
            group_members.c.user_id == users.c.id,
            role_permissions.c.permission.in_(wanted),
            *(
                column.is_(None) if id_ is None else or_(column.is_(None), column == id_)
                for column, id_ in (
                    (m.project_id, place.project_id),
                    (m.integration_id, place.integration_id),
                    (m.environment_id, place.environment_id),
                )
            ),
        )
    )
    statement = select(users.c.id, users.c.username).where(covering, users.c.disabled_at.is_(None))
    total = count(connection, statement)
    if request.after is not None:
        statement = statement.where(users.c.username > request.after[0])
    rows = connection.execute(statement.order_by(users.c.username).limit(request.first + 1)).all()
    found: list[tuple[str, str]] = [(id_, username) for id_, username in rows]
    return page_of("whoMay", found, request, total, lambda row: (row[1],))


def list_sso(connection: Connection, reach: Reach, request: PageRequest) -> Page[SsoMappingRow]:
    """List which group of an identity provider leads where, by value; two statements."""
    s = sso_group_mappings.c
    statement = _sso_mappings().where(seen(reach))
    total = count(connection, statement)
    if request.after is not None:
        value, id_ = request.after_texts()
        statement = statement.where(or_(s.value > value, and_(s.value == value, s.id > id_)))
    rows = connection.execute(statement.order_by(s.value, s.id).limit(request.first + 1)).mappings()
    found = [SsoMappingRow(**row) for row in rows]
    return page_of("ssoGroupMappings", found, request, total, lambda row: (row.value, row.id))


def find_sso(connection: Connection, id_: str, reach: Reach = EVERYTHING) -> SsoMappingRow | None:
    """Find one by its id."""
    row = connection.execute(_sso_mappings().where(sso_group_mappings.c.id == id_, seen(reach))).mappings().first()
    return None if row is None else SsoMappingRow(**row)


def count_sso(connection: Connection) -> int:
    """Count them."""
    return count(connection, select(sso_group_mappings.c.id))


def is_sso_mapped(connection: Connection, digest: str) -> bool:
    """Tell whether there is one already."""
    statement = select(sso_group_mappings.c.id).where(sso_group_mappings.c.digest == digest)
    return connection.execute(statement).first() is not None


def add_sso(connection: Connection, organization_id: str, row: SsoMappingRow) -> None:
    """Store one."""
    values = {name: getattr(row, name) for name in SsoMappingRow.__struct_fields__ if name != "group_name"}
    digest = sso_digest(row.issuer, row.claim, row.value, row.group_id)
    connection.execute(insert(sso_group_mappings).values(organization_id=organization_id, digest=digest, **values))


def remove_sso(connection: Connection, id_: str) -> None:
    """Delete one."""
    connection.execute(delete(sso_group_mappings).where(sso_group_mappings.c.id == id_))


def sso_digest(issuer: str, claim: str, value: str, group_id: str) -> str:
    """Make what is unique about one: SHA-256 over its four parts."""
    return hashlib.sha256(msgspec.json.encode([issuer, claim, value, group_id])).hexdigest()


def rows_by(rows: Sequence[MappingRow], field: Literal["group_id", "role_id"]) -> dict[str, list[MappingRow]]:
    """Sort mappings by their group or role."""
    found: dict[str, list[MappingRow]] = defaultdict(list)
    for row in rows:
        found[getattr(row, field)].append(row)
    return found


def _in_environment(environment_id: str | None) -> ColumnElement[bool]:
    column: ColumnElement[Any] = role_mappings.c.environment_id  # Any: text or null
    return true() if environment_id is None else or_(column.is_(None), column == environment_id)


def _mappings() -> Rows:
    m = role_mappings.c
    return (
        select(
            m.number,
            m.group_id,
            groups.c.name.label("group_name"),
            groups.c.built_in.label("group_built_in"),
            m.role_id,
            roles.c.name.label("role_name"),
            roles.c.built_in.label("role_built_in"),
            m.project_id,
            projects.c.handle.label("project_handle"),
            projects.c.display_name.label("project_display_name"),
            m.integration_id,
            integrations.c.handle.label("integration_handle"),
            integrations.c.display_name.label("integration_display_name"),
            m.environment_id,
            environments.c.handle.label("environment_handle"),
            environments.c.display_name.label("environment_display_name"),
            environments.c.critical.label("environment_critical"),
            m.created_at,
            m.created_by,
        )
        .select_from(role_mappings)
        .join(groups, groups.c.id == m.group_id)
        .join(roles, roles.c.id == m.role_id)
        .outerjoin(projects, projects.c.id == m.project_id)
        .outerjoin(integrations, integrations.c.id == m.integration_id)
        .outerjoin(environments, environments.c.id == m.environment_id)
    )


def _sso_mappings() -> Rows:
    s = sso_group_mappings.c
    return select(
        s.id, s.issuer, s.claim, s.value, s.group_id, groups.c.name.label("group_name"), s.created_at, s.created_by
    ).join(groups, groups.c.id == s.group_id)
