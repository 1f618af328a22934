"""Runtimes' tokens: our own HS256 verifier, the hottest path of the server.

It accepts a subset of what joserfc and PyJWT accept under the same rules (`test_token.py` holds it against both),
stricter only where that costs no honest client anything: base64url must be canonical and unpadded,
`crit` and `b64` headers are refused, times are finite numbers up to the year 9999, text is UTF-8 without a mark.
Duplicate members of a JSON object: the last one counts, as in both libraries.
The signature is checked before the payload is even decoded.

Source: RFC 7515, RFC 7519, RFC 8725; contracts/README.md. Budget: 7 µs for `key_id` and `verify` together.
"""

from binascii import Error as Base64Error
from binascii import a2b_base64, b2a_base64
from enum import StrEnum, unique
from hashlib import sha256
from hmac import compare_digest
from typing import Final, NoReturn, final

import msgspec

from pilothouse.base.errors import Refused

MATERIAL_BYTES_MIN: Final = 32
HEADER_SEGMENT_BYTES_MAX: Final = 512
HEADER_CACHE_MAX: Final = 8192
KEY_ID_CHARS_MAX: Final = 64
VERIFIED_MAX: Final = 65_536
VERIFIED_CHARS_MAX: Final = 1_024
REUSED_AFTER_S: Final = 5.0
"""Unit: seconds. A token that is older when it comes is one that its sender keeps: Ballerina mints one for each request."""
TIME_S_MAX: Final = 253_402_300_799.0
"""The last second of the year 9999; a larger time is in the wrong unit."""

_BLOCK_BYTES: Final = 64
_SIGNATURE_CHARS: Final = 43
_SCHEME_CHARS: Final = len("Bearer ")
_DOTS: Final = 2
_INNER: Final = bytes(byte ^ 0x36 for byte in range(256))
_OUTER: Final = bytes(byte ^ 0x5C for byte in range(256))
_TO_URL: Final = bytes.maketrans(b"+/", b"-_")
_FROM_URL: Final = bytes.maketrans(b"-_+/=", b"+/***")
"""What base64url must not contain becomes `*`, which no decoder takes."""
_PAD: Final = (b"", None, b"==", b"=")
_LAST: Final = (None, None, frozenset(b"AQgw"), frozenset(b"AEIMQUYcgkosw048"))
"""Last characters whose unused bits are zero, by length modulo four."""


class TokenRules(msgspec.Struct, frozen=True, kw_only=True):
    """What a runtime's token must say."""

    issuer: str = "icp-runtime-jwt-issuer"
    audiences: frozenset[str] = frozenset({"icp-server"})
    scope: str = "runtime_agent"
    skew_s: float = 60
    length_limit_bytes: int = 8192


@unique
class TokenRefusal(StrEnum):
    """Why a token is refused; the values are stable codes."""

    MISSING = "TOKEN_MISSING"
    MALFORMED = "TOKEN_MALFORMED"
    NO_KEY_ID = "TOKEN_WITHOUT_KEY_ID"
    ALGORITHM = "TOKEN_ALGORITHM"
    SIGNATURE = "TOKEN_SIGNATURE"
    ISSUER = "TOKEN_ISSUER"
    AUDIENCE = "TOKEN_AUDIENCE"
    EXPIRED = "TOKEN_EXPIRED"
    NOT_YET_VALID = "TOKEN_NOT_YET_VALID"
    SCOPE = "TOKEN_SCOPE"


