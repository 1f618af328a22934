"""What runtimes send, signed beforehand."""

import base64
import hashlib
import hmac
import json
import time

from pilothouse.protocol.exchange import Inbound

ARTIFACTS = {
    "listeners": [
        {
            "name": f"listener_{n}",
            "package": "ballerina/http:2",
            "state": "enabled",
            "protocol": "HTTP",
            "port": 9090 + n,
        }
        for n in range(2)
    ],
    "services": [
        {
            "name": f"service_{n}",
            "basePath": f"/orders/{n}",
            "package": "acme/order_intake:1",
            "state": "enabled",
            "listeners": [{"name": "listener_1"}],
            "resources": [{"methods": ["get"], "url": f"/items/{m}/{{id}}"} for m in range(10)],
        }
        for n in range(10)
    ],
}


def sign(secret: str, now: float) -> str:
    """Make an Authorization header for a secret."""
    key_id, _, material = secret.partition(".")
    head = _segment({"alg": "HS256", "typ": "JWT", "kid": key_id})
    claims = _segment(
        {
            "iss": "icp-runtime-jwt-issuer",
            "aud": "icp-server",
            "scope": "runtime_agent",
            "iat": int(now),
            "exp": int(now) + 3600,
        }
    )
    signature = hmac.digest(material.encode(), f"{head}.{claims}".encode(), hashlib.sha256)
    return f"Bearer {head}.{claims}.{base64.urlsafe_b64encode(signature).decode().rstrip('=')}"


def full_request(runtime_id: str, authorization: str, *, variant: int = 0, runtime_type: str = "BI") -> Inbound:
    """Make a full heartbeat of about 8 kB; each variant is an artifact set of its own."""
    first, *others = ARTIFACTS["services"]
    services = [{**first, "basePath": f"/v{variant}"}, *others]
    body = {
        "runtimeId": runtime_id,
        "runtime": runtime_id,
        "runtimeType": runtime_type,
        **({"capabilities": ["channel"]} if runtime_type == "PY" else {}),
        "status": "RUNNING",
        "environment": "dev",
        "project": "retail",
        "component": "orders",
        "nodeInfo": {"platformName": "ballerina"},
        "artifacts": {**ARTIFACTS, "services": services},
        "runtimeHash": f"hash-{variant}",
        "timestamp": [int(time.time()), 0.5],
    }
    return Inbound("POST", "/icp/heartbeat", authorization, "application/json", json.dumps(body).encode(), "127.0.0.1")


def delta_body(runtime_id: str) -> str:
    """Make a delta heartbeat's body."""
    return json.dumps(
        {
            "heartbeatVersion": "v1.0",
            "runtimeId": runtime_id,
            "runtimeHash": "hash-0",
            "timestamp": [1_790_000_010, 0.1],
        }
    )


def _segment(value: dict[str, object]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")
