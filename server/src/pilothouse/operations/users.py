"""Making, changing and deleting users, their passwords, and the groups that they are in."""

import base64
import secrets
from collections.abc import Sequence

import msgspec

from pilothouse.access.grants import EVERYWHERE, Subject, require
from pilothouse.access.permissions import Permission
from pilothouse.access.rules import (
    GROUPS_PER_USER_MAX,
    USERS_MAX,
    LimitReached,
    Oneself,
    check_email,
    check_name,
    check_username,
    refuse_beyond,
    require_all_grants,
    require_super_admin,
)
from pilothouse.base.errors import Conflict, InvalidInput
from pilothouse.base.ids import new_id
from pilothouse.base.instants import Instant
from pilothouse.domain.events import EventKind, NewEvent
from pilothouse.operations.attempts import forgive
from pilothouse.operations.audit import audit, changed
from pilothouse.operations.explaining import mapping_reach, user_not_found
from pilothouse.operations.groups import put_in, require_one_super_admin, take_out
from pilothouse.operations.mappings import access_changed, group_not_found, place_of_group
from pilothouse.storage import access, groups, people, sessions, users
from pilothouse.storage.groups import GroupRow
from pilothouse.storage.people import UserRow
from pilothouse.storage.unit import Connection, NotUnique, Transaction
from pilothouse.storage.users import UserSummary

ONE_TIME_PASSWORD_BYTES = 16
PERSON = "person"
SERVICE = "service"

_MANAGE = Permission.USER_MGT_MANAGE_USERS


class NewUser(msgspec.Struct, frozen=True, kw_only=True):
    """A user who is to be made."""

    username: str
    display_name: str
    email: str | None = None
    kind: str = PERSON
    password_hash: str | None = None
    """Of the first password, which must be changed; None for a service account."""
    group_ids: Sequence[str] = ()


class UserChange(msgspec.Struct, frozen=True, kw_only=True):
    """What is to become of a user; UNSET stays as it is."""

    display_name: str | msgspec.UnsetType | None = msgspec.UNSET
    email: str | msgspec.UnsetType | None = msgspec.UNSET
    disabled: bool | msgspec.UnsetType | None = msgspec.UNSET


def new_one_time_password() -> str:
    """Make a password of 128 random bits that can be read out: base32 in groups of four and more."""
    text = base64.b32encode(secrets.token_bytes(ONE_TIME_PASSWORD_BYTES)).decode("ascii").rstrip("=").lower()
    return "-".join(text[start : start + 5] for start in range(0, len(text), 5))


def create_user(tx: Transaction, subject: Subject, new: NewUser, *, now: Instant) -> UserSummary:
    """Make a person or a service account, in groups whose grants the caller holds.

    Raises: NotPermitted, NotFound, InvalidInput, Conflict
    """
    require(subject, _MANAGE, at=EVERYWHERE)
    username = check_username(new.username)
    display_name = check_name(new.display_name, field="displayName")
    email = check_email(new.email)
    taken = Conflict(f"The user name '{username}' is taken.", field="username", fix="Choose another one.")
    if people.find_by_name(tx.connection, username) is not None:
        raise taken
    refuse_beyond(people.count(tx.connection), USERS_MAX, "users")
    user = UserRow(
        id=new_id(),
        organization_id=subject.organization_id,
        username=username,
        display_name=display_name,
        email=email,
        kind=new.kind,
        password_hash=new.password_hash,
        password_changed_at=None if new.password_hash is None else now,
        must_change_password=new.password_hash is not None,
        created_at=now,
        created_by=subject.username,
    )
    try:
        people.add(tx.connection, user)
    except NotUnique:  # another process was quicker
        raise taken from None
    facts = {"username": username, "displayName": display_name, "email": email, "kind": new.kind}
    audit(tx, subject, "user.create", username, now, after=facts)
    _set_groups(tx, subject, user.id, username, new.group_ids, now)
    access_changed(tx, f"The user {username} was made.", now)
    return find_user(tx.connection, user.id, "id")


