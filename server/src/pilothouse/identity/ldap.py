"""Sign-in by a directory: OpenLDAP, Active Directory and whatever else speaks LDAP version 3.

A password is proved by binding as the person. Nothing is written to a directory, and nothing of it is kept.
Source: RFC 4511, RFC 4513; ADR 0016.
"""

import asyncio
import contextlib
import hashlib
import uuid
from collections.abc import AsyncGenerator
from typing import Final

import structlog
from sansldap import LDAPFilter, LDAPResultCode, SearchScope

from pilothouse.identity.external import (
    GROUPS_MAX,
    KEY_CHARS_MAX,
    ExternalIdentity,
    ExternalRefused,
    as_claims,
)
from pilothouse.identity.ldap_connection import Connection, Entry, Outcome, connect, unavailable
from pilothouse.identity.ldap_names import filled, is_below, name_of
from pilothouse.identity.ldap_settings import USER_FILTER_DEFAULT, LdapSettings, address_of, check_settings

__all__ = ["Directory", "LdapSettings"]

USERNAME_CHARS_MAX: Final = 256
PASSWORD_CHARS_MAX: Final = 1_024
CONNECTIONS_MAX: Final = 16
"""Sign-ins under way at once; further ones wait within their time."""
_ANYTHING: Final = "(objectClass=*)"
_NOBODY: Final = "cn=nobody"
_SUBJECTS: Final = ("entryUUID", "objectGUID")
_REFUSALS: Final = frozenset(
    {
        LDAPResultCode.INVALID_CREDENTIALS,
        LDAPResultCode.NO_SUCH_OBJECT,
        LDAPResultCode.INVALID_DN_SYNTAX,
        LDAPResultCode.INAPPROPRIATE_AUTHENTICATION,
        LDAPResultCode.CONSTRAINT_VIOLATION,
        LDAPResultCode.INSUFFICIENT_ACCESS_RIGHTS,
        LDAPResultCode.UNWILLING_TO_PERFORM,
    }
)
"""Answers to a person's bind that are about the person: wrong, locked, expired. The others are about the directory."""
_PARTIAL: Final = frozenset({LDAPResultCode.SUCCESS, LDAPResultCode.SIZE_LIMIT_EXCEEDED})

_log = structlog.stdlib.get_logger(__name__)


