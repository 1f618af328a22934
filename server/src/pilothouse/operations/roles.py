"""Making, changing and deleting roles."""

from collections.abc import Sequence

from pilothouse.access.grants import EVERYWHERE, Subject, require
from pilothouse.access.permissions import Permission
from pilothouse.access.rules import (
    ROLES_MAX,
    BuiltInStays,
    InUse,
    check_description,
    check_name,
    check_permissions,
    refuse_beyond,
    require_all,
)
from pilothouse.base.errors import Conflict
from pilothouse.base.ids import new_id
from pilothouse.base.instants import Instant
from pilothouse.operations.audit import audit, changed
from pilothouse.operations.explaining import mapping_reach
from pilothouse.operations.mappings import access_changed, role_not_found
from pilothouse.storage import mappings, roles
from pilothouse.storage.roles import RoleRow
from pilothouse.storage.unit import Connection, NotUnique, Transaction

_MANAGE = Permission.USER_MGT_MANAGE_ROLES


def create_role(
    tx: Transaction,
    subject: Subject,
    name: str,
    description: str | None,
    permissions: Sequence[Permission],
    *,
    now: Instant,
) -> RoleRow:
    """Make a role. It grants nothing until it is mapped, and then no more than who maps it holds.

    Raises: NotPermitted, InvalidInput, Conflict
    """
    require(subject, _MANAGE, at=EVERYWHERE)
    name, description = check_name(name, field="name"), check_description(description)
    wanted = check_permissions(permissions)
    if roles.is_name_taken(tx.connection, name):
        raise _taken(name)
    refuse_beyond(roles.count_all(tx.connection), ROLES_MAX, "roles")
    role_id = new_id()
    try:
        roles.add(
            tx.connection,
            subject.organization_id,
            id_=role_id,
            name=name,
            description=description,
            permissions=wanted,
            created_at=now,
            created_by=subject.username,
        )
    except NotUnique:  # another process was quicker
        raise _taken(name) from None
    made = _find(tx.connection, subject, role_id)
    audit(tx, subject, "role.create", name, now, after=_facts(made))
    return made


def update_role(
    tx: Transaction,
    subject: Subject,
    role_id: str,
    name: str,
    description: str | None,
    permissions: Sequence[Permission],
    *,
    now: Instant,
) -> RoleRow:
    """Change a role; what it grants only by who holds all of it, before and after, wherever it is mapped.

    Raises: NotPermitted, NotFound, InvalidInput, Conflict
    """
    before = _find(tx.connection, subject, role_id)
    require(subject, _MANAGE, at=EVERYWHERE)
    _refuse_built_in(before, "changed")
    name = check_name(name, field="name")
    kept = before.description if description is None else check_description(description)
    wanted = check_permissions(permissions)
    if roles.is_name_taken(tx.connection, name, but=role_id):
        raise _taken(name)
    if wanted != before.permissions:
        for scope in mappings.scopes_of_role(tx.connection, role_id):
            require_all(subject, before.permissions | wanted, scope, f"The role {before.name}, as it is mapped,")
    try:
        roles.change(tx.connection, role_id, name=name, description=kept, permissions=wanted)
    except NotUnique:  # another process was quicker
        raise _taken(name) from None
    after = _find(tx.connection, subject, role_id)
    was, is_ = changed(_facts(before), _facts(after))
    if is_:
        audit(tx, subject, "role.update", before.name, now, before=was, after=is_)
        access_changed(tx, f"The role {after.name} was changed.", now)
    return after


def delete_role(tx: Transaction, subject: Subject, role_id: str, *, now: Instant) -> None:
    """Delete a role that no group has.

    Raises: NotPermitted, NotFound, Conflict (IN_USE)
    """
    role = _find(tx.connection, subject, role_id)
    require(subject, _MANAGE, at=EVERYWHERE)
    _refuse_built_in(role, "deleted")
    mapped = len(mappings.scopes_of_role(tx.connection, role_id))
    if mapped:
        raise InUse(
            f"The role {role.name} is mapped in {mapped} place{'' if mapped == 1 else 's'}.",
            field="id",
            fix="Remove its mappings first.",
        )
    roles.remove(tx.connection, role_id)
    audit(tx, subject, "role.delete", role.name, now, before=_facts(role))
    access_changed(tx, f"The role {role.name} was deleted.", now)


def _find(connection: Connection, subject: Subject, role_id: str) -> RoleRow:
    found = roles.find_row(connection, role_id, mapping_reach(subject))
    if found is None:
        raise role_not_found("id")
    return found


def _refuse_built_in(role: RoleRow, done: str) -> None:
    if role.built_in is not None:
        raise BuiltInStays(
            f"The role {role.name} comes with Pilothouse and cannot be {done}.",
            field="id",
            fix="Make a role of your own instead.",
        )


def _facts(role: RoleRow) -> dict[str, object]:
    return {"name": role.name, "description": role.description, "permissions": sorted(role.permissions)}


def _taken(name: str) -> Conflict:
    return Conflict(f"There is a role called '{name}' already.", field="name", fix="Choose another name.")
