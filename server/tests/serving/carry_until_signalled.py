"""A whole process around the carrier, for the tests of its end. Arguments: certificate and key, or none."""

import asyncio
import sys
from pathlib import Path
from typing import Any

import uvloop
from pilothouse.protocol.exchange import ExchangeSettings, Inbound, Outbound, application
from pilothouse.serving.carrier import Carrier, Listener
from pilothouse.serving.settings import CarrierSettings, TlsFiles
from pilothouse.serving.signals import run_until_signalled


async def stream(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    while True:
        await send({"type": "http.response.body", "body": b"tick", "more_body": True})
        await asyncio.sleep(0.05)


def handle(request: Inbound) -> Outbound:
    return Outbound(200, b"{}")


async def main() -> None:
    tls = TlsFiles(Path(sys.argv[1]), Path(sys.argv[2])) if len(sys.argv) > 2 else None
    runtimes = application(handle, ExchangeSettings())
    carrier = Carrier(
        [
            Listener(name="runtimes", app=runtimes, host="127.0.0.1", port=0, setting="a", tls=tls),
            Listener(name="people", app=stream, host="127.0.0.1", port=0, setting="b", tls=tls),
        ],
        CarrierSettings(grace_s=1.0),
    )

    async def ready() -> None:
        print("ready", carrier.ports["runtimes"], carrier.ports["people"], flush=True)  # noqa: T201 -- how it talks to the test

    await run_until_signalled(carrier, ready)
    print("clean", flush=True)  # noqa: T201 -- how it talks to the test


uvloop.run(main())
