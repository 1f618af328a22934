"""An identity provider of our own making, which says whatever a test wants it to say: wrongly signed, wrongly made, or nothing."""

import base64
import contextlib
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from aiohttp import web
from joserfc import jws
from joserfc.jwk import ECKey, OKPKey, RSAKey
from pilothouse.identity.external import ExternalIdentity
from pilothouse.identity.oidc import OidcProvider, OidcSettings, OidcStart

CLIENT_ID = "pilothouse"
CALLBACK = "https://pilothouse.example.com/auth/oidc/callback"
KEYS = {
    "RS256": RSAKey.generate_key(2048, parameters={"kid": "RS256", "use": "sig"}),
    "PS256": RSAKey.generate_key(2048, parameters={"kid": "PS256"}),
    "ES256": ECKey.generate_key("P-256", parameters={"kid": "ES256", "use": "sig"}),
    "EdDSA": OKPKey.generate_key("Ed25519", parameters={"kid": "EdDSA", "use": "sig"}),
}


class _Every(jws.JWSRegistry):
    """Signs with what the product does not take."""

    def get_alg(self, name):
        return self.algorithms[name]

    def check_header(self, header):
        pass


def signed(claims: dict[str, Any], key: Any, header: dict[str, Any]) -> str:
    return jws.serialize_compact(header, json.dumps(claims), key, registry=_Every(strict_check_header=False))


def unpadded(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


@dataclass
class Rogue:
    issuer: str = ""
    metadata: dict[str, Any] = field(default_factory=dict)
    """Changes to the discovery document."""
    header: dict[str, Any] = field(default_factory=lambda: {"alg": "RS256", "kid": "RS256"})
    key: Any = field(default_factory=lambda: KEYS["RS256"])
    published: list[dict[str, Any]] = field(
        default_factory=lambda: [key.as_dict(private=False) for key in KEYS.values()]
    )
    claims: dict[str, Any] = field(default_factory=dict)
    """Changes to the ID token's claims; None takes one out."""
    answer: dict[str, Any] = field(default_factory=dict)
    """Changes to the token endpoint's answer."""
    userinfo: dict[str, Any] = field(default_factory=lambda: {"sub": "subject-of-ann", "groups": ["from userinfo"]})
    status: dict[str, int] = field(default_factory=dict)
    raw: dict[str, web.Response] = field(default_factory=dict)
    """Whole answers by the end of the path."""
    nonce: str = ""
    asked: list[str] = field(default_factory=list)
    forms: list[dict[str, Any]] = field(default_factory=list)
    authorizations: list[str] = field(default_factory=list)

    def id_token(self) -> str:
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "sub": "subject-of-ann",
            "aud": CLIENT_ID,
            "exp": now + 300,
            "iat": now,
            "nonce": self.nonce,
            "preferred_username": "ann",
            "name": "Ann",
            "email": "ann@example.com",
            "groups": ["operators"],
        }
        kept = {name: value for name, value in (claims | self.claims).items() if value is not None}
        return signed(kept, self.key, self.header)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        end = request.path.rpartition("/")[2]
        self.asked.append(end)
        self.authorizations.append(request.headers.get("Authorization", ""))
        if end in self.raw:
            return self.raw[end].__class__(
                status=self.raw[end].status, body=self.raw[end].body, headers=self.raw[end].headers
            )
        if end == "token":
            self.forms.append(dict(await request.post()))
        return web.json_response(self._content(end), status=self.status.get(end, 200))

    def _content(self, end: str) -> dict[str, Any]:
        if end == "openid-configuration":
            ends = {
                "authorization_endpoint": "authorize",
                "token_endpoint": "token",
                "jwks_uri": "keys",
                "userinfo_endpoint": "userinfo",
                "end_session_endpoint": "sign-out",
            }
            return (
                {"issuer": self.issuer} | {name: f"{self.issuer}/{each}" for name, each in ends.items()} | self.metadata
            )
        if end == "keys":
            return {"keys": self.published}
        if end == "userinfo":
            return self.userinfo
        return {"access_token": "an-access-token", "token_type": "Bearer", "id_token": self.id_token()} | self.answer


@contextlib.asynccontextmanager
async def rogue_provider() -> AsyncIterator[Rogue]:
    rogue = Rogue()
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", rogue.handle)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    rogue.issuer = f"http://127.0.0.1:{runner.addresses[0][1]}/realm"
    try:
        yield rogue
    finally:
        await runner.cleanup()


@contextlib.asynccontextmanager
async def client_of(issuer: str, **changes: Any) -> AsyncIterator[OidcProvider]:
    chosen = {"issuer": issuer, "client_id": CLIENT_ID, "client_secret": "a secret", "redirect_uri": CALLBACK}
    client = OidcProvider(OidcSettings(**(chosen | changes)))
    try:
        yield client
    finally:
        await client.close()


async def finish(
    client: OidcProvider, started: OidcStart, *, now: float | None = None, **changes: Any
) -> ExternalIdentity:
    """Bring back what a provider would have the browser bring."""
    brought = {
        "code": "a-code",
        "state": started.state,
        "state_expected": started.state,
        "nonce": started.nonce,
        "code_verifier": started.code_verifier,
    }
    return await client.finish(**(brought | changes), now=time.time() if now is None else now)


async def sign_in(rogue: Rogue, client: OidcProvider, *, now: float | None = None, **changes: Any) -> ExternalIdentity:
    started = await client.begin(time.time())
    rogue.nonce = parse_qs(urlsplit(started.authorization_url).query)["nonce"][0]
    return await finish(client, started, now=now, **changes)


def forged_with_the_public_key(rogue: Rogue) -> str:
    """An HS256 token whose secret is the RSA key that everybody can read: the classic confusion of algorithms."""
    _, payload, _ = rogue.id_token().split(".")
    head = unpadded(json.dumps({"alg": "HS256", "kid": "RS256"}).encode())
    secret = KEYS["RS256"].as_pem(private=False)
    return f"{head}.{payload}.{unpadded(hmac.digest(secret, f'{head}.{payload}'.encode(), hashlib.sha256))}"


def unsigned(rogue: Rogue) -> str:
    _, payload, _ = rogue.id_token().split(".")
    return f"{unpadded(json.dumps({'alg': 'none'}).encode())}.{payload}."


def altered(rogue: Rogue) -> str:
    """Ann's token with the administrator's name in it."""
    head, payload, signature = rogue.id_token().split(".")
    claims = json.loads(base64.urlsafe_b64decode(payload + "=="))
    return f"{head}.{unpadded(json.dumps(claims | {'preferred_username': 'admin'}).encode())}.{signature}"