def update_user(tx: Transaction, subject: Subject, user_id: str, change: UserChange, *, now: Instant) -> UserSummary:
    """Change a user. Disabling ends every session; tokens stop since their owner is disabled.

    Raises: NotPermitted, NotFound, InvalidInput, Conflict (LAST_SUPER_ADMIN, ONESELF)
    """
    before = find_user(tx.connection, user_id, "id")
    require(subject, _MANAGE, at=EVERYWHERE)
    display_name, email, disabled = before.display_name, before.email, before.disabled_at is not None
    if isinstance(change.display_name, str):
        display_name = check_name(change.display_name, field="displayName")
    if change.email is not msgspec.UNSET:
        email = check_email(change.email)
    if isinstance(change.disabled, bool):
        disabled = change.disabled
    users.change(tx.connection, user_id, display_name=display_name, email=email)
    if disabled != (before.disabled_at is not None):
        _set_disabled(tx, subject, before, disabled=disabled, now=now)
    was, is_ = changed(
        {"displayName": before.display_name, "email": before.email, "disabled": before.disabled_at is not None},
        {"displayName": display_name, "email": email, "disabled": disabled},
    )
    if is_:
        audit(tx, subject, "user.update", before.username, now, before=was, after=is_)
    return find_user(tx.connection, user_id, "id")


def delete_user(tx: Transaction, subject: Subject, user_id: str, *, now: Instant) -> None:
    """Delete a user with their sessions and tokens. Their name stands in the audit for good, and may be given anew.

    Raises: NotPermitted, NotFound, Conflict (LAST_SUPER_ADMIN, ONESELF)
    """
    user = find_user(tx.connection, user_id, "id")
    require(subject, _MANAGE, at=EVERYWHERE)
    if user.id == subject.id:
        raise Oneself("Nobody deletes themselves.", field="id", fix="Ask another administrator.")
    if user.is_super_admin:
        require_super_admin(subject, "Deleting a Super Admin")
    ended = _end_sessions(tx, user, "user deleted", now)
    users.remove(tx.connection, user_id)
    if user.is_super_admin:
        require_one_super_admin(tx.connection)
    facts = {"username": user.username, "displayName": user.display_name, "email": user.email, "kind": user.kind}
    audit(tx, subject, "user.delete", user.username, now, f"{ended} sessions ended.", before=facts)
    access_changed(tx, f"The user {user.username} was deleted.", now)


def check_reset(connection: Connection, subject: Subject, user_id: str) -> UserSummary:
    """Find a user whose password the caller may reset: nobody who holds what the caller does not, since the caller learns it.

    Raises: NotPermitted, NotFound, Conflict
    """
    user = find_user(connection, user_id, "user")
    require(subject, _MANAGE, at=EVERYWHERE)
    if user.id == subject.id:  # who found a session open, or a token, must not come to own the account by it
        raise Oneself(
            "Nobody resets their own password.",
            field="user",
            fix="Change it with the current one: POST /auth/password.",
        )
    if user.is_super_admin:
        require_super_admin(subject, "Resetting the password of a Super Admin")
    require_all_grants(subject, access.list_grants(connection, user_id), f"Acting as {user.username}")
    if user.kind == SERVICE:
        raise Conflict(
            "A service account has no password.", field="user", fix="Make an API token for it, or revoke its tokens."
        )
    if user.issuer is not None:
        raise Conflict(f"{user.username} signs in with {user.issuer}.", field="user", fix="Reset the password there.")
    return user


def reset_password(tx: Transaction, subject: Subject, user_id: str, password_hash: str, *, now: Instant) -> None:
    """Give somebody a password that must be changed, and end their sessions; their tokens go on.

    Raises: NotPermitted, NotFound, Conflict
    """
    user = check_reset(tx.connection, subject, user_id)
    people.set_password(tx.connection, user_id, password_hash, must_change=True, now=now)
    ended = _end_sessions(tx, user, "password reset", now)
    audit(tx, subject, "user.reset-password", user.username, now, f"{ended} sessions ended.")


