"""Who holds what: groups, roles and mappings, read together."""

from collections import defaultdict
from collections.abc import Iterable

from sqlalchemy import Connection, select

from pilothouse.access.grants import Grant, Place
from pilothouse.access.permissions import Permission
from pilothouse.storage.tables import group_members, groups, role_mappings, role_permissions, roles

_KNOWN = {permission.value: permission for permission in Permission}


def list_grants(connection: Connection, user_id: str) -> list[Grant]:
    """List everything that somebody holds, by mapping; two statements, however much it is."""
    return list_grants_of_all(connection, [user_id]).get(user_id, [])


def list_grants_of_all(connection: Connection, user_ids: Iterable[str] | None) -> dict[str, list[Grant]]:
    """List the same for several people, or (None) for everybody who holds anything."""
    m = role_mappings.c
    statement = (
        select(
            group_members.c.user_id,
            m.number,
            m.group_id,
            groups.c.name.label("group_name"),
            m.role_id,
            roles.c.name.label("role_name"),
            m.project_id,
            m.integration_id,
            m.environment_id,
        )
        .select_from(role_mappings)
        .join(group_members, group_members.c.group_id == m.group_id)
        .join(groups, groups.c.id == m.group_id)
        .join(roles, roles.c.id == m.role_id)
        .order_by(m.number)
    )
    if user_ids is not None:
        statement = statement.where(group_members.c.user_id.in_(list(user_ids)))
    rows = connection.execute(statement).mappings().all()
    permissions = permissions_of(connection, {row["role_id"] for row in rows})
    found: dict[str, list[Grant]] = defaultdict(list)
    for row in rows:
        found[row["user_id"]].append(
            Grant(
                mapping_id=row["number"],
                group_id=row["group_id"],
                group_name=row["group_name"],
                role_id=row["role_id"],
                role_name=row["role_name"],
                permissions=permissions.get(row["role_id"], frozenset()),
                scope=Place(
                    project_id=row["project_id"],
                    integration_id=row["integration_id"],
                    environment_id=row["environment_id"],
                ),
            )
        )
    return found


def permissions_of(connection: Connection, role_ids: Iterable[str]) -> dict[str, frozenset[Permission]]:
    """List the permissions that roles name; one that this release does not know grants nothing."""
    c = role_permissions.c
    found: dict[str, set[Permission]] = defaultdict(set)
    for role_id, name in connection.execute(select(c.role_id, c.permission).where(c.role_id.in_(list(role_ids)))):
        if name in _KNOWN:
            found[role_id].add(_KNOWN[name])
    return {role_id: frozenset(names) for role_id, names in found.items()}
