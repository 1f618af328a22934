"""The roles and groups that every organization begins with."""

from sqlalchemy import Connection, delete, insert, select, update

from pilothouse.access.roles import GROUPS, ROLES, BuiltInGroup, BuiltInRole, RoleSeed
from pilothouse.base.ids import new_id
from pilothouse.base.instants import Instant
from pilothouse.storage.tables import group_members, groups, role_mappings, role_permissions, roles, users

EVERYWHERE_SCOPE = "-/-/-"
"""How `role_mappings.scope` writes a mapping without limits."""
_MADE_BY = "pilothouse"


def ensure_built_in(connection: Connection, organization_id: str, now: Instant) -> None:
    """Make what is missing, and bring built-in roles to what this release says they are.

    Whoever was there before there were groups was an administrator, and becomes a Super Admin.
    """
    role_ids = {code: _ensure_role(connection, organization_id, code, seed, now) for code, seed in ROLES.items()}
    known = _built_in(connection, organization_id)
    for code, (name, description, role) in GROUPS.items():
        if code.value in known:
            continue
        group_id = new_id()
        connection.execute(
            insert(groups).values(
                id=group_id,
                organization_id=organization_id,
                name=name,
                description=description,
                built_in=code.value,
                created_at=now,
                created_by=_MADE_BY,
            )
        )
        connection.execute(
            insert(role_mappings).values(
                organization_id=organization_id,
                group_id=group_id,
                role_id=role_ids[role],
                scope=EVERYWHERE_SCOPE,
                created_at=now,
                created_by=_MADE_BY,
            )
        )
        if code is BuiltInGroup.SUPER_ADMINS:
            for (user_id,) in connection.execute(select(users.c.id)).all():
                add_member(connection, group_id, user_id, now)


def add_member(connection: Connection, group_id: str, user_id: str, now: Instant, source: str = "local") -> None:
    """Put somebody into a group."""
    connection.execute(insert(group_members).values(group_id=group_id, user_id=user_id, source=source, added_at=now))


def built_in_group(connection: Connection, organization_id: str, code: BuiltInGroup) -> str:
    """Find the id of a built-in group."""
    return _built_in(connection, organization_id)[code.value]


def _built_in(connection: Connection, organization_id: str) -> dict[str, str]:
    c = groups.c
    rows = connection.execute(
        select(c.built_in, c.id).where(c.organization_id == organization_id, c.built_in.is_not(None))
    )
    return {code: id_ for code, id_ in rows}  # noqa: C416 - rows are not pairs to a type checker


def _ensure_role(connection: Connection, organization_id: str, code: BuiltInRole, seed: RoleSeed, now: Instant) -> str:
    c = roles.c
    found = connection.execute(
        select(c.id).where(c.organization_id == organization_id, c.built_in == code.value)
    ).scalar_one_or_none()
    role_id = found or new_id()
    if found is None:
        connection.execute(
            insert(roles).values(
                id=role_id,
                organization_id=organization_id,
                name=seed.name,
                description=seed.description,
                built_in=code.value,
                created_at=now,
                created_by=_MADE_BY,
            )
        )
    p = role_permissions.c
    stored = frozenset(connection.execute(select(p.permission).where(p.role_id == role_id)).scalars())
    wanted = frozenset(permission.value for permission in seed.permissions)
    if stored != wanted:
        connection.execute(delete(role_permissions).where(p.role_id == role_id))
        connection.execute(
            insert(role_permissions), [{"role_id": role_id, "permission": name} for name in sorted(wanted)]
        )
        connection.execute(update(roles).where(c.id == role_id).values(description=seed.description))
    return role_id
