"""Users."""

from collections.abc import Collection
from typing import Final

import msgspec
from sqlalchemy import Connection, Select, delete, func, insert, select, update

from pilothouse.base.instants import Instant
from pilothouse.storage.tables import audit_records, group_members, groups, sso_group_mappings, users

ALLOW_PASSWORD: Final = "user.allow-password"  # noqa: S105 - an action's name
"""What lets somebody in by password where passwords are switched off: an action that only the machine itself audits."""


class UserRow(msgspec.Struct, frozen=True, kw_only=True):
    """A user with what only sign-in needs."""

    id: str
    organization_id: str
    username: str
    """Lower case."""
    display_name: str
    email: str | None = None
    kind: str = "person"
    """person · service"""
    password_hash: str | None = None
    """None: signs in elsewhere, or never."""
    password_changed_at: Instant | None = None
    must_change_password: bool = False
    issuer: str | None = None
    external_subject: str | None = None
    disabled_at: Instant | None = None
    created_at: Instant
    created_by: str
    last_sign_in_at: Instant | None = None


_COLUMNS = [users.c[name] for name in UserRow.__struct_fields__]


def add(connection: Connection, user: UserRow) -> None:
    """Store a user."""
    connection.execute(insert(users).values({name: getattr(user, name) for name in UserRow.__struct_fields__}))


def count(connection: Connection) -> int:
    """Count users; none means that the first administrator is still to be made."""
    return connection.execute(select(func.count()).select_from(users)).scalar_one()


def find_by_name(connection: Connection, username: str) -> UserRow | None:
    """Find a user by name, in whatever case it is typed."""
    return _first(connection, select(*_COLUMNS).where(users.c.username == username.lower()))


def find(connection: Connection, user_id: str) -> UserRow | None:
    """Find a user by id."""
    return _first(connection, select(*_COLUMNS).where(users.c.id == user_id))


def set_password(connection: Connection, user_id: str, password_hash: str, *, must_change: bool, now: Instant) -> None:
    """Change a user's password hash."""
    connection.execute(
        update(users)
        .where(users.c.id == user_id)
        .values(password_hash=password_hash, password_changed_at=now, must_change_password=must_change)
    )


def note_sign_in(connection: Connection, user_id: str, now: Instant) -> None:
    """Remember when somebody signed in last."""
    connection.execute(update(users).where(users.c.id == user_id).values(last_sign_in_at=now))


def find_external(connection: Connection, issuer: str, external_subject: str) -> UserRow | None:
    """Find a user by who they are in another store."""
    wanted = (users.c.issuer == issuer, users.c.external_subject == external_subject)
    return _first(connection, select(*_COLUMNS).where(*wanted))


def set_hash(connection: Connection, user_id: str, password_hash: str) -> None:
    """Store the same password under another hash."""
    connection.execute(update(users).where(users.c.id == user_id).values(password_hash=password_hash))


def set_profile(connection: Connection, user_id: str, display_name: str, email: str | None) -> None:
    """Let a user's name and e-mail address follow another store's."""
    connection.execute(update(users).where(users.c.id == user_id).values(display_name=display_name, email=email))


def list_mapped_groups(connection: Connection, organization_id: str, issuer: str) -> list[tuple[str, str, str]]:
    """List claim, value and group of the mappings that are about an issuer."""
    c = sso_group_mappings.c
    rows = connection.execute(
        select(c.claim, c.value, c.group_id).where(c.organization_id == organization_id, c.issuer == issuer)
    )
    return [(claim, value, group_id) for claim, value, group_id in rows]


def list_memberships(connection: Connection, user_id: str) -> dict[str, str]:
    """List the groups that somebody is in, with who put them there: `local` or `sso`."""
    c = group_members.c
    rows = connection.execute(select(c.group_id, c.source).where(c.user_id == user_id))
    return {group_id: source for group_id, source in rows}  # noqa: C416 - rows are not pairs to a type checker


def list_groups_of(connection: Connection, user_id: str) -> list[tuple[str, str]]:
    """List id and name of the groups that somebody is in, by name."""
    statement = (
        select(groups.c.id, groups.c.name)
        .join(group_members, group_members.c.group_id == groups.c.id)
        .where(group_members.c.user_id == user_id)
        .order_by(groups.c.name)
    )
    return [(group_id, name) for group_id, name in connection.execute(statement)]


def leave(connection: Connection, user_id: str, group_ids: Collection[str]) -> None:
    """Take somebody out of groups."""
    c = group_members.c
    connection.execute(delete(group_members).where(c.user_id == user_id, c.group_id.in_(list(group_ids))))


def is_in_built_in(connection: Connection, user_id: str, built_in: str) -> bool:
    """Tell whether somebody is in one of the groups of the beginning."""
    statement = (
        select(func.count())
        .select_from(group_members)
        .join(groups, groups.c.id == group_members.c.group_id)
        .where(group_members.c.user_id == user_id, groups.c.built_in == built_in)
    )
    return connection.execute(statement).scalar_one() > 0


def was_let_in(connection: Connection, username: str, since: Instant) -> bool:
    """Tell whether somebody was let in by password, on the machine itself, since a moment: the audit record is the leave."""
    c = audit_records.c
    statement = select(func.count()).where(
        c.action == ALLOW_PASSWORD, c.via == "local", c.target == username, c.at > since
    )
    return connection.execute(statement).scalar_one() > 0


def _first(connection: Connection, statement: Select[*tuple[object, ...]]) -> UserRow | None:
    row = connection.execute(statement).mappings().first()
    return None if row is None else UserRow(**row)
