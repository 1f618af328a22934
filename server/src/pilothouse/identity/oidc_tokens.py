"""Whether an ID token is the provider's own word, for us, now, and for this sign-in.

Source: OpenID Connect Core 1.0, sections 3.1.3.6 and 3.1.3.7; RFC 8725 (best practice for JWT).
"""

import base64
import hashlib
import hmac
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import msgspec
from joserfc.errors import JoseError
from joserfc.jws import JWSRegistry, deserialize_compact, extract_compact

from pilothouse.base.instants import Instant
from pilothouse.identity.external import KEY_CHARS_MAX, OidcRefused
from pilothouse.identity.oidc_http import JsonObject
from pilothouse.identity.oidc_metadata import SigningKey

if TYPE_CHECKING:
    from joserfc._rfc7515.model import JWSAlgModel

ALGORITHMS: Final = frozenset({"RS256", "PS256", "ES256", "EdDSA", "Ed25519"})
"""Signatures that are taken; Ed25519 is what RFC 9864 calls EdDSA. Never `none`, never one with a shared secret."""
_SHA512: Final = frozenset({"EdDSA", "Ed25519"})


class _Registry(JWSRegistry):
    """The library's algorithms, ours alone; headers as large as providers with certificate chains make them."""

    max_header_length = 16_384

    def get_alg(self, name: str) -> "JWSAlgModel":
        """Give an algorithm without the library's warning that EdDSA has a second name by now."""
        if name not in ALGORITHMS:
            raise OidcRefused(f"the ID token is signed with `{str(name)[:20]}`, which is not taken.")
        return self.algorithms[name]


_REGISTRY: Final = _Registry(strict_check_header=False)


class IdClaims(msgspec.Struct, frozen=True):
    """The claims of an ID token that say whether it counts."""

    iss: str
    sub: str
    aud: str | tuple[str, ...]
    exp: float
    iat: float
    nbf: float = 0.0
    azp: str | None = None
    nonce: str | None = None
    at_hash: str | None = None


class Expected(msgspec.Struct, frozen=True, kw_only=True):
    """What an ID token must say."""

    issuer: str
    client_id: str
    nonce: str
    access_token: str | None
    clock_skew_s: float


def key_id_of(token: str) -> str | None:
    """Read which key a token says it is signed with; nothing is proved yet.

    Raises: OidcRefused for an algorithm that is not taken, and for what is no token
    """
    try:
        header = extract_compact(token.encode(), registry=_REGISTRY).headers()
    except (JoseError, ValueError, TypeError, AttributeError):
        raise OidcRefused("the ID token cannot be read.") from None
    _REGISTRY.get_alg(header["alg"])
    key_id = header.get("kid")
    return key_id if isinstance(key_id, str) else None


def verify(token: str, keys: Sequence[SigningKey], expected: Expected, now: Instant) -> tuple[IdClaims, JsonObject]:
    """Check signature and claims; give those that count and all of them.

    Raises: OidcRefused
    """
    algorithm, payload = _signed(token, keys)
    try:
        everything = msgspec.json.decode(payload, type=JsonObject)
        claims = msgspec.convert(everything, IdClaims)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise OidcRefused(f"the ID token's claims cannot be read ({error}).") from None
    _check_parties(claims, expected)
    _check_times(claims, expected.clock_skew_s, now)
    if claims.nonce is None or not same(claims.nonce, expected.nonce):
        raise OidcRefused("the ID token's nonce is not that of this sign-in.")
    _check_access_token(claims, expected.access_token, algorithm)
    return claims, everything


def same(one: str, other: str) -> bool:
    """Compare two texts without telling by time how far they agree."""
    return hmac.compare_digest(one.encode(errors="replace"), other.encode(errors="replace"))


def _signed(token: str, keys: Sequence[SigningKey]) -> tuple[str, bytes]:
    """Give algorithm and payload of a token that one of the keys has signed."""
    if not keys:
        raise OidcRefused("the ID token is signed with a key that the identity provider does not publish.")
    for key in keys:
        try:
            found = deserialize_compact(token, key, registry=_REGISTRY)
        except (JoseError, ValueError, TypeError):  # wrong for this key; the next may fit
            continue
        return found.headers()["alg"], found.payload
    raise OidcRefused("the ID token's signature is wrong.")


def _check_parties(claims: IdClaims, expected: Expected) -> None:
    if claims.iss != expected.issuer:
        raise OidcRefused("the ID token's issuer is another one.")
    audiences = (claims.aud,) if isinstance(claims.aud, str) else claims.aud
    if expected.client_id not in audiences:
        raise OidcRefused("the ID token's audience is another one: it is not for Pilothouse.")
    if claims.azp is None and len(audiences) > 1:
        raise OidcRefused("the ID token has several audiences and does not say for whom it was made (azp).")
    if claims.azp is not None and claims.azp != expected.client_id:
        raise OidcRefused("the ID token was made for another party (azp).")
    if not 0 < len(claims.sub) <= KEY_CHARS_MAX:
        raise OidcRefused("the ID token names nobody, or by a longer subject than OpenID Connect allows.")


def _check_times(claims: IdClaims, skew_s: float, now: Instant) -> None:
    if now >= claims.exp + skew_s:
        raise OidcRefused("the ID token's expiry has passed.")
    if now < claims.iat - skew_s or now < claims.nbf - skew_s:
        raise OidcRefused("the ID token is from the future: the clocks of provider and control plane differ.")


def _check_access_token(claims: IdClaims, access_token: str | None, algorithm: str) -> None:
    """Compare the left half of the access token's digest, where the ID token has one."""
    if claims.at_hash is None or access_token is None:
        return
    digest = (hashlib.sha512 if algorithm in _SHA512 else hashlib.sha256)(access_token.encode()).digest()
    half = base64.urlsafe_b64encode(digest[: len(digest) // 2]).rstrip(b"=").decode()
    if not same(half, claims.at_hash):
        raise OidcRefused("the access token is not the one that the ID token belongs to (at_hash).")