class Directory:
    """One directory. Every sign-in has a connection of its own.

    Raises: CannotStart when made with settings that cannot be safe or cannot work
    """

    def __init__(self, settings: LdapSettings) -> None:
        self._settings = settings
        self._address = address_of(settings)
        self._slots = asyncio.Semaphore(CONNECTIONS_MAX)
        base = check_settings(settings)
        self.issuer = f"ldap:{self._address.host}/{base}".lower()

    async def authenticate(self, username: str, password: str) -> ExternalIdentity:
        """Prove name and password, and read who that is.

        Raises: ExternalRefused, ProviderUnavailable
        """
        if not _can_be_asked(username, password):
            _log.info("ldap.refused", reason="an empty or impossible name or password")
            raise ExternalRefused
        async with self._connected() as connection:
            if self._settings.user_dn_pattern is not None:
                entry = await self._by_pattern(connection, self._settings.user_dn_pattern, username, password)
            else:
                entry = await self._by_search(connection, username, password)
            name = self._username(entry, username)
            groups = await self._groups(connection, entry, name)
        return self._identity(entry, name, groups)

    async def check(self) -> None:
        """Ask the directory for a sign of life, as whoever searches.

        Raises: ProviderUnavailable
        """
        async with self._connected() as connection:
            await self._bind_as_searcher(connection)
            outcome, _ = await connection.search("", SearchScope.BASE, _filter(_ANYTHING), ["1.1"], size_limit=1)
            if outcome.code in {LDAPResultCode.BUSY, LDAPResultCode.UNAVAILABLE}:
                raise unavailable(f"it says {outcome.code.name}.")

    @contextlib.asynccontextmanager
    async def _connected(self) -> AsyncGenerator[Connection]:
        try:
            async with asyncio.timeout(self._settings.timeout_s), self._slots:
                connection = await connect(self._address)
                try:
                    yield connection
                except BaseException:
                    connection.abort()
                    raise
                await connection.close()
        except TimeoutError:
            raise unavailable(f"it did not answer within {self._settings.timeout_s:g} s.") from None

    async def _by_search(self, connection: Connection, username: str, password: str) -> Entry:
        await self._bind_as_searcher(connection)
        settings = self._settings
        chosen = _filter(filled(settings.user_filter or USER_FILTER_DEFAULT, username))
        base = settings.user_base or ""
        outcome, entries = await connection.search(base, SearchScope.SUBTREE, chosen, self._attributes(), size_limit=2)
        if outcome.code not in _PARTIAL:
            _log.error("ldap.search_failed", base=base, code=outcome.code.name, said=outcome.diagnostics[:200])
            raise unavailable(f"it refuses to search for people ({outcome.code.name}).")
        if len(entries) != 1 or not entries[0].dn:
            # As many questions as for a name that exists: how long the answer takes tells nothing.
            await connection.bind(f"{_NOBODY},{base}", password)
            _log.info("ldap.refused", reason="no such entry" if not entries else "the name fits several entries")
            raise ExternalRefused
        _judge(await connection.bind(entries[0].dn, password), entries[0].dn)
        return entries[0]

    async def _by_pattern(self, connection: Connection, pattern: str, username: str, password: str) -> Entry:
        dn = filled(pattern, username)
        _judge(await connection.bind(dn, password), dn)
        await self._bind_as_searcher(connection)
        chosen = _filter(filled(self._settings.user_filter or _ANYTHING, username))
        outcome, entries = await connection.search(dn, SearchScope.BASE, chosen, self._attributes(), size_limit=2)
        if len(entries) != 1:
            _log.warning(
                "ldap.refused", reason="the entry does not fit or cannot be read", dn=dn, code=outcome.code.name
            )
            raise ExternalRefused
        return entries[0]

    async def _bind_as_searcher(self, connection: Connection) -> None:
        settings = self._settings
        if settings.bind_dn is None:
            return
        outcome = await connection.bind(settings.bind_dn, settings.bind_password or "")
        if not outcome.is_success:
            _log.error("ldap.search_account_refused", code=outcome.code.name, said=outcome.diagnostics[:200])
            raise unavailable(f"it refuses the account that Pilothouse searches with ({outcome.code.name}).")

    async def _groups(self, connection: Connection, entry: Entry, username: str) -> list[tuple[str, str]]:
        """Give name and DN of the groups, by the attribute and by the search."""
        settings = self._settings
        attribute, base = settings.member_of_attribute, settings.group_base
        found = {
            dn: name_of(dn) for dn in (entry.texts(attribute) if attribute else ()) if not base or is_below(dn, base)
        }
        if base:
            await self._bind_as_searcher(connection)
            chosen = _filter(filled(settings.group_filter, entry.dn, username))
            wanted = [settings.group_name_attribute]
            outcome, entries = await connection.search(base, SearchScope.SUBTREE, chosen, wanted, size_limit=GROUPS_MAX)
            if outcome.code not in _PARTIAL:
                _log.error("ldap.group_search_failed", code=outcome.code.name, said=outcome.diagnostics[:200])
                raise unavailable(f"it refuses to search for groups ({outcome.code.name}).")
            found |= {each.dn: next(iter(each.texts(wanted[0])), name_of(each.dn)) for each in entries}
            if outcome.code is not LDAPResultCode.SUCCESS:
                _log.warning("ldap.groups_left_out", dn=entry.dn, taken=len(entries))
        return [(name, dn) for dn, name in found.items()][:GROUPS_MAX]

    def _username(self, entry: Entry, typed: str) -> str:
        """Give the name as the directory writes it: `Ann` and `ann` are one person."""
        names = [name for name in entry.texts(self._settings.username_attribute) if name.isprintable()]
        fitting = [name for name in names if name.casefold() == typed.casefold()]
        if not names:
            _log.error("ldap.refused", reason="no username", dn=entry.dn, attribute=self._settings.username_attribute)
            raise ExternalRefused
        return (fitting or names)[0]

    def _identity(self, entry: Entry, username: str, groups: list[tuple[str, str]]) -> ExternalIdentity:
        settings = self._settings
        member_of = settings.member_of_attribute or "memberOf"
        read = (settings.username_attribute, settings.display_name_attribute, settings.email_attribute)
        names = tuple(dict.fromkeys(name for name, _ in groups))
        claims = {"groups": list(names)} | {name: list(entry.texts(name)) for name in read}
        claims[member_of] = [dn for _, dn in groups]
        return ExternalIdentity(
            issuer=self.issuer,
            subject=_subject(entry),
            username=username,
            display_name=next(iter(entry.texts(settings.display_name_attribute)), username),
            email=next(iter(entry.texts(settings.email_attribute)), None),
            groups=names,
            claims=as_claims(claims),
        )

    def _attributes(self) -> list[str]:
        settings = self._settings
        named = (settings.username_attribute, settings.display_name_attribute, settings.email_attribute)
        return [*_SUBJECTS, *named, *([settings.member_of_attribute] if settings.member_of_attribute else [])]


def _judge(outcome: Outcome, dn: str) -> None:
    """Tell a person's refusal from a directory's trouble."""
    if outcome.code in _REFUSALS:
        _log.info("ldap.refused", reason="bind", dn=dn, code=outcome.code.name, said=outcome.diagnostics[:200])
        raise ExternalRefused
    if not outcome.is_success:
        _log.error("ldap.bind_failed", dn=dn, code=outcome.code.name, said=outcome.diagnostics[:200])
        raise unavailable(f"it does not take passwords now ({outcome.code.name}).")


def _can_be_asked(username: str, password: str) -> bool:
    """Tell whether a directory may see these. An empty password would bind as nobody, and succeed (RFC 4513, 5.1.2)."""
    try:
        (username + password).encode()
    except UnicodeEncodeError:
        return False
    return 0 < len(username.strip()) <= len(username) <= USERNAME_CHARS_MAX and 0 < len(password) <= PASSWORD_CHARS_MAX


def _subject(entry: Entry) -> str:
    """Give what stays the same when an entry is renamed, where the directory shows it."""
    guid = entry.attributes.get("objectguid", ())
    if len(guid) == 1 and len(guid[0]) == 16:  # noqa: PLR2004 - octets of a UUID
        return str(uuid.UUID(bytes_le=guid[0]))
    subject = next(iter(entry.texts("entryUUID")), entry.dn).lower()
    return subject if len(subject) <= KEY_CHARS_MAX else f"dn-sha256:{hashlib.sha256(subject.encode()).hexdigest()}"


def _filter(text: str) -> LDAPFilter:
    return LDAPFilter.from_string(text)