_FIXES: Final[dict[TokenRefusal, str]] = {
    TokenRefusal.MISSING: "Send `Authorization: Bearer <token>`; check that no proxy removes the header.",
    TokenRefusal.MALFORMED: "Update the runtime's bridge, or check what rewrites its requests.",
    TokenRefusal.NO_KEY_ID: "Copy the whole secret, with the part before its first dot, into Config.toml.",
    TokenRefusal.ALGORITHM: "Sign with HS256; the runtime bridges do.",
    TokenRefusal.SIGNATURE: "Copy the whole secret again, or generate a new one and put it into Config.toml.",
    TokenRefusal.ISSUER: "Make `jwtIssuer` of the runtime and the issuer of the control plane the same.",
    TokenRefusal.AUDIENCE: "Make `jwtAudience` of the runtime one of the audiences of the control plane.",
    TokenRefusal.EXPIRED: "Set the clocks of both machines (NTP).",
    TokenRefusal.NOT_YET_VALID: "Set the clocks of both machines (NTP).",
    TokenRefusal.SCOPE: "Leave the runtime's token scope at its default.",
}


@final
class TokenError(Refused):
    """The token of a runtime is refused."""

    code = "TOKEN_REFUSED"

    def __init__(self, refusal: TokenRefusal, message: str, *, clock_skew_s: float | None = None) -> None:
        self.refusal = refusal
        self.code = refusal.value
        self.clock_skew_s = clock_skew_s
        """Units: seconds by which the token missed its time; only for EXPIRED and NOT_YET_VALID."""
        super().__init__(message, fix=_FIXES[refusal])


@final
class SigningKey:
    """One key's material as HMAC state: both pads are hashed once, not once per token."""

    __slots__ = ("_inner", "_outer")

    def __init__(self, material: bytes) -> None:
        if len(material) < MATERIAL_BYTES_MIN:
            raise ValueError(f"A signing key needs at least {MATERIAL_BYTES_MIN} bytes.")
        block = (sha256(material).digest() if len(material) > _BLOCK_BYTES else material).ljust(_BLOCK_BYTES, b"\0")
        self._inner = sha256(block.translate(_INNER))
        self._outer = sha256(block.translate(_OUTER))

    def __repr__(self) -> str:
        return "SigningKey(…)"

    def sign(self, signing_input: bytes) -> bytes:
        """Compute the HMAC-SHA256."""
        inner = self._inner.copy()
        inner.update(signing_input)
        outer = self._outer.copy()
        outer.update(inner.digest())
        return outer.digest()


