"""Tokens and signatures of the wire, in a few lines of their own."""

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any

LIFETIME_S = 3600


class Secret:
    """A secret `<keyId>.<keyMaterial>` as a runtime holds it."""

    __slots__ = ("_at_s", "_head", "_key", "_token", "key_id")

    def __init__(self, text: str) -> None:
        self.key_id, _, material = text.partition(".")
        self._key = material.encode()
        self._head = _segment({"alg": "HS256", "typ": "JWT", "kid": self.key_id})
        self._at_s = -1
        self._token = ""

    def token(self, now_s: float) -> str:
        """Mint a token; all of one second are the same text, since times are whole seconds and there is no `jti`."""
        if int(now_s) != self._at_s:
            self._at_s = int(now_s)
            claims = {
                "iss": "icp-runtime-jwt-issuer",
                "aud": "icp-server",
                "scope": "runtime_agent",
                "iat": self._at_s,
                "nbf": self._at_s,
                "exp": self._at_s + LIFETIME_S,
            }
            signing_input = f"{self._head}.{_segment(claims)}"
            signature = hmac.digest(self._key, signing_input.encode(), hashlib.sha256)
            self._token = f"{signing_input}.{base64.urlsafe_b64encode(signature).decode().rstrip('=')}"
        return self._token

    def has_signed(self, command: Mapping[str, Any]) -> bool:  # Any: JSON from the wire
        """Tell whether a command carries this secret's signature."""
        target = command["targetArtifact"]
        values = (
            "v1",
            command["runtimeId"],
            command["commandId"],
            command["action"],
            target["name"],
            target.get("package") or "",
            command.get("payload") or "",
        )
        text = "".join(f"{len(value.encode())}:{value}" for value in values)
        expected = base64.b64encode(hmac.digest(self._key, text.encode(), hashlib.sha256)).decode()
        return hmac.compare_digest(expected, command.get("signature") or "")


def _segment(value: Mapping[str, object]) -> str:
    text = json.dumps(value, separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")
