"""The token that the control plane shows to a management API: HS256 with the runtime's own secret.

Source: RFC 7515, RFC 7519; contracts/README.md.
"""

import hmac
from base64 import urlsafe_b64encode
from hashlib import sha256
from typing import Final, final

import msgspec

from pilothouse.base.instants import Instant

LIFETIME_S: Final = 900
"""Longer than clocks are apart, and much shorter than the hour that is allowed."""
SUBJECT: Final = "icp-artifact-fetcher"
SCOPE: Final = "runtime_agent"
MATERIAL_BYTES_MIN: Final = 32


@final
class Signing(msgspec.Struct, frozen=True, kw_only=True):
    """In whose name a call is made.

    Raises: ValueError when made with a key that is too short or without an audience
    """

    key_id: str
    material: str
    """The part of the secret after its first dot; the key is its UTF-8 bytes."""
    issuer: str
    audiences: tuple[str, ...]

    def __post_init__(self) -> None:
        """Refuse a key that could be guessed."""
        if len(self.material.encode()) < MATERIAL_BYTES_MIN:
            raise ValueError(f"A signing key needs at least {MATERIAL_BYTES_MIN} bytes.")
        if not self.audiences:
            raise ValueError("A token is meant for somebody.")

    def __repr__(self) -> str:
        return f"Signing(key_id={self.key_id!r}, …)"


def mint(signing: Signing, now: Instant) -> str:
    """Make a token that is valid for `LIFETIME_S` from now."""
    issued_at_s = int(now)
    audiences = signing.audiences
    header = {"alg": "HS256", "kid": signing.key_id, "typ": "JWT"}
    claims = {
        "iss": signing.issuer,
        "aud": audiences[0] if len(audiences) == 1 else audiences,
        "sub": SUBJECT,
        "scope": SCOPE,
        "iat": issued_at_s,
        "exp": issued_at_s + LIFETIME_S,
    }
    signing_input = b".".join((_segment(msgspec.json.encode(header)), _segment(msgspec.json.encode(claims))))
    signature = hmac.digest(signing.material.encode(), signing_input, sha256)
    return b".".join((signing_input, _segment(signature))).decode("ascii")


def _segment(part: bytes) -> bytes:
    return urlsafe_b64encode(part).rstrip(b"=")
