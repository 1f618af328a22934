"""An honest runtime that beats on its own connection while others misbehave beside it."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import jwt
from loopback import Peer

BEAT_EVERY_S = 0.02


def bearer(runtime: Any, **claims: Any) -> str:
    """Make a token as another library makes it."""
    key_id, _, material = runtime.secret.partition(".")
    now = int(runtime.plane.clock.now())
    told = {"iss": "icp-runtime-jwt-issuer", "aud": "icp-server", "scope": "runtime_agent", "exp": now + 3600, **claims}
    return f"Bearer {jwt.encode(told, material, algorithm='HS256', headers={'kid': key_id})}"


def request(runtime: Any, path: str, body: bytes, *more: str) -> bytes:
    """A whole request of a runtime."""
    lines = [
        f"POST {path} HTTP/1.1",
        "Host: localhost",
        f"Authorization: {bearer(runtime)}",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        *more,
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def full_of(runtime: Any, *more: str) -> bytes:
    return request(runtime, "/icp/heartbeat", json.dumps(runtime.body()).encode(), *more)


def delta_of(runtime: Any) -> bytes:
    told = {"heartbeatVersion": "v1.0", "runtimeId": runtime.runtime_id, "runtimeHash": runtime.hash}
    return request(runtime, "/icp/deltaHeartbeat", json.dumps(told).encode())


@dataclass
class Heard:
    """What the honest runtime was answered."""

    statuses: set[int] = field(default_factory=set)
    took_s: list[float] = field(default_factory=list)

    def was_served(self, within_s: float) -> bool:
        return self.statuses == {200} and len(self.took_s) >= 3 and max(self.took_s) < within_s


@asynccontextmanager
async def beating(edge: Any, runtime: Any) -> AsyncIterator[Heard]:
    """Have a runtime beat all the while."""
    heard, peer, beat = Heard(), await Peer.to(edge.port, edge.tls), delta_of(runtime)
    await peer.say(full_of(runtime), pause_s=0)
    assert (await peer.hear())[0] == 200

    async def beat_on() -> None:
        while True:
            began = time.monotonic()
            await peer.say(beat, pause_s=0)
            status, _, body = await peer.hear()
            heard.took_s.append(time.monotonic() - began)
            heard.statuses.add(status)
            assert b'"acknowledged":true' in body
            await asyncio.sleep(BEAT_EVERY_S)

    task = asyncio.ensure_future(beat_on())
    try:
        yield heard
        await asyncio.sleep(4 * BEAT_EVERY_S)
        if task.done():
            task.result()
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        peer.hang_up()
