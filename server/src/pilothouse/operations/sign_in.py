"""Signing in, by password or through another store; and the first administrator."""

import asyncio
from functools import partial
from typing import Final

import msgspec

from pilothouse.access.roles import BuiltInGroup
from pilothouse.base.errors import NotSignedIn, PilothouseError
from pilothouse.base.ids import new_id
from pilothouse.base.instants import Instant
from pilothouse.domain.audit import AuditRecord, Outcome
from pilothouse.domain.events import EventKind, NewEvent
from pilothouse.identity.external import ExternalIdentity, ExternalRefused, OidcRefused
from pilothouse.identity.ldap import Directory
from pilothouse.identity.oidc import OidcProvider
from pilothouse.identity.passwords import Passwords
from pilothouse.identity.throttle import Throttle
from pilothouse.operations.attempts import SignInAttempts
from pilothouse.operations.external_sign_in import (
    ROUND_TRIP_S,
    ExternalStores,
    RoundTrip,
    RoundTrips,
    admit,
    spend,
)
from pilothouse.operations.sessions import OpenedSession, SessionKind, open_session
from pilothouse.storage import audit as records
from pilothouse.storage import built_in, people, sessions
from pilothouse.storage.people import UserRow
from pilothouse.storage.unit import Connection, Store, Transaction

FIRST_ADMINISTRATOR: Final = "admin"
LET_IN_S: Final = 15 * 60.0
"""So long a password is taken where passwords are switched off, once the machine itself let somebody in."""


class SignInRefused(NotSignedIn):
    """The user name or the password is wrong."""

    code = "SIGN_IN_REFUSED"

    def __init__(self) -> None:
        super().__init__(
            "The user name or the password is wrong.",
            fix="Check both; a new password is made with: pilothouse admin reset-password",
        )


class From(msgspec.Struct, frozen=True, kw_only=True):
    """Where a sign-in comes from, and what it is for."""

    kind: SessionKind
    address: str | None
    user_agent: str
    """What the browser or the script calls itself."""


