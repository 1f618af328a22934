"""Giving groups roles within scopes, and leading groups of an identity provider into groups here."""

from collections.abc import Sequence

from pilothouse.access.grants import EVERYTHING, EVERYWHERE, Grant, Place, Subject, require
from pilothouse.access.permissions import Permission
from pilothouse.access.roles import BuiltInGroup, BuiltInRole
from pilothouse.access.rules import (
    MAPPINGS_MAX,
    SSO_MAPPINGS_MAX,
    BuiltInStays,
    refuse_beyond,
    require_all,
    require_all_grants,
    require_super_admin,
)
from pilothouse.base.errors import Conflict, InvalidInput, NotFound
from pilothouse.base.ids import new_id
from pilothouse.base.instants import Instant
from pilothouse.domain.events import EventKind, NewEvent
from pilothouse.operations.audit import audit
from pilothouse.operations.explaining import NamedPlace, PlaceNames, find_scope, mapping_reach
from pilothouse.storage import access, groups, mappings, roles
from pilothouse.storage.groups import GroupRow
from pilothouse.storage.mappings import MappingRow, SsoMappingRow
from pilothouse.storage.unit import Connection, NotUnique, Transaction

ISSUER_LENGTH_MAX = 255
CLAIM_LENGTH_MAX = 128
VALUE_LENGTH_MAX = 255


def map_role(
    tx: Transaction, subject: Subject, group_id: str, role_id: str, names: PlaceNames, *, now: Instant
) -> MappingRow:
    """Give a group a role within a scope, within what the caller holds there.

    Raises: NotPermitted, NotFound, InvalidInput, Conflict
    """
    group, role = find_group(tx.connection, subject, group_id, "group"), roles.find_row(tx.connection, role_id)
    if role is None:
        raise role_not_found("role")
    where = find_scope(tx.connection, subject, names)
    require(subject, Permission.USER_MGT_UPDATE_GROUP_ROLES, at=where.place)
    require_all(subject, role.permissions, where.place, f"The role {role.name}")
    if mappings.find(tx.connection, group.id, role.id, where.place) is not None:
        raise _mapped_already(group.name, role.name)
    refuse_beyond(mappings.count_all(tx.connection), MAPPINGS_MAX, "mappings")
    try:
        number = mappings.add(
            tx.connection,
            subject.organization_id,
            group_id=group.id,
            role_id=role.id,
            scope=where.place,
            created_at=now,
            created_by=subject.username,
        )
    except NotUnique:  # another process was quicker
        raise _mapped_already(group.name, role.name) from None
    target = f"{group.name}: {role.name} in {_words(where)}"
    audit(tx, subject, "role.map", target, now, after=_facts(group.name, role.name, where), at=where.place)
    access_changed(tx, f"The group {group.name} has the role {role.name} in {_words(where)}.", now)
    return _row(tx.connection, number)


def unmap_role(tx: Transaction, subject: Subject, mapping_id: str, *, now: Instant) -> None:
    """Take a role from a group, within what the caller holds there.

    Raises: NotPermitted, NotFound, Conflict
    """
    reach = mapping_reach(subject)
    number = int(mapping_id) if mapping_id.isascii() and mapping_id.isdecimal() and len(mapping_id) < 19 else -1  # noqa: PLR2004 - digits of a key
    found = mappings.list_of(tx.connection, reach, "number", [number])
    if not found:
        raise NotFound("There is no such mapping.", field="id", fix="Look at the group's or the role's mappings.")
    row = found[0]
    require(subject, Permission.USER_MGT_UPDATE_GROUP_ROLES, at=row.scope)
    if keeps_super_admins(row):
        raise BuiltInStays(
            "This mapping is what makes Super Admins: it stays.",
            field="id",
            fix="Take people out of the group instead.",
        )
    granted = access.permissions_of(tx.connection, [row.role_id]).get(row.role_id, frozenset())
    require_all(subject, granted, row.scope, f"The role {row.role_name}")
    mappings.remove(tx.connection, row.number)
    note_unmapped(tx, subject, row, now)


def note_unmapped(tx: Transaction, subject: Subject, row: MappingRow, now: Instant) -> None:
    """Audit and tell that a group has a role no more."""
    words = "/".join(part or "-" for part in (row.project_handle, row.integration_handle, row.environment_handle))
    target = f"{row.group_name}: {row.role_name} in {words}"
    before = {
        "group": row.group_name,
        "role": row.role_name,
        "project": row.project_handle,
        "integration": row.integration_handle,
        "environment": row.environment_handle,
    }
    audit(tx, subject, "role.unmap", target, now, before=before, at=row.scope)
    access_changed(tx, f"The group {row.group_name} no longer has the role {row.role_name} in {words}.", now)


def keeps_super_admins(row: MappingRow) -> bool:
    """Tell whether it is the mapping that makes Super Admins; by codes, whatever they are called."""
    return (
        row.group_built_in == BuiltInGroup.SUPER_ADMINS.value
        and row.role_built_in == BuiltInRole.SUPER_ADMIN.value
        and row.scope == EVERYWHERE
    )


