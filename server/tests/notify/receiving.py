"""A receiver of notices on loopback, and notices for it."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import msgspec
import trustme
from aiohttp import web
from pilothouse.notify.notice import Notice, NoticeAlert, NoticeKind, NoticePlace, NoticeSeverity

SECRET = "whsec-0123456789abcdef"


@dataclass
class Receiver:
    """What it got, and what it answers: each answer once, then 200."""

    port: int = 0
    answers: list[web.Response] = field(default_factory=list)
    requests: list[web.Request] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    silent: asyncio.Event | None = None
    """Nothing is answered before it is set."""

    async def handle(self, request: web.Request) -> web.Response:
        self.requests.append(request)
        self.bodies.append(await request.read())
        if self.silent is not None:
            await self.silent.wait()
        return self.answers.pop(0) if self.answers else web.Response()

    @property
    def documents(self) -> list[Any]:
        return [msgspec.json.decode(body) for body in self.bodies]


@asynccontextmanager
async def receiving(certificate: trustme.LeafCert | None = None) -> AsyncIterator[Receiver]:
    receiver = Receiver()
    application = web.Application()
    application.router.add_route("*", "/{tail:.*}", receiver.handle)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    tls = None
    if certificate is not None:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        certificate.configure_cert(tls)
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
    await site.start()
    receiver.port = runner.addresses[0][1]
    try:
        yield receiver
    finally:
        if receiver.silent is not None:
            receiver.silent.set()
        await runner.cleanup()


def notice(**changes: Any) -> Notice:
    made = Notice(
        id="n-1",
        kind=NoticeKind.FIRING,
        rule="Orders fail",
        severity=NoticeSeverity.CRITICAL,
        message="12.5 % of the requests failed over 5 minutes.",
        place=NoticePlace(project="shop", integration="orders", environment="prod"),
        value=0.125,
        since=1_789_999_700.0,
        at=1_790_000_000.0,
        link="https://pilothouse.example.com:9446/alerts?alert=a-1",
        dedup_key="a-1",
    )
    return msgspec.structs.replace(made, **changes)


def group(size: int) -> tuple[NoticeAlert, ...]:
    return tuple(
        NoticeAlert(message=f"orders-{i} is offline.", place=NoticePlace(runtime=f"orders-{i}"), since=1_789_999_700.0)
        for i in range(size)
    )
