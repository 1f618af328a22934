"""Randomness as a value that is handed in: identities and secrets."""

import base64
import secrets
import uuid

KEY_ID_BYTES = 4
KEY_MATERIAL_BYTES = 32
SESSION_TOKEN_BYTES = 32


def new_id() -> str:
    """Make an identity for a row: a random UUID as text, 36 characters."""
    return str(uuid.uuid4())


def new_key_id() -> str:
    """Make a key id: 8 hex digits."""
    return secrets.token_hex(KEY_ID_BYTES)


def new_key_material() -> str:
    """Make key material: Base64 of 256 random bits, 44 characters. Its UTF-8 text is the HMAC key."""
    return base64.b64encode(secrets.token_bytes(KEY_MATERIAL_BYTES)).decode("ascii")


def new_session_token() -> str:
    """Make a session token: 256 random bits, URL-safe."""
    return secrets.token_urlsafe(SESSION_TOKEN_BYTES)
