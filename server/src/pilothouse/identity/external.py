"""Who somebody is according to a store that is not ours, and how such a store refuses or fails."""

import ssl
from collections.abc import Mapping
from ipaddress import ip_address
from typing import Final

import msgspec

from pilothouse.base.errors import CannotStart, NotSignedIn, Unavailable

GROUPS_MAX: Final = 1_000
"""Groups taken of one person, in the order of the answer. Groups only ever grant, so the rest is missed, not gained."""
KEY_CHARS_MAX: Final = 255
"""Characters of an issuer and of a subject, as OpenID Connect limits the latter."""
VALUE_CHARS_MAX: Final = 1_024
"""Characters of one value (a name, a group, a claim); longer ones are left out."""


class ExternalIdentity(msgspec.Struct, frozen=True, kw_only=True):
    """A person whom an external store vouches for. (`issuer`, `subject`) is the key; a name may change hands."""

    issuer: str
    """The issuer's URL for OIDC, `ldap:<host>/<base>` for a directory."""
    subject: str
    """OIDC's `sub`, which knows upper and lower case; for a directory entryUUID or objectGUID where they can be read, else
    the DN in lower case, or its digest where it is longer than a key may be."""
    username: str
    display_name: str
    email: str | None
    groups: tuple[str, ...]
    """Values of the groups claim; for a directory the names of groups."""
    claims: dict[str, tuple[str, ...]]
    """Every claim that is text or a list of texts; for a directory the attributes, `memberOf` with whole DNs, and `groups`."""


class ExternalRefused(NotSignedIn):
    """The name or the password is wrong."""

    code = "SIGN_IN_REFUSED"

    def __init__(self) -> None:
        # One sentence for every cause: what is wrong with the account is not for a guesser to learn.
        super().__init__(fix="Check both, or ask your administrator whether your account may sign in here.")


class OidcRefused(NotSignedIn):
    """The sign-in at the identity provider did not prove who you are."""

    code = "OIDC_REFUSED"

    def __init__(self, cause: str, *, fix: str = "Start the sign-in again.") -> None:
        self.cause = cause
        super().__init__(f"Single sign-on was refused: {cause}", fix=fix)


class ProviderUnavailable(Unavailable):
    """An external user store does not answer."""

    code = "PROVIDER_UNAVAILABLE"

    def __init__(self, store: str, cause: str) -> None:
        self.store = store
        self.cause = cause
        super().__init__(
            f"{store} cannot be asked now: {cause} People of other user stores may still sign in.",
            fix="Try again in a minute. The administrator finds the cause in the control plane's log.",
        )


def as_claims(found: Mapping[str, object]) -> dict[str, tuple[str, ...]]:
    """Keep what is text or a list of texts: that is what a mapping can compare."""
    return {name: values for name, value in found.items() if (values := as_texts(value))}


def as_texts(value: object) -> tuple[str, ...]:
    """Give the texts of a claim; nothing where it is neither a text nor a list that has texts only."""
    values: list[object] = [value] if isinstance(value, str) else value if isinstance(value, list) else []  # pyright: ignore[reportUnknownVariableType]
    texts = tuple(each for each in values if isinstance(each, str))
    return tuple(text for text in texts if 0 < len(text) <= VALUE_CHARS_MAX) if len(texts) == len(values) else ()


def client_tls(ca_file: str | None, *, setting: str) -> ssl.SSLContext:
    """Make the TLS settings of a client that checks host name and authority; a given authority is the only one trusted.

    Raises: CannotStart when the file is no certificate; `setting` is where it was named
    """
    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError as error:  # ssl.SSLError is one
        raise CannotStart(
            f"{setting} names {ca_file}, which cannot be read as certificates in PEM ({error}).",
            fix=f"Set {setting} to the authority's certificate, in PEM, readable for the control plane.",
        ) from None


def is_loopback(host: str) -> bool:
    """Tell whether a host is this machine for sure: what is sent there crosses no network."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
