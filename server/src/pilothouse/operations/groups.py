"""Making, changing and deleting groups, and who is in them."""

from collections.abc import Sequence

from pilothouse.access.grants import EVERYTHING, EVERYWHERE, Subject, require
from pilothouse.access.permissions import Permission
from pilothouse.access.roles import BuiltInGroup
from pilothouse.access.rules import (
    GROUPS_MAX,
    GROUPS_PER_USER_MAX,
    MEMBERS_AT_ONCE_MAX,
    BuiltInStays,
    InUse,
    LastSuperAdmin,
    LimitReached,
    check_description,
    check_name,
    refuse_beyond,
    require_all_grants,
    require_super_admin,
)
from pilothouse.base.errors import Conflict, InvalidInput
from pilothouse.base.ids import new_id
from pilothouse.base.instants import Instant
from pilothouse.operations.audit import audit, changed
from pilothouse.operations.explaining import user_not_found
from pilothouse.operations.mappings import (
    access_changed,
    find_group,
    grants_of_group,
    note_unmapped,
    place_of_group,
)
from pilothouse.storage import groups, mappings, users
from pilothouse.storage.groups import GroupRow
from pilothouse.storage.unit import Connection, NotUnique, Transaction

_MANAGE = Permission.USER_MGT_MANAGE_GROUPS


def create_group(tx: Transaction, subject: Subject, name: str, description: str | None, *, now: Instant) -> GroupRow:
    """Make a group; it is empty and has no role.

    Raises: NotPermitted, InvalidInput, Conflict
    """
    require(subject, _MANAGE, at=EVERYWHERE)
    name, description = check_name(name, field="name"), check_description(description)
    if groups.is_name_taken(tx.connection, name):
        raise _taken(name)
    refuse_beyond(groups.count_all(tx.connection), GROUPS_MAX, "groups")
    group_id = new_id()
    try:
        groups.add(
            tx.connection,
            subject.organization_id,
            id_=group_id,
            name=name,
            description=description,
            created_at=now,
            created_by=subject.username,
        )
    except NotUnique:  # another process was quicker
        raise _taken(name) from None
    audit(tx, subject, "group.create", name, now, after={"name": name, "description": description})
    return find_group(tx.connection, subject, group_id, "id")


def update_group(
    tx: Transaction, subject: Subject, group_id: str, name: str, description: str | None, *, now: Instant
) -> GroupRow:
    """Change a group's words; those of the beginning keep their names.

    Raises: NotPermitted, NotFound, InvalidInput, Conflict
    """
    before = find_group(tx.connection, subject, group_id, "id")
    require(subject, _MANAGE, at=place_of_group(before))
    name = check_name(name, field="name")
    kept = before.description if description is None else check_description(description)
    if before.built_in is not None and name != before.name:
        raise _built_in(before, "renamed")
    if groups.is_name_taken(tx.connection, name, but=group_id):
        raise _taken(name)
    try:
        groups.change(tx.connection, group_id, name=name, description=kept)
    except NotUnique:  # another process was quicker
        raise _taken(name) from None
    was, is_ = changed({"name": before.name, "description": before.description}, {"name": name, "description": kept})
    if is_:
        audit(tx, subject, "group.update", before.name, now, before=was, after=is_, at=place_of_group(before))
        access_changed(tx, f"The group {name} was changed.", now)
    return find_group(tx.connection, subject, group_id, "id")


def delete_group(tx: Transaction, subject: Subject, group_id: str, *, cascade: bool, now: Instant) -> None:
    """Delete a group; with its mappings only if told so, and if the caller holds what they grant.

    Raises: NotPermitted, NotFound, Conflict (IN_USE)
    """
    group = find_group(tx.connection, subject, group_id, "id")
    require(subject, _MANAGE, at=place_of_group(group))
    if group.built_in is not None:
        raise _built_in(group, "deleted")
    mapped = mappings.list_of(tx.connection, EVERYTHING, "group_id", [group_id])
    if mapped and not cascade:
        raise InUse(
            f"The group {group.name} has {len(mapped)} role mapping{'' if len(mapped) == 1 else 's'}.",
            field="id",
            fix="Remove them first, or delete it with `cascade: true`.",
        )
    for row in mapped:
        require(subject, Permission.USER_MGT_UPDATE_GROUP_ROLES, at=row.scope)
    require_all_grants(subject, grants_of_group(tx.connection, group), f"The group {group.name}")
    for row in mapped:
        mappings.remove(tx.connection, row.number)
        note_unmapped(tx, subject, row, now)
    groups.remove(tx.connection, group_id)
    facts = {"name": group.name, "description": group.description, "members": group.member_count}
    audit(tx, subject, "group.delete", group.name, now, before=facts, at=place_of_group(group))
    access_changed(tx, f"The group {group.name} was deleted.", now)


