"""The bearer token that signs every heartbeat: JWS compact, HS256, with the key's id in the header."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, final

from pilothouse_bridge._secret import Secret

LIFETIME_S: Final = 3600
RENEW_BEFORE_EXPIRY_S: Final = 300
SCOPE: Final = "runtime_agent"


@dataclass(frozen=True, slots=True)
class Token:
    """A signed statement with an end."""

    text: str
    issued_at_s: int
    expires_at_s: int

    def __repr__(self) -> str:
        return f"Token(expires_at_s={self.expires_at_s})"


def mint(secret: Secret, *, issuer: str, audience: str, now_s: float) -> Token:
    """Sign a fresh token.

    Source: RFC 7515 (JWS compact), RFC 7519 (claims).
    """
    issued_at_s = int(now_s)
    expires_at_s = issued_at_s + LIFETIME_S
    header = {"alg": "HS256", "typ": "JWT", "kid": secret.key_id}
    claims = {"iss": issuer, "aud": audience, "scope": SCOPE, "iat": issued_at_s, "exp": expires_at_s}
    signing_input = f"{_encoded(header)}.{_encoded(claims)}"
    signature = hmac.new(secret.key(), signing_input.encode("ascii"), hashlib.sha256).digest()
    return Token(f"{signing_input}.{_base64url(signature)}", issued_at_s, expires_at_s)


@final
class TokenCache:
    """The token in use; a new one is made five minutes before the old one ends."""

    def __init__(self, secret: Secret, *, issuer: str, audience: str, clock: Callable[[], float]) -> None:
        """Keep what every token of this process says."""
        self._secret = secret
        self._issuer = issuer
        self._audience = audience
        self._clock = clock
        self._token: Token | None = None

    def current(self) -> str:
        """The text to send, valid for five minutes at least."""
        now_s = self._clock()
        token = self._token
        # A clock that was set back leaves a token from the future, which servers may refuse: make a new one then, too.
        if token is None or not (token.issued_at_s <= now_s < token.expires_at_s - RENEW_BEFORE_EXPIRY_S):
            token = mint(self._secret, issuer=self._issuer, audience=self._audience, now_s=now_s)
            self._token = token
        return token.text

    def forget(self) -> None:
        """Make a new token next time: the server refused this one."""
        self._token = None


def _encoded(part: Mapping[str, object]) -> str:
    return _base64url(json.dumps(part, separators=(",", ":"), ensure_ascii=False).encode())


def _base64url(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode("ascii")