class FrontDoor:
    """Where people come in."""

    def __init__(
        self,
        store: Store,
        passwords: Passwords,
        throttle: Throttle,
        *,
        external: ExternalStores,
        round_trips: RoundTrips,
        organization_id: str,
        takes_passwords: bool,
    ) -> None:
        """Take the parts; takes_passwords: whether passwords that are kept here open sessions."""
        self._store = store
        self._passwords = passwords
        self._throttle = throttle
        self.attempts = SignInAttempts(store, throttle)
        """Also of who changes a password, and has to know the old one."""
        self._round_trips = round_trips
        self._organization_id = organization_id
        self.external = external
        self.takes_passwords = takes_passwords

    async def sign_in(self, username: str, password: str, origin: From, now: Instant) -> OpenedSession:
        """Open a session for who knows the password; of a directory's people the directory is asked.

        Raises: SignInRefused (the same for every cause), TooManyAttempts, ProviderUnavailable, Unavailable
        """
        # Counted before the slow check, so that many at once do not slip through.
        is_last = await self.attempts.begin(username, origin.address, now)
        user, is_let_in = await self._store.read(lambda connection: self._look_up(connection, username, now))
        directory = self.external.directory
        try:
            if directory is not None and (user is None or user.issuer == directory.issuer):
                opened = await self._by_directory(directory, username, password, origin, now)
            else:
                opened = await self._by_password(user if is_let_in else None, username, password, origin, now)
        except NotSignedIn as refused:
            await self._refused(username, user, refused, origin, now, is_last=is_last)
            raise SignInRefused from None
        except PilothouseError:
            await self.attempts.take_back(username, origin.address, now)  # nobody guessed anything: it is our trouble
            raise
        self.attempts.was_let_in(username, origin.address)
        return opened

    async def begin_at_provider(self, provider: OidcProvider, return_to: str, now: Instant) -> tuple[str, str]:
        """Begin a sign-in at the identity provider; gives where to send the browser and what it keeps, sealed.

        Raises: ProviderUnavailable
        """
        begun = await provider.begin(now)
        trip = RoundTrip(
            state=begun.state,
            nonce=begun.nonce,
            code_verifier=begun.code_verifier,
            return_to=return_to,
            ends_at=now + ROUND_TRIP_S,
        )
        return begun.authorization_url, self._round_trips.seal(trip)

    async def finish_at_provider(
        self,
        provider: OidcProvider,
        sealed: str,
        *,
        code: str | None,
        state: str | None,
        error: str | None,
        issuer: str | None,
        origin: From,
        now: Instant,
    ) -> tuple[OpenedSession, str]:
        """Open a session for who comes back from the identity provider; gives where they wanted to go, too.

        Raises: OidcRefused, NotAdmitted, NameTaken, UserDisabled, ProviderUnavailable, TooManyAttempts
        """
        # No name is known yet: what is counted is the address.
        self._throttle.check(None, origin.address, now)
        self._throttle.failed(None, origin.address, now)
        identity: ExternalIdentity | None = None
        try:
            trip = self._round_trips.open(sealed, now) if sealed else None
            if trip is not None and not await self._store.write(partial(spend, trip=trip)):
                trip = None  # it came back before, maybe to another process
            identity = await provider.finish(
                code=code,
                state=state,
                state_expected=None if trip is None else trip.state,
                nonce="" if trip is None else trip.nonce,
                code_verifier="" if trip is None else trip.code_verifier,
                now=now,
                error=error,
                issuer=issuer,
            )
            opened = await self._open(identity, "oidc", origin, now, allows_unknown=self.external.oidc_allows_unknown)
        except NotSignedIn as refused:
            name = "" if identity is None else identity.username
            await self._refused(name, None, refused, origin, now)
            raise
        except PilothouseError:
            self._throttle.take_back(None, origin.address)
            raise
        self._throttle.take_back(None, origin.address)
        if trip is None:  # cannot be: without one the state is unknown
            raise OidcRefused("the state is unknown.")
        return opened, trip.return_to

    def _look_up(self, connection: Connection, username: str, now: Instant) -> tuple[UserRow | None, bool]:
        """Find a user by name, and whether a password that is kept here lets them in."""
        user = people.find_by_name(connection, username)
        if user is None or user.kind != "person" or user.disabled_at is not None or user.issuer is not None:
            return user, False
        return user, self.takes_passwords or people.was_let_in(connection, user.username, now - LET_IN_S)

    async def _by_password(
        self, user: UserRow | None, username: str, password: str, origin: From, now: Instant
    ) -> OpenedSession:
        if not await self._passwords.matches(user.password_hash if user else None, password) or user is None:
            raise SignInRefused
        password_hash = user.password_hash or ""
        renewed = await self._passwords.make(password) if self._passwords.is_outdated(password_hash) else None

        def open_it(tx: Transaction) -> OpenedSession:
            current = people.find(tx.connection, user.id)
            if current is None or current.disabled_at is not None or current.password_hash != user.password_hash:
                raise SignInRefused  # it changed while the password was checked
            if renewed is not None:
                people.set_hash(tx.connection, user.id, renewed)
            self.attempts.succeeded(tx, username, origin.address, now)
            return self._session(tx, current, "password", origin, now)

        return await self._store.write(open_it)

    async def _by_directory(
        self, directory: Directory, username: str, password: str, origin: From, now: Instant
    ) -> OpenedSession:
        # A hash is made as well: who is unknown here takes no less time than who is known.
        asked = asyncio.ensure_future(directory.authenticate(username, password))
        try:
            await self._passwords.matches(None, password)
        except BaseException:
            asked.cancel()
            await asyncio.gather(asked, return_exceptions=True)
            raise
        identity = await asked
        allows_unknown = self.external.directory_allows_unknown
        return await self._open(identity, "ldap", origin, now, allows_unknown=allows_unknown, typed=username)

    async def _open(
        self,
        identity: ExternalIdentity,
        method: str,
        origin: From,
        now: Instant,
        *,
        allows_unknown: bool,
        typed: str | None = None,
    ) -> OpenedSession:
        """Open a session; typed: the name under which the attempt was counted, if it was."""

        def open_it(tx: Transaction) -> OpenedSession:
            user = admit(tx, identity, organization_id=self._organization_id, allows_unknown=allows_unknown, now=now)
            if typed is not None:
                self.attempts.succeeded(tx, typed, origin.address, now)
            return self._session(tx, user, method, origin, now)

        return await self._store.write(open_it)

    @staticmethod
    def _session(tx: Transaction, user: UserRow, method: str, origin: From, now: Instant) -> OpenedSession:
        return open_session(
            tx,
            user,
            kind=origin.kind,
            method=method,
            address=origin.address,
            user_agent=origin.user_agent,
            now=now,
        )

    async def _refused(
        self,
        username: str,
        user: UserRow | None,
        refused: NotSignedIn,
        origin: From,
        now: Instant,
        *,
        is_last: bool = False,
    ) -> None:
        """Audit a refusal; why, where it is more than a wrong password, stands in the record alone."""
        known = not isinstance(refused, SignInRefused | ExternalRefused)
        parts = [refused.message if known else "", "further attempts have to wait" if is_last else ""]
        entry = AuditRecord(
            at=now,
            organization_id=self._organization_id,
            actor=f"user:{username[:100]}",
            actor_id=None if user is None else user.id,
            via="session",
            action="session.open",
            target="",
            outcome=Outcome.REFUSED,
            address=origin.address,
            detail="; ".join(part for part in parts if part),
        )
        await self._store.write(lambda tx: records.append(tx.connection, entry))


