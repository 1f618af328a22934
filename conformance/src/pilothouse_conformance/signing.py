"""Tokens of runtimes and signatures of commands, as both original clients make and check them."""

import base64
import hashlib
import hmac
import json
import time
from dataclasses import dataclass

from pilothouse_conformance.wire import Json

ISSUER = "icp-runtime-jwt-issuer"
AUDIENCE = "icp-server"
SCOPE = "runtime_agent"
LIFETIME_S = 3_600
_DIGESTS = {"HS256": hashlib.sha256, "HS384": hashlib.sha384, "HS512": hashlib.sha512}


def split(secret: str) -> tuple[str, str]:
    """Give key id and key material of a secret; it is split at the first dot."""
    key_id, _, material = secret.partition(".")
    return key_id, material


def mint(secret: str, *, header: dict[str, Json] | None = None, **claims: Json) -> str:
    """Make a token. A claim or header member of None is left out."""
    key_id, material = split(secret)
    now = int(time.time())
    head = {"alg": "HS256", "typ": "JWT", "kid": key_id, **(header or {})}
    told = {"iss": ISSUER, "aud": AUDIENCE, "scope": SCOPE, "iat": now, "exp": now + LIFETIME_S, **claims}
    signed = f"{_part(head)}.{_part(told)}"
    digest = _DIGESTS.get(head["alg"])
    signature = b"" if digest is None else hmac.digest(material.encode(), signed.encode(), digest)
    return f"{signed}.{_encoded(signature)}"


@dataclass(frozen=True, slots=True)
class ReadToken:
    """A token taken apart."""

    header: dict[str, Json]
    claims: dict[str, Json]
    is_signed: bool
    """Whether the signature is HMAC-SHA256 under the secret's material."""


def read(token: str, secret: str) -> ReadToken:
    """Take a token apart and check its signature.

    Raises: ValueError
    """
    head, claims, signature = token.split(".")
    expected = hmac.digest(split(secret)[1].encode(), f"{head}.{claims}".encode(), hashlib.sha256)
    return ReadToken(
        json.loads(_decoded(head)), json.loads(_decoded(claims)), hmac.compare_digest(expected, _decoded(signature))
    )


def sign(material: str, *values: str) -> str:
    """Sign values as commands are signed: HMAC-SHA256 over `<length in UTF-8 bytes>:<value>` of each, in Base64."""
    text = "".join(f"{len(value.encode())}:{value}" for value in values)
    return base64.b64encode(hmac.digest(material.encode(), text.encode(), hashlib.sha256)).decode()


def signature_of(command: dict[str, Json], material: str) -> str:
    """Work out the signature that a command must bear."""
    target = command["targetArtifact"]
    return sign(
        material,
        "v1",
        command["runtimeId"],
        command["commandId"],
        command["action"],
        target["name"],
        target.get("package") or "",
        command.get("payload") or "",
    )


def _part(members: dict[str, Json]) -> str:
    return _encoded(json.dumps({name: value for name, value in members.items() if value is not None}).encode())


def _encoded(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).decode().rstrip("=")


def _decoded(value: str) -> bytes:
    return base64.urlsafe_b64decode(value + "=" * (-len(value) % 4))
