"""The check of tokens in ``testing.FakePilothouse``."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from typing import Any, cast


def verified(authorization: str, secret: str, wanted: Mapping[str, str]) -> tuple[str, dict[str, Any]]:  # JSON
    """The key id and the claims of a token that this secret signed and that says what is wanted.

    Raises: ValueError, which says what is wrong.
    """
    scheme, _, token = authorization.partition(" ")
    parts = token.split(".")
    if scheme != "Bearer" or len(parts) != 3:  # noqa: PLR2004 - header, claims, signature
        raise ValueError("Missing or malformed Authorization header")
    header, claims = (cast("dict[str, Any]", json.loads(_unbase64(part))) for part in parts[:2])
    key_id, _, material = secret.partition(".")
    if header.get("alg") != "HS256" or header.get("kid") != key_id:
        raise ValueError(f"Unknown key ID '{header.get('kid')}'")
    signature = hmac.new(material.encode(), f"{parts[0]}.{parts[1]}".encode("ascii"), hashlib.sha256).digest()
    if not hmac.compare_digest(signature, _unbase64(parts[2])) or claims.get("exp", 0) <= time.time():
        raise ValueError("Invalid or expired token")
    if any(claims.get(name) != value for name, value in wanted.items()):
        raise ValueError("The token is for someone else")
    return key_id, claims


def _unbase64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
