"""Changing one's password."""

from pilothouse.access.grants import Subject
from pilothouse.base.errors import NotSignedIn, PilothouseError
from pilothouse.base.instants import Instant
from pilothouse.domain.audit import Outcome
from pilothouse.identity.passwords import PasswordRefused, Passwords, check_password
from pilothouse.operations.attempts import SignInAttempts
from pilothouse.operations.audit import audit
from pilothouse.operations.sessions import end_others, require_session
from pilothouse.storage import people
from pilothouse.storage.unit import Store, Transaction

_ACTION = "user.change-password"


async def change_password(
    store: Store,
    passwords: Passwords,
    attempts: SignInAttempts,
    subject: Subject,
    *,
    current: str,
    new: str,
    now: Instant,
) -> int:
    """Change one's password; every other session of theirs ends. Returns how many did.

    Raises: PasswordRefused, NotPermitted for an API token, TooManyAttempts
    """
    require_session(subject, "change a password")
    user = await store.read(lambda connection: people.find(connection, subject.id))
    if user is None:
        raise NotSignedIn(fix="Sign in again.")
    if user.issuer is not None or user.password_hash is None:
        raise PasswordRefused("Your password is not kept here.", fix="Change it where you sign in.")
    check_password(new, field="newPassword", username=user.username)
    await attempts.begin(user.username, subject.address, now)
    known_hash = user.password_hash
    try:
        is_right = await passwords.matches(known_hash, current)
    except PilothouseError:
        await attempts.take_back(user.username, subject.address, now)  # nobody guessed anything: it is our trouble
        raise
    if not is_right:
        await store.write(lambda tx: audit(tx, subject, _ACTION, user.username, now, outcome=Outcome.REFUSED))
        raise PasswordRefused(
            "The current password is wrong.", field="currentPassword", fix="Type the password that you signed in with."
        )
    await store.write(lambda tx: attempts.succeeded(tx, user.username, subject.address, now))
    attempts.was_let_in(user.username, subject.address)
    if new == current:
        raise PasswordRefused("The new password is the old one.", field="newPassword", fix="Use another one.")
    made = await passwords.make(new)

    def change(tx: Transaction) -> int:
        now_stored = people.find(tx.connection, user.id)
        if now_stored is None or now_stored.password_hash != known_hash:
            raise PasswordRefused(
                "The password was changed by somebody else meanwhile.", field="currentPassword", fix="Sign in again."
            )
        people.set_password(tx.connection, user.id, made, must_change=False, now=now)
        ended = end_others(tx, subject, "password changed", now)
        audit(tx, subject, _ACTION, user.username, now, detail=f"{ended} other sessions ended")
        return ended

    return await store.write(change)