class Claims(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Claims that we read; whoever holds one got it from `TokenReader.verify`."""

    iss: str | None = None
    aud: str | list[str] | None = None
    exp: float | None = None
    nbf: float | msgspec.UnsetType = msgspec.UNSET
    scope: str | None = None
    iat: object = None
    """Not checked: it only tells whether the sender keeps its tokens."""


class _Verified(msgspec.Struct, frozen=True, gc=False):
    """A token whose signature and claims held under a key; its times are looked at anew each time."""

    key: SigningKey
    key_id: str
    claims: Claims
    from_s: float
    until_s: float


class _Header(msgspec.Struct, gc=False):
    """A token's header as it arrives; what must not be there is kept raw, only to be seen."""

    alg: str | None = None
    kid: str | None = None
    crit: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    b64: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


_decode_header = msgspec.json.Decoder(_Header).decode
_decode_claims = msgspec.json.Decoder(Claims).decode


@final
class TokenReader:
    """Reads tokens under one set of rules, and remembers header segments.

    A runtime's header segment never changes, so what it says is remembered: segment → key id.
    Only segments of tokens whose signature held get in: strangers cannot fill it. It holds at most `HEADER_CACHE_MAX`
    segments of at most `HEADER_SEGMENT_BYTES_MAX` bytes (4 MiB) and is emptied when full. A miss costs one small JSON
    parse: even a key holder who changes his header with every token takes no more than that from the others.
    """

    __slots__ = ("_key_ids", "_rules", "_verified")

    def __init__(self, rules: TokenRules) -> None:
        self._rules = rules
        self._key_ids: dict[bytes, str] = {}
        # Tokens that held, by the whole field; senders that keep theirs for an hour (Micro Integrator, Python) hit it.
        # Cap: VERIFIED_MAX entries of at most VERIFIED_CHARS_MAX characters; emptied when full.
        self._verified: dict[str, _Verified] = {}

    def key_id(self, authorization: str | None) -> str:
        """Read which key the token claims to be signed with; nothing is verified yet.

        Raises: TokenError (MISSING, MALFORMED, NO_KEY_ID, ALGORITHM)
        """
        known = self._verified.get(authorization) if authorization else None
        if known is not None:
            return known.key_id
        token = self._token(authorization)
        header = token[: token.find(b".")]
        key_id = self._key_ids.get(header)
        if key_id is not None:
            return key_id
        if token.count(b".") != _DOTS:
            raise TokenError(TokenRefusal.MALFORMED, "The token has not exactly three segments.")
        return _read_header(header)

    def verify(self, authorization: str | None, key: SigningKey, now: float) -> Claims:
        """Check signature, issuer, audience, times and scope, in this order.

        Units: `now` in seconds of the Unix epoch.
        Raises: TokenError
        """
        known = self._verified.get(authorization) if authorization else None
        if known is not None and known.key is key and known.from_s <= now < known.until_s:
            return known.claims
        token = self._token(authorization)
        # Too few or too many segments need no check: a payload with a dot in it or with nothing in it does not decode.
        first, last = token.find(b"."), token.rfind(b".")
        header, signing_input, signature = token[:first], token[:last], token[last + 1 :]
        key_id = None if header in self._key_ids else _read_header(header)
        # Comparing texts instead of bytes: only the canonical spelling of the one right signature is equal.
        expected = b2a_base64(key.sign(signing_input)).translate(_TO_URL)[:_SIGNATURE_CHARS]
        if not compare_digest(expected, signature):
            raise TokenError(TokenRefusal.SIGNATURE, "The token's signature does not match its key.")
        if key_id is not None:
            if len(self._key_ids) >= HEADER_CACHE_MAX:
                self._key_ids.clear()
            self._key_ids[header] = key_id
        claims = _read_claims(token[first + 1 : last])
        self._check(claims, now)
        self._remember(authorization, key, self._key_ids[header], claims, now)
        return claims

    def _remember(self, authorization: str | None, key: SigningKey, key_id: str, claims: Claims, now: float) -> None:
        """Keep a token that held, if its sender keeps it too."""
        issued_at = claims.iat
        if (
            authorization is None
            or claims.exp is None
            or not isinstance(issued_at, int | float)
            or now - issued_at < REUSED_AFTER_S
            or len(authorization) > VERIFIED_CHARS_MAX
        ):
            return
        if len(self._verified) >= VERIFIED_MAX:
            self._verified.clear()
        skew_s = self._rules.skew_s
        from_s = 0.0 if claims.nbf is msgspec.UNSET else claims.nbf - skew_s
        self._verified[authorization] = _Verified(key, key_id, claims, from_s, claims.exp + skew_s)

    def _token(self, authorization: str | None) -> bytes:
        """Take the token out of the header field."""
        if not authorization:
            raise TokenError(TokenRefusal.MISSING, "The request has no Authorization header.")
        limit = self._rules.length_limit_bytes
        if len(authorization) > limit:
            raise TokenError(TokenRefusal.MALFORMED, f"The Authorization header is longer than {limit} bytes.")
        if authorization[:_SCHEME_CHARS] != "Bearer " and authorization[:_SCHEME_CHARS].lower() != "bearer ":
            raise TokenError(TokenRefusal.MISSING, "The Authorization header is not a Bearer token.")
        try:
            return authorization[_SCHEME_CHARS:].encode("ascii")
        except UnicodeEncodeError:
            raise TokenError(TokenRefusal.MALFORMED, "The token is not ASCII.") from None

    def _check(self, claims: Claims, now: float) -> None:
        rules = self._rules
        if claims.iss != rules.issuer:
            raise TokenError(TokenRefusal.ISSUER, "The token's issuer (`iss`) is not the one expected.")
        audience = claims.aud
        if audience not in rules.audiences if not isinstance(audience, list) else rules.audiences.isdisjoint(audience):
            raise TokenError(TokenRefusal.AUDIENCE, "The token's audience (`aud`) is not this control plane.")
        expires_at_s = claims.exp
        if expires_at_s is None:
            raise TokenError(TokenRefusal.MALFORMED, "The token never expires: it has no `exp`.")
        if expires_at_s + rules.skew_s <= now:
            _refuse_expired(expires_at_s, now)
        if expires_at_s > TIME_S_MAX:
            raise TokenError(TokenRefusal.MALFORMED, "The token's `exp` is not in seconds of the Unix epoch.")
        if claims.nbf is not msgspec.UNSET and claims.nbf - rules.skew_s > now:
            _refuse_early(claims.nbf, now)
        if claims.scope != rules.scope:
            raise TokenError(
                TokenRefusal.SCOPE, f"Insufficient scope: the token's scope is not exactly `{rules.scope}`."
            )


def _refuse_expired(expires_at_s: float, now: float) -> NoReturn:
    late_s = now - expires_at_s
    raise TokenError(
        TokenRefusal.EXPIRED,
        f"The token expired {late_s:.0f} s ago by this machine's clock.",
        clock_skew_s=late_s,
    )


def _refuse_early(not_before_s: float, now: float) -> NoReturn:
    early_s = not_before_s - now
    raise TokenError(
        TokenRefusal.NOT_YET_VALID,
        f"The token is valid only in {early_s:.0f} s by this machine's clock.",
        clock_skew_s=early_s,
    )


def _base64url(segment: bytes) -> bytes:
    """Decode canonical, unpadded base64url.

    Raises: ValueError
    """
    remainder = len(segment) & 3
    pad, last = _PAD[remainder], _LAST[remainder]
    if pad is None or (last is not None and segment[-1] not in last):
        raise Base64Error
    return a2b_base64(segment.translate(_FROM_URL) + pad, strict_mode=True)


def _read_header(segment: bytes) -> str:
    """Check a header segment and return its key id."""
    if len(segment) > HEADER_SEGMENT_BYTES_MAX:
        raise TokenError(TokenRefusal.MALFORMED, f"The token's header is longer than {HEADER_SEGMENT_BYTES_MAX} bytes.")
    try:
        # To text first: the JSON decoder does not look at the encoding of members that it skips.
        header = _decode_header(_base64url(segment).decode())
    except (ValueError, RecursionError):
        # msgspec's errors and UnicodeDecodeError are ValueErrors; their texts may quote the token.
        raise TokenError(TokenRefusal.MALFORMED, "Invalid JWT: its header cannot be decoded.") from None
    if header.alg != "HS256":
        raise TokenError(TokenRefusal.ALGORITHM, "The token is not signed with HS256.")
    if header.crit is not msgspec.UNSET or header.b64 is not msgspec.UNSET:
        raise TokenError(TokenRefusal.MALFORMED, "Invalid JWT: `crit` and `b64` headers are not supported.")
    key_id = header.kid
    # It goes into a query and into a log before anything is verified.
    if not key_id or len(key_id) > KEY_ID_CHARS_MAX or not (key_id.isascii() and key_id.isprintable()):
        raise TokenError(
            TokenRefusal.NO_KEY_ID,
            f"Invalid JWT: its header names no key (`kid`, 1 to {KEY_ID_CHARS_MAX} printable ASCII characters).",
        )
    return key_id


def _read_claims(segment: bytes) -> Claims:
    try:
        return _decode_claims(_base64url(segment).decode())
    except (ValueError, RecursionError):
        raise TokenError(
            TokenRefusal.MALFORMED, "Invalid JWT: its claims cannot be decoded, or one of them is of the wrong type."
        ) from None