def create_sso_mapping(
    tx: Transaction, subject: Subject, group_id: str, *, issuer: str, claim: str, value: str, now: Instant
) -> SsoMappingRow:
    """Lead a group of an identity provider into a group here: like putting people into it, also people who are unknown yet.

    Raises: NotPermitted, NotFound, InvalidInput, Conflict
    """
    row = SsoMappingRow(
        id=new_id(),
        issuer=_checked(issuer, "issuer", ISSUER_LENGTH_MAX),
        claim=_checked(claim, "claim", CLAIM_LENGTH_MAX),
        value=_checked(value, "value", VALUE_LENGTH_MAX),
        group_id=group_id,
        group_name="",
        created_at=now,
        created_by=subject.username,
    )
    group = find_group(tx.connection, subject, group_id, "group")
    require(subject, Permission.USER_MGT_UPDATE_GROUP_ROLES, at=place_of_group(group))
    require(subject, Permission.USER_MGT_UPDATE_USERS, at=place_of_group(group))
    require_all_grants(subject, grants_of_group(tx.connection, group), f"The group {group.name}")
    taken = Conflict("This value leads into this group already.", field="value", fix="Nothing: it is there.")
    if mappings.is_sso_mapped(tx.connection, mappings.sso_digest(row.issuer, row.claim, row.value, group.id)):
        raise taken
    refuse_beyond(mappings.count_sso(tx.connection), SSO_MAPPINGS_MAX, "SSO group mappings")
    try:
        mappings.add_sso(tx.connection, subject.organization_id, row)
    except NotUnique:  # another process was quicker
        raise taken from None
    facts = {"issuer": row.issuer, "claim": row.claim, "value": row.value, "group": group.name}
    audit(
        tx,
        subject,
        "sso-group-mapping.create",
        f"{row.value} → {group.name}",
        now,
        after=facts,
        at=place_of_group(group),
    )
    stored = mappings.find_sso(tx.connection, row.id)
    return row if stored is None else stored


def delete_sso_mapping(tx: Transaction, subject: Subject, id_: str, *, now: Instant) -> None:
    """Lead a group of an identity provider nowhere any more; who came by it stays until their next sign-in.

    Raises: NotPermitted, NotFound
    """
    row = mappings.find_sso(tx.connection, id_, mapping_reach(subject))
    if row is None:
        raise NotFound("There is no such mapping.", field="id", fix="Look at the list of SSO group mappings.")
    group = find_group(tx.connection, subject, row.group_id, "id")
    require(subject, Permission.USER_MGT_UPDATE_GROUP_ROLES, at=place_of_group(group))
    if group.built_in == BuiltInGroup.SUPER_ADMINS.value:
        require_super_admin(subject, "Taking Super Admins out of their group")
    mappings.remove_sso(tx.connection, id_)
    facts = {"issuer": row.issuer, "claim": row.claim, "value": row.value, "group": group.name}
    audit(
        tx,
        subject,
        "sso-group-mapping.delete",
        f"{row.value} → {group.name}",
        now,
        before=facts,
        at=place_of_group(group),
    )


def find_group(connection: Connection, subject: Subject, group_id: str, field: str) -> GroupRow:
    """Find a group, if it is the organization's, or of a project that the caller reaches.

    Raises: NotFound
    """
    found = groups.find_row(connection, group_id, mapping_reach(subject))
    if found is None:
        raise group_not_found(field)
    return found


def place_of_group(group: GroupRow) -> Place:
    """Tell where a group belongs: to the project whose Admins it is, else to all of the organization."""
    return EVERYWHERE if group.project_id is None else Place(project_id=group.project_id)


def grants_of_group(connection: Connection, group: GroupRow) -> list[Grant]:
    """List what who is in a group has by it."""
    return grants_of_groups(connection, [group.id])


def grants_of_groups(connection: Connection, group_ids: Sequence[str]) -> list[Grant]:
    """List what who is in any of several groups has by them; two statements."""
    rows = mappings.list_of(connection, EVERYTHING, "group_id", group_ids)
    granted = access.permissions_of(connection, {row.role_id for row in rows})
    return [
        Grant(
            mapping_id=row.number,
            group_id=row.group_id,
            group_name=row.group_name,
            role_id=row.role_id,
            role_name=row.role_name,
            permissions=granted.get(row.role_id, frozenset()),
            scope=row.scope,
        )
        for row in rows
    ]


def access_changed(tx: Transaction, detail: str, now: Instant) -> None:
    """Tell every reader that who may do what is another than before."""
    tx.emit(NewEvent(kind=EventKind.ACCESS_CHANGED, at=now, detail=detail))


def group_not_found(field: str) -> NotFound:
    """Make the error for a group that is not there."""
    return NotFound("There is no such group.", field=field, fix="Look at the list of groups.")


def role_not_found(field: str) -> NotFound:
    """Make the error for a role that is not there."""
    return NotFound("There is no such role.", field=field, fix="Look at the list of roles.")


def _row(connection: Connection, number: int) -> MappingRow:
    return mappings.list_of(connection, EVERYTHING, "number", [number])[0]


def _mapped_already(group: str, role: str) -> Conflict:
    return Conflict(
        f"The group {group} has the role {role} in this very scope already.", field="role", fix="Nothing: it is there."
    )


def _checked(value: str, field: str, length_max: int) -> str:
    text = value.strip()
    if not 1 <= len(text) <= length_max or not text.isprintable():
        raise InvalidInput(
            f"The {field} has 1 to {length_max} characters, on one line.",
            field=field,
            fix="Copy it from the identity provider as it is.",
        )
    return text


def _words(where: NamedPlace) -> str:
    return "/".join(
        "-" if part is None else part.handle for part in (where.project, where.integration, where.environment)
    )


def _facts(group: str, role: str, where: NamedPlace) -> dict[str, str | None]:
    return {
        "group": group,
        "role": role,
        "project": where.project and where.project.handle,
        "integration": where.integration and where.integration.handle,
        "environment": where.environment and where.environment.handle,
    }
