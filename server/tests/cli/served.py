"""What the tests of the command line call things, and how they reach the control plane beside it."""

import contextlib
import datetime as dt
import ssl
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
from click.testing import Result
from joserfc import jwt
from joserfc.jwk import OctKey

PASSWORD = "correct horse battery staple"


@dataclass
class Served:
    """A control plane that runs, and its certificate."""

    url: str
    runtime_url: str
    home: Path


Run = Callable[..., Result]
"""Runs a command and tells what it printed and how it ended."""


@contextlib.contextmanager
def browser(served: Served) -> Iterator[httpx.Client]:
    """The administrator at the console."""
    context = ssl.create_default_context(cafile=str(served.home / "tls" / "certificate.pem"))
    with httpx.Client(base_url=served.url, verify=context, trust_env=False) as client:
        assert client.post("/auth/sign-in", json={"username": "admin", "password": PASSWORD}).status_code == 200
        yield client


def made_token(served: Served, **more: str) -> str:
    ends = (dt.datetime.now(dt.UTC) + dt.timedelta(days=1)).isoformat()
    document = "mutation ($input: CreateApiTokenInput!) { createApiToken(input: $input) { token } }"
    with browser(served) as client:
        answer = client.post(
            "/graphql", json={"query": document, "variables": {"input": {"name": "tests", "expiresAt": ends, **more}}}
        ).json()
    assert answer["data"], answer
    return answer["data"]["createApiToken"]["token"]


def sent(served: Served, secret: str, body: dict[str, object]) -> int:
    """Send a full heartbeat."""
    key_id, _, material = secret.partition(".")
    now = int(time.time())
    claims = {"iss": "icp-runtime-jwt-issuer", "aud": "icp-server", "sub": "r", "iat": now, "exp": now + 600}
    token = jwt.encode(
        {"alg": "HS256", "kid": key_id}, {**claims, "scope": "runtime_agent"}, OctKey.import_key(material)
    )
    context = ssl.create_default_context(cafile=str(served.home / "tls" / "certificate.pem"))
    with httpx.Client(base_url=served.runtime_url, verify=context, trust_env=False, timeout=60) as client:
        return client.post("/icp/heartbeat", json=body, headers={"Authorization": f"Bearer {token}"}).status_code
