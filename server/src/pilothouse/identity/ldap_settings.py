"""Which directory is asked, and what of its settings cannot be safe or cannot work."""

from typing import Final
from urllib.parse import urlsplit

import msgspec
from sansldap import LDAPFilter

from pilothouse.base.errors import CannotStart
from pilothouse.identity.external import KEY_CHARS_MAX, client_tls, is_loopback
from pilothouse.identity.ldap_connection import Address
from pilothouse.identity.ldap_names import filled

USER_FILTER_DEFAULT: Final = "(&(objectClass=person)(uid={0}))"
GROUP_FILTER_DEFAULT: Final = "(&(objectClass=groupOfNames)(member={0}))"
_PORTS: Final = {"ldap": 389, "ldaps": 636}


class LdapSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Which directory is asked, as whom, and where people and groups stand in it.

    In patterns and filters `{0}` stands for the name that was typed; in the group filter for the person's DN, and `{1}`
    for the username. Values are escaped.
    """

    url: str
    """`ldaps://host[:636]` or `ldap://host[:389]`."""
    start_tls: bool = False
    ca_file: str | None = None
    """The only authority trusted; without it those of the system."""
    insecure: bool = False
    """Allows passwords in clear text over a network. Certificates are checked all the same."""
    bind_dn: str | None = None
    """Who searches; without it the search is anonymous."""
    bind_password: str | None = None
    user_dn_pattern: str | None = None
    """Where people are found without a search, such as `uid={0},ou=people,dc=example`."""
    user_base: str | None = None
    user_filter: str | None = None
    """Without it `(&(objectClass=person)(uid={0}))`; with a DN pattern the entry must match it, if there is one."""
    username_attribute: str = "uid"
    display_name_attribute: str = "cn"
    email_attribute: str = "mail"
    member_of_attribute: str | None = "memberOf"
    group_base: str | None = None
    """Where groups are searched; those of `memberOf` elsewhere do not count then."""
    group_filter: str = GROUP_FILTER_DEFAULT
    group_name_attribute: str = "cn"
    timeout_s: float = 5.0
    """For a whole sign-in."""


def address_of(settings: LdapSettings) -> Address:
    """Read the URL, and refuse clear text over a network.

    Raises: CannotStart
    """
    try:
        parts = urlsplit(settings.url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port, parts = None, None, urlsplit("")
    if not host or parts.scheme not in _PORTS or parts.path not in {"", "/"} or parts.query or parts.username:
        raise CannotStart(
            f"PILOTHOUSE_LDAP_URL is `{settings.url}`, which is not of the form ldaps://host:port.",
            fix="Set it to ldaps:// or ldap:// with host and port; bases have settings of their own.",
        )
    is_ldaps = parts.scheme == "ldaps"
    if is_ldaps and settings.start_tls:
        raise CannotStart(
            "PILOTHOUSE_LDAP_START_TLS is on, but the line to an ldaps:// directory is encrypted from its beginning.",
            fix="Use ldap:// with StartTLS, or ldaps:// without.",
        )
    if not (is_ldaps or settings.start_tls or settings.insecure or is_loopback(host)):
        raise CannotStart(
            f"Passwords would go to {host} in clear text.",
            fix="Use ldaps://, or PILOTHOUSE_LDAP_START_TLS=on; PILOTHOUSE_LDAP_INSECURE=on takes the risk.",
        )
    is_encrypted = is_ldaps or settings.start_tls
    tls = client_tls(settings.ca_file, setting="PILOTHOUSE_LDAP_CA_FILE") if is_encrypted else None
    return Address(host=host, port=port or _PORTS[parts.scheme], tls=tls, is_ldaps=is_ldaps)


def check_settings(settings: LdapSettings) -> str:
    """Refuse what cannot find anybody; give the base of people.

    Raises: CannotStart
    """
    pattern = settings.user_dn_pattern
    if pattern is None and not settings.user_base:
        raise CannotStart("PILOTHOUSE_LDAP_USER_BASE is missing.", fix="Set it, or PILOTHOUSE_LDAP_USER_DN_PATTERN.")
    if pattern is not None and "{0}" not in pattern.partition(",")[0]:
        raise CannotStart(
            f"PILOTHOUSE_LDAP_USER_DN_PATTERN is `{pattern}`, without a place for the name in its first part.",
            fix="Write {0} where the name belongs, such as uid={0},ou=people,dc=example.",
        )
    if settings.bind_dn is not None and not (settings.bind_dn and settings.bind_password):
        raise CannotStart(
            "PILOTHOUSE_LDAP_BIND_PASSWORD is missing.", fix="Set it, or search without PILOTHOUSE_LDAP_BIND_DN."
        )
    filters = {
        "PILOTHOUSE_LDAP_USER_FILTER": settings.user_filter or USER_FILTER_DEFAULT,
        "PILOTHOUSE_LDAP_GROUP_FILTER": settings.group_filter,
    }
    for name, template in filters.items():
        try:
            LDAPFilter.from_string(filled(template, "a", "a"))
        except ValueError as error:
            raise CannotStart(
                f"{name} is no filter: {error}.", fix="See RFC 4515, or the example in the docs."
            ) from None
        is_about_all = "{0}" not in template and "{1}" not in template
        if is_about_all and not (pattern and template == settings.user_filter):
            raise CannotStart(f"{name} has no place for whom it is about.", fix="Write {0} where the name belongs.")
    base = settings.user_base or (pattern or "").partition(",")[2]
    if len(f"ldap:{settings.url}/{base}") > KEY_CHARS_MAX:
        raise CannotStart("PILOTHOUSE_LDAP_URL and the base of people are too long.", fix="Use a shorter base.")
    return base
