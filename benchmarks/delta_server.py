"""The server side of delta_heartbeats.py: one core, one port; either the real edge or a handler that does nothing."""

import argparse
import asyncio
import datetime as dt
import json
import os
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import uvloop
from pilothouse.app.control_plane import open_control_plane
from pilothouse.config import Settings
from pilothouse.observe.logs import configure
from pilothouse.protocol.exchange import Exchange, ExchangeSettings, Inbound, Outbound
from pilothouse.protocol.wire import ACKNOWLEDGED
from pilothouse.serving.carrier import Carrier, Listener
from pilothouse.serving.certificates import CertificateSettings, ensure
from pilothouse.serving.settings import CarrierSettings
from requests_of_runtimes import full_request, sign
from secrets_of_runtimes import new_secret

RUNTIMES = 2_000
SECRETS = 20
AT_ONCE = 100


def nothing(_request: Inbound) -> Outbound:
    """Answer without looking."""
    return Outbound(200, ACKNOWLEDGED)


async def serve(
    mode: str, *, tls: bool, core: int | None, count: int = RUNTIMES, runtime_type: str = "BI", database_url: str = ""
) -> None:
    """Serve until standard input ends; say the port and where the requests are.

    database_url: whose schema is there already; the embedded one by default
    """
    if core is not None:
        os.sched_setaffinity(0, {core})
    configure("ERROR", "text")
    with TemporaryDirectory() as folder:
        home = Path(folder)
        plane = await open_control_plane(Settings(home=home / "home", database_url=database_url))
        handler = nothing if mode == "bare" else plane.runtime_handler
        files = ensure(CertificateSettings(directory=home / "tls"), dt.datetime.now(dt.UTC)) if tls else None
        secrets = [await new_secret(plane) for _ in range(SECRETS)]
        tokens = [sign(secret, plane.clock.now()) for secret in secrets]
        runtimes = [(f"runtime-{number:05}", tokens[number % SECRETS]) for number in range(count)]

        async def register(runtime_id: str, token: str) -> int:
            answer = plane.runtime_handler(full_request(runtime_id, token, runtime_type=runtime_type))
            return answer.status if isinstance(answer, Outbound) else (await answer).status

        for at in range(0, count, AT_ONCE):
            told = await asyncio.gather(*(register(*runtime) for runtime in runtimes[at : at + AT_ONCE]))
            assert set(told) == {200}
        await plane.start()
        carrier = Carrier(
            (
                Listener(
                    name="runtimes",
                    app=Exchange(handler, ExchangeSettings()),
                    host="127.0.0.1",
                    port=0,
                    setting="-",
                    tls=files,
                ),
            ),
            CarrierSettings(),
        )
        await carrier.start()
        (home / "runtimes.json").write_text(json.dumps(runtimes))
        sys.stdout.write(
            json.dumps({"port": carrier.ports["runtimes"], "runtimes": str(home / "runtimes.json")}) + "\n"
        )
        sys.stdout.flush()
        await asyncio.to_thread(sys.stdin.read)
        await carrier.stop()
        await plane.stop()


def main() -> None:
    """Read what to serve, and serve it."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("mode", choices=["bare", "edge"])
    arguments.add_argument("--tls", action="store_true")
    arguments.add_argument("--core", type=int)
    arguments.add_argument("--runtimes", type=int, default=RUNTIMES)
    arguments.add_argument("--type", default="BI")
    arguments.add_argument("--database", default="", metavar="URL")
    wanted = arguments.parse_args()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(
            serve(
                wanted.mode,
                tls=wanted.tls,
                core=wanted.core,
                count=wanted.runtimes,
                runtime_type=wanted.type,
                database_url=wanted.database,
            )
        )


if __name__ == "__main__":
    main()