def add_members(tx: Transaction, subject: Subject, group_id: str, user_ids: Sequence[str], *, now: Instant) -> GroupRow:
    """Put users into a group, whose grants the caller must hold; who is in it already stays, by a person's hand from now on.

    Raises: NotPermitted, NotFound, InvalidInput, Conflict
    """
    group = find_group(tx.connection, subject, group_id, "group")
    require(subject, Permission.USER_MGT_UPDATE_USERS, at=place_of_group(group))
    names = _find_users(tx.connection, user_ids)
    put_in(tx, subject, group, names, now=now)
    return find_group(tx.connection, subject, group_id, "group")


def put_in(tx: Transaction, subject: Subject, group: GroupRow, names: dict[str, str], *, now: Instant) -> None:
    """Put users (id and name) into a group that the subject may change.

    Raises: NotPermitted, Conflict
    """
    require_all_grants(subject, grants_of_group(tx.connection, group), f"The group {group.name}")
    inside = groups.list_member_ids(tx.connection, group.id, names)
    new = [id_ for id_ in names if id_ not in inside]
    for id_, number in groups.count_groups_of(tx.connection, new).items():
        if number >= GROUPS_PER_USER_MAX:
            raise LimitReached(
                f"{names[id_]} is in {number} groups already; there may be {GROUPS_PER_USER_MAX}.",
                field="users",
                fix="Take them out of a group first.",
            )
    groups.keep_members(tx.connection, group.id, inside)
    groups.add_members(tx.connection, group.id, new, now)
    if new:
        added = {"members": sorted(names[id_] for id_ in new)}
        audit(tx, subject, "group.add-member", group.name, now, after=added, at=place_of_group(group))
        access_changed(tx, f"{len(new)} joined the group {group.name}.", now)


def remove_members(
    tx: Transaction, subject: Subject, group_id: str, user_ids: Sequence[str], *, now: Instant
) -> GroupRow:
    """Take users out of a group; who is not in it does not matter.

    Raises: NotPermitted, NotFound, InvalidInput, Conflict (LAST_SUPER_ADMIN)
    """
    group = find_group(tx.connection, subject, group_id, "group")
    require(subject, Permission.USER_MGT_UPDATE_USERS, at=place_of_group(group))
    take_out(tx, subject, group, _find_users(tx.connection, user_ids), now=now)
    return find_group(tx.connection, subject, group_id, "group")


def take_out(tx: Transaction, subject: Subject, group: GroupRow, names: dict[str, str], *, now: Instant) -> None:
    """Take users (id and name) out of a group that the subject may change; Super Admins only by one of them.

    Raises: NotPermitted, Conflict (LAST_SUPER_ADMIN)
    """
    inside = groups.list_member_ids(tx.connection, group.id, names)
    if not inside:
        return
    of_super_admins = group.built_in == BuiltInGroup.SUPER_ADMINS.value
    if of_super_admins:
        require_super_admin(subject, "Taking a Super Admin out of the group")
    groups.remove_members(tx.connection, group.id, inside)
    if of_super_admins:
        require_one_super_admin(tx.connection)
    removed = {"members": sorted(names[id_] for id_ in inside)}
    audit(tx, subject, "group.remove-member", group.name, now, before=removed, at=place_of_group(group))
    access_changed(tx, f"{len(inside)} left the group {group.name}.", now)


def require_one_super_admin(connection: Connection) -> None:
    """Refuse the transaction that would leave nobody who can manage everything.

    Raises: LastSuperAdmin
    """
    if users.count_super_admins(connection) == 0:
        raise LastSuperAdmin


def _find_users(connection: Connection, user_ids: Sequence[str]) -> dict[str, str]:
    wanted = list(dict.fromkeys(user_ids))
    if len(wanted) > MEMBERS_AT_ONCE_MAX:
        raise InvalidInput(
            f"One change takes at most {MEMBERS_AT_ONCE_MAX} users, not {len(wanted)}.",
            field="users",
            fix="Make several changes.",
        )
    found = users.list_summaries(connection, wanted)
    if len(found) != len(wanted):
        raise user_not_found("users")
    return {id_: found[id_].username for id_ in wanted}


def _built_in(group: GroupRow, done: str) -> BuiltInStays:
    return BuiltInStays(
        f"The group {group.name} comes with Pilothouse and cannot be {done}.",
        field="id",
        fix="Make a group of your own instead.",
    )


def _taken(name: str) -> Conflict:
    return Conflict(f"There is a group called '{name}' already.", field="name", fix="Choose another name.")