def unlock_user(tx: Transaction, subject: Subject, user_id: str, *, now: Instant) -> UserSummary:
    """Forget somebody's failed attempts.

    Raises: NotPermitted, NotFound
    """
    user = find_user(tx.connection, user_id, "id")
    require(subject, _MANAGE, at=EVERYWHERE)
    forgive(tx, user.username, now)
    audit(tx, subject, "user.unlock", user.username, now)
    return user


def set_groups(
    tx: Transaction, subject: Subject, user_id: str, group_ids: Sequence[str], *, now: Instant
) -> UserSummary:
    """Put somebody into exactly these groups.

    Raises: NotPermitted, NotFound, Conflict (LAST_SUPER_ADMIN)
    """
    user = find_user(tx.connection, user_id, "user")
    _set_groups(tx, subject, user_id, user.username, group_ids, now)
    return find_user(tx.connection, user_id, "user")


def find_user(connection: Connection, user_id: str, field: str) -> UserSummary:
    """Find a user; who may see any sees all.

    Raises: NotFound
    """
    found = users.find_summary(connection, user_id)
    if found is None:
        raise user_not_found(field)
    return found


def check_kind(kind: str, password: str | None) -> None:
    """Refuse a password for who has none.

    Raises: InvalidInput
    """
    if kind == SERVICE and password is not None:
        raise InvalidInput(
            "A service account has no password.", field="password", fix="Leave it out, and make an API token."
        )


def _set_groups(
    tx: Transaction, subject: Subject, user_id: str, username: str, group_ids: Sequence[str], now: Instant
) -> None:
    wanted = list(dict.fromkeys(group_ids))
    if len(wanted) > GROUPS_PER_USER_MAX:
        raise LimitReached(
            f"A user is in at most {GROUPS_PER_USER_MAX} groups, not {len(wanted)}.",
            field="groups",
            fix="Name fewer groups.",
        )
    inside = {ref.id for ref in users.list_groups_of(tx.connection, [user_id]).get(user_id, [])}
    found = groups.list_by_ids(tx.connection, {*wanted, *inside})
    reach = mapping_reach(subject)
    if any(id_ not in found or not reach.touches(place_of_group(found[id_])) for id_ in wanted):
        raise group_not_found("groups")
    leaving = [found[id_] for id_ in sorted(inside - set(wanted)) if id_ in found]
    joining = [found[id_] for id_ in wanted if id_ not in inside]
    if not leaving and not joining:
        require(subject, Permission.USER_MGT_UPDATE_USERS, at=EVERYWHERE)
    for group in leaving:
        _may_change(subject, group)
        take_out(tx, subject, group, {user_id: username}, now=now)
    for group in joining:
        _may_change(subject, group)
        put_in(tx, subject, group, {user_id: username}, now=now)


def _may_change(subject: Subject, group: GroupRow) -> None:
    require(subject, Permission.USER_MGT_UPDATE_USERS, at=place_of_group(group))


def _set_disabled(tx: Transaction, subject: Subject, user: UserSummary, *, disabled: bool, now: Instant) -> None:
    if disabled and user.id == subject.id:
        raise Oneself("Nobody disables themselves.", field="disabled", fix="Ask another administrator.")
    if user.is_super_admin:
        require_super_admin(subject, "Disabling or enabling a Super Admin")
    users.change(tx.connection, user.id, disabled_at=now if disabled else None)
    if disabled:
        if user.is_super_admin:
            require_one_super_admin(tx.connection)
        _end_sessions(tx, user, "user disabled", now)
    access_changed(tx, f"The user {user.username} was {'disabled' if disabled else 'enabled'}.", now)


def _end_sessions(tx: Transaction, user: UserSummary, because: str, now: Instant) -> int:
    ended = sessions.end_all(tx.connection, user.id, because, now)
    tx.emit(
        NewEvent(kind=EventKind.SESSION_ENDED, at=now, detail=f"{ended} sessions of {user.username} ended: {because}.")
    )
    return ended