def create_first_administrator(tx: Transaction, organization_id: str, password_hash: str, now: Instant) -> bool:
    """Create the first administrator unless there is a user already."""
    if people.count(tx.connection):
        return False
    user = UserRow(
        id=new_id(),
        organization_id=organization_id,
        username=FIRST_ADMINISTRATOR,
        display_name="Administrator",
        password_hash=password_hash,
        password_changed_at=now,
        created_at=now,
        created_by="pilothouse",
    )
    people.add(tx.connection, user)
    group_id = built_in.built_in_group(tx.connection, organization_id, BuiltInGroup.SUPER_ADMINS)
    built_in.add_member(tx.connection, group_id, user.id, now)
    _record(tx, "user.create", user, now)
    return True


def reset_password(
    tx: Transaction, username: str, password_hash: str, now: Instant, *, must_change: bool = False
) -> UserRow | None:
    """Give a user of our own another password and end their sessions; None when there is no such user.

    Who signs in elsewhere, or never, is given back as they are.
    """
    user = people.find_by_name(tx.connection, username)
    if user is None or user.issuer is not None or user.kind != "person":
        return user
    people.set_password(tx.connection, user.id, password_hash, must_change=must_change, now=now)
    if sessions.end_all(tx.connection, user.id, "password reset", now):
        tx.emit(NewEvent(kind=EventKind.SESSION_ENDED, at=now))
    _record(tx, "user.reset-password", user, now)
    return people.find(tx.connection, user.id)


def allow_password(tx: Transaction, username: str, now: Instant) -> bool:
    """Let a Super Admin with a password of our own sign in by it for a while, where passwords are switched off.

    The audit record is the leave: nobody is let in without one. False when there is no such Super Admin.
    """
    user = people.find_by_name(tx.connection, username)
    if user is None or user.disabled_at is not None or user.issuer is not None or user.password_hash is None:
        return False
    if not people.is_in_built_in(tx.connection, user.id, BuiltInGroup.SUPER_ADMINS.value):
        return False
    _record(tx, people.ALLOW_PASSWORD, user, now)
    return True


def _record(tx: Transaction, action: str, user: UserRow, now: Instant) -> None:
    records.append(
        tx.connection,
        AuditRecord(
            at=now,
            organization_id=user.organization_id,
            actor="console:local",
            via="local",
            action=action,
            target=user.username,
        ),
    )
